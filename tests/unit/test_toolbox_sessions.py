from __future__ import annotations

import asyncio

from agent_runtime.toolbox.sessions import Sessions


class Lamp:
    def __init__(self, *, breaks: bool = False) -> None:
        self.closed = 0
        self._breaks = breaks

    async def close(self) -> None:
        self.closed += 1
        if self._breaks:
            raise OSError("it burst")


async def test_whoever_asks_meanwhile_waits_for_the_same_session() -> None:
    sessions, made, light = Sessions(), [], asyncio.Event()

    async def make() -> Lamp:
        await light.wait()
        made.append(Lamp())
        return made[-1]

    asked = [asyncio.create_task(sessions.get("lamp", Lamp, make)) for _ in range(3)]
    await asyncio.sleep(0)
    light.set()
    assert [await one for one in asked] == [made[0]] * 3
    assert sessions.keys() == ["lamp"]


async def test_all_are_closed_whatever_becomes_of_one() -> None:
    sessions, lamps = Sessions(), [Lamp(breaks=True), Lamp()]
    for number, lamp in enumerate(lamps):

        async def make(lamp: Lamp = lamp) -> Lamp:
            return lamp

        await sessions.get(f"lamp:{number}", Lamp, make)
    await sessions.close_all()
    assert [lamp.closed for lamp in lamps] == [1, 1]
    assert sessions.keys() == []
    assert not await sessions.close("lamp:0")
