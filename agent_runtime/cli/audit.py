"""`agent-runtime audit`: prove that nothing in the audit was changed, keep a copy, and retire what is old."""

from __future__ import annotations

import asyncio
import sys
from collections.abc import Awaitable, Callable, Iterator
from contextlib import contextmanager
from datetime import UTC, date, datetime
from pathlib import Path
from typing import TYPE_CHECKING, Annotated, TypeVar
from uuid import UUID

import typer
from rich.text import Text

from agent_runtime.cli import app
from agent_runtime.cli.acting import as_person, parse_id
from agent_runtime.cli.output import make_console, one_line, print_json, print_table, time_text
from agent_runtime.errors import InvalidInput

if TYPE_CHECKING:
    from agent_runtime.audit.key import AuditKey
    from agent_runtime.audit.records import Head, Verdict
    from agent_runtime.audit.source import AuditSource

T = TypeVar("T")

audit = typer.Typer(
    name="audit",
    help="The audit: verify its chains, keep a copy, retire what is old.\n\nWith the owner's DATABASE_URL all chains, "
    "else that of the tenant whose admin is signed in.",
    no_args_is_help=True,
)
app.add_typer(audit)

Json = Annotated[bool, typer.Option("--json", help="Print JSON.")]
OnRows = Callable[[int], None]


@audit.command("head", epilog="Example: agent-runtime audit head --json > heads-$(date +%F).json")
def head(as_json: Json = False) -> None:
    """Print the last row of each chain. Keep what --json prints elsewhere, for `audit verify --head`."""
    from agent_runtime.audit.records import Heads

    heads = _with_source(lambda source: source.heads())
    if as_json:
        print_json(Heads(taken_at=datetime.now(UTC), heads=heads))
        return
    rows = ((_whose(head.tenant_id), str(head.chain_seq), head.hash, time_text(head.created_at)) for head in heads)
    print_table(make_console(), ("chain of", "rows", "hash of the last", "written"), rows, empty="The audit is empty.")


@audit.command(epilog="Example: agent-runtime audit verify --head heads-2026-01-31.json")
def verify(
    kept: Annotated[
        Path | None, typer.Option("--head", exists=True, dir_okay=False, help="What `audit head --json` printed once.")
    ] = None,
    file: Annotated[
        Path | None, typer.Option(exists=True, dir_okay=False, help="Verify this export instead of the database.")
    ] = None,
    as_json: Json = False,
) -> None:
    """Verify every row of every chain, and name the first bad one of each. Exits 1 when there is one.

    Without a head that was kept, a chain that was rebuilt from its beginning verifies; with one it does not.
    """
    key = _key()
    heads = _read_heads(kept) if kept else []
    verdicts = _verify_file(file, heads, key) if file else _verify_database(heads, key)
    if as_json:
        print_json(verdicts)
    else:
        _print_verdicts(verdicts)
    if any(verdict.problem for verdict in verdicts):
        raise typer.Exit(1)


@audit.command(epilog="Example: agent-runtime audit export --since 2026-01-01 --until 2026-02-01 > january.jsonl")
def export(
    tenant: Annotated[
        str | None, typer.Option(help="One tenant's chain alone, by its id; `platform` for the platform's.")
    ] = None,
    since: Annotated[
        datetime | None, typer.Option(formats=["%Y-%m-%d", "%Y-%m-%dT%H:%M:%S"], help="From then on, UTC.")
    ] = None,
    until: Annotated[
        datetime | None, typer.Option(formats=["%Y-%m-%d", "%Y-%m-%dT%H:%M:%S"], help="Before then, UTC.")
    ] = None,
) -> None:
    """Print the audit as JSON lines, which `audit verify --file` verifies without the database."""
    from agent_runtime.audit import file

    if hasattr(sys.stdout, "reconfigure"):
        sys.stdout.reconfigure(encoding="utf-8")

    async def work(source: AuditSource) -> None:
        heads = _chosen(await source.heads(), tenant)
        with _progress("rows exported", _rows_of(heads)) as on_rows:
            await file.export(source, heads, sys.stdout, since=_utc(since), until=_utc(until), on_rows=on_rows)

    _with_source(work)


@audit.command("log", epilog="Example: agent-runtime audit log --table agents --since 2026-01-01")
def show_log(
    table: Annotated[str | None, typer.Option(help="Only changes of this table, as `agents`.")] = None,
    row: Annotated[str | None, typer.Option(help="Only of the row with this id.")] = None,
    action: Annotated[str | None, typer.Option(help="Only insert, update, delete, sign_in, read, …")] = None,
    actor: Annotated[str | None, typer.Option(help="Only by user:ID, worker:ID, role:NAME, reaper.")] = None,
    since: Annotated[
        datetime | None, typer.Option(formats=["%Y-%m-%d", "%Y-%m-%dT%H:%M:%S"], help="From then on, UTC.")
    ] = None,
    until: Annotated[
        datetime | None, typer.Option(formats=["%Y-%m-%d", "%Y-%m-%dT%H:%M:%S"], help="Before then, UTC.")
    ] = None,
    limit: Annotated[int, typer.Option(min=1, max=1_000, help="At most so many.")] = 50,
    as_json: Json = False,
) -> None:
    """Show what was changed in your tenant, the newest first, as its admin; an operator sees the platform's, too.

    Piped: one line each, separated by tabs: number in the chain, when, who, what, table, row, columns.
    """
    which = parse_id(row, "row", shown_by="audit log") if row else None
    found = as_person(
        lambda person: person.platform.audit_log(
            table=table, row=which, action=action, actor=actor, since=_utc(since), until=_utc(until), limit=limit
        )
    )
    if as_json:
        print_json(found)
        return
    rows = (
        (
            str(one.chain_seq),
            time_text(one.created_at),
            one.actor,
            one.action,
            one.resource_type,
            str(one.resource_id or ""),
            ", ".join(sorted({**(one.old_values or {}), **(one.new_values or {})})),
        )
        for one in found
    )
    columns = ("row", "when", "who", "what", "table", "id", "columns")
    print_table(make_console(), columns, rows, empty="Nothing is on record that you may see: the audit is for admins.")


@audit.command(epilog="Example: DATABASE_URL=postgresql://postgres:…@db/postgres agent-runtime audit retire 2026-01")
def retire(month: Annotated[str, typer.Argument(help="The oldest month there is, as 2026-01.")]) -> None:
    """Drop a month that is over, and leave a signed stub of it, so that what comes after still verifies.

    Needs the owner's DATABASE_URL and AGENT_RUNTIME_AUDIT_KEY. Export the month before.
    """
    from agent_runtime.audit.key import required_audit_key
    from agent_runtime.audit.retire import retire as retire_month
    from agent_runtime.config import load_settings
    from agent_runtime.worker import required_database_url

    settings = load_settings()
    first = _month(month)
    key = required_audit_key(settings.audit_key)
    with _progress("rows verified", None) as on_rows:
        rows, chains = retire_month(required_database_url(settings), first, key, on_rows=on_rows)
    typer.echo(f"{first:%Y-%m} is retired: {rows} rows of {chains} chains, each with a stub signed by key {key.id}")


def _verify_database(kept: list[Head], key: AuditKey | None) -> list[Verdict]:
    from agent_runtime.audit.verify import verify as verify_chains

    async def work(source: AuditSource) -> list[Verdict]:
        heads = await source.heads()
        if not _sees_all():
            # Of one tenant's chain nothing is said about the others'.
            there = {head.tenant_id for head in heads}
            kept[:] = [head for head in kept if head.tenant_id in there]
        with _progress("rows verified", _rows_of(heads)) as on_rows:
            return await verify_chains(source, heads, kept=kept, key=key, on_rows=on_rows)

    return _with_source(work)


def _verify_file(path: Path, kept: list[Head], key: AuditKey | None) -> list[Verdict]:
    from agent_runtime.audit.file import verify_file

    try:
        with path.open(encoding="utf-8") as lines, _progress("lines verified", None) as on_rows:
            return verify_file(lines, kept=kept, key=key, on_rows=on_rows)
    except UnicodeDecodeError:
        raise InvalidInput(f"{path} is no export of the audit") from None


def _print_verdicts(verdicts: list[Verdict]) -> None:
    rows = []
    for verdict in verdicts:
        problem = verdict.problem
        result = Text("verified", style="green") if problem is None else Text(problem.kind, style="red")
        where = "" if problem is None else " ".join(str(part) for part in (problem.seq, problem.id) if part is not None)
        says = one_line(problem.says, 300) if problem else ""
        if verdict.stubs and problem is None:
            signed = (
                "signatures verified"
                if verdict.stubs_signed
                else "AGENT_RUNTIME_AUDIT_KEY is not set: signatures not verified"
            )
            says = f"{verdict.stubs} months retired, {signed}"
        rows.append((_whose(verdict.tenant_id), str(verdict.rows), result, where, says))
    print_table(make_console(), ("chain of", "rows", "result", "first bad row", ""), rows, empty="The audit is empty.")


def _with_source(work: Callable[[AuditSource], Awaitable[T]]) -> T:
    from agent_runtime.audit.source import OwnerSource, PersonSource, owner_connection
    from agent_runtime.config import load_settings

    database_url = load_settings().database_url
    if database_url is None:
        return as_person(lambda person: work(PersonSource(person)))
    with owner_connection(database_url.get_secret_value()) as connection:

        async def main() -> T:
            return await work(OwnerSource(connection))

        return asyncio.run(main())


def _sees_all() -> bool:
    from agent_runtime.config import load_settings

    return load_settings().database_url is not None


def _key() -> AuditKey | None:
    from agent_runtime.audit.key import audit_key
    from agent_runtime.config import load_settings

    return audit_key(load_settings().audit_key)


def _read_heads(path: Path) -> list[Head]:
    from pydantic import ValidationError

    from agent_runtime.audit.records import Heads

    try:
        return Heads.model_validate_json(path.read_bytes()).heads
    except ValidationError:
        raise InvalidInput(f"{path} is not what `agent-runtime audit head --json` prints") from None


def _chosen(heads: list[Head], tenant: str | None) -> list[Head]:
    if tenant is None:
        return heads
    wanted = None if tenant == "platform" else parse_id(tenant, "tenant", shown_by="audit head")
    chosen = [head for head in heads if head.tenant_id == wanted]
    if not chosen:
        raise InvalidInput(f"there is no chain of {one_line(tenant, 60)}: `agent-runtime audit head` shows them")
    return chosen


def _month(text: str) -> date:
    try:
        return datetime.strptime(text.strip(), "%Y-%m").date()
    except ValueError:
        raise InvalidInput(f"{one_line(text, 60)!r} is no month: give it as 2026-01") from None


def _utc(moment: datetime | None) -> datetime | None:
    return moment.replace(tzinfo=UTC) if moment else None


def _whose(tenant_id: UUID | None) -> str:
    return str(tenant_id) if tenant_id else "the platform"


def _rows_of(heads: list[Head]) -> int:
    return sum(head.chain_seq - head.dropped for head in heads)


@contextmanager
def _progress(what: str, total: int | None) -> Iterator[OnRows]:
    from rich.progress import BarColumn, MofNCompleteColumn, Progress, TextColumn, TimeElapsedColumn

    console = make_console(stderr=True)
    columns = TextColumn("{task.description}"), BarColumn(), MofNCompleteColumn(), TimeElapsedColumn()
    with Progress(*columns, console=console, transient=True, disable=not console.is_terminal) as progress:
        task = progress.add_task(what, total=total)

        def on_rows(count: int) -> None:
            progress.advance(task, count)

        yield on_rows
