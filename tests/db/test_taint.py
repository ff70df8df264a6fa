"""Taint and the outward gate: what marks a task, which calls then wait for a person, and who may permit what."""

from __future__ import annotations

import json
import uuid
from concurrent.futures import ThreadPoolExecutor
from typing import TYPE_CHECKING, Any

import pytest

from tests.db import runs
from tests.db.control import decide, lose_worker
from tests.db.impersonation import (
    DENIED,
    INVALID,
    UNAPPROVED,
    Connection,
    Row,
    acting_as,
    many,
    one,
    person,
    refused,
    value,
)
from tests.db.people import People, settle_in
from tests.db.races import connect, wait_until_blocked
from tests.db.runs import execution_row, finish, record_turn, start, task_row, tool_call

if TYPE_CHECKING:
    from tests.conftest import Database

PROBES = (
    # name, retry class, taints, outward, destination
    ("probe_mail", "unsafe", False, True, "to, cc"),
    ("probe_note", "idempotent", False, True, "to"),
    ("probe_page", "pure", True, True, "url"),
    ("probe_search", "pure", True, True, "=the search engines"),
    ("probe_nowhere", "unsafe", False, True, None),
    ("probe_shell", "unsafe", False, False, None),
)
URL = "https://news.example/a?b=1&c=2"


def install(connection: Connection) -> None:
    """Tools that send, that read pages and that search; the catalogue's agent has them all."""
    for name, retry_class, taints, outward, destination in PROBES:
        schema = {"function": {"parameters": {"properties": {"mode": {"enum": ["text", "html"]}}}}}
        connection.execute(
            "insert into public.tools (name, display_name, description, category, function_schema, retry_class, taints,"
            " outward, destination) values (%s, %s, 'For tests', 'test', %s, %s, %s, %s, %s)",
            [name, name, json.dumps(schema), retry_class, taints, outward, destination],
        )
    connection.execute(
        "update public.agents set tools_enabled = tools_enabled || %s where name = 'Prober'", [[p[0] for p in PROBES]]
    )


@pytest.fixture
def alice(connection: Connection) -> uuid.UUID:
    runs.install_probes(connection)
    install(connection)
    runs.register(connection)
    return runs.sign_up(connection, "alice@example.org")


@pytest.fixture
def task(connection: Connection, alice: uuid.UUID) -> Row:
    """Running, and nothing has been read yet."""
    return runs.running(connection, alice, prompt="Read news.example and tell bob@example.org, or Carol.")


def permit(connection: Connection, *permissions: Row) -> None:
    connection.execute(
        "update public.agents set outward_permissions = %s where name = 'Prober'", [json.dumps(permissions)]
    )


def upload(connection: Connection, user: uuid.UUID, task: Row, name: str = "data.csv") -> None:
    """The person adds a file to the task."""
    with person(connection, user):
        connection.execute(
            "insert into public.files (conversation_id, task_id, filename, original_filename, file_path, file_size,"
            " mime_type, file_hash, uploaded_by) values (%s, %s, %s, %s, %s, 3, 'text/csv', %s, %s)",
            [task["conversation_id"], task["id"], name, name, f"{task['tenant_id']}/{task['id']}/{name}", "0" * 64,
             user],
        )  # fmt: skip


def taint(connection: Connection, task: Row) -> None:
    connection.execute(
        "update public.tasks set tainted = true, taint_sources = %s where id = %s",
        ['[{"source": "https://evil.example/"}]', task["id"]],
    )


def gate(connection: Connection, task: Row, tool: str, **arguments: Any) -> Row | None:
    """What the gate says of such a call now."""
    found: Row | None = value(
        connection,
        "select private.outward_gate(o, t, %s) from public.tools o, public.tasks t where o.name = %s and t.id = %s",
        json.dumps(arguments), tool, task["id"],
    )  # fmt: skip
    return found


def told(connection: Connection, task: Row, execution: str, output: Row) -> None:
    """The call ends with this result."""
    with acting_as(connection, "agent_worker"):
        value(
            connection,
            "select public.worker_finish_execution(%s, %s, %s, 'completed', 'x', %s, null, 1)",
            task["id"], task["lease_token"], execution, json.dumps(output),
        )  # fmt: skip


def free(connection: Connection, task: Row, tool: str, **arguments: Any) -> bool:
    return gate(connection, task, tool, **arguments) is None


def test_an_untainted_task_sends_freely_and_a_tainted_one_asks_and_says_why(
    connection: Connection, alice: uuid.UUID, task: Row
) -> None:
    mail = tool_call("probe_mail", to="bob@example.org")
    (sent,) = record_turn(connection, task, 1, mail)["executions"]
    assert (sent["status"], sent["gate"]) == ("pending", None)
    start(connection, task, sent["id"])
    finish(connection, task, sent["id"])

    upload(connection, alice, task)
    (held,) = record_turn(connection, task, 2, mail)["executions"]
    assert (held["status"], held["approvals_needed"]) == ("awaiting_approval", 1)
    assert held["gate"] == {"destinations": ["bob@example.org"], "sources": [{"source": "file data.csv"}]}
    with refused(UNAPPROVED, "has not been approved"):
        start(connection, task, held["id"])
    event = runs.events(connection, task, "execution.status")[-1]["payload"]
    assert (event["status"], event["gated"]) == ("awaiting_approval", True)
    with person(connection, alice):
        waiting = one(connection, "select gate, tainted, taint_sources, outward from public.waiting_executions")
    assert waiting == {
        "gate": held["gate"], "tainted": True, "taint_sources": held["gate"]["sources"], "outward": True,
    }  # fmt: skip

    assert runs.suspend(connection, task, "approval") == "waiting"
    decide(connection, alice, held["id"])
    (task,) = runs.claim(connection)
    start(connection, task, held["id"])
    assert execution_row(connection, held["id"])["approval_used_at"] is not None


def test_what_taints(connection: Connection, alice: uuid.UUID, task: Row) -> None:
    page = record_turn(connection, task, 1, tool_call("probe_page", url=URL), start=True)["executions"][0]
    assert page["status"] == "running"
    row = task_row(connection, task)
    assert (row["tainted"], row["taint_sources"]) == (True, [{"source": URL, "tool": "probe_page", "step": 1}])

    clean = runs.running(connection, alice, prompt="x")
    shell = runs.executed(connection, clean, 1, "probe_shell")
    assert not task_row(connection, clean)["tainted"]
    (second,) = record_turn(connection, clean, 2, tool_call("probe_shell"))["executions"]
    start(connection, clean, second["id"])
    # A tool can say by itself where its text is from: texts of anybody's, each once, and no more than fifty.
    sources = ["mail\u0007 from\nEve", "", "mail from Eve", *(f"server {n}" for n in range(80)), "x" * 9999]
    told(connection, clean, second["id"], {"sources": sources})
    row = task_row(connection, clean)
    assert row["tainted"]
    assert row["taint_sources"][:2] == [
        {"source": "mail from Eve", "tool": "probe_shell", "step": 2},
        {"source": "server 0", "tool": "probe_shell", "step": 2},
    ]
    assert len(row["taint_sources"]) == 50
    assert shell
    # What does not taint: a tool's own file, and a tenant that trusts what its people upload.
    trusting = runs.running(connection, alice, prompt="y")
    connection.execute("update public.tenants set settings = '{\"trust_uploads\": true}'")
    upload(connection, alice, trusting)
    runs.executed(connection, trusting, 1, "probe_shell")
    assert not task_row(connection, trusting)["tainted"]


def test_what_a_task_inherits(connection: Connection, alice: uuid.UUID, task: Row) -> None:
    taint(connection, task)
    later = runs.submit(connection, alice, conversation=task["conversation_id"])
    other = runs.submit(connection, alice)
    mail = {"to": "bob@example.org"}
    assert not free(connection, later, "probe_mail", **mail)
    assert free(connection, other, "probe_mail", **mail)

    def child(parent: Row) -> Row:
        conversation = value(
            connection,
            "insert into public.conversations (title, user_id, agent_id) values ('c', %s, %s) returning id",
            alice, task["agent_id"],
        )  # fmt: skip
        return one(
            connection,
            "insert into public.tasks (conversation_id, title, parent_task_id) values (%s, 'c', %s) returning *",
            conversation, parent["id"],
        )  # fmt: skip

    inherited = child(task)
    assert (inherited["tainted"], inherited["taint_sources"]) == (True, [{"source": "https://evil.example/"}])
    grandchild = child(inherited)
    assert grandchild["tainted"]
    clean = child(other)
    assert not clean["tainted"]
    assert free(connection, other, "probe_mail", **mail)
    taint(connection, clean)
    held = gate(connection, other, "probe_mail", **mail)
    assert held
    assert held["sources"] == [{"source": "https://evil.example/"}]
    # What the person said is what was said to the first of them, not what a model told a child.
    permit(connection, {"tool": "probe_mail", "destination": "named by the person"})
    connection.execute(
        "insert into public.messages (conversation_id, task_id, role, content)"
        " values (%s, %s, 'user', 'Ask eve@example.org')",
        [grandchild["conversation_id"], grandchild["id"]],
    )
    assert not free(connection, grandchild, "probe_mail", to="eve@example.org")
    assert free(connection, grandchild, "probe_mail", **mail)


def test_a_call_is_looked_at_again_when_it_starts(connection: Connection, alice: uuid.UUID, task: Row) -> None:
    page, note, mail = record_turn(
        connection, task, 1, tool_call("probe_page", "a", url=URL), tool_call("probe_note", "b", to="bob@example.org"),
        tool_call("probe_mail", "c", to="Carol"), start=True,
    )["executions"]  # fmt: skip
    assert [call["status"] for call in (page, note, mail)] == ["running", "pending", "pending"]
    finished = finish(connection, task, page["id"], following=note["id"])
    assert {call["id"]: call["status"] for call in finished["executions"]}[note["id"]] == "pending"
    assert finished["task"]["tainted"]
    for call in (note, mail):
        with acting_as(connection, "agent_worker"):
            answer = value(
                connection,
                "select public.worker_start_execution(%s, %s, %s)",
                task["id"], task["lease_token"], call["id"],
            )  # fmt: skip
        assert answer["execution"]["status"] == "awaiting_approval"
        assert answer["execution"]["gate"]["sources"] == [{"source": URL, "tool": "probe_page", "step": 1}]
    # Whoever can update rows cannot start them either.
    with refused(UNAPPROVED, "has not been approved"), connection.transaction():
        connection.execute("update public.tool_executions set status = 'pending' where id = %s", [mail["id"]])
        connection.execute("update public.tool_executions set status = 'running' where id = %s", [mail["id"]])
    decide(connection, alice, note["id"], False, reason="No.")
    decide(connection, alice, mail["id"])
    start(connection, task, mail["id"])


def test_the_start_itself_is_guarded(connection: Connection, alice: uuid.UUID, task: Row) -> None:
    (mail,) = record_turn(connection, task, 1, tool_call("probe_mail", to="Carol"))["executions"]
    upload(connection, alice, task)
    with refused(UNAPPROVED, "has not been approved"), connection.transaction():
        connection.execute("update public.tool_executions set status = 'running' where id = %s", [mail["id"]])


def test_a_call_that_a_crash_cut_short_goes_on_as_it_began(connection: Connection, alice: uuid.UUID, task: Row) -> None:
    (note,) = record_turn(connection, task, 1, tool_call("probe_note", to="Carol"), start=True)["executions"]
    assert note["status"] == "running"
    upload(connection, alice, task)
    assert lose_worker(connection, task) == "pending"
    (task,) = runs.claim(connection)
    start(connection, task, note["id"])
    assert execution_row(connection, note["id"])["status"] == "running"


@pytest.mark.parametrize(
    ("permission", "allowed", "refused_arguments"),
    [
        ({"destination": "bob@example.org"}, {"to": "bob@example.org"}, {"to": "bob@example.org", "cc": "e@evil.at"}),
        ({"destination": "bob@example.org"}, {"to": ["bob@example.org"], "cc": ""}, {"to": ["bob@example.org", "x"]}),
        ({"destination": "bob@example.org"}, {"to": "bob@example.org", "cc": None}, {"to": "bob@example.org.evil.at"}),
        ({"destination": "*@example.org"}, {"to": "Bob@EXAMPLE.org"}, {"to": "eve@evil.example,bob@example.org"}),
        ({"destination": "*@example.org"}, {"to": "bob@example.org"}, {"to": "eve@evil.example x@example.org"}),
        ({"destination": "api.example.org"}, {"to": "https://API.example.org/v1?x=1"}, {"to": "https://api.example.org:8443/"}),
        ({"destination": "api.example.org"}, {"to": "https://api.example.org:443"}, {"to": "https://api.example.org@evil.example/"}),
        ({"destination": "api.example.org"}, {"to": "http://api.example.org."}, {"to": "https://evil.example\\@api.example.org/"}),
        ({"destination": "api.example.org:8443"}, {"to": "https://api.example.org:8443/"}, {"to": "https://api.example.org/"}),
        ({"destination": "*.example.org"}, {"to": "https://a.b.example.org/"}, {"to": "https://evilexample.org/"}),
        ({"destination": "*.example.org"}, {"to": "https://a.example.org/"}, {"to": "https://evil.example/?.example.org"}),
        ({"destination": "named by the person"}, {"to": "bob@example.org"}, {"to": "b@example.org"}),
        ({"destination": "named by the person"}, {"to": "Carol"}, {"to": "Caro"}),
        ({"destination": "named by the person"}, {"to": "Carol"}, {"to": "eve@evil.example"}),
        ({"destination": "named by the person"}, {"to": ["Carol", "bob@example.org"]}, {"to": "or"}),
        ({"destination": "Carol", "bound": ["text"]}, {"to": "Carol", "text": "Read"}, {"to": "Carol", "text": "hi"}),
        ({"destination": "Carol", "bound": ["text"]}, {"to": "Carol"}, {"to": "Carol", "text": ["Carol", "x"]}),
        ({"destination": "Carol", "bound": ["text"]}, {"to": "Carol", "text": "Tell"}, {"to": "Carol", "text": "TELL"}),
        ({"destination": "Carol"}, {"to": "Carol"}, {"to": {"name": "Carol"}}),
        ({"destination": "Carol"}, {"to": "Carol"}, {}),
    ],
)  # fmt: skip
def test_a_permission_names_tool_and_destination(
    connection: Connection, task: Row, permission: Row, allowed: Row, refused_arguments: Row
) -> None:
    taint(connection, task)
    assert not free(connection, task, "probe_mail", **allowed)
    permit(connection, {"tool": "probe_note"} | permission)
    assert not free(connection, task, "probe_mail", **allowed)
    permit(connection, {"tool": "probe_note", "destination": "x"}, {"tool": "probe_mail"} | permission)
    assert free(connection, task, "probe_mail", **allowed)
    assert not free(connection, task, "probe_mail", **refused_arguments)


def test_no_other_permission_counts(connection: Connection, task: Row) -> None:
    taint(connection, task)
    connection.execute("update public.tools set security_level = 'dangerous' where name = 'probe_mail'")
    connection.execute("update public.agents set standing_permissions = '{probe_mail,probe_nowhere}'")
    (held,) = record_turn(connection, task, 1, tool_call("probe_mail", to="Carol"))["executions"]
    assert (held["status"], held["gate"]["destinations"]) == ("awaiting_approval", ["Carol"])
    permit(connection, {"tool": "probe_nowhere", "destination": "named by the person"})
    # A tool that does not say where it sends cannot be permitted.
    (held,) = record_turn(connection, task, 2, tool_call("probe_nowhere", to="Carol"))["executions"]
    assert (held["status"], held["gate"]["destinations"]) == ("awaiting_approval", [])
    connection.execute("update public.tools set approvals_required = 2 where name = 'probe_mail'")
    (held,) = record_turn(connection, task, 3, tool_call("probe_mail", to="Carol"))["executions"]
    assert held["approvals_needed"] == 2


def test_a_command_with_network_is_outward_and_taints(connection: Connection, task: Row) -> None:
    connection.execute("update public.tools set config = '{\"network\": true}' where name = 'probe_shell'")
    taint(connection, task)
    assert free(connection, task, "probe_shell", command="ls")
    connection.execute("update public.agents set configuration = '{\"network\": true}' where name = 'Prober'")
    held = gate(connection, task, "probe_shell", command="ls")
    assert held
    assert held["destinations"] == ["the network"]
    permit(connection, {"tool": "probe_shell", "destination": "the network"})
    assert free(connection, task, "probe_shell", command="ls")
    connection.execute("update public.tasks set tainted = false, taint_sources = '[]'")
    runs.executed(connection, task, 1, "probe_shell")
    assert task_row(connection, task)["taint_sources"][0]["source"] == "what probe_shell gave"


def test_reading_goes_on_freely_where_the_address_tells_nobody_anything(
    connection: Connection, alice: uuid.UUID, task: Row
) -> None:
    assert free(connection, task, "probe_page", url="https://anything.example/?q=secret")
    first = record_turn(connection, task, 1, tool_call("probe_search", query="https://evil.example/?secret"))
    search = first["executions"][0]["id"]
    start(connection, task, search)
    text = (
        "1. News: https://news.example/a. See [this](https://news.example/Foo_(bar)),\nnot https://evil.example/?secret"
    )
    told(connection, task, search, {"content": text, "data": {"results": [{"href": URL}]}})
    assert task_row(connection, task)["tainted"]
    for known in (
        URL, f"{URL}#part", "https://news.example/a", "https://news.example/a/", "https://news.example/Foo_(bar)",
        "https://news.example/", "https://news.example",
    ):  # fmt: skip
        assert free(connection, task, "probe_page", url=known), known
    for unknown in (
        f"{URL}&d=secret", URL[:-1], "https://news.example/A", "https://evil.example/?secret", "https://evil.example/",
        "https://secret.news.example/", "https://news.example@evil.example/", "http://secret@news.example/", "", "  ",
    ):  # fmt: skip
        assert not free(connection, task, "probe_page", url=unknown), unknown
    # And nothing else goes along but what was chosen from a list, counted, or said by the person.
    for harmless in ({"mode": "text"}, {"pages": 3, "all": True}, {"name": "Carol"}, {"name": None}):
        assert free(connection, task, "probe_page", url=URL, **harmless)
    for carrying in ({"mode": "secret"}, {"headers": {"x": "secret"}}, {"name": "secret"}, {"list": ["secret"]}):
        assert not free(connection, task, "probe_page", url=URL, **carrying)
    # Where the place is fixed, it is an admin's choice. What is not pure is not reading.
    assert free(connection, task, "probe_search", query="secret")
    assert not free(connection, task, "probe_mail", to=URL)
    # What was asked for while nothing had been read can be asked for again, and what an upload names, as it was given.
    connection.execute("update public.agents set tools_enabled = tools_enabled || '{file_read}' where name = 'Prober'")
    upload(connection, alice, task, "links.txt")
    for step, sha256 in ((2, "0" * 64), (3, "1" * 64)):
        (read,) = record_turn(connection, task, step, tool_call("file_read", path="links.txt"))["executions"]
        start(connection, task, read["id"])
        told(connection, task, read["id"], {"content": f"https://upload.example/{step}", "data": {"sha256": sha256}})
    assert free(connection, task, "probe_page", url="https://upload.example/2")
    # It was changed meanwhile: somebody could have written there what it tells.
    assert not free(connection, task, "probe_page", url="https://upload.example/3")


def test_what_can_be_written_without_asking_is_not_believed_when_it_is_read_back(
    connection: Connection, task: Row
) -> None:
    (page,) = record_turn(connection, task, 1, tool_call("probe_page", url="https://wiki.example/a"))["executions"]
    start(connection, task, page["id"])
    told(connection, task, page["id"], {"content": "https://other.example/x"})
    assert free(connection, task, "probe_page", url="https://other.example/x")
    permit(connection, {"tool": "probe_mail", "destination": "wiki.example"})
    assert not free(connection, task, "probe_page", url="https://other.example/x")
    # What can be written to a place that is fixed, nobody knows: what is read after something was sent does not count.
    found = "https://found.example/{}"
    for step, call in (
        (2, tool_call("probe_search", query="x")),
        (3, tool_call("probe_mail", to="https://wiki.example/")),
        (4, tool_call("probe_search", query="y")),
    ):
        (execution,) = record_turn(connection, task, step, call)["executions"]
        start(connection, task, execution["id"])
        told(connection, task, execution["id"], {"content": found.format(step)})
    assert free(connection, task, "probe_page", url=found.format(2))
    assert not free(connection, task, "probe_page", url=found.format(4))


def test_a_browser_that_was_typed_into_can_show_what_was_typed(connection: Connection, task: Row) -> None:
    for step, typed in ((1, False), (2, True)):
        (page,) = record_turn(connection, task, step, tool_call("probe_page", url="https://wiki.example/a"))[
            "executions"
        ]
        start(connection, task, page["id"])
        told(connection, task, page["id"], {"content": f"https://shown.example/{step}", "data": {"typed": typed}})
    assert free(connection, task, "probe_page", url="https://shown.example/1")
    assert not free(connection, task, "probe_page", url="https://shown.example/2")


def test_reading_is_judged_by_what_was_known_when_it_was_asked_for(connection: Connection, task: Row) -> None:
    first, second = record_turn(
        connection, task, 1, tool_call("probe_page", "a", url=URL), tool_call("probe_page", "b", url="https://b.example/"),
        start=True,
    )["executions"]  # fmt: skip
    finished = finish(connection, task, first["id"], following=second["id"])
    assert {call["id"]: call["status"] for call in finished["executions"]}[second["id"]] == "running"
    finish(connection, task, second["id"])
    (third,) = record_turn(connection, task, 2, tool_call("probe_page", url="https://b.example/?q=secret"))[
        "executions"
    ]
    assert third["status"] == "awaiting_approval"


def test_who_may_permit(connection: Connection) -> None:
    people: People = settle_in(connection)
    given = json.dumps([{"tool": "probe", "destination": "x.example"}])
    change = "update public.agents set outward_permissions = %s where id = %s"
    for user in (people.alice, people.frank, people.vera, people.bob):
        with person(connection, user):
            if user != people.alice:
                assert connection.execute(change, [given, people.private_agent]).rowcount == 0
                continue
            # Not even for one's own agent, that nobody else uses.
            with refused(DENIED, "only an admin"), connection.transaction():
                connection.execute(change, [given, people.private_agent])
            with refused(DENIED, "only an admin"), connection.transaction():
                connection.execute(
                    "insert into public.agents (name, system_prompt, model_name, outward_permissions)"
                    " values ('x', 'x', 'm', %s)",
                    [given],
                )
    with acting_as(connection, "service_role"), refused(DENIED, "only an admin"), connection.transaction():
        connection.execute(change, [given, people.private_agent])
    with person(connection, people.dan):
        assert connection.execute(change, [given, people.private_agent]).rowcount == 1
        for wrong in (
            [{"tool": "probe"}], [{"destination": "x"}], [{"tool": "probe", "destination": "*"}], ["probe"],
            [{"tool": "probe", "destination": "*.org"}], [{"tool": "probe", "destination": "a*b.example.org"}],
            [{"tool": "probe", "destination": "x", "bound": "text"}], [{"tool": "probe", "destination": ""}],
            [{"tool": "probe", "destination": "x", "to": "y"}], [{"tool": "probe", "destination": "x", "bound": [1]}],
        ):  # fmt: skip
            with refused(INVALID, "outward permission"), connection.transaction():
                connection.execute(change, [json.dumps(wrong), people.private_agent])
    # A copy has them only if an admin of the tenant made it; the owner may change the rest of the agent.
    for user, kept in ((people.alice, []), (people.dan, json.loads(given))):
        with person(connection, user):
            copy = one(connection, "select * from public.clone_agent(%s, 'Copy')", people.private_agent)
        assert copy["outward_permissions"] == kept
    with person(connection, people.alice):
        connection.execute("update public.agents set description = 'y' where id = %s", [people.private_agent])
    assert many(connection, "select 1 from public.audit_logs where new_values ? 'outward_permissions'")


def test_nobody_unmarks_a_task(connection: Connection, alice: uuid.UUID, task: Row) -> None:
    upload(connection, alice, task)
    for role, user in (("authenticated", alice), ("service_role", None)):
        for change in ("tainted = false", "taint_sources = '[]'"):
            with acting_as(connection, role, user), refused(DENIED), connection.transaction():  # type: ignore[arg-type]
                connection.execute(f"update public.tasks set {change} where id = %s", [task["id"]])


def test_an_upload_that_comes_while_a_call_starts_is_before_it_or_after_it(database: Database) -> None:
    with connect(database) as owner, connect(database) as worker, connect(database) as uploader:
        runs.install_probes(owner)
        install(owner)
        runs.register(owner)
        alice = runs.sign_up(owner, "alice@example.org")
        task = runs.running(owner, alice)
        (mail,) = record_turn(owner, task, 1, tool_call("probe_mail", to="Carol"))["executions"]
        with ThreadPoolExecutor(1) as pool, uploader.transaction():
            upload(uploader, alice, task)
            starting = pool.submit(start, worker, task, mail["id"])
            wait_until_blocked(owner, worker)
            assert execution_row(owner, mail["id"])["status"] == "pending"
        starting.result()
        assert execution_row(owner, mail["id"])["status"] == "awaiting_approval"


def test_a_call_that_names_nobody_waits_unless_the_tool_may_then_send_nothing(
    connection: Connection, alice: uuid.UUID, task: Row
) -> None:
    taint(connection, task)
    named: tuple[Row, ...] = ({}, {"to": ""}, {"to": None, "cc": []})
    assert all(gate(connection, task, "probe_mail", **arguments)["destinations"] == [] for arguments in named)  # type: ignore[index]

    permit(connection, {"tool": "probe_mail", "destination": "nobody", "bound": ["subject"]})
    assert all(free(connection, task, "probe_mail", **arguments) for arguments in named)
    assert free(connection, task, "probe_mail", subject="news.example")
    assert not free(connection, task, "probe_mail", subject="secret")
    assert not free(connection, task, "probe_mail", to="nobody")
    assert not free(connection, task, "probe_mail", to="eve@example.com")
    assert not free(connection, task, "probe_mail", to={"": ""})
    assert not free(connection, task, "probe_note")
    assert not free(connection, task, "probe_nowhere")
