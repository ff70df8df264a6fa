-- A short cut for the policies. Whether a message, an execution, an event or a file is visible follows from its conversation,
-- and looking that up for each row costs more than reading the row. So each row says whose the conversation was when the row
-- was written, and for that person the policies look no further.
--
-- The rows are history and stay as they are when a conversation changes hands. Instead, who ever lost one is remembered, and of
-- them the policies believe no row, but look at its conversation. So a stale owner_id makes nothing visible.

create or replace function private.hint_owner() returns trigger
language plpgsql security definer set search_path = '' as $$
begin
  if tg_table_name = 'messages' then
    new.owner_id := (select c.user_id from public.conversations c where c.id = new.conversation_id);
  else
    new.owner_id := (select t.user_id from public.tasks t where t.id = new.task_id);
  end if;
  return new;
end
$$;
create or replace trigger hint_owner before insert on public.messages for each row execute function private.hint_owner();
create or replace trigger hint_owner before insert on public.tool_executions for each row execute function private.hint_owner();
create or replace trigger hint_owner before insert on public.task_events for each row execute function private.hint_owner();
create or replace trigger hint_owner before insert on public.files for each row execute function private.hint_owner();

create or replace function private.remember_owner() returns trigger
language plpgsql security definer set search_path = '' as $$
begin
  insert into private.former_owners (user_id) values (old.user_id) on conflict do nothing;
  return null;
end
$$;
create or replace trigger remember_owner
  after update of user_id on public.conversations for each row
  when (new.user_id is distinct from old.user_id) execute function private.remember_owner();
