-- A short cut for the policies. Whether a message, an execution, an event or a file is visible follows from its conversation,
-- and looking that up for each row costs more than reading the row. So each row says whose the conversation was when the row
-- was written, and for that person the policies look no further.
--
-- The rows are history and stay as they are when a conversation changes hands or its owner leaves the tenant. Instead, it is
-- remembered who ever lost something in this way (users.owner_hints), and of them the policies believe no row, but look at its
-- conversation. So a stale owner_id makes nothing visible.

-- Events get theirs where they are written (functions/ledger.sql).

create or replace function private.hint_owner_of_conversation() returns trigger
language plpgsql security definer set search_path = pg_catalog, pg_temp as $$
begin
  select c.user_id into new.owner_id from public.conversations c where c.id = new.conversation_id;
  return new;
end
$$;
create or replace trigger hint_owner
  before insert on public.messages for each row execute function private.hint_owner_of_conversation();

create or replace function private.hint_owner_of_task() returns trigger
language plpgsql security definer set search_path = pg_catalog, pg_temp as $$
begin
  select t.user_id into new.owner_id from public.tasks t where t.id = new.task_id;
  return new;
end
$$;
create or replace trigger hint_owner
  before insert on public.tool_executions for each row execute function private.hint_owner_of_task();
create or replace trigger hint_owner before insert on public.files for each row execute function private.hint_owner_of_task();

create or replace function private.end_hints() returns trigger
language plpgsql security definer set search_path = pg_catalog, pg_temp as $$
begin
  if tg_table_name = 'conversations' then
    update public.users u set owner_hints = false
    where u.owner_hints and (
      u.id = old.user_id or (u.id = new.user_id and new.tenant_id not in (u.tenant_id, u.home_tenant_id))
    );
  elsif not array[old.tenant_id, old.home_tenant_id] <@ array[new.tenant_id, new.home_tenant_id] then
    new.owner_hints := false;
  end if;
  return new;
end
$$;
create or replace trigger end_hints
  after update of user_id on public.conversations for each row
  when (new.user_id is distinct from old.user_id) execute function private.end_hints();
create or replace trigger end_hints
  before update of tenant_id, home_tenant_id on public.users for each row execute function private.end_hints();
-- Nobody takes that back.
create or replace trigger keep_hints
  before update of owner_hints on public.users for each row execute function private.keep_ownership('owner_hints');
