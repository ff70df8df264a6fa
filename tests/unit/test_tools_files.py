"""The file tools, called as the worker calls them."""

from __future__ import annotations

import asyncio
import io
import re
import uuid
from collections.abc import Awaitable, Callable
from pathlib import Path
from typing import Any

import pytest
from pypdf import PdfWriter

from agent_runtime.toolbox import ToolContext, search
from agent_runtime.toolbox.executor import Outcome, execute
from agent_runtime.toolbox.registry import Registry
from agent_runtime.toolbox.sandbox.choice import Refused, choose_sandbox
from agent_runtime.toolbox.search import Search, search_files
from agent_runtime.toolbox.search_lines import required_literal
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
    assert (await call("file_find", pattern="*.txt")).content == "data/a.txt  8 bytes"
    assert (await call("file_grep", pattern="^t.o$")).content == "data/a.txt:2: two"


async def test_append_adds_to_the_end_and_makes_the_file(call: Call, workspace: Workspace) -> None:
    await call("file_write", path="log.txt", content="a\n", append=True)
    await call("file_write", path="log.txt", content="b\n", append=True)
    assert workspace.read_bytes("log.txt") == b"a\nb\n"


async def test_a_long_file_comes_in_parts(call: Call, workspace: Workspace) -> None:
    workspace.write_bytes("n.txt", "\n".join(map(str, range(1, 101))).encode())
    part = await call("file_read", path="n.txt", start_line=11, max_lines=3)
    assert part.content == "11\n12\n13\n[lines 11 to 13 of 100; 261 bytes left; go on with start_line 14]"
    rest = await call("file_read", path="n.txt", start_line=14)
    assert rest.content.startswith("14\n") and rest.content.endswith("100\n[lines 14 to 100 of 100, to the end]")
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
        ("a.bin", b"\x7fELF rest", "ELF program"),
        ("a.dat", b"a\0b", "binary data, 3 bytes"),
        ("x", b"PK\x03\x04", "not a zip file"),
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


async def test_what_is_too_long_to_be_shown_comes_in_parts_that_give_the_whole(
    call: Call, workspace: Workspace
) -> None:
    line = "".join(f"{n:05}ö" for n in range(40_000))
    workspace.write_bytes("a.txt", f"first\n{line}\nlast".encode("utf-16"))
    shown, more, start, character = "", True, 1, 1
    while more:
        outcome = await call("file_read", path="a.txt", start_line=start, start_character=character)
        text, _, notice = outcome.content.rpartition("\n[")
        joint = "\n" if shown and character == 1 else ""
        shown += joint + text
        found = re.search(r"; (\d+) bytes left; go on with start_line (\d+)(?: and start_character (\d+))?", notice)
        more = found is not None
        if found:
            left, start, character = int(found[1]), int(found[2]), int(found[3] or 1)
            whole = f"first\n{line}\nlast"
            assert left == 2 * (len(whole) - len(shown) - (0 if found[3] else 1))
    assert shown == f"first\n{line}\nlast"


def edit(old: str, new: str, **more: Any) -> dict[str, Any]:
    return {"old": old, "new": new, **more}


async def test_edits_replace_their_places_keep_line_ends_and_show_the_difference(
    call: Call, workspace: Workspace
) -> None:
    workspace.write_bytes("a.txt", b"one\r\ntwo\r\nthree\r\nfour\r\n")
    outcome = await call("file_edit", path="a.txt", edits=[edit("one\ntwo", "1\n2"), edit("2\nthree", "2\n3")])
    assert outcome.status == "completed"
    assert workspace.read_bytes("a.txt") == b"1\r\n2\r\n3\r\nfour\r\n"
    assert outcome.data["replaced"] == 2
    assert "-three\n+1\n+2\n+3\n four" in outcome.content


async def test_an_edit_of_what_is_there_twice_is_refused_with_the_places(call: Call, workspace: Workspace) -> None:
    workspace.write_bytes("a.txt", b"x = 1\ny\nx = 2\n")
    outcome = await call("file_edit", path="a.txt", edits=[edit("y", "z"), edit("x", "z")])
    assert "`old` of edit 2 is in 'a.txt' 2 times, at line 1 ('x = 1'), line 3 ('x = 2')" in outcome.content
    assert workspace.read_bytes("a.txt") == b"x = 1\ny\nx = 2\n", "all or nothing"
    assert (await call("file_edit", path="a.txt", edits=[edit("x", "z", replace_all=True)])).data["replaced"] == 2


async def test_an_edit_of_what_is_not_there_shows_the_nearest_and_how_it_differs(
    call: Call, workspace: Workspace
) -> None:
    source = "".join(f"def f{n}(a):\n\treturn a + {n}\n\n" for n in range(500))
    workspace.write_bytes("a.py", f"{source}say = “hello”\n".encode())
    for old, expected in (
        ("def f311(a):\n    return a + 311", "in blanks only (tabs, indentation or ends of lines):\n934: def f311(a):"),
        ('say = "hello"', "in quotation marks, dashes or kinds of blanks:\n1501: say = “hello”"),
        ("def f42(a, b):\n\treturn a + 42", "in 1 of 2 lines:\n127: def f42(a):"),
        ("nothing of this kind", "; read the file again and copy the text exactly."),
    ):
        outcome = await call("file_edit", path="a.py", edits=[edit(old, "")])
        assert outcome.status == "failed"
        assert expected in outcome.content


async def test_edits_that_change_nothing_or_are_no_text_are_refused(call: Call, workspace: Workspace) -> None:
    workspace.write_bytes("a.txt", b"one\n")
    workspace.write_bytes("b.bin", b"\xff\xfe\0")
    assert "leave 'a.txt' as it is" in (await call("file_edit", path="a.txt", edits=[edit("one", "one")])).content
    assert "not UTF-8" in (await call("file_edit", path="b.bin", edits=[edit("a", "b")])).content
    assert "lone surrogates" in (await call("file_edit", path="a.txt", edits=[edit("one", "\ud800")])).content
    assert "'edits'" in (await call("file_edit", path="a.txt", edits=[])).content
    assert workspace.read_bytes("a.txt") == b"one\n"


async def test_both_engines_find_the_same(workspace: Workspace) -> None:
    if not search._ripgrep():
        pytest.skip("ripgrep is not installed here: apt-get install ripgrep")
    sandbox = await asyncio.to_thread(choose_sandbox, True)
    workspace.write_bytes("a.txt", "one\ntwo größe\nthree\r\nfour two\n".encode())
    workspace.write_bytes("src/b.py", b"def two():\n  pass\n")
    workspace.write_bytes("node_modules/x.js", b"two\n")
    workspace.write_bytes("u16.txt", "two".encode("utf-16"))
    workspace.write_bytes("two.bin", b"two\0")
    for wanted in (
        Search("two"),
        Search("tw.", context=1),
        Search("^three$"),
        Search("gr..e"),
        Search("TWO", ignore_case=True, counts=True),
        Search("two", globs=["*.py"]),
        Search("two", globs=["!*.py"]),
        Search("two", globs=["src/*.{py,js}"]),
        Search("two", with_caches=True),
        Search("two", folder="a.txt", limit=1, context=1),
        Search("(?<=d)ef"),
        Search("x*", limit=3),
        Search("nope"),
    ):
        found = await search_files(workspace, wanted, sandbox)
        assert found == await search_files(workspace, wanted, Refused("Python's engine")), wanted


@pytest.mark.parametrize(
    ("pattern", "literal"),
    [
        ("handle", b"handle"),
        (r"\bdef \w+\(self", b"(self"),
        ("(abc)+d*ef", b"abc"),
        ("abc|def", None),
        ("(?i)abc", None),
        ("a[bc]?d", None),
        ("(abc)?x", None),
        ("größe", "größe".encode()),
    ],
)
def test_the_text_that_each_match_must_hold_is_found(pattern: str, literal: bytes | None) -> None:
    assert required_literal(pattern) == literal


async def test_a_search_tells_lines_with_those_around_them_and_counts(call: Call, workspace: Workspace) -> None:
    workspace.write_bytes("a.txt", b"one\ntwo\nthree\nfour\nfive\n")
    workspace.write_bytes("b/c.md", b"three\n")
    around = await call("file_grep", pattern="three", context=1)
    assert around.content == "a.txt-2- two\na.txt:3: three\na.txt-4- four\n--\nb/c.md:1: three"
    assert (await call("file_grep", pattern="e$", counts=True)).content == "a.txt: 3\nb/c.md: 1"
    assert (await call("file_grep", pattern="t.r", fixed=True)).content == "nothing found"
    assert (await call("file_grep", pattern="three", path="b")).content == "b/c.md:1: three"
    assert "must be a regular expression" in (await call("file_grep", pattern="(")).content
    assert "does not exist" in (await call("file_grep", pattern="a", path="nowhere")).content
    assert "climbs with '..'" in (await call("file_grep", pattern="a", path="../..")).content


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
    assert "limit of 200 reached" in (await call("file_grep", pattern="hit")).content


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
