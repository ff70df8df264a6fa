"""Headers of every answer: what the page may load and reach, said strictly."""

from __future__ import annotations

from collections.abc import Mapping
from urllib.parse import urlsplit

from starlette.datastructures import MutableHeaders
from starlette.types import ASGIApp, Message, Receive, Scope, Send

CSP_REPORTS = "/csp-report"

_FIXED = {
    "X-Content-Type-Options": "nosniff",
    "Referrer-Policy": "no-referrer",
    "Cross-Origin-Opener-Policy": "same-origin",
    "Cross-Origin-Resource-Policy": "same-origin",
    "Permissions-Policy": (
        "accelerometer=(), browsing-topics=(), camera=(), display-capture=(), geolocation=(), gyroscope=(), hid=(), "
        "microphone=(), midi=(), payment=(), publickey-credentials-get=(self), screen-wake-lock=(), serial=(), usb=()"
    ),
    "X-Frame-Options": "DENY",
}


def content_policy(supabase_url: str | None, nonce: str | None = None) -> str:
    """The page's Content-Security-Policy. `supabase_url` is where the browser reaches Supabase; None when that is this
    server itself. `nonce` is of one answer: style elements that bear it count, as that of an open dialog, which keeps
    the page behind it from scrolling."""
    origin, socket = _origins(supabase_url)
    return "; ".join(
        [
            "default-src 'none'",
            "script-src 'self'",
            "style-src 'self'" + (f" 'nonce-{nonce}'" if nonce else ""),
            "font-src 'self'",
            f"img-src 'self' blob: data:{origin}",
            "media-src 'self' blob:",
            f"connect-src 'self'{origin}{socket}",
            "frame-src blob: 'self'",
            "worker-src 'self' blob:",
            "manifest-src 'self'",
            "base-uri 'none'",
            "form-action 'self'",
            "frame-ancestors 'none'",
            f"report-uri {CSP_REPORTS}",
        ]
    )


def _origins(url: str | None) -> tuple[str, str]:
    if url is None:
        return "", ""
    parts = urlsplit(url)
    # Realtime is asked over a socket.
    socket = "wss" if parts.scheme == "https" else "ws"
    return f" {parts.scheme}://{parts.netloc}", f" {socket}://{parts.netloc}"


class Headers:
    """Puts them on what `app` answers. What an answer says for itself stands."""

    def __init__(self, app: ASGIApp, policy: str) -> None:
        self._app = app
        self._headers: Mapping[str, str] = {**_FIXED, "Content-Security-Policy": policy}

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        async def with_headers(message: Message) -> None:
            if message["type"] == "http.response.start":
                headers = MutableHeaders(scope=message)
                for name, value in self._headers.items():
                    headers.setdefault(name, value)
                headers.setdefault("Cache-Control", "no-store")
            await send(message)

        await self._app(scope, receive, with_headers if scope["type"] == "http" else send)
