-- Tenant and owner are set by the database from the parent row, whatever a client sends, and never change afterwards.
-- What a row refers to must be of the same tenant; a reference to somebody else's row reads as if there were none.

create or replace function private.own_conversation() returns trigger
language plpgsql security definer set search_path = '' as $$
begin
  select u.tenant_id into new.tenant_id from public.users u where u.id = new.user_id;
  perform private.require_agent(new.agent_id, new.tenant_id, new.user_id);
  return new;
end
$$;
create or replace trigger own_conversation
  before insert or update of agent_id on public.conversations for each row execute function private.own_conversation();

create or replace function private.require_agent(p_agent uuid, p_tenant uuid, p_user uuid) returns void
language plpgsql stable security definer set search_path = '' as $$
begin
  if not exists (
    select from public.agents a
    where a.id = p_agent and a.is_active
      and (a.created_by = p_user or (a.is_public and (a.tenant_id is null or a.tenant_id = p_tenant)))
  ) then
    raise exception using errcode = 'AR002', message = format('there is no agent %s', p_agent);
  end if;
end
$$;

create or replace function private.own_task() returns trigger
language plpgsql security definer set search_path = '' as $$
begin
  select c.tenant_id, c.user_id, coalesce(new.agent_id, c.agent_id)
  into new.tenant_id, new.user_id, new.agent_id
  from public.conversations c
  where c.id = new.conversation_id;
  if not found then
    return new;  -- refused like a task in somebody else's: by the policy
  end if;
  perform private.require_agent(new.agent_id, new.tenant_id, new.user_id);
  if new.parent_task_id is not null and not exists (
    select from public.tasks p where p.id = new.parent_task_id and p.user_id = new.user_id
  ) then
    raise exception using errcode = 'AR002', message = format('there is no task %s', new.parent_task_id);
  end if;
  return new;
end
$$;
create or replace trigger own_task before insert on public.tasks for each row execute function private.own_task();

create or replace function private.own_message() returns trigger
language plpgsql security definer set search_path = '' as $$
begin
  if new.task_id is not null and not exists (
    select from public.tasks t where t.id = new.task_id and t.conversation_id = new.conversation_id
  ) then
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
language plpgsql security definer set search_path = '' as $$
begin
  -- Only the runtime's own functions get here (guard_execution), and they know the tenant.
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
language plpgsql security definer set search_path = '' as $$
begin
  -- To a person, somebody else's task reads as none.
  select t.tenant_id, t.conversation_id into new.tenant_id, new.conversation_id
  from public.tasks t
  where t.id = new.task_id and (private.claimed() is null or t.user_id = private.me());
  if new.tenant_id is null then
    raise exception using errcode = 'AR002', message = format('there is no task %s', new.task_id);
  end if;
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
    raise exception using
      errcode = '42501', message = format('file_path must begin with %s/%s/', new.tenant_id, new.task_id);
  end if;
  return new;
end
$$;
create or replace trigger own_file before insert on public.files for each row execute function private.own_file();

create or replace function private.own_agent() returns trigger
language plpgsql security invoker set search_path = '' as $$
begin
  -- The catalogue (no tenant, no creator) is written by SQL scripts alone.
  if not private.acts_as_owner(tg_relid) then
    new.tenant_id := private.my_tenant();
    new.created_by := private.me();
  end if;
  return new;
end
$$;
create or replace trigger own_agent before insert on public.agents for each row execute function private.own_agent();

create or replace function private.keep_ownership() returns trigger
language plpgsql security invoker set search_path = '' as $$
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
language plpgsql security invoker set search_path = '' as $$
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
  execute function private.keep_ownership('id', 'tenant_id', 'home_tenant_id', 'role', 'is_active', 'email', 'created_at');
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
