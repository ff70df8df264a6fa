"""`agent-runtime run` as a process: settings that are wrong, signals, logs."""

from __future__ import annotations

import contextlib
import json
import os
import signal
import subprocess
import sys
import time
import uuid
from pathlib import Path
from typing import TYPE_CHECKING, Any

import psutil
import psycopg
import pytest
import yaml

if TYPE_CHECKING:
    from agent_runtime.local.stack import Stack

ADDRESS = {"DATABASE_URL": "postgresql://u:hunter2@127.0.0.1:1/x"}


def environment(**settings: str) -> dict[str, str]:
    return {"PATH": os.environ["PATH"], "HOME": os.environ.get("HOME", "/"), **settings}


def run(folder: Path, *arguments: str, **settings: str) -> subprocess.CompletedProcess[str]:
    return subprocess.run(
        [sys.executable, "-m", "agent_runtime", "run", *arguments],
        cwd=folder, env=environment(**settings), capture_output=True, text=True, timeout=60, stdin=subprocess.DEVNULL,
    )  # fmt: skip


@pytest.mark.parametrize(
    ("settings", "named"),
    [
        ({}, "DATABASE_URL is not set"),
        ({"SUPABASE_SECRET_KEY": "sb_secret_hunter2"}, "neither DATABASE_URL nor SUPABASE_URL is set"),
        ({"SUPABASE_URL": "http://127.0.0.1:9"}, "neither DATABASE_URL nor SUPABASE_SECRET_KEY is set"),
        ({"DATABASE_URL": "postgres//typo"}, "DATABASE_URL: not a Postgres connection string"),
        ({"DATABASE_URL": ""}, "DATABASE_URL: empty"),
        (ADDRESS, "SUPABASE_URL is not set"),
        ({"SUPABASE_URL": "localhost:54321"}, "SUPABASE_URL: must begin with http"),
        ({"AGENT_RUNTIME_LEASE_SECONDS": "soon"}, "AGENT_RUNTIME_LEASE_SECONDS: "),
        ({"AGENT_RUNTIME_LOG_FORMAT": "xml"}, "AGENT_RUNTIME_LOG_FORMAT: "),
        (ADDRESS | {"AGENT_RUNTIME_TOOLS_PATH": '["/nowhere/at/all"]'}, "/nowhere/at/all"),
    ],
)
def test_a_wrong_setting_is_named_in_one_line(tmp_path: Path, settings: dict[str, str], named: str) -> None:
    ended = run(tmp_path, **settings)
    assert ended.returncode == 2
    assert named in ended.stderr
    assert ended.stderr.count("\n") == 1
    assert "hunter2" not in ended.stderr


def test_a_database_that_does_not_answer_is_named_without_its_password(tmp_path: Path) -> None:
    ended = run(
        tmp_path,
        DATABASE_URL="postgresql://agent_worker:hunter2@127.0.0.1:9/agent_runtime",
        SUPABASE_URL="http://127.0.0.1:9",
        SUPABASE_SECRET_KEY="x",
    )
    assert ended.returncode == 1
    assert "Postgres at agent_worker@127.0.0.1:9/agent_runtime does not answer" in ended.stderr
    assert "hunter2" not in ended.stderr
    assert "Traceback" not in ended.stderr


def test_without_a_database_url_it_works_over_rest_and_says_so(idle_stack: Stack, tmp_path: Path) -> None:
    over_rest = {name: value for name, value in idle_stack.worker_environment.items() if name != "DATABASE_URL"}
    ended = run(tmp_path, "--drain", "--log-format", "json", **over_rest)
    assert ended.returncode == 0, ended.stderr
    assert f'"transport": "REST API at {idle_stack.supabase_url} (SUPABASE_URL)"' in ended.stderr
    refused = run(tmp_path, **over_rest | {"SUPABASE_SECRET_KEY": "sb_secret_hunter2"})
    assert refused.returncode == 2
    assert "refuses SUPABASE_SECRET_KEY" in refused.stderr
    assert refused.stderr.count("\n") == 1
    assert "hunter2" not in refused.stderr


def test_a_database_of_a_newer_release_is_refused(stack: Stack, tmp_path: Path) -> None:
    with psycopg.connect(stack.database_url, autocommit=True) as owner:
        owner.execute("insert into private.schema_version (version) values (99)")
        try:
            ended = run(tmp_path, **stack.worker_environment)
        finally:
            owner.execute("delete from private.schema_version where version = 99")
    assert ended.returncode == 2
    assert "schema version 99" in ended.stderr
    assert "upgrade" in ended.stderr


@pytest.mark.parametrize("number", [signal.SIGTERM, signal.SIGINT])
def test_a_signal_gives_the_task_back_and_ends_within_five_seconds(
    idle_stack: Stack, tmp_path: Path, number: signal.Signals
) -> None:
    mark = f"986{uuid.uuid4().int % 10**6}"
    log = tmp_path / "worker.log"
    with psycopg.connect(idle_stack.database_url, autocommit=True) as owner, scripted(tmp_path, mark) as model_url:
        task_id = submit(owner)
        settings = {
            **idle_stack.worker_environment,
            "AGENT_RUNTIME_MODEL_URL": model_url,
            "AGENT_RUNTIME_MODEL": "scripted",
        }
        with log.open("wb") as output:
            worker = subprocess.Popen(
                [sys.executable, "-m", "agent_runtime", "run"], cwd=tmp_path, env=environment(**settings), stderr=output
            )
        wait_for(owner, "select 1 from public.tool_executions where task_id = %s and status = 'running'", task_id)
        # The pool's own words about its broken connections are in the log too.
        owner.execute("select pg_terminate_backend(pid) from pg_stat_activity where usename = 'agent_worker'")
        wait_for(owner, "select 1 from pg_stat_activity where usename = 'agent_worker' having count(*) >= 2")
        started = time.monotonic()
        worker.send_signal(number)
        # Had it taken five seconds, its own deadline would have ended it, with another code.
        assert worker.wait(timeout=20) == 0
        print(f"{number.name}: ended after {time.monotonic() - started:.2f} s")
        status = owner.execute("select status, attempts, lease_token from public.tasks where id = %s", [task_id])
        assert status.fetchone() == ("pending", 0, None)
        owner.execute("update public.tasks set cancel_requested_at = now() where id = %s", [task_id])
    assert not [process for process in psutil.process_iter(["cmdline"]) if mark in str(process.info["cmdline"])]
    for line in log.read_text().splitlines():
        entry = json.loads(line)
        assert entry["worker_id"]
        assert "task_id" in entry or not entry["event"].startswith(("step", "tool", "task"))


def test_a_shutdown_has_a_deadline_though_postgres_does_not_answer(stack: Stack, tmp_path: Path) -> None:
    worker = subprocess.Popen(
        [sys.executable, "-m", "agent_runtime", "run"],
        cwd=tmp_path, env=environment(**stack.worker_environment), stderr=subprocess.PIPE, text=True,
    )  # fmt: skip
    assert worker.stderr
    assert "worker started" in worker.stderr.readline()
    server = psutil.Process(stack.postgres.child.pid)
    frozen = [server, *server.children(recursive=True)]
    for process in frozen:
        # The backend of a short connection may just be ending.
        with contextlib.suppress(psutil.NoSuchProcess):
            process.suspend()
    try:
        started = time.monotonic()
        worker.terminate()
        code = worker.wait(timeout=20)
        took = time.monotonic() - started
    finally:
        for process in frozen:
            with contextlib.suppress(psutil.NoSuchProcess):
                process.resume()
    print(f"ended after {took:.2f} s")
    assert code == 1
    assert '"reason": "the deadline"' in worker.stderr.read()
    worker.stderr.close()


class scripted:
    """The scripted model server as a process, whose only answer runs a long command."""

    def __init__(self, folder: Path, mark: str) -> None:
        self.script = folder / "script.yaml"
        call = {"name": "shell_exec", "arguments": {"command": f"sleep {mark}"}}
        self.script.write_text(
            yaml.safe_dump(
                {
                    "models": [{"name": "scripted", "capabilities": ["completion", "tools"]}],
                    "turns": [{"answer": {"tool_calls": [call]}}],
                }
            )
        )

    def __enter__(self) -> str:
        self.process = subprocess.Popen(
            [sys.executable, "-m", "agent_runtime", "model-server", "--port", "0", "--script", str(self.script)],
            stdout=subprocess.PIPE, text=True,
        )  # fmt: skip
        assert self.process.stdout
        for line in self.process.stdout:
            if "listening on" in line:
                return line.split()[-1]
        raise AssertionError("the model server did not start")

    def __exit__(self, *_: object) -> None:
        self.process.terminate()
        self.process.wait()
        assert self.process.stdout
        self.process.stdout.close()


def submit(owner: psycopg.Connection[Any]) -> uuid.UUID:
    user = uuid.uuid4()
    owner.execute("insert into auth.users (id, email) values (%s, %s)", [user, f"{user.hex}@example.org"])
    with owner.transaction():
        owner.execute(
            "select set_config('request.jwt.claims', %s, true), set_config('request.jwt.claim.sub', %s, true),"
            " set_config('role', 'authenticated', true)",
            [json.dumps({"sub": str(user), "role": "authenticated"}), str(user)],
        )
        row = owner.execute("select id from public.submit_task('Wait.')").fetchone()
    assert row is not None
    found: uuid.UUID = row[0]
    return found


def wait_for(owner: psycopg.Connection[Any], query: str, *parameters: object) -> None:
    deadline = time.monotonic() + 60
    while not owner.execute(query, parameters).fetchone():
        assert time.monotonic() < deadline, "it did not happen"
        time.sleep(0.05)
