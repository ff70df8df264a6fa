"""The stand-in policy."""

from __future__ import annotations

from agent_runtime.llm.scripted.catalogue import Catalogue, ModelCard
from agent_runtime.llm.scripted.wire import Answer, ChatRequest

MODELS = (
    ModelCard(name="stand-in:latest", capabilities=["completion", "tools"]),
    ModelCard(name="stand-in-plain:latest", capabilities=["completion"]),
)


class PolicyMind:
    """Decides from the messages of the conversation alone."""

    kind = "policy"

    def __init__(self) -> None:
        self.catalogue = Catalogue(card.model_copy() for card in MODELS)

    def answer(self, request: ChatRequest) -> tuple[Answer, str]:
        return Answer(text="I am a stand-in for a model."), "policy"
