"""A workspace: what can be read and written in it, and that nothing outside ever is."""

from __future__ import annotations

import os
import subprocess
import sys
from pathlib import Path

import pytest

from agent_runtime.errors import ToolRefused
from agent_runtime.toolbox import beneath
from agent_runtime.toolbox.sandbox.identity import SANDBOX_UID
from agent_runtime.toolbox.workspace import Workspace


@pytest.fixture
def workspace(tmp_path: Path) -> Workspace:
    (tmp_path / "secret.txt").write_text("not yours")
    return Workspace.create(tmp_path / "workspace")


def test_what_is_written_is_read_again_and_folders_are_made(workspace: Workspace) -> None:
    workspace.write_bytes("a/b/c.txt", b"hello")
    assert workspace.read_bytes("a/b/c.txt") == b"hello"
    assert [(entry.path, entry.size_bytes) for entry in workspace.scan()] == [("a/b/c.txt", 5)]


@pytest.mark.parametrize("path", ["/workspace/a.txt", "./a.txt", "a.txt"])
def test_the_sandboxs_name_of_the_workspace_means_the_workspace(workspace: Workspace, path: str) -> None:
    workspace.write_bytes(path, b"x")
    assert workspace.read_bytes("a.txt") == b"x"


@pytest.mark.parametrize(
    ("path", "reason"),
    [
        ("../secret.txt", "climbs"),
        ("a/../../secret.txt", "climbs"),
        ("/etc/shadow", "outside the workspace"),
        ("/workspace/../etc/shadow", "climbs"),
        ("", "empty"),
        ("   ", "empty"),
        ("a\0b", "NUL"),
        ("\ud800", "undecodable"),
        ("x" * 5000, "4096"),
        ("x" * 300, "too long"),
    ],
)
def test_a_path_that_leads_out_or_is_nonsense_is_refused_with_a_reason(
    workspace: Workspace, path: str, reason: str
) -> None:
    for use in (workspace.read_bytes, lambda name: workspace.write_bytes(name, b"x")):
        with pytest.raises(ToolRefused, match=reason):
            use(path)
    assert workspace.scan() == []


@pytest.mark.parametrize("target", ["../secret.txt", "/etc/passwd", "/proc/self/environ"])
def test_a_link_out_is_neither_read_nor_followed_by_a_write(workspace: Workspace, target: str) -> None:
    (workspace.root / "link").symlink_to(target)
    with pytest.raises(ToolRefused, match=r"leads out|link"):
        workspace.read_bytes("link")
    workspace.write_bytes("link", b"mine")
    assert (workspace.root.parent / "secret.txt").read_text() == "not yours"
    assert not (workspace.root / "link").is_symlink()


def test_a_linked_folder_leads_nowhere(workspace: Workspace) -> None:
    (workspace.root / "up").symlink_to("..")
    for use in (workspace.read_bytes, lambda name: workspace.write_bytes(name, b"x")):
        with pytest.raises(ToolRefused, match=r"leads out|link"):
            use("up/secret.txt")
    with pytest.raises(ToolRefused):
        list(workspace.entries("up"))
    with pytest.raises(ToolRefused, match="leads out"):
        workspace.resolve("up/secret.txt")


def test_a_link_within_the_workspace_works(workspace: Workspace) -> None:
    workspace.write_bytes("real/file.txt", b"x")
    (workspace.root / "link").symlink_to("real")
    assert workspace.read_bytes("link/file.txt") == b"x"


def test_without_openat2_no_link_is_followed(workspace: Workspace) -> None:
    workspace.write_bytes("real/file.txt", b"x")
    (workspace.root / "link").symlink_to("real")
    root = os.open(workspace.root, os.O_RDONLY)
    try:
        os.close(beneath._open_step_by_step(root, "real/file.txt", os.O_RDONLY))
        for path in ("link/file.txt", "link"):
            with pytest.raises(OSError, match=r"link|directory|links"):
                beneath._open_step_by_step(root, path, os.O_RDONLY)
    finally:
        os.close(root)


def test_a_pipe_a_device_and_a_folder_are_no_files(workspace: Workspace) -> None:
    os.mkfifo(workspace.root / "pipe")
    (workspace.root / "folder").mkdir()
    (workspace.root / "device").symlink_to("/dev/zero")
    for name, reason in [("pipe", "pipe"), ("folder", "folder"), ("device", "leads out"), (".", "folder|itself")]:
        with pytest.raises(ToolRefused, match=reason):
            workspace.read_bytes(name)
    for name in ("pipe", "folder", "."):
        with pytest.raises(ToolRefused):
            workspace.write_bytes(name, b"x")
    with pytest.raises(ToolRefused, match="pipe"):
        workspace.resolve("pipe")
    assert workspace.scan() == []


def test_a_file_over_the_limit_is_neither_read_nor_written(workspace: Workspace) -> None:
    workspace.write_bytes("a.txt", b"12345")
    with pytest.raises(ToolRefused, match="5 bytes, over the limit of 4"):
        workspace.read_bytes("a.txt", limit_bytes=4)
    with pytest.raises(ToolRefused, match="over the limit of 4"):
        workspace.write_bytes("a.txt", b"67890", limit_bytes=4)
    assert workspace.read_bytes("a.txt") == b"12345"


def test_a_file_keeps_its_mode_when_it_is_rewritten(workspace: Workspace) -> None:
    workspace.write_bytes("run.sh", b"#!/bin/sh")
    (workspace.root / "run.sh").chmod(0o755)
    workspace.write_bytes("run.sh", b"#!/bin/sh -e")
    assert (workspace.root / "run.sh").stat().st_mode & 0o777 == 0o755


def test_what_a_root_worker_writes_belongs_to_the_sandboxs_id(workspace: Workspace) -> None:
    workspace.write_bytes("folder/file.txt", b"x")
    expected = SANDBOX_UID if os.geteuid() == 0 else os.geteuid()
    for path in (workspace.root, workspace.root / "folder", workspace.root / "folder/file.txt"):
        assert path.stat().st_uid == expected
    assert workspace.root.stat().st_mode & 0o777 == 0o700


FILL_THE_DISK = """
import os, sys
from pathlib import Path
from agent_runtime.errors import ToolRefused
from agent_runtime.toolbox.workspace import Workspace

workspace = Workspace.create(Path(sys.argv[1]))
workspace.write_bytes("a.txt", b"old")
try:
    workspace.write_bytes("a.txt", b"x" * 3_000_000)
except ToolRefused as refusal:
    print(refusal)
print(workspace.read_bytes("a.txt"), os.listdir(workspace.root))
"""


def test_a_full_disk_is_named_and_leaves_the_old_file_whole(tmp_path: Path) -> None:
    unshare = ["unshare", "--mount"] if os.geteuid() == 0 else ["unshare", "--map-root-user", "--mount"]
    mount = 'mount -t tmpfs -o size=1m none "$1" && exec "$2" -c "$3" "$1"'
    arguments = [str(tmp_path), sys.executable, FILL_THE_DISK]
    answer = subprocess.run([*unshare, "sh", "-c", mount, "sh", *arguments], capture_output=True, text=True)
    if "unshare:" in answer.stderr or "mount:" in answer.stderr:
        pytest.skip(f"nobody may mount a small disk here: {answer.stderr.strip()}")
    assert "the disk is full" in answer.stdout, answer.stderr
    assert "b'old' ['a.txt']" in answer.stdout


def test_the_scan_stops_at_its_limit_and_survives_deep_folders(workspace: Workspace) -> None:
    for number in range(20):
        workspace.write_bytes(f"{number:02}.txt", b"")
    assert len(workspace.scan(limit=5)) == 5
    descriptor = os.open(workspace.root, os.O_RDONLY)
    for _ in range(200):
        os.mkdir("d", dir_fd=descriptor)
        below = os.open("d", os.O_RDONLY, dir_fd=descriptor)
        os.close(descriptor)
        descriptor = below
    os.close(descriptor)
    assert len(workspace.scan()) == 20
    subprocess.run(["rm", "-rf", str(workspace.root / "d")], check=True)


def test_names_that_are_not_utf8_and_unfinished_writes_are_left_out_of_the_scan(workspace: Workspace) -> None:
    Path(os.fsdecode(os.fsencode(workspace.root) + b"/\xff.txt")).write_bytes(b"")
    (workspace.root / ".~0123").write_bytes(b"")
    workspace.write_bytes("a.txt", b"")
    assert [entry.path for entry in workspace.scan()] == ["a.txt"]
