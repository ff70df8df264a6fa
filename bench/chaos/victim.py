"""`python -m bench.chaos.victim`: processes of the real `agent-runtime run`, each of which kills itself with SIGKILL.

It reads orders, a line of JSON each, and answers with the process id and the exit code of the process that followed it:

    rehearse                      dies nowhere; writes down which places a run passes
    before record_turn 2          dies before the run's second call of record_turn
    after finish_execution 1      dies when the database has committed, before the answer is used

Each order is followed in a process of its own, forked from this one before it has done anything but import, which saves
each of hundreds of workers the second that the imports take.

The product has no hooks for this: the methods of its classes are wrapped here. Every method of `Store` that takes a
lease is a place, whatever methods there are, and so are the claim, an upload to Storage, and the effect of a tool.
"""

from __future__ import annotations

import ctypes
import functools
import importlib
import inspect
import json
import os
import signal
import sys
from collections import Counter
from collections.abc import Awaitable, Callable
from dataclasses import dataclass
from typing import Any, Literal, NoReturn, cast

from agent_runtime.cli import main
from agent_runtime.db.store import Store
from agent_runtime.storage import Storage
from bench.chaos import effects

Moment = Literal["before", "after"]

PR_SET_PDEATHSIG = 1

PASSED = "passed"
"""The harness's file of places: `task moment place n`."""
DIED = "died"
"""The harness's file of deaths: `pid task moment place n`."""


class Watch:
    """Counts how often the run passes each place, and kills this process at one."""

    def __init__(self, moment: str, place: str = "", number: int = 0) -> None:
        """`moment` is before, after or rehearse."""
        self._moment, self._place, self._number = moment, place, number
        self._counts: Counter[str] = Counter()
        self._task = "-"

    def claimed(self, task: str) -> None:
        """A run begins: its places are counted from 1."""
        self._counts.clear()
        self._task = task

    def before(self, place: str) -> int:
        """Returns which time it is."""
        self._counts[place] += 1
        self._passed("before", place, self._counts[place])
        return self._counts[place]

    def after(self, place: str, number: int) -> None:
        self._passed("after", place, number)

    def _passed(self, moment: Moment, place: str, number: int) -> None:
        if self._moment == "rehearse":
            effects.note(PASSED, f"{self._task} {moment} {place} {number}")
        elif (self._moment, self._place, self._number) == (moment, place, number):
            effects.note(DIED, f"{os.getpid()} {self._task} {moment} {place} {number}")
            _die()


def arm(watch: Watch) -> None:
    """Wrap every place."""
    for name in places_of_the_store():
        _wrap(Store, name, watch)
    _wrap(Storage, "upload", watch)
    _wrap_effect(watch)
    _wrap_claim(watch)


def places_of_the_store() -> list[str]:
    """The methods that act on one leased task."""
    return [
        name
        for name, method in vars(Store).items()
        if not name.startswith("_")
        and inspect.iscoroutinefunction(method)
        and "lease" in inspect.signature(method).parameters
    ]


def _wrap(owner: type, name: str, watch: Watch) -> None:
    method = cast("Callable[..., Awaitable[Any]]", getattr(owner, name))

    @functools.wraps(method)
    async def watched(*arguments: Any, **named: Any) -> Any:
        number = watch.before(name)
        answer = await method(*arguments, **named)
        watch.after(name, number)
        return answer

    setattr(owner, name, watched)


def _wrap_claim(watch: Watch) -> None:
    claim = Store.claim

    async def watched(self: Store, limit: int, lease_seconds: float) -> Any:
        watch.before("claim")
        tasks = await claim(self, limit, lease_seconds)
        for task in tasks:
            watch.claimed(str(task.id))
            watch.after("claim", 1)
        return tasks

    Store.claim = watched  # type: ignore[method-assign]


def _wrap_effect(watch: Watch) -> None:
    apply = effects.apply

    def watched(*arguments: Any, **named: Any) -> None:
        number = watch.before("effect")
        apply(*arguments, **named)
        watch.after("effect", number)

    effects.apply = watched


def _die() -> NoReturn:
    os.kill(os.getpid(), signal.SIGKILL)
    raise AssertionError("unreachable: nobody survives SIGKILL")


@dataclass(frozen=True)
class Order:
    """One line of the input."""

    point: str
    environment: dict[str, str]
    home: str
    """The process's folder; its log goes there."""


def follow(order: Order) -> tuple[int, int]:
    """The id and the exit code (negative for a signal) of the process that did."""
    pid = os.fork()
    if pid == 0:
        try:
            _be_the_worker(order)
        finally:
            os._exit(70)  # nothing of this process may go on in two
    _, status = os.waitpid(pid, 0)
    return pid, os.waitstatus_to_exitcode(status)


def _be_the_worker(order: Order) -> None:
    _die_with_the_parent()
    os.chdir(order.home)
    os.environ.update(order.environment)
    log = os.open("worker.log", os.O_WRONLY | os.O_CREAT | os.O_APPEND, 0o600)
    os.dup2(os.open(os.devnull, os.O_RDONLY), 0)
    os.dup2(log, 1)
    os.dup2(log, 2)
    moment, *place = order.point.split()
    arm(Watch(moment, place[0], int(place[1])) if place else Watch(moment))
    sys.argv = ["agent-runtime", "run", "--drain", "--concurrency", "1"]
    try:
        main()
    except SystemExit as end:
        os._exit(end.code if isinstance(end.code, int) else 0)


def _die_with_the_parent() -> None:
    if sys.platform == "linux":
        ctypes.CDLL(None).prctl(PR_SET_PDEATHSIG, signal.SIGKILL)


if __name__ == "__main__":
    # What the command imports when it runs.
    for module in ("agent_runtime.cli.commands", "agent_runtime.worker", "agent_runtime.log", "ollama", "supabase"):
        importlib.import_module(module)
    for line in sys.stdin:
        print(*follow(Order(**json.loads(line))), flush=True)
