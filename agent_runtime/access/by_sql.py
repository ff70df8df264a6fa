"""Every cell tried by SQL, as the owner who takes on the caller's role and claims. Each try is rolled back."""

from __future__ import annotations

import json
import uuid
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from typing import Any

import psycopg
from psycopg import sql

from agent_runtime.access.catalog import Catalog, Parameter
from agent_runtime.access.matrix import Caller, Thing, Trial, Verb
from agent_runtime.access.reach import NOT_WRITABLE, Outcome, Row, is_refusal
from agent_runtime.access.scene import Connection, Scene, Spot, array, as_text, insert, is_about_a_row

OPERATIONS: dict[Verb, str] = {
    "select": "storage.object.get_authenticated",
    "insert": "storage.object.upload",
    "update": "storage.object.upload_update",
    "delete": "storage.object.delete_many",
    "sign": "storage.object.sign",
}
"""What Storage says that it is doing, while it asks the database."""

_GUESSES: dict[str, Any] = {
    "uuid": None, "integer": 1, "bigint": 1, "double precision": 1, "boolean": True, "jsonb": "{}", "oid": 0,
    "timestamp with time zone": "2100-01-01", "uuid[]": "{}", "text[]": "{}",
}  # fmt: skip


class BySql:
    """Tries as one caller. `blind`: changes without a condition too, which read nothing; for a database of its own."""

    def __init__(self, connection: Connection, scene: Scene, catalog: Catalog, *, blind: bool = False) -> None:
        self._connection, self._scene, self._catalog, self._blind = connection, scene, catalog, blind

    @contextmanager
    def acting(self, caller: Caller) -> Iterator[None]:
        """Inside, statements run as the caller."""
        me = self._scene.me(caller)
        claims = {"role": caller.role} | ({"sub": me.user} if me.user else {})
        with self._connection.transaction(force_rollback=True):
            if caller.acts_for:
                # Whoever's claims a tool's SQL sets, it acts for the task's owner.
                claims["sub"] = self._scene.people["outsider_admin"].user or ""
                self._connection.execute(
                    "insert into private.acting (xid, user_id, task_id) values (pg_current_xact_id(), %s, %s)",
                    [me.user, uuid.uuid4()],
                )
            self._connection.execute(
                "select set_config('request.jwt.claims', %s, true), set_config('request.jwt.claim.sub', %s, true),"
                " set_config('request.jwt.claim.role', %s, true), set_config('lock_timeout', '5s', true)",
                [json.dumps(claims), claims.get("sub", ""), caller.role],
            )
            self._connection.execute(sql.SQL("set local role {}").format(sql.Identifier(caller.role)))
            yield

    def attempt(self, caller: Caller, thing: Thing, verb: Verb) -> Outcome:
        """One cell; inside `acting`."""
        match thing.section:
            case "functions" | "private_functions":
                return self._call(caller, thing)
            case "sequences":
                what = "select last_value from {}" if verb == "select" else "select nextval('{}')"
                return self._plain(what.format(thing.relation))
            case "storage":
                # Hosted Storage has a trigger against deletions beside it.
                self._connection.execute(
                    "select set_config('storage.operation', %s, true),"
                    " set_config('storage.allow_delete_query', 'true', true)",
                    [OPERATIONS.get(verb, "")],
                )
                if verb == "sign":
                    return self._relation(caller, thing, "select", self._scene.rows[thing.name])
        return self._relation(caller, thing, verb, self._scene.rows.get(thing.name, []))

    def _relation(self, caller: Caller, thing: Thing, verb: Verb, rows: list[Row]) -> Outcome:
        match verb:
            case "truncate":
                return self._plain(f"truncate {thing.relation} cascade")
            case "insert":
                return self._insert(caller, thing)
        if not rows:
            # Nobody reaches it at all: the verb alone is tried.
            key = "true" if verb == "select" else self._any_column(thing)
            statement = {
                "select": f"select {key} from {thing.relation} limit 1",
                "update": f"update {thing.relation} set {key} = {key}",
                "delete": f"delete from {thing.relation}",
            }[verb]
            return self._plain(statement)
        if verb == "select":
            return self._rows(rows, lambda some: self._select(thing, some))
        change = self._update if verb == "update" else self._delete
        return self._rows(rows, lambda some: change(caller, thing, some))

    def _rows(self, rows: list[Row], attempt: Callable[[list[Row]], tuple[set[str], str | None]]) -> Outcome:
        """All at once; where one of them is refused for itself, one by one."""
        reached, answer = attempt(rows)
        answers = {answer}
        if answer is not None and not answer.startswith("!") and len(rows) > 1:
            each = [attempt([row]) for row in rows]
            reached = set().union(*(some for some, _ in each))
            answers = {code for _, code in each}
        return Outcome(tuple(rows), frozenset(reached), frozenset(code.lstrip("!") for code in answers if code))

    def _select(self, thing: Thing, rows: list[Row]) -> tuple[set[str], str | None]:
        key = f'"{thing.trial.key}"'
        found: list[dict[str, Any]] = []
        code = self._try(
            f"select {key}::text as key from {thing.relation} where {key} = any (%s)",
            [array([row.key for row in rows])],
            lambda cursor: found.extend(cursor.fetchall()),
        )
        return {row["key"] for row in found}, code

    def _update(self, caller: Caller, thing: Thing, rows: list[Row]) -> tuple[set[str], str | None]:
        body = self._scene.aimed(thing.trial.update, None, self._scene.me(caller))
        key, keys = f'"{thing.trial.key}"', array([row.key for row in rows])
        if not body:
            column = self._any_column(thing)
            changed: list[int] = []
            code = self._try(
                f"update {thing.relation} set {column} = {column} where {key} = any (%s)",
                [keys],
                lambda cursor: changed.append(cursor.rowcount),
            )
            return ({row.key for row in rows} if changed and changed[0] else set()), code
        ((column, value),) = body.items()
        change = f'update {thing.relation} set "{column}" = %s'
        seen = f'select {key}::text as key from {thing.relation} where {key} = any (%s) and "{column}" = %s'
        found: set[str] = set()

        def look(_: object) -> None:
            found.update(self._as_owner(seen, [keys, value]))

        if self._blind and self._try(change, [value], look) is None:
            return found, None
        return found, self._try(f"{change} where {key} = any (%s)", [value, keys], look)

    def _delete(self, _: Caller, thing: Thing, rows: list[Row]) -> tuple[set[str], str | None]:
        key, keys = f'"{thing.trial.key}"', [row.key for row in rows]
        gone: set[str] = set()

        def look(_: object) -> None:
            seen = f"select {key}::text as key from {thing.relation} where {key} = any (%s)"
            gone.update(set(keys) - set(self._as_owner(seen, [array(keys)])))

        if self._blind and self._try(f"delete from {thing.relation}", [], look) is None:
            return gone, None
        return gone, self._try(f"delete from {thing.relation} where {key} = any (%s)", [array(keys)], look)

    def _insert(self, caller: Caller, thing: Thing) -> Outcome:
        trial = thing.trial
        spots = self._scene.targets(caller) if is_about_a_row(trial.insert) else [None]
        return self._aimed(spots, lambda spot: self._insert_one(caller, thing, trial, spot))

    def _insert_one(self, caller: Caller, thing: Thing, trial: Trial, spot: Spot | None) -> tuple[bool, str | None]:
        columns = self._scene.aimed(trial.insert, spot, self._scene.me(caller))
        landed: list[str] = []

        def look(_: object) -> None:
            if spot and trial.key in columns:
                # What counts is whose it became, not whose it was said to be.
                landed.extend(
                    self._as_owner(
                        f"select 'x' as key from {thing.relation} r cross join lateral ({trial.whose}) as w (u, t, s)"
                        f' where r."{trial.key}" = %s and (w.u is null or w.u = %s) and w.t = %s',
                        [columns[trial.key], spot.row.user, spot.row.tenant],
                    )
                )
            else:
                landed.append("x")

        code = self._within(lambda: insert(self._connection, thing.relation, columns), look)
        if code is not None and not is_refusal(code.lstrip("!")):
            # It got as far as a constraint.
            return True, code
        return bool(landed), code

    def _call(self, caller: Caller, thing: Thing) -> Outcome:
        trial = thing.trial
        parameters = self._catalog.parameters.get((thing.schema, thing.name), ())
        spots = self._scene.targets(caller) if is_about_a_row(trial.arguments) else [None]

        def one(spot: Spot | None) -> tuple[bool, str | None]:
            arguments = self._scene.aimed(trial.arguments, spot, self._scene.me(caller))
            given = guessed(parameters, arguments)
            # By position where a parameter has no name.
            listed = ", ".join(f"{f'{p.name} => ' if p.name else ''}%s::{p.type}" for p, _ in given)
            code = self._try(f"select {thing.relation}({listed})", [as_text(value) for _, value in given], _nothing)
            return came_as_far(code, trial)

        return self._aimed(spots, one)

    def _aimed(self, spots: list[Spot] | list[None], one: Callable[[Any], tuple[bool, str | None]]) -> Outcome:
        if spots and spots[0] is None:
            reached, code = one(None)
            return Outcome.of(reached, code and code.lstrip("!"))
        tried: dict[str, tuple[bool, str | None]] = {}
        for spot in spots:
            assert spot is not None
            tried[spot.row.key] = one(spot)
            if (tried[spot.row.key][1] or "").startswith("!"):
                # The role may not at all, whoever's it is.
                break
        rows = tuple(spot.row for spot in spots if spot)
        answers = frozenset(code.lstrip("!") for _, code in tried.values() if code)
        return Outcome(rows, frozenset(key for key, (reached, _) in tried.items() if reached), answers)

    def _plain(self, statement: str) -> Outcome:
        code = self._try(statement, [], _nothing)
        return Outcome.of(code is None or not is_refusal(code.lstrip("!")), code and code.lstrip("!"))

    def _any_column(self, thing: Thing) -> str:
        (name,) = self._as_owner(
            "select quote_ident(attname) as key from pg_catalog.pg_attribute"
            " where attrelid = %s::regclass and attnum > 0 and not attisdropped and attidentity = ''"
            " order by attnum limit 1",
            [thing.relation],
        )
        return name

    def _as_owner(self, statement: str, parameters: list[Any]) -> list[str]:
        with self._connection.transaction(force_rollback=True):
            self._connection.execute("reset role")
            return [row["key"] for row in self._connection.execute(statement, parameters)]

    def _try(
        self, statement: str, parameters: list[Any], then: Callable[[psycopg.Cursor[dict[str, Any]]], None]
    ) -> str | None:
        cursor: list[psycopg.Cursor[dict[str, Any]]] = []
        return self._within(
            lambda: cursor.append(self._connection.execute(statement, parameters or None)), lambda _: then(cursor[0])
        )

    def _within(self, work: Callable[[], object], then: Callable[[object], None]) -> str | None:
        """None, or the SQLSTATE; with a ! where the role lacks the privilege, so that no other row would do better."""
        try:
            with self._connection.transaction(force_rollback=True):
                work()
                then(None)
        except psycopg.Error as error:
            code = error.sqlstate or type(error).__name__
            if (error.diag.message_primary or "").startswith("a tool cannot do this"):
                return "!42501"
            lacks = code == "42501" and (error.diag.message_primary or "").startswith("permission denied for")
            return f"!{code}" if lacks or code in NOT_WRITABLE else code
        return None


def guessed(parameters: tuple[Parameter, ...], arguments: dict[str, Any]) -> list[tuple[Parameter, Any]]:
    """Each argument that is given or has no default, guessed by its type where it is not given."""
    return [
        (parameter, _argument(parameter, arguments))
        for parameter in parameters
        if parameter.name in arguments or not parameter.has_default
    ]


def came_as_far(code: str | None, trial: Trial) -> tuple[bool, str | None]:
    """Whether the answer says that the caller reached the row; what else it said."""
    if code is None or code in trial.reached:
        return True, None
    return not is_refusal(code.lstrip("!")), code


def _argument(parameter: Parameter, arguments: dict[str, Any]) -> Any:
    if parameter.name in arguments:
        return arguments[parameter.name]
    if parameter.type == "uuid":
        return str(uuid.uuid4())
    return _GUESSES.get(parameter.type, "probe" if parameter.type in ("text", "character varying") else None)


def _nothing(_: object) -> None:
    pass
