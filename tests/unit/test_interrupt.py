"""A run that missed a cancellation is asked again, and one that has heard is left in peace."""

from __future__ import annotations

import asyncio

from agent_runtime import interrupt
from agent_runtime.interrupt import Interrupt, cancel_all


async def deaf(times: int, asked: list[int]) -> None:
    """Misses the first cancellations, as a pool's connection that is ready in that moment makes its user miss them."""
    while True:
        try:
            await asyncio.Event().wait()
        except asyncio.CancelledError:
            asked.append(1)
            if len(asked) > times:
                raise


async def test_a_missed_cancellation_is_repeated() -> None:
    asked: list[int] = []
    stop = Interrupt()

    async def work() -> None:
        stop.attach()
        await deaf(1, asked)

    task = asyncio.create_task(work())
    await asyncio.sleep(0)
    stop.ask("cancelled")
    async with asyncio.timeout(60):
        await asyncio.wait([task])
    assert task.cancelled()
    assert len(asked) == 2


async def test_who_has_heard_is_not_asked_again_while_it_cleans_up() -> None:
    stop = Interrupt()
    cleaned = asyncio.Event()

    async def work() -> None:
        stop.attach()
        try:
            await asyncio.Event().wait()
        except asyncio.CancelledError:
            assert stop.heard() == "shutdown"
            await asyncio.sleep(1.5 * interrupt.ASK_AGAIN_SECONDS)
            cleaned.set()

    task = asyncio.create_task(work())
    await asyncio.sleep(0)
    stop.ask("shutdown")
    await task
    assert cleaned.is_set()


async def test_who_was_asked_before_its_first_step_hears_it_where_it_cleans_up() -> None:
    stop = Interrupt()
    reasons: list[str | None] = []

    async def work() -> None:
        try:
            stop.attach()
            await asyncio.Event().wait()
        except asyncio.CancelledError:
            reasons.append(stop.heard())

    task = asyncio.create_task(work())
    stop.ask("shutdown")
    await task
    assert reasons == ["shutdown"]


async def test_the_first_reason_counts_but_for_a_lost_lease() -> None:
    stop = Interrupt()
    stop.ask("cancelled")
    stop.ask("shutdown")
    assert stop.heard() == "cancelled"
    stop.ask("lost")
    assert stop.heard() == "lost"


async def test_duties_that_miss_a_cancellation_end_all_the_same() -> None:
    asked: list[int] = []
    task = asyncio.create_task(deaf(2, asked))
    await asyncio.sleep(0)
    await cancel_all([task])
    assert task.cancelled()
