"""What the stack chooses for itself: secrets, ports, where Ollama is, which programs it can reach."""

from __future__ import annotations

import os
import shutil
import socket
import stat
from pathlib import Path

import pytest

from agent_runtime.errors import ConfigError
from agent_runtime.local import ports, secrets, wheels
from agent_runtime.local.ollama import find_ollama, ollama_host, probe
from agent_runtime.local.service_user import choose_service_user
from agent_runtime.local.state_file import read_state, write_state


def test_secrets_are_made_once_and_are_private(tmp_path: Path) -> None:
    path = tmp_path / "secrets.json"
    made = secrets.load_or_generate(path)
    assert secrets.load_or_generate(path) == made
    assert stat.S_IMODE(path.stat().st_mode) == 0o600
    assert made.postgres.get_secret_value() not in repr(made)


def test_a_folder_of_an_earlier_release_is_given_the_keys_that_it_lacks(tmp_path: Path) -> None:
    path = tmp_path / "secrets.json"
    earlier = {name: value for name, value in secrets.generate().model_dump().items() if name != "audit_key"}
    write_state(path, earlier)
    found = secrets.load_or_generate(path)
    assert {**earlier, "audit_key": found.audit_key.get_secret_value()} == found.model_dump() == read_state(path)
    assert secrets.load_or_generate(path) == found


def test_no_two_stacks_share_a_secret() -> None:
    one, other = (secrets.generate().model_dump(exclude={"vault_previous_keys"}) for _ in range(2))
    assert len({*one.values(), *other.values()}) == 2 * len(one)


@pytest.mark.parametrize("content", ["", "{}", '{"postgres": "x"}', "[1]"])
def test_damaged_secrets_are_never_replaced(tmp_path: Path, content: str) -> None:
    path = tmp_path / "secrets.json"
    path.write_text(content)
    with pytest.raises(ConfigError, match="damaged"):
        secrets.load_or_generate(path)
    assert path.read_text() == content


def test_a_state_file_that_cannot_be_written_leaves_the_old_one(tmp_path: Path) -> None:
    path = tmp_path / "state.json"
    write_state(path, {"a": 1})
    with pytest.raises(TypeError):
        write_state(path, {"a": object()})
    assert read_state(path) == {"a": 1}
    assert [entry.name for entry in tmp_path.iterdir()] == ["state.json"]


def test_a_kept_port_is_taken_again_while_it_is_free() -> None:
    port = ports.choose(None, taken=set())
    assert ports.choose(port, taken=set()) == port
    assert ports.choose(port, taken={port}) != port
    with socket.socket() as server:
        server.bind((ports.HOST, port))
        server.listen()
        assert ports.choose(port, taken=set()) != port
        with pytest.raises(ConfigError, match=f"--port {port}"):
            ports.demand(port)


@pytest.mark.parametrize("port", [0, -1, 65_536])
def test_a_port_that_is_none_is_named(port: int) -> None:
    with pytest.raises(ConfigError, match="between 1 and 65535"):
        ports.demand(port)


@pytest.mark.parametrize(
    ("host", "url"),
    [
        ("", None),
        ("0.0.0.0", "http://127.0.0.1:11434"),
        ("gpu.example:8080", "http://gpu.example:8080"),
        ("gpu.example", "http://gpu.example:11434"),
        ("https://gpu.example", "https://gpu.example"),
        ("http://gpu.example:1/", "http://gpu.example:1"),
        (":8080", "http://127.0.0.1:8080"),
        ("gpu.example:port", None),
    ],
)
def test_ollama_host_is_read_as_ollama_reads_it(host: str, url: str | None, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("OLLAMA_HOST", host)
    assert ollama_host() == url


async def test_an_ollama_that_was_named_must_answer(monkeypatch: pytest.MonkeyPatch) -> None:
    with pytest.raises(ConfigError, match=r"127\.0\.0\.1:9"):
        await find_ollama("http://127.0.0.1:9")
    with pytest.raises(ConfigError, match="must begin with http"):
        await find_ollama("localhost:11434")
    monkeypatch.setenv("OLLAMA_HOST", "127.0.0.1:9")
    assert await find_ollama(None) is None


async def test_a_server_that_is_no_ollama_is_not_taken_for_one() -> None:
    assert await probe("http://127.0.0.1:9") is None
    assert await probe("http://") is None


@pytest.mark.skipif(os.geteuid() != 0, reason="only root has a service user")
def test_root_runs_postgres_as_somebody_else_and_stays_with_the_choice(open_folder: Path) -> None:
    chosen = choose_service_user(open_folder / "missing")
    assert chosen is not None
    assert chosen.uid != 0
    owned = open_folder / "owned"
    owned.mkdir()
    os.chown(owned, 65_534, 65_534)
    kept = choose_service_user(owned)
    assert kept is not None
    assert kept.uid == 65_534


@pytest.mark.skipif(os.geteuid() != 0, reason="only root has a service user")
def test_programs_out_of_the_users_reach_are_copied_once(tmp_path: Path) -> None:
    tmp_path.chmod(0o700)
    program = tmp_path / "package" / "bin" / "program"
    program.parent.mkdir(parents=True)
    program.write_text("#!/bin/sh\n")
    program.chmod(0o755)
    bundle = wheels.Bundle(f"test-{tmp_path.parent.name}", tmp_path, "package/bin/program", ("package", "absent.libs"))
    user = choose_service_user(tmp_path / "missing")
    assert user is not None
    try:
        copy = wheels.reachable(bundle, user)
        assert copy != program
        assert user.may_execute(copy)
        inode = copy.stat().st_ino
        assert wheels.reachable(bundle, user).stat().st_ino == inode
        assert wheels.reachable(bundle, None) == program
    finally:
        shutil.rmtree(wheels.cache_folder() / "programs" / bundle.name, ignore_errors=True)
