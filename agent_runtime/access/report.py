"""What was tried and found, against what is declared."""

from __future__ import annotations

from dataclasses import dataclass, field
from typing import Any, Literal

from agent_runtime.access.matrix import Verb

Way = Literal["sql", "rest"]


@dataclass(frozen=True)
class Finding:
    """One cell, tried in one way."""

    section: str
    name: str
    verb: Verb
    caller: str
    way: Way
    declared: str
    found: str

    @property
    def as_declared(self) -> bool:
        return self.declared == self.found

    def __str__(self) -> str:
        return f"{self.caller}: {self.verb} {self.name} by {self.way}: {self.found}, declared {self.declared}"

    def as_json(self) -> dict[str, Any]:
        """For programs."""
        return {**self.__dict__, "as_declared": self.as_declared}


@dataclass
class Report:
    """All cells, and what is wrong beside them."""

    findings: list[Finding] = field(default_factory=list)
    missing: tuple[str, ...] = ()
    left: tuple[str, ...] = ()
    """What of the probes could not be removed."""

    @property
    def differences(self) -> list[str]:
        """A sentence for each; empty when everything is as declared."""
        return [*self.missing, *(str(finding) for finding in self.findings if not finding.as_declared)]
