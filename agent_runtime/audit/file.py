"""An export: JSON lines that are verified without a database.

`{"stub": TEXT, "key_id": …, "signature": …}`   a month that was retired, before the rows of its chain
`{"text": …, "prev_hash": …, "hash": …}`        a row; `text` is what was hashed, a JSON array
`{"end": {"tenant_id", "chain_seq", "hash"}}`   after the last row of a chain: without it the file was cut off
"""

from __future__ import annotations

import hashlib
import json
from collections.abc import Callable, Iterable, Sequence
from datetime import datetime
from typing import Any, TextIO
from uuid import UUID

from agent_runtime.audit.key import AuditKey
from agent_runtime.audit.records import GENESIS, Head, Problem, Row, Stub, Verdict
from agent_runtime.audit.source import AuditSource
from agent_runtime.audit.verify import OnRows, check_stubs
from agent_runtime.errors import InvalidInput


async def export(
    source: AuditSource,
    heads: Iterable[Head],
    target: TextIO,
    *,
    since: datetime | None = None,
    until: datetime | None = None,
    on_rows: OnRows,
) -> int:
    """Write these chains, or what of them was between two moments. How many rows there were."""
    rows = 0
    for head in heads:
        for stub in head.stubs:
            _write(target, {"stub": stub.text, "key_id": stub.key_id, "signature": stub.signature})
        last: Row | None = None
        after: dict[str, Any] | None = None
        while True:
            part = await source.export(head.tenant_id, after, since, until)
            for row in part.rows:
                _write(target, row.model_dump())
                last = row
            rows += len(part.rows)
            on_rows(len(part.rows))
            if part.done:
                break
            after = part.after
        end = {"chain_seq": _seq(last.text), "hash": last.hash} if last else {"chain_seq": 0, "hash": GENESIS}
        _write(target, {"end": {"tenant_id": str(head.tenant_id) if head.tenant_id else None, **end}})
    return rows


def verify_file(
    lines: Iterable[str], *, kept: Sequence[Head] = (), key: AuditKey | None, on_rows: OnRows
) -> list[Verdict]:
    """A verdict for each chain of an export. Raises `InvalidInput` when it is none."""
    chains: dict[UUID | None, _Chain] = {}
    for number, line in enumerate(lines, 1):
        if not line.strip():
            continue
        try:
            tenant_id, take = _read(json.loads(line))
        except (ValueError, TypeError, LookupError):
            raise InvalidInput(f"line {number} is no line of an export of the audit") from None
        chain = chains.setdefault(
            tenant_id, _Chain(tenant_id, {head.chain_seq: head.hash for head in kept if head.tenant_id == tenant_id})
        )
        take(chain)
        on_rows(1)
    if not chains:
        raise InvalidInput("the file is empty: `agent-runtime audit export` writes one")
    return [chain.verdict(key) for chain in chains.values()]


def _read(line: dict[str, Any]) -> tuple[UUID | None, Callable[[_Chain], None]]:
    if "stub" in line:
        stub = Stub(text=line["stub"], key_id=line["key_id"], signature=line["signature"])
        return stub.fields.tenant_id, lambda chain: chain.stubs.append(stub)
    if "end" in line:
        end = Head.model_validate(line["end"])
        return end.tenant_id, lambda chain: chain.end(end)
    row = Row.model_validate(line)
    fields = json.loads(row.text)
    tenant_id = UUID(fields[0]) if fields[0] else None
    seq, row_id = int(fields[1]), UUID(fields[2])
    return tenant_id, lambda chain: chain.row(row, seq, row_id)


class _Chain:
    """One chain, as its lines come."""

    def __init__(self, tenant_id: UUID | None, kept: dict[int, str]) -> None:
        self.tenant_id, self.stubs, self._kept = tenant_id, list[Stub](), kept
        self._problem: Problem | None = None
        self._seq: int | None = None
        self._hash = ""
        self._rows = 0
        self._ended = False
        self._gap: int | None = None

    def row(self, row: Row, seq: int, row_id: UUID) -> None:
        if self._problem:
            if self._gap == seq:
                says = "another row stands in its place"
                self._problem, self._gap = Problem(kind="reordered", seq=seq, id=row_id, says=says), None
            return
        expected, before = self._expected(row, seq)
        whole = hashlib.sha256(bytes.fromhex(row.prev_hash) + row.text.encode()).hexdigest() == row.hash
        if seq > expected:
            self._gap = expected
            says = f"what comes after row {expected - 1} is row {seq}"
            self._problem = Problem(kind="missing", seq=expected, says=says)
        elif seq < expected:
            self._problem = Problem(kind="forged", seq=seq, id=row_id, says=f"comes after row {expected - 1}")
        elif not whole:
            says = "what it says is not what its hash was made of"
            self._problem = Problem(kind="forged", seq=seq, id=row_id, says=says)
        elif row.prev_hash != before:
            says = f"its hash is not the one that row {seq} was chained to"
            self._problem = Problem(kind="forged", seq=seq - 1, says=says)
        elif self._kept.get(seq, row.hash) != row.hash:
            says = "it has another hash than the head that was kept: rows up to it were rewritten"
            self._problem = Problem(kind="rebuilt", seq=seq, id=row_id, says=says)
        else:
            self._seq, self._hash, self._rows = seq, row.hash, self._rows + 1

    def end(self, end: Head) -> None:
        self._ended = True
        if self._problem is None and end.chain_seq != (self._seq or 0):
            says = f"its last row is {end.chain_seq}, and the file has them up to {self._seq or 0}"
            self._problem = Problem(kind="cut off", seq=(self._seq or 0) + 1, says=says)

    def verdict(self, key: AuditKey | None) -> Verdict:
        problem = check_stubs(self.stubs, key) or self._problem
        if problem is None and not self._ended:
            problem = Problem(kind="cut off", seq=(self._seq or 0) + 1, says="the file ends before the chain does")
        signed = key is not None if self.stubs else None
        return Verdict(
            tenant_id=self.tenant_id, rows=self._rows, stubs=len(self.stubs), stubs_signed=signed, problem=problem
        )

    def _expected(self, row: Row, seq: int) -> tuple[int, str]:
        if self._seq is not None:
            return self._seq + 1, self._hash
        if self.stubs:
            fields = self.stubs[-1].fields
            # A part of a chain may begin later than the months that were retired end.
            return (fields.last_seq + 1, fields.hash) if seq <= fields.last_seq + 1 else (seq, row.prev_hash)
        return (1, GENESIS) if seq == 1 else (seq, row.prev_hash)


def _seq(text: str) -> int:
    return int(json.loads(text)[1])


def _write(target: TextIO, line: dict[str, Any]) -> None:
    target.write(json.dumps(line, ensure_ascii=False) + "\n")
