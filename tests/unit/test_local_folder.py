"""The data folder: locked, versioned, and never somebody else's."""

from __future__ import annotations

import json
import os
import stat
from collections.abc import Iterator
from pathlib import Path

import pytest

from agent_runtime.errors import ConfigError
from agent_runtime.local.folder import DataFolder, read_running


@pytest.fixture
def path(open_folder: Path, tmp_path: Path) -> Path:
    return open_folder / f"folder-{tmp_path.name}"


@pytest.fixture
def folder(path: Path) -> Iterator[DataFolder]:
    opened = DataFolder.open(path)
    yield opened
    opened.close()


def test_a_folder_has_one_user_at_a_time(folder: DataFolder) -> None:
    folder.announce({"supabase_url": "http://127.0.0.1:1"})
    with pytest.raises(ConfigError, match=f"process {os.getpid()}, API at http://127.0.0.1:1"):
        DataFolder.open(folder.path)


def test_a_closed_folder_can_be_opened_again(path: Path) -> None:
    DataFolder.open(path).close()
    DataFolder.open(path).close()


def test_commands_find_a_running_stack_and_no_ended_one(path: Path) -> None:
    folder = DataFolder.open(path)
    folder.announce({"supabase_url": "http://127.0.0.1:1"})
    assert (read_running(path) or {})["supabase_url"] == "http://127.0.0.1:1"
    # As after kill -9: the file is still there, the lock is not.
    folder.close()
    assert read_running(path) is None
    assert read_running(path / "nowhere") is None


def test_a_folder_with_other_files_is_refused_and_keeps_its_mode(path: Path) -> None:
    path.mkdir(mode=0o755)
    (path / "thesis.tex").write_text("years of work")
    with pytest.raises(ConfigError, match=r"thesis\.tex"):
        DataFolder.open(path)
    assert stat.S_IMODE(path.stat().st_mode) == 0o755


@pytest.mark.parametrize(
    ("state", "reason"),
    [
        ({"format": 2, "postgres_major": 18}, "newer version"),
        ({"format": 1, "postgres_major": 19}, "newer version"),
        ({"format": 1, "postgres_major": 17}, "other version"),
        ({}, "other version"),
    ],
)
def test_a_folder_that_this_version_does_not_know_is_refused(path: Path, state: dict[str, int], reason: str) -> None:
    path.mkdir()
    (path / "stack.json").write_text(json.dumps(state))
    with pytest.raises(ConfigError, match=reason):
        DataFolder.open(path)


def test_a_damaged_folder_is_refused(path: Path) -> None:
    path.mkdir()
    (path / "stack.json").write_text('{"format": 1,')
    with pytest.raises(ConfigError, match="damaged"):
        DataFolder.open(path)


def test_a_folder_that_cannot_be_written_is_named() -> None:
    # No privilege helps there.
    with pytest.raises(ConfigError, match=r"/sys/agent-runtime.*--data-dir"):
        DataFolder.open(Path("/sys/agent-runtime"))


def test_a_file_is_no_folder(tmp_path: Path) -> None:
    (tmp_path / "file").write_text("")
    with pytest.raises(ConfigError, match="--data-dir"):
        DataFolder.open(tmp_path / "file")


@pytest.mark.skipif(os.geteuid() == 0, reason="root writes everywhere")
def test_a_read_only_folder_is_named(path: Path) -> None:
    path.mkdir(mode=0o555)
    with pytest.raises(ConfigError, match="--data-dir"):
        DataFolder.open(path)


@pytest.mark.skipif(os.geteuid() != 0, reason="only root has a service user")
def test_a_folder_that_postgres_could_not_enter_is_refused_with_a_remedy(tmp_path: Path) -> None:
    tmp_path.chmod(0o700)
    with pytest.raises(ConfigError, match="cannot enter the data folder"):
        DataFolder.open(tmp_path / "inside")
    assert not (tmp_path / "inside").exists()
