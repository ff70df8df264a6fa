"""Write the web UI's types from what they describe, so that a screen cannot ask for a column that is not there.

ui/src/generated/database.ts   from the catalog of a Postgres of this script's own, with sql/ installed
ui/src/generated/events.ts     from agent_runtime/events.py

Run it by `make types` after a change of either; a test names it when the files are behind.
"""

from __future__ import annotations

import asyncio
import sys
import tempfile
from pathlib import Path

import psycopg

from agent_runtime.db import schema
from agent_runtime.local import cluster, ports, secrets
from agent_runtime.local.postgres import LocalPostgres
from agent_runtime.local.service_user import choose_service_user
from scripts import types_of_database, types_of_events

FOLDER = Path(__file__).resolve().parents[1] / "ui" / "src" / "generated"


def generated(database_url: str) -> dict[str, str]:
    """The text of each file, from a database with our SQL installed; the role must be its owner."""
    with psycopg.connect(database_url, autocommit=True) as connection:
        return {"database.ts": types_of_database.text(connection), "events.ts": types_of_events.text()}


def main() -> int:
    """Write the files and say which of them changed."""
    with tempfile.TemporaryDirectory(prefix="agent-runtime-types-") as folder:
        # Postgres does not run as root, and its user must get in.
        Path(folder).chmod(0o711)
        texts = asyncio.run(_of_own_postgres(Path(folder)))
    FOLDER.mkdir(parents=True, exist_ok=True)
    for name, text in texts.items():
        file = FOLDER / name
        changed = not file.exists() or file.read_text(encoding="utf-8") != text
        file.write_text(text, encoding="utf-8")
        print(f"{'written  ' if changed else 'unchanged'} {file.relative_to(FOLDER.parents[2])}")
    return 0


async def _of_own_postgres(folder: Path) -> dict[str, str]:
    made = secrets.generate()
    postgres = LocalPostgres(
        folder / "data",
        port=ports.choose(None, taken=set()),
        password=made.supabase_admin,
        records=folder,
        logs=folder,
        user=choose_service_user(folder / "data"),
        durable=False,
    )
    await postgres.initialise()
    await postgres.start()
    try:
        await cluster.set_up(postgres, made)
        database_url = postgres.conninfo(cluster.OWNER, made.postgres, cluster.DATABASE)
        await asyncio.to_thread(schema.apply, database_url)
        return generated(database_url)
    finally:
        await postgres.stop()


if __name__ == "__main__":
    sys.exit(main())
