"""The stand-in policy: work by fixed rules, decided from the messages of the conversation alone.

The work is a generator that yields calls and is sent their results. Each request replays it over the calls that the
conversation already holds; the first call without a result is the answer. So any server gives the same answer to the
same messages, and a run that moved to another worker goes on where it was.
"""

from __future__ import annotations

import json

from agent_runtime.llm.scripted.catalogue import Catalogue, ModelCard
from agent_runtime.llm.scripted.conversation import Conversation, Episode, Step, offered_tools
from agent_runtime.llm.scripted.instance import instance_of
from agent_runtime.llm.scripted.part import Work
from agent_runtime.llm.scripted.wire import Answer, ChatRequest, ScriptedCall
from agent_runtime.llm.scripted.work import WHAT_I_AM, work_on

MODELS = (
    ModelCard(name="stand-in:latest", capabilities=["completion", "tools"]),
    ModelCard(name="stand-in-plain:latest", capabilities=["completion"]),
)
NOTHING_LEFT = f"There is nothing left to do. {WHAT_I_AM}"
CUT_SHORT = (
    f"The conversation has grown too long for the context window, and I cannot go on with half of it. {WHAT_I_AM} "
    "Fewer or smaller files at once, or a larger window, would help."
)


class PolicyMind:
    """Answers for `stand-in`, with native tool calls, and for `stand-in-plain`, with JSON that a schema asks for."""

    kind = "policy"

    def __init__(self) -> None:
        self.catalogue = Catalogue(card.model_copy() for card in MODELS)

    def answer(self, request: ChatRequest) -> tuple[Answer, str]:
        tools = offered_tools(request)
        if isinstance(request.format, dict) and not tools:
            # A schema that offers no tools is somebody's form to fill in; there is nothing to fill in but its shape.
            return Answer(text=json.dumps(instance_of(request.format, NOTHING_LEFT), ensure_ascii=False)), "form"
        conversation = Conversation.read(request)
        episode = conversation.episodes[-1] if conversation.episodes else Episode("", ())
        if conversation.cut:
            call: ScriptedCall | None = ScriptedCall(name="task_complete", arguments={"answer": CUT_SHORT, "files": []})
        else:
            call = next_call(work_on(episode, tools, earlier=conversation.episodes[:-1]), episode.steps)
        if call is not None and call.name in tools:
            return Answer(tool_calls=[call]), "work"
        # Nothing but the end of the work is asked for without being offered.
        words = str(call.arguments["answer"]) if call else NOTHING_LEFT
        return Answer(text=json.dumps({"say": words}, ensure_ascii=False) if request.format else words), "words"


def next_call(work: Work, steps: list[Step]) -> ScriptedCall | None:
    """The first call of the work that the steps do not answer; None when all is done."""
    try:
        call = next(work)
        for step in steps:
            # A step that this work did not ask for was another model's; it is passed over.
            if step.result is not None and _same(call, step):
                call = work.send(step.result)
    except StopIteration:
        return None
    return call


def _same(call: ScriptedCall, step: Step) -> bool:
    # The arguments went through a database in between, which may have cleaned long texts; these two name the work.
    keys = ("path", "command")
    return call.name == step.name and all(call.arguments.get(key) == step.arguments.get(key) for key in keys)
