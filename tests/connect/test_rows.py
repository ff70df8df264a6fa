"""Rows of type `api`, `shell` and `python`, called as a worker calls them: a local service, the real sandbox."""

from __future__ import annotations

import json
import threading
from collections.abc import Iterator
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from typing import Any
from urllib.parse import parse_qs, urlsplit

import pytest

from agent_runtime.errors import ConfigError, ToolRefused
from agent_runtime.toolbox.connect.commands import argv_of
from agent_runtime.toolbox.connect.rows import RowTools, make_tool
from agent_runtime.toolbox.registry import Registry
from tests.connect.rows import NUMBER, TEXT, Caller, row


class Service(ThreadingHTTPServer):
    """Notes each request, and answers as its path says."""

    daemon_threads = True

    def __init__(self) -> None:
        super().__init__(("127.0.0.1", 0), Handler)
        self.seen: list[dict[str, Any]] = []
        self.host = f"127.0.0.1:{self.server_port}"


class Handler(BaseHTTPRequestHandler):
    server: Service

    def _answer(self) -> None:
        length = int(self.headers.get("content-length") or 0)
        path = urlsplit(self.path)
        query = {key: values[0] for key, values in parse_qs(path.query, keep_blank_values=True).items()}
        headers = {key.lower(): value for key, value in self.headers.items()}
        body = self.rfile.read(length).decode()
        self.server.seen.append(
            {"at": self.command + " " + path.path, "query": query, "headers": headers, "body": body}
        )
        status, more, answer = self._made(path.path, query)
        self.send_response(status)
        for name, value in {"Content-Type": "application/json", **more}.items():
            self.send_header(name, value)
        self.end_headers()
        self.wfile.write(answer if isinstance(answer, bytes) else json.dumps(answer).encode())

    do_GET = do_POST = do_DELETE = _answer

    def _made(self, path: str, query: dict[str, str]) -> tuple[int, dict[str, str], Any]:
        base = f"http://{self.server.host}"
        match path.split("/")[1]:
            case "pages":
                page = int(query.get("page", 1))
                return 200, {}, {"items": [{"id": page * 10 + n} for n in range(2)] if page <= 3 else []}
            case "cursor":
                number = int(query.get("after", 0))
                return 200, {}, {"items": [number], "next": number + 1 if number < 2 else None}
            case "links":
                following = {"Link": f'<{base}/links?at=2>; rel="next"'} if not query else {}
                return 200, following, [1 if not query else 2]
            case "abroad":
                return 200, {"Link": '<http://10.0.0.1/links>; rel="next"'}, [1]
            case "for_ever":
                return 200, {"Link": f'<{base}/for_ever?{len(self.server.seen)}>; rel="next"'}, [1]
            case "moved":
                return 302, {"Location": "/items/moved"}, b""
            case "stolen":
                return 302, {"Location": "http://10.0.0.1/take"}, b""
            case "round":
                return 302, {"Location": "/round"}, b""
            case "busy":
                return 429, {"Retry-After": "7"}, {"error": "slow down"}
            case "forbidden":
                return 401, {}, {"error": "who are you"}
            case "text":
                return 200, {"Content-Type": "text/plain; charset=latin-1"}, "señor".encode("latin-1")
            case "lies":
                return 200, {}, b"<html>no JSON</html>"
            case "binary":
                return 200, {"Content-Type": "application/octet-stream"}, b"\0\1\2"
        return 200, {}, {"data": {"items": [{"id": 7}]}, "message": "ok"}

    def log_message(self, *_: object) -> None:
        pass


@pytest.fixture(scope="module")
def service() -> Iterator[Service]:
    made = Service()
    thread = threading.Thread(target=made.serve_forever, args=(0.01,))
    thread.start()
    yield made
    made.shutdown()
    thread.join()
    made.server_close()


@pytest.fixture
def api(service: Service) -> Any:
    service.seen.clear()

    def make(path: str, *required: str, **config: Any) -> Any:
        more = config.pop("columns", {})
        return row(
            "api", {"url": f"http://{service.host}{path}", "allow_hosts": [service.host], **config}, *required, **more
        )

    return make


# -- api -------------------------------------------------------------------------------------------------------------


async def test_each_part_of_a_request_keeps_its_values_in(caller: Caller, api: Any, service: Service) -> None:
    made = api(
        "/items/{{id}}?fixed=1&of={{id}}",
        "id",
        method="POST",
        query={"q": "{{text}}", "gone": "{{absent}}"},
        headers={"X-Text": "for {{id}}", "X-Gone": "{{absent}}", "Authorization": "Bearer abc"},
        json={
            "id": "{{id}}",
            "count": "{{count}}",
            "said": "it is {{count}}",
            "gone": "{{absent}}",
            "list": ["{{text}}"],
        },
        result="/data/items/0/id",
        columns={"retry_class": "keyed", "properties": {"text": TEXT, "count": NUMBER, "absent": TEXT}},
    )
    outcome = await caller(made, id="../a?b#c&d=e", text="x&y=1 {{count}}", count=3)
    assert (outcome.status, outcome.content, outcome.data["status"]) == ("completed", "7", 200)
    (seen,) = service.seen
    assert seen["at"] == "POST /items/..%2Fa%3Fb%23c%26d%3De"
    assert seen["query"] == {"fixed": "1", "of": "../a?b#c&d=e", "q": "x&y=1 {{count}}"}
    assert json.loads(seen["body"]) == {
        "id": "../a?b#c&d=e", "count": 3, "said": "it is 3", "list": ["x&y=1 {{count}}"],
    }  # fmt: skip
    assert seen["headers"]["x-text"] == "for ../a?b#c&d=e"
    assert "x-gone" not in seen["headers"]
    assert len(seen["headers"]["idempotency-key"]) == 36
    for hostile in ({"id": "a\r\nX-Evil: 1"}, {"id": "ñ"}, {"id": ".."}, {"id": ""}):
        assert (await caller(made, **hostile)).status == "failed", hostile
    refused = await caller(made, id="a", count="3", evil=1)
    assert "'evil' is not one of its arguments" in refused.content
    assert "'count': '3' is not of type 'integer'" in refused.content
    assert len(service.seen) == 1
    form = api("/form", method="POST", form={"a": "{{text}}", "b": "{{gone}}"},
               columns={"properties": {"text": TEXT, "gone": TEXT}})  # fmt: skip
    await caller(form, text="1&b=2")
    assert service.seen[-1]["body"] == "a=1%26b%3D2"


async def test_answers_are_told_as_they_are(caller: Caller, api: Any, service: Service) -> None:
    async def said(path: str, **config: Any) -> tuple[str, str]:
        outcome = await caller(api(path, **config))
        return outcome.status, outcome.content

    assert await said("/text") == ("completed", "señor")
    assert await said("/lies") == ("completed", "<html>no JSON</html>")
    assert await said("/items", result="/no/where") == ("completed", "null")
    assert await said("/moved", result="/message") == ("completed", "ok")
    failures = {
        "/busy": "the service answered 429: too many requests; wait 7 s before the next",
        "/forbidden": "the service answered 401: the tool's credential is missing",
        "/stolen": "redirects to http://10.0.0.1/take, which this tool does not follow",
        "/round": "redirected more than 3 times",
        "/binary": "3 bytes that are no text",
    }
    for path, why in failures.items():
        status, content = await said(path)
        assert status == "failed"
        assert why in content
    # A redirect of what changes something is not followed: once is what was asked for.
    assert (await said("/moved", method="DELETE"))[0] == "failed"
    private = row("api", {"url": f"http://{service.host}/items"})
    assert "127.0.0.1 is not a public address" in (await caller(private)).content


async def test_pages_become_one_list_within_one_host(caller: Caller, api: Any) -> None:
    async def pages(path: str, **spec: Any) -> Any:
        outcome = await caller(api(path, pages=spec, result=spec.pop("result", "")))
        return json.loads(outcome.content) if outcome.status == "completed" else outcome.content

    assert await pages("/pages", kind="page", parameter="page", items="/items", result="/id") == [
        10,
        11,
        20,
        21,
        30,
        31,
    ]
    assert await pages("/cursor", kind="cursor", parameter="after", items="/items", next="/next") == [0, 1, 2]
    assert await pages("/links", kind="next_link") == [1, 2]
    assert "the next page is at another host" in await pages("/abroad", kind="next_link")
    assert "has no list at '/none'" in await pages("/pages", kind="page", parameter="page", items="/none")
    outcome = await caller(api("/for_ever", pages={"kind": "next_link", "limit": 3}))
    assert outcome.data == {"items": 3, "pages": 3, "more": True}
    assert "[limit pages reached: 3 pages were read, and there are more]" in outcome.content


# -- shell and python ------------------------------------------------------------------------------------------------


async def test_a_command_gets_its_arguments_and_no_shell(caller: Caller) -> None:
    script = "import sys; print(sys.argv[1:]); print(sys.stdin.read())"
    command = ["python3", "-c", script, "--name={{name}}", "{{gone}}", "--", "{{names}}"]
    made = row("shell", {"command": command, "stdin": "<{{name}}>", "environment": {"A": "1"}}, "name",
               properties={"names": {"type": "array", "items": TEXT}, "gone": TEXT})  # fmt: skip
    outcome = await caller(made, name="$(id) `id`; rm -rf *", names=["-rf", "a b", "'"])
    assert outcome.content.splitlines() == [
        str(["--name=$(id) `id`; rm -rf *", "--", "-rf", "a b", "'"]), "<$(id) `id`; rm -rf *>",
    ]  # fmt: skip
    failing = row("shell", {"command": ["sh", "-c", "echo out; echo why >&2; exit 4"]})
    outcome = await caller(failing)
    assert (outcome.status, outcome.data["exit_code"]) == ("failed", 4)
    assert outcome.content == "it failed with exit code 4\nout\nerrors:\nwhy"
    slow = row("shell", {"command": ["sh", "-c", "echo begun; sleep 60"]}, timeout_seconds=2)
    assert "limit timeout_seconds reached: it was stopped\nbegun" in (await caller(slow)).content
    missing = await caller(row("shell", {"command": ["no-such-program"]}))
    assert missing.status == "failed"
    assert "no-such-program: No such file" in missing.content
    long = await caller(row("shell", {"command": ["echo", "{{text}}"]}, "text"), text="x" * 5_000_000)
    assert long.status == "failed"


def test_a_value_is_never_an_option() -> None:
    for values in ({"a": "-rf"}, {"a": ["x", "--help"]}, {"a": -1}, {"a": "x\0y"}):
        with pytest.raises(ToolRefused):
            argv_of(["ls", "{{a}}"], values)
    assert argv_of(["ls", "-n{{a}}", "{{b}}"], {"a": -1}) == ["ls", "-n-1"]


async def test_a_program_gets_its_arguments_as_json_and_prints_its_result(caller: Caller) -> None:
    code = (
        "import json, sys\nassert json.load(sys.stdin) == arguments\nprint(json.dumps({'sum': sum(arguments['of'])}))"
    )
    made = row("python", {}, implementation_code=code, properties={"of": {"type": "array", "items": NUMBER}})
    outcome = await caller(made, of=[1, 2, 3])
    assert (outcome.content, outcome.data["result"]) == ('{"sum": 6}', {"sum": 6})
    broken = await caller(row("python", {}, implementation_code="def f():\n    return 1 / 0\nf()"))
    assert broken.status == "failed"
    assert "line 2, in f" in broken.content
    assert "ZeroDivisionError" in broken.content
    nonsense = await caller(row("python", {}, implementation_code="def"))
    assert "SyntaxError: invalid syntax" in nonsense.content
    walls = "import os, socket\nprint(sorted(os.environ))\ntry:\n    socket.create_connection(('1.1.1.1', 53), 1)\n"
    walls += "except OSError as error:\n    print('no network')\nopen('kept.txt', 'w').write('x')"
    outcome = await caller(row("python", {"environment": {"TOKEN": "t"}}, implementation_code=walls))
    assert "no network" in outcome.content
    assert "'TOKEN'" in outcome.content
    assert "DATABASE_URL" not in outcome.content
    assert (caller.folder / "kept.txt").read_text() == "x"


# -- rows that cannot work -------------------------------------------------------------------------------------------


def test_a_row_that_cannot_work_says_why() -> None:
    url = "https://a.example/{{id}}"
    for made, why in (
        (row("api", {"url": url}), "config.url names id, which is not among its parameters"),
        (row("api", {"url": url}, properties={"id": TEXT}), "config.url names id, which must be among the required"),
        (row("api", {"url": "https://{{id}}.example/"}, "id"), "placeholders in its path and query alone"),
        (row("api", {"url": "ftp://a.example/"}), "must be http(s)://HOST/"),
        (row("api", {"url": "https://a:b@a.example/"}), "without a user"),
        (row("api", {"url": "https://a.example/", "bodyy": 1}), "config.bodyy: Extra inputs are not permitted"),
        (row("api", {"url": "https://a.example/", "headers": {"A\nB": "c"}}), "is not the name of a header"),
        (row("api", {"url": "https://a.example/", "headers": {"Host": "c"}}), "is not a tool's to set"),
        (row("api", {"url": "https://a.example/", "json": {}}), "GET and HEAD have none"),
        (row("api", {"url": "https://a.example/", "query": {"a": "{{credential:}}"}}), "neither {{argument}} nor"),
        (row("api", {"url": "https://a.example/", "pages": {"kind": "cursor", "parameter": "a"}}), "pages.next is"),
        (row("shell", {"command": "ls {{id}}"}, "id"), "config.command: Input should be a valid list"),
        (row("shell", {"command": ["{{id}}"]}, "id"), "must be a plain name"),
        (row("shell", {"command": ["ls"], "environment": {"A B": "c"}}), "cannot be a variable"),
        (row("mcp", {"transport": "stdio"}), "transport stdio goes with command"),
        (row("mcp", {"transport": "http", "url": "https://a.example", "command": ["a"]}), "without command"),
        (row("shell", {"command": ["ls"]}, function_schema={}), "function_schema has no function.parameters"),
        (row("builtin", {}), "says nothing of what it does"),
    ):  # fmt: skip
        with pytest.raises(ConfigError, match=r"^tool probe: ") as refusal:
            make_tool(made)
        assert why in str(refusal.value)


def test_a_file_of_the_worker_comes_before_a_row_of_its_name() -> None:
    registry = Registry.load()
    tools = RowTools(registry)
    stolen = row("python", {}, name="file_read", implementation_code="print('mine')")
    assert tools.get(stolen) is registry.get("file_read")
    wrong = row("shell", {"command": ["{{id}}"]}, "id")
    assert tools.get(wrong) is None
    assert "only an administrator can mend it" in str(tools.problem(wrong))
    assert "not installed on this worker" in str(tools.problem(row("python", {})))
    # A row that changed is made anew.
    assert tools.get(wrong.model_copy(update={"config": {"command": ["ls"]}})) is not None


async def test_schemas_hold_arguments_and_fetch_nothing(caller: Caller, service: Service) -> None:
    service.seen.clear()
    schema = {"type": "object", "properties": {"a": {"$ref": f"http://{service.host}/schema"}, "b": {"$ref": "#"}}}
    made = row("shell", {"command": ["true"]}, function_schema={"function": {"parameters": schema}})
    assert "refers to itself without end, or to elsewhere" in (await caller(made, a=1)).content
    assert service.seen == []
    nested: dict[str, Any] = {}
    for _ in range(5000):
        nested = {"b": nested}
    assert (await caller(made, **nested)).status == "failed"
