"""The documentation of the tools is true: its example works and its table is what the files declare."""

from __future__ import annotations

import re
import threading
import uuid
from http.server import BaseHTTPRequestHandler, HTTPServer
from pathlib import Path

from agent_runtime.toolbox import ToolContext
from agent_runtime.toolbox.executor import execute
from agent_runtime.toolbox.registry import Registry
from agent_runtime.toolbox.sandbox.choice import Refused
from agent_runtime.toolbox.workspace import Workspace

PAGE = (Path(__file__).resolve().parents[2] / "docs" / "tools.md").read_text()


async def test_the_example_is_a_tool_that_works(tmp_path: Path) -> None:
    example, _ = re.findall(r"```python\n(.*?)```", PAGE, re.DOTALL)
    folder = tmp_path / "tools"
    folder.mkdir()
    (folder / "word_count.py").write_text(example)
    tool = Registry.load([folder]).get("word_count")
    assert tool is not None
    workspace = Workspace.create(tmp_path / "workspace")
    workspace.write_bytes("a.txt", b"One two one")
    workspace.write_bytes("empty.txt", b"")
    context = ToolContext(uuid.uuid4(), uuid.uuid4(), workspace, Refused("not needed"), 5, 4_096)
    outcome = await execute(tool, {"path": "a.txt", "word": "one"}, context)
    assert (outcome.status, outcome.content, outcome.data) == ("completed", "2 times", {"count": 2})
    refused = await execute(tool, {"path": "empty.txt", "word": "one"}, context)
    assert refused.content == "'empty.txt' is empty; there is nothing to count"


async def test_a_keyed_tool_asks_each_time_with_the_key_of_its_call(tmp_path: Path) -> None:
    _, example = re.findall(r"```python\n(.*?)```", PAGE, re.DOTALL)
    (tmp_path / "pay_invoice.py").write_text(example)
    tool = Registry.load([tmp_path]).get("pay_invoice")
    assert tool is not None
    keys: list[str | None] = []

    class Payments(BaseHTTPRequestHandler):
        def do_POST(self) -> None:
            keys.append(self.headers["Idempotency-Key"])
            self.send_response(200)
            self.end_headers()
            self.wfile.write(b"paid")

        def log_message(self, *_: object) -> None:
            pass

    server = HTTPServer(("127.0.0.1", 0), Payments)
    thread = threading.Thread(target=server.serve_forever, args=(0.01,))
    thread.start()
    try:
        url, workspace = f"http://127.0.0.1:{server.server_port}/", Workspace.create(tmp_path / "workspace")
        calls = [uuid.uuid4(), uuid.uuid4()]
        for call in (calls[0], calls[0], calls[1]):
            context = ToolContext(
                uuid.uuid4(), call, workspace, Refused("not needed"), 30, 4_096, {"payments_url": url}
            )
            outcome = await execute(tool, {"invoice": "812"}, context)
            assert (outcome.status, outcome.content) == ("completed", "paid")
    finally:
        server.shutdown()
        thread.join()
        server.server_close()
    assert keys == [str(calls[0]), str(calls[0]), str(calls[1])]


def test_the_table_names_each_tool_with_its_limits_and_its_class() -> None:
    classes = {"pure": "runs again", "idempotent": "runs again", "unsafe": "never again blindly"}
    classes["keyed"] = "runs again, done once"
    rows = [
        [cell.strip() for cell in line.strip("|").split("|")] for line in PAGE.splitlines() if line.startswith("| `")
    ]
    documented = {name: row for row in rows if len(row) == 6 for name in re.findall(r"`(\w+)`", row[0])}
    for tool in Registry.load():
        row = documented.pop(tool.name)
        security, *marks = row[2].split(", ")
        assert security == tool.security_level, tool.name
        assert set(marks) == {mark for mark in ("taints", "outward", "control") if getattr(tool, mark)}, tool.name
        assert row[3] == classes[tool.retry_class], tool.name
        assert row[4:] == [str(tool.timeout_seconds), f"{tool.output_limit_bytes:,}"], tool.name
    assert documented == {}
