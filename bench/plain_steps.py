"""A step's commits as plain SQL, one statement each: the turn with its call's intent, the start, the result.

They write the rows that `worker_record_turn`, `worker_start_execution` and `worker_finish_execution` write with their
triggers: message, execution, usage, timeline, audit. A start that is joined to its turn makes two commits of three.
"""

from __future__ import annotations

from dataclasses import dataclass

_TELL_EXECUTION = """
  select task_id, tenant_id, 'execution.status',
         jsonb_build_object('execution_id', id, 'tool', %(tool)s::text, 'status', status, 'step', step,
                            'call_index', call_index, 'execution_time_ms', execution_time_ms)
"""
_TELL_MESSAGE = """
  select task_id, tenant_id, 'message.created',
         jsonb_build_object('message_id', id, 'seq', seq, 'role', role, 'step', metadata -> 'step')
"""
_AUDIT = "insert into public.audit_logs (actor, action, resource_type, resource_id, tenant_id, old_values, new_values)"

USAGE_IS_AUDITED = """
select count(*) as count from public.audit_logs where resource_type = 'tasks' and new_values ? 'usage'
  and not new_values ? 'status'
"""


@dataclass(frozen=True)
class Shape:
    """How our runtime writes a step, and the statements that do the same."""

    joined: bool
    """The turn starts its call, so there is no `start`."""
    usage_is_audited: bool

    @property
    def turn(self) -> str:
        """Gives `message_id` and `execution_id`."""
        return _turn(self.joined, self.usage_is_audited)

    @property
    def start(self) -> str:
        return _start(self.usage_is_audited)

    @property
    def finish(self) -> str:
        # Where the turn counts the call, the result counts its seconds.
        return _finish(self.joined, self.usage_is_audited)


_COUNTED = """
counted as (
  update public.tasks set usage = %(usage)s, updated_at = now()
  where id = %(task)s and lease_token = %(lease)s
  returning *
)
"""
_AUDIT_COUNTED = """
  union all select 'worker', 'update', 'tasks', id, tenant_id, '{"usage": {}}'::jsonb,
                   jsonb_build_object('usage', usage) from counted
"""


def _turn(joined: bool, usage_is_audited: bool) -> str:
    status, started = ("running", "clock_timestamp()") if joined else ("pending", "null")
    return f"""
with said as (
  insert into public.messages (conversation_id, task_id, tenant_id, role, content, tool_calls, metadata, seq)
  select conversation_id, id, tenant_id, 'assistant', '', %(calls)s, %(metadata)s, nextval('public.messages_seq')
  from public.tasks where id = %(task)s and lease_token = %(lease)s
  returning *
),
intended as (
  insert into public.tool_executions (
    task_id, tenant_id, tool_id, message_id, input_parameters, status, started_at, tool_call_id, step, call_index,
    input_digest
  )
  select task_id, tenant_id, (select id from public.tools where name = %(tool)s), id, %(arguments)s, '{status}',
         {started}, %(call_id)s, %(step)s, 0, encode(sha256(convert_to(%(arguments)s::jsonb::text, 'UTF8')), 'hex')
  from said
  returning *
),
{_COUNTED},
told as (
  insert into public.task_events (task_id, tenant_id, kind, payload)
  {_TELL_MESSAGE} from said
  union all {_TELL_EXECUTION} from intended
),
audited as (
  {_AUDIT}
  select 'worker', 'insert', 'messages', id, tenant_id, null::jsonb, to_jsonb(said) from said
  union all select 'worker', 'insert', 'tool_executions', id, tenant_id, null, to_jsonb(intended) from intended
  {_AUDIT_COUNTED if usage_is_audited else ""}
)
select said.id as message_id, intended.id as execution_id from said, intended
"""


def _start(usage_is_audited: bool) -> str:
    return f"""
with started as (
  update public.tool_executions set status = 'running', started_at = clock_timestamp() where id = %(execution)s
  returning *
),
{_COUNTED},
told as (
  insert into public.task_events (task_id, tenant_id, kind, payload) {_TELL_EXECUTION} from started
)
{_AUDIT}
select 'worker', 'update', 'tool_executions', id, tenant_id, '{{"status": "pending", "started_at": null}}'::jsonb,
       jsonb_build_object('status', status, 'started_at', started_at) from started
{_AUDIT_COUNTED if usage_is_audited else ""}
"""


def _finish(counts: bool, usage_is_audited: bool) -> str:
    return f"""
with {f"{_COUNTED}," if counts else ""}
finished as (
  update public.tool_executions
  set status = 'completed', output_result = %(output)s, execution_time_ms = 0, completed_at = clock_timestamp()
  where id = %(execution)s
  returning *
),
said as (
  insert into public.messages (conversation_id, task_id, tenant_id, role, content, tool_call_id, metadata, seq)
  select conversation_id, id, tenant_id, 'tool', 'done', %(call_id)s, %(metadata)s, nextval('public.messages_seq')
  from public.tasks where id = %(task)s and lease_token = %(lease)s
  returning *
),
told as (
  insert into public.task_events (task_id, tenant_id, kind, payload)
  {_TELL_MESSAGE} from said
  union all {_TELL_EXECUTION} from finished
)
{_AUDIT}
select 'worker', 'insert', 'messages', id, tenant_id, null::jsonb, to_jsonb(said) from said
union all select 'worker', 'update', 'tool_executions', id, tenant_id,
                 '{{"status": "running", "output_result": null, "completed_at": null,
                    "execution_time_ms": null}}'::jsonb,
                 jsonb_build_object('status', status, 'output_result', output_result, 'completed_at', completed_at,
                                    'execution_time_ms', execution_time_ms) from finished
{_AUDIT_COUNTED if counts and usage_is_audited else ""}
"""
