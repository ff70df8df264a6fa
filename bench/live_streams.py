"""From an event's commit to a browser's stream: a hundred streams on one server, beside one plain reader that polls."""

from __future__ import annotations

import asyncio
import itertools
import json
import statistics
import time
from collections.abc import AsyncIterator, Iterator
from contextlib import AsyncExitStack, asynccontextmanager
from typing import Any
from urllib.parse import urlsplit
from uuid import UUID

import psutil

from agent_runtime.local import ports
from agent_runtime.local.stack import Stack
from agent_runtime.local.web import WebProcess
from agent_runtime.person import auth
from agent_runtime.person.session import Session
from bench.person import Person
from bench.postgres import Connection, Database, connect, open_folder
from bench.report import Line, Report, Steps

HOW = (
    "{streams} streams of {people} people over {tasks} tasks on one `agent-runtime serve` with its defaults (it reads "
    "every 100 ms), each event to {each} of them; {rate} events a second, one transaction each. From sending the "
    "commit until the client has the event's line. Plain: one psycopg connection that polls the table every 100 ms, "
    "at the same time. Server, Postgres, API and clients share this machine."
)
PEOPLE, TASKS_EACH, STREAMS_EACH_TASK = 5, 10, 2
EVENTS_PER_SECOND = 50
POLL_SECONDS = 0.1
PERCENTILES = (50, 95, 99)
_APPEND = (
    "select private.append_event(id, conversation_id, tenant_id, 'task.notice', jsonb_build_object('n', %s::bigint))"
    " from public.tasks where id = %s"
)
_POLL = "select id, payload from public.task_events where id > %s order by id"

Arrivals = dict[int, list[float]]
"""By an event's number: when each reader had it."""


async def measure(quick: bool, steps: Steps) -> Report:
    """Milliseconds, and what the server takes."""
    rounds, seconds, people, tasks_each = (2, 1.0, 1, 2) if quick else (5, 10.0, PEOPLE, TASKS_EACH)
    steps.expect(rounds)
    streams = people * tasks_each * STREAMS_EACH_TASK
    async with (
        open_folder() as folder,
        Stack(folder / "stack", look_for_ollama=False, durable=not quick) as stack,
        AsyncExitStack() as held,
    ):
        sessions = [await _sign_up(stack, number) for number in range(people)]
        tasks = [await _submit(stack, session, tasks_each) for session in sessions]
        server = await held.enter_async_context(_serving(stack))
        process = psutil.Process(server.child.pid)
        theirs: Arrivals = {}
        with_one_mb = 0.0
        for session, own in zip(sessions, tasks, strict=True):
            for task in own:
                for _ in range(STREAMS_EACH_TASK):
                    await held.enter_async_context(_stream(server.url, session, task, theirs))
                    with_one_mb = with_one_mb or process.memory_info().rss / 1e6
        plain: Arrivals = {}
        poller = await connect(stack.database_url)
        polling = asyncio.create_task(_poll(poller, plain))
        writer = await connect(stack.database_url)
        await writer.set_autocommit(False)
        numbers, everything = itertools.count(), list(itertools.chain(*tasks))
        found: dict[str, list[float]] = {}
        for _ in range(rounds):
            before, started = _cpu_seconds(process), time.monotonic()
            sent = await _write(writer, everything, numbers, seconds)
            await _wait(theirs, sent, STREAMS_EACH_TASK)
            await _wait(plain, sent, 1)
            share = 100 * (_cpu_seconds(process) - before) / (time.monotonic() - started)
            found.setdefault("CPU", []).append(share)
            found.setdefault("MB", []).append(process.memory_info().rss / 1e6)
            found.setdefault("MB with one", []).append(with_one_mb)
            for percentile in PERCENTILES:
                for name, arrivals in (("plain reader", plain), ("stream", theirs)):
                    samples = [(at - sent[n]) * 1_000 for n in sent for at in arrivals[n]]
                    found.setdefault(f"{name}, p{percentile}", []).append(_percentile(samples, percentile))
            steps.done()
        polling.cancel()
        await asyncio.gather(polling, return_exceptions=True)
        await poller.close()
        await writer.close()
    how = HOW.format(
        streams=streams, people=people, tasks=people * tasks_each, each=STREAMS_EACH_TASK, rate=EVENTS_PER_SECOND
    )
    return Report(f"{streams} live streams: from commit to browser", how, _lines(found))


def _lines(found: dict[str, list[float]]) -> list[Line]:
    lines = []
    for percentile in PERCENTILES:
        plain = f"plain reader, p{percentile}"
        lines.append(Line(plain, "ms", found[plain]))
        lines.append(Line(f"stream, p{percentile}", "ms", found[f"stream, p{percentile}"], against=(plain,)))
    lines.append(Line("the server's processor time", "% of a core", found["CPU"]))
    lines.append(Line("the server's memory", "MB", found["MB"]))
    lines.append(Line("its memory with one stream", "MB", found["MB with one"]))
    return lines


def _percentile(samples: list[float], percentile: int) -> float:
    return statistics.quantiles(samples, n=100, method="inclusive")[percentile - 1]


def _cpu_seconds(process: psutil.Process) -> float:
    times = process.cpu_times()
    return float(times.user + times.system)


async def _sign_up(stack: Stack, number: int) -> Session:
    email = f"person-{number:03}@example.org"
    session = await auth.sign_up(stack.supabase_url, stack.publishable_key, email, "correct horse battery")
    assert session is not None, "no address is to be confirmed here"
    return session


async def _submit(stack: Stack, session: Session, tasks: int) -> list[UUID]:
    number = int(session.email.split("-")[1][:3])
    person = await Person.sit_down(Database(stack.database_url, stack.worker_database_url), number)
    try:
        return [(await person.submit())[0] for _ in range(tasks)]
    finally:
        await person.leave()


@asynccontextmanager
async def _serving(stack: Stack) -> AsyncIterator[WebProcess]:
    settings = {
        "DATABASE_URL": stack.worker_database_url,
        "SUPABASE_URL": stack.supabase_url,
        "SUPABASE_PUBLISHABLE_KEY": stack.publishable_key,
    }
    port = ports.choose(None, taken=set())
    server = WebProcess(settings, port=port, records=stack.folder.records, logs=stack.folder.logs)
    await server.start()
    try:
        yield server
    finally:
        await server.stop()


@asynccontextmanager
async def _stream(url: str, session: Session, task: UUID, arrivals: Arrivals) -> AsyncIterator[None]:
    """A client that does next to nothing: what it takes is in the figures."""
    address = urlsplit(url)
    reader, writer = await asyncio.open_connection(address.hostname, address.port)
    request = f"GET /live/tasks/{task} HTTP/1.1\r\nHost: x\r\nAuthorization: Bearer {session.access_token}\r\n\r\n"
    writer.write(request.encode())
    caught_up = asyncio.Event()
    reading = asyncio.create_task(_read(reader, arrivals, caught_up))
    await asyncio.wait_for(caught_up.wait(), 60)
    try:
        yield
    finally:
        reading.cancel()
        await asyncio.gather(reading, return_exceptions=True)
        writer.close()


async def _read(reader: asyncio.StreamReader, arrivals: Arrivals, caught_up: asyncio.Event) -> None:
    while line := await reader.readline():
        if line.startswith(b"data: ") and b'"task.notice"' in line:
            _note(arrivals, json.loads(line[6:])["payload"])
        elif line == b"event: caught_up\n":
            caught_up.set()


async def _poll(connection: Connection, arrivals: Arrivals) -> None:
    last = 0
    while True:
        started = time.monotonic()
        for row in await (await connection.execute(_POLL, [last])).fetchall():
            last = row["id"]
            _note(arrivals, row["payload"])
        await asyncio.sleep(max(0.0, started + POLL_SECONDS - time.monotonic()))


def _note(arrivals: Arrivals, payload: dict[str, Any]) -> None:
    if "n" in payload:
        arrivals.setdefault(payload["n"], []).append(time.monotonic())


async def _write(connection: Connection, tasks: list[UUID], numbers: Iterator[int], seconds: float) -> dict[int, float]:
    """When each event's commit was sent, by its number."""
    sent: dict[int, float] = {}
    started = time.monotonic()
    for turn in range(round(seconds * EVENTS_PER_SECOND)):
        # Apart by no multiple of the polls' time.
        await asyncio.sleep(max(0.0, started + turn / EVENTS_PER_SECOND * 1.0137 - time.monotonic()))
        number = next(numbers)
        await connection.execute(_APPEND, [number, tasks[number % len(tasks)]])
        sent[number] = time.monotonic()
        await connection.commit()
    return sent


async def _wait(arrivals: Arrivals, sent: dict[int, float], times: int) -> None:
    async with asyncio.timeout(60):
        while any(len(arrivals.get(number, ())) < times for number in sent):  # noqa: ASYNC110
            await asyncio.sleep(0.05)
