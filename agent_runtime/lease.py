"""Keeping the leases of a worker: in a thread with an event loop and a connection of its own, so that nothing that
keeps the worker's loop busy costs it a task. All leases are renewed in one call.

What a lease is worth is judged twice. The database's clock decides when it ends. The worker knows only until when it
*surely* holds it: the lease's length after the moment in which it sent the request that was granted. Before an effect
in the world a run asks its `LeaseGuard`, so that a process that stood still past its lease begins nothing when it
wakes.
"""

from __future__ import annotations

import asyncio
import contextlib
import contextvars
import random
import threading
from collections.abc import AsyncIterator, Callable, Iterable, Sequence
from contextlib import AbstractAsyncContextManager, asynccontextmanager
from typing import Protocol

import psycopg

from agent_runtime.errors import AgentRuntimeError, DatabaseUnavailable, LeaseLost, SchemaDiffers
from agent_runtime.lease_book import LeaseBook, News
from agent_runtime.pulse import Pulse, clock
from agent_runtime.records import Lease, Renewal
from agent_runtime.structlog_alone import structlog

log = structlog.get_logger()

AGAIN_SECONDS = 0.5
"""Between tries when a renewal failed."""

BREATH_SECONDS = 0.05
"""Between renewals at the least, however often somebody notifies."""

STOP_SECONDS = 2.0
"""For the thread to end; then it is left to the end of the process."""


class Renewing(Protocol):
    """The one call of a store that the keeper makes."""

    async def renew(self, leases: Sequence[Lease], lease_seconds: float) -> list[Renewal]: ...


class LeaseGuard(Protocol):
    """What a run asks before it begins an effect. A `LeaseKeeper` is one."""

    def surely_held(self, lease: Lease) -> bool:
        """Whether no other worker can hold the task yet. False means only that nobody knows."""
        ...

    async def require(self, lease: Lease) -> None:
        """Return when the lease is surely held, renewing it first where that is not certain.

        Raises `LeaseLost`, or `DatabaseUnavailable` when nothing can be learned for two leases' time.
        """
        ...


class LeaseKeeper:
    """Renews every third of a lease, and tells what it learns of each task.

    It stops renewing while the worker's loop has not moved for `stall_seconds`: a wedged process must not hold tasks
    for ever.
    """

    def __init__(
        self,
        open_store: Callable[[], AbstractAsyncContextManager[Renewing]],
        lease_seconds: float,
        stall_seconds: float,
        hurry_seconds: float = 0.5,
    ) -> None:
        """`open_store` is called in the keeper's thread, and again whenever its store did not answer. `hurry_seconds`
        is between renewals while no notification would say that somebody asks something of a task."""
        self._open_store = open_store
        self._lease_seconds = lease_seconds
        self._stall_seconds = stall_seconds
        self._hurry_seconds = hurry_seconds
        self._book = LeaseBook()
        self._hurried = False
        # Of the worker's loop:
        self._main: asyncio.AbstractEventLoop | None = None
        self._ended: asyncio.Future[None] | None = None
        self._tell: Callable[[Lease, News], None] = lambda _lease, _news: None
        # Of the thread:
        self._loop: asyncio.AbstractEventLoop | None = None
        self._look = asyncio.Event()
        self._keeping: asyncio.Task[None] | None = None
        self._ending = False
        self._unreachable = False
        self._renewed_at: float | None = None
        # Between the two:
        self._lock = threading.Lock()
        self._waiting: list[asyncio.Future[None]] = []
        self._pulse = Pulse(stall_seconds)

    # -- called from the worker's loop ---------------------------------------------------------------------------------

    @asynccontextmanager
    async def running(self, tell: Callable[[Lease, News], None]) -> AsyncIterator[None]:
        """Renew until the block ends. `tell` is called in the loop that runs this."""
        self._main, self._tell = asyncio.get_running_loop(), tell
        self._ended = self._main.create_future()
        # A copy of the context, so that the thread's log lines carry the worker's id too.
        context = contextvars.copy_context()
        thread = threading.Thread(target=context.run, args=(self._run,), name="lease keeper", daemon=True)
        thread.start()
        try:
            yield
        finally:
            self._ending = True
            self._in_thread(self._stop)
            _, late = await asyncio.wait([self._ended], timeout=STOP_SECONDS)
            if late:
                log.warning("the keeper of the leases does not end, leaving it behind")
            elif not self._ended.cancelled():
                self._ended.exception()  # whoever watches has it; nobody needs a warning that it was not looked at

    async def watch(self) -> None:
        """Wait for the thread's end. Raises what ended it."""
        assert self._ended is not None, "runs inside `running`"
        await asyncio.shield(self._ended)

    def hold(self, lease: Lease, claimed_at: float) -> None:
        """Keep this lease from now on. `claimed_at` is the `clock` before the claim was sent."""
        until = claimed_at + self._lease_seconds
        for older in self._book.add(lease, until):
            self._tell(older, "lost")
        if self._hurried or until - clock() < self._lease_seconds / 2:
            self.look_now()

    def drop(self, lease: Lease) -> None:
        """Its run has ended."""
        self._book.remove(lease)

    def look_now(self) -> None:
        """Renew at once: somebody asked something of a task."""
        self._in_thread(self._look.set)

    def hurry(self, hurried: bool) -> None:
        """Whether to renew often while tasks run, because no notification would come."""
        self._hurried = hurried
        if hurried:
            self.look_now()

    def surely_held(self, lease: Lease) -> bool:
        """See `LeaseGuard`."""
        until = self._book.until(lease)
        return until is not None and clock() < until

    async def require(self, lease: Lease) -> None:
        """See `LeaseGuard`."""
        try:
            async with asyncio.timeout(2 * self._lease_seconds):
                while not self.surely_held(lease):
                    if self._book.until(lease) is None:
                        raise LeaseLost("the task was given to another worker while this one stood still")
                    await self._next_renewal()
        except TimeoutError:
            raise DatabaseUnavailable(
                f"the lease could not be renewed for {2 * self._lease_seconds:g} s; nothing is begun without it"
            ) from None

    async def _next_renewal(self) -> None:
        """Wait for one that begins after this call."""
        renewed = asyncio.get_running_loop().create_future()
        with self._lock:
            self._waiting.append(renewed)
        self._pulse.beat()
        self.look_now()
        await renewed

    def _in_thread(self, call: Callable[[], None]) -> None:
        loop = self._loop
        if loop is not None:
            # It may end between the look and the call.
            with contextlib.suppress(RuntimeError):
                loop.call_soon_threadsafe(call)

    def _in_main(self, call: Callable[[], None]) -> None:
        assert self._main is not None, "runs inside `running`"
        with contextlib.suppress(RuntimeError):
            self._main.call_soon_threadsafe(call)

    def _deliver(self, news: Sequence[tuple[Lease, News]], waiting: Iterable[asyncio.Future[None]]) -> None:
        for lease, kind in news:
            self._tell(lease, kind)
        for future in waiting:
            if not future.done():
                future.set_result(None)

    # -- the thread ----------------------------------------------------------------------------------------------------

    def _run(self) -> None:
        error: BaseException | None = None
        try:
            asyncio.run(self._keep())
        except asyncio.CancelledError:
            pass
        except BaseException as found:
            error = found
        self._loop = None
        self._in_main(lambda: self._end(error))

    def _end(self, error: BaseException | None) -> None:
        assert self._ended is not None, "runs inside `running`"
        if self._ended.done():
            return
        if error is None:
            self._ended.set_result(None)
        else:
            self._ended.set_exception(error)

    def _stop(self) -> None:
        self._look.set()
        if self._keeping:
            # A call that hangs is not waited for.
            self._keeping.cancel()

    async def _keep(self) -> None:
        self._keeping, self._loop = asyncio.current_task(), asyncio.get_running_loop()
        while not self._ending:
            try:
                # Anew after each failure: a pool of connections would wait longer and longer between its tries.
                async with self._open_store() as store:
                    while not self._ending:
                        await self._rest(await self._renew(store))
            except (psycopg.ProgrammingError, SchemaDiffers):
                raise
            except (AgentRuntimeError, psycopg.Error) as error:
                self._say_unreachable(error)
                await self._rest(AGAIN_SECONDS)

    async def _renew(self, store: Renewing) -> float:
        """Renew everything; returns the seconds until the next time."""
        if not self._pulse.is_felt(ask=lambda: self._in_main(self._pulse.beat)):
            return self._hurry_seconds
        with self._lock:
            waiting, self._waiting = self._waiting, []
        leases, sent, patience = self._book.held(), clock(), max(1.0, self._lease_seconds / 3)
        try:
            async with asyncio.timeout(patience):
                renewals = await store.renew(leases, self._lease_seconds)
        except BaseException as error:
            with self._lock:
                self._waiting += waiting
            if isinstance(error, TimeoutError):
                raise DatabaseUnavailable(f"no answer within {patience:g} s") from None
            raise
        self._say_reachable(sent)
        news = self._book.learn(leases, renewals, sent + self._lease_seconds)
        if news or waiting:
            self._in_main(lambda: self._deliver(news, waiting))
        return self._pause_seconds() if len(renewals) == len(leases) else AGAIN_SECONDS

    def _pause_seconds(self) -> float:
        usual = self._lease_seconds / 3
        if not self._hurried or not self._book.held():
            return usual
        # Not all workers of a fleet at once.
        return min(usual, self._hurry_seconds * random.uniform(0.75, 1.25))  # noqa: S311

    async def _rest(self, seconds: float) -> None:
        if self._ending:
            return
        self._pulse.planned(seconds)
        await asyncio.sleep(min(seconds, BREATH_SECONDS))
        with contextlib.suppress(TimeoutError):
            await asyncio.wait_for(self._look.wait(), max(0.0, seconds - BREATH_SECONDS))
        self._look.clear()

    def _say_unreachable(self, error: Exception) -> None:
        if not self._unreachable and not self._ending:
            log.warning("leases are not renewed, trying again", error=str(error).splitlines()[0])
        self._unreachable = True

    def _say_reachable(self, sent: float) -> None:
        if self._unreachable:
            log.info("leases are renewed again")
        elif self._renewed_at is not None and sent - self._renewed_at > self._lease_seconds:
            log.warning("leases were renewed late: this process stood still", seconds=round(sent - self._renewed_at, 1))
        self._unreachable, self._renewed_at = False, sent
