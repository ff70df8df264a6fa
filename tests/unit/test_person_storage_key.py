"""Keys of files in Storage: what hosted Storage takes, one for each name, and never a way out of the task's folder."""

from __future__ import annotations

import re
from uuid import UUID

import pytest
from hypothesis import given
from hypothesis import strategies as st

from agent_runtime.storage import content_path, storage_key, storage_path

TENANT, TASK = UUID(int=1), UUID(int=2)


@pytest.mark.parametrize("name", ["report.md", "sales_2024-Q1.csv", "archive.tar.gz", "README", "x" * 100])
def test_a_plain_name_is_its_own_key(name: str) -> None:
    assert storage_key(name) == name


@pytest.mark.parametrize(
    "name", ["résumé.md", "a b.txt", "charts/plot.png", "..", ".", ".env", "a..b", "a/../b", "x" * 255, "%2e", "a?b#c"]
)
def test_any_other_name_is_spelled_in_characters_that_every_storage_takes(name: str) -> None:
    assert re.fullmatch(r"[A-Za-z0-9_-]*@[0-9a-f]{16}(\.[A-Za-z0-9]+)?", storage_key(name))


@given(st.text(min_size=1, max_size=255))
def test_a_key_is_one_short_ascii_segment_that_cannot_climb(name: str) -> None:
    key = storage_key(name)
    assert key.isascii()
    assert "/" not in key
    assert ".." not in key
    assert not key.startswith(".")
    assert len(key) <= 120


@given(st.text(min_size=1, max_size=40), st.text(min_size=1, max_size=40))
def test_two_names_never_share_a_key(one: str, other: str) -> None:
    assert (storage_key(one) == storage_key(other)) == (one == other)


def test_a_name_made_to_look_like_the_key_of_another_gets_its_own() -> None:
    assert storage_key(storage_key("résumé.md")) != storage_key("résumé.md")


def test_what_a_run_made_has_a_path_of_its_own_that_no_name_can_take() -> None:
    assert storage_path(TENANT, TASK, "report.md") == f"{TENANT}/{TASK}/report.md"
    assert content_path(TENANT, TASK, "ab") == f"{TENANT}/{TASK}/.sha256/ab"
    assert storage_path(TENANT, TASK, ".sha256/ab").split("/")[2][0] not in "./"
    assert content_path(TENANT, TASK, "ab", temporary=True) != content_path(TENANT, TASK, "ab", temporary=True)
