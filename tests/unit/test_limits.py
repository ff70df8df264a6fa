"""The tightest bound wins, and names itself when it is reached."""

from __future__ import annotations

from typing import Any

import pytest

from agent_runtime.errors import LimitReached
from agent_runtime.limits import Limits, check_repeats


def test_a_used_up_limit_says_which_and_how_much() -> None:
    limits = Limits({"steps": 5, "tool_calls": 100})
    limits.check({"steps": 4})
    with pytest.raises(LimitReached, match="limit steps reached: 5 of 5"):
        limits.check({"steps": 5})


def test_what_the_model_read_and_wrote_counts_together() -> None:
    limits = Limits({"model_tokens": 100})
    limits.check({"prompt_tokens": 60, "output_tokens": 39})
    with pytest.raises(LimitReached, match="limit model_tokens reached: 100 of 100"):
        limits.check({"prompt_tokens": 60, "output_tokens": 40})


def test_the_time_of_earlier_claims_counts_too() -> None:
    limits = Limits({"wall_seconds": 60}, active_seconds=59.5)
    left = limits.seconds_left()
    assert left is not None
    assert 0 < left <= 0.5
    with pytest.raises(LimitReached, match="limit wall_seconds reached"):
        Limits({"wall_seconds": 60}, active_seconds=60).check({})
    assert Limits({}).seconds_left() is None


def test_only_identical_calls_in_a_row_are_a_loop() -> None:
    look: tuple[str, Any] = ("file_list", {})
    write: tuple[str, Any] = ("file_write", {"path": "a"})
    check_repeats([look, look, write, look, look], 3)
    with pytest.raises(LimitReached, match="3 identical calls of file_list"):
        check_repeats([write, look, look, look], 3)
