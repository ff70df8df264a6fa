-- Hosted Supabase alone: each event of a timeline is also sent on the private Realtime channel `task:<id>`, for web UIs that
-- other people build. Where there is no realtime.send nothing of this is made; where there comes to be one, it is with the next
-- `db apply`. Who may listen is in policies/realtime.sql.

do $realtime$
begin
  if to_regprocedure('realtime.send(jsonb,text,text,boolean)') is null or to_regclass('realtime.messages') is null then
    drop trigger if exists broadcast_event on public.task_events;
    drop function if exists private.broadcast_event();
    return;
  end if;
  execute $f$
    create or replace function private.broadcast_event() returns trigger
    language plpgsql security definer set search_path = pg_catalog, pg_temp as $$
    begin
      perform realtime.send(
        jsonb_build_object(
          'id', new.id, 'task_id', new.task_id, 'kind', new.kind, 'payload', new.payload, 'created_at', new.created_at
        ),
        'task_event', 'task:' || new.task_id, true
      );
      return null;
    exception when others then
      -- What is on record is not lost: whoever listens reads on in the table from the last id it saw.
      raise warning 'event % of task % is not broadcast: %', new.id, new.task_id, sqlerrm;
      return null;
    end
    $$
  $f$;
  revoke all on function private.broadcast_event() from public, anon, authenticated, service_role, agent_worker;
  create or replace trigger broadcast_event
    after insert on public.task_events for each row execute function private.broadcast_event();
end
$realtime$;
