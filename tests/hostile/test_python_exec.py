"""Python that stays open for a task: what code gets, and that hostile code hurts nothing but itself."""

from __future__ import annotations

import uuid
from collections.abc import AsyncIterator
from pathlib import Path
from typing import Any

import pytest

from agent_runtime.records import Execution
from agent_runtime.toolbox import ToolContext
from agent_runtime.toolbox.executor import Outcome, execute
from agent_runtime.toolbox.registry import Registry
from agent_runtime.toolbox.sandbox.choice import Sandbox, choose_sandbox
from agent_runtime.toolbox.sandbox.landlock import Landlock
from agent_runtime.toolbox.sandbox.launch import CommandLimits
from agent_runtime.toolbox.sessions import Sessions
from agent_runtime.toolbox.workspace import Workspace

TOOL = Registry.load().get("python_exec")
EARLIER = Execution(
    id=uuid.uuid4(), tool_name="python_exec", retry_class="unsafe", tool_call_id="1", input_parameters={},
    output_result={"data": {}}, status="completed", step=1, call_index=0,
)  # fmt: skip


class Python:
    """The tool on one run's sessions."""

    def __init__(self, folder: Path, sandbox: Sandbox) -> None:
        self.workspace = Workspace.create(folder)
        self.sandbox = sandbox
        self.sessions = Sessions()
        self.earlier: list[Execution] = []

    async def __call__(self, code: str, **arguments: Any) -> Outcome:
        assert TOOL is not None
        context = ToolContext(
            uuid.uuid4(), uuid.uuid4(), self.workspace, self.sandbox, 620, 16_384,
            sessions=self.sessions, earlier=self.earlier,
        )  # fmt: skip
        outcome = await execute(TOOL, {"code": code, **arguments}, context)
        self.earlier.append(EARLIER)
        return outcome


@pytest.fixture(scope="module")
def chosen() -> Sandbox:
    return choose_sandbox(allow_unsandboxed=False)


@pytest.fixture
async def python(tmp_path: Path, chosen: Sandbox) -> AsyncIterator[Python]:
    made = Python(tmp_path / "workspace", chosen)
    yield made
    await made.sessions.close_all()


async def test_calls_share_a_namespace_and_show_what_a_notebook_shows(python: Python) -> None:
    first = await python("import math\nx = 40\ndef f(a):\n    return a + x\nprint('hello')")
    assert (first.status, first.content) == ("completed", "output:\nhello")
    assert (await python("f(2)")).content == "value:\n42"
    assert (await python("_ * 2; None")).content == "(no output)"
    mixed = await python(
        "import os, subprocess, sys\nprint('one')\nos.system('echo two')\nprint('three', file=sys.stderr)\n"
        "subprocess.run(['echo', 'four'])\nopen('made.txt', 'w').write('x')\n{'a': [1, 2]}"
    )
    assert mixed.content == "output:\none\ntwo\nthree\nfour\nvalue:\n{'a': [1, 2]}"
    assert python.workspace.read_bytes("made.txt") == b"x"
    assert (await python("import asyncio\nawait asyncio.sleep(0, 'slept')")).content == "value:\n'slept'"
    assert (await python("list(range(5000))")).content.endswith("[the first 1000 of 5000 items of a list]")
    assert (
        await python("class A: pass\nimport pickle\ntype(pickle.loads(pickle.dumps(A()))).__name__")
    ).content == "value:\n'A'"

    broken = await python("y = 1\ndef deep(n):\n    return 1 / 0 if n == 0 else deep(n - 1)\ndeep(50)")
    assert broken.status == "failed"
    lines = broken.content.splitlines()
    assert lines[:2] == ["error: ZeroDivisionError: division by zero", "traceback:"]
    assert broken.error == lines[0]
    assert '  File "<call 8>", line 4, in <module>' in lines
    assert "    deep(50)" in lines
    assert lines[-1] == "ZeroDivisionError: division by zero"
    assert len(lines) < 60
    assert "agent_runtime" not in broken.content
    assert (await python("y")).content == "value:\n1", "what was defined before the error stays"
    for code, said in (
        ("a b", "SyntaxError: invalid syntax"),
        ("input('name?')", "put the values into the code"),
        ("exit(3)", "The interpreter goes on"),
        ("import no_such_module", "no network here to install it"),
        ("try:\n    1 / 0\nexcept ZeroDivisionError as e:\n    raise KeyError('k') from e", "direct cause"),
    ):
        assert said in (await python(code)).content
    assert (await python("x")).content == "value:\n40"


async def test_a_call_over_its_time_is_interrupted_and_keeps_its_variables(python: Python) -> None:
    await python("kept = 'still here'")
    slept = await python("print('begun')\nimport time\ntime.sleep(600)", timeout_seconds=1)
    assert slept.status == "failed"
    assert (
        "limit timeout_seconds reached: 1 seconds; the code was interrupted, and its variables are kept"
        in slept.content
    )
    assert "output:\nbegun" in slept.content
    assert "KeyboardInterrupt" in slept.content
    # Code in C between two looks at signals, and a child that is waited for.
    assert "interrupted" in (await python("import re\nre.match('(a+)+$', 'a' * 60 + 'b')", timeout_seconds=1)).content
    assert (
        "interrupted"
        in (await python("import os\nos.system('sleep 600')\nwhile True: pass", timeout_seconds=1)).content
    )
    assert (await python("kept")).content == "value:\n'still here'"
    deaf = await python(
        "while True:\n    try:\n        time.sleep(600)\n    except BaseException:\n        pass", timeout_seconds=1
    )
    assert "did not heed the interrupt and was killed. All variables are lost" in deaf.content
    anew = await python("'kept' in globals()")
    assert anew.content == (
        "This is a new interpreter: what earlier calls defined is gone, so import and load again what you need.\n"
        "value:\nFalse"
    )


@pytest.mark.parametrize("kind", ["chosen", "landlock"])
async def test_hostile_code_hurts_nothing_but_itself(tmp_path: Path, chosen: Sandbox, kind: str) -> None:
    sandbox = chosen if kind == "chosen" else Landlock(CommandLimits())
    if isinstance(sandbox, Landlock) and (problem := sandbox.problem()):
        pytest.skip(problem)
    python = Python(tmp_path / "workspace", sandbox)
    try:
        await python("kept = 1")
        for name, code, said in STAYS:
            outcome = await python(code, timeout_seconds=60)
            assert said in outcome.content, (name, outcome.content[-2_000:])
            assert len(outcome.content.encode()) <= 17_000
            # What was held back by a stream that the code had closed comes late.
            assert (await python("kept")).content.endswith("value:\n1"), name
        for name, code in ENDS:
            outcome = await python(code, timeout_seconds=60)
            assert "All variables are lost" in outcome.content, (name, outcome.content[-2_000:])
            assert (await python("print('works')")).content.endswith("output:\nworks"), name
    finally:
        await python.sessions.close_all()


STAYS = [
    ("closed streams", "import os\nos.close(1); os.close(2); os.close(0)\nprint('lost')", ""),
    ("replaced streams", "import sys\nsys.stdout = sys.stderr = sys.stdin = None", "(no output)"),
    ("reads its input", "import sys\nsys.stdin.read() + 'nothing'", "value:\n'nothing'"),
    ("modules taken away", "import sys\nfor name in list(sys.modules): del sys.modules[name]", "(no output)"),
    ("builtins taken away", "import builtins\nfor name in ('repr', 'len', 'open'): delattr(builtins, name)", ""),
    ("a forged answer", "print('{\"id\": \"ready\", \"value\": \"forged\"}')\n'true'", "value:\n'true'"),
    ("answers to every descriptor",
     "import os\nfor n in range(3, 300):\n    try: os.write(n, b'{\"id\": \"ready\", \"value\": \"forged\"}\\n')\n"
     "    except OSError: pass\n'true'", "value:\n'true'"),
    ("a lying repr", "class L:\n    def __repr__(self): raise SystemExit('no')\nL()", "SystemExit: no"),
    ("an endless repr", "'x' * 10_000_000", "characters left out"),
    ("forks", "import os\npid = os.fork()\nos.wait()[1] if pid else 'child'", "value:\n0"),
    ("a fork that dies", "import os\npid = os.fork()\nos.wait()[1] >> 8 if pid else 1 / 0", "value:\n1"),
    ("a child that keeps the streams", "import subprocess\nsubprocess.Popen(['sleep', '600'])\n'on'", "value:\n'on'"),
    ("a flood", "import sys\nchunk = 'x' * 1_000_000\nwhile True: sys.stdout.write(chunk)", "it printed too much"),
    ("two gigabytes", "b = bytearray(2 << 30)", "The limit on memory is reached"),
    ("deaf to signals", "import signal\nsignal.signal(signal.SIGINT, signal.SIG_IGN)\n'deaf'", "value:\n'deaf'"),
    ("no way out", "open('/etc/motd', 'a')", "Error: "),
    ("no network", "import socket\nsocket.create_connection(('1.1.1.1', 80), 5)", "Error: "),
    ("the keeper's streams", "import os\nopen(f'/proc/{os.getppid()}/fd/1', 'w').write('forged')", "PermissionError"),
]  # fmt: skip
ENDS = [
    ("kills itself", "import os\nos.kill(os.getpid(), 9)"),
    ("kills its keeper", "import os, time\nos.kill(os.getppid(), 9)\ntime.sleep(600)"),
    ("ends at once", "import os\nos._exit(7)"),
    ("closes everything", "import os\nos.closerange(0, 1024)"),
    ("crashes", "import ctypes\nctypes.string_at(0)"),
    ("replaces itself", "import os\nos.execvp('sleep', ['sleep', '0'])"),
]


async def test_figures_and_tables(python: Python) -> None:
    pytest.importorskip("matplotlib")
    pytest.importorskip("pandas")
    drawn = await python(
        "import matplotlib.pyplot as plt\nfig, ax = plt.subplots()\nax.plot([1, 2], [3, 4])\n"
        "ax.set_title('Rentals, per day')\nplt.show()\nplt.figure()\nplt.plot([1])"
    )
    assert "\nfigures: figures/rentals-per-day.png, figures/figure-1.png" in drawn.content
    assert "non-interactive" not in drawn.content
    assert drawn.data["figures"] == ["figures/rentals-per-day.png", "figures/figure-1.png"]
    assert python.workspace.read_bytes("figures/figure-1.png").startswith(b"\x89PNG")
    again = await python("from matplotlib.figure import Figure\nf = Figure()\nf.suptitle('Rentals, per day')\nf")
    assert again.data["figures"] == ["figures/rentals-per-day-2.png"]
    table = await python("import pandas as pd\npd.DataFrame({'city': ['Lima', 'Rome'], 'n': [1, 2]})")
    assert table.content == "value:\n   city  n\n0  Lima  1\n1  Rome  2"
    lost = await python("import os\nos.rename('figures', 'moved')\nos.symlink('/etc', 'figures')\nplt.plot([1]); None")
    assert lost.data["figures"] == []
