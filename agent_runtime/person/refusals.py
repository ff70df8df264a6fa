"""What the REST API's errors mean: SQLSTATE codes to this project's errors."""

from __future__ import annotations

import re

from postgrest.exceptions import APIError

from agent_runtime.errors import (
    AgentRuntimeError,
    ConfigError,
    Denied,
    IllegalTransition,
    InvalidInput,
    NotFound,
    Unavailable,
)
from agent_runtime.person.session import LOG_IN

_BY_CODE: dict[str, type[AgentRuntimeError]] = {
    "AR002": NotFound,
    "AR003": IllegalTransition,
    "AR004": IllegalTransition,
    "AR005": InvalidInput,
    "AR006": InvalidInput,
    "42501": Denied,
    "57014": Unavailable,
}

# The embedded API hides codes that it does not know, ours among them, behind SUP, and drops hints: there the text has
# to do.
_HIDDEN = "SUP"
_RAISED = "PostgresError: "
_BY_TEXT: tuple[tuple[re.Pattern[str], type[AgentRuntimeError]], ...] = (
    (
        re.compile(
            r"^limit \w+ (reached: |is a number above 0)|^limits is an object|^there is no limit |^outward permission "
        ),
        InvalidInput,
    ),
    (re.compile(r"^(there is no |the conversation has no |task \S+ has no )"), NotFound),
    (
        re.compile(
            r"( already|there is nothing to (decide|pause)| it is not (in doubt|paused)| cannot change| is disabled)$"
            r"| cannot go from | is over$| were changed meanwhile: | already: it needs another | cannot be made less$"
            r"|has no listing$|: there is no listing$| is no server of tools$|^the listing is over "
        ),
        IllegalTransition,
    ),
    (re.compile(r" is the last admin of "), IllegalTransition),
    (
        re.compile(
            r" is empty| is not | is taken: | is true or false|^p_arguments is an object|^allow_hosts is a list "
        ),
        InvalidInput,
    ),
)


def refusal(error: APIError, supabase_url: str) -> AgentRuntimeError:
    """The error to raise instead. Its text is the database's own, in one line."""
    code, text = error.code or "", " ".join((error.message or "").split())
    if code == _HIDDEN:
        return _hidden(text, supabase_url)
    if error.hint and code.startswith("AR"):
        text = f"{text} ({error.hint})"
    if kind := _BY_CODE.get(code):
        return kind(text)
    if "api key" in text.lower():
        return ConfigError(f"Supabase at {supabase_url} does not know the publishable key any more: {LOG_IN}")
    if code in ("PGRST301", "PGRST302", "PGRST303", "401"):
        return Denied(f"Supabase at {supabase_url} does not accept the session: {LOG_IN}")
    if code in ("PGRST202", "PGRST205"):
        return ConfigError(f"the database behind {supabase_url} has not been set up: run `agent-runtime db apply`")
    if code.startswith("22"):
        return InvalidInput(text)
    if code[:2] in ("53", "55", "57", "08") or code.startswith("5") or code.startswith("PGRST0"):
        return Unavailable(f"Supabase at {supabase_url} cannot answer now: {text}")
    return AgentRuntimeError(f"the database refused: {text} ({code or 'no code'})")


def _hidden(text: str, supabase_url: str) -> AgentRuntimeError:
    if not text.startswith(_RAISED):
        return Unavailable(f"Supabase at {supabase_url} cannot answer now: {text[:300]}")
    text = text.removeprefix(_RAISED)
    for pattern, kind in _BY_TEXT:
        if pattern.search(text):
            return kind(text)
    return AgentRuntimeError(f"the database refused: {text}")
