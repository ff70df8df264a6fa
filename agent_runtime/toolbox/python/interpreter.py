"""Runs the code of one call after the other in one namespace, inside the sandbox.

Run by the keeper as `python3 -c INTERPRETER REQUESTS REPLIES`, two descriptors. It imports the standard library alone.
What code does to this process is its own affair: the worker believes nothing of its replies but that they are text.
"""

from __future__ import annotations

import ast
import asyncio
import builtins
import fcntl
import inspect
import io
import itertools
import json
import linecache
import os
import re
import signal
import sys
import traceback
import types
import warnings
from contextlib import suppress
from typing import Any

VALUE_LIMIT = 50_000
ITEMS_LIMIT = 1_000
FRAMES_LIMIT = 12
FIGURES_LIMIT = 20
FIGURES_FOLDER = "figures"
_DATA_STACK = ("numpy", "pandas", "matplotlib", "openpyxl")
_OWN_BUILTINS = dict(vars(builtins))
_OWN_MODULES = dict(sys.modules)
_FLAGS = ast.PyCF_ALLOW_TOP_LEVEL_AWAIT


class Interpreter:
    """One namespace, and the streams that its code sees."""

    def __init__(self) -> None:
        self._module = types.ModuleType("__main__")
        self._module.__dict__["__builtins__"] = builtins
        self._calls = 0
        self._pid = os.getpid()
        self._streams = [fcntl.fcntl(number, fcntl.F_DUPFD_CLOEXEC, 100) for number in (0, 1, 2)]
        self._loop: asyncio.AbstractEventLoop | None = None
        warnings.filterwarnings("ignore", message=".*is non-interactive, and thus cannot be shown")

    def run(self, code: str) -> dict[str, Any]:
        """Run one call's code: the text of its last expression, its error, and the figures that it drew."""
        self._calls += 1
        self._set_right()
        reply: dict[str, Any] = {"value": None, "error": None, "summary": None, "figures": []}
        try:
            value = self._execute(code, f"<call {self._calls}>")
            if os.getpid() != self._pid:
                # A child that the code forked, on its way through here.
                os._exit(0)
            reply["figures"] = self._save_figures(value)
            if value is not None:
                self._module.__dict__["_"] = value
                reply["value"] = _text_of(value)
        except BaseException as error:
            if os.getpid() != self._pid:
                os._exit(1)
            vars(builtins).update(_OWN_BUILTINS)
            reply["error"], reply["summary"] = _explain(error), _summary(error)
        vars(builtins).update(_OWN_BUILTINS)
        for stream in (sys.stdout, sys.stderr):
            with suppress(Exception):
                stream.flush()
        return reply

    def _set_right(self) -> None:
        """Whatever the last call closed or replaced."""
        for number, kept in enumerate(self._streams):
            os.dup2(kept, number)
        sys.stdin = io.TextIOWrapper(io.FileIO(0, closefd=False), encoding="utf-8")
        sys.stdout, sys.stderr = (
            io.TextIOWrapper(
                io.BufferedWriter(io.FileIO(number, "w", closefd=False)),
                encoding="utf-8",
                errors="backslashreplace",
                line_buffering=True,
            )
            for number in (1, 2)
        )
        sys.modules.update(_OWN_MODULES)
        sys.modules["__main__"] = self._module
        signal.signal(signal.SIGINT, signal.default_int_handler)

    def _execute(self, code: str, name: str) -> Any:
        linecache.cache[name] = (len(code), None, code.splitlines(keepends=True), name)
        tree = ast.parse(code, name)
        last = tree.body.pop() if tree.body and isinstance(tree.body[-1], ast.Expr) else None
        self._evaluate(compile(tree, name, "exec", flags=_FLAGS))
        if not isinstance(last, ast.Expr):
            return None
        return self._evaluate(compile(ast.Expression(last.value), name, "eval", flags=_FLAGS))

    def _evaluate(self, code: types.CodeType) -> Any:
        value = eval(code, self._module.__dict__)  # noqa: S307 - that is what this is for
        if code.co_flags & inspect.CO_COROUTINE:
            if self._loop is None or self._loop.is_closed():
                self._loop = asyncio.new_event_loop()
            return self._loop.run_until_complete(value)
        return value

    def _save_figures(self, value: Any) -> list[str]:
        """Save the figures that are open, and one that is the last value; they are closed then, as a notebook does."""
        pyplot = sys.modules.get("matplotlib.pyplot")
        if pyplot is None:
            return []
        figures = [pyplot.figure(number) for number in pyplot.get_fignums()]
        if type(value).__name__ == "Figure" and hasattr(value, "savefig") and value not in figures:
            figures.append(value)
        saved = []
        os.makedirs(FIGURES_FOLDER, exist_ok=True)  # noqa: PTH103
        for figure in figures[:FIGURES_LIMIT]:
            path = _path_for(figure)
            figure.savefig(path, dpi=110, bbox_inches="tight")
            saved.append(path)
        pyplot.close("all")
        return saved


def _path_for(figure: Any) -> str:
    titles = [str(figure.get_label()), figure.get_suptitle() if hasattr(figure, "get_suptitle") else ""]
    titles += [str(axes.get_title()) for axes in figure.axes]
    title = next((title for title in titles if title), "")
    slug = re.sub(r"[^\w]+", "-", title.lower()).strip("-")[:60] or "figure"
    for number in itertools.count(1):
        name = slug if number == 1 and slug != "figure" else f"{slug}-{number}"
        path = f"{FIGURES_FOLDER}/{name}.png"
        if not os.path.lexists(path):
            break
    return path


def _text_of(value: Any) -> str:
    """A value as a person at a prompt sees it; tables as tables, and of what is long the beginning."""
    if pandas := sys.modules.get("pandas"):
        with suppress(Exception):
            pandas.set_option("display.width", 200, "display.max_columns", 40)
    if isinstance(value, (list, tuple, set, frozenset, dict)) and len(value) > ITEMS_LIMIT:
        items: Any = itertools.islice(value.items() if isinstance(value, dict) else value, ITEMS_LIMIT)
        items = dict(items) if isinstance(value, dict) else list(items)
        return f"{_cut(repr(items))}\n[the first {ITEMS_LIMIT} of {len(value)} items of a {type(value).__name__}]"
    return _cut(repr(value))


def _cut(text: str) -> str:
    if len(text) <= VALUE_LIMIT:
        return text
    return f"{text[:VALUE_LIMIT]}\n[... {len(text) - VALUE_LIMIT} characters left out ...]"


def _explain(error: BaseException) -> str:
    """The traceback from the code's own first line on, shortened, and what helps where something is known to."""
    explained = traceback.TracebackException.from_exception(error, limit=-200)
    seen: set[int] = set()
    part: traceback.TracebackException | None = explained
    while part is not None and id(part) not in seen:
        seen.add(id(part))
        frames = part.stack
        own = next((number for number, frame in enumerate(frames) if frame.filename.startswith("<call ")), len(frames))
        frames[:own] = []
        if len(frames) > FRAMES_LIMIT:
            half = FRAMES_LIMIT // 2
            frames[half:-half] = []
        part = part.__cause__ or part.__context__
    text = _cut("".join(explained.format()).rstrip())
    return f"{text}\n{hint}" if (hint := _hint(error)) else text


def _summary(error: BaseException) -> str:
    return _cut("".join(traceback.format_exception_only(error)).strip().splitlines()[-1])


def _hint(error: BaseException) -> str:
    if isinstance(error, ModuleNotFoundError) and error.name:
        if error.name.split(".")[0] in _DATA_STACK:
            return (
                f"({error.name} is not installed on this worker. Its operator adds numpy, pandas, matplotlib and "
                "openpyxl with: pip install 'agent-runtime[data]'. The standard library is there: csv, sqlite3, "
                "statistics.)"
            )
        return f"({error.name} is not installed, and there is no network here to install it: do without it.)"
    if isinstance(error, EOFError):
        return "(Nobody can answer input() here: put the values into the code.)"
    if isinstance(error, SystemExit):
        return "(The interpreter goes on; code need not end with exit().)"
    if isinstance(error, MemoryError):
        return "(The limit on memory is reached: work in smaller parts, and delete what is no longer needed.)"
    return ""


def _answer(descriptor: int, reply: dict[str, Any]) -> None:
    content = (json.dumps(reply) + "\n").encode("utf-8", "replace")
    while content:
        content = content[os.write(descriptor, content) :]


def main() -> None:
    # Out of the way of code that closes or writes to low numbers, and not for its children.
    requests, replies = (fcntl.fcntl(int(given), fcntl.F_DUPFD_CLOEXEC, 200) for given in sys.argv[1:3])
    for given in sys.argv[1:3]:
        os.close(int(given))
    sys.argv = [""]
    interpreter = Interpreter()
    _answer(replies, {"id": "ready"})
    pending = b""
    while True:
        with suppress(KeyboardInterrupt):
            while b"\n" not in pending:
                chunk = os.read(requests, 65_536)
                if not chunk:
                    return
                pending += chunk
            line, _, pending = pending.partition(b"\n")
            request = json.loads(line)
            # An interrupt that comes late, when the code has ended, must not end this loop.
            reply = interpreter.run(request["code"])
            signal.signal(signal.SIGINT, signal.SIG_IGN)
            _answer(replies, {"id": request["id"], **reply})


if __name__ == "__main__":
    main()
