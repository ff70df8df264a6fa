"""Documents, archives and pictures, made by the libraries that people's programs are made of, and read by the tools."""

from __future__ import annotations

import datetime
import io
import tarfile
import uuid
import zipfile
from collections.abc import Awaitable, Callable
from email.message import EmailMessage
from pathlib import Path
from typing import Any

import docx
import pptx
import pytest
import xlsxwriter
from PIL import Image
from pptx.chart.data import CategoryChartData
from pptx.enum.chart import XL_CHART_TYPE
from pptx.util import Inches
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


def word_document() -> bytes:
    document = docx.Document()
    document.add_heading("Report", 1)
    document.add_paragraph("Größe matters.")
    table = document.add_table(2, 3)
    for row, texts in zip(table.rows, (("a", "b|c", "d"), ("1", "2", "3")), strict=True):
        for cell, text in zip(row.cells, texts, strict=True):
            cell.text = text
    table.cell(1, 0).merge(table.cell(1, 1))
    document.add_paragraph("item", style="List Bullet")
    document.sections[0].footer.paragraphs[0].text = "Page one"
    return saved(document.save)


def presentation() -> bytes:
    slides = pptx.Presentation()
    for number in (1, 2):
        slide = slides.slides.add_slide(slides.slide_layouts[1])
        slide.shapes.title.text = f"Title {number}"
        slide.placeholders[1].text = "body"
    slide.notes_slide.notes_text_frame.text = "say this"
    data = CategoryChartData()
    data.categories = ["north", "south"]
    data.add_series("sold", (1, 2))
    slide.shapes.add_chart(XL_CHART_TYPE.COLUMN_CLUSTERED, Inches(1), Inches(1), Inches(3), Inches(3), data)
    slide.shapes.add_table(1, 2, Inches(1), Inches(1), Inches(3), Inches(1)).table.cell(0, 1).text = "cell"
    return saved(slides.save)


def workbook() -> bytes:
    into = io.BytesIO()
    with xlsxwriter.Workbook(into, {"in_memory": True}) as book:
        sheet = book.add_worksheet("Sales")
        sheet.write_row(0, 0, ["when", "how many", "sure"])
        sheet.write_datetime(1, 0, datetime.datetime(2026, 1, 2), book.add_format({"num_format": "yyyy-mm-dd"}))
        sheet.write_formula(1, 1, "=2*2", None, 4)
        sheet.write_boolean(1, 2, True)
        sheet.write_string(3, 1, "after\na gap")
        book.add_worksheet("Empty")
    return into.getvalue()


def mail() -> bytes:
    message = EmailMessage()
    message["From"] = "Ana Größe <ana@example.org>"
    message["To"] = "ben@example.org"
    message["Subject"] = "Numbers"
    message.set_content("See what is attached.")
    message.add_alternative("<p>See <b>what</b> is attached.</p>", subtype="html")
    message.add_attachment(b"a,b\n1,2\n", maintype="text", subtype="csv", filename="../../numbers.csv")
    message.add_attachment(b"%PDF-", maintype="application", subtype="pdf", filename="größe.pdf")
    inner = EmailMessage()
    inner["Subject"] = "inner"
    inner.set_content("inside")
    message.add_attachment(inner)
    return message.as_bytes()


def saved(save: Callable[[Any], Any]) -> bytes:
    into = io.BytesIO()
    save(into)
    return into.getvalue()


async def test_a_word_document_is_read_with_headings_lists_and_tables(call: Call, workspace: Workspace) -> None:
    workspace.write_bytes("a.docx", word_document())
    outcome = await call("file_read", path="a.docx")
    assert outcome.data["kind"] == "docx"
    expected = "# Report\n\nGröße matters.\n\n| a | b\\|c | d |\n| --- | --- | --- |\n| 1 2 |  | 3 |\n\n- item"
    assert outcome.content == f"{expected}\n\n[footer: Page one]"
    assert "part is for" in (await call("file_read", path="a.docx", part="2")).content


async def test_a_presentation_is_read_slide_by_slide_with_notes_charts_and_tables(
    call: Call, workspace: Workspace
) -> None:
    workspace.write_bytes("a.pptx", presentation())
    outcome = await call("file_read", path="a.pptx", part="2-")
    assert outcome.content.startswith("--- slide 2 of 2 ---\n# Title 2\nbody")
    assert "| chart | north | south |\n| --- | --- | --- |\n| sold | 1.0 | 2.0 |" in outcome.content
    assert "|  | cell |" in outcome.content
    assert outcome.content.endswith("[notes: say this]")
    assert "it has 2 slides" in (await call("file_read", path="a.pptx", part="3-4")).content


async def test_a_workbook_is_read_by_sheets_with_rows_and_columns_named(call: Call, workspace: Workspace) -> None:
    workspace.write_bytes("a.xlsx", workbook())
    outcome = await call("file_read", path="a.xlsx")
    assert outcome.content == (
        "--- sheet 'Sales' (1 of 2, 4 rows, 3 columns) ---\n|  | A | B | C |\n| --- | --- | --- | --- |\n"
        "| 1 | when | how many | sure |\n| 2 | 2026-01-02 | 4 | TRUE |\n| 3 |  |  |  |\n| 4 |  | after a gap |  |\n\n"
        "--- sheet 'Empty' (2 of 2, empty) ---"
    )
    assert (await call("file_read", path="a.xlsx", part="empty")).content.startswith("--- sheet 'Empty'")
    assert "its sheets: 'Sales', 'Empty'" in (await call("file_read", path="a.xlsx", part="Nope")).content


async def test_pages_of_a_pdf_are_chosen(call: Call, workspace: Workspace) -> None:
    writer = PdfWriter()
    for _ in range(3):
        writer.add_blank_page(100, 100)
    workspace.write_bytes("a.pdf", saved(writer.write))
    outcome = await call("file_read", path="a.pdf", part="2")
    assert outcome.content == "--- page 2 of 3 ---\n[no text: a picture, perhaps a scan]"
    assert "there is no page 4-9: it has 3 pages" in (await call("file_read", path="a.pdf", part="4-9")).content
    assert "not a range of pages" in (await call("file_read", path="a.pdf", part="two")).content


async def test_a_mail_is_read_and_its_attachments_are_listed_and_saved(call: Call, workspace: Workspace) -> None:
    workspace.write_bytes("a.eml", mail())
    outcome = await call("file_read", path="a.eml")
    head = "From: Ana Größe <ana@example.org>\nTo: ben@example.org\nSubject: Numbers\n\n"
    assert outcome.content.startswith(f"{head}See what is attached.")
    assert "- numbers.csv (text/csv, 8 bytes)\n- größe.pdf (application/pdf, 5 bytes)" in outcome.content
    outcome = await call("archive_unpack", path="a.eml", only=["*.csv", "*.pdf"])
    assert outcome.content == "2 files unpacked into a\na/numbers.csv  8 bytes\na/größe.pdf  5 bytes"
    assert workspace.read_bytes("a/numbers.csv") == b"a,b\n1,2\n"


async def test_a_broken_or_encrypted_document_is_a_sentence(call: Call, workspace: Workspace) -> None:
    whole = {"a.docx": word_document(), "a.pptx": presentation(), "a.xlsx": workbook()}
    for name, content in whole.items():
        workspace.write_bytes(name, content[:-200])
        workspace.write_bytes(f"b{name}", _with_a_broken_part(content))
    workspace.write_bytes("a.msg", b"\xd0\xcf\x11\xe0\xa1\xb1\x1a\xe1" + b"\0" * 3_000)
    workspace.write_bytes("a.eml", b"\xff\xfe broken\nContent-Type: multipart/mixed; boundary=\n\n--\n")
    for name in (*whole, *(f"b{name}" for name in whole), "a.msg"):
        outcome = await call("file_read", path=name)
        assert outcome.status == "failed", name
        assert "broken" in outcome.content and "\n" not in outcome.content, (name, outcome.content)
    assert (await call("file_read", path="a.eml")).status == "completed"


def _with_a_broken_part(content: bytes) -> bytes:
    into = io.BytesIO()
    with zipfile.ZipFile(io.BytesIO(content)) as old, zipfile.ZipFile(into, "w") as new:
        for name in old.namelist():
            is_main = name in ("word/document.xml", "ppt/presentation.xml", "xl/workbook.xml")
            new.writestr(name, b"<broken" if is_main else old.read(name))
    return into.getvalue()


async def test_archives_of_each_kind_are_listed_and_unpacked(call: Call, workspace: Workspace) -> None:
    for name, mode in (("a.tar", "w"), ("a.tar.gz", "w:gz"), ("a.tar.bz2", "w:bz2"), ("a.tar.xz", "w:xz")):
        into = io.BytesIO()
        with tarfile.open(fileobj=into, mode=mode) as archive:  # type: ignore[call-overload]
            member = tarfile.TarInfo("d/größe.sh")
            member.size, member.mode = 2, 0o755
            archive.addfile(member, io.BytesIO(b"hi"))
        workspace.write_bytes(name, into.getvalue())
    into = io.BytesIO()
    with zipfile.ZipFile(into, "w", zipfile.ZIP_DEFLATED) as zipped:
        zipped.writestr("d/größe.sh", "hi")
        zipped.writestr("e.txt", "e" * 1000)
    workspace.write_bytes("a.zip", into.getvalue())
    listed = await call("file_read", path="a.zip")
    assert listed.content == (
        "a.zip is an archive of 2 entries; archive_unpack takes them out\nd/größe.sh  2 bytes\ne.txt  1000 bytes"
    )
    for name in ("a.tar", "a.tar.gz", "a.tar.bz2", "a.tar.xz", "a.zip"):
        outcome = await call("archive_unpack", path=name, into=f"of {name}", only=["d/*"])
        assert outcome.content == f"1 files unpacked into of {name}\nof {name}/d/größe.sh  2 bytes"
    assert workspace.resolve("of a.tar/d/größe.sh").stat().st_mode & 0o100
    again = await call("archive_unpack", path="a.zip", into="of a.zip", only=["d/*"])
    assert again.status == "failed" and "set replace to write over it" in again.content
    assert (await call("archive_unpack", path="a.zip", into="of a.zip", replace=True)).status == "completed"
    assert "nothing in 'a.zip' fits" in (await call("archive_unpack", path="a.zip", only=["*.csv"])).content
    workspace.write_bytes("a.7z", b"7z\xbc\xaf\x27\x1c rest")
    assert "is a 7z archive" in (await call("archive_unpack", path="a.7z")).content


async def test_a_picture_is_copied_small_for_the_model_and_told_in_words(call: Call, workspace: Workspace) -> None:
    image = Image.effect_noise((3000, 1500), 80)
    workspace.write_bytes("a.png", saved(lambda into: image.save(into, "PNG")))
    clear = Image.new("RGBA", (20, 10), (0, 0, 0, 0))
    workspace.write_bytes("b.gif", saved(lambda into: clear.save(into, "GIF")))
    outcome = await call("file_read", path="a.png")
    assert "PNG picture of 3000 × 1500 pixels" in outcome.content and "shown as 1280 × 640" in outcome.content
    (picture,) = outcome.images
    copy = workspace.read_bytes(picture["path"])
    assert len(copy) < 1_048_576
    assert Image.open(io.BytesIO(copy)).size == (1280, 640) == (picture["width"], picture["height"])
    outcome = await call("file_read", path="b.gif")
    assert "GIF picture of 20 × 10 pixels" in outcome.content
    shown = Image.open(io.BytesIO(workspace.read_bytes(outcome.images[0]["path"])))
    assert shown.getpixel((0, 0)) == (255, 255, 255)


async def test_a_picture_that_is_broken_or_has_too_many_pixels_is_told(call: Call, workspace: Workspace) -> None:
    workspace.write_bytes("a.png", b"\x89PNG\r\n\x1a\n rest")
    huge = Image.new("1", (10_000, 9_000))
    workspace.write_bytes("b.png", saved(lambda into: huge.save(into, "PNG")))
    for name, why in (("a.png", "broken"), ("b.png", "over the limit of 80000000")):
        outcome = await call("file_read", path=name)
        assert why in outcome.content and outcome.images == []
