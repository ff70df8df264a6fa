"""Profiles data files: write the programs, run them, read what they found, write the report."""

from __future__ import annotations

import json
import shlex
from collections.abc import Generator
from dataclasses import dataclass
from typing import Any

from agent_runtime.llm.scripted.conversation import Attachment
from agent_runtime.llm.scripted.part import Names, Part, Result, Tools, advance, quoted, suffixed
from agent_runtime.llm.scripted.programs import program
from agent_runtime.llm.scripted.report import figure, plain, report, says
from agent_runtime.llm.scripted.wire import ScriptedCall

PROFILE_LIMIT_BYTES = 12_000
SLOW_FILE_BYTES = 5_000_000
SLOW_SECONDS = 600

Calls = Generator[ScriptedCall, str, Any]


@dataclass
class _Subject:
    """A file on its way through the phases."""

    file: Attachment
    profile: dict[str, Any] | None = None
    profile_name: str = ""
    chart_name: str | None = None


def profile_data(files: list[Attachment], names: Names, tools: Tools) -> Part:
    """A report and a chart for each file. A file that cannot be profiled costs a sentence, not the others."""
    result = Result()
    subjects = [_Subject(file) for file in files]
    profiler, drawer = names.free("profile.py"), names.free("chart.py")
    yield _write(profiler, program("profile"))
    for subject in subjects:
        problem = yield from _profile(
            subject, profiler, names.free(suffixed("profile.json", subject.file, files)), tools
        )
        if problem:
            result.said.append(f"{plain(subject.file.name)} could not be profiled: {problem}")
    subjects = [subject for subject in subjects if subject.profile]
    yield from advance(tools)
    if subjects:
        yield _write(drawer, program("chart"))
    for subject in subjects:
        yield from _draw(subject, drawer, names.free(suffixed("chart.svg", subject.file, files)), tools)
    yield from advance(tools)
    for subject in subjects:
        yield from _report(subject, names.free(suffixed("report.md", subject.file, files)), result)
    yield from advance(tools)
    return result


def _profile(subject: _Subject, profiler: str, target: str, tools: Tools) -> Calls:
    """Fills the subject's profile, or returns what went wrong."""
    limit = str(PROFILE_LIMIT_BYTES)
    ran = yield from _run([profiler, _path(subject.file.name), target, limit], "profile: ", subject.file, tools)
    if "profile: wrote" not in ran:
        return quoted(ran.partition("profile: cannot profile ")[2] or ran)
    read = yield ScriptedCall(name="file_read", arguments={"path": target})
    profile = _json_in(read)
    if profile is None:
        read = yield ScriptedCall(name="shell_exec", arguments={"command": f"cat {shlex.quote(target)}"})
        profile = _json_in(read)
    if profile is None:
        return f"{target} could not be read ({quoted(read, 120)})"
    subject.profile, subject.profile_name = profile, target
    return None


def _draw(subject: _Subject, drawer: str, target: str, tools: Tools) -> Calls:
    ran = yield from _run([drawer, subject.profile_name, target], "chart: ", subject.file, tools)
    subject.chart_name = target if "chart: wrote" in ran else None


def _report(subject: _Subject, target: str, result: Result) -> Calls:
    assert subject.profile is not None
    yield _write(target, report(subject.profile, subject.profile_name, subject.chart_name))
    chart = f", the chart {subject.chart_name}" if subject.chart_name else "; there was nothing to draw in a chart"
    columns = figure(subject.profile["columns_total"])
    counted = f"{plain(subject.file.name)} has {figure(subject.profile['rows'])} rows and {columns} columns."
    result.said.append(" ".join([counted, *says(subject.profile)[:4], f"The report is {target}{chart}."]))
    result.files += [target, *([subject.chart_name] if subject.chart_name else [])]


def _run(arguments: list[str], marker: str, file: Attachment, tools: Tools) -> Generator[ScriptedCall, str, str]:
    """The output of a Python program; once more under Python's other name when it did not even start."""
    ran = ""
    for python in ("python3", "python"):
        # -I: the person's files lie beside the program, and none of them must be imported as a module.
        call: dict[str, Any] = {"command": shlex.join([python, "-I", *arguments])}
        if file.size_bytes > SLOW_FILE_BYTES and "timeout_seconds" in tools["shell_exec"]:
            call["timeout_seconds"] = SLOW_SECONDS
        ran = yield ScriptedCall(name="shell_exec", arguments=call)
        if marker in ran:
            break
    return ran


def _write(path: str, content: str) -> ScriptedCall:
    return ScriptedCall(name="file_write", arguments={"path": path, "content": content})


def _path(name: str) -> str:
    # A name that begins with a dash would be read as an option.
    return f"./{name}" if name.startswith("-") else name


def _json_in(text: str) -> dict[str, Any] | None:
    start = text.find("{")
    try:
        value = json.JSONDecoder().raw_decode(text, start)[0] if start >= 0 else None
    except ValueError:
        return None
    return value if isinstance(value, dict) and "columns" in value and "rows" in value else None
