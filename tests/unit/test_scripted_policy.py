"""The stand-in policy from question to report, over the real client and a real port, with tools that really run."""

from __future__ import annotations

import csv
import io
import json
import re
import subprocess
import time
from collections import defaultdict
from collections.abc import AsyncIterator, Sequence
from decimal import Decimal
from pathlib import Path
from statistics import median
from typing import Any
from xml.etree import ElementTree

import httpx
import pytest
from pypdf import PdfReader

from agent_runtime.llm.chat import ChatMessage, ToolCall
from agent_runtime.llm.ollama import open_chat
from agent_runtime.llm.scripted import ScriptedServer
from agent_runtime.llm.scripted.summary import summarise
from tests.loopback import LOOPBACK

TEXT = {"type": "string"}
TEXTS = {"type": "array", "items": TEXT}
ARGUMENTS: dict[str, dict[str, Any]] = {
    "plan_set": {"phases": TEXTS},
    "plan_advance": {},
    "file_read": {"path": TEXT},
    "file_write": {"path": TEXT, "content": TEXT},
    "file_list": {"path": TEXT},
    "shell_exec": {"command": TEXT, "timeout_seconds": {"type": "integer"}},
    "message_notify": {"text": TEXT},
    "message_ask": {"question": TEXT},
    "task_complete": {"answer": TEXT, "files": TEXTS},
}
OPTIONAL = {"timeout_seconds"}


def schemas(names: Sequence[str] = tuple(ARGUMENTS)) -> list[dict[str, Any]]:
    return [
        {
            "type": "function",
            "function": {
                "name": name,
                "description": f"The tool {name}.",
                "parameters": {
                    "type": "object",
                    "properties": ARGUMENTS[name],
                    "required": [key for key in ARGUMENTS[name] if key not in OPTIONAL],
                },
            },
        }
        for name in names
    ]


class Desk:
    """A workspace with tools that do what they say, and the conversation so far."""

    def __init__(self, server: ScriptedServer, folder: Path, model: str) -> None:
        self.server, self.folder, self.model = server, folder, model
        self.messages = [ChatMessage(role="system", content="You work in a workspace.")]
        self.calls: list[ToolCall] = []
        self.broken: dict[str, str] = {}
        self.tools = schemas()

    def say(self, text: str, *files: Path) -> None:
        types = {".csv": "text/csv", ".json": "application/json", ".pdf": "application/pdf", ".md": "text/markdown"}
        listed = [f"- {f.name} ({f.stat().st_size} bytes, {types.get(f.suffix, 'text/plain')})" for f in files]
        block = "\n\nAttached files, in the workspace:\n" + "\n".join(listed) if listed else ""
        self.messages.append(ChatMessage(role="user", content=text + block))

    async def work(self, limit: int = 40) -> str:
        """The answer with which the policy ends."""
        # A new client for each step: nothing but the messages carries the work.
        for _ in range(limit):
            chat = await open_chat(base_url=self.server.base_url, model=self.model, num_ctx=16_384)
            turn = await chat.reply(self.messages, self.tools)
            self.messages.append(ChatMessage(role="assistant", content=turn.content, tool_calls=turn.tool_calls))
            if not turn.tool_calls:
                return turn.content
            for call in turn.tool_calls:
                self.calls.append(call)
                result = self.broken.get(call.name) or self._run(call.name, call.arguments)
                self.messages.append(
                    ChatMessage(role="tool", content=result, tool_call_id=call.id, tool_name=call.name)
                )
                if call.name == "task_complete" and result == "task completed":
                    assert all((self.folder / name).is_file() for name in call.arguments["files"])
                    return str(call.arguments["answer"])
        raise AssertionError(f"no end after {limit} steps: {[call.name for call in self.calls]}")

    def _run(self, name: str, arguments: dict[str, Any]) -> str:
        assert set(arguments) <= set(ARGUMENTS[name]), arguments
        if name == "file_write":
            (self.folder / arguments["path"]).write_text(arguments["content"], encoding="utf-8")
            return f"{arguments['path']} now has {len(arguments['content'].encode())} bytes"
        if name == "file_read":
            path: Path = self.folder / arguments["path"]
            if path.suffix == ".pdf":
                return "\n".join(str(page.extract_text()) for page in PdfReader(path).pages)
            return path.read_text(encoding="utf-8")
        if name == "shell_exec":
            ran = subprocess.run(
                ["bash", "-c", arguments["command"]], cwd=self.folder, capture_output=True, text=True, check=False
            )
            return f"exit code {ran.returncode}\nstdout:\n{ran.stdout}\nstderr:\n{ran.stderr}"
        return "task completed" if name == "task_complete" else "done"

    @property
    def files(self) -> list[str]:
        return list(self.calls[-1].arguments["files"])

    def names(self) -> list[str]:
        return [call.name for call in self.calls]


@pytest.fixture
async def server() -> AsyncIterator[ScriptedServer]:
    async with ScriptedServer() as running:
        yield running


@pytest.fixture(params=["stand-in", "stand-in-plain"])
def desk(server: ScriptedServer, tmp_path: Path, request: pytest.FixtureRequest) -> Desk:
    return Desk(server, tmp_path, request.param)


@pytest.fixture
def native(server: ScriptedServer, tmp_path: Path) -> Desk:
    return Desk(server, tmp_path, "stand-in")


SALES = (
    "order,date,region,product,units,revenue\n"
    + "".join(
        f"{number},2026-{1 + number % 5:02}-{1 + number % 27:02},{('North', 'South', 'East')[number % 3]},"
        f'"Lamp, {"small" if number % 2 else "big"}",{number % 7 + 1},{(number * 37 % 991) / 100 + 5:.2f}\n'
        for number in range(200)
    )
    + "200,2026-05-30,North,Desk,,\n"
)


async def test_a_csv_becomes_a_report_whose_figures_are_right(desk: Desk) -> None:
    source = desk.folder / "sales.csv"
    source.write_text(SALES)
    desk.say("Which region sells most?", source)
    answer = await desk.work()

    rows = list(csv.DictReader(io.StringIO(SALES)))
    revenue = [Decimal(row["revenue"]) for row in rows if row["revenue"]]
    by_region: dict[str, Decimal] = defaultdict(Decimal)
    by_month: dict[str, Decimal] = defaultdict(Decimal)
    for row in rows:
        by_region[row["region"]] += Decimal(row["revenue"] or 0)
        by_month[row["date"][:7]] += Decimal(row["revenue"] or 0)
    report = (desk.folder / "report.md").read_text()
    assert "- 201 rows, 6 columns" in report
    numbers = next(line for line in report.splitlines() if line.startswith("| revenue "))
    expected = [min(revenue), median(revenue), sum(revenue) / len(revenue), max(revenue), sum(revenue)]
    assert numbers == "| revenue | 200 | 1 | " + " | ".join(f"{value:,.2f}" for value in expected) + " |"
    for region, total in by_region.items():
        assert re.search(rf"^\| {region} \| \d+ \| {total:,.2f} \|$", report, re.MULTILINE), region
    for month, total in by_month.items():
        assert re.search(rf"^\| {month} \| \d+ \| {total:,.2f} \|$", report, re.MULTILINE), month
    assert "![Chart of sales.csv](chart.svg)" in report
    assert "not by a language model" in report
    assert f"{sum(revenue):,.2f}" in answer
    assert "not a language model" in answer
    assert desk.files == ["report.md", "chart.svg"]
    chart = ElementTree.fromstring((desk.folder / "chart.svg").read_text())
    words = " ".join(chart.itertext())
    assert "Total revenue by region in sales.csv" in words
    assert all(region in words for region in by_region)


async def test_the_plan_is_set_first_and_advanced_to_its_last_phase(desk: Desk) -> None:
    source = desk.folder / "sales.csv"
    source.write_text(SALES)
    desk.say("Go", source)
    await desk.work()
    assert desk.names()[0] == "plan_set"
    phases = desk.calls[0].arguments["phases"]
    assert 3 <= len(phases) <= 5
    assert desk.names().count("plan_advance") == len(phases) - 1
    assert desk.names()[-1] == "task_complete"


async def test_json_records_are_profiled(desk: Desk) -> None:
    source = desk.folder / "orders.json"
    source.write_text(
        json.dumps([{"city": c, "cost": v, "tags": {"a": 1}} for c, v in [("A", 1.5), ("B", 2), ("A", 4)]])
    )
    desk.say("Look at this", source)
    await desk.work()
    report = (desk.folder / "report.md").read_text()
    assert "- 3 rows, 3 columns" in report
    assert "| cost | 3 | 0 | 1.50 | 2.00 | 2.50 | 4.00 | 7.50 |" in report
    assert "| A | 2 | 5.50 |" in report


PROSE = """# The lighthouse

The lighthouse stood on the cliff for two hundred years. Ships trusted the lighthouse in every storm.

- The keeper of the lighthouse climbed the stairs each evening.
- Bread was expensive then.

```
ignored_code = "The lighthouse in code is not a sentence."
```

| Year | Ships near the lighthouse |
|------|---------------------------|
| 1901 | the lighthouse saw ships. |

When the lighthouse lamp failed, the keeper rowed out to warn the ships. Nobody drowned that night.
The `lamp_log.md` of the lighthouse keeper notes 3.5 metres of water at the lighthouse.
The village still tells how the keeper saved the ships without the lighthouse. Rain fell.
Children paint the lighthouse in school. A museum keeps the lamp and the diary of the keeper.
Every summer the ships sound their horns when they pass the lighthouse.
"""


async def test_a_text_is_summarised_in_its_own_words(desk: Desk) -> None:
    source = desk.folder / "story.md"
    source.write_text(PROSE)
    desk.say("Summarise", source)
    answer = await desk.work()
    summary = (desk.folder / "summary.md").read_text()
    quotations = [line[2:] for line in summary.splitlines() if line.startswith("> ")]
    assert 3 <= len(quotations) <= 7
    flat = " ".join(PROSE.replace("- ", "").replace("`", "").split())
    assert "The lamp_log.md of the lighthouse keeper notes 3.5 metres of water at the lighthouse." in quotations
    assert "saw ships" not in summary
    assert all(quotation in flat for quotation in quotations)
    assert "ignored" not in summary
    assert "extractive" in summary
    assert "extractive" in answer
    assert desk.files == ["summary.md"]


def test_a_hostile_text_does_not_hold_up_the_server() -> None:
    pieces = ["a.b(", "[", "*_", " \n", "# x ", "](", "```\n~~~\n", "! ", "| \n"]
    text = "".join(piece * 8_000 for piece in pieces)
    started = time.monotonic()
    summarise("hostile.md", text)
    assert time.monotonic() - started < 60


async def test_a_pdf_is_summarised(native: Desk) -> None:
    source = native.folder / "paper.pdf"
    lines = [line for line in PROSE.splitlines() if line and line[0] not in "#-`i"]
    source.write_bytes(pdf(lines))
    native.say("What does it say?", source)
    await native.work()
    summary = (native.folder / "summary.md").read_text()
    quotations = [line[2:] for line in summary.splitlines() if line.startswith("> ")]
    assert "Ships trusted the lighthouse in every storm." in quotations
    assert len(quotations) >= 3


async def test_several_files_each_get_their_own_result(native: Desk) -> None:
    one, two, story = (native.folder / name for name in ("north.csv", "south.csv", "story.md"))
    one.write_text(SALES)
    two.write_text("item,price\na,1\nb,2\n")
    story.write_text(PROSE)
    native.say("All of it", one, two, story)
    await native.work()
    assert native.files == ["report-north.md", "chart-north.svg", "report-south.md", "chart-south.svg", "summary.md"]
    phases = native.calls[0].arguments["phases"]
    assert native.names().count("plan_advance") == len(phases) - 1


async def test_without_a_file_it_says_what_it_is(desk: Desk) -> None:
    desk.say("Write me a poem about the sea")
    answer = await desk.work()
    assert desk.names() == ["task_complete"]
    assert "not a language model" in answer
    assert "CSV" in answer


async def test_a_question_after_the_end_is_answered_once_and_starts_nothing(desk: Desk) -> None:
    source = desk.folder / "sales.csv"
    source.write_text(SALES)
    desk.say("Go", source)
    await desk.work()
    before = len(desk.calls)
    desk.say("And what about March?")
    answer = await desk.work()
    assert len(desk.calls) == before + 1
    assert "cannot answer questions about it" in answer


async def test_a_word_in_passing_does_not_restart_the_work(native: Desk) -> None:
    source = native.folder / "sales.csv"
    source.write_text(SALES)
    native.say("Go", source)
    with pytest.raises(AssertionError, match="no end after 4 steps"):
        await native.work(limit=4)
    native.say("please hurry")
    answer = await native.work()
    assert native.names().count("plan_set") == 1
    assert "could not take into account" in answer


async def test_a_file_that_defeats_the_profiler_is_said_to_have_done_so(native: Desk) -> None:
    source = native.folder / "bad.json"
    source.write_text('[{"a": 1}, {"a": ')
    native.say("Go", source)
    answer = await native.work()
    assert "bad.json could not be profiled: " in answer
    assert "breaks off or is malformed" in answer
    assert native.files == []


async def test_a_command_that_is_refused_is_tried_once_more_and_then_reported(native: Desk) -> None:
    source = native.folder / "sales.csv"
    source.write_text(SALES)
    native.broken["shell_exec"] = "shell_exec is refused: no sandbox on this machine"
    native.say("Go", source)
    answer = await native.work()
    assert native.names().count("shell_exec") == 2
    assert "no sandbox on this machine" in answer
    assert native.files == []


async def test_without_the_tools_it_needs_it_names_them(native: Desk) -> None:
    source = native.folder / "sales.csv"
    source.write_text(SALES)
    native.tools = schemas(["file_read", "task_complete"])
    native.say("Go", source)
    assert "file_write, shell_exec" in await native.work()
    native.tools = schemas(["file_read"])
    assert "file_write, shell_exec" in await native.work()


async def test_the_persons_files_are_neither_overwritten_nor_run(native: Desk) -> None:
    hostile = "raise SystemExit('imported')\n"
    names = ["csv.py", "json.py", "statistics.py", "profile.py", "report.md"]
    for name in names:
        (native.folder / name).write_text(hostile)
    source = native.folder / "-it's; touch owned.csv"
    source.write_text("who,amount\n=cmd|'x'!A1,3\n<script>alert(1)</script>,4\n")
    native.say("Go", source, *(native.folder / name for name in names))
    answer = await native.work()
    assert all((native.folder / name).read_text() == hostile for name in names)
    assert not (native.folder / "owned.csv").exists()
    assert "could not be profiled" not in answer
    assert "<script>" not in (native.folder / "report-2.md").read_text().replace("\\<script", "")


async def test_an_unknown_model_is_not_there_and_the_tag_may_be_left_out(server: ScriptedServer) -> None:
    async with httpx.AsyncClient(base_url=server.base_url, **LOOPBACK) as client:
        for name in ("stand-in", "stand-in:latest", "stand-in-plain"):
            assert (await client.post("/api/show", json={"model": name})).status_code == 200
        gone = await client.post("/api/chat", json={"model": "llama3", "messages": []})
    assert (gone.status_code, gone.json()) == (404, {"error": "model 'llama3' not found"})


async def test_a_form_without_tools_is_filled_in_as_its_schema_says(server: ScriptedServer) -> None:
    schema = {
        "$defs": {"kind": {"enum": ["a", "b"]}},
        "type": "object",
        "properties": {
            "kind": {"$ref": "#/$defs/kind"},
            "count": {"type": "integer", "minimum": 3},
            "tags": {"type": "array", "items": {"type": "string", "maxLength": 4}, "minItems": 2},
        },
        "required": ["kind", "count", "tags"],
    }
    body = {
        "model": "stand-in-plain",
        "messages": [{"role": "user", "content": "x"}],
        "format": schema,
        "stream": False,
    }
    async with httpx.AsyncClient(base_url=server.base_url, **LOOPBACK) as client:
        answer = json.loads((await client.post("/api/chat", json=body)).json()["message"]["content"])
    assert answer["kind"] == "a"
    assert answer["count"] == 3
    assert [len(tag) for tag in answer["tags"]] == [4, 4]


def pdf(lines: list[str]) -> bytes:
    """A PDF of one page with the lines as text."""
    shown = "".join(f"({line.replace('(', '').replace(')', '')}) Tj 0 -14 Td " for line in lines)
    stream = f"BT /F1 11 Tf 40 780 Td {shown} ET".encode("latin-1")
    objects = [
        b"<< /Type /Catalog /Pages 2 0 R >>",
        b"<< /Type /Pages /Kids [3 0 R] /Count 1 >>",
        b"<< /Type /Page /Parent 2 0 R /MediaBox [0 0 595 842] /Contents 4 0 R "
        b"/Resources << /Font << /F1 << /Type /Font /Subtype /Type1 /BaseFont /Helvetica >> >> >> >>",
        b"<< /Length %d >>\nstream\n%s\nendstream" % (len(stream), stream),
    ]
    body, offsets = b"%PDF-1.4\n", []
    for number, content in enumerate(objects, 1):
        offsets.append(len(body))
        body += b"%d 0 obj\n%s\nendobj\n" % (number, content)
    table = b"".join(b"%010d 00000 n \n" % offset for offset in offsets)
    return body + (
        b"xref\n0 %d\n0000000000 65535 f \n%strailer\n<< /Size %d /Root 1 0 R >>\nstartxref\n%d\n%%%%EOF\n"
        % (len(objects) + 1, table, len(objects) + 1, len(body))
    )
