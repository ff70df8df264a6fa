"""The files that a person gives: each looked at before anything is sent."""

from __future__ import annotations

import os
import sys
from pathlib import Path

import pytest

from agent_runtime.errors import InvalidInput
from agent_runtime.person.attachments import open_attachments

LIMIT = 1_000


def names(paths: list[Path]) -> list[str]:
    with open_attachments(paths, LIMIT) as attachments:
        return [attachment.name for attachment in attachments]


def written(path: Path, text: str = "x") -> Path:
    path.parent.mkdir(parents=True, exist_ok=True)
    path.write_text(text, encoding="utf-8")
    return path


def test_size_and_type_are_known_before_it_is_sent(tmp_path: Path) -> None:
    with open_attachments([written(tmp_path / "a.csv", "1,2\n")], LIMIT) as (attachment,):
        assert (attachment.name, attachment.size_bytes, attachment.mime_type) == ("a.csv", 4, "text/csv")
        assert attachment.file.read() == b"1,2\n"


def test_files_of_the_same_name_get_names_that_differ(tmp_path: Path) -> None:
    paths = [
        written(tmp_path / folder / name)
        for folder, name in (("1", "a.csv"), ("2", "a.csv"), ("3", "A.csv"), ("4", "a-2.csv"))
    ]
    assert names(paths) == ["a.csv", "a-2.csv", "A-3.csv", "a-2-2.csv"]


def test_a_name_is_made_fit_for_a_workspace(tmp_path: Path) -> None:
    long = written(tmp_path / f"{'é' * 120}.csv")
    strange = tmp_path / "a\x1b[2J\nb.csv"
    (long_name, strange_name) = names([long, written(strange)])
    assert len(long_name.encode()) <= 200
    assert long_name.endswith(".csv")
    assert strange_name == "a_[2J_b.csv"


@pytest.mark.skipif(sys.platform == "darwin", reason="its file system takes text alone")
def test_a_name_that_is_no_text_is_taken_all_the_same(tmp_path: Path) -> None:
    assert names([written(tmp_path / os.fsdecode(b"caf\xe9.txt"))]) == ["caf_.txt"]


def test_a_missing_file_is_named(tmp_path: Path) -> None:
    with pytest.raises(InvalidInput, match=r"nope\.csv: there is no such file"):
        names([tmp_path / "nope.csv"])


def test_a_folder_is_refused(tmp_path: Path) -> None:
    with pytest.raises(InvalidInput, match="it is a folder"):
        names([tmp_path])


def test_a_named_pipe_is_refused_and_not_waited_for(tmp_path: Path) -> None:
    os.mkfifo(tmp_path / "pipe")
    with pytest.raises(InvalidInput, match="not an ordinary file"):
        names([tmp_path / "pipe"])


def test_a_device_is_refused() -> None:
    with pytest.raises(InvalidInput, match="not an ordinary file"):
        names([Path("/dev/zero")])


def test_a_file_over_the_limit_is_refused_with_its_name_its_size_and_the_limit(tmp_path: Path) -> None:
    with pytest.raises(InvalidInput, match=r"big\.bin has 1,001 bytes; file_upload_max_size allows 1,000"):
        names([written(tmp_path / "big.bin", "x" * 1_001)])


def test_a_null_in_a_path_is_refused() -> None:
    with pytest.raises(InvalidInput):
        names([Path("a\0b")])
