"""The HTTP interface: Ollama's paths, and two of the server's own under `/scripted`."""

from __future__ import annotations

import json
import math
from collections.abc import AsyncIterator
from dataclasses import asdict
from typing import Any

from pydantic import ValidationError
from starlette.applications import Starlette
from starlette.requests import Request
from starlette.responses import JSONResponse, PlainTextResponse, Response
from starlette.routing import Route

from agent_runtime import __version__
from agent_runtime.llm.scripted.catalogue import ModelCard, listing, shown
from agent_runtime.llm.scripted.embedding import embed
from agent_runtime.llm.scripted.journal import Entry, Journal
from agent_runtime.llm.scripted.script import Mind
from agent_runtime.llm.scripted.stream import NdjsonResponse, chat_response, error_response
from agent_runtime.llm.scripted.wire import Answer, ChatRequest, Message, Refused, count_tokens

WHAT_IT_IS = "agent-runtime's scripted model server: a stand-in for a model, not a language model"
BODY_LIMIT_BYTES = 64 * 1024 * 1024
DEFAULT_NUM_CTX = 4_096


def make_app(mind: Mind) -> Starlette:
    """The server's application. `mind` decides what is answered."""
    app = Starlette(
        routes=[
            Route("/", _root, methods=["GET", "HEAD"]),
            Route("/api/chat", _chat, methods=["POST"]),
            Route("/api/show", _show, methods=["POST"]),
            Route("/api/embed", _embed, methods=["POST"]),
            Route("/api/pull", _pull, methods=["POST"]),
            Route("/api/tags", _tags),
            Route("/api/ps", _ps),
            Route("/api/version", _version),
            Route("/scripted/health", _health),
            Route("/scripted/requests", _requests),
        ],
        exception_handlers={Refused: _refused, ValidationError: _not_understood},
    )
    app.state.mind, app.state.journal, app.state.loaded = mind, Journal(), {}
    return app


async def _chat(request: Request) -> Response:
    body, entry = await _body(request)
    try:
        chat = ChatRequest.model_validate(body)
        card = _mind(request).catalogue.find(chat.model)
        _check_capabilities(chat, card)
        request.app.state.loaded[card.full_name] = card
        if not chat.messages:
            unload = chat.keep_alive in (0, "0", "0s")
            return chat_response(chat, card.full_name, Answer(done_reason="unload" if unload else "load"), entry, 0)
        prompt_tokens = _fit(chat, card)
        answer, entry.turn = _mind(request).answer(chat)
        if answer.status is not None:
            raise Refused(answer.status, answer.error or "")
    except (Refused, ValidationError):
        entry.outcome = "refused"
        raise
    counted = prompt_tokens if answer.prompt_tokens is None else answer.prompt_tokens
    return chat_response(chat, card.full_name, answer, entry, counted)


def _check_capabilities(chat: ChatRequest, card: ModelCard) -> None:
    if "completion" not in card.capabilities:
        raise Refused(400, f'"{card.full_name}" does not support chat')
    if chat.tools and "tools" not in card.capabilities:
        raise Refused(400, f"registry.ollama.ai/library/{card.full_name} does not support tools")
    if any(message.images for message in chat.messages) and "vision" not in card.capabilities:
        raise Refused(400, f'"{card.full_name}" does not support images')
    if chat.think and "thinking" not in card.capabilities:
        raise Refused(400, f'"{card.full_name}" does not support thinking')


def _fit(chat: ChatRequest, card: ModelCard) -> int:
    """The prompt's tokens. Drops the oldest messages, or refuses when the client asked not to truncate."""
    num_ctx = chat.options.get("num_ctx")
    limit = min(num_ctx if isinstance(num_ctx, int) and num_ctx > 0 else DEFAULT_NUM_CTX, card.context_length)
    tokens = count_tokens(json.dumps(chat.tools)) if chat.tools else 0
    sizes = [_message_tokens(message) for message in chat.messages]
    if tokens + sum(sizes) > limit and not chat.truncate:
        raise Refused(400, f"the input length exceeds the context length ({tokens + sum(sizes)} of {limit} tokens)")
    while tokens + sum(sizes) > limit and len(chat.messages) > 1:
        oldest = next((i for i, message in enumerate(chat.messages[:-1]) if message.role != "system"), 0)
        del chat.messages[oldest], sizes[oldest]
    return tokens + sum(sizes)


def _message_tokens(message: Message) -> int:
    return count_tokens(message.content) + sum(count_tokens(call.model_dump_json()) for call in message.tool_calls)


async def _show(request: Request) -> Response:
    body, entry = await _body(request)
    card = _mind(request).catalogue.find(_model_name(body))
    entry.outcome = "answered"
    return JSONResponse(shown(card, WHAT_IT_IS))


async def _embed(request: Request) -> Response:
    body, entry = await _body(request)
    card = _mind(request).catalogue.find(_model_name(body))
    given, dimensions = body.get("input", []), body.get("dimensions")
    texts = [given] if isinstance(given, str) else given
    if not isinstance(texts, list) or not all(isinstance(text, str) for text in texts):
        raise Refused(400, "invalid input type")
    vectors = [embed(text, dimensions if isinstance(dimensions, int) and dimensions > 0 else None) for text in texts]
    entry.outcome = "answered"
    tokens = sum(count_tokens(text) for text in texts)
    return JSONResponse({"model": card.full_name, "embeddings": vectors, "prompt_eval_count": tokens})


async def _pull(request: Request) -> Response:
    body, entry = await _body(request)
    name = _model_name(body)
    card = _mind(request).catalogue.pull(name)
    if body.get("stream", True) is False:
        if card is None:
            raise Refused(500, "pull model manifest: file does not exist")
        entry.outcome = "answered"
        return JSONResponse({"status": "success"})
    return NdjsonResponse(_pulled(card), entry)


async def _pulled(card: ModelCard | None) -> AsyncIterator[str]:
    yield json.dumps({"status": "pulling manifest"}) + "\n"
    if card is None:
        yield json.dumps({"error": "pull model manifest: file does not exist"}) + "\n"
        return
    size = 1_000
    for completed in range(0, size + 1, 250):
        progress = {"status": f"pulling {card.digest[:12]}", "digest": f"sha256:{card.digest}", "total": size}
        yield json.dumps(progress | ({"completed": completed} if completed else {})) + "\n"
    for status in ("verifying sha256 digest", "writing manifest", "success"):
        yield json.dumps({"status": status}) + "\n"


async def _tags(request: Request) -> Response:
    return JSONResponse({"models": [listing(card) for card in _mind(request).catalogue.installed()]})


async def _ps(request: Request) -> Response:
    loaded: dict[str, ModelCard] = request.app.state.loaded
    models = [
        listing(card) | {"size_vram": 0, "context_length": card.context_length, "expires_at": "9999-12-31T00:00:00Z"}
        for card in loaded.values()
    ]
    return JSONResponse({"models": models})


async def _version(_: Request) -> Response:
    return JSONResponse({"version": f"0.0.0-agent-runtime-scripted-{__version__}"})


async def _root(_: Request) -> Response:
    return PlainTextResponse(f"{WHAT_IT_IS}. It is not Ollama.\n")


async def _health(request: Request) -> Response:
    return JSONResponse({"status": "ok", "mode": _mind(request).kind, "what": WHAT_IT_IS})


async def _requests(request: Request) -> Response:
    journal: Journal = request.app.state.journal
    return JSONResponse({"requests": [asdict(entry) for entry in journal.entries]})


async def _body(request: Request) -> tuple[dict[str, Any], Entry]:
    raw = bytearray()
    async for piece in request.stream():
        raw += piece
        if len(raw) > BODY_LIMIT_BYTES:
            raise Refused(413, f"request body over {BODY_LIMIT_BYTES} bytes")
    try:
        body = json.loads(raw, parse_constant=lambda _: math.nan)
    except (ValueError, RecursionError):
        raise Refused(400, "the request body is not JSON") from None
    if not isinstance(body, dict):
        raise Refused(400, "the request body is not a JSON object")
    journal: Journal = request.app.state.journal
    return body, journal.open(request.url.path, body, len(raw))


def _model_name(body: dict[str, Any]) -> str:
    name = body.get("model") or body.get("name")
    if not isinstance(name, str) or not name:
        raise Refused(400, "model is required")
    return name


def _mind(request: Request) -> Mind:
    mind: Mind = request.app.state.mind
    return mind


async def _refused(_: Request, error: Exception) -> Response:
    assert isinstance(error, Refused)
    return error_response(error.status, error.error)


async def _not_understood(_: Request, error: Exception) -> Response:
    assert isinstance(error, ValidationError)
    first = error.errors()[0]
    return error_response(400, f"{'.'.join(str(part) for part in first['loc'])}: {first['msg']}")
