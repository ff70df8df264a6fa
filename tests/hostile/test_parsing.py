"""Hostile content and patterns: what would hang or exhaust the worker is stopped, and the worker stays responsive."""

from __future__ import annotations

import asyncio
import zlib
from pathlib import Path

import pytest

from agent_runtime.errors import ToolRefused
from agent_runtime.toolbox.documents.document import pdf_text
from agent_runtime.toolbox.documents.markup import html_text
from agent_runtime.toolbox.sandbox import isolated
from agent_runtime.toolbox.sandbox.choice import Refused
from agent_runtime.toolbox.search import Search, search_files
from agent_runtime.toolbox.workspace import Workspace


async def test_a_pattern_of_exponential_time_is_stopped_while_the_worker_goes_on(tmp_path: Path) -> None:
    workspace = Workspace.create(tmp_path)
    workspace.write_bytes("a.txt", b"a" * 60 + b"!\n")
    searching = asyncio.create_task(search_files(workspace, Search(r"^(a+)+$"), Refused("Python's engine"), 1))
    turns = 0
    while not searching.done():
        turns += 1
        await asyncio.sleep(0.01)
    with pytest.raises(ToolRefused, match="longer than 1 seconds"):
        await searching
    assert turns > 20


async def test_a_pdf_that_unpacks_to_gigabytes_is_stopped_at_the_memory_limit() -> None:
    packed = zlib.compress(b"(x) Tj " * 30_000_000, 1)
    stream = b"<</Length %d/Filter/FlateDecode>>stream\n%s\nendstream" % (len(packed), packed)
    content = b"%PDF-1.4\n1 0 obj<</Type/Catalog/Pages 2 0 R>>endobj 2 0 obj<</Type/Pages/Kids[3 0 R]/Count 1>>endobj "
    content += b"3 0 obj<</Type/Page/Parent 2 0 R/MediaBox[0 0 9 9]/Contents 4 0 R>>endobj 4 0 obj" + stream
    content += b"endobj\ntrailer<</Root 1 0 R/Size 5>>\n%%EOF"
    with pytest.raises(ToolRefused, match=r"memory|broken|longer than|processed"):
        await pdf_text(content)


async def test_markup_of_quadratic_time_is_stopped() -> None:
    with pytest.raises(ToolRefused, match="longer than 1 seconds"):
        await html_text("<a " * 20_000, timeout_seconds=1)


async def test_deeply_nested_broken_and_empty_markup_is_read() -> None:
    assert await html_text("<div>" * 20_000 + "deep") == "deep"
    assert await html_text("<head><title>t</title><body>seen<script>unseen") == "t\n\nseen"
    assert await html_text("\ud800") == "?"
    assert await html_text("") == ""


async def test_a_process_that_dies_without_an_answer_is_a_sentence() -> None:
    with pytest.raises(ToolRefused, match=r"could not be processed: .*no_such_module"):
        await isolated.run_isolated("agent_runtime.no_such_module", {}, timeout_seconds=10)
