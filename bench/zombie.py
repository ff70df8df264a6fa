"""Who refuses a zombie: a worker that stalls past its lease, loses its job to another, and wakes up to write."""

from __future__ import annotations

from collections.abc import AsyncIterator, Callable
from contextlib import AsyncExitStack, asynccontextmanager
from importlib.metadata import PackageNotFoundError, version
from typing import Any

from psycopg.conninfo import make_conninfo

from bench.person import Person
from bench.postgres import Pair, open_pair, peer_database
from bench.report import Steps, Verdict, Verdicts
from bench.zombies.durable import Absurd, Dbos, LangGraph
from bench.zombies.ours import Ours
from bench.zombies.queues import Pgmq, PgQueuer, Procrastinate
from bench.zombies.trial import ORDERS, System, try_write

HOW = (
    "A takes a job and stalls; the system's own rescue gives it to B; A wakes and writes. A write counts as accepted "
    "when the job's rows are others after it, whatever A was told; that the same write works while A holds the job is "
    "checked first. «The rescue waits»: A's open transaction held the job, so nobody else got it before A committed. "
    "All on one Postgres, each system in a database of its own."
)
PEERS: tuple[Callable[[str], Any], ...] = (Procrastinate, PgQueuer, Pgmq, Absurd, Dbos, LangGraph)


async def measure(quick: bool, steps: Steps) -> Verdicts:
    """Verdicts; `quick` tries the first write of each system alone."""
    found: list[Verdict] = []
    notes: list[str] = []
    async with open_pair(durable=False) as pair, _ours(pair) as ours, AsyncExitStack() as closing:
        systems: list[System] = [ours]
        for number, make in enumerate(PEERS):
            if missing := _missing(make):
                notes.append(f"{missing} is not installed, so it was left out: pip install 'agent-runtime[bench]'")
                continue
            peer = make(await peer_database(pair.postgres, f"peer_{number}"))
            closing.push_async_callback(peer.close)
            await peer.install()
            systems.append(peer)
        chosen = [(system, write) for system in systems for write in (system.writes[:1] if quick else system.writes)]
        steps.expect(len(chosen) * len(ORDERS))
        for system, write in chosen:
            for order in ORDERS:
                found.append(await try_write(system, write, order))
                steps.done()
    notes += [_note(system) for system in systems]
    return Verdicts("what a worker can still write after its job was given to another", HOW, ORDERS, found, notes)


@asynccontextmanager
async def _ours(pair: Pair) -> AsyncIterator[Ours]:
    person = await Person.sit_down(pair.ours)
    try:
        yield Ours(make_conninfo(pair.postgres.superuser_conninfo, dbname="ours"), person)
    finally:
        await person.leave()


def _missing(make: Any) -> str | None:
    try:
        version(make.package)
    except PackageNotFoundError:
        return str(make.package)
    return None


def _note(system: System) -> str:
    calls = "; ".join(f"{write.name}: {write.via}" for write in system.writes)
    return f"{system.name} {version(system.package)}. Rescue: {system.rescue_is}. {calls}."
