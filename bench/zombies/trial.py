"""The trial: worker A takes a job and stalls, the system's own rescue gives it to B, then A wakes and writes.

A write was accepted when the job's rows are others after it than before; what A was told does not count.
"""

from __future__ import annotations

import asyncio
from collections.abc import AsyncIterator, Awaitable, Callable, Sequence
from contextlib import AbstractAsyncContextManager, asynccontextmanager, suppress
from dataclasses import dataclass
from typing import Any, Protocol

import psycopg
from psycopg.pq import TransactionStatus

from agent_runtime.errors import AgentRuntimeError
from bench.report import Verdict

HELD = "while A holds the job"
LATE = "after the rescue"
OPEN = "transaction begun before, written after"
UNCOMMITTED = "written before, committed after"
WAITING = "while the rescue is open"
ORDERS = (HELD, LATE, OPEN, UNCOMMITTED, WAITING)

RESCUE_WAIT_SECONDS = 0.6
"""How long a rescue may wait for A's open transaction, once the lease is over, before it counts as held off."""
RESCUES = 40
RESCUE_PAUSE_SECONDS = 0.1


class NoTrial(AgentRuntimeError):
    """The system did not do what the trial is about, so there is no verdict."""


class Session:
    """One worker's connection, in autocommit until `begin`. `connection` is one of psycopg's, async or not."""

    def __init__(self, connection: Any, tools: Any = None) -> None:
        self.connection = connection
        self.tools = tools
        """The system's client over this connection."""

    async def execute(self, statement: str, parameters: Any = None) -> Any:
        """The cursor."""
        if isinstance(self.connection, psycopg.AsyncConnection):
            return await self.connection.execute(statement, parameters)
        return await asyncio.to_thread(self.connection.execute, statement, parameters)

    async def begin(self) -> None:
        await self.execute("begin")

    async def commit(self) -> None:
        """Nothing but a commit of `begin`."""
        await self.execute("commit")

    async def roll_back(self) -> None:
        if self.connection.info.transaction_status != TransactionStatus.IDLE:
            await self.execute("rollback")


class OnePool:
    """Looks like a pool of psycopg's, and always hands out the one connection: so that clients join its transaction."""

    def __init__(self, connection: psycopg.AsyncConnection[Any]) -> None:
        self._connection = connection

    @asynccontextmanager
    async def connection(self, *_arguments: object, **_named: object) -> AsyncIterator[psycopg.AsyncConnection[Any]]:
        yield self._connection

    async def check(self) -> None:
        """It is there or it is not."""


@dataclass(frozen=True)
class Seen:
    """A job's rows as everybody sees them. `says` is the part that matters, in words."""

    rows: str
    says: str


@dataclass(frozen=True)
class Write:
    """One thing that a worker does with a job it holds. `act` is called with the job and A's session."""

    name: str
    via: str
    act: Callable[[Any, Any], Awaitable[Any]]
    orders: Sequence[str] = ORDERS


class System(Protocol):
    """One queue or durable runtime, ready for trials."""

    name: str
    package: str
    """The distribution that holds it; its version is the system's."""
    rescue_is: str
    lease_seconds: float
    writes: Sequence[Write]

    def session(self) -> AbstractAsyncContextManager[Any]:
        """A connection of its own, as a worker has one."""

    async def take(self) -> Any:
        """A new job in A's hands, its lease about to run out."""

    async def rescue(self, job: Any, session: Any) -> bool:
        """Give the job to B by the system's own means; whether B has it now."""

    async def look(self, job: Any, session: Any = None) -> Seen:
        """The job's rows as everybody sees them, or as `session` does in its transaction."""

    async def forget(self, job: Any) -> None:
        """End what the trial left running."""


class Peer:
    """What most peers have in common."""

    def __init__(self, conninfo: str) -> None:
        self._conninfo = conninfo

    async def install(self) -> None:
        """Make its schema in its database."""

    async def close(self) -> None:
        """Stop what it keeps running."""


async def try_write(system: System, write: Write, order: str) -> Verdict:
    """One trial with a job of its own. Raises `NoTrial` when the rescue did not give the job to B."""
    if order not in (HELD, *write.orders):
        return Verdict(system.name, write.name, order, "not applicable", "", "")
    job = await system.take()
    try:
        async with system.session() as mine, system.session() as theirs:
            return await _TRIALS[order](system, write, job, mine, theirs)
    finally:
        await system.forget(job)


async def _held(system: System, write: Write, job: Any, mine: Session, _theirs: Session) -> Verdict:
    # The control: a write that nobody could make would be refused for the wrong reason.
    before = await system.look(job)
    told = await _act(write, job, mine)
    after = await system.look(job)
    if after.rows == before.rows:
        raise NoTrial(f"{system.name}: {write.name} changed nothing while A held the job: {told}")
    return Verdict(system.name, write.name, HELD, "held", told, after.says)


async def _late(system: System, write: Write, job: Any, mine: Session, theirs: Session) -> Verdict:
    await _give_away(system, job, theirs)
    before = await system.look(job)
    told = await _act(write, job, mine)
    return await _verdict(system, write, LATE, job, before, told)


async def _open(system: System, write: Write, job: Any, mine: Session, theirs: Session) -> Verdict:
    await mine.begin()
    await _give_away(system, job, theirs)
    before = await system.look(job)
    told = await _act_and_commit(write, job, mine)
    return await _verdict(system, write, OPEN, job, before, told)


async def _uncommitted(system: System, write: Write, job: Any, mine: Session, theirs: Session) -> Verdict:
    await mine.begin()
    told = await _act(write, job, mine)
    enough = asyncio.Event()
    rescue = asyncio.create_task(_rescued(system, job, theirs, enough))
    done, _ = await asyncio.wait([rescue], timeout=system.lease_seconds + RESCUE_WAIT_SECONDS)
    given = bool(done) and rescue.result()
    before = await system.look(job)
    told = f"{told}; {await _commit(mine)}"
    enough.set()
    with suppress(Exception):
        # It may find the job ended by now, and say so in any way it likes.
        await rescue
    if not given:
        # A held the job until it committed, and nobody else was given it meanwhile: that is no zombie.
        return Verdict(system.name, write.name, UNCOMMITTED, "not given away", told, before.says)
    return await _verdict(system, write, UNCOMMITTED, job, before, told)


async def _waiting(system: System, write: Write, job: Any, mine: Session, theirs: Session) -> Verdict:
    # The clock of a transaction stands still, so the lease has to be over when it begins.
    await asyncio.sleep(system.lease_seconds)
    await theirs.begin()
    await _give_away(system, job, theirs)
    before = await system.look(job, theirs)
    late = asyncio.create_task(_act(write, job, mine))
    # Long enough to have run into the rescue's lock, if it takes one.
    await asyncio.wait([late], timeout=RESCUE_WAIT_SECONDS)
    await theirs.commit()
    return await _verdict(system, write, WAITING, job, before, await late)


_TRIALS = {HELD: _held, LATE: _late, OPEN: _open, UNCOMMITTED: _uncommitted, WAITING: _waiting}


async def _give_away(system: System, job: Any, session: Session) -> None:
    if not await _rescued(system, job, session):
        raise NoTrial(f"{system.name}: its rescue did not give the job to another worker")


async def _rescued(system: System, job: Any, session: Session, enough: asyncio.Event | None = None) -> bool:
    """A lease lasts up to a second, so the rescue is asked for until it comes or somebody has had enough."""
    for _ in range(RESCUES):
        if await system.rescue(job, session):
            return True
        if enough and enough.is_set():
            return False
        await asyncio.sleep(RESCUE_PAUSE_SECONDS)
    return False


async def _act(write: Write, job: Any, session: Session) -> str:
    try:
        return _plain(await write.act(job, session))
    except Exception as error:
        await session.roll_back()
        reason = " ".join(str(error).split())
        return f"error: {reason.split('CONTEXT:')[0][:160].strip() or type(error).__name__}"


async def _act_and_commit(write: Write, job: Any, session: Session) -> str:
    told = await _act(write, job, session)
    return told if told.startswith("error") else f"{told}; {await _commit(session)}"


async def _commit(session: Session) -> str:
    try:
        await session.commit()
    except Exception as error:
        await session.roll_back()
        return f"the commit failed: {type(error).__name__}"
    return "committed"


def _plain(answer: Any) -> str:
    if answer is None or answer == []:
        return "no error"
    return answer if isinstance(answer, str) else str(answer)[:80]


async def _verdict(system: System, write: Write, order: str, job: Any, before: Seen, told: str) -> Verdict:
    after = await system.look(job)
    outcome = "refused" if after.rows == before.rows else "accepted"
    return Verdict(system.name, write.name, order, outcome, told, after.says)
