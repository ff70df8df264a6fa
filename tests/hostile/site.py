"""A server of the tests that answers as well and as badly as a server can, with TLS where it is asked for."""

from __future__ import annotations

import asyncio
import datetime
import gzip
import ipaddress
import ssl
import zlib
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager, suppress
from dataclasses import dataclass, field
from pathlib import Path

from cryptography import x509
from cryptography.hazmat.primitives import hashes
from cryptography.hazmat.primitives.asymmetric import ec
from cryptography.hazmat.primitives.serialization import Encoding, NoEncryption, PrivateFormat
from cryptography.x509.oid import NameOID


@dataclass
class Site:
    """`pages` are bodies by path with their content type; `target` is where /redirect leads to."""

    port: int = 0
    target: str = ""
    pages: dict[str, tuple[str, bytes]] = field(default_factory=dict)
    heads: list[str] = field(default_factory=list)
    """What was asked, as it came."""
    bodies: list[bytes] = field(default_factory=list)
    _bomb: bytes = b""

    async def answer(self, reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        """One request on one connection."""
        head = (await reader.readuntil(b"\r\n\r\n")).decode("latin-1")
        self.heads.append(head)
        length = next((int(line[15:]) for line in head.split("\r\n") if line.lower().startswith("content-length:")), 0)
        body = await reader.readexactly(length)
        self.bodies.append(body)
        path = head.split(" ")[1].partition("?")[0]
        if path == "/echo":
            await _send(writer, (head.encode("latin-1") + body), "text/plain")
        elif path == "/redirect":
            await _head(writer, "302 Found", f"Location: {self.target}", "Content-Length: 0")
        elif path == "/redirect-307":
            await _head(writer, "307 Temporary Redirect", f"Location: {self.target}", "Content-Length: 0")
        elif path == "/loop":
            await _head(writer, "302 Found", "Location: /loop", "Content-Length: 0")
        elif path in self.pages:
            kind, content = self.pages[path]
            await _send(writer, content, kind)
        else:
            await getattr(self, "_" + path[1:].replace("-", "_"), _missing)(writer)

    async def _endless(self, writer: asyncio.StreamWriter) -> None:
        await _head(writer, "200 OK", "Content-Type: text/plain")
        while True:
            writer.write(b"x" * 65_536)
            await writer.drain()

    async def _huge_length(self, writer: asyncio.StreamWriter) -> None:
        await _head(writer, "200 OK", "Content-Length: 10000000000")
        await _for_ever(writer)

    async def _drip(self, writer: asyncio.StreamWriter) -> None:
        await _head(writer, "200 OK", "Content-Length: 1000")
        while True:
            writer.write(b"x")
            await writer.drain()
            await asyncio.sleep(0.05)

    async def _silent(self, writer: asyncio.StreamWriter) -> None:
        await _for_ever(writer)

    async def _short(self, writer: asyncio.StreamWriter) -> None:
        await _head(writer, "200 OK", "Content-Length: 1000")
        writer.write(b"only this")
        await writer.drain()

    async def _gzip_bomb(self, writer: asyncio.StreamWriter) -> None:
        if not self._bomb:
            packer = zlib.compressobj(9, zlib.DEFLATED, 31)
            zeros = bytes(1024 * 1024)
            self._bomb = b"".join([packer.compress(zeros) for _ in range(64)]) + packer.flush()
        await _head(writer, "200 OK", "Content-Encoding: gzip", f"Content-Length: {len(self._bomb)}")
        writer.write(self._bomb)
        await writer.drain()

    async def _brotli(self, writer: asyncio.StreamWriter) -> None:
        await _send(writer, b"\x8b\x02\x80", "text/plain", "Content-Encoding: br")

    async def _zstd(self, writer: asyncio.StreamWriter) -> None:
        await _send(writer, b"\x28\xb5\x2f\xfd", "text/plain", "Content-Encoding: zstd")

    async def _twice_packed(self, writer: asyncio.StreamWriter) -> None:
        packed = gzip.compress(gzip.compress(bytes(1000)))
        await _send(writer, packed, "text/plain", "Content-Encoding: gzip, gzip")

    async def _broken_gzip(self, writer: asyncio.StreamWriter) -> None:
        await _send(writer, b"not gzip at all", "text/plain", "Content-Encoding: gzip")

    async def _raw_deflate(self, writer: asyncio.StreamWriter) -> None:
        packer = zlib.compressobj(9, zlib.DEFLATED, -15)
        packed = packer.compress(b"deflated") + packer.flush()
        await _send(writer, packed, "text/plain", "Content-Encoding: deflate")

    async def _huge_headers(self, writer: asyncio.StreamWriter) -> None:
        await _head(writer, "200 OK", f"X-Long: {'a' * 300_000}", "Content-Length: 0")

    async def _many_headers(self, writer: asyncio.StreamWriter) -> None:
        await _head(writer, "200 OK", *(f"X-{n}: y" for n in range(3_000)), "Content-Length: 2")
        writer.write(b"ok")

    async def _two_lengths(self, writer: asyncio.StreamWriter) -> None:
        await _head(writer, "200 OK", "Content-Length: 5", "Content-Length: 50")

    async def _not_http(self, writer: asyncio.StreamWriter) -> None:
        writer.write(b"SSH-2.0-OpenSSH_9.0\r\n" + bytes(range(256)))
        await writer.drain()

    async def _nul_header(self, writer: asyncio.StreamWriter) -> None:
        await _head(writer, "200 OK", "X-A: a\0b", "Content-Length: 0")


async def _missing(writer: asyncio.StreamWriter) -> None:
    await _send(writer, b"gone", "text/plain", status="404 Not Found")


async def _for_ever(writer: asyncio.StreamWriter) -> None:
    await asyncio.Event().wait()


async def _head(writer: asyncio.StreamWriter, status: str, *lines: str) -> None:
    writer.write("\r\n".join([f"HTTP/1.1 {status}", *lines, "Connection: close", "", ""]).encode("latin-1"))
    await writer.drain()


async def _send(writer: asyncio.StreamWriter, body: bytes, kind: str, *lines: str, status: str = "200 OK") -> None:
    kinds = [f"Content-Type: {kind}"] if kind else []
    await _head(writer, status, *kinds, f"Content-Length: {len(body)}", *lines)
    writer.write(body)
    await writer.drain()


@asynccontextmanager
async def site(tls: ssl.SSLContext | None = None) -> AsyncIterator[Site]:
    """The server for the time of the block."""
    ours = Site()
    running: set[asyncio.Task[None]] = set()

    async def accept(reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        task = asyncio.current_task()
        assert task is not None
        running.add(task)
        try:
            with suppress(OSError, EOFError, asyncio.CancelledError):
                await ours.answer(reader, writer)
        finally:
            writer.close()
            running.discard(task)

    server = await asyncio.start_server(accept, "127.0.0.1", 0, ssl=tls)
    ours.port = server.sockets[0].getsockname()[1]
    try:
        yield ours
    finally:
        server.close()
        for task in list(running):
            task.cancel()
        await asyncio.gather(*running, return_exceptions=True)
        await server.wait_closed()


def certificate(folder: Path, *names: str) -> tuple[ssl.SSLContext, Path]:
    """A server's side of TLS for these names, and the file of an authority that vouches for it and nobody knows."""
    authority, key = ec.generate_private_key(ec.SECP256R1()), ec.generate_private_key(ec.SECP256R1())
    issuer = x509.Name([x509.NameAttribute(NameOID.COMMON_NAME, "authority of the tests")])
    subject = x509.Name([x509.NameAttribute(NameOID.COMMON_NAME, names[0])])
    vouching = _begun(issuer, issuer, authority).add_extension(x509.BasicConstraints(ca=True, path_length=0), True)
    alternatives = x509.SubjectAlternativeName([_general(name) for name in names])
    leaf = _begun(subject, issuer, key).add_extension(alternatives, False)
    trusted, served = folder / "authority.pem", folder / "served.pem"
    trusted.write_bytes(vouching.sign(authority, hashes.SHA256()).public_bytes(Encoding.PEM))
    private = key.private_bytes(Encoding.PEM, PrivateFormat.PKCS8, NoEncryption())
    served.write_bytes(leaf.sign(authority, hashes.SHA256()).public_bytes(Encoding.PEM) + private)
    context = ssl.SSLContext(ssl.PROTOCOL_TLS_SERVER)
    context.load_cert_chain(served)
    return context, trusted


def _begun(subject: x509.Name, issuer: x509.Name, key: ec.EllipticCurvePrivateKey) -> x509.CertificateBuilder:
    now = datetime.datetime.now(datetime.UTC)
    return x509.CertificateBuilder(
        issuer_name=issuer,
        subject_name=subject,
        public_key=key.public_key(),
        serial_number=x509.random_serial_number(),
        not_valid_before=now - datetime.timedelta(days=1),
        not_valid_after=now + datetime.timedelta(days=1),
    )


def _general(name: str) -> x509.GeneralName:
    try:
        return x509.IPAddress(ipaddress.ip_address(name))
    except ValueError:
        return x509.DNSName(name)
