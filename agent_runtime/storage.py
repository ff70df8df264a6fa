"""The bytes of files, in Supabase Storage's private bucket: keys that every Storage takes, and streams up and down.

The same class serves the person (publishable key and the person's token: row-level security decides) and the worker
(secret key). Bytes are never held whole in memory.
"""

from __future__ import annotations

import asyncio
import hashlib
import io
import os
import re
import secrets
from collections.abc import AsyncIterator, Awaitable, Callable, Sequence
from dataclasses import dataclass
from pathlib import Path, PurePosixPath
from types import TracebackType
from typing import BinaryIO, NoReturn, Self
from uuid import UUID

import httpx

from agent_runtime.errors import (
    AgentRuntimeError,
    BytesDiffer,
    Denied,
    InvalidInput,
    NotFound,
    PathTaken,
    StorageUnavailable,
)
from agent_runtime.http_clients import client_settings

BUCKET = "agent-files"

AccessToken = Callable[[], Awaitable[str]]
"""Gives an access token that is still good; asked before each request."""

_CHUNK_BYTES = 256 * 1024
_KEY_CHARACTERS = 100
_REMOVE_AT_ONCE = 500
# Seconds between two pieces, not for the whole file.
_TIMEOUT = httpx.Timeout(60.0, connect=10.0)

_PLAIN_KEY = re.compile(r"[A-Za-z0-9_](?:[A-Za-z0-9_-]|\.(?=[A-Za-z0-9_-]))*")


@dataclass(frozen=True)
class Stored:
    """What went over the wire: `sha256` in hex."""

    size_bytes: int
    sha256: str


def storage_path(tenant_id: UUID | str, task_id: UUID | str, filename: str) -> str:
    """Where the bytes of a file that a person uploads are in the bucket."""
    return f"{tenant_id}/{task_id}/{storage_key(filename)}"


def content_path(tenant_id: UUID | str, task_id: UUID | str, sha256: str, *, temporary: bool = False) -> str:
    """Where the bytes of a file that a run made are: the same bytes have the same path within a task.

    Bytes of temporary files expire, so they have a path of their own each time: no other row can come to need them.
    No key of a person's begins with a dot, and the policies refuse them one that does.
    """
    folder = f".temporary/{secrets.token_hex(8)}" if temporary else ".sha256"
    return f"{tenant_id}/{task_id}/{folder}/{sha256}"


def storage_key(filename: str) -> str:
    """A key for `filename`, which may be a path in the workspace: ASCII, one segment, a different one for each name.

    Plain names stay as they are. Hosted Storage takes some ASCII characters only, so any other name is spelled with
    underscores and a digest, set off by an @, which no plain name contains.
    """
    if len(filename) <= _KEY_CHARACTERS and _PLAIN_KEY.fullmatch(filename):
        return filename
    digest = hashlib.sha256(filename.encode("utf-8", "surrogatepass")).hexdigest()[:16]
    path = PurePosixPath(filename)
    stem = re.sub(r"[^A-Za-z0-9_-]+", "_", path.stem)[: _KEY_CHARACTERS // 2]
    suffix = path.suffix if re.fullmatch(r"\.[A-Za-z0-9]{1,10}", path.suffix) else ""
    return f"{stem}@{digest}{suffix}"


class Storage:
    """One bucket, as one caller. Use it as an async context manager, or call `aclose`."""

    def __init__(
        self,
        supabase_url: str,
        api_key: str,
        *,
        access_token: AccessToken | None = None,
        worker_token: str | None = None,
        bucket: str = BUCKET,
    ) -> None:
        """`access_token` is a person's; `worker_token` is a worker's that holds no secret key. With neither the key is
        the secret one."""
        self._api_key, self._access_token, self._bucket = api_key, access_token, bucket
        self._worker_token = worker_token
        self._url = f"{supabase_url.rstrip('/')}/storage/v1"
        self._http = httpx.AsyncClient(timeout=_TIMEOUT, **client_settings(supabase_url))

    async def upload(
        self,
        path: str,
        source: Path | bytes | BinaryIO,
        mime_type: str,
        *,
        replace: bool = False,
        sha256: str | None = None,
    ) -> Stored:
        """Store the bytes of `source` at `path`; an open file is read from where it stands.

        A path that is taken is refused, unless `replace`. With `sha256` nothing is stored but bytes of that digest.
        Raises `StorageUnavailable`, `Denied`, `BytesDiffer` (from `sha256`), `PathTaken`, `InvalidInput` (too large,
        changed while being read), `OSError`.
        """
        if isinstance(source, Path):
            with source.open("rb") as file:
                return await self.upload(path, file, mime_type, replace=replace, sha256=sha256)
        reader = io.BytesIO(source) if isinstance(source, bytes) else source
        size_bytes = await asyncio.to_thread(_remaining, reader)
        digest = hashlib.sha256()
        headers = await self._headers()
        headers |= {"content-type": mime_type, "content-length": str(size_bytes), "x-upsert": str(replace).lower()}
        try:
            answer = await self._http.post(
                self._object(path), content=_chunks(reader, size_bytes, digest, sha256), headers=headers
            )
        except httpx.HTTPError as error:
            raise self._unreachable(error) from None
        if not answer.is_success:
            self._refuse(answer, path)
        return Stored(size_bytes, digest.hexdigest())

    async def size_of(self, path: str) -> int | None:
        """How many bytes are at `path`; None when nothing is. Raises `StorageUnavailable`."""
        try:
            answer = await self._http.head(self._object(path), headers=await self._headers())
        except httpx.HTTPError as error:
            raise self._unreachable(error) from None
        return int(answer.headers.get("content-length", -1)) if answer.is_success else None

    async def download(self, path: str, target: Path | BinaryIO, *, sha256: str | None = None) -> Stored:
        """Write the bytes at `path` to `target`. A path appears whole and verified, or not at all.

        Raises `NotFound`, `Denied`, `BytesDiffer` (from `sha256`), `StorageUnavailable`, `OSError`.
        """
        if not isinstance(target, Path):
            return await self._fetch(path, target, sha256)
        part = target.with_name(f".{target.name[:100]}.{secrets.token_hex(4)}.part")
        try:
            with part.open("xb") as file:
                stored = await self._fetch(path, file, sha256)
            await asyncio.to_thread(os.replace, part, target)
        finally:
            part.unlink(missing_ok=True)
        return stored

    async def remove(self, paths: Sequence[str]) -> None:
        """Remove what is there of `paths`. Raises `StorageUnavailable`, `Denied`."""
        for start in range(0, len(paths), _REMOVE_AT_ONCE):
            batch = list(paths[start : start + _REMOVE_AT_ONCE])
            try:
                answer = await self._http.request(
                    "DELETE",
                    f"{self._url}/object/{self._bucket}",
                    json={"prefixes": batch},
                    headers=await self._headers(),
                )
            except httpx.HTTPError as error:
                raise self._unreachable(error) from None
            if not answer.is_success:
                self._refuse(answer, batch[0])

    async def aclose(self) -> None:
        """Close the connections."""
        await self._http.aclose()

    async def __aenter__(self) -> Self:
        return self

    async def __aexit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        await self.aclose()

    async def _fetch(self, path: str, target: BinaryIO, sha256: str | None) -> Stored:
        digest, size_bytes = hashlib.sha256(), 0
        try:
            async with self._http.stream("GET", self._object(path), headers=await self._headers()) as answer:
                if not answer.is_success:
                    await answer.aread()
                    self._refuse(answer, path)
                async for chunk in answer.aiter_bytes(_CHUNK_BYTES):
                    digest.update(chunk)
                    size_bytes += len(chunk)
                    await asyncio.to_thread(target.write, chunk)
        except httpx.HTTPError as error:
            raise self._unreachable(error) from None
        if sha256 is not None and digest.hexdigest() != sha256:
            raise BytesDiffer(f"the bytes of {path} are not those that were recorded: their sha256 differs")
        return Stored(size_bytes, digest.hexdigest())

    async def _headers(self) -> dict[str, str]:
        bearer = await self._access_token() if self._access_token else self._worker_token or self._api_key
        return {"apikey": self._api_key, "authorization": f"Bearer {bearer}"}

    def _object(self, path: str) -> str:
        return f"{self._url}/object/{self._bucket}/{path}"

    def _unreachable(self, error: httpx.HTTPError) -> StorageUnavailable:
        return StorageUnavailable(f"Storage at {self._url} did not answer: {str(error) or type(error).__name__}")

    def _refuse(self, answer: httpx.Response, path: str) -> NoReturn:
        raise self._refusal(answer, path)

    def _refusal(self, answer: httpx.Response, path: str) -> AgentRuntimeError:
        status, text = _status(answer)
        if "bucket not found" in text.lower():
            return StorageUnavailable(f"Storage has no bucket {self._bucket}: run `agent-runtime db apply`")
        if status == httpx.codes.NOT_FOUND:
            return NotFound(f"Storage has no file {path}")
        if status == httpx.codes.CONFLICT:
            return PathTaken(f"Storage has a file {path} already")
        if status == httpx.codes.REQUEST_ENTITY_TOO_LARGE:
            return InvalidInput(f"{path} is larger than Storage takes: raise its file size limit")
        if status in (httpx.codes.UNAUTHORIZED, httpx.codes.FORBIDDEN):
            if self._access_token:
                return Denied(f"Storage refused {path}: {text}")
            setting = "AGENT_RUNTIME_STORAGE_TOKEN" if self._worker_token else "SUPABASE_SECRET_KEY"
            return StorageUnavailable(f"Storage at {self._url} refused the key: check {setting} ({text})")
        return StorageUnavailable(f"Storage at {self._url} answered {status} for {path}: {text}")


def _remaining(reader: BinaryIO) -> int:
    here = reader.tell()
    end = reader.seek(0, os.SEEK_END)
    reader.seek(here)
    return end - here


async def _chunks(
    reader: BinaryIO, size_bytes: int, digest: hashlib._Hash, expected: str | None
) -> AsyncIterator[bytes]:
    left = size_bytes
    while left:
        chunk = await asyncio.to_thread(reader.read, min(_CHUNK_BYTES, left))
        if not chunk:
            raise InvalidInput(f"the file became shorter while it was read: {left} of {size_bytes} bytes are missing")
        left -= len(chunk)
        digest.update(chunk)
        # Before the last piece: Storage keeps nothing of an upload that is broken off.
        if not left and expected is not None and digest.hexdigest() != expected:
            raise BytesDiffer("the file changed while it was being stored")
        yield chunk


def _status(answer: httpx.Response) -> tuple[int, str]:
    # Storage answers 400 for most refusals; the status that is meant is in the body.
    try:
        body = answer.json()
        status, text = int(body.get("statusCode") or answer.status_code), str(body.get("message") or body.get("error"))
    except (ValueError, AttributeError):
        status, text = answer.status_code, answer.text
    return status, " ".join(text.split())[:200]
