"""Takes secrets out of a workspace before any of it is stored: a command may have written there what it was given."""

from __future__ import annotations

import time
from typing import Literal

from agent_runtime.errors import ToolRefused
from agent_runtime.structlog_alone import structlog
from agent_runtime.toolbox.snapshot import Entry, Snapshot
from agent_runtime.toolbox.workspace import FILE_LIMIT_BYTES, Workspace
from agent_runtime.vault.scrub import MARK, WINDOW_BYTES, Scrubber
from agent_runtime.vault.unpack import unpacked

log = structlog.get_logger()

_TICK_NS = 20_000_000
"""A file that was written so shortly before it was looked at could be written again with the same times."""

Found = Literal["nothing", "redacted", "removed"]


class Redactor:
    """Looks at what changed in a workspace since the last look, at what is not stored (`workspace.ignore`) too."""

    def __init__(self, workspace: Workspace, scrubber: Scrubber) -> None:
        self._workspace = workspace
        self._scrubber = scrubber
        self._looked_at: dict[str, Entry] = {}
        self._looked_for = 0

    def redact(self) -> list[str]:
        """Returns what the model should know, in lines. Blocks while it reads; call it in a thread.

        In a text `***` takes the place of a secret. Anything else that holds one is removed: an archive with a hole in
        it is of no use.
        """
        if not self._scrubber:
            return []
        if self._looked_for != self._scrubber.count:
            self._looked_at, self._looked_for = {}, self._scrubber.count
        scanned_at_ns = time.time_ns()
        snapshot = self._workspace.snapshot()
        notes = []
        if self._remove_names(snapshot):
            notes.append("What had a secret in its name was removed from the workspace.")
            snapshot = self._workspace.snapshot()
        seen: dict[str, Entry] = {}
        for path, entry in sorted(snapshot.files.items()):
            if self._looked_at.get(path) == entry:
                seen[path] = entry
                continue
            found = self._look_into(path)
            if found == "redacted":
                notes.append(f"{path} held a secret; there is {MARK} in its place now.")
            elif found == "removed":
                notes.append(f"{path} held a secret and was removed: what is not plain text is not kept then.")
            elif scanned_at_ns - entry.ctime_ns > _TICK_NS:
                seen[path] = entry
        self._looked_at = seen
        if notes:
            log.warning("secrets taken out of the workspace", paths=len(notes))
        return notes

    def _remove_names(self, snapshot: Snapshot) -> bool:
        names = [*snapshot.folders, *snapshot.files, *(f"{path}\n{to}" for path, to in snapshot.links.items())]
        removed = False
        for name in names:
            if self._scrubber.holds(name.encode()):
                self._workspace.remove(name.partition("\n")[0])
                removed = True
        return removed

    def _look_into(self, path: str) -> Found:
        try:
            with self._workspace.open(path) as file:
                content = file.read(FILE_LIMIT_BYTES + 1)
                found = self._scrubber.holds(content) or any(map(self._scrubber.holds, unpacked(content)))
                # The rest of a long one, each window with the end of the one before it.
                before = content[-self._scrubber.longest_bytes :]
                while not found and len(content) > FILE_LIMIT_BYTES and (window := file.read(WINDOW_BYTES)):
                    found = self._scrubber.holds(before + window)
                    before = window[-self._scrubber.longest_bytes :]
            if not found:
                return "nothing"
            if len(content) <= FILE_LIMIT_BYTES and _is_text(content):
                mended = self._scrubber.content(content)
                if not self._scrubber.holds(mended):
                    self._workspace.write_bytes(path, mended)
                    return "redacted"
        except (ToolRefused, OSError) as error:
            log.info("not looked into", file=path, reason=str(error))
            return "nothing"
        self._workspace.remove(path)
        return "removed"


def _is_text(content: bytes) -> bool:
    if b"\0" in content:
        return False
    try:
        content.decode()
    except UnicodeDecodeError:
        return False
    return True
