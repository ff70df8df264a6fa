"""The built UI: read once when the server starts, and answered from memory."""

from __future__ import annotations

import hashlib
import mimetypes
import re
import secrets
from collections.abc import Callable
from dataclasses import dataclass, field
from pathlib import Path

from starlette.requests import Request
from starlette.responses import Response

from agent_runtime.errors import ConfigError
from agent_runtime.web import stamp

_PACKAGE = Path(__file__).resolve().parent.parent
_HASHED = "assets/"
"""Below it, Vite puts a digest into each name, so that what a name holds never changes."""
_ENCODINGS = {"br": ".br", "gzip": ".gz"}
"""Siblings that the build made, the better one first."""
_NONCE = b"__NONCE__"
"""Stands in the page where the nonce of each answer goes."""
_WEIGHT = re.compile(r"^q=0(\.0*)?$")

_NOT_BUILT = """\
<!doctype html>
<html lang="en">
<head><meta charset="utf-8"><title>agent-runtime</title></head>
<body>
<h1>The web UI is not built</h1>
<p>This is a checkout without a bundle. Run <code>make ui</code> in its folder, which needs Node and npm, then start the
server again. A released wheel carries the bundle.</p>
</body>
</html>
"""


@dataclass(frozen=True)
class _File:
    content: bytes
    media_type: str
    etag: str
    encoded: dict[str, bytes] = field(default_factory=dict)


class Bundle:
    """The files of one build. Without a folder there is none, and every page says how to make it."""

    def __init__(self, folder: Path | None, policy: Callable[[str], str]) -> None:
        """`policy` makes the page's Content-Security-Policy with a nonce."""
        self._policy = policy
        self._files = _read(folder) if folder else {}
        self.stamp = stamp.of_bundle(folder) if folder else None
        """What it was built from; None for no bundle."""

    def answer(self, request: Request) -> Response:
        """A file of the bundle, or the page, which finds its way by the path itself."""
        path = request.url.path.lstrip("/")
        file = self._files.get(path)
        if file is None and path.startswith(_HASHED):
            # The page would be taken for a script: an older page that asks for a chunk has to notice.
            return Response("no such file\n", status_code=404, media_type="text/plain")
        if file is None or path == "index.html":
            return self._page()
        headers = {"ETag": file.etag, "Cache-Control": "no-cache"}
        if path.startswith(_HASHED):
            headers["Cache-Control"] = "public, max-age=31536000, immutable"
        if file.etag in request.headers.get("if-none-match", ""):
            return Response(status_code=304, headers=headers)
        return _encoded(request, file, headers)

    def _page(self) -> Response:
        file = self._files.get("index.html")
        if file is None:
            return Response(_NOT_BUILT, media_type="text/html", headers={"Cache-Control": "no-store"})
        nonce = secrets.token_urlsafe(18)
        headers = {"Cache-Control": "no-store", "Content-Security-Policy": self._policy(nonce)}
        return Response(file.content.replace(_NONCE, nonce.encode()), media_type=file.media_type, headers=headers)


def find_bundle() -> Path | None:
    """The folder of a wheel's bundle, else of this checkout's; None when there is none.

    Raises `ConfigError` for a checkout's bundle that was not made from the sources that stand beside it.
    """
    shipped = _PACKAGE / "_ui"
    if (shipped / "index.html").is_file():
        return shipped
    sources = _PACKAGE.parent / "ui"
    built = sources / "dist"
    if not (built / "index.html").is_file():
        return None
    require_fresh(sources, built)
    return built


def require_fresh(sources: Path, built: Path) -> None:
    """Raises `ConfigError` when the bundle's stamp is not that of the sources."""
    if stamp.of_sources(sources) != stamp.of_bundle(built):
        raise ConfigError(f"the web UI in {built} was not built from the sources in {sources}: run `make ui`")


def _read(folder: Path) -> dict[str, _File]:
    files = {}
    for path in sorted(folder.rglob("*")):
        if not path.is_file() or path.suffix in _ENCODINGS.values():
            continue
        content = path.read_bytes()
        siblings = {name: path.with_name(path.name + suffix) for name, suffix in _ENCODINGS.items()}
        files[path.relative_to(folder).as_posix()] = _File(
            content,
            _media_type(path),
            f'"{hashlib.sha256(content).hexdigest()[:32]}"',
            {name: sibling.read_bytes() for name, sibling in siblings.items() if sibling.is_file()},
        )
    return files


def _media_type(path: Path) -> str:
    # What the system's tables say of scripts differs from machine to machine.
    known = {".js": "text/javascript", ".mjs": "text/javascript", ".webmanifest": "application/manifest+json"}
    return known.get(path.suffix) or mimetypes.guess_type(path.name)[0] or "application/octet-stream"


def _encoded(request: Request, file: _File, headers: dict[str, str]) -> Response:
    headers = headers | ({"Vary": "Accept-Encoding"} if file.encoded else {})
    accepted = _accepted(request.headers.get("accept-encoding", ""))
    for name, content in file.encoded.items():
        if name in accepted:
            return Response(content, media_type=file.media_type, headers=headers | {"Content-Encoding": name})
    return Response(file.content, media_type=file.media_type, headers=headers)


def _accepted(header: str) -> set[str]:
    offers = [offer.split(";") for offer in header.lower().replace(" ", "").split(",")]
    return {name for name, *weights in offers if not any(_WEIGHT.match(weight) for weight in weights)}
