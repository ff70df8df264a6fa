"""`agent-runtime model-server` as a process of its own."""

from __future__ import annotations

import re
import signal
import socket
import subprocess
import sys
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

import httpx
import pytest

from tests.loopback import LOOPBACK

COMMAND = [sys.executable, "-m", "agent_runtime", "model-server"]


@contextmanager
def started(*arguments: str) -> Iterator[tuple[subprocess.Popen[str], str, str]]:
    process = subprocess.Popen([*COMMAND, *arguments], stdout=subprocess.PIPE, stderr=subprocess.PIPE, text=True)
    with process:
        try:
            assert process.stdout
            what, where = process.stdout.readline(), process.stdout.readline()
            found = re.fullmatch(r"model-server: listening on (http://127\.0\.0\.1:\d+)\n", where)
            assert found, what + where
            yield process, what, found[1]
        finally:
            process.kill()


def run(*arguments: str) -> subprocess.CompletedProcess[str]:
    return subprocess.run([*COMMAND, *arguments], capture_output=True, text=True, check=False, timeout=30)


@pytest.mark.parametrize("number", [signal.SIGTERM, signal.SIGINT])
def test_it_says_what_it_is_answers_and_stops_when_asked(number: signal.Signals) -> None:
    with started("--port", "0") as (process, what, address):
        assert "not a language model" in what
        assert httpx.get(f"{address}/api/tags", **LOOPBACK).json()["models"][0]["name"] == "stand-in:latest"
        process.send_signal(number)
        assert process.wait(timeout=10) == 0
        assert process.stderr
        assert process.stderr.read() == ""


def test_it_follows_a_script(tmp_path: Path) -> None:
    script = tmp_path / "script.yaml"
    script.write_text("models: [{name: mine}]\nturns: [{answer: {text: scripted}}]\n")
    with started("--port", "0", "--script", str(script)) as (_, what, address):
        assert str(script) in what
        body = {"model": "mine", "messages": [{"role": "user", "content": "x"}], "stream": False}
        assert httpx.post(f"{address}/api/chat", json=body, **LOOPBACK).json()["message"]["content"] == "scripted"


def test_a_port_in_use_is_one_line_and_exit_code_2() -> None:
    with socket.create_server(("127.0.0.1", 0)) as taken:
        port = taken.getsockname()[1]
        ended = run("--port", str(port))
    assert ended.returncode == 2
    assert ended.stdout == ""
    assert ended.stderr.count("\n") == 1
    assert f"cannot listen on 127.0.0.1:{port}" in ended.stderr


def test_a_bad_script_is_one_line_and_exit_code_2(tmp_path: Path) -> None:
    (tmp_path / "bad.yaml").write_text("models: 3")
    for path in (tmp_path / "bad.yaml", tmp_path / "none.yaml", tmp_path):
        ended = run("--script", str(path), "--port", "0")
        assert ended.returncode == 2
        assert ended.stderr.count("\n") == 1
        assert str(path) in ended.stderr


def test_a_host_that_is_none_is_one_line_and_exit_code_2() -> None:
    ended = run("--host", "256.1.1.1", "--port", "0")
    assert ended.returncode == 2
    assert ended.stderr.count("\n") == 1


def test_help_has_an_example() -> None:
    assert "Example: agent-runtime model-server" in " ".join(run("--help").stdout.split())
