"""Hostile archives, paths and documents: each a sentence that the model can act on, and nothing lands outside."""

from __future__ import annotations

import io
import os
import struct
import tarfile
import uuid
import zipfile
from pathlib import Path
from typing import Any

import pytest

from agent_runtime.errors import ToolRefused
from agent_runtime.toolbox import ToolContext
from agent_runtime.toolbox.archives.entries import safe_name
from agent_runtime.toolbox.documents.document import parse_document
from agent_runtime.toolbox.executor import Outcome, execute
from agent_runtime.toolbox.registry import Registry
from agent_runtime.toolbox.sandbox.choice import Refused
from agent_runtime.toolbox.workspace import Workspace

MIB = 1024 * 1024


@pytest.fixture
def workspace(tmp_path: Path) -> Workspace:
    (tmp_path / "outside.txt").write_text("outside")
    return Workspace.create(tmp_path / "workspace")


async def call(workspace: Workspace, name: str, **arguments: Any) -> Outcome:
    tool = Registry.load().get(name)
    assert tool is not None
    context = ToolContext(
        task_id=uuid.uuid4(),
        execution_id=uuid.uuid4(),
        workspace=workspace,
        sandbox=Refused("not needed"),
        timeout_seconds=tool.timeout_seconds,
        output_limit_bytes=tool.output_limit_bytes,
    )
    return await execute(tool, arguments, context)


async def test_names_that_lead_out_links_devices_and_encrypted_entries_are_left_out(workspace: Workspace) -> None:
    into = io.BytesIO()
    with zipfile.ZipFile(into, "w") as archive:
        for name in (
            "../outside.txt",
            "/etc/passwd",
            "a/../../b",
            "C:\\evil.txt",
            "..\\evil.txt",
            "n" * 300,
            "good.txt",
        ):
            archive.writestr(name, "x")
        for name, mode in (("link", 0o120777), ("fifo", 0o010666), ("device", 0o020666)):
            info = zipfile.ZipInfo(name)
            info.external_attr = mode << 16
            archive.writestr(info, "/etc/passwd")
    workspace.write_bytes("a.zip", into.getvalue())
    outcome = await call(workspace, "archive_unpack", path="a.zip")
    assert outcome.data == {"into": "a", "files": 1, "left_out": 9, "stopped": None}
    for name, why in (
        ("../outside.txt", "climbs out"), ("/etc/passwd", "absolute"), ("C:\\evil.txt", "absolute"), ("link", "a link"),
        ("fifo", "a device or a pipe"), ("nnn", "too long"),
    ):  # fmt: skip
        assert any(line.startswith(name) and why in line for line in outcome.content.splitlines()), name

    into = io.BytesIO()
    with tarfile.open(fileobj=into, mode="w:gz") as tar:
        for name, kind in (
            ("hard", tarfile.LNKTYPE), ("soft", tarfile.SYMTYPE), ("dev", tarfile.CHRTYPE), ("pipe", tarfile.FIFOTYPE),
        ):  # fmt: skip
            member = tarfile.TarInfo(name)
            member.type, member.linkname = kind, "../outside.txt"
            tar.addfile(member)
        for name in ("soft/inside.txt", "../../outside.txt", "caf\udce9.txt"):
            member = tarfile.TarInfo(name)
            member.size = 1
            tar.addfile(member, io.BytesIO(b"x"))
    workspace.write_bytes("b.tgz", into.getvalue())
    outcome = await call(workspace, "archive_unpack", path="b.tgz")
    assert outcome.data["files"] == 2 and outcome.data["left_out"] == 5
    assert workspace.read_bytes("b/caf_.txt") == b"x", "a name that is not UTF-8 is made one"
    assert (workspace.root.parent / "outside.txt").read_text() == "outside"
    assert sorted(path.name for path in workspace.root.parent.iterdir()) == ["outside.txt", "workspace"]


async def test_a_link_in_the_workspace_leads_an_archive_nowhere(workspace: Workspace) -> None:
    (workspace.root / "up").symlink_to("..")
    into = io.BytesIO()
    with zipfile.ZipFile(into, "w") as archive:
        archive.writestr("up/outside.txt", "x")
    workspace.write_bytes("a.zip", into.getvalue())
    outcome = await call(workspace, "archive_unpack", path="a.zip", into=".", replace=True)
    assert outcome.status == "failed"
    assert "leads out" in outcome.content or "link" in outcome.content
    assert (workspace.root.parent / "outside.txt").read_text() == "outside"


async def test_bombs_end_at_their_limits(workspace: Workspace, monkeypatch: pytest.MonkeyPatch) -> None:
    zeros = bytes(MIB)
    into = io.BytesIO()
    with zipfile.ZipFile(into, "w", zipfile.ZIP_DEFLATED, compresslevel=1) as archive:
        with archive.open("one", "w") as entry:
            for _ in range(40):
                entry.write(zeros)
        for number in range(9):
            with archive.open(f"part-{number}", "w") as entry:
                for _ in range(31):
                    entry.write(zeros)
    workspace.write_bytes("a.zip", into.getvalue())
    outcome = await call(workspace, "archive_unpack", path="a.zip")
    assert outcome.status == "failed"
    assert "one: it is over the limit of 33554432 bytes for one file" in outcome.content
    assert "[stopped: limit of 268435456 unpacked bytes reached" in outcome.content

    into = io.BytesIO()
    with zipfile.ZipFile(into, "w") as archive:
        for number in range(10_050):
            archive.writestr(f"{number}/", "")
    workspace.write_bytes("b.zip", into.getvalue())
    assert "limit of 10000 entries" in (await call(workspace, "file_read", path="b.zip")).content


async def test_entries_that_share_their_bytes_and_lies_about_sizes_are_found(workspace: Workspace) -> None:
    into = io.BytesIO()
    with zipfile.ZipFile(into, "w", zipfile.ZIP_DEFLATED) as archive:
        archive.writestr("a", bytes(50_000))
        archive.writestr("b", bytes(50_000))
    content = bytearray(into.getvalue())
    second = content.rfind(b"PK\x01\x02")
    overlapping = bytearray(content)
    overlapping[second + 42 : second + 46] = struct.pack("<I", 0)  # where b begins: where a does
    workspace.write_bytes("overlap.zip", bytes(overlapping))
    assert "overlap" in (await call(workspace, "archive_unpack", path="overlap.zip")).content

    lying = bytearray(content)
    lying[second + 24 : second + 28] = struct.pack("<I", 10)  # the unpacked size of b
    workspace.write_bytes("lying.zip", bytes(lying))
    outcome = await call(workspace, "archive_unpack", path="lying.zip")
    assert outcome.data["files"] + outcome.data["left_out"] == 2
    assert not workspace.is_file("lying/b") or len(workspace.read_bytes("lying/b")) <= 50_000

    encrypted = bytearray(content)
    encrypted[second + 8] |= 1
    workspace.write_bytes("encrypted.zip", bytes(encrypted))
    assert (
        "b: it is encrypted and needs a password"
        in (await call(workspace, "archive_unpack", path="encrypted.zip")).content
    )
    for name, broken in (
        ("cut.zip", content[:200]),
        ("cut.tar.gz", b"\x1f\x8b\x08\0" + bytes(20)),
        ("no.tar", b"x" * 600),
    ):
        workspace.write_bytes(name, bytes(broken))
        outcome = await call(workspace, "archive_unpack", path=name, into="out")
        assert outcome.status == "failed", name
        assert not list((workspace.root / "out").glob("*")), name


@pytest.mark.parametrize(
    ("name", "path"),
    [
        ("a/./b//c", "a/b/c"), ("a\\b", "a/b"), ("\udcff", "_"), ("a\nb", ""), ("a\0b", ""), ("..", ""), ("~/x", "~/x"),
        ("/".join("d" * 40), ""), ("", ""), ("x" * 256, ""), ("ö" * 128, ""),
    ],
)  # fmt: skip
def test_where_an_entry_goes(name: str, path: str) -> None:
    assert safe_name(name)[0] == path


async def test_paths_of_every_kind_are_refused_in_words(workspace: Workspace) -> None:
    (workspace.root / "link").symlink_to("/etc/passwd")
    os.mkfifo(workspace.root / "fifo")
    workspace.make_folder("folder")
    for path, why in (
        ("../outside.txt", "climbs"), ("/etc/passwd", "outside the workspace"), ("a\0b", "NUL"),
        ("\udcff", "undecodable"),
        ("link", "leads out|link"), ("fifo", "a pipe"), ("folder", "folder"), ("", "empty"), ("a" * 5000, "4096"),
        ("nowhere", "does not exist"),
    ):  # fmt: skip
        for name, more in (
            ("file_read", {}),
            ("archive_unpack", {}),
            ("file_edit", {"edits": [{"old": "a", "new": "b"}]}),
        ):
            outcome = await call(workspace, name, path=path, **more)
            assert outcome.status == "failed", (name, path)
            assert any(word in outcome.content for word in why.split("|")), (name, path, outcome.content)


async def test_documents_that_unpack_without_end_are_stopped() -> None:
    into = io.BytesIO()
    with zipfile.ZipFile(into, "w", zipfile.ZIP_DEFLATED, compresslevel=1) as archive:
        archive.writestr("[Content_Types].xml", "<Types/>")
        with archive.open("word/document.xml", "w") as entry:
            for _ in range(1_100):
                entry.write(b"<" * MIB)
    with pytest.raises(ToolRefused, match=r"memory|broken|longer than|processed"):
        await parse_document("a.docx", into.getvalue(), timeout_seconds=20)
