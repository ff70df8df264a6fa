"""Where the audit's rows come from: the owner's connection sees every chain, a tenant's admin the tenant's own."""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import contextmanager
from datetime import datetime
from typing import TYPE_CHECKING, Any, Protocol
from uuid import UUID

import psycopg
from psycopg.types.json import Jsonb

from agent_runtime.audit.records import Checked, Exported, Head
from agent_runtime.db.connection import connect, describe, explain, translate
from agent_runtime.errors import ConfigError, DatabaseUnavailable, Denied

if TYPE_CHECKING:
    from agent_runtime.person.client import Person

_ROWS_AT_ONCE = 20_000
_ROWS_AT_ONCE_BY_REST = 5_000
_ROWS_IN_AN_ANSWER = 1_000


class AuditSource(Protocol):
    """A place, `after`, is what the answer before gave; None is the beginning."""

    async def heads(self) -> list[Head]:
        """The end of each chain that can be seen."""

    async def check(self, tenant_id: UUID | None, after: dict[str, Any] | None, kept: Head | None, /) -> Checked:
        """Verify the next rows, at the end of the chain its head, and a head that was kept."""

    async def export(
        self, tenant_id: UUID | None, after: dict[str, Any] | None, since: datetime | None, until: datetime | None, /
    ) -> Exported:
        """The next rows."""


class OwnerSource:
    """Every chain, by a connection of the owner's; nothing else runs beside it, so that it may block."""

    def __init__(self, connection: psycopg.Connection) -> None:
        self._connection = connection

    async def heads(self) -> list[Head]:
        return [Head.model_validate(head) for head in self._value("private.audit_heads_of(null, true)")]

    async def check(self, tenant_id: UUID | None, after: dict[str, Any] | None, kept: Head | None) -> Checked:
        arguments = tenant_id, _json(after), _ROWS_AT_ONCE, _json(kept.model_dump(mode="json") if kept else None)
        return Checked.model_validate(self._value("private.check_audit(%s, %s, %s, %s)", *arguments))

    async def export(
        self, tenant_id: UUID | None, after: dict[str, Any] | None, since: datetime | None, until: datetime | None
    ) -> Exported:
        arguments = tenant_id, _json(after), _ROWS_IN_AN_ANSWER, since, until
        return Exported.model_validate(self._value("private.export_audit(%s, %s, %s, %s, %s)", *arguments))

    def _value(self, call: str, *arguments: object) -> Any:
        row = self._connection.execute(f"select {call}".encode(), arguments).fetchone()
        assert row is not None, "a function gives a row"
        return row[0]


class PersonSource:
    """The chain of the tenant whose admin is signed in."""

    def __init__(self, person: Person) -> None:
        self._person = person

    async def heads(self) -> list[Head]:
        return [Head.model_validate(head) for head in await self._person.audit("audit_head", {})]

    async def check(self, _tenant_id: UUID | None, after: dict[str, Any] | None, kept: Head | None) -> Checked:
        arguments = {
            "p_after": after,
            "p_limit": _ROWS_AT_ONCE_BY_REST,
            "p_head": kept.model_dump(mode="json") if kept else None,
        }
        return Checked.model_validate(await self._person.audit("audit_verify", arguments))

    async def export(
        self, _tenant_id: UUID | None, after: dict[str, Any] | None, since: datetime | None, until: datetime | None
    ) -> Exported:
        arguments = {
            "p_after": after,
            "p_limit": _ROWS_IN_AN_ANSWER,
            "p_since": since.isoformat() if since else None,
            "p_until": until.isoformat() if until else None,
        }
        return Exported.model_validate(await self._person.audit("audit_export", arguments))


@contextmanager
def owner_connection(database_url: str) -> Iterator[psycopg.Connection]:
    """A connection of the owner's, whose errors are told in a line.

    Raises `ConfigError` (nothing is installed, or an older version), `Denied` (another role than the owner), and
    `DatabaseUnavailable`.
    """
    with connect(database_url) as connection:
        try:
            yield connection
        except (psycopg.errors.UndefinedFunction, psycopg.errors.InvalidSchemaName):
            raise ConfigError(
                f"{describe(database_url)}: the audit is not there yet: run `agent-runtime db apply`"
            ) from None
        except psycopg.errors.InsufficientPrivilege as error:
            raise Denied(f"{describe(database_url)}: {explain(error)}; DATABASE_URL has to be the owner's") from None
        except psycopg.errors.LockNotAvailable:
            raise DatabaseUnavailable(f"{describe(database_url)}: the audit is being read; try again later") from None
        except psycopg.OperationalError as error:
            raise DatabaseUnavailable(f"{describe(database_url)}: {explain(error)}") from None
        except psycopg.Error as error:
            if ours := translate(error):
                raise ours from None
            raise


def _json(value: dict[str, Any] | None) -> Jsonb | None:
    return None if value is None else Jsonb(value)
