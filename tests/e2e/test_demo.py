"""The main job, as a person types it: one command, from a question to a finished report."""

from __future__ import annotations

import csv
import re
import subprocess
import sys
from collections import defaultdict
from decimal import Decimal
from pathlib import Path

from agent_runtime import resources

PLAN = ["Profile bike-rentals.csv", "Draw the chart", "Write the report", "Hand over the result"]


def test_the_demo_hands_over_a_report_whose_figures_are_right_with_and_without_native_tools(tmp_path: Path) -> None:
    # Side by side, for each waits more than it works.
    running = {
        model: subprocess.Popen(
            [sys.executable, "-m", "agent_runtime", "demo", "--model", model, "--output", f"out-{model}"],
            cwd=tmp_path, stdin=subprocess.DEVNULL, stdout=subprocess.PIPE, stderr=subprocess.PIPE, text=True,
        )
        for model in ("stand-in", "stand-in-plain")
    }  # fmt: skip
    for model, process in running.items():
        printed, trouble = process.communicate(timeout=110)
        assert (process.returncode, trouble) == (0, ""), printed
        check(printed, tmp_path / f"out-{model}")


def check(printed: str, output: Path) -> None:
    assert "\x1b" not in printed, "no colour when piped"
    assert " · ".join(PLAN) in printed
    assert re.findall(r"Phase (\d) of 4", printed) == ["2", "3", "4"]
    assert "stand-in" in printed, "it never pretends to be a language model"
    for name in ("report.md", "chart.svg"):
        assert str(output / name) in printed
    check_figures((output / "report.md").read_text())
    assert (output / "chart.svg").read_text().startswith("<svg")


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
