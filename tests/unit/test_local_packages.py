"""Fetching the Supabase API's packages: once, whole or not at all, and with one line when it fails."""

from __future__ import annotations

import asyncio
import json
from pathlib import Path

import pytest

from agent_runtime.errors import ConfigError
from agent_runtime.local import api_packages


def test_the_lockfile_pins_every_package_by_its_hash_and_names_no_host() -> None:
    lock = json.loads((api_packages.MANIFEST / "package-lock.json").read_text())
    packages = {name: entry for name, entry in lock["packages"].items() if name}
    assert all(entry["integrity"].startswith("sha512-") for entry in packages.values())
    assert not [name for name, entry in packages.items() if "resolved" in entry]
    assert not [name for name, entry in packages.items() if entry.get("hasInstallScript")]


async def test_packages_that_are_there_need_no_network(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    entry = api_packages.installed_folder(tmp_path) / api_packages.ENTRY
    entry.parent.mkdir(parents=True)
    entry.write_text("")
    monkeypatch.setenv("npm_config_registry", "http://127.0.0.1:9")
    assert await api_packages.install(tmp_path) == api_packages.installed_folder(tmp_path)


async def test_a_failed_install_is_one_line_and_leaves_nothing(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("npm_config_registry", "http://127.0.0.1:9")
    monkeypatch.setenv("npm_config_cache", str(tmp_path / "npm"))
    monkeypatch.setenv("npm_config_fetch_retries", "0")
    cache = tmp_path / "cache"
    with pytest.raises(ConfigError, match="installing the Supabase API from npm failed") as failure:
        await api_packages.install(cache)
    assert "\n" not in str(failure.value)
    assert "ECONNREFUSED" in str(failure.value)
    assert [path.suffix for path in cache.iterdir()] == [".lock"]


async def test_a_cancelled_install_leaves_nothing(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    # A registry that takes connections and never answers.
    silent = await asyncio.start_server(lambda _reader, _writer: None, "127.0.0.1", 0)
    async with silent:
        port = silent.sockets[0].getsockname()[1]
        monkeypatch.setenv("npm_config_registry", f"http://127.0.0.1:{port}")
        monkeypatch.setenv("npm_config_cache", str(tmp_path / "npm"))
        cache = tmp_path / "cache"
        install = asyncio.create_task(api_packages.install(cache))
        while not list(cache.glob(".supabase-api-*/npm.json")):
            await asyncio.sleep(0.01)
        install.cancel()
        with pytest.raises(asyncio.CancelledError):
            await install
        assert [path.suffix for path in cache.iterdir()] == [".lock"]


async def test_a_second_installer_waits_for_the_first(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("npm_config_registry", "http://127.0.0.1:9")
    target = api_packages.installed_folder(tmp_path)
    async with api_packages.locked(target.with_suffix(".lock")):
        waiting = asyncio.create_task(api_packages.install(tmp_path))
        done, _ = await asyncio.wait({waiting}, timeout=0.3)
        assert not done
        (target / api_packages.ENTRY).parent.mkdir(parents=True)
        (target / api_packages.ENTRY).write_text("")
    assert await waiting == target
