"""`GET /live/tasks/{id}`: the stream as a response, from the first question to the last byte."""

from __future__ import annotations

import asyncio
import contextlib
from uuid import UUID

from starlette.requests import Request
from starlette.responses import JSONResponse, Response
from starlette.types import Message, Receive, Scope, Send

from agent_runtime.errors import Unavailable
from agent_runtime.interrupt import cancel_all
from agent_runtime.structlog_alone import structlog
from agent_runtime.web.hub import Hub, NoSuchTask, TooMany
from agent_runtime.web.stream import Stream
from agent_runtime.web.tokens import TokenRefused, read_token

log = structlog.get_logger()

_MOST_ID = 2**63 - 1
_LAST_WORD_SECONDS = 1.0
_RETRY_AFTER = {"Retry-After": "2"}
_HEADERS = [
    (b"content-type", b"text/event-stream; charset=utf-8"),
    (b"cache-control", b"no-store, no-transform"),
    # nginx passes each piece on at once then.
    (b"x-accel-buffering", b"no"),
]


class LiveStreams:
    """The endpoint, as an ASGI application."""

    def __init__(self, hub: Hub, stall_seconds: float) -> None:
        self._hub, self._stall_seconds = hub, stall_seconds

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        request = Request(scope, receive)
        opened = await self._open(request)
        if isinstance(opened, Response):
            self._hub.metrics.refused[str(opened.status_code)] += 1
            await opened(scope, receive, send)
            return
        writing = asyncio.create_task(self._write(opened, send))
        leaving = asyncio.create_task(_left(receive))
        try:
            await asyncio.wait({writing, leaving}, return_when=asyncio.FIRST_COMPLETED)
        finally:
            self._hub.leave(opened)
            await cancel_all({task for task in (writing, leaving) if not task.done()})
        if writing.done() and not writing.cancelled() and (error := writing.exception()):
            raise error

    async def _open(self, request: Request) -> Stream | Response:
        try:
            token = read_token(request.headers.get("authorization"))
            task_id = _task_id(request.path_params["task_id"])
            return await self._hub.open(task_id, token, _last_event_id(request.headers.get("last-event-id")))
        except TokenRefused as error:
            return _refusal(401, str(error), {"WWW-Authenticate": "Bearer"})
        except NoSuchTask:
            return _refusal(404, "there is no such task, or it is not yours to see")
        except ValueError as error:
            return _refusal(400, str(error))
        except TooMany as error:
            return _refusal(429, str(error), {"Retry-After": "30"})
        except Unavailable as error:
            log.warning("no stream can be opened", error=str(error))
            return _refusal(503, "the database or the API does not answer: try again", _RETRY_AFTER)

    async def _write(self, stream: Stream, send: Send) -> None:
        await send({"type": "http.response.start", "status": 200, "headers": _HEADERS})
        frames = stream.frames()
        try:
            async for frame in frames:
                async with asyncio.timeout(self._stall_seconds):
                    await send(_body(frame, more=True))
        except TimeoutError:
            stream.end("slow")
            # It may begin to read again at this very moment.
            with contextlib.suppress(TimeoutError):
                async with asyncio.timeout(_LAST_WORD_SECONDS):
                    await send(_body(b'event: end\ndata: {"reason": "slow"}\n\n', more=False))
            return
        finally:
            await frames.aclose()
        await send(_body(b"", more=False))


async def no_stream(_request: Request) -> Response:
    """What else is below `/live`."""
    return _refusal(404, "there is no such stream")


def _body(frame: bytes, *, more: bool) -> Message:
    return {"type": "http.response.body", "body": frame, "more_body": more}


async def _left(receive: Receive) -> None:
    while (await receive())["type"] != "http.disconnect":
        pass


def _task_id(text: str) -> UUID:
    try:
        return UUID(text)
    except ValueError:
        # Not told from one that is somebody else's.
        raise NoSuchTask from None


def _last_event_id(text: str | None) -> int:
    if not text:
        return 0
    if not (text.isascii() and text.isdigit() and len(text) <= 19 and int(text) <= _MOST_ID):
        raise ValueError("Last-Event-ID is not the id of an event: it is a whole number")
    return int(text)


def _refusal(status: int, error: str, headers: dict[str, str] | None = None) -> Response:
    return JSONResponse({"error": error}, status_code=status, headers=headers)
