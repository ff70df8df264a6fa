"""Turns an answer into the chunks of `/api/chat`, and sends them so that a client that leaves stops the rest."""

from __future__ import annotations

import asyncio
import hashlib
import json
import re
import time
from collections.abc import AsyncIterator
from datetime import UTC, datetime
from typing import Any

from starlette.responses import JSONResponse, Response, StreamingResponse
from starlette.types import Receive, Scope, Send

from agent_runtime.llm.scripted.conversation import as_json
from agent_runtime.llm.scripted.journal import Entry
from agent_runtime.llm.scripted.wire import Answer, ChatRequest, count_tokens

_WORDS = re.compile(r"\s*\S+\s*")
_WORDS_PER_CHUNK = 8


class ConnectionDropped(Exception):
    """The answer wants its connection broken off."""


class NdjsonResponse(StreamingResponse):
    """A stream of JSON lines. The journal learns how it ended: answered, dropped, or cancelled by the client."""

    def __init__(self, lines: AsyncIterator[str], entry: Entry) -> None:
        super().__init__(lines, media_type="application/x-ndjson")
        self._entry = entry

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        # Stays so unless the last line was sent: a client that leaves cancels the stream below.
        self._entry.outcome = "cancelled"
        await super().__call__(scope, receive, send)

    async def stream_response(self, send: Send) -> None:
        try:
            await super().stream_response(send)
            self._entry.outcome = "answered"
        except ConnectionDropped:
            # Returning without the last piece of the body makes the server close the socket.
            self._entry.outcome = "dropped"


def chat_response(request: ChatRequest, model: str, answer: Answer, entry: Entry, prompt_tokens: int) -> Response:
    """The answer as the request wants it: streamed, or in one piece."""
    chunks = _Chunks(request, model, answer, prompt_tokens)
    return NdjsonResponse(_lines(chunks), entry) if request.stream else _WholeResponse(chunks, entry)


class _WholeResponse(NdjsonResponse):
    """`"stream": false`: one JSON object. An error that would come in mid-stream is a status 500 here."""

    def __init__(self, chunks: _Chunks, entry: Entry) -> None:
        super().__init__(_whole(chunks), entry)
        self.headers["content-type"] = "application/json"
        if chunks.answer.error is not None:
            self.status_code = 500


class _Chunks:
    """The pieces of one answer and its last chunk."""

    def __init__(self, request: ChatRequest, model: str, answer: Answer, prompt_tokens: int) -> None:
        self.request, self.model, self.answer, self.prompt_tokens = request, model, answer, prompt_tokens
        self.started = time.monotonic_ns()
        self.text = self._text()

    def pieces(self) -> list[dict[str, Any]]:
        """What each chunk's message holds besides its role."""
        pieces: list[dict[str, Any]] = [{"content": "", "thinking": text} for text in _parts(self.answer.thinking)]
        pieces += [{"content": text} for text in _parts(self.text)]
        if not self.request.format:
            pieces += [{"content": "", "tool_calls": [call]} for call in self._calls()]
        return pieces

    def chunk(self, piece: dict[str, Any]) -> dict[str, Any]:
        now = datetime.now(UTC).isoformat(timespec="microseconds").replace("+00:00", "000Z")
        message = {"role": "assistant", **piece}
        return {"model": self.model, "created_at": now, "message": message, "done": False}

    def last(self, piece: dict[str, Any]) -> dict[str, Any]:
        elapsed = time.monotonic_ns() - self.started
        output = self.answer.output_tokens
        if output is None:
            calls = [call.model_dump_json() for call in self.answer.tool_calls]
            output = sum(count_tokens(text) for text in (self.text, self.answer.thinking, *calls))
        metrics = {
            "total_duration": elapsed,
            "load_duration": 0,
            "prompt_eval_count": self.prompt_tokens,
            "prompt_eval_duration": 0,
            "eval_count": output,
            "eval_duration": elapsed,
        }
        # The server that this one stands in for leaves zeros out.
        present = {key: value for key, value in metrics.items() if value}
        return self.chunk(piece) | {"done": True, "done_reason": self.answer.done_reason} | present

    def whole(self) -> dict[str, Any]:
        message: dict[str, Any] = {"content": self.text}
        if self.answer.thinking:
            message["thinking"] = self.answer.thinking
        if self.answer.tool_calls and not self.request.format:
            message["tool_calls"] = self._calls()
        return self.last(message)

    def _text(self) -> str:
        # Under a schema a call is written out, so that one script drives both protocols.
        if not (self.request.format and self.answer.tool_calls):
            return self.answer.text
        calls = [as_json({"tool": call.name, "arguments": call.arguments}) for call in self.answer.tool_calls]
        return "\n".join(calls)

    def _calls(self) -> list[dict[str, Any]]:
        # The same conversation gives the same ids, whichever server is asked.
        told = json.dumps([message.model_dump() for message in self.request.messages], sort_keys=True)
        seed = hashlib.sha256(told.encode("utf-8", "replace")).hexdigest()
        return [
            {
                "id": f"call_{hashlib.sha256(f'{seed}{index}'.encode()).hexdigest()[:12]}",
                "function": {"index": index, "name": call.name, "arguments": call.arguments},
            }
            for index, call in enumerate(self.answer.tool_calls)
        ]


async def _lines(chunks: _Chunks) -> AsyncIterator[str]:
    answer = chunks.answer
    await asyncio.sleep(answer.delay_seconds)
    for index, piece in enumerate(chunks.pieces()):
        if index:
            await asyncio.sleep(answer.chunk_delay_seconds)
        yield _line(chunks.chunk(piece))
    if answer.raw is not None:
        yield answer.raw + "\n"
    if answer.error is not None:
        yield _line({"error": answer.error})
    elif answer.drop == "connection":
        raise ConnectionDropped
    elif answer.drop is None:
        yield _line(chunks.last({"content": ""}))


async def _whole(chunks: _Chunks) -> AsyncIterator[str]:
    answer = chunks.answer
    await asyncio.sleep(answer.delay_seconds + answer.chunk_delay_seconds * max(len(chunks.pieces()) - 1, 0))
    if answer.drop is not None:
        raise ConnectionDropped
    if answer.error is not None:
        yield json.dumps({"error": answer.error})
    else:
        yield json.dumps(chunks.whole()) if answer.raw is None else answer.raw


def _parts(text: str) -> list[str]:
    words = _WORDS.findall(text) if text.strip() else [text] * bool(text)
    return ["".join(words[start : start + _WORDS_PER_CHUNK]) for start in range(0, len(words), _WORDS_PER_CHUNK)]


def _line(value: dict[str, Any]) -> str:
    return json.dumps(value) + "\n"


def error_response(status: int, error: str) -> JSONResponse:
    """An error in the shape that the client reads."""
    return JSONResponse({"error": error}, status_code=status)
