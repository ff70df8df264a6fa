"""The main job, as a person types it: one command, from a question to a finished report."""

from __future__ import annotations

import csv
import re
import subprocess
import sys
from collections import defaultdict
from decimal import Decimal
from pathlib import Path

import pytest

from agent_runtime import resources

PLAN = ["Profile bike-rentals.csv", "Draw the chart", "Write the report", "Hand over the result"]


@pytest.mark.parametrize("model", ["stand-in", "stand-in-plain"], ids=["native tools", "no tool support"])
def test_the_demo_hands_over_a_report_whose_figures_are_right(model: str, tmp_path: Path) -> None:
    finished = subprocess.run(
        [sys.executable, "-m", "agent_runtime", "demo", "--model", model, "--output", "out"],
        cwd=tmp_path, stdin=subprocess.DEVNULL, capture_output=True, text=True, timeout=110,
    )  # fmt: skip
    assert finished.returncode == 0, finished.stderr
    assert finished.stderr == ""

    printed = finished.stdout
    assert "\x1b" not in printed, "no colour when piped"
    assert " · ".join(PLAN) in printed
    assert re.findall(r"Phase (\d) of 4", printed) == ["2", "3", "4"]
    assert "stand-in" in printed, "it never pretends to be a language model"
    for name in ("report.md", "chart.svg"):
        assert str(tmp_path / "out" / name) in printed
    check_figures((tmp_path / "out" / "report.md").read_text())
    assert (tmp_path / "out" / "chart.svg").read_text().startswith("<svg")


def check_figures(report: str) -> None:
    """Against the file itself, by exact decimal sums."""
    by_city: dict[str, Decimal] = defaultdict(Decimal)
    with (resources.examples() / "bike-rentals.csv").open(newline="") as file:
        rows = list(csv.DictReader(file))
    for row in rows:
        by_city[row["city"]] += Decimal(row["revenue_eur"])
    assert f"- {len(rows)} rows, {len(rows[0])} columns" in report
    assert f"total of revenue_eur is {sum(by_city.values()):,.2f}" in report
    found = dict(re.findall(r"^\| (\w+) \| \d+ \| ([\d,.]+) \|$", report, re.MULTILINE))
    assert found == {city: f"{total:,.2f}" for city, total in by_city.items()}
