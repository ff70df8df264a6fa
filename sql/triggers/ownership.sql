-- Tenant and owner are set by the database from the parent row, whatever a client sends, and never change afterwards.
-- What a row refers to must be of the same tenant; a reference to somebody else's row reads as if there were none.

create or replace function private.own_conversation() returns trigger
language plpgsql security definer set search_path = pg_catalog, pg_temp as $$
declare
  v_me constant uuid := private.claimed();
begin
  if tg_op = 'INSERT' and v_me is not null and new.user_id is distinct from v_me then
    perform private.refuse_row('conversations');
  elsif tg_op = 'INSERT' then
    new.tenant_id := private.tenant_of_owner(new.user_id);
  elsif new.user_id is distinct from old.user_id and not private.is_of_tenant(new.user_id, new.tenant_id) then
    raise exception using errcode = 'AR002', message = format('there is no member %s', new.user_id);
  end if;
  if tg_op = 'INSERT' or new.agent_id is distinct from old.agent_id then
    perform private.require_agent(new.agent_id, new.tenant_id, new.user_id);
  end if;
  return new;
end
$$;
create or replace trigger own_conversation
  before insert or update of agent_id, user_id on public.conversations for each row execute function private.own_conversation();

-- Of somebody else's row and of none at all the same is said, in the words of the policy that refuses the first: nobody learns
-- from a refusal what there is.
create or replace function private.refuse_row(p_table text) returns void
language plpgsql stable set search_path = pg_catalog, pg_temp as $$
begin
  raise exception using
    errcode = '42501', message = format('new row violates row-level security policy for table "%s"', p_table);
end
$$;

create or replace function private.tenant_of_owner(p_user uuid) returns uuid
language plpgsql security definer set search_path = pg_catalog, pg_temp as $$
declare
  v_user public.users;
begin
  -- Locked, so that who is deactivated or leaves at this moment leaves nothing behind that goes on without being seen.
  select * into v_user from public.users u where u.id = p_user for share;
  if not found or not v_user.is_active then
    raise exception using errcode = 'AR002', message = format('there is no active user %s', p_user);
  end if;
  return v_user.tenant_id;
end
$$;

create or replace function private.is_of_tenant(p_user uuid, p_tenant uuid) returns boolean
language sql stable security definer set search_path = pg_catalog, pg_temp as $$
  select exists (select from public.users u where u.id = p_user and p_tenant in (u.tenant_id, u.home_tenant_id))
$$;

create or replace function private.require_agent(p_agent uuid, p_tenant uuid, p_user uuid) returns void
language plpgsql stable security definer set search_path = pg_catalog, pg_temp as $$
begin
  if not exists (
    select from public.agents a
    where a.id = p_agent and a.is_active
      and (a.created_by = p_user or a.is_public)
      and (a.tenant_id = p_tenant or a.tenant_id is null)
  ) then
    raise exception using errcode = 'AR002', message = format('there is no agent %s', p_agent);
  end if;
end
$$;

create or replace function private.own_task() returns trigger
language plpgsql security definer set search_path = pg_catalog, pg_temp as $$
declare
  v_me constant uuid := private.claimed();
  v_conversation public.conversations;
begin
  -- Locked, so that a conversation that changes hands takes this task along.
  select * into v_conversation from public.conversations c where c.id = new.conversation_id for share;
  if v_me <> v_conversation.user_id or (v_me is not null and v_conversation.id is null) then
    perform private.refuse_row('tasks');
  elsif v_conversation.id is null then
    raise exception using errcode = 'AR002', message = format('there is no conversation %s', new.conversation_id);
  end if;
  new.tenant_id := v_conversation.tenant_id;
  new.user_id := v_conversation.user_id;
  new.agent_id := coalesce(new.agent_id, v_conversation.agent_id);
  perform private.tenant_of_owner(new.user_id);
  if not private.is_of_tenant(new.user_id, new.tenant_id) then
    raise exception using errcode = 'AR002', message = format('there is no conversation %s', new.conversation_id);
  end if;
  perform private.require_agent(new.agent_id, new.tenant_id, new.user_id);
  if new.parent_task_id is not null and not exists (
    select from public.tasks p where p.id = new.parent_task_id and p.user_id = new.user_id and p.tenant_id = new.tenant_id
  ) then
    raise exception using errcode = 'AR002', message = format('there is no task %s', new.parent_task_id);
  end if;
  if new.spawn_id is not null and not exists (
    select from public.tool_executions e where e.id = new.spawn_id and e.task_id = new.parent_task_id
  ) then
    raise exception using
      errcode = 'AR002', message = format('task %s has no tool execution %s', new.parent_task_id, new.spawn_id);
  end if;
  if new.parent_task_id is not null and not new.tainted then
    -- What it is told comes from there.
    select private.is_tainted(p), case when private.is_tainted(p) then private.sources_of(p) else '[]' end
    into new.tainted, new.taint_sources
    from public.tasks p where p.id = new.parent_task_id;
  end if;
  return new;
end
$$;
create or replace trigger own_task before insert on public.tasks for each row execute function private.own_task();

-- Only hand_over gets here: the state's guard keeps everybody else from it (triggers/state.sql).
create or replace function private.own_moved_task() returns trigger
language plpgsql security definer set search_path = pg_catalog, pg_temp as $$
begin
  if not exists (
    select from public.conversations c where c.id = new.conversation_id and c.user_id = new.user_id and c.tenant_id = new.tenant_id
  ) then
    raise exception using errcode = '42501', message = 'a task is its conversation''s owner''s';
  end if;
  return new;
end
$$;
create or replace trigger own_moved_task
  before update of user_id on public.tasks for each row execute function private.own_moved_task();

create or replace function private.own_message() returns trigger
language plpgsql security definer set search_path = pg_catalog, pg_temp as $$
begin
  if new.task_id is not null and not exists (
    select from public.tasks t where t.id = new.task_id and t.conversation_id = new.conversation_id
  ) then
    if private.claimed() is not null and not exists (
      select from public.conversations c where c.id = new.conversation_id and c.user_id = private.claimed()
    ) then
      perform private.refuse_row('messages');
    end if;
    raise exception using errcode = 'AR002', message = format('the conversation has no task %s', new.task_id);
  end if;
  select c.tenant_id into new.tenant_id from public.conversations c where c.id = new.conversation_id;
  perform private.lock_conversation(new.conversation_id);
  new.seq := nextval('public.messages_seq');
  return new;
end
$$;
create or replace trigger own_message before insert on public.messages for each row execute function private.own_message();

create or replace function private.own_execution() returns trigger
language plpgsql security definer set search_path = pg_catalog, pg_temp as $$
begin
  -- Only the runtime's own functions get here (guard_execution), and they know the tenant.
  -- That it is the task's, and the tool one of the tenant's, is held where both are read anyway (tell_execution).
  if new.tenant_id is null then
    select t.tenant_id into new.tenant_id from public.tasks t where t.id = new.task_id;
  end if;
  new.input_digest := pg_catalog.encode(pg_catalog.sha256(pg_catalog.convert_to(new.input_parameters::text, 'UTF8')), 'hex');
  return new;
end
$$;
create or replace trigger own_execution
  before insert or update of input_parameters on public.tool_executions
  for each row execute function private.own_execution();

create or replace function private.own_file() returns trigger
language plpgsql security definer set search_path = pg_catalog, pg_temp as $$
declare
  v_me constant uuid := private.claimed();
  v_task public.tasks;
begin
  select * into v_task from public.tasks t where t.id = new.task_id;
  if v_me <> v_task.user_id or (v_me is not null and v_task.id is null) then
    perform private.refuse_row('files');
  elsif v_task.id is null then
    raise exception using errcode = 'AR002', message = format('there is no task %s', new.task_id);
  elsif new.uploaded_by <> v_task.user_id then
    perform private.refuse_row('files');
  elsif new.execution_id is not null and not exists (
    select from public.tool_executions e where e.id = new.execution_id and e.task_id = new.task_id
  ) then
    raise exception using errcode = 'AR002', message = format('task %s has no tool execution %s', new.task_id, new.execution_id);
  end if;
  new.tenant_id := v_task.tenant_id;
  new.conversation_id := v_task.conversation_id;
  if new.filename ~ '^/|/$|//|(^|/)\.\.?(/|$)' or new.filename = '' then
    raise exception using
      errcode = 'AR005', message = format('filename %s is not a path in the workspace', to_jsonb(new.filename::text));
  end if;
  -- Storage lets somebody read the bytes at file_path who may read this row: so the path must be this task's own.
  if new.kind <> 'file' then
    new.file_path := '';
    new.file_size := 0;
    new.file_hash := null;
  elsif not starts_with(new.file_path, new.tenant_id || '/' || new.task_id || '/') or new.file_path ~ '(^|/)\.\.?(/|$)' then
    -- But for what a parent and its children give each other: the bytes stay where they are, and are the same person's.
    if exists (
      select from public.files o
      join public.tasks t on t.id = o.task_id
      where o.file_path = new.file_path and o.file_hash is not distinct from new.file_hash and t.user_id = v_task.user_id
        and t.tenant_id = v_task.tenant_id
        and (
          t.parent_task_id = v_task.id
          or t.conversation_id = (select p.conversation_id from public.tasks p where p.id = v_task.parent_task_id)
        )
    ) then
      return new;
    end if;
    raise exception using
      errcode = '42501', message = format('file_path must begin with %s/%s/', new.tenant_id, new.task_id);
  end if;
  return new;
end
$$;
create or replace trigger own_file before insert on public.files for each row execute function private.own_file();

-- Asked several times in each step, so the answer that is nearly always the right one is in it (as in private.acts_as_owner).
do $do$
begin
  execute format(
    $f$
      create or replace function private.own_event() returns trigger
      language plpgsql security invoker set search_path = pg_catalog, pg_temp as $$
      begin
        if current_user <> %L then
          if not private.acts_as_owner(tg_relid) then
            raise exception using errcode = '42501', message = 'the timeline is written by triggers alone';
          end if;
        end if;
        return new;
      end
      $$
    $f$, current_user
  );
end
$do$;
create or replace trigger own_event before insert on public.task_events for each row execute function private.own_event();

create or replace function private.own_agent() returns trigger
language plpgsql security invoker set search_path = pg_catalog, pg_temp as $$
begin
  if not private.acts_as_owner(tg_relid) then
    if tg_op = 'INSERT' then
      new.tenant_id := private.my_tenant();
      new.created_by := private.me();
    end if;
    -- With the service key nobody is asking, so that it has no tenant either.
    if (case when tg_op = 'INSERT' then new.tenant_id else old.tenant_id end) is null
       and (tg_op = 'INSERT' or current_user <> 'authenticated' or not private.is_operator()) then
      raise exception using errcode = '42501', message = 'the catalogue is changed by operators and SQL scripts alone';
    end if;
  end if;
  if tg_op = 'DELETE' then
    return old;
  elsif new.created_by is not null and (tg_op = 'INSERT' or new.created_by is distinct from old.created_by)
        and private.acts_as_owner(tg_relid) then
    if not private.is_of_tenant(new.created_by, new.tenant_id) then
      raise exception using errcode = 'AR002', message = format('there is no member %s', new.created_by);
    end if;
  end if;
  return new;
end
$$;
create or replace trigger own_agent
  before insert or update or delete on public.agents for each row execute function private.own_agent();

create or replace function private.keep_ownership() returns trigger
language plpgsql security invoker set search_path = pg_catalog, pg_temp as $$
declare
  v_old jsonb := to_jsonb(old);
  v_new jsonb := to_jsonb(new);
  v_column text;
begin
  if private.acts_as_owner(tg_relid) then
    return new;
  end if;
  foreach v_column in array tg_argv loop
    if v_old -> v_column is distinct from v_new -> v_column then
      raise exception using
        errcode = '42501', message = format('%s.%s cannot be changed', tg_table_name, v_column);
    end if;
  end loop;
  return new;
end
$$;

-- Profiles come and go with their accounts (triggers/sign_up.sql): a person who could be made up could approve, and read.
create or replace function private.only_by_sign_up() returns trigger
language plpgsql security invoker set search_path = pg_catalog, pg_temp as $$
begin
  if not private.acts_as_owner(tg_relid) then
    raise exception using errcode = '42501', message = 'profiles come with a sign-up and go with the account';
  end if;
  if tg_op = 'DELETE' then
    return old;
  end if;
  return new;
end
$$;
create or replace trigger only_by_sign_up
  before insert or delete on public.users for each row execute function private.only_by_sign_up();

create or replace trigger keep_ownership
  before update on public.users for each row
  execute function private.keep_ownership(
    'id', 'tenant_id', 'home_tenant_id', 'role', 'is_operator', 'is_active', 'deactivated_by_admin', 'email', 'created_at'
  );
create or replace trigger keep_ownership
  before update on public.agents for each row
  execute function private.keep_ownership('id', 'tenant_id', 'created_by', 'created_at');
create or replace trigger keep_ownership
  before update on public.conversations for each row
  execute function private.keep_ownership('id', 'tenant_id', 'user_id', 'created_at');
create or replace trigger keep_ownership
  before update on public.files for each row
  execute function private.keep_ownership(
    'id', 'tenant_id', 'conversation_id', 'task_id', 'filename', 'file_path', 'file_size', 'file_hash', 'version', 'execution_id',
    'uploaded_by', 'created_at', 'is_temporary', 'expires_at', 'kind', 'is_executable', 'link_target', 'is_stored'
  );
create or replace trigger keep_ownership
  before update on public.tools for each row
  execute function private.keep_ownership('id', 'name', 'tenant_id', 'usage_count', 'created_at');
create or replace trigger keep_ownership
  before update on public.tenants for each row execute function private.keep_ownership('id', 'created_at');

-- What a row belongs to, for everybody, the owner and our own functions included: nothing moves into another tenant or under
-- another parent. Looked at only by a statement that names such a column, which those of a run never do.
create or replace function private.keep_references() returns trigger
language plpgsql security invoker set search_path = pg_catalog, pg_temp as $$
declare
  v_old jsonb := to_jsonb(old);
  v_new jsonb := to_jsonb(new);
  v_column text;
begin
  foreach v_column in array tg_argv loop
    -- Null where what it referred to was deleted.
    if v_old -> v_column is distinct from v_new -> v_column and (v_column = 'tenant_id' or v_new -> v_column <> 'null') then
      raise exception using errcode = '42501', message = format('%s.%s cannot be changed', tg_table_name, v_column);
    end if;
  end loop;
  return new;
end
$$;
create or replace trigger keep_references
  before update of tenant_id on public.agents for each row execute function private.keep_references('tenant_id');
create or replace trigger keep_references
  before update of tenant_id on public.tools for each row execute function private.keep_references('tenant_id');
create or replace trigger keep_references
  before update of tenant_id on public.conversations for each row execute function private.keep_references('tenant_id');
create or replace trigger keep_references
  before update of tenant_id, conversation_id, agent_id, parent_task_id, spawn_id on public.tasks for each row
  execute function private.keep_references('tenant_id', 'conversation_id', 'agent_id', 'parent_task_id', 'spawn_id');
create or replace trigger keep_references
  before update of tenant_id, task_id, tool_id, message_id on public.tool_executions for each row
  execute function private.keep_references('tenant_id', 'task_id', 'tool_id', 'message_id');
create or replace trigger keep_references
  before update of tenant_id, conversation_id, task_id, execution_id, uploaded_by on public.files for each row
  execute function private.keep_references('tenant_id', 'conversation_id', 'task_id', 'execution_id', 'uploaded_by');
create or replace trigger keep_references
  before update of tenant_id, email, accepted_by on public.invitations for each row
  execute function private.keep_references('tenant_id', 'email');

-- Invitations give roles: whoever could write them could make an admin.
create or replace function private.own_invitation() returns trigger
language plpgsql security invoker set search_path = pg_catalog, pg_temp as $$
begin
  if not private.acts_as_owner(tg_relid) then
    raise exception using errcode = '42501', message = 'invitations are written by the runtime''s functions alone';
  end if;
  if tg_op = 'DELETE' then
    return old;
  elsif new.invited_by is not null and (tg_op = 'INSERT' or new.invited_by is distinct from old.invited_by)
        and not private.is_of_tenant(new.invited_by, new.tenant_id) then
    raise exception using errcode = 'AR002', message = format('there is no member %s', new.invited_by);
  end if;
  return new;
end
$$;
create or replace trigger own_invitation
  before insert or update or delete on public.invitations for each row execute function private.own_invitation();

-- What follows from losing a tenant, a role or everything, whoever took it: open tasks are paused, since nobody steers them any
-- more, and what an admin invited is revoked.
create or replace function private.follow_membership() returns trigger
language plpgsql security definer set search_path = pg_catalog, pg_temp as $$
declare
  v_gone constant uuid[] := case
    when not new.is_active or new.role = 'viewer' then null
    else array(select t.id from unnest(array[old.tenant_id, old.home_tenant_id]) as t (id)
               where t.id not in (new.tenant_id, new.home_tenant_id))
  end;
  v_stops constant boolean := (old.is_active and not new.is_active) or (new.role = 'viewer' and old.role <> 'viewer')
    or new.tenant_id <> old.tenant_id or new.home_tenant_id <> old.home_tenant_id;
begin
  if tg_when = 'BEFORE' then
    if new.is_active then
      new.deactivated_by_admin := false;
    end if;
    if v_stops then
      -- No claim takes their tasks meanwhile; before anything else is locked, since a claim waits for other things.
      perform pg_catalog.pg_advisory_xact_lock(pg_catalog.hashtextextended(old.id::text, 4202));
    end if;
    return new;
  end if;
  if v_stops then
    perform private.hold_tasks(old.id, v_gone);
  end if;
  if old.is_active and old.role = 'admin' and (not new.is_active or new.role <> 'admin' or new.tenant_id <> old.tenant_id) then
    update public.invitations i
    set status = 'revoked', decided_at = now()
    where i.invited_by = old.id and i.tenant_id = old.tenant_id and i.status = 'pending';
  end if;
  return null;
end
$$;
create or replace trigger follow_membership
  before update of is_active, role, tenant_id, home_tenant_id, deactivated_by_admin on public.users for each row
  execute function private.follow_membership();
create or replace trigger follow_membership_after
  after update of is_active, role, tenant_id, home_tenant_id on public.users for each row
  execute function private.follow_membership();
