-- Wake-ups. NOTIFY takes a database-wide lock at commit, so it is kept for what is rare: a task becomes claimable, or somebody
-- asks something of a running one. Ids only, never content: whoever can LISTEN hears them.

create or replace function private.notify_submitted() returns trigger
language plpgsql security definer set search_path = pg_catalog, pg_temp as $$
begin
  -- One for the statement, however many tasks it submitted: it says "look", and the claim looks.
  if exists (select from submitted s where s.status = 'pending' and s.run_after is null) then
    perform pg_catalog.pg_notify('agent_runtime_pending', '');
  end if;
  return null;
end
$$;
create or replace trigger notify_submitted
  after insert on public.tasks referencing new table as submitted
  for each statement execute function private.notify_submitted();

-- On tasks, the conditions are in the functions: a WHEN is parsed anew by each statement, a function's code is not.
create or replace function private.notify_pending() returns trigger
language plpgsql security definer set search_path = pg_catalog, pg_temp as $$
begin
  if new.status = 'pending' and new.run_after is null and (old.status <> 'pending' or old.run_after is not null) then
    perform pg_catalog.pg_notify('agent_runtime_pending', '');
  elsif new.status = 'running'
        and (new.cancel_requested_at, new.pause_requested_at) is distinct from (old.cancel_requested_at, old.pause_requested_at) then
    perform pg_catalog.pg_notify('agent_runtime_control', new.id::text);
  end if;
  return null;
end
$$;
create or replace trigger notify_pending
  after update on public.tasks for each row execute function private.notify_pending();
