"""What row-level security costs: what people ask most, beside the same with the rights spelled out, asked past it."""

from __future__ import annotations

import asyncio
import json
import statistics
import time
from collections.abc import Callable, Iterator, Sequence
from dataclasses import dataclass
from typing import Any, LiteralString, cast

import psycopg
from psycopg import pq, sql
from psycopg.conninfo import make_conninfo

from bench.big_database import FULL, Size, fill, parts
from bench.postgres import open_pair
from bench.queue import NotComparable
from bench.report import Compared, Comparison, Steps

HOW = (
    "{size}. Each statement is prepared once, in a session that stays, and asked over TCP with a binary answer; the "
    "time is libpq's, from the request to the last row. Policies: as `authenticated`, with the person's claims. Where: "
    "as the tables' owner, to whom no policy applies, with the person's rights in the statement. The rows are the same "
    "(compared), the ways take turns. Rounds: {rounds}, of {runs} each (fewer of what takes over 20 ms); a ratio is "
    "the median of the rounds' own. Plan: whether either way reads a big table whole."
)
LIMIT = 1.3

BIG_TABLES = frozenset(
    {"conversations", "messages", "tasks", "task_events", "tool_executions", "execution_decisions", "files", "users"}
)
SMALL = FULL.scaled(0.01)

_UUID, _TEXT = 2950, 25
_TYPES = (_UUID, _UUID, _UUID, _UUID, _UUID, _TEXT)
"""Of what each statement may name: $1 me, $2 my tenant, $3 my home, $4 a long conversation, $5 its task, $6 a word."""

_MINE = "{0}.user_id = $1 and {0}.tenant_id in ($2, $3)"
_SEEN = {
    "user": f"({_MINE} or {{0}}.tenant_id = $2 and {{0}}.is_shared)",
    "admin": f"({_MINE} or {{0}}.tenant_id = $2)",
}
"""What of conversations somebody sees, as who knows the person's role would write it."""


@dataclass(frozen=True)
class Person:
    """Who asks, by which role, and what $1 to $6 are."""

    name: str
    role: str
    values: tuple[bytes, ...]


@dataclass(frozen=True)
class Question:
    """What is asked under the policies, and what gives the same without them."""

    what: str
    asked: str
    written: str
    is_planned_anew: bool = False
    """The second way for these very values each time, as the function of the first does it."""


def questions(role: str) -> Iterator[Question]:
    """All that is measured, as a user or an admin asks it."""
    seen = _SEEN[role].format("c")
    newest = "order by c.created_at desc limit 50"
    conversations = "select c.* from public.conversations c"
    yield Question(
        "my conversations, the newest 50",
        f"{conversations} where c.user_id = $1 {newest}",
        f"{conversations} where {_MINE.format('c')} {newest}",
    )
    last = "order by m.seq desc limit 100"
    yield Question(
        "a conversation's last 100 messages",
        f"select m.* from public.messages m where m.conversation_id = $4 {last}",
        "select m.* from public.conversations c join public.messages m on m.conversation_id = c.id"
        f" where c.id = $4 and {seen} {last}",
    )
    running = "and t.status = 'running' order by t.created_at desc limit 50"
    yield Question(
        "my running tasks",
        f"select t.* from public.tasks t where t.user_id = $1 {running}",
        f"select t.* from public.tasks t where {_MINE.format('t')} {running}",
    )
    yield _approvals(role)
    yield _search(seen)
    details = "order by created_at desc limit 50"
    yield Question(
        "conversation_details, the newest 50",
        f"select * from public.conversation_details {details}",
        "select c.id, c.title, c.status, c.created_at, c.updated_at, u.username, u.full_name, a.name, a.description,"
        " (select count(*) from public.messages m where m.conversation_id = c.id),"
        " (select count(*) from public.tasks t where t.conversation_id = c.id)"
        " from public.conversations c"
        f" left join public.users u on u.id = c.user_id and {'u.tenant_id = $2' if role == 'admin' else 'u.id = $1'}"
        f" left join public.agents a on a.id = c.agent_id where {seen} {newest}",
    )
    events = "select e.id, e.kind, e.payload, e.created_at"
    yield Question(
        "a task's timeline, 200 events",
        f"{events} from public.task_events e where e.task_id = $5 and e.id > 0 order by e.id limit 200",
        f"{events} from public.tasks t join public.conversations c on c.id = t.conversation_id"
        f" join public.task_events e on e.task_id = t.id where t.id = $5 and {seen} and e.id > 0"
        " order by e.id limit 200",
    )
    yield Question(
        "a conversation's files",
        "select f.* from public.files f where f.conversation_id = $4 order by f.created_at, f.filename",
        "select f.* from public.conversations c join public.files f on f.conversation_id = c.id"
        f" where c.id = $4 and {seen} order by f.created_at, f.filename",
    )
    yield Question(
        "all conversations I may see, the newest 50",
        f"{conversations} {newest}",
        f"{conversations} where {seen} {newest}",
    )


def _approvals(role: str) -> Question:
    calls = (
        "select e.*, t.title from public.tool_executions e join public.tasks t on t.id = e.task_id"
        " where e.status in ('awaiting_approval', 'in_doubt') and {} order by e.approval_expires_at limit 50"
    )
    # A user decides on the own ones, an admin on the tenant's. Said in both ways, since people see more than that.
    mine = "e.tenant_id = $2" if role == "admin" else "e.tenant_id in ($2, $3) and t.user_id = $1"
    return Question("what waits for my approval", calls.format(mine), calls.format(mine))


def _search(seen: str) -> Question:
    found = " or ".join(
        f"to_tsvector('{language}', m.content) @@ websearch_to_tsquery('{language}', $6)"
        for language in ("spanish", "english")
    )
    return Question(
        "a word in my messages, the newest 50",
        "select * from public.search_messages($6, 50)",
        "select m.* from public.messages m join public.conversations c on c.id = m.conversation_id"
        f" where ({found}) and {seen} order by m.seq desc limit 50",
        is_planned_anew=True,
    )


async def measure(quick: bool, steps: Steps) -> Comparison:
    """Milliseconds."""
    size = SMALL if quick else FULL
    rounds, runs = (1, 5) if quick else (5, 200)
    people = 3
    steps.expect(parts() + people * len(list(questions("user"))))
    async with open_pair(people=0, durable=False) as pair:
        superuser = make_conninfo(pair.postgres.superuser_conninfo, dbname="ours")
        await fill(superuser, size, lambda _: steps.done())
        found = await asyncio.to_thread(_ask_all, pair.ours.owner, rounds, runs, steps.done)
    how = HOW.format(size=_described(size), rounds=rounds, runs=runs)
    return Comparison("what row-level security costs", how, ("policies", "where"), LIMIT, found)


def _described(size: Size) -> str:
    return (
        f"{size.tenants:,} tenants, {size.users:,} people, {size.conversations:,} conversations,"
        f" {size.messages:,} messages, {size.executions:,} executions"
    )


def _ask_all(owner: str, rounds: int, runs: int, done: Callable[[], None]) -> list[Compared]:
    found = []
    with psycopg.connect(owner, autocommit=True) as theirs:
        for seat, person in enumerate(people(owner)):
            with psycopg.connect(owner, autocommit=True) as mine:
                claims = json.dumps({"sub": person.values[0].decode(), "role": "authenticated"})
                mine.execute("select set_config('request.jwt.claims', %s, false)", [claims])
                mine.execute("set role authenticated")
                for number, question in enumerate(questions(person.role)):
                    found.append(_compare(mine, theirs, person, question, f"asked_{seat}_{number}", rounds, runs))
                    done()
    return found


# Somebody with their longest conversation, or for an admin the tenant's.
_PERSON: LiteralString = """
select u.id, u.tenant_id, u.home_tenant_id, c.id as conversation_id, t.id as task_id
from public.users u
join public.conversations c on c.tenant_id = u.tenant_id and (c.user_id = u.id or u.role = 'admin')
join public.tasks t on t.conversation_id = c.id
where {}
order by (select count(*) from public.messages m where m.conversation_id = c.id) desc, c.id
limit 1
"""
_PEOPLE: tuple[tuple[str, str, LiteralString], ...] = (
    ("an ordinary user", "user", "u.role = 'user' and u.username !~ '^person.$'"),
    ("the big tenant's admin", "admin", "u.username = 'person0'"),
    ("its heavy user", "user", "u.username = 'person1'"),
)


def people(owner: str) -> list[Person]:
    """An ordinary user of an ordinary tenant, the big tenant's admin, and the heavy user in it."""
    with psycopg.connect(owner, autocommit=True) as connection:
        word = connection.execute(
            "select split_part(content, ' ', 3) from public.messages order by seq offset 77 limit 1"
        ).fetchone()
        assert word is not None, "the database is filled"
        found = []
        for name, role, who in _PEOPLE:
            row = connection.execute(_PERSON.format(who)).fetchone()
            assert row is not None, name
            found.append(Person(name, role, tuple(str(value).encode() for value in (*row, *word))))
    return found


def _compare(
    mine: psycopg.Connection, theirs: psycopg.Connection, person: Person, question: Question, key: str,
    rounds: int, runs: int,
) -> Compared:  # fmt: skip
    name = key.encode()
    theirs.execute(f"set plan_cache_mode = {'force_custom_plan' if question.is_planned_anew else 'auto'}")
    for connection, statement in ((mine, question.asked), (theirs, question.written)):
        _check(connection.pgconn.prepare(name, statement.encode(), _TYPES), question)
    taken, answer = _ask(mine, name, person, question)
    if _rows(answer) != _rows(_ask(theirs, name, person, question)[1]):
        raise NotComparable(f"{person.name}, {question.what}: the two ways give different rows")
    if taken > 0.02:
        runs = min(runs, 20)
    # Past the first five, Postgres has decided whether it keeps one plan.
    for _ in range(min(runs, 10)):
        for connection in (mine, theirs):
            _ask(connection, name, person, question)
    asked, written = [], []
    for _ in range(rounds):
        times: tuple[list[float], list[float]] = ([], [])
        for run in range(runs):
            ways = ((mine, times[0]), (theirs, times[1]))
            for connection, seconds in ways if run % 2 else reversed(ways):
                seconds.append(_ask(connection, name, person, question)[0])
        asked.append(_quantiles(times[0]))
        written.append(_quantiles(times[1]))
    plan = _read_whole(mine, key, person) | _read_whole(theirs, key, person)
    return Compared(person.name, question.what, answer.ntuples, asked, written, ", ".join(sorted(plan)) or "index")


def _ask(
    connection: psycopg.Connection, name: bytes, person: Person, question: Question
) -> tuple[float, pq.abc.PGresult]:
    """Seconds, and the answer. Straight from libpq, so that little of Python's time is in it."""
    started = time.perf_counter()
    answer = connection.pgconn.exec_prepared(name, person.values, result_format=pq.Format.BINARY)
    taken = time.perf_counter() - started
    _check(answer, question)
    return taken, answer


def _check(answer: pq.abc.PGresult, question: Question) -> None:
    if answer.status not in (pq.ExecStatus.TUPLES_OK, pq.ExecStatus.COMMAND_OK):
        raise NotComparable(f"{question.what}: {answer.error_message.decode()}")


def _rows(answer: pq.abc.PGresult) -> list[list[bytes | None]]:
    return [[answer.get_value(row, column) for column in range(answer.nfields)] for row in range(answer.ntuples)]


def _quantiles(seconds: Sequence[float]) -> tuple[float, float]:
    """The median and p95, in milliseconds."""
    return statistics.median(seconds) * 1000, statistics.quantiles(seconds, n=20, method="inclusive")[-1] * 1000


def _read_whole(connection: psycopg.Connection, key: str, person: Person) -> set[str]:
    """The big tables that the statement's plan reads from end to end."""
    values = sql.SQL(", ").join(sql.Literal(value.decode()) for value in person.values)
    explain = sql.SQL("explain (format json) execute {} ({})").format(sql.Identifier(key), values)
    found = connection.execute(explain).fetchone()
    assert found is not None, "a statement has a plan"

    def nodes(plan: dict[str, Any]) -> Iterator[dict[str, Any]]:
        yield plan
        for part in plan.get("Plans", []):
            yield from nodes(part)

    plan = cast("dict[str, Any]", found[0][0]["Plan"])
    return {node["Relation Name"] for node in nodes(plan) if node["Node Type"] == "Seq Scan"} & BIG_TABLES
