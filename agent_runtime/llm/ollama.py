"""A model on an Ollama server, asked through the official client.

The client's own `chat()` is not used: it has no `truncate` and no `shift`, drops the ids of tool calls, and cuts JSON
schemas down to what its types know. Its `_request` streams any body into any type, with the same transport and errors.
"""

from __future__ import annotations

import re
from collections.abc import AsyncIterator, Iterator, Sequence
from contextlib import aclosing, contextmanager
from typing import Any, cast
from uuid import uuid4

import httpx
from ollama import AsyncClient, ResponseError
from pydantic import BaseModel, Field, ValidationError
from tenacity import AsyncRetrying, retry_if_exception_type, stop_after_attempt, wait_exponential_jitter

from agent_runtime.errors import ConfigError, ContextTooLong, ModelError, ModelMissing, ModelUnavailable
from agent_runtime.http_clients import certificates_for
from agent_runtime.llm.chat import ChatMessage, ChatModel, Delta, OnDelta, ToolCall, Turn, Usage
from agent_runtime.llm.structured import StructuredChat

CONNECT_SECONDS = 10.0
_CONTEXT = re.compile(r"context (length|size|window)", re.IGNORECASE)
_PICTURE_MARK = re.compile(r"\[img(?=-\d|\])")
_BUSY = frozenset({408, 425, 429, 499})


async def open_chat(
    *,
    base_url: str,
    model: str,
    num_ctx: int,
    temperature: float | None = None,
    num_predict: int | None = None,
    keep_alive: str = "10m",
    silence_seconds: float = 300.0,
    attempts: int = 4,
    first_wait_seconds: float = 0.5,
) -> ChatModel:
    """The model by the protocol that it can do: native tool calls, else JSON that a schema constrains.

    `num_ctx` (tokens) is cut to what the model was made for. Raises `ConfigError` for a URL that is none,
    `ModelUnavailable`, `ModelMissing`, or `ModelError` for a model that cannot chat.
    """
    chat = OllamaChat(
        base_url=base_url,
        model=model,
        num_ctx=num_ctx,
        temperature=temperature,
        num_predict=num_predict,
        keep_alive=keep_alive,
        silence_seconds=silence_seconds,
        attempts=attempts,
        first_wait_seconds=first_wait_seconds,
    )
    facts = await chat.facts()
    if facts.capabilities is not None and "completion" not in facts.capabilities:
        raise ModelError(f"model {model!r} cannot chat: it can do {', '.join(facts.capabilities) or 'nothing'}")
    chat.vision = "vision" in (facts.capabilities or [])
    chat.num_ctx = min(num_ctx, facts.context_tokens or num_ctx)
    # A server too old to list capabilities understands `format`; whether it understands `tools` is unknown.
    return chat if "tools" in (facts.capabilities or []) else StructuredChat(chat)


class ModelFacts(BaseModel):
    """What `/api/show` tells about a model."""

    capabilities: list[str] | None = None
    model_info: dict[str, Any] | None = None

    @property
    def context_tokens(self) -> int | None:
        """The context window that the model was made for."""
        info = self.model_info or {}
        length = info.get(f"{info.get('general.architecture')}.context_length")
        return length if isinstance(length, int) and length > 0 else None


class OllamaChat:
    """A model with native tool calls. Holds no connection between two requests, so there is nothing to close."""

    def __init__(
        self,
        *,
        base_url: str,
        model: str,
        num_ctx: int,
        temperature: float | None = None,
        num_predict: int | None = None,
        keep_alive: str = "10m",
        silence_seconds: float = 300.0,
        attempts: int = 4,
        first_wait_seconds: float = 0.5,
    ) -> None:
        self.base_url, self.model, self.num_ctx = base_url, model, num_ctx
        self.vision = False
        self.temperature, self.num_predict, self.keep_alive = temperature, num_predict, keep_alive
        self.silence_seconds, self.attempts, self.first_wait_seconds = silence_seconds, attempts, first_wait_seconds
        try:
            self._client()
        except (ValueError, httpx.InvalidURL) as error:
            raise ConfigError(f"model server URL {base_url!r} is not a URL ({error}): use http://HOST:PORT") from None

    @property
    def name(self) -> str:
        return self.model

    async def sees(self) -> bool:
        return self.vision

    async def reply(
        self, messages: Sequence[ChatMessage], tools: Sequence[dict[str, Any]], on_delta: OnDelta | None = None
    ) -> Turn:
        return await self.ask([_native(message) for message in messages], {"tools": list(tools)}, on_delta)

    async def ask(self, messages: list[dict[str, Any]], extra: dict[str, Any], on_delta: OnDelta | None = None) -> Turn:
        """One answer to messages in Ollama's shape. `extra` joins the request's body: `tools` or `format`."""
        body = self._body([self._without_marks(message) for message in messages]) | {
            key: value for key, value in extra.items() if value
        }
        relay = _Relay(on_delta)
        async for attempt in self._attempts():
            with attempt:
                await relay.begin()
                return await self._stream(body, relay)
        raise AssertionError("tenacity ended without an answer or an error")

    def _without_marks(self, message: dict[str, Any]) -> dict[str, Any]:
        """For a model that can see, the server puts `[img-0]` into the text where a picture belongs. A page that says
        so too would move a picture, or end the task with an error."""
        return message | {"content": _PICTURE_MARK.sub("(img", message["content"])} if self.vision else message

    async def facts(self) -> ModelFacts:
        """What the model can do. Raises like `reply`."""
        async for attempt in self._attempts():
            with attempt, self._errors_named():
                body = {"model": self.model}
                async with self._client() as client:
                    facts: ModelFacts = await client._request(ModelFacts, "POST", "/api/show", json=body)
                    return facts
        raise AssertionError("tenacity ended without an answer or an error")

    def _body(self, messages: list[dict[str, Any]]) -> dict[str, Any]:
        options: dict[str, Any] = {"num_ctx": self.num_ctx}
        if self.temperature is not None:
            options["temperature"] = self.temperature
        if self.num_predict is not None and self.num_predict > 0:
            options["num_predict"] = self.num_predict
        return {
            "model": self.model,
            "messages": messages,
            "stream": True,
            "options": options,
            "keep_alive": self.keep_alive,
            # Without these two the server forgets the oldest messages and says nothing.
            "truncate": False,
            "shift": False,
        }

    async def _stream(self, body: dict[str, Any], relay: _Relay) -> Turn:
        answer = _Answer()
        async with self._client() as client:
            # The client's annotations know streams as iterators; it is an async generator, which must be closed so that
            # a cancelled call drops its connection, and with it the generation, at once.
            request = client._request(_Chunk, "POST", "/api/chat", json=body, stream=True)
            async with aclosing(cast("Any", await request)) as chunks:
                while (chunk := await self._next(chunks)) is not None:
                    answer.add(chunk)
                    await relay.pass_on(chunk.message)
                    if chunk.done:
                        return answer.turn(self.model, chunk, self.num_ctx)
        raise _Passing(f"the model server at {self.base_url} ended its answer in the middle")

    async def _next(self, chunks: AsyncIterator[_Chunk]) -> _Chunk | None:
        with self._errors_named():
            return await anext(chunks, None)

    def _client(self) -> AsyncClient:
        """A client for one request: only its end closes the connection of a request that was cancelled right after it
        connected."""
        # The read timeout counts from byte to byte, so it is a limit on silence: a queue or a long answer may take any
        # time. Connections kept alive would go stale between two steps.
        return AsyncClient(
            self.base_url,
            timeout=httpx.Timeout(self.silence_seconds, connect=min(CONNECT_SECONDS, self.silence_seconds)),
            limits=httpx.Limits(max_keepalive_connections=0),
            verify=certificates_for(self.base_url),
        )

    def _attempts(self) -> AsyncRetrying:
        return AsyncRetrying(
            stop=stop_after_attempt(self.attempts),
            wait=wait_exponential_jitter(multiplier=self.first_wait_seconds, max=20.0, jitter=self.first_wait_seconds),
            retry=retry_if_exception_type(_Passing),
            reraise=True,
        )

    @contextmanager
    def _errors_named(self) -> Iterator[None]:
        server = f"the model server at {self.base_url}"
        try:
            yield
        except ResponseError as error:
            raise self._refusal(error) from None
        except httpx.ReadTimeout:
            # Not tried again here: a second try would wait at the end of the server's queue.
            raise ModelUnavailable(f"{server} was silent for {self.silence_seconds:g} seconds") from None
        except (httpx.RequestError, ConnectionError) as error:
            raise _Passing(f"{server} does not answer ({type(error).__name__}): is it running?") from None
        except (ValueError, TypeError, AttributeError) as error:
            raise _Passing(
                f"{server} answered with something that is not Ollama's API ({_first_line(error)})"
            ) from None

    def _refusal(self, error: ResponseError) -> Exception:
        status, text = error.status_code, _first_line(error.error)
        if _CONTEXT.search(text):
            return ContextTooLong(f"the conversation does not fit into {self.num_ctx} tokens of {self.model!r}: {text}")
        if status == 404 and "model" in text.lower():
            return ModelMissing(self.model, self.base_url)
        # -1 is the client's code for an error in mid-stream, where the status had already gone out.
        if status == -1 or status in _BUSY or status >= 500:
            code = "in mid-answer" if status == -1 else f"with {status}"
            return _Passing(f"the model server at {self.base_url} failed {code}: {text}")
        return ModelError(f"the model server at {self.base_url} refused the request with {status}: {text}")


class _Passing(ModelUnavailable):
    """May be over at the next try."""


class _Function(BaseModel):
    name: str
    arguments: dict[str, Any] = Field(default_factory=dict)


class _Call(BaseModel):
    id: str | None = None
    function: _Function


class _Piece(BaseModel):
    content: str | None = None
    thinking: str | None = None
    tool_calls: list[_Call] | None = None


class _Chunk(BaseModel):
    """A line of the stream. The client's own type has no ids on tool calls."""

    model: str | None = None
    message: _Piece = _Piece()
    done: bool = False
    done_reason: str | None = None
    total_duration: int = 0
    prompt_eval_count: int = 0
    eval_count: int = 0


class _Answer:
    """An answer while its pieces arrive."""

    def __init__(self) -> None:
        self.content: list[str] = []
        self.thinking: list[str] = []
        self.calls: dict[str, ToolCall] = {}

    def add(self, chunk: _Chunk) -> None:
        self.content.append(chunk.message.content or "")
        self.thinking.append(chunk.message.thinking or "")
        for call in chunk.message.tool_calls or ():
            # Older servers send no ids, and an id that comes twice would make two calls one.
            known = call.id if call.id and call.id not in self.calls else new_call_id()
            self.calls[known] = ToolCall(id=known, name=call.function.name, arguments=call.function.arguments)

    def turn(self, model: str, last: _Chunk, num_ctx: int) -> Turn:
        return Turn(
            model=last.model or model,
            num_ctx=num_ctx,
            content="".join(self.content),
            thinking="".join(self.thinking),
            tool_calls=tuple(self.calls.values()),
            finish="length" if last.done_reason == "length" else "stop",
            usage=Usage(
                prompt_tokens=last.prompt_eval_count,
                output_tokens=last.eval_count,
                model_seconds=last.total_duration / 1e9,
            ),
        )


class _Relay:
    """Hands the pieces on, and says when they begin anew."""

    def __init__(self, on_delta: OnDelta | None) -> None:
        self._on_delta, self._passed = on_delta, False

    async def begin(self) -> None:
        if self._on_delta and self._passed:
            self._passed = False
            await self._on_delta(Delta(restart=True))

    async def pass_on(self, piece: _Piece) -> None:
        if self._on_delta and (piece.content or piece.thinking):
            self._passed = True
            await self._on_delta(Delta(content=piece.content or "", thinking=piece.thinking or ""))


def _native(message: ChatMessage) -> dict[str, Any]:
    body: dict[str, Any] = {"role": message.role, "content": message.content}
    if message.tool_calls:
        body["tool_calls"] = [
            {"id": call.id, "function": {"index": index, "name": call.name, "arguments": call.arguments}}
            for index, call in enumerate(message.tool_calls)
        ]
    if message.images:
        body["images"] = list(message.images)
    if message.role == "tool":
        body |= {"tool_name": message.tool_name or "", "tool_call_id": message.tool_call_id or ""}
    return body


def _first_line(error: object) -> str:
    if isinstance(error, ValidationError):
        return str(error.errors()[0]["msg"])
    return next((line for line in str(error).splitlines() if line.strip()), type(error).__name__)[:300]


def new_call_id() -> str:
    return f"call_{uuid4().hex[:16]}"
