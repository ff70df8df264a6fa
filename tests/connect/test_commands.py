"""Tools of one's own by commands: made, tested, run from a file or a row, without a database."""

from __future__ import annotations

import io
import json
import subprocess
import sys
from collections.abc import Callable
from pathlib import Path

import pytest

from agent_runtime.cli import main

Run = Callable[..., tuple[int, str, str]]


@pytest.fixture
def run(capsys: pytest.CaptureFixture[str], monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> Run:
    """Type a command in a folder of the test: exit code, what was printed, and the error."""
    for name in ("DATABASE_URL", "AGENT_RUNTIME_TOOLS_PATH"):
        monkeypatch.delenv(name, raising=False)
    monkeypatch.chdir(tmp_path)

    def type_it(*arguments: str) -> tuple[int, str, str]:
        monkeypatch.setattr(sys, "argv", ["agent-runtime", *arguments])
        monkeypatch.setattr(sys, "stdin", io.StringIO())
        code = 0
        try:
            main()
        except SystemExit as end:
            code = int(end.code or 0)
        printed = capsys.readouterr()
        return code, printed.out, printed.err

    return type_it


def test_a_new_tool_has_a_test_that_passes_and_runs_as_the_runtime_would(run: Run, tmp_path: Path) -> None:
    code, out, _ = run("tools", "new", "count_words")
    assert code == 0
    assert "python -m unittest agent_tools/tests/test_count_words.py" in out
    passed = subprocess.run(
        [sys.executable, "-m", "unittest", "agent_tools/tests/test_count_words.py"],
        capture_output=True, text=True, check=False,
    )  # fmt: skip
    assert passed.returncode == 0, passed.stderr
    assert "Ran 2 tests" in passed.stderr
    (tmp_path / "work").mkdir()
    (tmp_path / "work" / "a.txt").write_text("one two")
    given = ("--folder", "agent_tools", "--workspace", "work", "--json", "--args")
    code, out, _ = run("tools", "test", "count_words", *given, '{"path": "a.txt"}')
    assert (code, json.loads(out)["content"], json.loads(out)["data"]) == (0, "2 words", {"words": 2})
    code, out, _ = run("tools", "test", "count_words", *given, '{"path": "../a.txt"}')
    assert (code, json.loads(out)["status"]) == (1, "failed")
    # Nothing is overwritten, and no name is taken that a tool cannot have.
    for name, why in (
        ("count_words", "is there already"), ("file_read", "there is a built-in tool"),
        ("Über", "cannot be a tool's name"), ("class", "cannot be a tool's name"), ("../x", "cannot be a tool's name"),
    ):  # fmt: skip
        code, _, error = run("tools", "new", name)
        assert (code, error.count("\n")) == (2, 1)
        assert why in error


ROW = """
name: shout
type: python
description: Say it louder.
parameters: {type: object, properties: {text: {type: string}}, required: [text]}
code: print(arguments["text"].upper())
"""


def test_a_row_in_a_file_runs_before_it_is_added(run: Run, tmp_path: Path) -> None:
    (tmp_path / "shout.yaml").write_text(ROW)
    code, out, _ = run("tools", "test", "shout.yaml", "--args", '{"text": "ñu"}')
    assert (code, out.splitlines()[0]) == (0, "ÑU")
    assert run("tools", "test", "shout.yaml")[0] == 1
    for text, why in (
        ("name: [", "is neither YAML nor JSON"),
        ("[]", "the top: Input should be"),
        (ROW + "more: 1", "more: Extra inputs"),
        (ROW.replace("name: shout", "name: Shout"), "name: String should match"),
        (ROW + "category: control", "category: Value error, control tools are part of the loop"),
        (ROW.replace("code:", "display_name:"), "needs its program as `code`"),
        (ROW.replace("type: python", "type: shell"), "tool shout: config.command: Field required"),
        (ROW + 'config: {environment: {A: "{{credential:a}}"}}', "needs the credential a, which is in the vault"),
    ):
        (tmp_path / "bad.yaml").write_text(text)
        code, _, error = run("tools", "test", "bad.yaml")
        assert (code, error.count("\n")) == (2, 1), error
        assert why in error
    for arguments, why in (
        (("test", "none.yaml"), "none.yaml: No such file"),
        (("test", "none"), "there is no tool file 'none'"),
        (("test", "file_list", "--args", "["), "not JSON"),
        (("test", "file_list", "--workspace", "none"), "none is not a folder"),
        (("add", "shout.yaml"), "DATABASE_URL is missing"),
    ):
        code, _, error = run("tools", *arguments)
        assert (code, error.count("\n")) == (2, 1), error
        assert why in error
