"""What is said of a chain. Hashes are hexadecimal; `tenant_id` None is the platform's own chain."""

from __future__ import annotations

import json
from datetime import datetime
from typing import Any, Literal
from uuid import UUID

from pydantic import BaseModel, ConfigDict, Field

GENESIS = "00" * 32
"""The hash before the first row of a chain."""

Kind = Literal["forged", "missing", "reordered", "cut off", "rebuilt"]


class _Record(BaseModel):
    model_config = ConfigDict(frozen=True)


class Stub(_Record):
    """What is left of a retired month."""

    text: str
    """What was signed: a JSON array."""
    key_id: str
    signature: str

    @property
    def fields(self) -> StubFields:
        values = json.loads(self.text)
        return StubFields.model_validate(dict(zip(StubFields.model_fields, values, strict=True)))


class StubFields(_Record):
    """The fields of a stub's text, in their order."""

    kind: Literal["agent-runtime audit stub"]
    tenant_id: UUID | None
    month: str
    first_seq: int
    last_seq: int
    row_count: int
    prev_hash: str
    hash: str
    dropped_at: datetime
    actor: str
    key_id: str


class Head(_Record):
    """The end of a chain."""

    tenant_id: UUID | None
    chain_seq: int
    hash: str
    created_at: datetime | None = None
    dropped: int = Field(default=0, exclude=True)
    """How many rows were in months that are retired."""
    stubs: list[Stub] = Field(default_factory=list, exclude=True)


class Heads(_Record):
    """What `audit head --json` prints, and `audit verify --head` reads."""

    taken_at: datetime
    heads: list[Head]


class Problem(_Record):
    """The first bad row of a chain. `seq` and `id` are None where no single row is meant."""

    kind: Kind
    seq: int | None = None
    id: UUID | None = None
    says: str


class Checked(_Record):
    """What the database says of the next rows of a chain."""

    checked: int
    after: dict[str, Any]
    done: bool
    problem: Problem | None


class Row(_Record):
    """A row as it is hashed: `hash` is the sha256 of `prev_hash` and `text`."""

    text: str
    prev_hash: str
    hash: str


class Exported(_Record):
    """The next rows of a chain."""

    rows: list[Row]
    after: dict[str, Any] | None
    done: bool


class Verdict(_Record):
    """On one chain."""

    tenant_id: UUID | None
    rows: int
    """How many rows were verified, up to the first bad one."""
    stubs: int = 0
    stubs_signed: bool | None = None
    """Whether the signatures of its stubs were checked; None without stubs."""
    problem: Problem | None = None
