"""The pictures that results of calls brought, for a model that can see."""

from __future__ import annotations

import base64
import hashlib
from collections.abc import Mapping, Sequence

from agent_runtime.errors import ToolRefused
from agent_runtime.records import Execution
from agent_runtime.toolbox.workspace import Workspace

PICTURES_LIMIT = 8
"""Of one request: each costs a model as much as pages of text. Older ones are left out half of them at a time, so that
what the model was shown before stays the same in between."""
NO_VISION = (
    "[The picture is not shown: this model cannot see. Work on it by a command, or ask the person what is in it.]"
)
NOT_AGAIN = "[The picture was shown before and is left out here; read the file again to see it.]"
GONE = "[The picture is no longer there.]"

Pictures = Mapping[tuple[int, int], tuple[tuple[str, ...], str]]
"""By step and index of the call: the pictures in base64, and what to say where some are not shown."""
NO_PICTURES: Pictures = {}


class ShownPictures:
    """Reads the pictures of one run from its workspace, each once."""

    def __init__(self, workspace: Workspace) -> None:
        self._workspace = workspace
        self._read: dict[str, str | None] = {}

    def of(self, executions: Sequence[Execution], *, vision: bool) -> Pictures:
        """Of the calls so far, in their order: a function of what is recorded, and of whether the model sees."""
        calls = [(call, (call.output_result or {}).get("images") or []) for call in executions]
        calls = [(call, images) for call, images in calls if images]
        over = sum(len(images) for _, images in calls) - PICTURES_LIMIT
        half = PICTURES_LIMIT // 2
        drop = -(-over // half) * half if over > 0 else 0
        pictures: dict[tuple[int, int], tuple[tuple[str, ...], str]] = {}
        for call, images in calls:
            key = (call.step, call.call_index)
            if not vision:
                pictures[key] = ((), NO_VISION)
            elif drop > 0:
                drop -= len(images)
                pictures[key] = ((), NOT_AGAIN)
            else:
                found = [self._bytes_of(image["path"], image["sha256"]) for image in images]
                pictures[key] = (tuple(one for one in found if one), "" if all(found) else GONE)
        return pictures

    def _bytes_of(self, path: str, sha256: str) -> str | None:
        if sha256 not in self._read:
            try:
                content = self._workspace.read_bytes(path)
            except ToolRefused:
                content = b""
            same = hashlib.sha256(content).hexdigest() == sha256
            self._read[sha256] = base64.b64encode(content).decode() if same else None
        return self._read[sha256]
