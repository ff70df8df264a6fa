"""The profiling program that the stand-in writes into workspaces, on files as people have them."""

from __future__ import annotations

import csv
import io
import json
import math
import statistics
import subprocess
import sys
from pathlib import Path
from typing import Any
from xml.etree import ElementTree

import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from agent_runtime.llm.scripted.programs import chart, program
from agent_runtime.llm.scripted.programs.profile import bounded_json, main, profile_file
from agent_runtime.llm.scripted.programs.values import plain_number
from agent_runtime.llm.scripted.report import report

relaxed = settings(
    max_examples=60, deadline=None, derandomize=True, suppress_health_check=[HealthCheck.function_scoped_fixture]
)


def profiled(folder: Path, name: str, content: str | bytes) -> dict[str, Any]:
    path = folder / name
    path.write_bytes(content if isinstance(content, bytes) else content.encode())
    # The way through the file: what the report is made of.
    profile: dict[str, Any] = json.loads(bounded_json(profile_file(path), 60_000))
    return profile


def column(profile: dict[str, Any], name: str) -> dict[str, Any]:
    return next(column for column in profile["columns"] if column["name"] == name)


def test_decimal_commas_semicolons_and_a_byte_order_mark(tmp_path: Path) -> None:
    text = "\ufeffArtikel;Menge;Umsatz\nBrot;2;1.234,50\nMilch;3;12,5\nÄpfel;1;-0,25\n"
    profile = profiled(tmp_path, "umsatz.csv", text)
    assert (profile["delimiter"], profile["decimal_mark"], profile["encoding"]) == (";", ",", "utf-8")
    assert column(profile, "Umsatz")["sum"] == 1246.75
    assert profile["columns"][0]["name"] == "Artikel"


@pytest.mark.parametrize(
    ("text", "comma", "value"),
    [
        ("1,234.5", False, 1234.5),
        ("$ 1,234", False, 1234.0),
        ("(12.50)", False, -12.5),
        ("12 %", False, 12.0),
        ("1e3", False, 1000.0),
        ("1.234.567,8", True, 1234567.8),
        ("007", False, None),
        ("1_000", False, None),
        ("nan", False, None),
        ("1e999", False, None),
        ("12-3", False, None),
        ("", False, None),
        ("٣", False, None),
    ],
)
def test_what_counts_as_a_number(text: str, comma: bool, value: float | None) -> None:
    assert plain_number(text, comma) == value


def test_ragged_rows_are_counted_and_lose_nothing_else(tmp_path: Path) -> None:
    profile = profiled(tmp_path, "r.csv", "a,b\n1,2\n3\n4,5,6\n\n7,8\n")
    assert (profile["rows"], profile["odd_rows"]) == (4, 2)
    assert column(profile, "a")["sum"] == 15
    assert (column(profile, "b")["sum"], column(profile, "b")["missing"]) == (15, 1)


@pytest.mark.parametrize("content", [b"", b"\n\n", b"\xef\xbb\xbf", b" "])
def test_an_empty_file_has_no_rows(tmp_path: Path, content: bytes) -> None:
    profile = profiled(tmp_path, "empty.csv", content)
    assert profile["rows"] == 0
    assert "empty.csv" in report(profile, "profile.json", None)


def test_a_header_alone_has_columns_and_no_rows(tmp_path: Path) -> None:
    profile = profiled(tmp_path, "h.csv", "a,b\n")
    assert (profile["rows"], profile["columns_total"]) == (0, 2)
    assert column(profile, "a")["kind"] == "empty"


def test_a_file_without_a_header_is_noticed_and_years_are_a_header(tmp_path: Path) -> None:
    bare = profiled(tmp_path, "b.csv", "1,2.5\n2,3.5\n")
    assert (bare["rows"], [c["name"] for c in bare["columns"]]) == (2, ["column 1", "column 2"])
    years = profiled(tmp_path, "y.csv", "country,2024,2025\nA,1,2\nB,3,4\n")
    assert [c["name"] for c in years["columns"]] == ["country", "2024", "2025"]


def test_other_encodings_are_read_and_named(tmp_path: Path) -> None:
    latin = profiled(tmp_path, "l.csv", "name,n\nJosé,1\n".encode("cp1252"))
    wide = profiled(tmp_path, "w.csv", "name,n\nJosé,1\nZoë,2\n".encode("utf-16"))
    assert latin["encoding"] == "cp1252"
    assert (wide["encoding"], column(wide, "n")["sum"]) == ("utf-16", 3)


@pytest.mark.parametrize("place", [3, 200])
def test_a_quotation_mark_that_is_never_closed_does_not_swallow_the_file(tmp_path: Path, place: int) -> None:
    rows = "".join(f'{number},"broken\n' if number == place else f"{number},fine\n" for number in range(1_000))
    profile = profiled(tmp_path, "q.csv", f"n,word\n{rows}")
    assert profile["rows"] == 1_000
    assert any("never closed" in note for note in profile["notes"])


def test_ambiguous_dates_are_said_to_be_ambiguous(tmp_path: Path) -> None:
    doubtful = profiled(tmp_path, "d.csv", "day,x\n03/04/2026,1\n05/06/2026,2\n")
    clear = profiled(tmp_path, "c.csv", "day,x\n03/04/2026,1\n25/06/2026,2\n")
    assert any("month first" in note for note in doubtful["notes"])
    assert [c["min"] for c in (column(doubtful, "day"), column(clear, "day"))] == ["2026-03-04", "2026-04-03"]


JSON_FORMS = {
    "array.json": '[{"a": 1, "b": {"c": "x"}}, {"a": 2.5, "d": null}, {"a": "n/a", "b": {"c": "y"}}]',
    "lines.jsonl": '{"a": 1, "b": {"c": "x"}}\n{"a": 2.5, "d": null}\n\n{"a": "n/a", "b": {"c": "y"}}\n',
    "document.json": '{"meta": 1, "rows": '
    '[{"a": 1, "b": {"c": "x"}}, {"a": 2.5, "d": null}, {"a": null, "b": {"c": "y"}}]}',
}


@pytest.mark.parametrize("name", JSON_FORMS)
def test_each_form_of_json_gives_the_same_table(tmp_path: Path, name: str) -> None:
    profile = profiled(tmp_path, name, JSON_FORMS[name])
    assert (profile["rows"], [c["name"] for c in profile["columns"]]) == (3, ["a", "b.c", "d"])
    assert (column(profile, "a")["sum"], column(profile, "a")["missing"]) == (3.5, 1)
    assert column(profile, "b.c")["missing"] == 1


def test_json_lines_with_broken_lines_count_them(tmp_path: Path) -> None:
    profile = profiled(tmp_path, "b.jsonl", '{"a": 1}\n{"a": 2\n{"a": 3}\n')
    assert (profile["rows"], profile["odd_rows"], column(profile, "a")["sum"]) == (2, 1, 4)


@pytest.mark.parametrize("content", ['[{"a": 1}, {"a"', "[1, 2", '{"a": ', "[" * 100_000, '{"a": 1} x'])
def test_json_that_is_none_is_refused_in_one_line(
    tmp_path: Path, content: str, capsys: pytest.CaptureFixture[str]
) -> None:
    (tmp_path / "bad.json").write_text(content)
    assert main([str(tmp_path / "bad.json"), str(tmp_path / "out.json")]) == 1
    assert capsys.readouterr().out.startswith("profile: cannot profile bad.json: ")
    assert not (tmp_path / "out.json").exists()


def test_memory_does_not_grow_with_the_file(tmp_path: Path) -> None:
    code = (
        "import pathlib, resource, sys; from agent_runtime.llm.scripted.programs.profile import profile_file; "
        "profile_file(pathlib.Path(sys.argv[1])); print(resource.getrusage(resource.RUSAGE_SELF).ru_maxrss)"
    )

    def peak(rows: int) -> int:
        path = tmp_path / f"{rows}.csv"
        path.write_text("id,name,value\n" + "".join(f"{n},name {n},{n % 1000}.5\n" for n in range(rows)))
        return int(subprocess.run([sys.executable, "-c", code, path], check=True, capture_output=True).stdout)

    assert peak(200_000) < 1.15 * peak(60_000)


def test_a_sampled_median_is_marked_and_near(tmp_path: Path) -> None:
    values = [(n * 7919) % 100_003 for n in range(120_000)]
    found = column(profiled(tmp_path, "m.csv", "v\n" + "".join(f"{v}\n" for v in values)), "v")
    assert found["median_exact"] is False
    assert found["median"] == pytest.approx(statistics.median(values), rel=0.02)
    assert found["sum"] == sum(values)


def test_a_wide_file_stays_within_the_limit_of_its_profile(tmp_path: Path) -> None:
    names = [f"столбец {n}" for n in range(300)]
    (tmp_path / "wide.csv").write_text(",".join(names) + "\n" + ",".join(map(str, range(300))) + "\n")
    assert main([str(tmp_path / "wide.csv"), str(tmp_path / "p.json"), "8000"]) == 0
    assert (tmp_path / "p.json").stat().st_size <= 8_000
    profile = json.loads((tmp_path / "p.json").read_text())
    assert profile["columns_total"] == 300
    untold = 300 - len(profile["columns"])
    assert f"{untold} further columns are not described" in report(profile, "p.json", None)


cells = st.one_of(
    st.text(max_size=12),
    st.floats(allow_nan=False, allow_infinity=False, width=32).map(str),
    st.integers().map(str),
    st.dates().map(str),
    st.sampled_from(["", "NA", "a", "b", "1,5", "1.234,5", "03/04/2026", "=1+1", '"', "<b>|x|</b>"]),
)


@relaxed
@given(rows=st.lists(st.lists(cells, min_size=1, max_size=5), max_size=12), delimiter=st.sampled_from(",;\t|"))
def test_no_table_breaks_profile_chart_or_report(tmp_path: Path, rows: list[list[str]], delimiter: str) -> None:
    text = io.StringIO()
    csv.writer(text, delimiter=delimiter).writerows(rows)
    profile = profiled(tmp_path, "any.csv", text.getvalue().encode("utf-8", "replace"))
    for found in profile["columns"]:
        assert found["present"] + found["missing"] == profile["rows"]
    assert report(profile, "profile.json", "chart.svg")
    if panels := chart.panels_of(profile):
        ElementTree.fromstring(chart.document(panels))


@relaxed
@given(content=st.binary(max_size=300), suffix=st.sampled_from([".csv", ".json", ".tsv", ".data"]))
def test_no_bytes_make_the_program_crash(tmp_path: Path, content: bytes, suffix: str) -> None:
    (tmp_path / f"any{suffix}").write_bytes(content)
    assert main([str(tmp_path / f"any{suffix}"), str(tmp_path / "out.json")]) in (0, 1)


@relaxed
@given(values=st.lists(st.decimals(-1_000_000, 1_000_000, places=2), min_size=1, max_size=40), comma=st.booleans())
def test_figures_are_those_of_an_independent_computation(tmp_path: Path, values: list[Any], comma: bool) -> None:
    written = [str(value).replace(".", ",") if comma else str(value) for value in values]
    profile = profiled(tmp_path, "f.csv", "label;amount\n" + "".join(f"x;{value}\n" for value in written))
    found = column(profile, "amount")
    expected = [min(values), max(values), sum(values), statistics.mean(values), statistics.median(values)]
    for key, value in zip(("min", "max", "sum", "mean", "median"), expected, strict=True):
        assert math.isclose(found[key], float(value), rel_tol=1e-9, abs_tol=1e-6), key


def test_the_shipped_program_runs_alone_and_gives_the_same(tmp_path: Path) -> None:
    (tmp_path / "sales.csv").write_text("region,revenue\nN,1.5\nS,2\nN,4\n")
    for name in ("profile", "chart"):
        (tmp_path / f"{name}.py").write_text(program(name))
    for arguments in (["profile.py", "sales.csv"], ["chart.py", "profile.json", "chart.svg"]):
        subprocess.run([sys.executable, "-I", *arguments], cwd=tmp_path, check=True, capture_output=True)
    alone = json.loads((tmp_path / "profile.json").read_text())
    assert alone == json.loads(bounded_json(profile_file(tmp_path / "sales.csv"), 60_000))
    words = list(ElementTree.fromstring((tmp_path / "chart.svg").read_text()).itertext())
    assert {"Total revenue by region in sales.csv", "revenue", "region", "N", "S", "5.5", "2"} <= set(words)
