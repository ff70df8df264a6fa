"""The roles and the database of an embedded cluster, set up by its superuser and safe to set up again."""

from __future__ import annotations

import psycopg
from psycopg import sql
from pydantic import SecretStr

from agent_runtime import resources
from agent_runtime.local.postgres import LocalPostgres
from agent_runtime.local.secrets import Secrets

DATABASE = "agent_runtime"
OWNER = "postgres"
API = "supabase_api"
WORKER = "agent_worker"


async def set_up(postgres: LocalPostgres, secrets: Secrets, *, database: str = DATABASE) -> None:
    """Make the roles with their passwords, and the database.

    Raises `psycopg.Error` when the server refuses, which on a healthy cluster it does not.
    """
    roles = (resources.sql() / "local" / "cluster_roles.sql").read_bytes()
    async with await psycopg.AsyncConnection.connect(postgres.superuser_conninfo, autocommit=True) as connection:
        async with connection.transaction():
            await connection.execute(roles)
            for role, password in ((OWNER, secrets.postgres), (API, secrets.supabase_api)):
                await _set_password(connection, role, password)
            await _set_password(connection, WORKER, secrets.agent_worker)
        await _create_database(connection, database)


async def has_api_schemas(database_url: str) -> bool:
    """Whether the API has made the schemas that our SQL refers to."""
    async with await psycopg.AsyncConnection.connect(database_url, autocommit=True) as connection:
        found = await connection.execute(
            "select to_regclass('auth.users') is not null and to_regclass('storage.objects') is not null"
        )
        row = await found.fetchone()
        return bool(row and row[0])


def database_statements(
    name: str, *, template: str = "template1", strategy: str = "wal_log"
) -> tuple[sql.Composed, ...]:
    """The statements that make a database as the stack has it, for the superuser in autocommit. `strategy` is how
    Postgres copies the template: `file_copy` is quicker where nothing has to outlive a crash."""
    return (
        sql.SQL("create database {} owner {} template {} strategy {}").format(
            sql.Identifier(name), sql.Identifier(OWNER), sql.Identifier(template), sql.Identifier(strategy)
        ),
        # The API makes the schemas auth and storage at its first start.
        sql.SQL("grant create on database {} to {}").format(sql.Identifier(name), sql.Identifier(API)),
    )


async def _create_database(connection: psycopg.AsyncConnection, name: str) -> None:
    found = await connection.execute("select 1 from pg_catalog.pg_database where datname = %s", [name])
    create, grant = database_statements(name)
    if await found.fetchone() is None:
        await connection.execute(create)
    # Again even when the database is there: a start that was killed may have stopped between the two.
    await connection.execute(grant)


async def _set_password(connection: psycopg.AsyncConnection, role: str, password: SecretStr) -> None:
    # Sent as a SCRAM verifier, so that no log ever holds the password.
    verifier = connection.pgconn.encrypt_password(password.get_secret_value().encode(), role.encode(), b"scram-sha-256")
    await connection.execute(
        sql.SQL("alter role {} with login password {}").format(sql.Identifier(role), sql.Literal(verifier.decode()))
    )
