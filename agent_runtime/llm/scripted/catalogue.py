"""The models that the server says it has."""

from __future__ import annotations

import hashlib
from collections.abc import Iterable
from datetime import UTC, datetime
from typing import Any, Literal

from pydantic import BaseModel, ConfigDict, Field

from agent_runtime.llm.scripted.wire import Refused

Capability = Literal["completion", "tools", "insert", "vision", "embedding", "thinking", "image", "audio"]

STARTED = datetime.now(UTC)


class ModelCard(BaseModel):
    """A model: what it is called, what it can do, how many tokens it holds."""

    model_config = ConfigDict(extra="forbid")

    name: str = Field(min_length=1, max_length=200)
    capabilities: list[Capability] = ["completion", "tools"]
    context_length: int = Field(default=131_072, ge=1)
    installed: bool = True
    """False: known, but not there until somebody pulls it."""

    @property
    def full_name(self) -> str:
        return _with_tag(self.name)

    @property
    def digest(self) -> str:
        return hashlib.sha256(self.full_name.encode()).hexdigest()

    @property
    def details(self) -> dict[str, Any]:
        return {
            "parent_model": "",
            "format": "none",
            "family": "stand-in",
            "families": ["stand-in"],
            "parameter_size": "0",
            "quantization_level": "none",
        }


class Catalogue:
    """Looks models up by name, with or without `:latest`."""

    def __init__(self, cards: Iterable[ModelCard]) -> None:
        self._cards = {card.full_name: card for card in cards}

    def installed(self) -> list[ModelCard]:
        return [card for card in self._cards.values() if card.installed]

    def find(self, name: str) -> ModelCard:
        """Raises `Refused` with 404, in the words of the server that this one stands in for."""
        card = self._cards.get(_with_tag(name))
        if card is None or not card.installed:
            raise Refused(404, f"model '{name}' not found")
        return card

    def pull(self, name: str) -> ModelCard | None:
        """Installs a known model; None for any other name."""
        card = self._cards.get(_with_tag(name))
        if card is not None:
            card.installed = True
        return card


def listing(card: ModelCard) -> dict[str, Any]:
    """The card as `/api/tags` lists it."""
    return {
        "name": card.full_name,
        "model": card.full_name,
        "modified_at": STARTED.isoformat(),
        "size": 0,
        "digest": card.digest,
        "details": card.details,
        "capabilities": card.capabilities,
    }


def shown(card: ModelCard, what_it_is: str) -> dict[str, Any]:
    """The card as `/api/show` gives it."""
    return {
        "license": what_it_is,
        "modelfile": f"# {what_it_is}\nFROM {card.full_name}\n",
        "parameters": "",
        "template": "{{ .Prompt }}",
        "details": card.details,
        "model_info": {
            "general.architecture": "standin",
            "general.parameter_count": 0,
            "standin.context_length": card.context_length,
            "standin.embedding_length": 256,
        },
        "capabilities": card.capabilities,
        "modified_at": STARTED.isoformat(),
    }


def _with_tag(name: str) -> str:
    return name if ":" in name.rsplit("/", 1)[-1] else f"{name}:latest"
