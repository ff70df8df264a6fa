"""The benchmarks run. What they measure is for people to judge: nothing here asserts a time."""

from __future__ import annotations

import importlib.util
import json
import subprocess
import sys
from pathlib import Path

import pytest

ROOT = Path(__file__).parents[2]
AGENTDOJO = all(importlib.util.find_spec(name) for name in ("agentdojo", "aib"))
PEERS = all(importlib.util.find_spec(name) for name in ("dbos", "langgraph"))


def bench(*arguments: str) -> subprocess.CompletedProcess[str]:
    command = [sys.executable, "-m", "bench", *arguments]
    return subprocess.run(command, check=False, cwd=ROOT, capture_output=True, text=True, timeout=100)


def test_a_benchmark_prints_its_table_and_writes_every_round(tmp_path: Path) -> None:
    figures = tmp_path / "figures.json"
    ran = bench("claim_settle", "--quick", "--json", str(figures))
    assert ran.returncode == 0, ran.stderr
    assert "tasks/s" in ran.stdout
    lines = json.loads(figures.read_text())["benchmarks"]["claim_settle"]["lines"]
    assert {line["what"] for line in lines} >= {"bare loop, 1 worker", "ours, 1 worker", "ours, 4 workers"}
    ours = next(line for line in lines if line["what"] == "ours, 1 worker")
    assert ours["ratios"].keys() == {"bare loop, 1 worker", "bare loop with records, 1 worker"}
    assert all(rate > 0 for line in lines for rate in line["rounds"])


def test_a_zombie_of_ours_is_refused_in_every_order(tmp_path: Path) -> None:
    figures = tmp_path / "figures.json"
    ran = bench("zombie", "--quick", "--json", str(figures))
    assert ran.returncode == 0, ran.stderr
    found = json.loads(figures.read_text())["benchmarks"]["zombie"]["found"]
    ours = {verdict["order"]: verdict["outcome"] for verdict in found if verdict["system"] == "agent-runtime"}
    assert ours == {
        "while A holds the job": "held",
        "after the rescue": "refused",
        "transaction begun before, written after": "refused",
        "written before, committed after": "not given away",
        "while the rescue is open": "refused",
    }


@pytest.mark.skipif(not PEERS, reason="the extra [bench] is not installed")
def test_a_durable_step_is_measured_beside_its_peers() -> None:
    ran = bench("durable_step", "--quick")
    assert ran.returncode == 0, ran.stderr
    assert all(name in ran.stdout for name in ("DBOS", "LangGraph, sync", "ours, everything"))


def test_row_level_security_is_measured_beside_the_same_rows(tmp_path: Path) -> None:
    figures = tmp_path / "figures.json"
    ran = bench("rls", "--quick", "--json", str(figures))
    # It refuses to compare where the policies give other rows than the where.
    assert ran.returncode == 0, ran.stderr
    found = json.loads(figures.read_text())["benchmarks"]["rls"]["found"]
    assert len({one["who"] for one in found}) == 3
    assert {one["rows"] for one in found if "last 100" in one["what"]} == {100}
    # So small a database has tables that are best read whole; these are not, in any plan.
    assert not any(table in one["plan"] for one in found for table in ("messages", "task_events", "files"))


@pytest.mark.skipif(not AGENTDOJO, reason="the extra [agentdojo] is not installed")
def test_no_attack_that_is_obeyed_gets_through_the_gate() -> None:
    command = [sys.executable, "-W", "ignore", "-m", "bench.agentdojo", "--quick"]
    ran = subprocess.run(command, check=False, cwd=ROOT, capture_output=True, text=True, timeout=100)
    assert ran.returncode == 0, ran.stdout + ran.stderr
    assert "no gate" in ran.stdout
    assert "agent-injection-bench" in ran.stdout


@pytest.mark.skipif(AGENTDOJO, reason="the extra [agentdojo] is installed")
def test_what_the_attacks_need_is_named_in_one_line() -> None:
    command = [sys.executable, "-m", "bench.agentdojo", "--quick"]
    ran = subprocess.run(command, check=False, cwd=ROOT, capture_output=True, text=True, timeout=100)
    assert ran.returncode == 1
    assert ran.stderr.splitlines()[-1].endswith("pip install 'agent-runtime[agentdojo]'")


def test_an_unknown_benchmark_is_named_in_one_line() -> None:
    ran = bench("nonsense")
    assert (ran.returncode, ran.stderr.count("\n")) == (2, 1)
    assert "'nonsense'" in ran.stderr
    assert "claim_settle" in ran.stderr


def test_a_file_that_cannot_be_written_is_refused_before_the_work(tmp_path: Path) -> None:
    ran = bench("claim_settle", "--quick", "--json", str(tmp_path / "missing" / "figures.json"))
    assert (ran.returncode, ran.stderr.count("\n")) == (2, 1)
    assert "--json" in ran.stderr
