"""The rest of the web UI's server: the bundle, headers, what the browser is told, figures, the way to Supabase."""

from __future__ import annotations

import base64
import gzip
import json
import re
import uuid
from pathlib import Path
from typing import TYPE_CHECKING

import httpx
import pytest

from agent_runtime import __version__
from agent_runtime.errors import ConfigError
from agent_runtime.person import auth
from agent_runtime.person.client import Person
from agent_runtime.web import assets, stamp
from agent_runtime.web.settings import WebSettings, is_secret_key, load_web_settings
from tests.e2e.desk import PASSWORD
from tests.loopback import LOOPBACK
from tests.web.live import server, watching

if TYPE_CHECKING:
    from agent_runtime.local.stack import Stack
    from agent_runtime.person.session import Session

SCRIPT = b"console.log('here')\n" * 50
COMPRESSED = gzip.compress(SCRIPT, mtime=0)


@pytest.fixture
def bundle(tmp_path: Path) -> Path:
    """A build: a page, a script with its compressed siblings, an icon, a stamp."""
    folder = tmp_path / "dist"
    (folder / "assets").mkdir(parents=True)
    (folder / "index.html").write_text("<!doctype html><title>UI</title>")
    (folder / "assets" / "index-abc123.js").write_bytes(SCRIPT)
    (folder / "assets" / "index-abc123.js.gz").write_bytes(COMPRESSED)
    (folder / "assets" / "index-abc123.js.br").write_bytes(b"as brotli")
    (folder / "favicon.svg").write_text("<svg xmlns='http://www.w3.org/2000/svg'/>")
    (folder / "stamp.json").write_text('{"stamp": "00ff"}')
    (tmp_path / "secret.txt").write_text("not of the bundle")
    return folder


async def test_a_bundle_is_served_so_that_a_browser_keeps_what_never_changes_and_notices_what_is_new(
    stack: Stack, bundle: Path
) -> None:
    async with (
        server(stack, bundle) as web,
        httpx.AsyncClient(base_url=web.url, headers={"accept-encoding": "identity"}, **LOOPBACK) as http,
    ):
        for path in ("/", "/index.html", "/tasks/5?x=1", f"/tasks/{uuid.uuid4()}/replay", "/a.b"):
            page = await http.get(path)
            assert page.status_code == 200, path
            assert page.text.startswith("<!doctype html>")
            assert page.headers["cache-control"] == "no-store"
            assert page.headers["content-type"] == "text/html; charset=utf-8"

        script = "/assets/index-abc123.js"
        plain = await http.get(script)
        assert plain.content == SCRIPT
        assert plain.headers["cache-control"] == "public, max-age=31536000, immutable"
        assert plain.headers["content-type"].startswith("text/javascript")
        assert plain.headers["vary"] == "Accept-Encoding"
        for accepted, encoding in (
            ("gzip, deflate, br, zstd", "br"), ("gzip", "gzip"), ("br;q=0, gzip;q=0.5", "gzip"),
            ("gzip;q=0", None), ("br; q=0.0", None), ("*", None),
        ):  # fmt: skip
            request = http.build_request("GET", script, headers={"accept-encoding": accepted})
            answer = await http.send(request, stream=True)
            assert answer.headers.get("content-encoding") == encoding, accepted
            assert (
                await answer.aiter_raw().__anext__() in (SCRIPT, gzip.compress(SCRIPT), b"as brotli")
                or encoding == "gzip"
            )
            await answer.aclose()

        icon = await http.get("/favicon.svg")
        assert icon.headers["cache-control"] == "no-cache"
        again = await http.get("/favicon.svg", headers={"if-none-match": icon.headers["etag"]})
        assert (again.status_code, again.content) == (304, b"")

        # A chunk of an older build is missed, instead of being the page; and nothing outside is ever served.
        for path in ("/assets/index-old.js", "/assets/", "/assets/../index.html", "/assets/%2e%2e/%2e%2e/secret.txt"):
            assert (await http.get(path)).status_code in (404, 200), path
        assert (await http.get("/assets/index-old.js")).status_code == 404
        for path in (
            "/../secret.txt",
            "/%2e%2e/secret.txt",
            "/..%2fsecret.txt",
            "//etc/passwd",
            "/assets/..%2f..%2fsecret.txt",
        ):
            assert "not of the bundle" not in (await http.get(path)).text
        assert (await http.post("/")).status_code == 405
        assert (await http.get("/config.json")).json()["build"] == "00ff"


async def test_without_a_bundle_every_page_says_how_to_make_it(stack: Stack) -> None:
    async with server(stack) as web, httpx.AsyncClient(base_url=web.url, **LOOPBACK) as http:
        assert "make ui" in (await http.get("/tasks/1")).text
        assert (await http.get("/config.json")).json()["build"] is None


def test_a_bundle_of_other_sources_is_refused_with_the_remedy(bundle: Path, tmp_path: Path) -> None:
    sources = tmp_path / "sources"
    sources.mkdir()
    (sources / "main.tsx").write_text("one")
    (bundle / stamp.FILE).write_text(json.dumps({"stamp": stamp.of_sources(sources)}))
    assets.require_fresh(sources, bundle)
    (sources / "main.tsx").write_text("two")
    with pytest.raises(ConfigError, match="make ui") as refused:
        assets.require_fresh(sources, bundle)
    assert "\n" not in str(refused.value)
    (bundle / stamp.FILE).unlink()
    with pytest.raises(ConfigError, match="make ui"):
        assets.require_fresh(sources, bundle)


async def test_the_browser_is_told_what_it_needs_and_every_answer_is_strict(stack: Stack, bundle: Path) -> None:
    async with (
        server(stack, bundle, SUPABASE_URL=stack.supabase_url) as web,
        httpx.AsyncClient(base_url=web.url, **LOOPBACK) as http,
    ):
        config = await http.get("/config.json")
        assert config.headers["cache-control"] == "no-store"
        assert config.json() == {
            "supabase_url": stack.supabase_url, "publishable_key": stack.publishable_key, "version": __version__,
            "build": "00ff", "live": True,
            "sign_in": {"password": True, "sign_up": True, "magic_link": False, "providers": []},
        }  # fmt: skip
        socket = stack.supabase_url.replace("http:", "ws:")
        for path in (
            "/",
            "/config.json",
            "/healthz",
            "/metrics",
            "/assets/x",
            "/live/tasks/x",
            "/assets/index-abc123.js",
        ):
            answer = await http.get(path)
            policy = dict(part.split(" ", 1) for part in answer.headers["content-security-policy"].split("; "))
            # The page's own differs by a nonce, for the one style element that a dialog makes.
            policy["style-src"] = re.sub(r"^'self' 'nonce-[\w-]{24}'$", "'self'", policy["style-src"])
            assert policy == {
                "default-src": "'none'", "script-src": "'self'", "style-src": "'self'", "font-src": "'self'",
                "img-src": f"'self' blob: data: {stack.supabase_url}", "media-src": "'self' blob:",
                "connect-src": f"'self' {stack.supabase_url} {socket}", "frame-src": "blob: 'self'",
                "worker-src": "'self' blob:", "manifest-src": "'self'", "base-uri": "'none'", "form-action": "'self'",
                "frame-ancestors": "'none'", "report-uri": "/csp-report",
            }, path  # fmt: skip
            assert answer.headers["x-content-type-options"] == "nosniff"
            assert answer.headers["referrer-policy"] == "no-referrer"
            assert answer.headers["cross-origin-opener-policy"] == "same-origin"
            assert "camera=()" in answer.headers["permissions-policy"]
            assert "server" not in answer.headers
        async with httpx.AsyncClient(**LOOPBACK) as other:
            unknown = await other.get(f"{web.url}/config.json", headers={"host": "evil.example"})
            assert unknown.json()["supabase_url"] == stack.supabase_url

    async with server(stack, magic_link=True) as web, httpx.AsyncClient(base_url=web.url, **LOOPBACK) as http:
        assert (await http.get("/config.json")).json()["sign_in"]["magic_link"] is True
    async with (
        server(stack, SUPABASE_URL="https://127.0.0.1:9") as web,
        httpx.AsyncClient(base_url=web.url, **LOOPBACK) as http,
    ):
        config = await http.get("/config.json")
        assert config.json()["sign_in"] == {
            "password": True,
            "sign_up": False,
            "magic_link": False,
            "providers": [],
        }
        assert " wss://127.0.0.1:9" in config.headers["content-security-policy"]


async def test_no_answer_holds_what_the_server_alone_knows(
    stack: Stack, alice: Session, task: uuid.UUID, bundle: Path
) -> None:
    heard: list[str] = []
    async with (
        server(stack, bundle, proxy_supabase=True) as web,
        httpx.AsyncClient(base_url=web.url, **LOOPBACK) as http,
    ):
        async with watching(web.url, task, alice.access_token) as client:
            await client.until_kind("caught_up")
            heard += [str(event) for event in client.heard]
        tokens = {"authorization": f"Bearer {alice.access_token}", "apikey": stack.publishable_key}
        paths = [
            "/", "/config.json", "/healthz", "/healthz?ready", "/metrics", "/csp-report", "/assets/x", "/%00",
            f"/live/tasks/{task}x", "/live/tasks/" + "9" * 3_000, "/supabase/../x", "/supabase/", "/supabase/rest/v1/",
            "/supabase/auth/v1/settings", "/supabase/auth/v1/health",
        ]  # fmt: skip
        for method in ("GET", "POST", "OPTIONS"):
            for path in paths:
                for headers in ({}, tokens, {"authorization": "Bearer x"}) if method == "GET" else (tokens,):
                    answer = await http.request(method, path, headers=headers)
                    assert answer.status_code < 500, (method, path)
                    heard += [answer.text, str(answer.headers)]
        metrics = (await http.get("/metrics")).text
        assert re.search(r"^agent_runtime_web_streams_opened_total 1$", metrics, re.MULTILINE)
        assert re.search(r'^agent_runtime_web_streams_refused_total\{status="401"\} \d+$', metrics, re.MULTILINE)
    secrets = stack.secrets
    hidden = [
        stack.secret_key, stack.worker_database_url, stack.model_url, secrets.jwt_secret.get_secret_value(),
        secrets.agent_worker.get_secret_value(), secrets.postgres.get_secret_value(), str(stack.postgres.port),
    ]  # fmt: skip
    for value in hidden:
        assert not any(value in text for text in heard), value


async def test_people_work_with_the_embedded_api_through_the_server(stack: Stack, tmp_path: Path) -> None:
    """Auth, functions, rows and files, by a supabase client that knows no other address."""
    given = tmp_path / "ünï +%2F.bin"
    given.write_bytes(bytes(range(256)) * 20_000)
    async with server(stack, proxy_supabase=True) as web, httpx.AsyncClient(**LOOPBACK) as http:
        config = (await http.get(f"{web.url}/config.json")).json()
        assert config["supabase_url"] == f"{web.url}/supabase"
        assert "127.0.0.1" not in (await http.get(web.url)).headers["content-security-policy"]
        email = f"{uuid.uuid4().hex}@example.org"
        session = await auth.sign_up(config["supabase_url"], config["publishable_key"], email, PASSWORD)
        assert session
        async with Person(session, keep=False) as person:
            task = await person.submit("Do it — ¡ya! 日本", [given])
            assert (await person.task(task.id)).title.startswith("Do it — ¡ya! 日本")
            (file,) = await person.files(task.id)
            await person.download(file, tmp_path / "got")
            assert (tmp_path / "got").read_bytes() == given.read_bytes()
        headers = {"apikey": stack.publishable_key, "authorization": f"Bearer {session.access_token}"}
        rows = await http.get(
            f"{web.url}/supabase/rest/v1/tasks?select=id", headers=headers | {"range": "0-0", "prefer": "count=exact"}
        )
        assert rows.headers["content-range"] == "0-0/1"
        assert rows.headers["content-security-policy"] == "sandbox; default-src 'none'"
        for path in ("/supabase/", "/supabase/x", "/supabase/rest/v1/../../x", "/supabase/rest/v1/%2e%2e/x"):
            request = http.build_request("GET", httpx.URL(web.url).copy_with(raw_path=path.encode()))
            assert (await http.send(request)).status_code == 404, path
    async with server(stack) as web, httpx.AsyncClient(**LOOPBACK) as http:
        assert (await http.get(f"{web.url}/supabase/auth/v1/health")).headers["content-type"].startswith("text/html")
    async with (
        server(stack, SUPABASE_URL="http://127.0.0.1:9", proxy_supabase=True) as web,
        httpx.AsyncClient(**LOOPBACK) as http,
    ):
        assert (await http.get(f"{web.url}/supabase/rest/v1/x")).status_code == 503


async def test_reports_of_the_browser_are_counted_and_bounded(stack: Stack) -> None:
    report = {"csp-report": {"effective-directive": "img-src", "blocked-uri": "https://evil.example/" + "x" * 5_000}}
    async with server(stack) as web, httpx.AsyncClient(base_url=web.url, **LOOPBACK) as http:
        assert (await http.post("/csp-report", json=report)).status_code == 204
        for body in (b"", b"x", b"[]", b'{"csp-report": 1}', b"\xff" * 100):
            assert (await http.post("/csp-report", content=body)).status_code == 400
        assert (await http.post("/csp-report", content=b"x" * 100_000)).status_code == 413
        assert web.hub.metrics.csp_reports == 1


@pytest.mark.parametrize(
    ("settings", "told"),
    [
        ({}, "SUPABASE_URL is not set"),
        ({"SUPABASE_URL": "ftp://x", "SUPABASE_PUBLISHABLE_KEY": "k"}, "SUPABASE_URL: must begin with http"),
        (
            {"SUPABASE_URL": "http://x", "SUPABASE_PUBLISHABLE_KEY": "sb_secret_x"},
            "SUPABASE_PUBLISHABLE_KEY: must be the",
        ),
        (
            {"SUPABASE_URL": "http://x", "SUPABASE_PUBLISHABLE_KEY": "k", "DATABASE_URL": "pw hidden"},
            "DATABASE_URL: not a",
        ),
        ({"SUPABASE_URL": "http://x", "SUPABASE_PUBLISHABLE_KEY": "k", "streams": 0}, "AGENT_RUNTIME_WEB_STREAMS"),
    ],
)
def test_wrong_settings_are_named_in_one_line(
    settings: dict[str, object], told: str, monkeypatch: pytest.MonkeyPatch, tmp_path: Path
) -> None:
    monkeypatch.chdir(tmp_path)
    for name in ("SUPABASE_URL", "SUPABASE_PUBLISHABLE_KEY", "DATABASE_URL"):
        monkeypatch.delenv(name, raising=False)
    with pytest.raises(ConfigError) as refused:
        load_web_settings(**settings)
    assert told in str(refused.value)
    assert "\n" not in str(refused.value)
    assert "hidden" not in str(refused.value)


def test_each_setting_is_in_the_documentation() -> None:
    page = (Path(__file__).resolve().parents[2] / "docs" / "live.md").read_text()
    rows = page.split("| setting `AGENT_RUNTIME_WEB_…` |")[1].split("\n\n")[0].splitlines()[2:]
    named = {name for row in rows for name in re.findall(r"`([A-Z_]+)`", row.split("|")[1])}
    shared = {"supabase_url", "publishable_key", "database_url", "log_format", "log_level"}
    assert named == {name.upper() for name in WebSettings.model_fields if name not in shared}


def test_a_key_that_reaches_past_row_level_security_is_known_as_one(stack: Stack) -> None:
    assert is_secret_key(stack.secret_key)
    assert not is_secret_key(stack.publishable_key)
    for role, secret in (("service_role", True), ("postgres", True), ("anon", False)):
        claims = base64.urlsafe_b64encode(json.dumps({"role": role}).encode()).decode().rstrip("=")
        assert is_secret_key(f"x.{claims}.y") is secret
