"""The worker's functions over the REST API of Supabase: HTTP and a secret key, no connection to Postgres."""

from __future__ import annotations

import json
import re
from collections.abc import AsyncIterator, Mapping
from contextlib import asynccontextmanager
from typing import Any, ClassVar
from uuid import UUID

import httpx
from supabase import AsyncClient, AsyncClientOptions, acreate_client

from agent_runtime.db.connection import BY_CODE, CONNECT_TIMEOUT_SECONDS
from agent_runtime.db.functions import Json, Store
from agent_runtime.errors import (
    AgentRuntimeError,
    ConfigError,
    DatabaseUnavailable,
    InvalidInput,
    SchemaDiffers,
    ToolRefused,
)
from agent_runtime.http_clients import client_settings
from agent_runtime.structlog_alone import structlog

log = structlog.get_logger()

ANSWER_SECONDS = 20.0
"""For one answer. Supabase itself ends a statement of the API sooner."""

_KEY = re.compile(r"[\x21-\x7e]+")

# What passes: connections, restarts, deadlocks, timeouts, a server that is full.
_PASSING = re.compile(r"08...|25P04|40001|40P01|53...|55P03|57...|58...|PGRST00.")
_PASSING_STATUSES = frozenset({httpx.codes.TOO_MANY_REQUESTS, httpx.codes.REQUEST_TIMEOUT})
_SQLSTATE = re.compile(r"[0-9A-Z]{5}")
# The function is not there, or not as this release calls it.
_DIFFERS = re.compile(r"42(?!501)...|PGRST20[0-9]|PGRST106")
_KEY_REFUSED = re.compile(r"PGRST30.")
# Of the role; what our functions deny with the same code is said in other words.
_NOT_ALLOWED = "permission denied for "

# The embedded API hides codes that it does not know, ours among them, behind this one; there the text has to do.
_HIDDEN = "SUP"
_RAISED = "PostgresError: "
_BY_TEXT: tuple[tuple[re.Pattern[str], str], ...] = tuple(
    (re.compile(pattern), code)
    for pattern, code in (
        (r"^the lease on task \S+ is lost$", "AR001"),
        (
            r"^task \S+ has no (tool execution |such tool)|^there is no (member|tenant|credential|worker|spawn|task) ",
            "AR002",
        ),
        (
            r"^step \S+ cannot be recorded after |^task \S+ is being cancelled$| was left running; it is in doubt "
            r"| is in doubt: a person settles it$"
            r"|^tool \S+ is disabled$| cannot go from | cannot change$| cannot be made less$"
            r"|^the credentials were changed meanwhile: |^tool execution \S+ is (?!in doubt)| is cancelled already$",
            "AR003",
        ),
        (r" has not been approved$|^the approval of tool execution ", "AR004"),
        (
            r"^an execution cannot finish as |^a task cannot (wait for|settle as) |^a plan has "
            r"|^tools\.config is not for |^p_health is not "
            r"|^items is not |^.{1,500} is not on record: |^the list of spawned tasks is empty"
            r"|^the task's owner is not in | is not a tool that gives tasks away$"
            r"|^that is not a name of a credential|^a user's credential is not |^AGENT_RUNTIME_VAULT_KEY is not ",
            "AR005",
        ),
        (r"^limit \w+ reached: ", "AR006"),
        (r"^the database needs workers of schema version ", "AR007"),
        (r"^terminating connection |^the database system is |^canceling statement |^deadlock detected", "57014"),
        (r"^sorry, too many clients |^remaining connection slots |^too many connections ", "53300"),
    )
)


class _WrongAddress(ConfigError):
    """The key is refused, or something else answers than Supabase."""


class SupabaseStore(Store):
    """Open with `open_supabase`."""

    transport: ClassVar[str] = "rest"

    def __init__(self, client: AsyncClient, worker_id: UUID, patience_seconds: float) -> None:
        super().__init__(worker_id, patience_seconds)
        self._client = client

    async def check(self) -> None:
        """Ask something, without patience. Raises `ConfigError` or `DatabaseUnavailable`."""
        await self._ask("worker_config", {})

    async def _once(self, function: str, arguments: Mapping[str, Any]) -> Any:
        try:
            return await self._ask(function, arguments)
        except _WrongAddress as error:
            # It was right when the store was opened: somebody may put it right again.
            raise DatabaseUnavailable(str(error)) from None

    async def _apart(self, function: str, arguments: Mapping[str, Any], seconds: float) -> Any:
        if function != "worker_query":
            # The API keeps its sessions, and what a statement leaves in one would be the next request's.
            raise ToolRefused(
                "this worker reaches the database over the REST API, where nothing is changed by SQL: "
                "set DATABASE_URL on the worker"
            )
        return await self._once(function, {**arguments, "p_seconds": int(min(seconds, ANSWER_SECONDS - 5))})

    async def _ask(self, function: str, arguments: Mapping[str, Any]) -> Any:
        named = {name: _plain(value) for name, value in arguments.items()}
        try:
            # What is not a success is raised by `_refuse`.
            return (await self._client.rpc(function, named).execute()).data
        except httpx.HTTPError as error:
            reason = str(error) or type(error).__name__
            log.warning("database unavailable", database=self._client.supabase_url.host, error=reason)
            raise DatabaseUnavailable(
                f"the REST API of Supabase at {self._client.supabase_url} does not answer: {reason}; "
                "is SUPABASE_URL right?"
            ) from None


@asynccontextmanager
async def open_supabase(
    url: str, key: str, worker_id: UUID, *, connections: int, patience_seconds: float
) -> AsyncIterator[SupabaseStore]:
    """A store with up to `connections` requests at a time.

    Raises `ConfigError` for a URL or key that cannot be right, `DatabaseUnavailable` when nothing answers.
    """
    if not _KEY.fullmatch(key):
        raise ConfigError(
            "SUPABASE_SECRET_KEY is not a key: copy the project's secret key, which begins with sb_secret_"
        )
    http = httpx.AsyncClient(
        timeout=httpx.Timeout(ANSWER_SECONDS, connect=CONNECT_TIMEOUT_SECONDS),
        limits=httpx.Limits(max_connections=connections, max_keepalive_connections=connections),
        event_hooks={"response": [_refuse]},
        **client_settings(url),
    )
    options = AsyncClientOptions(
        # Given here so that supabase-py does not ask Auth.
        headers={"Authorization": f"Bearer {key}"},
        auto_refresh_token=False,
        persist_session=False,
        httpx_client=http,
        postgrest_client_retry=False,
    )
    async with http:
        try:
            store = SupabaseStore(await acreate_client(url, key, options), worker_id, patience_seconds)
            await store.check()
        except (ValueError, httpx.InvalidURL) as error:
            raise ConfigError(f"SUPABASE_URL is not a URL: {error}") from None
        yield store


async def _refuse(answer: httpx.Response) -> None:
    """Raises for every answer that is not the function's own."""
    kind = answer.headers.get("content-type", "")
    if answer.is_success and ("json" in kind or answer.status_code == httpx.codes.NO_CONTENT):
        return
    await answer.aread()
    error = refusal(answer)
    if isinstance(error, DatabaseUnavailable):
        log.warning("database unavailable", database=answer.url.host, error=str(error))
    raise error


def refusal(answer: httpx.Response) -> AgentRuntimeError:
    """What to raise for it, by SQLSTATE where there is one: the same as over Postgres."""
    where = f"{answer.url.scheme}://{answer.url.netloc.decode()}"
    code, text = _code_and_text(answer)
    status = answer.status_code
    if code in BY_CODE and not text.startswith(_NOT_ALLOWED):
        return BY_CODE[code](text)
    if _PASSING.fullmatch(code) or status in _PASSING_STATUSES or (status >= 500 and not _SQLSTATE.fullmatch(code)):
        return DatabaseUnavailable(f"the REST API of Supabase at {where} cannot answer now: {text}")
    if _DIFFERS.fullmatch(code):
        return SchemaDiffers(
            f"the database behind {where} has no schema of agent-runtime, or another release's: "
            f"run `agent-runtime db apply` ({text})"
        )
    if (
        _KEY_REFUSED.fullmatch(code)
        or text.startswith(_NOT_ALLOWED)
        or status in (httpx.codes.UNAUTHORIZED, httpx.codes.FORBIDDEN)
    ):
        return _WrongAddress(
            f"{where} refuses SUPABASE_SECRET_KEY: {text}; "
            "a worker needs a secret key (sb_secret_…), not a publishable one"
        )
    if status == httpx.codes.REQUEST_ENTITY_TOO_LARGE:
        return InvalidInput(f"{where} takes no request of {answer.request.headers.get('content-length', '?')} bytes")
    if not code and status not in (httpx.codes.BAD_REQUEST, httpx.codes.CONFLICT):
        return _WrongAddress(f"what answers at {where} is not Supabase ({status} {text}): check SUPABASE_URL")
    return AgentRuntimeError(f"the database refused: {text} ({code or status})")


def _code_and_text(answer: httpx.Response) -> tuple[str, str]:
    """The SQLSTATE or the API's own code, or an empty one; and the text in one line."""
    try:
        body = json.loads(answer.content)
        code, text, hint = str(body.get("code") or ""), str(body.get("message") or ""), body.get("hint")
    except (ValueError, AttributeError):
        return "", answer.reason_phrase
    text = " ".join(text.split())[:1_000]
    if code != _HIDDEN:
        return code, f"{text} ({hint})" if hint and code.startswith("AR") else text
    if not text.startswith(_RAISED):
        return "08006", text  # the API's own trouble with its database
    text = text.removeprefix(_RAISED)
    return next((code for pattern, code in _BY_TEXT if pattern.search(text)), "P0001"), text


def _plain(argument: Any) -> Any:
    if isinstance(argument, Json):
        return argument.value
    if isinstance(argument, UUID):
        return str(argument)
    if isinstance(argument, list):
        return [_plain(item) for item in argument]
    return argument
