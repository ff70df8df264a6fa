"""What row-level security costs: what people ask most, beside the same asked by the tables' owner with the `where` spelled out."""

from __future__ import annotations

import asyncio
import json
import statistics
import time
from collections.abc import Iterator, Sequence
from dataclasses import dataclass

import psycopg
from psycopg import pq, sql
from psycopg.conninfo import make_conninfo
from psycopg.types.json import Json

from agent_runtime.errors import AgentRuntimeError
from bench.big_database import ADMIN, FULL, HEAVY, ORDINARY, Size, fill, parts
from bench.postgres import open_pair
from bench.queue import NotComparable
from bench.report import Compared, Comparison, Steps

HOW = (
    "{size}. Each statement is prepared once on a connection of its own and asked over TCP with binary results; the time "
    "is libpq's, from the request to the last row. Left as `authenticated` with a person's claims, right as the owner of "
    "the tables, to whom no policy applies, with the person's rights spelled out; the rows are the same (compared), the "
    "sides take turns. Rounds: {rounds} of {runs} each; a ratio is the median of the rounds' own. {plans}"
)
LIMIT = 1.3
"""The most that the median under row-level security should be, times the other."""

BIG_TABLES = {
    "users", "conversations", "messages", "tasks", "task_events", "tool_executions", "execution_decisions", "files",
}  # fmt: skip

_UUID, _TEXT = 2950, 25
_TYPES = [_UUID, _UUID, _UUID, _UUID, _UUID, _TEXT]
"""Of what a statement may name: $1 me, $2 my tenant, $3 my home, $4 a conversation, $5 its task, $6 a word."""


@dataclass(frozen=True)
class Question:
    """What somebody asks under row-level security, and what the owner's side adds so that the answer is the same."""

    what: str
    asked: str
    written: str


# What a sensible developer would write: the rights of a user and of an admin.
_MINE = "{0}.user_id = $1 and {0}.tenant_id in ($2, $3)"
_SEEN_BY_USER = "(" + _MINE + " or {0}.tenant_id = $2 and {0}.is_shared)"
_SEEN_BY_ADMIN = "(" + _MINE + " or {0}.tenant_id = $2)"
