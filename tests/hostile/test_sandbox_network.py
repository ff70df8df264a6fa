"""A command that was granted the network reaches the egress guard's addresses, and nothing else."""

from __future__ import annotations

import http.server
import json
import threading
from collections.abc import Iterator
from pathlib import Path
from uuid import uuid4

import pytest

from agent_runtime.errors import ToolRefused
from agent_runtime.toolbox import ToolContext
from agent_runtime.toolbox.sandbox.bubblewrap import Bubblewrap
from agent_runtime.toolbox.sandbox.landlock import Landlock
from agent_runtime.toolbox.sandbox.launch import CommandLimits
from agent_runtime.toolbox.web.egress import EgressGuard
from agent_runtime.toolbox.workspace import Workspace

PROGRAM = """
import json, os, socket, sys, urllib.request
def tried(work):
    try:
        return work()
    except Exception as error:
        return f"{type(error).__name__}: {error}"
def page(url):
    return urllib.request.urlopen(url, timeout=20).read().decode()
def connect(address, family=socket.AF_INET):
    with socket.socket(family) as s:
        s.settimeout(5); s.connect(address); return "reached"
def loopback():
    with socket.create_server(("127.0.0.1", 0)) as server, socket.create_connection(server.getsockname()):
        return "reached"
def datagram():
    with socket.socket(socket.AF_INET, socket.SOCK_DGRAM) as s:
        s.sendto(b"x", ("8.8.8.8", 53)); return "reached"
port = int(sys.argv[1])
print(json.dumps({
    "allowed": tried(lambda: page(f"http://site.test:{port}/hello")),
    "many": tried(lambda: [page(f"http://site.test:{port}/{n}") for n in range(20)][-1]),
    "big": tried(lambda: len(page(f"http://site.test:{port}/big"))),
    "not allowed": tried(lambda: page(f"http://other.test:{port}/")),
    "private": tried(lambda: page("http://10.0.0.1/")),
    "metadata": tried(lambda: page("http://169.254.169.254/latest/meta-data/")),
    "around the proxy": tried(lambda: connect(("127.0.0.1", port))),
    "another address": tried(lambda: connect(("8.8.8.8", 53))),
    "datagram": tried(datagram),
    "own loopback": tried(loopback),
    "names": tried(lambda: socket.getaddrinfo("site.test", 80)),
}))
"""


class Site(http.server.BaseHTTPRequestHandler):
    def do_GET(self) -> None:
        content = b"x" * 3_000_000 if self.path == "/big" else f"you asked for {self.path}".encode()
        self.send_response(200)
        self.send_header("Content-Length", str(len(content)))
        self.end_headers()
        self.wfile.write(content)

    def log_message(self, *_: object) -> None:
        pass


@pytest.fixture
def site() -> Iterator[int]:
    with http.server.ThreadingHTTPServer(("127.0.0.1", 0), Site) as server:
        thread = threading.Thread(target=server.serve_forever, kwargs={"poll_interval": 0.02})
        thread.start()
        yield server.server_port
        server.shutdown()
        thread.join()


async def _to_loopback(_host: str, _port: int) -> list[str]:
    return ["127.0.0.1"]


async def test_the_guard_is_the_only_way_out(site: int, tmp_path: Path) -> None:
    sandbox = Bubblewrap(CommandLimits(processes=64))
    if problem := sandbox.problem():
        pytest.skip(problem)
    workspace = Workspace.create(tmp_path / "workspace")
    guard = EgressGuard([f"site.test:{site}"], resolver=_to_loopback)
    command = ["python3", "-c", PROGRAM, str(site)]
    result = await sandbox.run(command, workspace=workspace.root, timeout_seconds=90, network=guard)
    assert result.exit_code == 0, result.stderr
    found = json.loads(result.stdout)
    assert found.pop("allowed") == "you asked for /hello"
    assert found.pop("many") == "you asked for /19"
    assert found.pop("big") == 3_000_000
    assert found.pop("own loopback") == "reached"
    for name in ("not allowed", "private", "metadata"):
        assert "403" in found.pop(name), name
    assert [name for name, answer in found.items() if "Error" not in answer and "gaierror" not in answer] == []

    without = await sandbox.run(command, workspace=workspace.root, timeout_seconds=90)
    found = json.loads(without.stdout)
    assert found.pop("own loopback") == "reached"
    assert [name for name, answer in found.items() if "rror" not in str(answer)] == []


async def test_landlock_alone_gives_no_network(tmp_path: Path) -> None:
    workspace = Workspace.create(tmp_path / "workspace")
    with pytest.raises(ToolRefused, match="install bubblewrap"):
        await Landlock(CommandLimits()).run(
            ["true"], workspace=workspace.root, timeout_seconds=5, network=EgressGuard()
        )


@pytest.mark.parametrize(
    ("tool", "agent", "granted"),
    [(True, True, True), (True, False, False), (False, True, False), ("yes", True, False), (None, True, False)],
)
def test_tool_and_agent_must_both_grant_it(tool: object, agent: bool, granted: bool, tmp_path: Path) -> None:
    context = ToolContext(
        task_id=uuid4(),
        execution_id=uuid4(),
        workspace=Workspace.create(tmp_path / "workspace"),
        sandbox=Landlock(CommandLimits()),
        timeout_seconds=5,
        output_limit_bytes=1000,
        config={} if tool is None else {"network": tool},
        agent_network=agent,
    )
    assert (context.network is context.egress) is granted
