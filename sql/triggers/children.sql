-- Families: what happens to a child is told to its parent, what is asked of a parent is asked of its children.

create or replace function private.tell_family() returns trigger
language plpgsql security definer set search_path = pg_catalog, pg_temp as $$
declare
  v_ask text;
begin
  if new.spawn_id is not null and new.status is distinct from old.status and new.status not in ('pending', 'running') then
    insert into private.family_news (task_id) values (new.parent_task_id);
    perform pg_catalog.pg_notify('agent_runtime_pending', '');
  end if;
  v_ask := case
    when (new.cancel_requested_at is not null and old.cancel_requested_at is null)
      or (new.status in ('cancelled', 'failed') and new.status is distinct from old.status) then 'cancel'
    when (new.pause_requested_at is not null and old.pause_requested_at is null)
      or (new.status = 'paused' and old.status <> 'paused') then 'pause'
    when new.pause_requested_at is null and old.pause_requested_at is not null then 'resume'
  end;
  if v_ask is not null and exists (
    select from public.tasks c
    where c.parent_task_id = new.id and c.spawn_id is not null and c.status in ('pending', 'running', 'waiting', 'paused')
  ) and private.follow(new.id, v_ask) then
    insert into private.family_news (task_id, ask) values (new.id, v_ask);
    perform pg_catalog.pg_notify('agent_runtime_pending', '');
  end if;
  return null;
end
$$;
-- Only a statement that names one of these can change them, so that a step and a renewal never come here.
create or replace trigger tell_family
  after update of status, cancel_requested_at, pause_requested_at on public.tasks for each row
  execute function private.tell_family();
