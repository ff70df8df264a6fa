"""`make audit` tells what is vulnerable, what is clean, and above all what it could not ask about."""

from __future__ import annotations

import gzip
import json
import os
import re
import subprocess
import sys
import threading
from collections.abc import Iterator
from contextlib import contextmanager
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from pathlib import Path
from typing import Any

import pytest

ROOT = Path(__file__).resolve().parents[2]


@contextmanager
def databases(answer: dict[str, Any]) -> Iterator[str]:
    """Databases of vulnerabilities on loopback: what each says of a package by its name; of the others, nothing."""

    class Handler(BaseHTTPRequestHandler):
        protocol_version = "HTTP/1.1"

        def do_POST(self) -> None:
            body = self.rfile.read(int(self.headers["Content-Length"]))
            if self.headers.get("Content-Encoding") == "gzip":
                body = gzip.decompress(body)
            asked = json.loads(body)
            if self.path == "/osv":
                found = answer.get(asked["package"]["name"], {})
            else:
                found = {name: answer[name] for name in asked if name in answer}
            sent = json.dumps(found).encode()
            self.send_response(200)
            self.send_header("Content-Type", "application/json")
            self.send_header("Content-Length", str(len(sent)))
            self.end_headers()
            self.wfile.write(sent)

        def log_message(self, *_: object) -> None:
            """Says nothing."""

    with ThreadingHTTPServer(("127.0.0.1", 0), Handler) as server:
        thread = threading.Thread(target=server.serve_forever)
        thread.start()
        try:
            yield f"http://127.0.0.1:{server.server_port}"
        finally:
            server.shutdown()
            thread.join()


def audit(url: str, tmp_path: Path) -> subprocess.CompletedProcess[str]:
    environment = {
        **os.environ,
        "PYTHONPATH": str(ROOT),
        "PIP_AUDIT_VULNERABILITY_SERVICE": "osv",
        "PIP_AUDIT_OSV_URL": f"{url}/osv",
        "npm_config_registry": url,
        "npm_config_cache": str(tmp_path),
        "npm_config_fetch_retries": "0",
    }
    argv = [sys.executable, str(ROOT / "scripts" / "audit.py")]
    return subprocess.run(argv, env=environment, capture_output=True, text=True, check=False)


def test_what_is_vulnerable_is_named_and_the_rest_is_clean(tmp_path: Path) -> None:
    known = {
        "starlette": {
            "vulns": [
                {"id": "OSV-1", "affected": [{"package": {"name": "starlette", "ecosystem": "PyPI"}, "ranges": []}]}
            ]
        },
        "hono": [{"id": 1, "title": "It leaks", "severity": "high", "vulnerable_versions": "*", "url": "x", "cwe": []}],
    }
    with databases(known) as url:
        ran = audit(url, tmp_path)
    assert ran.returncode == 1, ran.stdout + ran.stderr
    assert re.search(r"VULNERABLE .*dev.lock: starlette [0-9.]+: OSV-1", ran.stdout)
    assert re.search(r"clean .*advisors/package-lock.json: [1-9][0-9]* packages", ran.stdout)
    assert re.search(r"VULNERABLE .*hono \(high\): It leaks", ran.stdout)


@pytest.mark.timeout(300)
def test_a_database_that_is_away_is_no_clean_bill(tmp_path: Path) -> None:
    ran = audit("http://127.0.0.1:9", tmp_path)
    assert ran.returncode == 2, ran.stdout + ran.stderr
    assert ran.stdout.count("NOT AUDITED") == 4
    assert "clean" not in ran.stdout
    assert "where these services can be reached" in ran.stdout
