"""Rows of type `api`: one request over the guarded client; address, headers and body are templates over the arguments.

config: {"method": "GET", "url": "https://api.example.org/items/{{id}}", "query": {…}, "headers": {…}, "json": {…},
         "result": "/items", "pages": {"kind": "cursor", …}, "allow_hosts": […]}

A value takes no part in which host is asked, gets into no other part of the address, and begins no header of its own.
What a header or the body holds goes to the host of `url` alone: no redirect and no next page leads anywhere else.
"""

from __future__ import annotations

import json
from typing import Any, Literal
from urllib.parse import quote, urlsplit

import httpx
from pydantic import BaseModel, ConfigDict, Field, JsonValue, field_validator

from agent_runtime.errors import ConfigError, ToolRefused
from agent_runtime.records import ToolRow
from agent_runtime.toolbox.connect.answers import Answer, read_answer
from agent_runtime.toolbox.connect.pointer import at_pointer
from agent_runtime.toolbox.connect.templates import (
    ABSENT,
    as_text,
    check_template,
    fill,
    fill_text,
    header_value,
    names_in,
    path_segment,
)
from agent_runtime.toolbox.definition import Run, ToolContext, ToolResult
from agent_runtime.toolbox.web.client import HttpLimits, check_url, guarded_client, sentence

_PAGES_LIMIT = 20
_REDIRECTS = 3
_HEADER_NAME = r"^[A-Za-z0-9!#$%&'*+.^_`|~-]+$"
_RESERVED_HEADERS = frozenset({"host", "content-length", "transfer-encoding", "connection", "upgrade"})


class Pages(BaseModel):
    """How an answer says that there is more. All pages' items become one list."""

    model_config = ConfigDict(extra="forbid", frozen=True)

    kind: Literal["next_link", "cursor", "page"]
    items: str = Field(
        default="", pattern="^(/.*)?$", description="JSON pointer to the list of a page; the answer itself by default."
    )
    next: str | None = Field(
        default=None, pattern="^/", description="JSON pointer to the next link or cursor; else the Link header."
    )
    parameter: str | None = Field(default=None, description="The query parameter for the cursor or the page's number.")
    first: int = Field(default=1, description="The number of the first page.")
    limit: int = Field(default=5, ge=1, le=_PAGES_LIMIT, description="Pages asked for in one call.")


class ApiConfig(BaseModel):
    """The `config` of a row of type `api`."""

    model_config = ConfigDict(extra="forbid", frozen=True)

    method: Literal["GET", "HEAD", "POST", "PUT", "PATCH", "DELETE"] = "GET"
    url: str
    query: dict[str, str] = Field(default_factory=dict)
    headers: dict[str, str] = Field(default_factory=dict)
    json_body: JsonValue = Field(default=None, alias="json")
    form: dict[str, str] | None = None
    text: str | None = None
    result: str = Field(default="", pattern="^(/.*)?$", description="JSON pointer to what matters of the answer.")
    pages: Pages | None = None
    idempotency_header: str = Field(default="Idempotency-Key", pattern=_HEADER_NAME)
    allow_hosts: list[str] = Field(default_factory=list)

    @field_validator("headers")
    @classmethod
    def _headers(cls, value: dict[str, str]) -> dict[str, str]:
        for name in value:
            if not name.isascii() or not name.replace("-", "").replace("_", "").isalnum():
                raise ValueError(f"{name!r} is not the name of a header")
            if name.lower() in _RESERVED_HEADERS:
                raise ValueError(f"the header {name} is not a tool's to set")
        return value


def make_run(row: ToolRow, parameters: dict[str, Any]) -> Run:
    """Raises `ConfigError` and pydantic's `ValidationError` for a row that cannot work."""
    config = ApiConfig.model_validate(row.config)
    _check(config, parameters)

    async def run(arguments: dict[str, Any], context: ToolContext) -> ToolResult:
        filled = ApiConfig.model_validate(context.config)
        request = _Request(filled, arguments, context.idempotency_key if row.retry_class == "keyed" else None)
        limits = HttpLimits(seconds=max(context.timeout_seconds - 1, 1))
        async with guarded_client(context.egress.allowing(filled.allow_hosts), limits) as http:
            if filled.pages:
                return await _all_pages(http, request, filled, filled.pages)
            answer = await request.send(http, request.url, request.query)
        return answer.as_result(filled.result)

    return run


def _check(config: ApiConfig, parameters: dict[str, Any]) -> None:
    properties, required = set(parameters["properties"]), set(parameters.get("required", []))
    parts = urlsplit(config.url)
    if parts.scheme not in ("http", "https") or not parts.hostname or "@" in parts.netloc:
        raise ConfigError("config.url must be http(s)://HOST/… without a user")
    if "{{" in parts.scheme + parts.netloc or parts.fragment:
        raise ConfigError("config.url may hold placeholders in its path and query alone")
    check_template(config.url, properties, "config.url")
    if optional := sorted(names_in(config.url) - required):
        raise ConfigError(f"config.url names {optional[0]}, which must be among the required parameters")
    for name in ("query", "headers", "json_body", "form", "text"):
        check_template(getattr(config, name), properties, f"config.{name.removesuffix('_body')}")
    bodies = [name for name in ("json_body", "form", "text") if getattr(config, name) is not None]
    if len(bodies) > 1 or (bodies and config.method in ("GET", "HEAD")):
        raise ConfigError("config has one body at most, as json, form or text, and GET and HEAD have none")
    if config.pages and config.method != "GET":
        raise ConfigError("config.pages goes with GET alone")
    if config.pages and config.pages.kind != "next_link" and not config.pages.parameter:
        raise ConfigError("config.pages.parameter is missing: the query parameter of the cursor or the page")
    if config.pages and config.pages.kind == "cursor" and config.pages.next is None:
        raise ConfigError("config.pages.next is missing: the JSON pointer to the cursor")


class _Request:
    """One call's request: everything of it but the address is the same for each page."""

    def __init__(self, config: ApiConfig, values: dict[str, Any], idempotency_key: str | None) -> None:
        self._method = config.method
        self.url = check_url(_address(config.url, values))
        self.query = {
            name: text for name, template in config.query.items()
            if isinstance(text := fill_text(template, values), str)
        }  # fmt: skip
        self._headers = {
            name: text for name, template in config.headers.items()
            if isinstance(text := fill_text(template, values, header_value), str)
        }  # fmt: skip
        if idempotency_key:
            self._headers[config.idempotency_header] = idempotency_key
        self._body = _body(config, values)

    async def send(self, http: httpx.AsyncClient, url: httpx.URL, query: dict[str, str]) -> Answer:
        """The answer to it at `url`. Redirects are followed for reading, and within the same host alone."""
        asked = url.copy_merge_params(query) if query else url
        for _ in range(_REDIRECTS + 1):
            try:
                async with http.stream(self._method, asked, headers=self._headers, **self._body) as response:
                    answer = await read_answer(response)
            except httpx.HTTPError as error:
                raise ToolRefused(sentence(error, asked)) from None
            if answer.location is None:
                return answer
            following = _same_host(self.url, asked, answer.location)
            if following is None or self._method not in ("GET", "HEAD"):
                return answer
            asked = following
        raise ToolRefused(f"{self.url.host} redirected more than {_REDIRECTS} times; try another way")


def _address(template: str, values: dict[str, Any]) -> str:
    path, question, query = template.partition("?")
    filled = fill_text(path, values, path_segment)
    rest = fill_text(query, values, lambda text: quote(text, safe=""))
    if not isinstance(filled, str) or not isinstance(rest, str):
        raise ToolRefused("a value that is part of this tool's address must not be null")
    return filled + question + rest


def _body(config: ApiConfig, values: dict[str, Any]) -> dict[str, Any]:
    if config.json_body is not None:
        body = fill(config.json_body, values)
        return {"json": None if body is ABSENT else body}
    if config.form is not None:
        filled = {name: fill_text(template, values) for name, template in config.form.items()}
        return {"data": {name: text for name, text in filled.items() if text is not ABSENT}}
    if config.text is not None:
        text = fill_text(config.text, values)
        return {"content": text.encode() if isinstance(text, str) else b""}
    return {}


async def _all_pages(http: httpx.AsyncClient, request: _Request, config: ApiConfig, pages: Pages) -> ToolResult:
    items: list[Any] = []
    url, query = request.url, dict(request.query)
    if pages.kind == "page":
        query[str(pages.parameter)] = str(pages.first)
    seen: set[str] = set()
    more, asked = True, 0
    while more and asked < pages.limit:
        answer = await request.send(http, url, query)
        asked += 1
        if answer.failed or not answer.is_json:
            return answer.as_result("", before=items)
        found = at_pointer(answer.value, pages.items)
        if not isinstance(found, list):
            raise ToolRefused(f"the answer has no list at {pages.items!r}; only an administrator can mend the tool")
        items += found
        following = _following(pages, answer, found, pages.first + asked)
        more = following is not None and following not in seen
        if following is None or not more:
            break
        seen.add(following)
        if pages.kind == "next_link":
            next_url = _same_host(request.url, url, following)
            if next_url is None:
                raise ToolRefused(f"the next page is at another host than {request.url.host}, and was not asked for")
            url, query = next_url, {}
        else:
            query[str(pages.parameter)] = following
    picked = [at_pointer(item, config.result) for item in items]
    note = f"\n[limit pages reached: {asked} pages were read, and there are more]" if more else ""
    return ToolResult(
        content=json.dumps(picked, ensure_ascii=False, indent=1) + note,
        data={"items": len(picked), "pages": asked, "more": more},
        sources=[str(request.url.copy_with(query=None))],
    )


def _following(pages: Pages, answer: Answer, found: list[Any], number: int) -> str | None:
    """The next link, cursor or number; None at the end."""
    if pages.kind == "page":
        return str(number) if found else None
    if pages.kind == "next_link" and pages.next is None:
        return answer.next_link
    value = at_pointer(answer.value, str(pages.next))
    return as_text(value) if value not in (None, "", False) else None


def _same_host(first: httpx.URL, current: httpx.URL, link: str) -> httpx.URL | None:
    try:
        following = current.join(link)
    except (httpx.InvalidURL, ValueError):
        return None
    same = (following.scheme, following.host, following.port) == (first.scheme, first.host, first.port)
    return following if same and not following.userinfo else None
