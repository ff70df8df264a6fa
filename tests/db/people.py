"""A tenant with people of each role, their work, and somebody outside who wants it."""

from __future__ import annotations

import uuid
from dataclasses import dataclass

from tests.db import runs
from tests.db.impersonation import Connection, Row, one, person, value


@dataclass(frozen=True)
class People:
    """alice, frank (users), vera (viewer), dan (admin) and eve (deactivated) are of one tenant; bob is of his own."""

    alice: uuid.UUID
    frank: uuid.UUID
    vera: uuid.UUID
    dan: uuid.UUID
    eve: uuid.UUID
    bob: uuid.UUID
    tenant: uuid.UUID
    """Alice's."""
    task: Row
    """Alice's, running, with a message, an execution, a file and a timeline."""
    execution: str
    private_agent: uuid.UUID
    """Alice's, which nobody else may use."""
    tenant_agent: uuid.UUID
    """Alice's too, shared with her tenant."""

    @property
    def conversation(self) -> uuid.UUID:
        """Of Alice's task."""
        found: uuid.UUID = self.task["conversation_id"]
        return found


def settle_in(connection: Connection) -> People:
    """Everybody signs up, an admin at psql gives out the roles, and Alice works."""
    runs.install_probes(connection)
    runs.register(connection)
    alice, frank, vera, dan, eve, bob = (
        runs.sign_up(connection, f"{name}@example.org") for name in ("alice", "frank", "vera", "dan", "eve", "bob")
    )
    tenant = value(connection, "select tenant_id from public.users where id = %s", alice)
    for user, role in ((frank, "user"), (vera, "viewer"), (dan, "admin"), (eve, "admin")):
        connection.execute("update public.users set tenant_id = %s, role = %s where id = %s", [tenant, role, user])
    for user in (alice, frank, eve):
        runs.submit(connection, user)
    connection.execute("update public.users set is_active = false where id = %s", [eve])
    connection.execute(
        "insert into public.system_config (config_key, config_value, is_sensitive)"
        " values ('probe_secret', '\"s\"', true)"
    )
    (task,) = (t for t in runs.claim(connection, 10) if t["user_id"] == alice)
    path = f"{task['tenant_id']}/{task['id']}/report.md"
    file = {
        "filename": "report.md",
        "file_path": path,
        "file_size": 3,
        "mime_type": "text/plain",
        "file_hash": "0" * 64,
    }
    execution = runs.executed(connection, task, 1, files=[file])
    return People(
        alice, frank, vera, dan, eve, bob, tenant, task, execution,
        private_agent=_agent(connection, alice, "Mine", public=False),
        tenant_agent=_agent(connection, alice, "Ours", public=True),
    )  # fmt: skip


def _agent(connection: Connection, user: uuid.UUID, name: str, *, public: bool) -> uuid.UUID:
    with person(connection, user):
        row = one(
            connection,
            "insert into public.agents (name, system_prompt, model_name, is_public)"
            " values (%s, 'x', 'm', %s) returning id",
            name, public,
        )  # fmt: skip
    found: uuid.UUID = row["id"]
    return found
