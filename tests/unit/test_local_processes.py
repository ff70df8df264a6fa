"""Processes on record: started, stopped, found again, and never somebody else's."""

from __future__ import annotations

import os
import shutil
import signal
import subprocess
import sys
from pathlib import Path

import psutil
import pytest

from agent_runtime.errors import ConfigError, Unavailable
from agent_runtime.local.processes import LOGS_KEPT, Child, Program, last_words, rotate, stop_left_behind
from agent_runtime.local.state_file import read_state, write_state

SLEEP = [shutil.which("sleep") or "sleep", "600"]
STUBBORN = [
    sys.executable,
    "-c",
    "import signal, time; signal.signal(signal.SIGTERM, signal.SIG_IGN); print('ready', flush=True); time.sleep(600)",
]


def program(argv: list[str], *, stop_seconds: float = 5.0) -> Program:
    return Program("part", argv, {"PATH": os.defpath}, stop_seconds=stop_seconds)


async def start(argv: list[str], folder: Path, *, stop_seconds: float = 5.0) -> Child:
    return await Child.start(program(argv, stop_seconds=stop_seconds), records=folder, logs=folder)


async def test_a_stopped_child_is_gone_and_off_the_record(tmp_path: Path) -> None:
    child = await start(SLEEP, tmp_path)
    assert (tmp_path / "part.json").exists()
    await child.stop()
    assert child.returncode == -signal.SIGTERM
    assert not (tmp_path / "part.json").exists()


async def test_a_child_that_ignores_its_signal_is_killed(tmp_path: Path) -> None:
    child = await start(STUBBORN, tmp_path, stop_seconds=0.2)
    while last_words(child.log) != "ready":
        child.check_running()
    await child.stop()
    assert child.returncode == -signal.SIGKILL


async def test_a_child_that_ends_while_starting_is_explained_by_its_last_words(tmp_path: Path) -> None:
    child = await start([sys.executable, "-c", "print('no such table'); exit(3)"], tmp_path)
    assert await child.wait() == 3
    with pytest.raises(Unavailable, match="no such table"):
        child.check_running()
    await child.stop()


async def test_a_program_that_is_not_there_is_named(tmp_path: Path) -> None:
    async def start_and_check() -> None:
        # Where setpriv starts it, it is setpriv that does not find it.
        child = await start(["/nowhere/program"], tmp_path)
        await child.wait()
        await child.stop()
        child.check_running()

    with pytest.raises((ConfigError, Unavailable), match="/nowhere/program"):
        await start_and_check()


def leave_running(folder: Path, *names: str) -> dict[str, psutil.Process]:
    """Start programs from a process that then dies without stopping them."""
    script = f"""
import asyncio, os, time
from pathlib import Path
from agent_runtime.local.processes import Child, Program
async def main():
    folder = Path({str(folder)!r})
    for name in {names!r}:
        await Child.start(Program(name, {SLEEP!r}, {{}}), records=folder, logs=folder)
        time.sleep(2 / os.sysconf("SC_CLK_TCK"))  # start times are counted in ticks
    os._exit(0)
asyncio.run(main())
"""
    # Without setpriv on PATH the children outlive their parent.
    subprocess.run([sys.executable, "-c", script], check=True, env={"PATH": "/nowhere"})
    return {name: psutil.Process(read_state(folder / f"{name}.json")["pid"]) for name in names}


def test_what_an_earlier_start_left_running_is_found_and_stopped(tmp_path: Path) -> None:
    orphan = leave_running(tmp_path, "part")["part"]
    assert orphan.is_running()
    assert stop_left_behind(tmp_path) == ["part"]
    assert not orphan.is_running() or orphan.status() == psutil.STATUS_ZOMBIE
    assert list(tmp_path.glob("*.json")) == []


def test_the_last_started_is_stopped_first(tmp_path: Path) -> None:
    leave_running(tmp_path, "postgres", "api", "worker")
    assert stop_left_behind(tmp_path) == ["worker", "api", "postgres"]


@pytest.mark.parametrize("changed", [{"started_at": 1.0}, {"argv": ["postgres"]}, {"pid": 2**22 + 1}])
def test_a_process_with_a_used_again_id_is_left_alone(tmp_path: Path, changed: dict[str, object]) -> None:
    stranger = subprocess.Popen(SLEEP)
    try:
        true = {
            "pid": stranger.pid,
            "started_at": psutil.Process(stranger.pid).create_time(),
            "argv": SLEEP,
            "stop_signal": int(signal.SIGTERM),
            "stop_seconds": 5.0,
        }
        write_state(tmp_path / "part.json", true | changed)
        assert stop_left_behind(tmp_path) == []
        assert stranger.poll() is None
        assert list(tmp_path.glob("*.json")) == []
    finally:
        stranger.kill()
        stranger.wait()


def test_a_damaged_record_keeps_nobody_from_starting(tmp_path: Path) -> None:
    (tmp_path / "part.json").write_text('{"pid": 1')
    (tmp_path / "other.json").write_text('{"pid": "x", "started_at": 1, "argv": []}')
    assert stop_left_behind(tmp_path) == []
    assert list(tmp_path.glob("*.json")) == []


def test_logs_of_earlier_starts_are_kept_up_to_a_bound(tmp_path: Path) -> None:
    log = tmp_path / "part.log"
    for number in range(LOGS_KEPT + 3):
        log.write_text(str(number))
        rotate(log)
    assert sorted(path.name for path in tmp_path.iterdir()) == [f"part.log.{n}" for n in range(1, LOGS_KEPT + 1)]
    assert (tmp_path / "part.log.1").read_text() == str(LOGS_KEPT + 2)


@pytest.mark.parametrize(
    ("text", "words"),
    [
        ("", ""),
        ("one\n\n", "one"),
        ("starting\nFATAL:  no space left\nLOG:  shut down\n", "FATAL:  no space left"),
        ("creating\ninitdb: error: could not write\ninitdb: removing data\n", "initdb: error: could not write"),
    ],
)
def test_the_last_words_are_the_error(tmp_path: Path, text: str, words: str) -> None:
    (tmp_path / "log").write_text(text)
    assert last_words(tmp_path / "log") == words
