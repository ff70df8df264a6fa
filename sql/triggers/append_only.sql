-- History is added to and never changed: messages, execution_decisions, task_events, audit_logs.
--
-- But for the audit's, rows go with their parent when an admin deletes a conversation, a tenant or an account; such deletions arrive
-- here from within the foreign key's own trigger, at a depth above 1. Nothing that a client can call gets there.

create or replace function private.refuse_change() returns trigger
language plpgsql security invoker set search_path = pg_catalog, pg_temp as $$
begin
  if tg_level = 'ROW' and pg_catalog.pg_trigger_depth() > 1 then
    if tg_op = 'DELETE' then
      return old;
    end if;
    -- An account was deleted: that a decision was made stays.
    if tg_table_name = 'execution_decisions'
       and to_jsonb(new) - 'user_id' = to_jsonb(old) - 'user_id' and to_jsonb(new) ->> 'user_id' is null then
      return new;
    end if;
  end if;
  raise exception using errcode = '42501', message = format('%s is append-only', tg_table_name);
end
$$;

create or replace trigger append_only
  before update or delete on public.messages for each row execute function private.refuse_change();
create or replace trigger append_only_truncate
  before truncate on public.messages for each statement execute function private.refuse_change();
create or replace trigger append_only
  before update or delete on public.execution_decisions for each row execute function private.refuse_change();
create or replace trigger append_only_truncate
  before truncate on public.execution_decisions for each statement execute function private.refuse_change();
create or replace trigger append_only
  before update or delete on public.task_events for each row execute function private.refuse_change();
create or replace trigger append_only_truncate
  before truncate on public.task_events for each statement execute function private.refuse_change();

-- The audit: no row goes and none changes, with no parent either. Row triggers are those of every partition too, whoever names
-- it; truncation is refused by each for itself. What is written comes from the audit's own triggers, at a depth above 1.
create or replace trigger append_only
  before update or delete on public.audit_logs for each row execute function private.keep_audit('but for user_id');
create or replace trigger append_only_insert
  before insert on public.audit_logs for each row execute function private.from_audit_alone();
create or replace trigger append_only_truncate
  before truncate on public.audit_logs for each statement execute function private.keep_audit();
create or replace trigger append_only_truncate
  before truncate on private.audit_logs_rest for each statement execute function private.keep_audit();
create or replace trigger append_only
  before insert or update or delete on private.audit_heads for each row execute function private.from_audit_alone();
create or replace trigger append_only_truncate
  before truncate on private.audit_heads for each statement execute function private.keep_audit();
create or replace trigger append_only
  before update or delete on private.audit_stubs for each row execute function private.keep_audit();
create or replace trigger append_only_truncate
  before truncate on private.audit_stubs for each statement execute function private.keep_audit();

-- The ledger's rows change, by triggers/state.sql; they are not thrown away all at once.
create or replace trigger append_only_truncate
  before truncate on public.tool_executions for each statement execute function private.refuse_change();

-- The document's foreign keys would take every conversation with an agent along with it, other people's too, and a tool's
-- executions with the tool. What was used is therefore switched off, not deleted; what was never used may go.
create or replace function private.keep_what_was_used() returns trigger
language plpgsql security definer set search_path = pg_catalog, pg_temp as $$
declare
  v_used boolean;
begin
  if pg_catalog.pg_trigger_depth() > 1 then
    return old;  -- with its tenant
  end if;
  if tg_table_name = 'agents' then
    v_used := exists (select from public.conversations c where c.agent_id = old.id)
      or exists (select from public.tasks t where t.agent_id = old.id);
  else
    v_used := exists (select from public.tool_executions e where e.tool_id = old.id);
  end if;
  if v_used then
    raise exception using
      errcode = 'AR003',
      message = format('%s was used and stays on record: set %s = false instead', old.name,
                       case tg_table_name when 'agents' then 'is_active' else 'is_enabled' end);
  end if;
  return old;
end
$$;
create or replace trigger keep_what_was_used
  before delete on public.agents for each row execute function private.keep_what_was_used();
create or replace trigger keep_what_was_used
  before delete on public.tools for each row execute function private.keep_what_was_used();
