"""Unpack an archive of the workspace, or save what is attached to a mail."""

from __future__ import annotations

from pathlib import PurePosixPath

from pydantic import BaseModel, ConfigDict, Field

from agent_runtime.toolbox import ToolContext, ToolRefused, ToolResult, tool
from agent_runtime.toolbox.archives.unpack import unpack_archive

_SHOWN_FILES = 100


class Arguments(BaseModel):
    model_config = ConfigDict(extra="forbid")

    path: str = Field(description="The archive or mail, relative to the workspace.")
    into: str | None = Field(
        default=None, description="The folder to unpack into; one named like the archive, beside it, if left out."
    )
    only: list[str] = Field(
        default_factory=list,
        max_length=50,
        description="Unpack only what fits one of these patterns, with * and ?: `*.csv`, `docs/*`; all if empty.",
    )
    replace: bool = Field(default=False, description="Write over files that are there already.")


@tool(display_name="Unpack an archive", category="file", security_level="moderate", retry_class="idempotent")
async def archive_unpack(arguments: Arguments, context: ToolContext) -> ToolResult:
    """Unpack a zip, tar, tar.gz, tar.bz2, tar.xz, gz, bz2 or xz file, or save the attachments of a mail (.eml, .msg).

    file_read lists what is in it first. At most 10,000 entries, 256 MiB in all and 32 MiB each. Links, devices,
    encrypted entries and names that lead out are left out, and each is named with the reason.
    """
    path = context.workspace.relative(arguments.path)
    into = context.workspace.relative(arguments.into if arguments.into is not None else _beside(path))
    found = await unpack_archive(context.workspace, path, into, arguments.only, replace=arguments.replace)
    files, refused, refusals = found["files"], found["refused"], found["refusals"]
    if not (files or refusals or found["stopped"]):
        raise ToolRefused(f"nothing in {path!r} fits; file_read lists what is in it")
    lines = [f"{len(files)} files unpacked into {into}"]
    lines += [f"{file['path']}  {file['size_bytes']} bytes" for file in files[:_SHOWN_FILES]]
    if len(files) > _SHOWN_FILES:
        lines.append(f"[and {len(files) - _SHOWN_FILES} more; file_list shows them]")
    if refusals:
        lines += [f"{refusals} left out:", *(f"{one['name']}: {one['why']}" for one in refused)]
        lines += [f"[and {refusals - len(refused)} more]"] if refusals > len(refused) else []
    if found["stopped"]:
        lines.append(f"[stopped: {found['stopped']}; what was unpacked before is there]")
    data = {"into": into, "files": len(files), "left_out": refusals, "stopped": found["stopped"]}
    failed = bool(found["stopped"]) or not files
    return ToolResult(content="\n".join(lines), data=data, failed=failed, sources=[f"file {path}"])


def _beside(path: str) -> str:
    pure = PurePosixPath(path)
    name = pure.name
    for ending in (".tar.gz", ".tar.bz2", ".tar.xz", ".tgz", ".tbz2", ".txz"):
        if name.lower().endswith(ending) and len(name) > len(ending):
            return str(pure.with_name(name[: -len(ending)]))
    return str(pure.with_suffix("")) if pure.suffix else f"{path}.unpacked"
