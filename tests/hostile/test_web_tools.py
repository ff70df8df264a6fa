"""web_fetch, http_request and web_search against servers of the tests: what they are for, and what bad servers get."""

from __future__ import annotations

import asyncio
import gzip
import json
import time
import uuid
from collections.abc import AsyncIterator, Awaitable, Callable
from contextlib import asynccontextmanager, suppress
from pathlib import Path
from typing import Any

from agent_runtime.toolbox import ToolContext
from agent_runtime.toolbox.executor import Outcome, execute
from agent_runtime.toolbox.registry import Registry
from agent_runtime.toolbox.sandbox.choice import Refused
from agent_runtime.toolbox.sessions import Sessions
from agent_runtime.toolbox.web.body import decoded
from agent_runtime.toolbox.web.egress import EgressGuard
from agent_runtime.toolbox.workspace import Workspace
from tests.hostile.site import certificate, site

Call = Callable[..., Awaitable[Outcome]]

ARTICLE = """<!doctype html><html><head><title>Tides &amp; moons</title></head><body>
<nav><ul><li><a href="/a">Home</a></li><li><a href="/b">Shop</a></li></ul></nav>
<article><h1>Tides</h1><p>The tide is <b>high</b> when the <a href="/moon">moon</a> is over the harbour, as every sailor
of the coast has known for a very long time indeed.</p><h2>Numbers</h2>
<table><tr><th>Port</th><th>Metres</th></tr><tr><td>Málaga</td><td>0.6</td></tr></table>
<ul><li>spring tide</li><li>neap tide</li></ul></article>
<footer>Cookies, imprint, and all the other things that nobody reads at the bottom of a page.</footer>
<script>document.write('made by a script')</script></body></html>"""

DUCKDUCKGO = """<html><body><div class="serp__results"><div class="result"><div class="links_main result__body">
<h2 class="result__title"><a class="result__a" href="https://one.example/page">First result</a></h2>
<a class="result__snippet" href="https://one.example/page">What the <b>first</b> page says.</a></div></div>
<div class="result"><div class="result__body"><h2><a href="https://duckduckgo.com/y.js?ad">An advertisement</a></h2>
<a href="https://duckduckgo.com/y.js?ad">buy</a></div></div>
<div class="result"><div class="result__body"><h2><a href="javascript:alert(1)">Bad</a></h2>
<a href="javascript:alert(1)">no address</a></div></div></div></body></html>"""


def caller(workspace: Path, *hosts: str, config: dict[str, Any] | None = None) -> Call:
    """Calls tools as a run would, with these hosts allowed and one set of sessions."""
    registry, sessions = Registry.load(), Sessions()
    files = Workspace.create(workspace)

    async def call(name: str, timeout_seconds: float = 30, **arguments: Any) -> Outcome:
        tool = registry.get(name)
        assert tool is not None
        context = ToolContext(
            task_id=uuid.uuid4(),
            execution_id=uuid.uuid4(),
            workspace=files,
            sandbox=Refused("not needed"),
            timeout_seconds=timeout_seconds,
            output_limit_bytes=20_000,
            config=config or {},
            sessions=sessions,
            egress=EgressGuard(hosts),
        )
        return await execute(tool, arguments, context)

    return call


async def test_pages_are_read_by_what_they_are(tmp_path: Path) -> None:
    long = "<html><body><article>" + "".join(f"<p>Paragraph {n} of a long page, said well.</p>" for n in range(400))
    async with site() as ours:
        ours.pages = {
            "/article": ("text/html; charset=utf-8", ARTICLE.encode()),
            "/latin": ("text/html; charset=iso-8859-1", ARTICLE.encode("cp1252")),
            "/meta": (
                "text/html",
                ARTICLE.replace("<title>", "<meta charset=koi8-r><title>").encode("koi8-r", "ignore"),
            ),
            "/unsaid": ("", ARTICLE.encode()),
            "/data": ("application/json", b'{"a":[1,2],"b":"\xc3\xa9"}'),
            "/notes": ("text/plain", "año 2026".encode()),
            "/utf16": ("text/plain", "día".encode("utf-16")),
            "/long": ("text/html", long.encode()),
            "/empty": ("text/html", b"<html><body><script>1</script></body></html>"),
            "/lie": ("text/html", b"\x89PNG\r\n\x1a\n" + bytes(200)),
            "/lie2": ("image/png", b"<html><body><p>in truth a page</p></body></html>"),
            "/controls": ("text/plain", b"a\x1b[31mb\x07"),
        }
        call = caller(tmp_path / "w", f"127.0.0.1:{ours.port}")
        base = f"http://127.0.0.1:{ours.port}"
        article = await call("web_fetch", url=f"{base}/article")
        assert article.status == "completed", article.content
        assert article.data["title"] == "Tides & moons"
        assert "# Tides" in article.content
        assert "## Numbers" in article.content
        assert f"[moon]({base}/moon)" in article.content
        assert "| Málaga | 0.6 |" in article.content
        for left_out in ("Shop", "imprint", "made by a script"):
            assert left_out not in article.content
        for path, words in {
            "/latin": "Málaga", "/meta": "# Tides", "/unsaid": "Málaga", "/data": '"b": "é"', "/notes": "año 2026",
            "/utf16": "día", "/empty": "no text without its scripts", "/controls": "ab",
        }.items():  # fmt: skip
            found = await call("web_fetch", url=base + path)
            assert found.status == "completed", found.content
            assert words in found.content, path
        lie = await call("web_fetch", url=f"{base}/lie")
        assert "is no text: PNG image" in (lie.error or "")
        assert (await call("web_fetch", url=f"{base}/lie2")).data["kind"] == "text"
        gone = await call("web_fetch", url=f"{base}/gone")
        assert (gone.status, gone.data["status"]) == ("failed", 404)
        await _read_in_parts(call, f"{base}/long", ours.heads)


async def _read_in_parts(call: Call, url: str, heads: list[str]) -> None:
    asked = len(heads)
    first = await call("web_fetch", url=url, max_characters=5_000)
    assert (
        f"[characters 0 to 5000 of {first.data['characters']}; the next part begins with start=5000]" in first.content
    )
    second = await call("web_fetch", url=url, start=5_000, max_characters=60_000)
    assert "Paragraph 399" in second.content
    assert "this is the end]" in second.content
    assert len(heads) == asked + 1, "a part is of the page that was read, not of one that is fetched anew"
    assert "start must be below" in (await call("web_fetch", url=url, start=10_000_000)).content


async def test_requests_go_out_as_they_were_asked_for(tmp_path: Path) -> None:
    async with site() as ours, site() as other:
        host, foreign = f"127.0.0.1:{ours.port}", f"127.0.0.1:{other.port}"
        configured = {"hosts": {host: {"headers": {"authorization": "Bearer of-the-operator"}}}}
        call = caller(tmp_path / "w", host, foreign, config=configured)
        base = f"http://{host}"
        sent = await call(
            "http_request", method="POST", url=f"{base}/echo?a=1", query={"b": "x y&c", "d": True},
            headers={"X-Mine": "1", "Authorization": "Bearer of-the-model"}, json_body={"é": None},
        )  # fmt: skip
        assert sent.status == "completed", sent.content
        assert "POST /echo?a=1&b=x+y%26c&d=true HTTP/1.1" in sent.content
        assert '{"é": null}' in sent.content
        assert "Bearer of-the-operator" in sent.content
        assert "Bearer of-the-model" not in sent.content
        (tmp_path / "w" / "in.csv").write_text("a,b\n")
        await call("http_request", method="PUT", url=f"{base}/echo", file="in.csv")
        await call("http_request", method="POST", url=f"{base}/echo", form={"q": "a&b"})
        assert ours.bodies[-2:] == [b"a,b\n", b"q=a%26b"]
        saved = await call("http_request", url=f"{base}/echo", save_as="out/echo.txt")
        assert "out/echo.txt" in saved.content
        assert (tmp_path / "w" / "out" / "echo.txt").read_bytes().startswith(b"GET /echo")
        # To another host nothing goes along but the question; a body does not go at all.
        ours.target = f"http://{foreign}/echo"
        read = await call("http_request", url=f"{base}/redirect", headers={"X-Api-Key": "k"})
        assert read.status == "completed"
        assert "of-the-operator" not in other.heads[-1]
        assert "x-api-key" not in other.heads[-1].lower()
        stayed = await call("http_request", method="POST", url=f"{base}/redirect-307", body="secret of ours")
        assert "was not followed: it leads to another host" in stayed.content
        assert other.bodies == [b""]


async def test_what_is_no_request_is_said_before_anything_is_sent(tmp_path: Path) -> None:
    async with site() as ours:
        call = caller(tmp_path / "w", f"127.0.0.1:{ours.port}")
        base = f"http://127.0.0.1:{ours.port}/echo"
        wrong: list[dict[str, Any]] = [
            {"headers": {"X-A": "1\r\nX-B: 2"}}, {"headers": {"X A": "1"}}, {"headers": {"Host": "other.test"}},
            {"headers": {"Transfer-Encoding": "chunked"}}, {"headers": {"X": "a\0b"}}, {"headers": {"X": "y" * 9_000}},
            {"headers": {"X": "日本"}}, {"method": "TRACE"}, {"body": "x"},
            {"file": "/etc/passwd", "method": "PUT"},
            {"method": "POST", "body": "x", "form": {}}, {"save_as": "../out"},
            {"url": base + "\r\nX: y"}, {"url": base + "\0"},
            {"url": f"http://u:p@127.0.0.1:{ours.port}/"}, {"url": "http://[fe80::1%25lo]/"}, {"url": "http://xn--/"},
            {"url": "x" * 9_000}, {"url": "http://" + "a" * 300 + "/"}, {"verify": False},
        ]  # fmt: skip
        for arguments in wrong:
            outcome = await call("http_request", **{"url": base, **arguments})
            assert outcome.status == "failed", arguments
            assert "broke on this call" not in outcome.content, (arguments, outcome.content)
        # One of them is known to be wrong only once the answer is there.
        assert len(ours.heads) == 1


async def test_bad_servers_are_ended_and_said_in_one_line(tmp_path: Path) -> None:
    bad = {
        "/endless": "limit response_bytes reached", "/huge-length": "limit response_bytes reached",
        "/gzip-bomb": "limit unpacked_bytes reached", "/brotli": "packed as 'br'", "/zstd": "packed as 'zstd'",
        "/twice-packed": "packed as 'gzip, gzip'", "/broken-gzip": "packed wrongly", "/loop": "limit redirects reached",
        "/drip": "limit seconds reached", "/silent": "limit seconds reached", "/short": "does not speak HTTP",
        "/huge-headers": "does not speak HTTP", "/two-lengths": "does not speak HTTP",
        "/not-http": "does not speak HTTP", "/nul-header": "does not speak HTTP", "/redirect": "is refused",
    }  # fmt: skip
    async with site() as ours:
        ours.target = "http://127.0.0.1:1/"
        call = caller(tmp_path / "w", f"127.0.0.1:{ours.port}")
        for path, words in bad.items():
            started = time.monotonic()
            seconds = 3 if path in ("/drip", "/silent") else 60
            outcome = await call("web_fetch", seconds, url=f"http://127.0.0.1:{ours.port}{path}")
            assert outcome.status == "failed", path
            assert words in outcome.content, path
            assert "\n" not in outcome.content
            assert time.monotonic() - started < 60
        assert "deflated" in (await call("web_fetch", url=f"http://127.0.0.1:{ours.port}/raw-deflate")).content
    assert "cannot be reached" in (await call("web_fetch", url=f"http://127.0.0.1:{ours.port}/")).content


async def test_a_wrong_certificate_is_refused_with_the_reason(tmp_path: Path) -> None:
    unknown, _ = certificate(tmp_path, "127.0.0.1")
    async with site(unknown) as ours:
        call = caller(tmp_path / "w", f"127.0.0.1:{ours.port}")
        for name in ("web_fetch", "http_request"):
            outcome = await call(name, url=f"https://127.0.0.1:{ours.port}/echo")
            assert "the certificate of 127.0.0.1" in outcome.content
            assert "is not valid" in outcome.content
        plain = await call("web_fetch", 4, url=f"http://127.0.0.1:{ours.port}/echo")
        assert plain.status == "failed"
    assert ours.heads == []


@asynccontextmanager
async def tunnel(port: int) -> AsyncIterator[int]:
    """A proxy whose every tunnel leads to the test's server: for the time of the test it is the internet."""

    async def serve(reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        with suppress(OSError, EOFError):
            await reader.readuntil(b"\r\n\r\n")
            far_reader, far = await asyncio.open_connection("127.0.0.1", port)
            writer.write(b"HTTP/1.1 200 OK\r\n\r\n")
            await asyncio.gather(_pump(reader, far), _pump(far_reader, writer))

    server = await asyncio.start_server(serve, "127.0.0.1", 0)
    try:
        yield server.sockets[0].getsockname()[1]
    finally:
        server.close()


async def _pump(reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
    with suppress(OSError):
        while chunk := await reader.read(65_536):
            writer.write(chunk)
            await writer.drain()
    writer.close()


async def test_a_search_asks_one_engine_after_the_other_until_one_answers(tmp_path: Path) -> None:
    tls, trusted = certificate(tmp_path, "html.duckduckgo.com")
    async with site(tls) as ours, tunnel(ours.port) as port:
        ours.pages = {"/html/": ("text/html; charset=utf-8", DUCKDUCKGO.encode())}
        config = {
            "proxy": f"http://127.0.0.1:{port}", "certificates": str(trusted), "engines": ["mojeek", "duckduckgo"],
        }  # fmt: skip
        found = await caller(tmp_path / "w", config=config)("web_search", query="row-level security", recent="week")
        assert found.status == "completed", found.content
        assert found.data["engine"] == "duckduckgo"
        assert found.data["results"] == [
            {"title": "First result", "url": "https://one.example/page", "excerpt": "What the first page says."}
        ]
        assert b"df=w" in ours.bodies[-1]
        ours.pages = {}
        nothing = await caller(tmp_path / "w", config=config)("web_search", query="row-level security")
        assert (nothing.status, nothing.data) == ("completed", {"results": []})


async def test_a_searxng_is_asked_first_where_there_is_one(tmp_path: Path) -> None:
    hits = [{"title": "One", "url": "https://one.example/", "content": "said"}, {"url": "ftp://x"}, {"url": None}]
    async with site() as ours:
        config = {"searxng": f"http://127.0.0.1:{ours.port}/", "engines": ["searxng"]}
        call = caller(tmp_path / "w", config=config)
        ours.pages = {"/search": ("application/json", json.dumps({"results": hits * 2}).encode())}
        found = await call("web_search", query="a b", recent="month")
        assert found.data["results"] == [{"title": "One", "url": "https://one.example/", "excerpt": "said"}]
        assert "q=a+b&format=json" in ours.heads[-1]
        assert "time_range=month" in ours.heads[-1]
        for wrong in (b"<html>", b"[]", b'{"results": [1]}', b'{"results": 1}', gzip.compress(b"{}")):
            ours.pages = {"/search": ("application/json", wrong)}
            assert "its answer is not that of a SearXNG" in (await call("web_search", query="a")).content
        ours.pages = {}
        assert "it answered with 404" in (await call("web_search", query="a")).content
        # The guard opens the SearXNG for the search, and for nothing else.
        assert "is refused" in (await call("web_fetch", url=f"http://127.0.0.1:{ours.port}/search")).content
    for engines in (["altavista"], ["searxng"]):
        refused = await caller(tmp_path / "w", config={"engines": engines})("web_search", query="a")
        assert "its configuration names" in refused.content


def test_bytes_that_are_no_text_are_known_as_such_whatever_they_are_called() -> None:
    assert decoded("text/html; charset=hex", b"61") == ("61", "utf-8")
    assert decoded("text/plain; charset=utf-7", "ñ".encode()) == ("ñ", "utf-8")
    assert decoded("text/plain; charset=shift_jis", "日本".encode("cp932")) == ("日本", "cp932")
    assert decoded("text/plain", bytes(range(1, 32)) * 8 + b"\xff") is None
    assert decoded("text/plain", b"a\0b") is None
    assert decoded("", b'<?xml version="1.0" encoding="windows-1251"?><a>' + "да".encode("cp1251")) == (
        '<?xml version="1.0" encoding="windows-1251"?><a>да',
        "cp1251",
    )
