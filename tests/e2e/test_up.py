"""`agent-runtime up` as a process, the way an operator meets it."""

from __future__ import annotations

import json
import os
import re
import shutil
import signal
import socket
import stat
import subprocess
import sys
import time
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import TYPE_CHECKING

import httpx
import psutil
import psycopg
import pytest
import pytest_asyncio

from agent_runtime.local.processes import stop_left_behind
from tests.loopback import LOOPBACK

if TYPE_CHECKING:
    from tests.conftest import StackFolder

STARTED = "Stop with Ctrl-C."


class Up:
    """A running `up`, with its output line by line."""

    def __init__(self, data_dir: Path, home: Path, *arguments: str, path: str | None = None) -> None:
        self.data_dir = data_dir
        self.output = ""
        environment = {**os.environ, "HOME": str(home), "PYTHONUNBUFFERED": "1", "OLLAMA_HOST": "127.0.0.1:9"}
        for name in ("XDG_STATE_HOME", "XDG_DATA_HOME", "XDG_CONFIG_HOME"):
            environment[name] = str(home)
        if path is not None:
            environment["PATH"] = path
        # Whether a checkout's own build of the web UI is fresh is not the question here.
        (home / "index.html").touch()
        environment["AGENT_RUNTIME_WEB_BUNDLE"] = str(home)
        self.process = subprocess.Popen(
            [sys.executable, "-m", "agent_runtime", "up", "--data-dir", str(data_dir), *arguments],
            stdout=subprocess.PIPE,
            stderr=subprocess.STDOUT,
            text=True,
            env=environment,
            cwd=home,
        )

    def wait_for(self, text: str) -> str:
        """Read on until a line holds the text; the line."""
        assert self.process.stdout is not None
        for line in self.process.stdout:
            self.output += line
            if text in line:
                return line
        raise AssertionError(f"up ended without saying {text!r}:\n{self.output}")

    def end(self) -> int:
        """Read the rest; the exit code."""
        assert self.process.stdout is not None
        with self.process.stdout as rest:
            self.output += rest.read()
        return self.process.wait(30)

    def interrupt(self) -> int:
        self.process.send_signal(signal.SIGINT)
        return self.end()

    @property
    def running(self) -> dict[str, str]:
        state = json.loads((self.data_dir / "stack-running.json").read_text())
        assert isinstance(state, dict)
        return state

    def pid_of(self, part: str) -> int:
        return int(json.loads((self.data_dir / "processes" / f"{part}.json").read_text())["pid"])


StartUp = Callable[..., Up]


@pytest.fixture
def data_dir(open_folder: Path, tmp_path: Path) -> Iterator[Path]:
    folder = open_folder / f"up-{tmp_path.name}"
    yield folder
    shutil.rmtree(folder, ignore_errors=True)


@pytest_asyncio.fixture
async def used(stack_folder: StackFolder, data_dir: Path) -> None:
    """The test's data folder is one that was started and stopped before: a second start is quicker than a first."""
    await stack_folder(data_dir.name)


@pytest.fixture
def start_up(data_dir: Path, tmp_path: Path) -> Iterator[StartUp]:
    """Starts `up` on the test's folder; whatever still runs at the end is ended."""
    started: list[Up] = []

    def start(*arguments: str, path: str | None = None, worker: bool = False, web: bool = False) -> Up:
        choices = "--worker" if worker else "--no-worker", "--web" if web else "--no-web"
        started.append(Up(data_dir, tmp_path, *choices, *arguments, path=path))
        return started[-1]

    yield start
    for up in started:
        if up.process.stdout and not up.process.stdout.closed:
            up.interrupt()
    assert processes_of(data_dir) == []


def processes_of(data_dir: Path) -> list[str]:
    """The command lines of all processes that have to do with a data folder."""
    found = []
    for process in psutil.process_iter():
        try:
            if process.cwd().startswith(str(data_dir)) or str(data_dir) in " ".join(process.cmdline()):
                found.append(" ".join(process.cmdline()))
        except psutil.Error:
            continue
    return found


def wait_until(condition: Callable[[], bool], seconds: float = 20.0) -> None:
    deadline = time.monotonic() + seconds
    while not condition():
        assert time.monotonic() < deadline, "waited in vain"
        time.sleep(0.02)


def catches(pid: int, number: signal.Signals) -> bool:
    """Whether the process has a handler of its own for the signal."""
    (mask,) = re.findall(r"^SigCgt:\s*([0-9a-f]+)$", Path(f"/proc/{pid}/status").read_text(), re.MULTILINE)
    return bool(int(mask, 16) >> (number - 1) & 1)


def test_ctrl_c_during_the_first_start_leaves_nothing_and_those_after_it_keep_what_is_there_but_for_a_taken_port(
    start_up: StartUp, data_dir: Path
) -> None:
    up = start_up()
    up.wait_for("Postgres")
    assert up.interrupt() == 0
    assert processes_of(data_dir) == []
    assert STARTED not in up.output

    first = start_up()
    first.wait_for(STARTED)
    # It says where everything is.
    addresses = {key: value for key, value in first.running.items() if key != "pid"}
    key = first.running["publishable_key"]
    assert httpx.get(f"{first.running['supabase_url']}/auth/v1/health", headers={"apikey": key}, **LOOPBACK).is_success
    assert first.running["supabase_url"] in first.output
    assert "stand-in" in first.output
    password = json.loads((data_dir / "first-user.json").read_text())["password"]
    assert password not in first.output
    first.process.terminate()
    assert first.end() == 0
    assert processes_of(data_dir) == []
    assert not (data_dir / "stack-running.json").exists()

    second = start_up()
    second.wait_for(STARTED)
    assert {key: value for key, value in second.running.items() if key != "pid"} == addresses
    assert "signed in" in second.output
    assert "new database cluster" not in second.output
    # Who starts it runs the place.
    with psycopg.connect(second.running["database_url"]) as owner:
        found = owner.execute("select email, role, is_operator from public.users where is_operator").fetchall()
    assert found == [("you@localhost.localdomain", "admin", True)]
    assert second.interrupt() == 0

    port = int(addresses["supabase_url"].rsplit(":", 1)[1])
    with socket.socket() as taken:
        taken.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)
        taken.bind(("127.0.0.1", port))
        taken.listen()
        third = start_up()
        third.wait_for(STARTED)
    assert not third.running["supabase_url"].endswith(f":{port}")
    assert f"port {port} (api) is in use" in " ".join(third.output.split())


@pytest.mark.usefixtures("used")
def test_after_kill_9_the_next_stops_what_was_left_and_keeps_its_secrets_and_its_folder_and_its_children_end_with_it(
    start_up: StartUp, data_dir: Path, tmp_path: Path
) -> None:
    # Without setpriv, as on macOS, the children outlive their parent.
    killed = start_up(path="/nowhere")
    killed.wait_for(STARTED)
    orphans = [psutil.Process(killed.pid_of(part)) for part in ("postgres", "supabase-api", "model-server")]
    killed.process.kill()
    killed.end()
    assert all(orphan.is_running() for orphan in orphans)

    kept = tmp_path / "agent-runtime" / "person" / "session.json"
    kept.parent.mkdir(parents=True, exist_ok=True)
    tokens = {"access_token": "a", "refresh_token": "r", "expires_at": 0, "publishable_key": "k"}
    kept.write_text(json.dumps({"supabase_url": "https://project.example.org", "email": "me@example.org", **tokens}))
    kept.chmod(0o600)
    up = start_up()
    up.wait_for(STARTED)
    assert not any(orphan.is_running() and orphan.status() != psutil.STATUS_ZOMBIE for orphan in orphans)
    assert "stopped what an earlier start had left running" in " ".join(up.output.split())

    # Who is signed in elsewhere stays so.
    assert "https://project.example.org" in kept.read_text()
    assert "You stay signed in at https://project.example.org as me@example.org" in up.output

    # Secrets are for the owner alone.
    for name in ("secrets.json", "first-user.json", "stack-running.json", "logs/supabase-api.log", "logs/postgres.log"):
        assert stat.S_IMODE((data_dir / name).stat().st_mode) == 0o600, name
    for name in ("logs", "processes", "postgres", "api"):
        assert stat.S_IMODE((data_dir / name).stat().st_mode) == 0o700, name
    # Root's folder is passed through by the user that runs Postgres, who cannot list it.
    assert stat.S_IMODE(data_dir.stat().st_mode) == (0o711 if os.geteuid() == 0 else 0o700)
    passwords = [
        value for name, value in json.loads((data_dir / "secrets.json").read_text()).items() if "key" not in name
    ]
    texts = [(data_dir / "logs" / "postgres.log").read_text(), (data_dir / "logs" / "supabase-api.log").read_text()]
    assert [password for password in passwords for text in texts if password in text] == []

    # A second up on the folder says where the first is.
    second = start_up()
    assert second.end() == 2
    assert second.output.count("\n") == 1
    assert up.running["supabase_url"] in second.output
    assert str(up.process.pid) in second.output

    # After kill -9 the kernel ends its children, where there is setpriv.
    up.process.kill()
    up.end()
    if shutil.which("setpriv"):
        wait_until(lambda: processes_of(data_dir) == [])
    else:
        stop_left_behind(data_dir / "processes")


@pytest.mark.usefixtures("used")
def test_a_part_that_dies_is_started_again_the_web_ui_at_its_address_and_a_workers_end_is_on_record(
    start_up: StartUp, data_dir: Path
) -> None:
    up = start_up(worker=True, web=True)
    up.wait_for(STARTED)
    (address,) = re.findall(r"Web UI\W+(http://127\.0\.0\.1:\d+)", up.output)
    config = httpx.get(f"{address}/config.json", **LOOPBACK).json()
    assert config["supabase_url"] == f"{address}/supabase"
    assert config["publishable_key"] == up.running["publishable_key"]
    health = httpx.get(
        f"{config['supabase_url']}/auth/v1/health", headers={"apikey": config["publishable_key"]}, **LOOPBACK
    )
    assert health.is_success

    os.kill(up.pid_of("web"), signal.SIGKILL)
    up.wait_for("web UI is back")
    assert httpx.get(f"{address}/healthz?ready", **LOOPBACK).json() == {"ok": True, "database": "up", "api": "up"}
    # What the server was given, whoever may look at its process sees: no key that reaches past row-level security.
    environment = psutil.Process(up.pid_of("web")).environ()
    assert up.running["secret_key"] not in str(environment)
    assert up.running["database_url"] not in str(environment)

    killed = up.pid_of("worker")
    os.kill(killed, signal.SIGKILL)
    up.wait_for("worker is back")
    assert up.pid_of("worker") != killed
    database_url = up.running["database_url"]
    with psycopg.connect(database_url) as connection:
        found = connection.execute("select pid from public.workers where stopped_at is null").fetchall()
    assert (up.pid_of("worker"),) in found

    # It signs on before it listens to signals.
    wait_until(lambda: catches(up.pid_of("worker"), signal.SIGTERM))
    os.kill(up.pid_of("worker"), signal.SIGTERM)
    up.wait_for("worker ended (exit code 0)")
    up.wait_for("worker is back")
    with psycopg.connect(database_url) as connection:
        signed_off = connection.execute("select count(*) from public.workers where stopped_at is not null").fetchone()
    assert signed_off == (1,)

    os.kill(up.pid_of("supabase-api"), signal.SIGKILL)
    up.wait_for("Supabase API is back")
    # The API ends with its connections, and waits for Postgres to be back.
    os.kill(up.pid_of("postgres"), signal.SIGKILL)
    up.wait_for("Postgres is back")
    up.wait_for("Supabase API is back")
    answer = httpx.post(
        f"{up.running['supabase_url']}/auth/v1/signup",
        headers={"apikey": up.running["publishable_key"]},
        json={"email": "after@example.org", "password": "long enough 1"},
        **LOOPBACK,
    )
    assert answer.is_success
    assert up.interrupt() == 0
    assert processes_of(data_dir) == []


@pytest.mark.usefixtures("used")
def test_a_port_in_use_is_one_line_and_exit_2(start_up: StartUp, data_dir: Path) -> None:
    with socket.socket() as taken:
        taken.bind(("127.0.0.1", 0))
        taken.listen()
        port = taken.getsockname()[1]
        up = start_up("--port", str(port))
        assert up.end() == 2
    assert up.output.count("\n") == 1
    assert str(port) in up.output


def test_a_data_folder_of_a_newer_version_is_left_alone(start_up: StartUp, data_dir: Path) -> None:
    data_dir.mkdir()
    kept = json.dumps({"format": 99, "postgres_major": 21, "ports": {}})
    (data_dir / "stack.json").write_text(kept)
    up = start_up()
    assert up.end() == 2
    assert up.output.count("\n") == 1
    assert "newer version" in up.output
    assert (data_dir / "stack.json").read_text() == kept
    assert not (data_dir / "postgres").exists()


@pytest.mark.usefixtures("used")
def test_a_model_server_that_was_named_and_does_not_answer_is_no_stand_in(start_up: StartUp) -> None:
    up = start_up("--model-url", "http://127.0.0.1:9")
    assert up.end() == 2
    assert up.output.splitlines()[-1].startswith("agent-runtime: no model server answers at http://127.0.0.1:9")
