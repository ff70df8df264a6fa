"""What must hold of every task, whatever was done to its workers: its rows against its story and against the world."""

from __future__ import annotations

from collections import Counter, defaultdict
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass, field
from typing import Any

from bench.chaos import effects
from bench.chaos.effects import Effect
from bench.chaos.stage import Row, Stage
from bench.chaos.stories import ANSWER, STORIES, Story

NOT_ENDED = "task not ended as completed"
DOUBLED = "task ended or was filed twice"
FINISHED_AGAIN = "finished call ran again"
UNSAFE_TWICE = "unsafe effect repeated"
LOST = "effect lost"
NO_INTENT = "effect without an intent on record"
CALLS = "calls on record are not those of the story"
HISTORY = "messages or steps with a gap or a double"
OPEN = "something left open"
FILE_LOST = "file of a finished call lost, and nobody told"

RULES = (NOT_ENDED, DOUBLED, FINISHED_AGAIN, UNSAFE_TWICE, LOST, NO_INTENT, CALLS, HISTORY, OPEN, FILE_LOST)

NOT_RUN = "The call was not run:"
"""How the message of a call begins that the runtime gave up before its tool was called."""
IS_GONE = " is gone"
"""What a message says of a file that only a dead worker had."""


@dataclass(frozen=True)
class Violation:
    """A rule that does not hold, with what it was seen by."""

    rule: str
    task: str
    seen: str


@dataclass
class Task:
    """A task with all that is on record of it, and its effects in the world."""

    row: Row
    story: Story
    messages: list[Row] = field(default_factory=list)
    executions: list[Row] = field(default_factory=list)
    events: list[Row] = field(default_factory=list)
    files: list[Row] = field(default_factory=list)
    effects: dict[str, list[Effect]] = field(default_factory=dict)
    """By execution."""

    @property
    def id(self) -> str:
        return str(self.row["id"])

    @property
    def own_calls(self) -> list[Row]:
        """The calls of our tools, in order."""
        return [call for call in self.executions if call["tool"].startswith("chaos_")]

    def times(self, call: Row) -> int:
        """How often the tool of this call got as far as its effect."""
        return len(self.effects.get(str(call["id"]), ()))

    @property
    def cut_and_repeated(self) -> int:
        """Calls that ran again after a crash cut them short, as their class allows."""
        return sum(call["retry_class"] != "unsafe" and self.times(call) > 1 for call in self.own_calls)

    @property
    def in_doubt(self) -> list[Row]:
        return [call for call in self.own_calls if call["status"] == "in_doubt"]

    @property
    def not_run(self) -> list[Row]:
        """Calls that the runtime told the model it did not run."""
        results = {str(message["metadata"].get("execution_id")): message["content"] for message in self.messages}
        return [
            call
            for call in self.own_calls
            if call["status"] == "failed" and results.get(str(call["id"]), "").startswith(NOT_RUN)
        ]

    @property
    def files_lost(self) -> list[str]:
        """Files of finished calls that are not in Storage in their newest version."""
        newest = {file["filename"]: file for file in self.files}
        kept = {
            name for name, file in newest.items() if file.get("kind", "file") == "file" and file.get("is_stored", True)
        }
        made = [
            effects.filename(call["number"])
            for call in self.own_calls
            if call["status"] == "completed" and call["retry_class"] != "pure"
        ]
        return [name for name in made if name not in kept]

    def was_told_of(self, filename: str) -> bool:
        """Whether the model read that a file is gone, or the person that the task failed of it."""
        if filename in (self.row["error_message"] or ""):
            return True
        lines = [line for message in self.messages for line in message["content"].splitlines()]
        return any(filename in line and IS_GONE in line for line in lines)


async def read_tasks(stage: Stage, *kinds: str) -> list[Task]:
    """Every task of these kinds: the first words of the stories' prompts."""
    found = await stage.rows(
        "select * from public.tasks where split_part(title, ' ', 1) = any (%s) order by created_at, id", list(kinds)
    )
    first = {row["task_id"]: row["content"] for row in await stage.rows(FIRST_MESSAGES)}
    tasks = {row["id"]: Task(row, STORIES[first[row["id"]]]) for row in found}
    for query, name in ((MESSAGES, "messages"), (EXECUTIONS, "executions"), (EVENTS, "events"), (FILES, "files")):
        for row in await stage.rows(query):
            if row["task_id"] in tasks:
                getattr(tasks[row["task_id"]], name).append(row)
    by_id = {task.id: task for task in tasks.values()}
    for effect in effects.read_effects(stage.world):
        if effect.task in by_id:
            by_id[effect.task].effects.setdefault(effect.execution, []).append(effect)
    return list(tasks.values())


async def violations(stage: Stage, tasks: Sequence[Task], *, filed: int) -> list[Violation]:
    """All that does not hold. `filed` is how many tasks people submitted."""
    keys = effects.read_keys(stage.world)
    pids = {str(row["id"]): row["pid"] for row in await stage.rows("select id, pid from public.workers")}
    found = [violation for task in tasks for violation in violations_of(task, keys, pids)]
    if len(tasks) != filed:
        found.append(Violation(DOUBLED, "-", f"{filed} tasks were submitted and {len(tasks)} are on record"))
    return found


def violations_of(task: Task, keys: set[str], pids: Mapping[str, int]) -> Iterator[Violation]:
    """What does not hold of one task. `keys` were applied; `pids` are the processes of the workers by their id."""
    for rule, seen in (
        *_end(task),
        *_history(task),
        *_calls(task),
        *_effects(task, keys),
        *_finished_again(task, pids),
        *_files(task),
    ):
        yield Violation(rule, task.id, seen)


Seen = Iterator[tuple[str, str]]


def _end(task: Task) -> Seen:
    row = task.row
    if row["status"] != "completed":
        yield NOT_ENDED, f"{row['status']}: {row['error_message']} (attempts {row['attempts']})"
    ends = sum(event["payload"].get("status") == "completed" for event in task.events if _is(event, "task.status"))
    if ends > 1:
        yield DOUBLED, f"it was completed {ends} times"
    open_calls = [call for call in task.executions if call["status"] in ("pending", "running", "awaiting_approval")]
    if open_calls or row["lease_token"] is not None:
        yield OPEN, f"lease {row['lease_token']}, calls {[_shown(call) for call in open_calls]}"


def _history(task: Task) -> Seen:
    """Each turn once, in order; each call's result once, between its turn and the next."""
    said = [(message["role"], *_place(message)) for message in task.messages]
    expected: list[tuple[Any, ...]] = [("user", None, None)]
    for step, calls in enumerate(task.story.calls_per_turn, 1):
        expected.append(("assistant", step, None))
        expected += [("tool", step, index) for index in range(calls)]
        if task.story.asks and step == len(task.story.turns):
            expected.append(("user", None, None))
    if said != expected:
        yield HISTORY, f"messages are {said}"
    answers = [message["content"] for message in task.messages if message["role"] == "user"][1:]
    if answers != [ANSWER] * task.story.asks:
        yield HISTORY, f"the person's answers are {answers}"
    steps = task.row["usage"].get("steps")
    if steps != len(task.story.calls_per_turn):
        yield HISTORY, f"usage.steps is {steps}"
    results = Counter(message["metadata"].get("execution_id") for message in task.messages if message["role"] == "tool")
    for call in task.executions:
        if results[str(call["id"])] != 1:
            yield HISTORY, f"{results[str(call['id'])]} results of {_shown(call)}"


def _calls(task: Task) -> Seen:
    """The calls on record are the story's, each once, and each ended as it may."""
    recorded = [(call["number"], call["retry_class"]) for call in task.own_calls]
    if recorded != list(task.story.calls.items()):
        yield CALLS, f"they are {recorded}"
    not_run = {call["id"] for call in task.not_run}
    for call in task.executions:
        unsafe = call["retry_class"] == "unsafe"
        if call["status"] == "completed" or (unsafe and (call["status"] == "in_doubt" or call["id"] in not_run)):
            continue
        yield CALLS, f"{_shown(call)}: {call['error_message']}"


def _effects(task: Task, keys: set[str]) -> Seen:
    calls = {str(call["id"]): call for call in task.own_calls}
    by_number: defaultdict[int, int] = defaultdict(int)
    for execution, happened in task.effects.items():
        call = calls.get(execution)
        if call is None or call["started_at"] is None:
            yield NO_INTENT, f"{happened}"
        for effect in happened:
            by_number[effect.number] += 1
    for call in task.own_calls:
        times = task.times(call)
        if call["retry_class"] == "unsafe" and by_number[call["number"]] > 1:
            yield UNSAFE_TWICE, f"{by_number[call['number']]} times: {_shown(call)}"
        missing = times == 0 or (call["retry_class"] == "keyed" and str(call["id"]) not in keys)
        if call["status"] == "completed" and missing:
            yield LOST, _shown(call)
    for call in task.not_run:
        if task.times(call):
            yield LOST, f"the model was told that it was not run, and it was: {_shown(call)}"


def _finished_again(task: Task, pids: Mapping[str, int]) -> Seen:
    """A call that was on record as finished when its run began.

    A worker that was frozen in a call may wake when another has rescued the task and finished the call again, as its
    class allows. So a run counts that was claimed after the call was finished; the timeline's order is the order of
    commits.
    """
    claims = [event for event in task.events if _is(event, "task.status") and event["payload"]["status"] == "running"]
    finished = {
        event["payload"]["execution_id"]: event["id"]
        for event in task.events
        if _is(event, "execution.status") and event["payload"]["status"] in ("completed", "failed", "in_doubt")
    }
    for execution, happened in task.effects.items():
        for effect in happened:
            own = [
                claim["id"]
                for claim in claims
                if pids.get(claim["payload"]["worker_id"]) == effect.pid
                and claim["created_at"].timestamp() <= effect.began
            ]
            if not own:
                yield NO_INTENT, f"process {effect.pid} never held the task: {effect}"
            elif max(own) > finished.get(execution, max(own)):
                yield FINISHED_AGAIN, f"{effect}"


def _files(task: Task) -> Seen:
    """Each finished call left its file, whichever machine it ran on; versions have no gap."""
    for name in task.files_lost:
        if not task.was_told_of(name):
            yield FILE_LOST, name
    versions: defaultdict[str, list[int]] = defaultdict(list)
    for file in task.files:
        versions[file["filename"]].append(file["version"])
    for name, found in versions.items():
        if sorted(found) != list(range(1, len(found) + 1)):
            yield FILE_LOST, f"{name} has the versions {found}"


def _is(event: Row, kind: str) -> bool:
    return bool(event["kind"] == kind)


def _place(message: Row) -> tuple[Any, Any]:
    return message["metadata"].get("step"), message["metadata"].get("call_index")


def _shown(call: Row) -> str:
    return f"call {call['step']}.{call['call_index']} {call['tool']} {call['status']} ({call['id']})"


FIRST_MESSAGES = """
select distinct on (m.task_id) m.task_id, m.content
from public.messages m
where m.role = 'user'
order by m.task_id, m.seq
"""
MESSAGES = "select task_id, role, content, metadata, seq from public.messages order by task_id, seq"
EXECUTIONS = """
select e.id, e.task_id, e.status, e.step, e.call_index, e.started_at, e.completed_at, e.error_message,
       t.name as tool, t.retry_class, (e.input_parameters ->> 'number')::int as number
from public.tool_executions e
join public.tools t on t.id = e.tool_id
order by e.task_id, e.step, e.call_index
"""
EVENTS = """
select task_id, id, kind, payload, created_at from public.task_events
where kind in ('task.status', 'execution.status') order by id
"""
# The whole row: how a file that is not stored is recorded is the schema's to say.
FILES = "select f.* from public.files f where f.task_id is not null order by f.task_id, f.filename, f.version"
