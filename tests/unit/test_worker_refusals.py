"""What an answer of the REST API means to a worker: its code, or its text where the embedded API hides the code."""

from __future__ import annotations

import json
import re

import httpx
import pytest

from agent_runtime import resources
from agent_runtime.db.connection import BY_CODE
from agent_runtime.db.supabase import refusal
from agent_runtime.errors import (
    AgentRuntimeError,
    ConfigError,
    DatabaseUnavailable,
    Denied,
    IllegalTransition,
    InvalidInput,
    SchemaDiffers,
)

URL = "https://project.supabase.co"

_RAISED = re.compile(r"errcode = '(AR\d{3})',\s*message = (?:format\()?(.*?)(?:;\n|\n\s*hint)", re.DOTALL)


def raised_for_workers() -> list[tuple[str, str]]:
    """Every code and text that the functions and triggers which workers reach can raise."""
    names = [f"functions/{path.name}" for path in (resources.sql() / "functions").glob("worker_*.sql")]
    found = []
    for name in (
        *sorted(names),
        "functions/ledger.sql",
        "functions/children.sql",
        "functions/vault.sql",
        "functions/health.sql",
        "triggers/state.sql",
    ):
        for code, expression in _RAISED.findall((resources.sql() / name).read_text(encoding="utf-8")):
            for text in re.findall(r"'((?:[^']|'')+)'", expression):
                if " " in text:
                    found.append((code, text.replace("''", "'").replace("%s", "4f1d")))
    # Of functions/limits.sql, the one that a step can meet: the others are for who sets a limit.
    return [*found, ("AR006", "limit steps reached: 2 of 1")]


def answer(status: int, body: object, kind: str = "application/json") -> httpx.Response:
    content = body if isinstance(body, str) else json.dumps(body)
    request = httpx.Request("POST", f"{URL}/rest/v1/rpc/worker_claim", content=b"{}")
    return httpx.Response(status, content=content, headers={"content-type": kind}, request=request)


def test_the_texts_are_found() -> None:
    assert {code for code, _ in raised_for_workers()} == {name for name in BY_CODE if name.startswith("AR")}


@pytest.mark.parametrize(("code", "text"), raised_for_workers())
def test_each_refusal_of_the_database_is_the_same_error_with_its_code_and_without(code: str, text: str) -> None:
    by_code = refusal(answer(400, {"code": code, "message": text}))
    hidden = refusal(answer(500, {"code": "SUP", "message": f"PostgresError: {text}"}))
    assert type(by_code) is type(hidden) is BY_CODE[code], text
    assert str(by_code) == str(hidden) == text


@pytest.mark.parametrize(
    ("status", "body", "kind"),
    [
        (401, {"message": "Invalid API key"}, ConfigError),
        (401, {"code": "PGRST301", "message": "JWT expired"}, ConfigError),
        (403, {"code": "42501", "message": "permission denied for function worker_claim"}, ConfigError),
        (403, {"code": "42501", "message": "file_path must begin with a/b/"}, Denied),
        (404, {"code": "PGRST202", "message": "Could not find the function"}, SchemaDiffers),
        (404, {"code": "42883", "message": "function private.x() does not exist"}, SchemaDiffers),
        (404, {"code": "42P01", "message": "relation does not exist"}, SchemaDiffers),
        (404, "<html>nothing here</html>", ConfigError),
        (301, "", ConfigError),
        (200, "<html>sign in to this network</html>", ConfigError),
        (413, "", InvalidInput),
        (429, {"message": "slow down"}, DatabaseUnavailable),
        (500, {"code": "57014", "message": "canceling statement due to statement timeout"}, DatabaseUnavailable),
        (500, {"code": "40P01", "message": "deadlock detected"}, DatabaseUnavailable),
        (
            503,
            {"code": "PGRST002", "message": "Could not query the database for the schema cache"},
            DatabaseUnavailable,
        ),
        (503, {"code": "53300", "message": "too many connections"}, DatabaseUnavailable),
        (502, "<html>bad gateway</html>", DatabaseUnavailable),
        (521, "", DatabaseUnavailable),
        (500, {"code": "SUP", "message": "Error: connect ECONNREFUSED 127.0.0.1:5432"}, DatabaseUnavailable),
        (
            500,
            {"code": "SUP", "message": "PostgresError: terminating connection due to administrator command"},
            DatabaseUnavailable,
        ),
        (500, {"code": "SUP", "message": "PostgresError: the database system is starting up"}, DatabaseUnavailable),
        (500, {"code": "SUP", "message": "PostgresError: something new"}, AgentRuntimeError),
        (400, {"code": "23514", "message": "violates check constraint"}, AgentRuntimeError),
        (400, {"code": "AR003", "message": "two\nlines"}, IllegalTransition),
    ],
)
def test_every_other_answer_says_who_acts_on_it(status: int, body: object, kind: type[Exception]) -> None:
    found = refusal(answer(status, body))
    assert isinstance(found, kind)
    assert isinstance(found, ConfigError) == issubclass(kind, ConfigError)
    assert "\n" not in str(found)
