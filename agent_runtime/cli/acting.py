"""Running a command as the person who is signed in."""

from __future__ import annotations

import asyncio
from collections.abc import Awaitable, Callable
from typing import TYPE_CHECKING, TypeVar
from uuid import UUID

from rich.console import Console
from rich.text import Text

from agent_runtime.cli.output import one_line
from agent_runtime.errors import InvalidInput

if TYPE_CHECKING:
    from agent_runtime.person.client import Person

T = TypeVar("T")


def as_person(work: Callable[[Person], Awaitable[T]]) -> T:
    """Do `work` as the signed-in person. Raises `ConfigError` when nobody is signed in."""
    # supabase takes about a second to import: not before it is known that somebody is signed in.
    from agent_runtime.person import session

    kept = session.load()

    async def main() -> T:
        from agent_runtime.person.client import Person

        async with Person(kept) as person:
            return await work(person)

    try:
        return asyncio.run(main())
    except BrokenPipeError:
        raise
    except OSError as error:
        # A full disk, a folder that cannot be written: the person's to mend.
        where = f"{error.filename}: " if error.filename else ""
        raise InvalidInput(f"{where}{error.strerror or error}") from None


def parse_id(text: str, what: str = "task", *, shown_by: str = "tasks list") -> UUID:
    """Raises `InvalidInput` naming what was given, and the command that shows ids of that kind."""
    try:
        return UUID(text.strip())
    except ValueError:
        raise InvalidInput(
            f"{one_line(text, 60)!r} is not the id of a {what}: `agent-runtime {shown_by}` shows them"
        ) from None


async def say_if_nobody_works(person: Person, console: Console) -> bool:
    """Say so, with the remedy, when no worker is alive. True when it was said."""
    if (await person.runtime_status()).get("workers"):
        return False
    remedy = "No worker is alive, so nothing happens yet: start one with `agent-runtime up` or `agent-runtime run`."
    console.print(Text(remedy, style="yellow"))
    return True
