"""How our HTTP clients connect: the certificates they trust, and when the environment's proxies count."""

from __future__ import annotations

import ssl
from functools import cache
from typing import TypedDict
from urllib.parse import urlsplit

import httpx


class ClientSettings(TypedDict):
    """Arguments of `httpx.Client` and `httpx.AsyncClient`."""

    verify: ssl.SSLContext
    trust_env: bool


def client_settings(url: str) -> ClientSettings:
    """For a client of the server at `url` alone: `httpx.AsyncClient(**client_settings(url))`."""
    return {"verify": certificates_for(url), "trust_env": not is_loopback(url)}


def certificates_for(url: str) -> ssl.SSLContext:
    """What a client of the server at `url` trusts: the usual authorities, or nobody where no TLS is spoken."""
    return trusted() if url.lower().startswith("https:") else _nobody()


@cache
def trusted() -> ssl.SSLContext:
    """Certifi's authorities, or those that `SSL_CERT_FILE` or `SSL_CERT_DIR` name."""
    # Reading them takes up to a tenth of a second, many times a request to a server on the same machine.
    return httpx.create_ssl_context()


@cache
def _nobody() -> ssl.SSLContext:
    return ssl.SSLContext(ssl.PROTOCOL_TLS_CLIENT)


def is_loopback(url: str) -> bool:
    """Whether `url` is this machine itself, where no proxy of the environment can lead."""
    host = urlsplit(url).hostname or ""
    return host in ("localhost", "::1") or host.startswith("127.")
