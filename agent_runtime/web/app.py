"""The routes of the web UI's server."""

from __future__ import annotations

import contextlib
import functools
import json
import time
from collections.abc import AsyncIterator
from pathlib import Path

from starlette.applications import Starlette
from starlette.middleware import Middleware
from starlette.requests import Request
from starlette.responses import JSONResponse, PlainTextResponse, Response
from starlette.routing import Route

from agent_runtime.structlog_alone import structlog
from agent_runtime.web import metrics as figures
from agent_runtime.web.access import Supabase
from agent_runtime.web.assets import Bundle
from agent_runtime.web.config import PROXY_PATH, ClientConfig
from agent_runtime.web.deltas import DeltaEar
from agent_runtime.web.headers import CSP_REPORTS, Headers, content_policy
from agent_runtime.web.health import Readiness
from agent_runtime.web.hub import Hub
from agent_runtime.web.live import LiveStreams, no_stream
from agent_runtime.web.proxy import METHODS, Proxy
from agent_runtime.web.settings import WebSettings
from agent_runtime.web.timelines import PostgresTimelines, RestTimelines, Timelines

log = structlog.get_logger()

_REPORT_BYTES = 16_384
_REPORTS_PER_MINUTE = 10


class WebServer:
    """The application with what it holds. `async with open_web(settings, bundle) as web`."""

    def __init__(self, app: Starlette, hub: Hub) -> None:
        self.app, self.hub = app, hub


@contextlib.asynccontextmanager
async def open_web(settings: WebSettings, bundle_folder: Path | None) -> AsyncIterator[WebServer]:
    """Connect, and serve streams until the block ends.

    Raises `ConfigError` and `DatabaseUnavailable` when the database of `DATABASE_URL` cannot be used.
    """
    supabase_seen = None if settings.proxy_supabase else settings.supabase_url
    policy = functools.partial(content_policy, supabase_seen)
    bundle, metrics = Bundle(bundle_folder, policy), figures.Metrics()
    async with contextlib.AsyncExitStack() as held:
        supabase = await held.enter_async_context(Supabase(settings.supabase_url, settings.publishable_key))
        timelines: Timelines = RestTimelines(supabase)
        ear: DeltaEar | None = None
        if settings.database_url is not None:
            postgres = PostgresTimelines(settings.database_url.get_secret_value())
            timelines = await held.enter_async_context(postgres)
            ear = DeltaEar(postgres, settings.watch_seconds)
        hub = Hub(settings, supabase, timelines, metrics)
        await held.enter_async_context(hub.running(ear))
        proxy = await held.enter_async_context(Proxy(settings.supabase_url)) if settings.proxy_supabase else None
        config, ready = ClientConfig(settings, supabase, bundle.stamp), Readiness(supabase, timelines)
        pages = _Pages(bundle, config, ready, metrics)
        routes = [
            Route("/config.json", pages.config, methods=["GET"]),
            Route("/healthz", pages.health, methods=["GET"]),
            Route("/metrics", pages.metrics, methods=["GET"]),
            Route(CSP_REPORTS, pages.csp_report, methods=["POST"]),
            Route("/live/tasks/{task_id}", LiveStreams(hub, settings.stall_seconds), methods=["GET"]),
            Route("/live/{path:path}", no_stream, methods=["GET"]),
            *([Route(PROXY_PATH + "/{path:path}", proxy.answer, methods=METHODS)] if proxy else []),
            Route("/{path:path}", pages.asset, methods=["GET"]),
        ]
        app = Starlette(routes=routes, middleware=[Middleware(Headers, policy=policy())])
        yield WebServer(app, hub)


class _Pages:
    """What is answered at once."""

    def __init__(self, bundle: Bundle, config: ClientConfig, ready: Readiness, metrics: figures.Metrics) -> None:
        self._bundle, self._config, self._ready, self._metrics = bundle, config, ready, metrics
        self._minute, self._reports = 0, 0

    async def asset(self, request: Request) -> Response:
        return self._bundle.answer(request)

    async def config(self, request: Request) -> Response:
        origin = f"{request.url.scheme}://{request.url.netloc}"
        return JSONResponse(await self._config.of(origin), headers={"Cache-Control": "no-store"})

    async def health(self, request: Request) -> Response:
        if "ready" not in request.query_params:
            return JSONResponse({"ok": True})
        report = await self._ready.report()
        return JSONResponse(report, status_code=200 if report["ok"] else 503)

    async def metrics(self, _request: Request) -> Response:
        return PlainTextResponse(self._metrics.text(), media_type=figures.CONTENT_TYPE)

    async def csp_report(self, request: Request) -> Response:
        content = bytearray()
        async for piece in request.stream():
            content += piece
            if len(content) > _REPORT_BYTES:
                return Response(status_code=413)
        try:
            report = json.loads(content)["csp-report"]
            said = {name: str(report.get(name, ""))[:300] for name in ("effective-directive", "blocked-uri")}
        except (ValueError, KeyError, TypeError, AttributeError):
            return Response(status_code=400)
        self._metrics.csp_reports += 1
        # Anybody can send them: the log must not grow with them.
        minute = int(time.monotonic() // 60)
        self._reports = self._reports + 1 if minute == self._minute else 1
        self._minute = minute
        if self._reports <= _REPORTS_PER_MINUTE:
            log.warning("the page tried what its content policy forbids", **said)
        return Response(status_code=204)
