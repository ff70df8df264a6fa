"""The file tools, called as the worker calls them."""

from __future__ import annotations

import io
import uuid
from collections.abc import Awaitable, Callable
from pathlib import Path
from typing import Any

import pytest
from pypdf import PdfWriter

from agent_runtime.toolbox import ToolContext
from agent_runtime.toolbox.executor import Outcome, execute
from agent_runtime.toolbox.registry import Registry
from agent_runtime.toolbox.sandbox.choice import Refused
from agent_runtime.toolbox.workspace import Workspace

Call = Callable[..., Awaitable[Outcome]]


@pytest.fixture(scope="module")
def registry() -> Registry:
    return Registry.load()


@pytest.fixture
def workspace(tmp_path: Path) -> Workspace:
    return Workspace.create(tmp_path / "workspace")


@pytest.fixture
def call(registry: Registry, workspace: Workspace) -> Call:
    async def run(name: str, **arguments: Any) -> Outcome:
        tool = registry.get(name)
        assert tool is not None
        context = ToolContext(
            task_id=uuid.uuid4(),
            execution_id=uuid.uuid4(),
            workspace=workspace,
            sandbox=Refused("not needed"),
            timeout_seconds=tool.timeout_seconds,
            output_limit_bytes=tool.output_limit_bytes,
        )
        return await execute(tool, arguments, context)

    return run


async def test_what_was_written_is_read_listed_and_found(call: Call) -> None:
    assert (await call("file_write", path="data/a.txt", content="one\ntwo\n")).status == "completed"
    assert (await call("file_read", path="data/a.txt")).content == "one\ntwo"
    assert (await call("file_list")).content == "data/\ndata/a.txt  8 bytes"
    assert (await call("file_find", pattern="*.txt")).content == "data/a.txt"
    assert (await call("file_find", contains="^t.o$")).content == "data/a.txt:2: two"


async def test_append_adds_to_the_end_and_makes_the_file(call: Call, workspace: Workspace) -> None:
    await call("file_write", path="log.txt", content="a\n", append=True)
    await call("file_write", path="log.txt", content="b\n", append=True)
    assert workspace.read_bytes("log.txt") == b"a\nb\n"


async def test_a_long_file_comes_in_parts(call: Call, workspace: Workspace) -> None:
    workspace.write_bytes("n.txt", "\n".join(map(str, range(1, 101))).encode())
    part = await call("file_read", path="n.txt", start_line=11, max_lines=3)
    assert part.content == "11\n12\n13\n[lines 11 to 13 of 100; go on with start_line 14]"
    beyond = await call("file_read", path="n.txt", start_line=101)
    assert beyond.status == "failed"
    assert "100 lines" in beyond.content


@pytest.mark.parametrize(
    ("content", "encoding"),
    [
        ("größer".encode(), "utf-8"),
        ("größer".encode("utf-8-sig"), "utf-8-sig"),
        ("größer".encode("utf-16"), "utf-16"),
        ("größer".encode("cp1252"), "cp1252"),
    ],
)
async def test_text_is_read_in_the_encodings_that_people_have(
    call: Call, workspace: Workspace, content: bytes, encoding: str
) -> None:
    workspace.write_bytes("a.txt", content)
    outcome = await call("file_read", path="a.txt")
    assert outcome.content == "größer"
    assert outcome.data["encoding"] == encoding


@pytest.mark.parametrize(
    ("name", "content", "kind"),
    [
        ("a.bin", b"\x89PNG\r\n\x1a\n rest", "PNG image"),
        ("a.dat", b"a\0b", "binary data, 3 bytes"),
        ("x", b"PK\x03\x04", "ZIP"),
    ],
)
async def test_a_binary_file_is_described(
    call: Call, workspace: Workspace, name: str, content: bytes, kind: str
) -> None:
    workspace.write_bytes(name, content)
    outcome = await call("file_read", path=name)
    assert outcome.status == "failed"
    assert kind in outcome.content


async def test_html_is_read_as_text_without_scripts(call: Call, workspace: Workspace) -> None:
    page = (
        "<title>T &amp; T</title><style>p{}</style><h1>Head</h1><p>One <b>two</b><script>evil()</script><ul><li>x</ul>"
    )
    workspace.write_bytes("a.html", page.encode())
    assert (await call("file_read", path="a.html")).content == "T & T\n\n# Head\n\nOne two\n\n- x"


async def test_a_pdf_is_read_page_by_page(call: Call, workspace: Workspace) -> None:
    workspace.write_bytes("a.pdf", _pdf("Hello from page one"))
    outcome = await call("file_read", path="a.pdf")
    assert outcome.data["kind"] == "pdf"
    assert outcome.content == "--- page 1 of 1 ---\nHello from page one"


@pytest.mark.parametrize(
    "content", [b"%PDF-1.7\nbroken", b"%PDF-1.7\n%%EOF", b"%PDF-1.4\nxref\n0 99999999\ntrailer<</Size 9>>"]
)
async def test_a_broken_pdf_is_a_sentence_not_a_crash(call: Call, workspace: Workspace, content: bytes) -> None:
    workspace.write_bytes("a.pdf", content)
    outcome = await call("file_read", path="a.pdf")
    assert outcome.status == "failed"
    assert "broken" in outcome.content
    assert "\n" not in outcome.content


async def test_an_encrypted_pdf_says_so(call: Call, workspace: Workspace) -> None:
    writer = PdfWriter()
    writer.add_blank_page(100, 100)
    writer.encrypt("secret", algorithm="RC4-128")
    into = io.BytesIO()
    writer.write(into)
    workspace.write_bytes("a.pdf", into.getvalue())
    assert "needs a password" in (await call("file_read", path="a.pdf")).content


async def test_an_edit_replaces_the_one_place_and_keeps_line_ends(call: Call, workspace: Workspace) -> None:
    workspace.write_bytes("a.txt", b"one\r\ntwo\r\nthree\r\n")
    outcome = await call("file_edit", path="a.txt", old="one\ntwo", new="1\n2")
    assert outcome.status == "completed"
    assert workspace.read_bytes("a.txt") == b"1\r\n2\r\nthree\r\n"


async def test_an_edit_of_what_is_there_twice_is_refused_with_the_places(call: Call, workspace: Workspace) -> None:
    workspace.write_bytes("a.txt", b"x\ny\nx\n")
    outcome = await call("file_edit", path="a.txt", old="x", new="z")
    assert "2 times, at line 1, line 3" in outcome.content
    assert workspace.read_bytes("a.txt") == b"x\ny\nx\n"
    assert (await call("file_edit", path="a.txt", old="x", new="z", replace_all=True)).data == {"replaced": 2}


async def test_an_edit_of_what_is_not_there_hints_at_what_resembles_it(call: Call, workspace: Workspace) -> None:
    workspace.write_bytes("a.py", b"def f():\n    return 1\n")
    outcome = await call("file_edit", path="a.py", old="def f():\n  return 1", new="")
    assert "resembles line 1" in outcome.content


async def test_a_pattern_that_would_never_end_is_stopped_by_refusal_of_nonsense(call: Call) -> None:
    outcome = await call("file_find", contains="(")
    assert "must be a regular expression" in outcome.content


async def test_empty_and_missing_are_said(call: Call, workspace: Workspace) -> None:
    workspace.write_bytes("a.txt", b"")
    assert (await call("file_read", path="a.txt")).content == "a.txt is empty"
    assert (await call("file_find", pattern="*.nothing")).content == "nothing found"
    assert "does not exist" in (await call("file_read", path="b.txt")).content
    assert "does not exist" in (await call("file_list", path="b")).content


async def test_long_lists_name_their_limit(call: Call, workspace: Workspace) -> None:
    for number in range(600):
        workspace.write_bytes(f"{number:03}.txt", b"hit\n")
    assert "limit of 500 entries reached" in (await call("file_list")).content
    assert "limit of 200 reached" in (await call("file_find", pattern="*.txt")).content
    assert "limit of 200 reached" in (await call("file_find", contains="hit")).content


def _pdf(text: str) -> bytes:
    """The smallest PDF with one line of text, its cross-reference table computed."""
    stream = f"BT /F1 12 Tf 20 100 Td ({text}) Tj ET".encode()
    objects = [
        b"<</Type/Catalog/Pages 2 0 R>>",
        b"<</Type/Pages/Kids[3 0 R]/Count 1>>",
        b"<</Type/Page/Parent 2 0 R/MediaBox[0 0 300 200]/Contents 4 0 R/Resources<</Font<</F1 5 0 R>>>>>>",
        b"<</Length %d>>stream\n%s\nendstream" % (len(stream), stream),
        b"<</Type/Font/Subtype/Type1/BaseFont/Helvetica>>",
    ]
    out, offsets = b"%PDF-1.4\n", []
    for number, body in enumerate(objects, start=1):
        offsets.append(len(out))
        out += b"%d 0 obj%s endobj\n" % (number, body)
    table = b"".join(b"%010d 00000 n \n" % offset for offset in offsets)
    start = len(out)
    return (
        out
        + b"xref\n0 6\n0000000000 65535 f \n"
        + table
        + b"trailer<</Size 6/Root 1 0 R>>\nstartxref\n%d\n%%%%EOF" % start
    )
