"""What `tools new` writes: a tool that works, and a test of it that passes."""

from __future__ import annotations

import keyword
import re
from pathlib import Path

from agent_runtime import resources
from agent_runtime.errors import InvalidInput

_NAME = re.compile(r"[a-z][a-z0-9_]{0,63}")

_TOOL = '''"""{title}."""

from __future__ import annotations

from pydantic import BaseModel, ConfigDict, Field

from agent_runtime.toolbox import ToolContext, ToolRefused, ToolResult, tool


class Arguments(BaseModel):
    model_config = ConfigDict(extra="forbid")

    path: str = Field(description="A text file, relative to the workspace.")


@tool(display_name="{title}", category="custom", security_level="moderate", retry_class="pure")
async def {name}(arguments: Arguments, context: ToolContext) -> ToolResult:
    """Count the words of a text file of the workspace.

    This is all that the model knows of the tool: say what it does, when to use it, and where it ends.
    """
    words = context.workspace.read_bytes(arguments.path).decode(errors="replace").split()
    if not words:
        raise ToolRefused(f"{{arguments.path!r}} is empty; name a file with words in it")
    return ToolResult(content=f"{{len(words)}} words", data={{"words": len(words)}})
'''

_TEST = '''"""{name}, called as a worker calls it: python -m unittest {path}"""

from __future__ import annotations

import tempfile
import unittest
from pathlib import Path

from agent_runtime.toolbox.alone import run_alone
from agent_runtime.toolbox.executor import Outcome
from agent_runtime.toolbox.registry import Registry

TOOLS = Path(__file__).resolve().parents[1]


class {kind}(unittest.IsolatedAsyncioTestCase):
    async def call(self, content: str, **arguments: object) -> Outcome:
        tool = Registry.load([TOOLS]).get("{name}")
        assert tool is not None
        with tempfile.TemporaryDirectory() as folder:
            (Path(folder) / "words.txt").write_text(content)
            return await run_alone(tool, arguments, Path(folder))

    async def test_it_does_its_work(self) -> None:
        outcome = await self.call("one two three", path="words.txt")
        self.assertEqual((outcome.status, outcome.content), ("completed", "3 words"))

    async def test_what_it_cannot_do_is_refused_with_a_remedy(self) -> None:
        for content, arguments in (("", {{"path": "words.txt"}}), ("one", {{"path": "../words.txt"}}), ("one", {{}})):
            outcome = await self.call(content, **arguments)
            self.assertEqual(outcome.status, "failed")


if __name__ == "__main__":
    unittest.main()
'''


def make_tool_files(name: str, folder: Path) -> tuple[Path, Path]:
    """Write `NAME.py` and `tests/test_NAME.py` into `folder`, which is made if need be. Nothing is overwritten.

    Raises `InvalidInput` for a name that a tool cannot have, and for files that are there.
    """
    if not _NAME.fullmatch(name) or keyword.iskeyword(name):
        raise InvalidInput(
            f"{name[:80]!r} cannot be a tool's name: small letters, digits and _, at most 64, no keyword"
        )
    if (resources.builtin_tools() / f"{name}.py").exists():
        raise InvalidInput(f"there is a built-in tool {name}: choose another name")
    if folder.resolve() == resources.builtin_tools().resolve():
        raise InvalidInput(f"{folder} is the folder of the built-in tools: choose another by --folder")
    made = folder / f"{name}.py", folder / "tests" / f"test_{name}.py"
    for file in made:
        if file.exists():
            raise InvalidInput(f"{file} is there already, and was left as it is")
    title = name.replace("_", " ").capitalize()
    kind = "".join(part.capitalize() for part in name.split("_")) + "Test"
    try:
        made[1].parent.mkdir(parents=True, exist_ok=True)
        made[0].write_text(_TOOL.format(name=name, title=title))
        made[1].write_text(_TEST.format(name=name, kind=kind, path=made[1]))
    except OSError as error:
        raise InvalidInput(f"{error.filename}: {error.strerror}") from None
    return made
