"""Trying the whole matrix: the scene is set, every cell is tried, the scene is cleared."""

from __future__ import annotations

import uuid
from collections.abc import Callable
from typing import cast

import psycopg
from psycopg.rows import dict_row

from agent_runtime.access import scene as scenes
from agent_runtime.access.accounts import Api
from agent_runtime.access.by_rest import ByRest
from agent_runtime.access.by_sql import BySql
from agent_runtime.access.catalog import Catalog, look
from agent_runtime.access.matrix import DENIED, Caller, Matrix, Thing, Verb
from agent_runtime.access.reach import Outcome, word
from agent_runtime.access.report import Finding, Report, Way
from agent_runtime.access.scene import Connection, Scene

OnCaller = Callable[[Way, str], None]
"""Called with each caller before its cells are tried."""


def by_sql(
    connection: Connection,
    matrix: Matrix,
    *,
    only: frozenset[str] | None = None,
    blind: bool = False,
    on_caller: OnCaller = lambda *_: None,
) -> Report:
    """Everything by SQL in one transaction that is rolled back, so that nothing stays.

    As everybody or as these callers alone; `connection` is the owner's. `blind`: see `BySql`.
    """
    with connection.transaction(force_rollback=True):
        may_take_on(connection, matrix)
        scene = Scene(matrix)
        scenes.settle(connection, matrix, lambda _, name: make_account(connection, name), scene)
        catalog = look(connection, matrix)
        if catalog.has_storage:
            scenes.make_storage_rows(connection, scene)
        scenes.switch_off(connection, scene)
        findings = sql_findings(connection, scene, catalog, only=only, blind=blind, on_caller=on_caller)
        return Report(findings, catalog.missing)


def sql_findings(
    connection: Connection,
    scene: Scene,
    catalog: Catalog,
    *,
    only: frozenset[str] | None = None,
    blind: bool = False,
    on_caller: OnCaller = lambda *_: None,
) -> list[Finding]:
    """Every cell by SQL; inside a transaction."""
    tries = BySql(connection, scene, catalog, blind=blind)
    findings = []
    for caller in _callers(scene, only):
        on_caller("sql", caller.name)
        with tries.acting(caller):
            for thing in scene.matrix.things:
                if thing.schema == "storage" and not catalog.has_storage:
                    continue
                for verb in thing.verbs:
                    outcome = tries.attempt(caller, thing, verb)
                    findings.append(found(scene, caller, thing, verb, "sql", outcome, thing.declared(verb, caller)))
    return findings


def everywhere(
    connection: Connection,
    matrix: Matrix,
    api: Api,
    *,
    only: frozenset[str] | None = None,
    on_caller: OnCaller = lambda *_: None,
) -> Report:
    """Everything by SQL and by HTTP, as everybody or these callers alone; `connection` is the owner's, in autocommit.

    What it makes is removed, but for the audit.

    Raises `Unavailable` when the API does not answer, `AgentRuntimeError` when the scene cannot be set.
    """
    tokens: dict[str, str] = {}

    def sign_up(caller: str, name: str) -> str:
        user, tokens[caller] = api.sign_up(name)
        return user

    scene = Scene(matrix)
    tries: ByRest | None = None
    try:
        with connection.transaction(force_rollback=True):
            may_take_on(connection, matrix)
        scenes.settle(connection, matrix, sign_up, scene)
        catalog = look(connection, matrix)
        keys = {"anon": api.publishable_key, "service_role": api.secret_key}
        tries = ByRest(connection, scene, catalog, url=api.url, keys=keys, tokens=tokens)
        tries.make_bucket()
        tries.upload_files()
        scenes.switch_off(connection, scene)
        with connection.transaction(force_rollback=True):
            may_take_on(connection, matrix)
            findings = sql_findings(connection, scene, catalog, only=only, on_caller=on_caller)
        findings += rest_findings(scene, tries, only=only, on_caller=on_caller)
        missing = catalog.missing
    finally:
        if tries:
            tries.clear()
            tries.close()
        left = scenes.clear(connection, scene)
    return Report(findings, missing, tuple(left))


def rest_findings(
    scene: Scene, tries: ByRest, *, only: frozenset[str] | None = None, on_caller: OnCaller = lambda *_: None
) -> list[Finding]:
    """Every cell that can be tried by HTTP."""
    findings, callers = [], _callers(scene, only)
    for caller, things in (
        *((caller, [thing for thing in scene.matrix.things if not thing.trial.last]) for caller in callers),
        *((caller, [thing for thing in scene.matrix.things if thing.trial.last]) for caller in callers),
    ):
        on_caller("rest", caller.name)
        for thing in things:
            for verb in thing.verbs:
                if tries.can_try(caller, thing, verb):
                    declared = _by_rest(thing, caller, verb)
                    outcome = tries.attempt(caller, thing, verb)
                    findings.append(found(scene, caller, thing, verb, "rest", outcome, declared))
    return findings


def found(scene: Scene, caller: Caller, thing: Thing, verb: Verb, way: Way, outcome: Outcome, declared: str) -> Finding:
    """An outcome in the matrix's words."""
    return Finding(
        thing.section, thing.name, verb, caller.name, way, declared, word(outcome, declared, scene.me(caller))
    )


def _callers(scene: Scene, only: frozenset[str] | None) -> list[Caller]:
    return [caller for caller in scene.matrix.callers.values() if only is None or caller.name in only]


def _by_rest(thing: Thing, caller: Caller, verb: Verb) -> str:
    # What is in private is not exposed, whatever is granted there.
    return DENIED if thing.schema == "private" else thing.declared(verb, caller)


def with_names(connection: psycopg.Connection) -> Connection:
    """The same connection, whose rows are by name."""
    named = cast(Connection, connection)
    named.row_factory = dict_row
    return named


def may_take_on(connection: Connection, matrix: Matrix) -> None:
    """Let the owner act as every role that tries, inside a transaction that is rolled back."""
    for role in sorted({caller.role for caller in matrix.callers.values()}):
        row = connection.execute("select pg_catalog.pg_has_role(current_user, %s, 'member') as may", [role]).fetchone()
        if not (row and row["may"]):
            connection.execute(f'grant "{role}" to current_user')


def make_account(connection: Connection, name: str) -> str:
    """An account as Supabase Auth would make it, but without a password."""
    user = str(uuid.uuid4())
    connection.execute("insert into auth.users (id, email) values (%s, %s)", [user, f"{name}@example.org"])
    return user
