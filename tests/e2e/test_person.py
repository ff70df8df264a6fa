"""A person against the real Supabase API: sessions that last, tasks that are filed whole, screens that hold out."""

from __future__ import annotations

import asyncio
import io
import re
import time
import uuid
from collections.abc import AsyncIterator
from pathlib import Path
from typing import TYPE_CHECKING, Any

import psycopg
import pytest
import pytest_asyncio
from rich.console import Console

from agent_runtime.cli.output import clean
from agent_runtime.cli.watch import follow
from agent_runtime.errors import (
    BytesDiffer,
    ConfigError,
    Denied,
    IllegalTransition,
    InvalidInput,
    NotFound,
    Unavailable,
)
from agent_runtime.person import auth, session
from agent_runtime.person.client import Person
from agent_runtime.storage import Storage
from tests.e2e.desk import PASSWORD, a_tool_that_asks, new_person, take, worker_connection

if TYPE_CHECKING:
    from agent_runtime.local.stack import Stack

# The loop that the stack's processes belong to: the API is stopped and started.
pytestmark = pytest.mark.asyncio(loop_scope="session")

HOSTILE = "\x1b]52;c;eA==\x07\x1b[2J[red]\u202ehostile"


@pytest_asyncio.fixture(scope="module", loop_scope="session")
async def you(stack: Stack) -> AsyncIterator[Person]:
    """Somebody new, connected."""
    async with Person(await new_person(stack), keep=False) as person:
        yield person


@pytest_asyncio.fixture(loop_scope="session")
async def worker(stack: Stack) -> AsyncIterator[psycopg.AsyncConnection[dict[str, Any]]]:
    async with await worker_connection(stack) as connection:
        yield connection


@pytest.fixture
def kept(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    """Where this test's session is kept."""
    monkeypatch.setenv(session.PLACE, str(tmp_path / "session.json"))
    return tmp_path / "session.json"


# -- sessions ------------------------------------------------------------------------------------------------------


async def test_a_session_whose_token_ran_out_renews_once_however_many_ask(stack: Stack, kept: Path) -> None:
    old = (await new_person(stack)).model_copy(update={"expires_at": 0})
    session.save(old)
    async with Person(old) as person:
        await asyncio.gather(*(person.tasks() for _ in range(8)))
        new = person.session
    assert new.refresh_token != old.refresh_token
    assert new.expires_at > time.time() + 60
    assert session.load().refresh_token == new.refresh_token


async def test_two_processes_share_one_renewal(stack: Stack, kept: Path) -> None:
    old = (await new_person(stack)).model_copy(update={"expires_at": 0})
    session.save(old)
    # The second read the file before the first renewed.
    async with Person(old) as first, Person(old) as second:
        assert second.session.refresh_token == first.session.refresh_token == session.load().refresh_token


async def test_a_token_that_the_api_refuses_is_renewed(stack: Stack) -> None:
    fresh = await new_person(stack)
    spoilt = fresh.model_copy(update={"access_token": f"{fresh.access_token[:-6]}AAAAAA"})
    async with Person(spoilt, keep=False) as person:
        assert await person.tasks() == []
        assert person.session.access_token != spoilt.access_token


async def test_a_session_that_was_ended_says_how_to_begin_another(stack: Stack, kept: Path) -> None:
    ended = await new_person(stack)
    await auth.sign_out(ended)
    ended = ended.model_copy(update={"expires_at": 0})
    session.save(ended)
    with pytest.raises(Denied, match="agent-runtime login"):
        async with Person(ended):
            pass


async def test_a_session_that_nobody_used_for_too_long_is_over(stack: Stack, kept: Path) -> None:
    idle = (await new_person(stack)).model_copy(update={"last_used_at": time.time() - 3_700})
    session.save(idle)
    with pytest.raises(ConfigError, match=r"session_timeout \(3600 s\): run `agent-runtime login`"):
        async with Person(idle):
            pass


async def test_using_a_session_keeps_it_from_lying_idle(stack: Stack, kept: Path) -> None:
    resting = (await new_person(stack)).model_copy(update={"last_used_at": time.time() - 3_000})
    session.save(resting)
    async with Person(resting):
        pass
    assert session.load().last_used_at > time.time() - 60
    assert session.load().timeout_seconds == 3_600


async def test_a_logout_meanwhile_is_not_undone(stack: Stack, kept: Path) -> None:
    known = await new_person(stack)
    session.save(known)
    async with Person(known):
        session.forget()
    assert not kept.exists()


async def test_a_wrong_password_and_a_taken_address_are_one_line(stack: Stack) -> None:
    known = await new_person(stack)
    with pytest.raises(Denied, match="Invalid login credentials"):
        await auth.sign_in(stack.supabase_url, stack.publishable_key, known.email, "wrong")
    with pytest.raises(InvalidInput, match="already registered"):
        await auth.sign_up(stack.supabase_url, stack.publishable_key, known.email, PASSWORD)
    with pytest.raises(ConfigError, match="publishable key"):
        await auth.sign_in(stack.supabase_url, "sb_publishable_wrong", known.email, PASSWORD)


async def test_a_supabase_that_is_not_there_names_its_url_and_the_remedy(stack: Stack) -> None:
    gone = (await new_person(stack)).model_copy(update={"supabase_url": "http://127.0.0.1:9"})
    with pytest.raises(Unavailable, match=r"http://127\.0\.0\.1:9 did not answer.*agent-runtime up"):
        async with Person(gone, keep=False):
            pass


# -- filing a task -------------------------------------------------------------------------------------------------


async def test_a_task_is_filed_with_its_files_and_their_digests(you: Person, tmp_path: Path) -> None:
    for folder in ("1", "2"):
        (tmp_path / folder).mkdir()
        (tmp_path / folder / "résumé 1.csv").write_text(folder, encoding="utf-8")
    task = await you.submit("Compare them", [tmp_path / "1" / "résumé 1.csv", tmp_path / "2" / "résumé 1.csv"])
    files = {file.filename: file for file in await you.files(task.id)}
    assert sorted(files) == ["résumé 1-2.csv", "résumé 1.csv"]
    for name, content in (("résumé 1.csv", "1"), ("résumé 1-2.csv", "2")):
        file = files[name]
        stored = await you.download(file, tmp_path / "got")
        assert stored.sha256 == file.file_hash
        assert (tmp_path / "got").read_text(encoding="utf-8") == content
    assert [message.role for message in await you.messages(task.id)] == ["user"]


async def test_the_same_key_files_one_task_also_at_the_same_moment(you: Person) -> None:
    key = uuid.uuid4().hex
    before = len(await you.tasks())
    tasks = await asyncio.gather(*(you.submit("Once", idempotency_key=key) for _ in range(5)))
    assert len({task.id for task in tasks}) == 1
    assert len(await you.tasks()) == before + 1


@pytest.mark.parametrize(
    ("kind", "line", "arguments"),
    [
        (InvalidInput, "the prompt is empty", {"prompt": " \n"}),
        (InvalidInput, "limit prompt_bytes reached: the prompt has 1000000 bytes", {"prompt": "x" * 1_000_000}),
        (InvalidInput, "priority 9 is not between 1 and 5", {"priority": 9}),
        (InvalidInput, "0x00", {"prompt": "a\0b"}),
        (NotFound, 'there is no agent named "nobody"', {"agent": "nobody"}),
        (NotFound, "there is no conversation", {"conversation": uuid.uuid4()}),
        (InvalidInput, "there is no such file", {"files": [Path("/nowhere/a.csv")]}),
    ],
)
async def test_what_cannot_be_filed_is_refused_in_one_line_and_leaves_nothing(
    you: Person, kind: type[Exception], line: str, arguments: dict[str, Any]
) -> None:
    before = await you.tasks()
    with pytest.raises(kind, match=re.escape(line)) as refused:
        await you.submit(**{"prompt": "Do it", **arguments})
    assert "\n" not in str(refused.value)
    assert await you.tasks() == before


async def test_a_file_over_the_limit_is_refused_before_a_byte_is_sent(you: Person, tmp_path: Path) -> None:
    with (tmp_path / "big.bin").open("wb") as file:
        file.truncate(you.file_limit_bytes + 1)
    before = await you.tasks()
    with pytest.raises(InvalidInput, match=r"big\.bin has 104,857,601 bytes; file_upload_max_size allows 104,857,600"):
        await you.submit("Read it", [tmp_path / "big.bin"])
    assert await you.tasks() == before


class Shrinking(io.BytesIO):
    """A file that somebody empties once its first part was read."""

    def read(self, size: int | None = -1) -> bytes:
        part = super().read(size)
        self.truncate(self.tell())
        return part


async def test_a_file_that_shrinks_while_it_is_sent_is_refused(stack: Stack) -> None:
    async with Storage(stack.supabase_url, stack.secret_key) as storage:
        path = f"{uuid.uuid4()}/{uuid.uuid4()}/log.txt"
        with pytest.raises(InvalidInput, match="became shorter"):
            await storage.upload(path, Shrinking(b"x" * 4_000_000), "text/plain")
        with pytest.raises(NotFound):
            await storage.download(path, io.BytesIO())


async def test_bytes_that_are_not_those_recorded_never_appear(stack: Stack, you: Person, tmp_path: Path) -> None:
    (tmp_path / "a.txt").write_text("true", encoding="utf-8")
    task = await you.submit("Keep it", [tmp_path / "a.txt"])
    (file,) = await you.files(task.id)
    async with Storage(stack.supabase_url, stack.secret_key) as storage:
        await storage.upload(file.file_path, b"false", "text/plain", replace=True)
    with pytest.raises(BytesDiffer, match="sha256 differs"):
        await you.download(file, tmp_path / "got.txt")
    assert sorted(path.name for path in tmp_path.iterdir()) == ["a.txt"]


async def test_cancelling_what_has_ended_and_what_is_not_there(you: Person) -> None:
    task = await you.submit("Stop")
    assert (await you.cancel(task.id)).status == "cancelled"
    with pytest.raises(IllegalTransition, match="is cancelled already"):
        await you.cancel(task.id)
    with pytest.raises(IllegalTransition, match="is cancelled already"):
        await you.answer(task.id, "too late")
    nothing = uuid.uuid4()
    for gone in (you.cancel(nothing), you.task(nothing), you.call(nothing), you.pause(nothing), you.resume(nothing)):
        with pytest.raises(NotFound):
            await gone


# -- watching ------------------------------------------------------------------------------------------------------


def watching(person: Person, task_id: uuid.UUID, *, terminal: bool) -> tuple[asyncio.Task[Any], io.StringIO]:
    written = io.StringIO()
    console = Console(file=written, force_terminal=terminal, width=100, markup=False, highlight=False, soft_wrap=True)
    return asyncio.create_task(follow(person, task_id, console)), written


async def shown(written: io.StringIO, text: str) -> None:
    async with asyncio.timeout(30):
        # Colours may stand between two words.
        while text not in clean(written.getvalue()):
            await asyncio.sleep(0.02)


@pytest.mark.parametrize("terminal", [False, True], ids=["piped", "on a terminal"])
async def test_a_task_is_shown_as_it_happens(you: Person, worker: Any, terminal: bool) -> None:
    task = await you.submit("Count the lines")
    watch, written = watching(you, task.id, terminal=terminal)
    await shown(written, "Task: Count the lines")
    work = await take(worker, task.id)
    plan = {"kind": "plan_set", "phases": ["Look", "Tell"]}
    await work.do("plan_set", {"phases": ["Look", "Tell"]}, effect=plan)
    await shown(written, "Look")
    (call,) = await work.turn({"name": "shell_exec", "arguments": {"command": "wc -l a.csv"}}, content="I count.")
    await work.start(call)
    await shown(written, 'command="wc -l a.csv"')
    await work.finish(call, "failed", error="exit code 1")
    await shown(written, "exit code 1")
    await work.do("plan_advance", effect={"kind": "plan_advance"})
    await shown(written, "Phase 2 of 2: ")
    await work.settle(answer="There are **3** lines.")
    assert (await watch).status == "completed"
    text = clean(written.getvalue())
    assert "I count." in text
    assert "There are" in text
    assert "✓ completed" in text
    assert ("\x1b[" in written.getvalue()) == terminal


async def test_a_question_is_answered_and_an_approval_given_while_one_watches(
    stack: Stack, you: Person, worker: Any
) -> None:
    task = await you.submit("Ask me")
    watch, written = watching(you, task.id, terminal=False)
    work = await take(worker, task.id)
    await work.do("message_ask", {"question": "Which year?"}, effect={"kind": "ask", "question": "Which year?"})
    await work.suspend("answer")
    await shown(written, "? Which year?")
    assert f"agent-runtime tasks answer {task.id}" in written.getvalue()
    assert (await you.answer(task.id, "2024")).status == "pending"
    await shown(written, "you: 2024")
    work = await take(worker, task.id)
    await work.settle("failed", error="no such year")
    assert (await watch).status == "failed"
    assert "✗ failed" in written.getvalue()
    assert "no such year" in written.getvalue()


async def test_a_pause_an_approval_and_a_doubt_are_shown_live(stack: Stack, you: Person, worker: Any) -> None:
    tool = a_tool_that_asks(stack)
    task = await you.submit("Pay", agent=tool)
    watch, written = watching(you, task.id, terminal=True)
    work = await take(worker, task.id)
    assert (await you.pause(task.id)).pause_requested_at is not None
    await shown(written, "running, asked to pause")
    assert (await you.resume(task.id)).pause_requested_at is None
    await shown(written, "the pause was taken back")
    (execution,) = await work.turn({"name": tool, "arguments": {"command": "pay"}})
    await work.suspend("approval")
    await shown(written, "waiting for approval")
    await shown(written, f"agent-runtime tasks approve {execution}")
    call = await you.call(uuid.UUID(execution))
    with pytest.raises(IllegalTransition, match="were changed meanwhile"):
        await you.decide(call.model_copy(update={"input_digest": "0" * 64}), approve=True)
    with pytest.raises(InvalidInput, match="limit reason_bytes reached: 65537 bytes"):
        await you.decide(call, approve=True, reason="x" * 65_537)
    await you.decide(call, approve=True, arguments={"command": "pay less"})
    await shown(written, "approved by you  " + tool + '  edited  command="pay less"')
    with pytest.raises(IllegalTransition, match="there is nothing to decide"):
        await you.decide(call, approve=False)
    work = await take(worker, task.id)
    await work.start(execution)
    await work.finish(execution, "in_doubt", error="the worker stopped")
    await work.suspend("doubt")
    await shown(written, "waiting for a doubt to be settled")
    await shown(written, f"agent-runtime tasks settle {execution}")
    assert execution in [str(one.id) for one in await you.calls_for_me()]
    await you.settle(uuid.UUID(execution), happened=True, result="paid")
    await shown(written, "you settled that it took effect")
    assert execution not in [str(one.id) for one in await you.calls_for_me()]
    await you.cancel(task.id)
    assert (await watch).status == "cancelled"


@pytest.mark.parametrize("terminal", [False, True], ids=["piped", "on a terminal"])
async def test_what_an_agent_writes_cannot_steer_the_terminal(you: Person, worker: Any, terminal: bool) -> None:
    task = await you.submit("Be evil")
    work = await take(worker, task.id)
    await work.do("message_notify", {"text": HOSTILE}, effect={"kind": "notify", "text": HOSTILE})
    await work.do("plan_set", effect={"kind": "plan_set", "phases": [HOSTILE]})
    await work.do("shell_exec", {"command": HOSTILE}, status="failed", error=HOSTILE)
    await work.settle(answer=f"{HOSTILE} [a link](https://evil.example)")
    watch, written = watching(you, task.id, terminal=terminal)
    assert (await watch).status == "completed"
    text = written.getvalue()
    assert "hostile" in text
    assert "[red]" in text
    # What rich itself writes: colours, and cursor movements of the live view. No string, no clearing, no link.
    for escape in ("\x1b]", "\x1b[2J", "\x1bP", "\u202e", "\x07"):
        assert escape not in text
    if not terminal:
        assert "\x1b" not in text


async def test_a_watch_outlives_the_api(stack: Stack, you: Person, worker: Any) -> None:
    task = await you.submit("Go on")
    watch, written = watching(you, task.id, terminal=False)
    await shown(written, "Task: Go on")
    await stack.api.stop()
    await shown(written, "trying again")
    work = await take(worker, task.id)
    await work.do("message_notify", effect={"kind": "notify", "text": "while you were away"})
    await stack.api.start()
    await shown(written, "while you were away")
    await work.settle(answer="Done.")
    assert (await watch).status == "completed"
    assert written.getvalue().count("trying again") == 1
    assert "answering again" in written.getvalue()


async def test_a_finished_task_is_shown_whole_and_at_once(you: Person, worker: Any) -> None:
    task = await you.submit("Be quick")
    work = await take(worker, task.id)
    await work.settle(answer="Was quick.")
    watch, written = watching(you, task.id, terminal=False)
    async with asyncio.timeout(60):
        await watch
    assert "Task: Be quick" in written.getvalue()
    assert "Was quick." in written.getvalue()


async def test_when_nobody_works_the_screen_says_so_once_with_the_remedy(stack: Stack, you: Person) -> None:
    # Workers of other tests count as alive for a minute.
    async with await psycopg.AsyncConnection.connect(stack.database_url) as owner:
        await owner.execute("update public.workers set stopped_at = now() where stopped_at is null")
    task = await you.submit("Wait")
    watch, written = watching(you, task.id, terminal=False)
    await shown(written, "No worker is alive")
    await you.cancel(task.id)
    await watch
    assert written.getvalue().count("No worker is alive") == 1
    assert "agent-runtime up" in written.getvalue()
