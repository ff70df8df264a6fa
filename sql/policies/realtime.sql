-- The private channels `task:<id>` of hosted Supabase (triggers/realtime.sql): who may see the task may listen, nobody sends.
-- Realtime asks when somebody joins a channel and when the token changes, as the person, with the topic in realtime.topic().
-- The restrictive policies hold beside whatever policies a project has of its own.

do $realtime$
begin
  if to_regprocedure('realtime.topic()') is null or to_regclass('realtime.messages') is null then
    drop function if exists private.task_of_channel(text);
    return;
  end if;
  execute $f$
    create or replace function private.task_of_channel(p_topic text) returns uuid
    language plpgsql immutable security invoker set search_path = pg_catalog, pg_temp as $$
    begin
      if p_topic ~ '^task:[0-9a-f]{8}-[0-9a-f]{4}-[0-9a-f]{4}-[0-9a-f]{4}-[0-9a-f]{12}$' then
        return substr(p_topic, 6)::uuid;
      end if;
      return null;
    end
    $$
  $f$;
  revoke all on function private.task_of_channel(text) from public, anon, authenticated, service_role, agent_worker;
  grant execute on function private.task_of_channel(text) to authenticated;

  drop policy if exists "agent-runtime: people listen to tasks they can see" on realtime.messages;
  create policy "agent-runtime: people listen to tasks they can see" on realtime.messages
    for select to authenticated
    using (
      extension = 'broadcast'
      and exists (select from public.tasks t where t.id = (select private.task_of_channel((select realtime.topic()))))
    );
  drop policy if exists "agent-runtime: nobody else listens to tasks" on realtime.messages;
  create policy "agent-runtime: nobody else listens to tasks" on realtime.messages
    as restrictive for select to authenticated
    using (
      (
        coalesce(topic not like 'task:%', true)
        or exists (select from public.tasks t where t.id = private.task_of_channel(topic))
      )
      and (
        coalesce((select realtime.topic()) not like 'task:%', true)
        or exists (select from public.tasks t where t.id = (select private.task_of_channel((select realtime.topic()))))
      )
    );
  drop policy if exists "agent-runtime: nobody anonymous listens to tasks" on realtime.messages;
  create policy "agent-runtime: nobody anonymous listens to tasks" on realtime.messages
    as restrictive for select to anon
    using (coalesce(topic not like 'task:%', true) and coalesce((select realtime.topic()) not like 'task:%', true));
  drop policy if exists "agent-runtime: nobody sends to tasks" on realtime.messages;
  create policy "agent-runtime: nobody sends to tasks" on realtime.messages
    as restrictive for insert to anon, authenticated
    with check (coalesce(topic not like 'task:%', true) and coalesce((select realtime.topic()) not like 'task:%', true));
exception when insufficient_privilege then
  -- The channels are private, so without a policy of ours nobody listens to them.
  raise warning 'no policies on realtime.messages, so nobody can listen to the channels of tasks: %', sqlerrm;
end
$realtime$;
