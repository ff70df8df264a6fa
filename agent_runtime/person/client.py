"""A person's client: Supabase as the signed-in person, under row-level security."""

from __future__ import annotations

import asyncio
import time
from collections.abc import Iterable, Sequence
from datetime import datetime
from pathlib import Path
from types import TracebackType
from typing import Any, BinaryIO, Self
from uuid import UUID, uuid4

import httpx
from postgrest.exceptions import APIError
from supabase import AsyncClient, AsyncClientOptions, acreate_client

from agent_runtime.errors import ConfigError, Denied, InvalidInput, NotFound, Unavailable
from agent_runtime.http_clients import client_settings
from agent_runtime.person.attachments import Attachment, open_attachments
from agent_runtime.person.auth import unreachable
from agent_runtime.person.members import Members
from agent_runtime.person.platform import Platform
from agent_runtime.person.records import (
    AgentRow,
    ChildRow,
    EventRow,
    ExecutionRow,
    FileRow,
    MessageRow,
    OverviewRow,
    TaskRow,
    ToolRow,
    WorkerRow,
)
from agent_runtime.person.refusals import refusal
from agent_runtime.person.session import LOG_IN, Session
from agent_runtime.person.tokens import Tokens
from agent_runtime.storage import Storage, Stored, storage_path

DEFAULT_FILE_LIMIT_BYTES = 104_857_600
_TIMEOUT = httpx.Timeout(60.0, connect=10.0)
_AT_ONCE = 1_000
_IDS_AT_ONCE = 100
_TASKS_AT_ONCE = 200
_EXECUTION_COLUMNS = (
    "id, task_id, status, step, call_index, input_parameters, original_parameters, input_digest, output_result,"
    " error_message, execution_time_ms, approvals_needed, approval_expires_at, gate, tools(name),"
    " execution_decisions(user_id, verdict, input_digest, reason, created_at)"
)
# A call by itself, with what a person wants to know before deciding.
_CALL_COLUMNS = _EXECUTION_COLUMNS.replace("tools(name)", "tools(name, function_schema, outward)") + (
    # By its foreign key, since files, too, lead from a call to a task.
    ", tasks!tool_executions_task_id_fkey(title, user_id, status, tainted, taint_sources)"
    ", messages(content, created_at)"
)
_MOST_REASON_BYTES = 65_536


class Person:
    """One signed-in person. `async with Person(session) as person`.

    Every method raises `Denied` when the database refuses or the session is over, and `Unavailable` when Supabase does
    not answer. Without `keep` the session on disk is neither read nor written.
    """

    def __init__(self, session: Session, *, keep: bool = True) -> None:
        self._tokens = Tokens(session, keep=keep)
        self._url, self._key = session.supabase_url.rstrip("/"), session.publishable_key
        self._config: dict[str, Any] = {}

    async def __aenter__(self) -> Self:
        """Connect. Raises `ConfigError` when the session lay idle for longer than `session_timeout`."""
        session = self._tokens.session
        self._refuse_if_idle(None)
        self._http = httpx.AsyncClient(auth=self._tokens, timeout=_TIMEOUT, **client_settings(self._url))
        options = AsyncClientOptions(
            # Given here so that supabase-py does not ask Auth.
            headers={"Authorization": f"Bearer {session.access_token}"},
            auto_refresh_token=False,
            persist_session=False,
            httpx_client=self._http,
            # A command says at once that nobody answers; who watches tries again in its own time.
            postgrest_client_retry=False,
        )
        self._supabase: AsyncClient = await acreate_client(self._url, self._key, options)
        # Without the header it leaves it to the http client's `auth`, which puts a token that is still good.
        del self._supabase.postgrest.headers["Authorization"]
        self._storage = Storage(self._url, self._key, access_token=self._tokens.access_token)
        try:
            await self._read_config()
        except BaseException:
            await self.aclose()
            raise
        return self

    async def __aexit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        try:
            await self._tokens.touch(self._session_timeout_seconds())
        finally:
            await self.aclose()

    async def aclose(self) -> None:
        """Close the connections."""
        await self._http.aclose()
        await self._storage.aclose()

    @property
    def members(self) -> Members:
        """Who is in the person's tenant, and who is invited."""
        return Members(self._supabase, self._ask)

    @property
    def platform(self) -> Platform:
        """Agents, tools, configuration, health and the audit."""
        return Platform(self._supabase, self._ask)

    @property
    def session(self) -> Session:
        """The session as it is now; tokens change while it is used."""
        return self._tokens.session

    # -- tasks ---------------------------------------------------------------------------------------------------

    async def submit(
        self,
        prompt: str,
        files: Sequence[Path] = (),
        *,
        agent: str | None = None,
        priority: int = 1,
        title: str | None = None,
        conversation: UUID | None = None,
        idempotency_key: str | None = None,
        limits: dict[str, Any] | None = None,
        run_after: datetime | None = None,
    ) -> TaskRow:
        """File a task, with its files. Either all of it is there afterwards or nothing.

        It is not started before `run_after`, which has a zone; when that is over, at once. The same `idempotency_key`
        gives the same task. Raises `InvalidInput` (empty or too long prompt, a file that
        cannot be read or is over the limit, priority not within 1 to 5) and `NotFound` (agent, conversation).
        """
        if not prompt.strip():
            raise InvalidInput("the prompt is empty: say what the agent should do")
        if idempotency_key and files and self.session.user_id and (known := await self._task_with_key(idempotency_key)):
            return known
        task_id = uuid4()
        with open_attachments(files, self.file_limit_bytes) as attachments:
            rows = await self._upload(task_id, conversation, attachments)
        return await self._submit_once(
            {
                "p_prompt": prompt,
                "p_agent": agent,
                "p_priority": priority,
                "p_title": title,
                "p_conversation": str(conversation) if conversation else None,
                "p_task": str(task_id),
                "p_files": rows,
                "p_limits": limits or {},
                "p_run_after": run_after.isoformat() if run_after else None,
                "p_idempotency_key": idempotency_key or str(task_id),
            }
        )

    async def task(self, task_id: UUID) -> TaskRow:
        """Raises `NotFound`."""
        rows = await self._ask(self._supabase.table("tasks").select("*").eq("id", str(task_id)))
        if not rows:
            raise NotFound(f"there is no task {task_id}: `agent-runtime tasks list` shows yours")
        return TaskRow.model_validate(rows[0])

    async def tasks(
        self,
        *,
        search: str | None = None,
        statuses: Iterable[str] = (),
        agent: UUID | None = None,
        whose: str | None = None,
        limit: int = 50,
    ) -> list[OverviewRow]:
        """The newest tasks first: with these words, in these states, of this agent, `mine` or `shared`."""
        wanted = {
            "p_query": search,
            "p_status": list(statuses) or None,
            "p_agent": str(agent) if agent else None,
            "p_whose": whose,
        }
        found: list[OverviewRow] = []
        while len(found) < limit:
            size = min(_TASKS_AT_ONCE, limit - len(found))
            page = await self._call("search_tasks", {**wanted, "p_limit": size})
            found += [OverviewRow.model_validate(row) for row in page]
            if len(page) < size:
                break
            wanted |= {"p_before": page[-1]["created_at"], "p_before_id": page[-1]["id"]}
        return found

    async def cancel(self, task_id: UUID) -> TaskRow:
        """End a task, or ask the worker that runs it to. Raises `NotFound`, `IllegalTransition`."""
        return TaskRow.model_validate(await self._call("cancel_task", {"p_task": str(task_id)}))

    async def answer(self, task_id: UUID, text: str) -> TaskRow:
        """Tell the agent something; a task that waits for an answer goes on. Raises `NotFound`, `IllegalTransition`."""
        return TaskRow.model_validate(await self._call("answer_task", {"p_task": str(task_id), "p_answer": text}))

    async def pause(self, task_id: UUID) -> TaskRow:
        """Hold a task, or ask the worker that runs it to. Raises `NotFound`, `IllegalTransition`, `Denied`."""
        return TaskRow.model_validate(await self._call("pause_task", {"p_task": str(task_id)}))

    async def resume(self, task_id: UUID) -> TaskRow:
        """Let a paused task go on. Raises `NotFound`, `IllegalTransition`, `Denied`."""
        return TaskRow.model_validate(await self._call("resume_task", {"p_task": str(task_id)}))

    async def children(self, task_id: UUID) -> list[ChildRow]:
        """The tasks that a task spawned, in the order in which they were made; those tried again are there twice."""
        query = self._supabase.table("tasks").select("*").eq("parent_task_id", str(task_id))
        rows = await self._ask(query.not_.is_("spawn_id", "null").order("created_at").order("id").limit(_AT_ONCE))
        return [ChildRow.model_validate(row) for row in rows]

    async def retry_children(self, task_id: UUID, spawn: int | None = None, items: Sequence[int] | None = None) -> int:
        """Try failed items of a task's call of spawn_tasks again, each as a new task; how many. `spawn` numbers the
        task's calls from 1, the last if left out; `items` are theirs, all that failed if left out.

        Raises `NotFound`, `InvalidInput`, `IllegalTransition`.
        """
        asked = {"p_task": str(task_id), "p_spawn": spawn, "p_items": list(items) if items else None}
        return int(await self._call("retry_children", asked))

    # -- calls that need a person ----------------------------------------------------------------------------------

    async def decide(
        self,
        call: ExecutionRow,
        *,
        approve: bool,
        reason: str | None = None,
        arguments: dict[str, Any] | None = None,
    ) -> ExecutionRow:
        """Let a tool call run that waits for approval, or deny it. `arguments` are run instead of the model's.

        `call` is what the person saw: it is refused when somebody changed it meanwhile. The call still waits when it
        needs another person, too. Raises `NotFound`, `IllegalTransition`, `InvalidInput`.
        """
        _refuse_if_long("reason", reason)
        decision = {
            "p_execution": str(call.id),
            "p_approve": approve,
            "p_reason": reason,
            "p_arguments": arguments,
            "p_digest": call.input_digest,
        }
        return ExecutionRow.model_validate(await self._call("decide_execution", decision))

    async def settle(self, execution_id: UUID, *, happened: bool, result: str | None = None) -> ExecutionRow:
        """Say of a call in doubt whether it took effect; the agent reads `result`, of at most 64 KiB.

        Raises `NotFound`, `IllegalTransition`, `InvalidInput`.
        """
        said = {"p_execution": str(execution_id), "p_happened": happened, "p_result": result}
        return ExecutionRow.model_validate(await self._call("settle_execution", said))

    async def call(self, execution_id: UUID) -> ExecutionRow:
        """One tool call with its task, its tool's schema and the turn that asked for it. Raises `NotFound`."""
        rows = await self._ask(
            self._supabase.table("tool_executions").select(_CALL_COLUMNS).eq("id", str(execution_id))
        )
        if not rows:
            raise NotFound(f"there is no tool execution {execution_id}: `agent-runtime approvals` shows what waits")
        return ExecutionRow.model_validate(rows[0])

    async def calls_for_me(self, limit: int = _AT_ONCE) -> list[ExecutionRow]:
        """The calls, over all tasks, that this person may decide (`awaiting_approval`) or settle (`in_doubt`), those
        first whose time is over first.

        One's own, and for an admin those of its tenant: what others merely share is theirs to decide.
        """
        query = self._supabase.table("waiting_executions").select("*")
        for column in ("approval_expires_at", "task_id", "step", "call_index"):
            query = query.order(column)
        return [_waiting(row) for row in await self._ask(query.limit(limit))]

    async def names(self, task_id: UUID) -> dict[str, str]:
        """Who the ids of a task's people stand for: `you`, for an admin the addresses of its tenant, else names."""
        people = await self._call("task_people", {"p_task": str(task_id)})
        names = {row["user_id"]: row["name"] for row in people}
        rows = await self._ask(self._supabase.table("users").select("id, email").limit(_AT_ONCE))
        return names | {row["id"]: "you" if row["id"] == self.session.user_id else row["email"] for row in rows}

    # -- what happened ---------------------------------------------------------------------------------------------

    async def events(self, task_id: UUID, after_id: int = 0, limit: int = _AT_ONCE) -> list[EventRow]:
        """The timeline after the event `after_id`, oldest first; ask again when `limit` came."""
        query = self._supabase.table("task_events").select("id, kind, payload, created_at").eq("task_id", str(task_id))
        rows = await self._ask(query.gt("id", after_id).order("id").limit(limit))
        return [EventRow.model_validate(row) for row in rows]

    async def executions(self, task_id: UUID, ids: Sequence[UUID] | None = None) -> list[ExecutionRow]:
        """The task's tool executions in their order; `ids` picks some."""
        rows = await self._rows_of(task_id, "tool_executions", _EXECUTION_COLUMNS, ["step", "call_index"], ids)
        return [ExecutionRow.model_validate(row) for row in rows]

    async def messages(self, task_id: UUID, ids: Sequence[UUID] | None = None) -> list[MessageRow]:
        """The task's messages in their order; `ids` picks some."""
        return [MessageRow.model_validate(row) for row in await self._rows_of(task_id, "messages", "*", ["seq"], ids)]

    # -- files -----------------------------------------------------------------------------------------------------

    async def files(self, task_id: UUID) -> list[FileRow]:
        """The task's files, what was uploaded and what was made, every version, oldest first.

        That a step removed one is a version too; `current_files` picks what is there now.
        """
        rows = await self._rows_of(task_id, "files", "*", ["created_at", "filename", "version"], None)
        return [FileRow.model_validate(row) for row in rows if row.get("kind", "file") in ("file", "removed")]

    async def download(self, file: FileRow, target: Path | BinaryIO) -> Stored:
        """Write a file's bytes to `target` and hold them against the recorded sha256.

        Raises `NotFound`, `StorageUnavailable` (also when the bytes are others than recorded), `OSError`.
        """
        return await self._storage.download(file.file_path, target, sha256=file.file_hash)

    @property
    def file_limit_bytes(self) -> int:
        """`file_upload_max_size` of the configuration."""
        value = self._config.get("file_upload_max_size")
        return int(value) if isinstance(value, int | float) else DEFAULT_FILE_LIMIT_BYTES

    # -- the platform ----------------------------------------------------------------------------------------------

    async def runtime_status(self) -> dict[str, Any]:
        """`{"workers": alive, "my_pending": tasks, "oldest_pending_seconds", "model": {"reachable", "stand_in",
        "missing"}, "server_time", "schema_version"}`."""
        status = await self._call("runtime_status", {})
        return status if isinstance(status, dict) else {}

    async def workers(self) -> list[WorkerRow]:
        """Every worker process, as an admin may see them. Raises `Denied` for everybody else."""
        try:
            health = await self.platform.health()
        except Denied:
            raise Denied(
                f"{self.session.email} is no admin: only admins and operators see the workers"
                " (set DATABASE_URL, or SUPABASE_URL and SUPABASE_SECRET_KEY)"
            ) from None
        return [WorkerRow.model_validate(row) for row in health["workers"]]

    async def audit(self, function: str, arguments: dict[str, Any]) -> Any:
        """One of audit_head, audit_verify and audit_export, for the tenant's admins. Raises `Denied` for others."""
        return await self._call(function, arguments)

    async def agents(self) -> list[AgentRow]:
        """The agents that may be asked for."""
        rows = await self._ask(self._supabase.table("agents").select("*").eq("is_active", "true").order("name"))
        return [AgentRow.model_validate(row) for row in rows]

    async def tools(self) -> list[ToolRow]:
        """Every tool, enabled or not."""
        rows = await self._ask(self._supabase.table("tools").select("*").order("name"))
        return [ToolRow.model_validate(row) for row in rows]

    # -- how -------------------------------------------------------------------------------------------------------

    async def _upload(
        self, task_id: UUID, conversation: UUID | None, attachments: Sequence[Attachment]
    ) -> list[dict[str, Any]]:
        tenant_id = await self._tenant_id(conversation) if attachments else ""
        rows = []
        for attachment in attachments:
            path = storage_path(tenant_id, task_id, attachment.name)
            stored = await self._storage.upload(path, attachment.file, attachment.mime_type)
            rows.append(
                {
                    "filename": attachment.name,
                    "original_filename": attachment.name,
                    "file_path": path,
                    "file_size": stored.size_bytes,
                    "mime_type": attachment.mime_type,
                    "file_hash": stored.sha256,
                }
            )
        return rows

    async def _submit_once(self, arguments: dict[str, Any]) -> TaskRow:
        try:
            return TaskRow.model_validate(await self._call("submit_task", arguments))
        except Unavailable:
            # The answer may have been lost on its way; by its key the task is filed once, however often it is asked.
            await asyncio.sleep(1)
            return TaskRow.model_validate(await self._call("submit_task", arguments))

    async def _task_with_key(self, key: str) -> TaskRow | None:
        # An admin sees the tasks of others too, whose keys are their own.
        mine = self._supabase.table("tasks").select("*").eq("user_id", self.session.user_id)
        rows = await self._ask(mine.eq("idempotency_key", key).limit(1))
        return TaskRow.model_validate(rows[0]) if rows else None

    async def _tenant_id(self, conversation: UUID | None) -> str:
        """Whose a new task's files are: the conversation's tenant, which may be home while one works elsewhere."""
        if conversation is None:
            return str((await self.platform.access()).tenant_id)
        query = self._supabase.table("conversations").select("tenant_id").eq("id", str(conversation))
        if not (rows := await self._ask(query)):
            raise NotFound(f"there is no conversation {conversation} of yours")
        return str(rows[0]["tenant_id"])

    async def _read_config(self) -> None:
        rows = await self._ask(self._supabase.table("system_config").select("config_key, config_value"))
        self._config = {row["config_key"]: row["config_value"] for row in rows}
        self._refuse_if_idle(self._session_timeout_seconds())
        await self._tokens.touch(self._session_timeout_seconds())

    def _refuse_if_idle(self, timeout_seconds: float | None) -> None:
        session = self._tokens.session
        if session.is_idle(time.time(), timeout_seconds):
            allowed = timeout_seconds or session.timeout_seconds
            raise ConfigError(
                f"the session of {session.email} was not used for longer than session_timeout ({allowed:g} s): {LOG_IN}"
            )

    def _session_timeout_seconds(self) -> float | None:
        value = self._config.get("session_timeout")
        return float(value) if isinstance(value, int | float) and value > 0 else None

    async def _rows_of(
        self, task_id: UUID, table: str, columns: str, order: Sequence[str], ids: Sequence[UUID] | None
    ) -> list[Any]:
        """Every row of the task, page by page, since the API gives so many at once and no more."""
        rows: list[Any] = []
        batches = [None] if ids is None else [ids[i : i + _IDS_AT_ONCE] for i in range(0, len(ids), _IDS_AT_ONCE)]
        for batch in batches:
            while True:
                query = self._supabase.table(table).select(columns).eq("task_id", str(task_id))
                if batch is not None:
                    query = query.in_("id", [str(one) for one in batch])
                for column in order:
                    query = query.order(column)
                start = len(rows) if batch is None else 0
                page = await self._ask(query.order("id").range(start, start + _AT_ONCE - 1))
                rows.extend(page)
                if len(page) < _AT_ONCE:
                    break
        return rows

    async def call_function(self, function: str, arguments: dict[str, Any]) -> Any:
        """Any function of the database, as this person. Raises what the database refuses with."""
        return await self._call(function, arguments)

    async def _call(self, function: str, arguments: dict[str, Any]) -> Any:
        return await self._ask(self._supabase.rpc(function, arguments))

    async def _ask(self, query: Any) -> Any:
        try:
            return (await query.execute()).data
        except APIError as error:
            raise refusal(error, self._url) from None
        except (httpx.HTTPError, httpx.InvalidURL) as error:
            raise unreachable(self._url, error) from None


def _waiting(row: dict[str, Any]) -> ExecutionRow:
    """Of a row of `waiting_executions`."""
    return ExecutionRow.model_validate(
        {
            **row,
            "input_parameters": row["arguments"],
            "original_parameters": row["original_arguments"],
            "tools": {"name": row["tool_name"], "function_schema": row["function_schema"], "outward": row["outward"]},
            "tasks": {
                "title": row["task_title"],
                "user_id": row["user_id"],
                "status": row["task_status"],
                "tainted": row["tainted"],
                "taint_sources": row["taint_sources"],
            },
            "messages": {"content": row["why"], "created_at": row["asked_at"]} if row["asked_at"] else None,
            "execution_decisions": row["decisions"],
        }
    )


def _refuse_if_long(what: str, text: str | None) -> None:
    size = len((text or "").encode())
    if size > _MOST_REASON_BYTES:
        raise InvalidInput(f"limit {what}_bytes reached: {size} bytes, at most {_MOST_REASON_BYTES} are taken")
