"""What a service answered, read within limits, as a result that the model can act on."""

from __future__ import annotations

import json
from dataclasses import dataclass
from typing import Any

import httpx

from agent_runtime.errors import ToolRefused
from agent_runtime.toolbox.connect.pointer import at_pointer
from agent_runtime.toolbox.definition import ToolResult

_BODY_SHOWN_ON_ERROR = 2000


@dataclass(frozen=True)
class Answer:
    """One response. `value` is its JSON where it is some, else its text."""

    url: str
    status: int
    value: Any
    is_json: bool
    location: str | None
    """Where a redirect leads."""
    next_link: str | None
    retry_after: str | None
    content_type: str

    @property
    def failed(self) -> bool:
        """Anything but success."""
        return not 200 <= self.status < 300

    def as_result(self, pointer: str, before: list[Any] | None = None) -> ToolResult:
        """For the model: what is at `pointer` of a success, the status and the beginning of the body of a failure."""
        data: dict[str, Any] = {"status": self.status, "content_type": self.content_type}
        if self.failed:
            if self.retry_after:
                data["retry_after"] = self.retry_after
            kept = f"\n{len(before)} items had been read before." if before else ""
            text = f"the service answered {self.status}{self._advice()}\n{self._text()[:_BODY_SHOWN_ON_ERROR]}{kept}"
            return ToolResult(content=text.rstrip(), data=data, failed=True, sources=[self.url])
        value = at_pointer(self.value, pointer) if self.is_json else self.value
        text = value if isinstance(value, str) else json.dumps(value, ensure_ascii=False, indent=1)
        return ToolResult(content=text or f"done: {self.status}, without a body", data=data, sources=[self.url])

    def _text(self) -> str:
        return self.value if isinstance(self.value, str) else json.dumps(self.value, ensure_ascii=False)

    def _advice(self) -> str:
        if self.location is not None:
            return f" and redirects to {self.location[:200]}, which this tool does not follow"
        if self.status in (401, 403):
            return ": the tool's credential is missing or not good for this; tell the person"
        if self.status == 404:
            return ": there is no such thing; check the arguments"
        if self.status == 429:
            return (
                f": too many requests; wait{f' {self.retry_after[:60]} s' if self.retry_after else ''} before the next"
            )
        if self.status >= 500:
            return ": it is the service's own fault; try later or another way"
        return ""


async def read_answer(response: httpx.Response) -> Answer:
    """The whole of a streamed response. Raises `ToolRefused` for a limit or a body that is no text."""
    body = await response.aread()
    kind = response.headers.get("content-type", "").partition(";")[0].strip().lower()
    value: Any = None
    is_json = kind == "application/json" or kind.endswith("+json") or (not kind and body[:1] in (b"{", b"["))
    if is_json:
        try:
            value = json.loads(body)
        except (ValueError, RecursionError):
            is_json = False
    if not is_json:
        value = _text(body, response.charset_encoding)
    link = response.links.get("next", {}).get("url")
    return Answer(
        url=str(response.url.copy_with(query=None)),
        status=response.status_code,
        value=value,
        is_json=is_json,
        location=response.headers.get("location") if response.is_redirect else None,
        next_link=link,
        retry_after=response.headers.get("retry-after"),
        content_type=kind[:100],
    )


def _text(body: bytes, charset: str | None) -> str:
    if b"\0" in body[:4096]:
        raise ToolRefused(f"the service answered with {len(body)} bytes that are no text")
    try:
        return body.decode(charset or "utf-8", "replace")
    except LookupError:
        return body.decode("utf-8", "replace")
