"""`agent-runtime files`: list a task's files, and get them."""

from __future__ import annotations

import errno
import os
import secrets
import unicodedata
from collections.abc import Sequence
from pathlib import Path
from typing import TYPE_CHECKING, Annotated, Any

import typer

from agent_runtime.cli import app
from agent_runtime.cli.acting import as_person, parse_id
from agent_runtime.cli.output import clean, make_console, one_line, print_json, print_table, size_text, time_text
from agent_runtime.errors import InvalidInput, NotFound

if TYPE_CHECKING:
    from agent_runtime.person.client import Person
    from agent_runtime.person.records import FileRow

files = typer.Typer(name="files", help="A task's files: list them, get them.", no_args_is_help=True)
app.add_typer(files)

TaskId = Annotated[str, typer.Argument(metavar="TASK", help="The task.")]
Json = Annotated[bool, typer.Option("--json", help="As JSON.")]

_NAME_BYTES = 200


@files.command("list", epilog="Example: agent-runtime files list 3f2a…")
def list_files(
    task_id: TaskId,
    removed: Annotated[bool, typer.Option("--removed", help="Also those that the agent removed.")] = False,
    as_json: Json = False,
) -> None:
    """List a task's files: what was given and what was made, every version."""
    from agent_runtime.person.records import current_files

    task = parse_id(task_id)

    async def work(person: Person) -> list[FileRow]:
        await person.task(task)
        rows = await person.files(task)
        there = {row.filename for row in current_files(rows)}
        return rows if removed else [row for row in rows if row.filename in there]

    found = as_person(work)
    if as_json:
        print_json(found)
        return
    rows = (
        (
            file.filename,
            str(file.version),
            size_text(file.file_size),
            file.mime_type if file.kind == "file" else file.kind,
            "made" if file.execution_id else "given",
            time_text(file.created_at),
            (file.file_hash or "")[:12],
        )
        for file in found
    )
    columns = ("file", "version", "size", "type", "by", "at", "sha256")
    print_table(make_console(), columns, rows, empty="The task has no files.")


@files.command(epilog="Example: agent-runtime files get 3f2a… report.md --output results")
def get(
    task_id: TaskId,
    names: Annotated[
        list[str] | None, typer.Argument(metavar="[NAME]…", help="Names as `files list` shows them.")
    ] = None,
    everything: Annotated[bool, typer.Option("--all", help="Every file that the agent made.")] = False,
    output: Annotated[Path, typer.Option(help="Folder to put them in; it is made if need be.")] = Path(),
    force: Annotated[bool, typer.Option("--force", help="Overwrite what is there.")] = False,
    as_json: Json = False,
) -> None:
    """Get files, in their newest version. The bytes are held against the recorded sha256 before a file appears."""
    if bool(names) == everything:
        raise InvalidInput("which files? Give their names, or --all for every file that the agent made")
    task = parse_id(task_id)

    async def work(person: Person) -> list[dict[str, Any]]:
        await person.task(task)
        wanted = _wanted(await person.files(task), names or [])
        return await _get_all(person, wanted, output, force=force)

    got = as_person(work)
    if as_json:
        print_json(got)
        return
    for one in got:
        make_console().print(f"{one_line(one['path'], 1_000)}  {size_text(one['size_bytes'])}")


def _wanted(rows: Sequence[FileRow], names: Sequence[str]) -> list[FileRow]:
    """The newest version of each file that is asked for."""
    from agent_runtime.person.records import current_files

    newest = {row.filename: row for row in current_files(rows)}
    if not names:
        # A repository's own files are the run's affair: in a folder of the person's, git would do what they say.
        made = [row for row in newest.values() if row.execution_id and not row.is_temporary and not _is_of_git(row)]
        if not made:
            raise NotFound("the agent has made no files")
        return made
    missing = [name for name in names if name not in newest]
    if missing:
        known = ", ".join(one_line(name, 80) for name in newest) or "none"
        raise NotFound(f"the task has no file {one_line(missing[0])!r}; its files: {known}")
    return [newest[name] for name in dict.fromkeys(names)]


def _is_of_git(row: FileRow) -> bool:
    return ".git" in row.filename.casefold().split("/")


async def _get_all(person: Person, rows: Sequence[FileRow], folder: Path, *, force: bool) -> list[dict[str, Any]]:
    targets = _targets(rows, folder)
    if not force:
        _refuse_to_overwrite([target for _, target in targets])
    got = []
    for row, target in targets:
        target.parent.mkdir(parents=True, exist_ok=True)
        _refuse_to_leave(folder, target)
        await _get(person, row, target, force=force)
        got.append(
            {"filename": row.filename, "path": str(target), "size_bytes": row.file_size, "sha256": row.file_hash}
        )
    return got


def _targets(rows: Sequence[FileRow], folder: Path) -> list[tuple[FileRow, Path]]:
    targets: dict[Path, FileRow] = {}
    for row in rows:
        target = plain = folder / local_path(row.filename)
        number = 1
        # Two names may be the same once they are made harmless.
        while target in targets:
            number += 1
            target = plain.with_name(f"{plain.stem}-{number}{plain.suffix}")
        targets[target] = row
    return [(row, target) for target, row in targets.items()]


def _refuse_to_overwrite(targets: Sequence[Path]) -> None:
    for target in targets:
        if os.path.lexists(target):
            raise _is_there(target)


def _is_there(target: Path) -> InvalidInput:
    return InvalidInput(f"{one_line(str(target), 500)} is there already: --force overwrites it")


async def _get(person: Person, row: FileRow, target: Path, *, force: bool) -> None:
    part = target.with_name(f".{secrets.token_hex(8)}.part")
    try:
        await person.download(row, part)
        if force:
            part.replace(target)
        else:
            _put(part, target)
    finally:
        part.unlink(missing_ok=True)


def _put(part: Path, target: Path) -> None:
    try:
        # A link, unlike a rename, never takes the place of what somebody put there meanwhile.
        os.link(part, target)
    except FileExistsError:
        raise _is_there(target) from None
    except OSError as error:
        if error.errno not in (errno.EPERM, errno.ENOTSUP):
            raise
        # A file system without links: taking the name first is the next best.
        try:
            target.touch(exist_ok=False)
        except FileExistsError:
            raise _is_there(target) from None
        part.replace(target)


def local_path(filename: str) -> Path:
    """Where a file goes within the folder: its own path, but nothing that leaves it or hides in a terminal.

    The name was chosen by an agent: `..`, absolute paths, control characters and over-long parts are made harmless.
    """
    parts = [_tame(part) for part in clean(filename).replace("\\", "/").split("/") if part not in ("", ".", "..")]
    return Path(*(part for part in parts if part)) if any(parts) else Path("file")


def _tame(part: str) -> str:
    part = "".join(one for one in unicodedata.normalize("NFC", part) if one.isprintable()).strip()
    part = part.encode()[:_NAME_BYTES].decode(errors="ignore")
    return "" if part.strip(".") == "" else part


def _refuse_to_leave(folder: Path, target: Path) -> None:
    """A link that lies in the folder could lead anywhere."""
    if not target.parent.resolve().is_relative_to(folder.resolve()):
        raise InvalidInput(f"{one_line(str(target.parent), 500)} is a link that leads out of {one_line(str(folder))}")
