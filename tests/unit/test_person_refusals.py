"""What the REST API's errors mean: the code where there is one, the text where the embedded API hides it."""

from __future__ import annotations

import re

import pytest
from postgrest.exceptions import APIError

from agent_runtime import resources
from agent_runtime.errors import (
    AgentRuntimeError,
    ConfigError,
    Denied,
    IllegalTransition,
    InvalidInput,
    NotFound,
    Unavailable,
)
from agent_runtime.person.refusals import refusal

URL = "https://project.supabase.co"

KINDS = {"AR002": NotFound, "AR003": IllegalTransition, "AR005": InvalidInput, "AR006": InvalidInput}

_TRIGGERS = ("ownership", "limits", "state", "taint")
_RAISED = re.compile(r"errcode = '(AR00[2356])',\s*message = (?:format\()?(.*?)(?:;\n|\n\s*hint)", re.DOTALL)


def raised_for_people() -> list[tuple[str, str]]:
    """Every code and text that the functions and triggers which people reach can raise."""
    found = []
    places = (
        "functions/person.sql",
        "functions/limits.sql",
        "functions/tenancy.sql",
        "functions/vault.sql",
        "functions/operator.sql",
        "functions/agents.sql",
        "functions/trial.sql",
        "functions/search_tasks.sql",
        *(f"triggers/{name}.sql" for name in _TRIGGERS),
    )
    for name in places:
        for code, expression in _RAISED.findall((resources.sql() / name).read_text(encoding="utf-8")):
            for text in re.findall(r"'((?:[^']|'')+)'", expression):
                if " " in text.strip():
                    found.append((code, text.replace("''", "'").replace("%s", "4f1d")))
    return found


@pytest.mark.parametrize(("code", "text"), raised_for_people())
def test_each_refusal_of_the_database_is_the_same_error_with_its_code_and_without(code: str, text: str) -> None:
    by_code = refusal(APIError({"code": code, "message": text}), URL)
    hidden = refusal(APIError({"code": "SUP", "message": f"PostgresError: {text}"}), URL)
    assert type(by_code) is KINDS[code]
    assert type(hidden) is KINDS[code], text
    assert str(by_code) == str(hidden) == text


def test_a_hint_of_ours_is_passed_on() -> None:
    error = APIError({"code": "AR002", "message": 'there is no agent named "x"', "hint": "Agents: y"})
    assert str(refusal(error, URL)) == 'there is no agent named "x" (Agents: y)'


@pytest.mark.parametrize(
    ("code", "message", "kind"),
    [
        ("42501", "new row violates row-level security policy", Denied),
        ("PGRST301", "JWT expired", Denied),
        ("PGRST303", "JWT expired", Denied),
        ("PGRST202", "Could not find the function", ConfigError),
        ("401", "Invalid API key", ConfigError),
        ("22P02", "invalid input syntax for type uuid", InvalidInput),
        ("57014", "canceling statement due to statement timeout", Unavailable),
        ("53300", "too many connections", Unavailable),
        ("503", "Service Unavailable", Unavailable),
        ("PGRST000", "Could not connect with the database", Unavailable),
        ("SUP", "Error: connect ECONNREFUSED 127.0.0.1:5432", Unavailable),
        ("SUP", "PostgresError: something new", AgentRuntimeError),
        ("23514", "violates check constraint", AgentRuntimeError),
        (None, None, AgentRuntimeError),
    ],
)
def test_every_other_error_says_who_acts_on_it(code: str | None, message: str | None, kind: type[Exception]) -> None:
    found = refusal(APIError({"code": code, "message": message}), URL)
    assert type(found) is kind
    assert "\n" not in str(found)
