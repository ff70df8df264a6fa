"""Verifying every chain of a source: its stubs, its rows, its head, and heads that were kept."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from typing import Any

from pydantic import ValidationError

from agent_runtime.audit.key import AuditKey
from agent_runtime.audit.records import GENESIS, Head, Problem, Stub, Verdict
from agent_runtime.audit.source import AuditSource

OnRows = Callable[[int], None]
"""Called with how many more rows were verified."""


async def verify(
    source: AuditSource, heads: Sequence[Head], *, kept: Sequence[Head] = (), key: AuditKey | None, on_rows: OnRows
) -> list[Verdict]:
    """One verdict for each of `heads`, and one for each kept head whose chain is not there any more."""
    kept_of = {head.tenant_id: head for head in kept}
    verdicts = [await _verify(source, head, kept_of.get(head.tenant_id), key, on_rows) for head in heads]
    there = {head.tenant_id for head in heads}
    for head in kept:
        if head.tenant_id not in there and head.chain_seq:
            says = f"the head that was kept is row {head.chain_seq}, and nothing of the chain is there"
            problem = Problem(kind="cut off", seq=1, says=says)
            verdicts.append(Verdict(tenant_id=head.tenant_id, rows=0, problem=problem))
    return verdicts


async def _verify(source: AuditSource, head: Head, kept: Head | None, key: AuditKey | None, on_rows: OnRows) -> Verdict:
    rows = 0
    problem = check_stubs(head.stubs, key)
    after: dict[str, Any] | None = None
    while problem is None:
        found = await source.check(head.tenant_id, after, kept)
        rows, after, problem = rows + found.checked, found.after, found.problem
        on_rows(found.checked)
        if found.done:
            break
    signed = key is not None if head.stubs else None
    return Verdict(tenant_id=head.tenant_id, rows=rows, stubs=len(head.stubs), stubs_signed=signed, problem=problem)


def check_stubs(stubs: Sequence[Stub], key: AuditKey | None) -> Problem | None:
    """Whether the stubs follow on one another from the first row of the chain on, each signed by the key, if given."""
    next_seq, last_hash = 1, GENESIS
    for stub in stubs:
        try:
            fields = stub.fields
        except (ValueError, ValidationError):
            return Problem(kind="forged", seq=next_seq, says=f"a stub says {stub.text[:100]!r}, which is none")
        what = f"the stub of {fields.month}"
        if key is not None and fields.key_id != key.id:
            says = f"{what} was signed by key {fields.key_id}, and this is {key.id}"
            return Problem(kind="forged", seq=fields.first_seq, says=says)
        if key is not None and not key.has_signed(stub.text, bytes.fromhex(stub.signature)):
            return Problem(kind="forged", seq=fields.first_seq, says=f"{what} is not what was signed")
        if fields.first_seq > next_seq:
            return Problem(kind="missing", seq=next_seq, says=f"{what} begins with row {fields.first_seq}")
        if (fields.first_seq, fields.prev_hash) != (next_seq, last_hash):
            return Problem(kind="forged", seq=fields.first_seq, says=f"{what} does not follow on what was before it")
        if fields.last_seq - fields.first_seq + 1 != fields.row_count:
            return Problem(kind="missing", seq=fields.first_seq, says=f"{what} speaks of {fields.row_count} rows")
        next_seq, last_hash = fields.last_seq + 1, fields.hash
    return None
