"""What a hostile command can do in each sandbox: nothing beyond its workspace, its limits and its time."""

from __future__ import annotations

import asyncio
import os
import socket
import threading
import time
import uuid
from collections.abc import Awaitable, Callable, Iterator
from pathlib import Path

import pytest

from agent_runtime.errors import ToolRefused
from agent_runtime.toolbox.sandbox.bubblewrap import Bubblewrap
from agent_runtime.toolbox.sandbox.choice import Refused, Sandbox, Unsandboxed, choose_sandbox
from agent_runtime.toolbox.sandbox.identity import SANDBOX_UID
from agent_runtime.toolbox.sandbox.landlock import Landlock
from agent_runtime.toolbox.sandbox.launch import CommandLimits
from agent_runtime.toolbox.sandbox.processes import CommandResult
from agent_runtime.toolbox.workspace import Workspace

Run = Callable[..., Awaitable[CommandResult]]


@pytest.fixture(params=[Bubblewrap, Landlock], ids=["bubblewrap", "landlock"])
def sandbox(request: pytest.FixtureRequest) -> Sandbox:
    made: Bubblewrap | Landlock = request.param(CommandLimits(processes=64))
    problem = made.problem()
    if problem:
        pytest.skip(f"{made.name}: {problem}")
    return made


@pytest.fixture
def workspace(tmp_path: Path) -> Workspace:
    return Workspace.create(tmp_path / "workspace")


@pytest.fixture
def run(sandbox: Sandbox, workspace: Workspace) -> Run:
    def start(command: str, timeout_seconds: float = 20, **options: int) -> Awaitable[CommandResult]:
        argv = ["bash", "-c", command]
        return sandbox.run(argv, workspace=workspace.root, timeout_seconds=timeout_seconds, **options)  # type: ignore[arg-type]

    return start


async def test_an_ordinary_command_works_in_the_workspace(run: Run, workspace: Workspace) -> None:
    workspace.write_bytes("in.txt", b"1\n2\n")
    result = await run(
        "python3 -c 'print(sum(map(int, open(\"in.txt\"))))' | tee out.txt; mkdir -p a && mv out.txt a/; exit 3"
    )
    assert (result.exit_code, result.stdout, result.stderr) == (3, "3\n", "")
    assert workspace.read_bytes("a/out.txt") == b"3\n"
    workspace.write_bytes("a/out.txt", b"changed by the worker")
    assert (await run("cat a/out.txt && echo more >> a/out.txt")).stdout == "changed by the worker"


async def test_input_reaches_the_command_and_may_be_ignored(sandbox: Sandbox, workspace: Workspace) -> None:
    result = await sandbox.run(["wc", "-c"], workspace=workspace.root, timeout_seconds=5, stdin=b"x" * 300_000)
    assert result.stdout.strip() == "300000"
    ignored = await sandbox.run(["true"], workspace=workspace.root, timeout_seconds=5, stdin=b"x" * 3_000_000)
    assert ignored.exit_code == 0


async def test_arguments_are_never_read_by_a_shell(sandbox: Sandbox, workspace: Workspace) -> None:
    result = await sandbox.run(["echo", "$(id); rm -rf *"], workspace=workspace.root, timeout_seconds=5)
    assert result.stdout == "$(id); rm -rf *\n"
    missing = await sandbox.run(["no-such-program"], workspace=workspace.root, timeout_seconds=5)
    assert missing.exit_code == 127
    assert "no-such-program" in missing.stderr


async def test_a_command_is_nobody_special(run: Run, workspace: Workspace) -> None:
    result = await run(
        "id -u; grep -E 'Cap(Eff|Prm|Amb)' /proc/self/status; grep NoNewPrivs /proc/self/status; touch mine"
    )
    uid, *capabilities, no_new_privileges = result.stdout.split("\n")[:5]
    assert int(uid) != 0
    assert all(int(line.split()[1], 16) == 0 for line in capabilities)
    assert no_new_privileges.split()[1] == "1"
    expected = SANDBOX_UID if os.geteuid() == 0 else os.geteuid()
    assert (workspace.root / "mine").stat().st_uid == expected


async def test_secrets_of_the_system_and_of_the_worker_cannot_be_read(run: Run, tmp_path: Path) -> None:
    secret = tmp_path / "secret.txt"
    secret.write_text("hunter2")
    secret.chmod(0o644)
    for path in ["/etc/shadow", str(secret), f"/proc/{os.getpid()}/environ"]:
        assert (await run(f"cat {path}")).stdout == "", path
    for path in [
        str(tmp_path),
        "/home",
        "/var/log",
        "/etc/ssh",
        f"/proc/{os.getpid()}/root",
    ]:
        assert (await run(f"ls -A {path}")).stdout == "", path
    assert (
        await run(f"readlink /proc/{os.getpid()}/fd/* /proc/{os.getpid()}/cwd /proc/{os.getpid()}/exe")
    ).stdout == ""
    climbed = await run(
        "cat ../secret.txt /workspace/../secret.txt; ln -s ../secret.txt s; cat s; ln ../secret.txt h; cat h"
    )
    assert "hunter2" not in climbed.stdout


async def test_nothing_of_the_workers_environment_is_visible(run: Run) -> None:
    os.environ["AGENT_RUNTIME_TEST_SECRET"] = "hunter2"
    try:
        result = await run("env; cat /proc/*/environ 2>/dev/null | tr '\\0' '\\n'")
    finally:
        del os.environ["AGENT_RUNTIME_TEST_SECRET"]
    assert "hunter2" not in result.stdout
    names = {line.partition("=")[0] for line in result.stdout.splitlines() if line}
    own = {
        "PATH",
        "HOME",
        "TMPDIR",
        "LANG",
        "TERM",
        "PYTHONDONTWRITEBYTECODE",
        "PWD",
        "OLDPWD",
        "SHLVL",
        "_",
        "LC_CTYPE",
    }
    assert names <= own


async def test_nothing_outside_the_workspace_can_be_written(run: Run, tmp_path: Path) -> None:
    open_folder = tmp_path / "open"
    open_folder.mkdir()
    open_folder.chmod(0o777)
    for path in [
        f"{open_folder}/x",
        "/usr/bin/x",
        "/etc/x",
        "/x",
        "/var/tmp/x",
        "/dev/x",
        "/run/x",
        "/proc/sys/kernel/core_pattern",
    ]:
        assert (await run(f"echo evil > {path}")).exit_code != 0, path
    assert list(open_folder.iterdir()) == []
    name = f"agent-runtime-escape-{uuid.uuid4().hex}"
    await run(f"echo evil > /tmp/{name}; echo evil > /dev/shm/{name}")
    assert not Path("/tmp", name).exists()
    assert not Path("/dev/shm", name).exists()


async def test_temporary_files_work_and_are_gone_with_the_command(run: Run) -> None:
    result = await run(
        'file=$(mktemp); echo hello > "$file"; cat "$file"; mkdir -m 000 "$TMPDIR/locked"; echo x > ~/y; echo "$file"'
    )
    assert result.exit_code == 0, result.stderr
    assert result.stdout.startswith("hello\n")
    assert not Path(result.stdout.split()[1]).exists()


@pytest.fixture
def listener() -> Iterator[int]:
    """A server on loopback that says a secret to whoever connects."""
    server = socket.create_server(("127.0.0.1", 0))

    def serve() -> None:
        while True:
            try:
                connection, _ = server.accept()
            except OSError:
                return
            with connection:
                connection.sendall(b"hunter2")

    thread = threading.Thread(target=serve)
    thread.start()
    yield server.getsockname()[1]
    server.shutdown(socket.SHUT_RDWR)
    server.close()
    thread.join()


async def test_the_network_cannot_be_reached_by_tcp_or_udp(run: Run, listener: int) -> None:
    result = await run(f"cat < /dev/tcp/127.0.0.1/{listener}")
    assert result.exit_code != 0
    assert "hunter2" not in result.stdout
    udp = "import socket; s = socket.socket(socket.AF_INET, socket.SOCK_DGRAM); s.sendto(b'x', ('8.8.8.8', 53))"
    assert (await run(f'python3 -c "{udp}"')).exit_code != 0


async def test_sockets_of_services_on_this_machine_cannot_be_reached(run: Run, tmp_path: Path) -> None:
    server = socket.socket(socket.AF_UNIX)
    path = f"{tmp_path}/s"
    server.bind(path)
    Path(path).chmod(0o777)
    server.listen()
    try:
        code = f"import socket; socket.socket(socket.AF_UNIX).connect('{path}')"
        assert (await run(f'python3 -c "{code}"')).exit_code != 0
    finally:
        server.close()


async def test_new_namespaces_and_mounts_are_forbidden(run: Run) -> None:
    for command in ["unshare -U true", "unshare -m true", "mount -t tmpfs none /tmp"]:
        assert (await run(command)).exit_code != 0, command


async def test_a_fork_bomb_ends_with_its_time_and_leaves_nothing(run: Run) -> None:
    started = time.monotonic()
    bomb = f"bomb_{uuid.uuid4().hex}"
    result = await run(f"{bomb}() {{ {bomb} | {bomb} & }}; {bomb}; sleep 60", timeout_seconds=2)
    assert result.timed_out
    assert time.monotonic() - started < 60
    await _nothing_is_left(bomb)
    assert (await run("echo fine")).stdout == "fine\n"


async def test_too_much_memory_is_refused(run: Run) -> None:
    result = await run("python3 -c 'x = bytearray(2 << 30); print(len(x))'")
    assert result.exit_code != 0
    assert "MemoryError" in result.stderr


async def test_a_file_over_its_limit_and_a_core_dump_are_not_written(sandbox: Sandbox, workspace: Workspace) -> None:
    small = type(sandbox)(CommandLimits(file_bytes=1_000_000))  # type: ignore[call-arg]
    argv = ["bash", "-c", "head -c 2000000 /dev/zero > big; echo $?; ulimit -c"]
    result = await small.run(argv, workspace=workspace.root, timeout_seconds=10)
    assert result.stdout.split()[-1] == "0"
    assert (workspace.root / "big").stat().st_size <= 1_000_000


async def test_endless_output_is_bounded_and_stopped(run: Run) -> None:
    result = await run("yes", timeout_seconds=30, output_limit_bytes=10_000)
    assert result.flooded
    assert result.truncated
    assert len(result.stdout) < 11_000
    assert "bytes left out" in result.stdout
    errors = await run("yes >&2", timeout_seconds=30, output_limit_bytes=10_000)
    assert errors.flooded


async def test_what_was_written_before_the_time_was_over_is_kept(run: Run) -> None:
    mark = f"before-{uuid.uuid4().hex}"
    result = await run(f"echo {mark}; trap '' TERM; while :; do sleep 1; done", timeout_seconds=1)
    assert result.timed_out
    assert result.stdout == f"{mark}\n"
    await _nothing_is_left(mark)


async def test_a_daemon_does_not_outlive_the_command(run: Run) -> None:
    mark = f"daemon-{uuid.uuid4().hex}"
    detach = (
        f"import os, time; os.fork() and os._exit(0); os.setsid(); os.fork() and os._exit(0); time.sleep(60)  # {mark}"
    )
    result = await run(f'python3 -c "{detach}" > /dev/null 2>&1 < /dev/null; (setsid -f sleep 61 &) ; echo done')
    assert result.stdout == "done\n"
    assert not result.timed_out
    await _nothing_is_left(mark)


async def test_a_cancelled_call_kills_everything(run: Run, workspace: Workspace) -> None:
    mark = f"cancelled-{uuid.uuid4().hex}"
    command = f"(setsid sleep 60 &); touch started; python3 -c 'import time; time.sleep(60)  # {mark}'"
    running = asyncio.ensure_future(run(command, timeout_seconds=60))
    while not (workspace.root / "started").exists():
        await asyncio.sleep(0.01)
    running.cancel()
    with pytest.raises(asyncio.CancelledError):
        await running
    await _nothing_is_left(mark)


async def test_a_call_cancelled_at_its_very_start_leaves_nothing(run: Run) -> None:
    mark = f"start-{uuid.uuid4().hex}"
    for turns in range(8):
        running = asyncio.ensure_future(run(f"sleep 60; echo {mark}", timeout_seconds=60))
        for _ in range(turns):
            await asyncio.sleep(0)
        running.cancel()
        with pytest.raises(asyncio.CancelledError):
            await running
    await _nothing_is_left(mark)


async def test_commands_of_other_tasks_cannot_be_signalled(sandbox: Sandbox, tmp_path: Path) -> None:
    victim, attacker = Workspace.create(tmp_path / "a"), Workspace.create(tmp_path / "b")
    waiting = asyncio.ensure_future(
        sandbox.run(
            ["bash", "-c", "touch ready; until [ -e go ]; do sleep 0.02; done; echo survived"],
            workspace=victim.root,
            timeout_seconds=20,
        )
    )
    while not (victim.root / "ready").exists():
        await asyncio.sleep(0.01)
    kill_all = ["bash", "-c", "for p in /proc/[0-9]*; do [ ${p#/proc/} != $$ ] && kill -9 ${p#/proc/}; done; true"]
    await sandbox.run(kill_all, workspace=attacker.root, timeout_seconds=10)
    victim.write_bytes("go", b"")
    assert (await waiting).stdout == "survived\n"


def test_the_choice_is_the_strongest_that_works() -> None:
    assert choose_sandbox(allow_unsandboxed=False).name in ("bubblewrap", "landlock")
    for line in (Bubblewrap(CommandLimits()).describe(), Landlock(CommandLimits()).describe()):
        assert "\n" not in line


async def test_without_a_sandbox_a_command_is_refused_with_the_remedy(workspace: Workspace) -> None:
    refused = Refused("bubblewrap: bwrap is not installed; landlock: only Linux has it")
    with pytest.raises(ToolRefused, match="install bubblewrap"):
        await refused.run(["true"], workspace=workspace.root, timeout_seconds=5)


async def test_unsandboxed_commands_still_have_limits_and_a_clean_environment(workspace: Workspace) -> None:
    os.environ["AGENT_RUNTIME_TEST_SECRET"] = "hunter2"
    try:
        result = await Unsandboxed(CommandLimits()).run(
            ["bash", "-c", "env; (setsid sleep 62 &); ulimit -c"], workspace=workspace.root, timeout_seconds=5
        )
    finally:
        del os.environ["AGENT_RUNTIME_TEST_SECRET"]
    assert "hunter2" not in result.stdout
    assert result.stdout.splitlines()[-1] == "0"


async def _nothing_is_left(mark: str) -> None:
    """No process of this machine, however detached, has the mark in its command line."""
    left = [
        pid
        for pid in map(int, filter(str.isdigit, (entry.name for entry in Path("/proc").iterdir())))
        if mark in _command_line(pid)
    ]
    assert left == []


def _command_line(pid: int) -> str:
    try:
        return Path(f"/proc/{pid}/cmdline").read_bytes().decode(errors="replace")
    except OSError:
        return ""
