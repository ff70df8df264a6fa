"""Nothing of a workspace is stored with a secret in it: texts are mended, everything else goes."""

from __future__ import annotations

import base64
import gzip
import io
import os
import tarfile
import zipfile
from pathlib import Path

import pytest

from agent_runtime.toolbox.workspace import Workspace
from agent_runtime.vault.redact import Redactor
from agent_runtime.vault.scrub import Scrubber

VALUE = "canary-4f7c21d0-file"


@pytest.fixture
def workspace(tmp_path: Path) -> Workspace:
    return Workspace.create(tmp_path / "workspace")


def redactor(workspace: Workspace) -> Redactor:
    return Redactor(workspace, Scrubber([VALUE]))


def test_a_text_is_mended_where_it_is_and_keeps_its_mode(workspace: Workspace) -> None:
    workspace.write_bytes("a/run.sh", f"echo {VALUE} ñ {base64.b64encode(VALUE.encode()).decode()}\n".encode())
    workspace.set_executable("a/run.sh", True)
    workspace.write_bytes("other.txt", b"nothing")
    (note,) = redactor(workspace).redact()
    assert note == "a/run.sh held a secret; there is *** in its place now."
    assert workspace.read_bytes("a/run.sh").startswith("echo *** ñ ***".encode())
    assert os.access(workspace.root / "a/run.sh", os.X_OK)
    assert workspace.read_bytes("other.txt") == b"nothing"


def test_what_is_not_text_is_removed(workspace: Workspace) -> None:
    archive = io.BytesIO()
    with tarfile.open(fileobj=archive, mode="w") as tar:
        info = tarfile.TarInfo("x.env")
        info.size = len(VALUE)
        tar.addfile(info, io.BytesIO(VALUE.encode()))
    workspace.write_bytes("x.tar", archive.getvalue())
    workspace.write_bytes("wide.txt", VALUE.encode("utf-16"))
    workspace.write_bytes("broken.txt", VALUE.encode() + b"\xff\xfe")
    notes = redactor(workspace).redact()
    assert [note.partition(" held a secret and was removed")[0] for note in notes] == [
        "broken.txt",
        "wide.txt",
        "x.tar",
    ]
    assert workspace.scan() == []


def test_what_is_packed_is_looked_into(workspace: Workspace) -> None:
    packed = io.BytesIO()
    with zipfile.ZipFile(packed, "w", zipfile.ZIP_DEFLATED) as archive:
        archive.writestr("inner/x.env", VALUE * 3)
    workspace.write_bytes("x.zip", packed.getvalue())
    workspace.write_bytes("x.gz", gzip.compress(VALUE.encode()))
    workspace.write_bytes("fine.gz", gzip.compress(b"nothing"))
    workspace.write_bytes("broken.gz", gzip.compress(b"nothing")[:-9] + b"rubbish")
    workspace.write_bytes("broken.zip", packed.getvalue()[:-9])
    redactor(workspace).redact()
    assert [entry.path for entry in workspace.scan()] == ["broken.gz", "broken.zip", "fine.gz"]


def test_names_that_hold_a_secret_are_removed(workspace: Workspace) -> None:
    spelled = VALUE.encode().hex()
    workspace.write_bytes(f"d-{spelled}/inner.txt", b"x")
    workspace.write_bytes(f"{VALUE}.txt", b"x")
    workspace.make_link("link", f"/nowhere/{VALUE}")
    workspace.make_link("plain", "/nowhere")
    assert redactor(workspace).redact() == ["What had a secret in its name was removed from the workspace."]
    assert sorted(path.name for path in workspace.root.rglob("*")) == ["plain"]


def test_a_value_that_is_learned_later_is_looked_for_in_all_files_again(workspace: Workspace) -> None:
    scrubber = Scrubber()
    looking = Redactor(workspace, scrubber)
    workspace.write_bytes("a.txt", VALUE.encode())
    assert looking.redact() == []
    scrubber.add(["another-4f7c21d0"])
    assert looking.redact() == []
    scrubber.add([VALUE])
    assert len(looking.redact()) == 1
    assert looking.redact() == []


def test_a_long_file_is_looked_into_where_its_windows_meet(
    workspace: Workspace, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr("agent_runtime.vault.redact.FILE_LIMIT_BYTES", 10_000)
    monkeypatch.setattr("agent_runtime.vault.redact.WINDOW_BYTES", 5_000)
    for at in (9_990, 10_001, 14_995, 19_000):
        workspace.write_bytes("long.txt", b"." * at + VALUE.encode() + b"." * 9_000)
        assert redactor(workspace).redact() == [
            "long.txt held a secret and was removed: what is not plain text is not kept then."
        ]
