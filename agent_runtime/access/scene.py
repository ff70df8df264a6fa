"""The people who try, in two tenants, and a row of everybody's in every table."""

from __future__ import annotations

import json
import secrets
import uuid
from collections.abc import Callable
from dataclasses import dataclass, field
from string import Template
from typing import Any

import psycopg
from psycopg import sql

from agent_runtime.access.matrix import Caller, Matrix, Thing
from agent_runtime.access.reach import Me, Row
from agent_runtime.errors import AgentRuntimeError

Connection = psycopg.Connection[dict[str, Any]]
SignUp = Callable[[str, str], str]
"""Makes an account for a caller, with this name in its e-mail address; its id."""

NAME = "access-probe"
"""Begins the e-mail address, and with that the tenant's name, of everybody who is made up here."""

BUCKET = f"{NAME}-bucket"
"""To be tried on, since it may be lost."""

_OF_A_SPOT = frozenset({"tenant", "user", "conversation", "task", "message", "execution", "agent", "invitation"})


@dataclass(frozen=True)
class Spot:
    """Somebody's work, private or shared: what the rows are made from, and what tries are aimed at."""

    row: Row
    values: dict[str, Any]


@dataclass
class Scene:
    """Everybody and everything. `rows` is by the name of the thing."""

    matrix: Matrix
    people: dict[str, Me] = field(default_factory=dict)
    spots: list[Spot] = field(default_factory=list)
    common: dict[str, Any] = field(default_factory=dict)
    rows: dict[str, list[Row]] = field(default_factory=dict)
    accounts: list[str] = field(default_factory=list)

    @property
    def tenants(self) -> list[str]:
        """All of the probes' tenants, those that they left behind too."""
        return sorted({tenant for me in self.people.values() for tenant in (me.tenant, me.home) if tenant})

    def me(self, caller: Caller) -> Me:
        """Who the caller is; nobody, for a key or a role."""
        return self.people.get(caller.acts_for or caller.name, Me())

    def targets(self, caller: Caller) -> list[Spot]:
        """What tries are aimed at: the caller's own work, a colleague's, shared and not, and an outsider's."""
        me = self.me(caller)
        here = me.tenant if any(spot.row.tenant == me.tenant for spot in self.spots) else self.people["user"].tenant
        others = [spot for spot in self.spots if spot.row.user != me.user]
        own = next((spot for spot in self.spots if spot.row.user == me.user), None)
        shared = next(spot for spot in others if spot.row.tenant == here and spot.row.shared)
        private = next(
            spot
            for spot in others
            if spot.row.tenant == here and not spot.row.shared and spot.row.user != shared.row.user
        )
        elsewhere = next(spot for spot in others if spot.row.tenant != here and spot.row.shared)
        return [*([own] if own else []), shared, private, elsewhere]

    def aimed(self, body: dict[str, Any], spot: Spot | None, me: Me) -> dict[str, Any]:
        """A trial's columns or arguments with its placeholders filled."""
        new = str(uuid.uuid4())
        values = {"new": new, "short": new[:8] + new[9:13], "me": me.user or new, **self.common}
        values |= spot.values if spot else {}
        return {name: _filled(given, values) for name, given in body.items()}


def is_about_a_row(body: dict[str, Any]) -> bool:
    """Whether the trial is aimed at somebody's work."""
    names = {name for given in body.values() if isinstance(given, str) for name in Template(given).get_identifiers()}
    return bool(names & _OF_A_SPOT)


def settle(connection: Connection, matrix: Matrix, sign_up: SignUp, scene: Scene) -> None:
    """Make everybody and everything, as the owner, and note it in `scene`, so that it can be cleared whatever happens.

    Raises `psycopg.Error` when a row of a trial cannot be made, `AgentRuntimeError` when a table stays empty.
    """
    _people(connection, scene, sign_up)
    for shared in (False, True):
        for caller in matrix.callers.values():
            if caller.is_person:
                scene.spots.append(_spot(scene.people[caller.name], shared))
    _commons(connection, scene)
    made = {thing.name: _made(connection, scene, thing) for thing in matrix.made if thing.trial.make}
    made |= {
        thing.name: made.get(thing.name, []) + _platforms(connection, scene, thing)
        for thing in matrix.made
        if thing.trial.platform
    }
    if connection.info.transaction_status == psycopg.pq.TransactionStatus.INTRANS:
        # The audit is written when a transaction ends, and this one never does.
        connection.execute("set constraints all immediate")
        connection.execute("set constraints all deferred")
    for thing in matrix.of("tables", "views"):
        scene.rows[thing.name] = _rows(connection, scene, thing, made.get(thing.name, []))
        if not scene.rows[thing.name] and any(thing.cells.values()):
            raise AgentRuntimeError(f"access.yaml: there is no row of {thing.name} to try: its trial needs `make`")


def clear(connection: Connection, scene: Scene) -> list[str]:
    """Remove what can be removed, as the owner; what could not be, a sentence each. The audit stays."""
    left = []
    # Some have got another home by leaving.
    homes = connection.execute(
        "select unnest(array[tenant_id, home_tenant_id])::text as id from public.users where id = any (%s::uuid[])",
        [scene.accounts],
    )
    tenants = {*scene.tenants, *(row["id"] for row in homes)}
    for what, statement in (
        ("accounts", "delete from auth.users where id = any (%(accounts)s::uuid[])"),
        ("tenants", "delete from public.tenants where id = any (%(tenants)s::uuid[]) or slug like 'access-probe%%'"),
        ("agents", "delete from public.agents where tenant_id is null and id = any (%(agents)s::uuid[])"),
        ("tools", "delete from public.tools where name like 'probe\\_%%' and category = 'probe'"),
        ("credentials", "delete from public.credentials where name like 'probe.%%' and key_id = 'probe'"),
        ("settings", "delete from public.system_config where config_key like 'probe\\_%%'"),
        ("workers", "delete from public.workers where host = 'probe'"),
    ):
        try:
            with connection.transaction():
                connection.execute(
                    statement,
                    {
                        "accounts": scene.accounts,
                        "tenants": sorted(tenants),
                        "agents": [scene.common["used_agent"], scene.common["platform_agent"]],
                    },
                )
        except psycopg.Error as error:
            left.append(f"the probes' {what} stay: {error.diag.message_primary or error}")
    return left


def insert(connection: Connection, relation: str, columns: dict[str, Any]) -> None:
    """One row, as whoever the connection acts for; values are texts that the columns' types take."""
    if not columns:
        connection.execute(f"insert into {relation} default values")
        return
    connection.execute(
        sql.SQL("insert into {} ({}) values ({})").format(
            sql.SQL(relation),
            sql.SQL(", ").join(map(sql.Identifier, columns)),
            sql.SQL(", ").join([sql.Placeholder()] * len(columns)),
        ),
        [as_text(value) for value in columns.values()],
    )


def as_text(value: Any) -> Any:
    """A value of a trial as SQL takes it, whatever the column's type."""
    return json.dumps(value) if isinstance(value, dict | list) else value


def array(keys: list[str]) -> str:
    """An array's literal, of whichever type the column is."""
    return "{" + ",".join(f'"{key}"' for key in keys) + "}"


def _people(connection: Connection, scene: Scene, sign_up: SignUp) -> None:
    mark = secrets.token_hex(5)
    persons = [caller for caller in scene.matrix.callers.values() if caller.tenant]
    homes: dict[str, str] = {}
    for caller in persons:
        user = sign_up(caller.name, f"{NAME}-{mark}-{caller.name.replace('_', '-')}")
        scene.accounts.append(user)
        row = connection.execute("select tenant_id::text from public.users where id = %s", [user]).fetchone()
        if row is None:
            raise AgentRuntimeError("a sign-up made no profile: is the schema installed in this database?")
        scene.people[caller.name] = Me(user, row["tenant_id"], row["tenant_id"])
        homes.setdefault(str(caller.tenant), row["tenant_id"])
    for caller in persons:
        me = scene.people[caller.name]
        if caller.tenant == "none":
            connection.execute("delete from auth.users where id = %s", [me.user])
            continue
        scene.people[caller.name] = Me(me.user, homes[str(caller.tenant)], me.home)
        connection.execute(
            "update public.users set tenant_id = %s, role = %s, is_operator = %s where id = %s",
            [homes[str(caller.tenant)], caller.as_role, caller.operator, me.user],
        )


def make_storage_rows(connection: Connection, scene: Scene) -> None:
    """What Storage would have written for a bucket and for everybody's file; where no API is asked."""
    note_files(scene)
    insert(connection, "storage.buckets", {"id": BUCKET, "name": BUCKET})
    for row in scene.rows["agent-files"]:
        insert(connection, "storage.objects", {"bucket_id": "agent-files", "name": row.key})


def note_files(scene: Scene) -> None:
    """Which files and buckets there are to be tried."""
    scene.rows["buckets"] = [Row(BUCKET, None, None, False)]
    scene.rows["agent-files"] = [
        Row(f"{spot.row.tenant}/{spot.values['task']}/probe.txt", spot.row.user, spot.row.tenant, spot.row.shared)
        for spot in scene.spots
    ]


def switch_off(connection: Connection, scene: Scene) -> None:
    """Deactivate whom the matrix says, once everything is made."""
    for caller in scene.matrix.callers.values():
        if not caller.active:
            connection.execute(
                "update public.users set is_active = false where id = %s", [scene.people[caller.name].user]
            )


def _spot(me: Me, shared: bool) -> Spot:
    ids = {name: str(uuid.uuid4()) for name in sorted(_OF_A_SPOT - {"tenant", "user"})}
    values = {**ids, "user": me.user, "tenant": me.tenant, "shared": shared}
    return Spot(Row(ids["task"], me.user, me.tenant, shared), values)


def _commons(connection: Connection, scene: Scene) -> None:
    # Used rows cannot be deleted, so what the work refers to is apart from what is tried.
    scene.common |= {name: str(uuid.uuid4()) for name in ("used_agent", "used_tool", "platform_agent")}
    agent, tool = (scene.matrix.thing("tables", name).trial.platform[0] for name in ("agents", "tools"))
    insert(connection, "public.agents", scene.aimed(agent | {"id": "$used_agent"}, None, Me()))
    insert(connection, "public.tools", scene.aimed(tool | {"id": "$used_tool"}, None, Me()))


def _made(connection: Connection, scene: Scene, thing: Thing) -> list[str]:
    keys = []
    for spot in scene.spots:
        columns = scene.aimed(thing.trial.make or {}, spot, Me(spot.row.user))
        insert(connection, thing.relation, columns)
        keys.append(str(columns.get(thing.trial.key)))
    return keys


def _platforms(connection: Connection, scene: Scene, thing: Thing) -> list[str]:
    keys = []
    for body in thing.trial.platform:
        columns = scene.aimed(body, None, Me())
        insert(connection, thing.relation, columns)
        keys.append(str(columns[thing.trial.key]))
    return keys


def _rows(connection: Connection, scene: Scene, thing: Thing, made: list[str]) -> list[Row]:
    """One row for each tenant, person and sharing that there is of it."""
    key = f'r."{thing.trial.key}"'
    found = connection.execute(
        # Where to look and whose it is are the file's own SQL.
        f"select distinct on (w.user_id, w.tenant_id, w.shared)"
        f" {key}::text as key, w.user_id::text, w.tenant_id::text, w.shared"
        f" from {thing.trial.of or thing.relation} r"
        f" cross join lateral ({thing.trial.whose}) as w (user_id, tenant_id, shared)"
        f" where {thing.trial.find} or {key} = any (%(made)s)"
        f" order by w.user_id, w.tenant_id, w.shared, {key}",
        {"tenants": array(scene.tenants), "made": array([one for one in made if one != "None"])},
    )
    return [Row(row["key"], row["user_id"], row["tenant_id"], row["shared"]) for row in found]


def _filled(given: Any, values: dict[str, Any]) -> Any:
    if not isinstance(given, str) or "$" not in given:
        return given
    # Alone, a placeholder keeps its type.
    if given[1:] in values:
        return values[given[1:]]
    return Template(given).substitute(values)
