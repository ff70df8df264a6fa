"""Pictures for a model that can see: of a bounded size, in a form that every model server reads.

Pillow works in a process of its own, because a small file can ask for any number of pixels. What is shown is a copy
below `.outputs/`, so that a picture which changes later is still what the model saw.
"""

from __future__ import annotations

import base64
import hashlib
import io
import json
import sys
import warnings
from collections.abc import Sequence
from typing import TYPE_CHECKING, Any

from agent_runtime.errors import ToolRefused
from agent_runtime.toolbox.sandbox.isolated import run_isolated

if TYPE_CHECKING:
    from agent_runtime.toolbox.definition import ToolContext

LONG_SIDE_PIXELS = 1280
"""Larger ones are made smaller: a model sees no more, and each pixel costs room in its context."""
PICTURE_LIMIT_BYTES = 1024 * 1024
PICTURES_AT_ONCE = 4
"""Of one call."""
_PIXELS_LIMIT = 80_000_000
_TIMEOUT_SECONDS = 20.0
_FORMATS = ("PNG", "JPEG", "GIF", "WEBP", "TIFF")
_FOLDER = ".outputs"


async def prepare_pictures(paths: Sequence[str], context: ToolContext) -> tuple[list[dict[str, Any]], list[str]]:
    """What of the pictures the model is shown, as dicts of `path`, `sha256`, `mime_type`, `width`, `height`, and a line
    of text for each. Never raises for what is in a file.
    """
    shown: list[dict[str, Any]] = []
    lines: list[str] = []
    for number, path in enumerate(paths[:PICTURES_AT_ONCE], start=1):
        try:
            picture, line = await _prepare(path, number, context)
        except ToolRefused as refusal:
            lines.append(f"[{path}: not shown: {refusal}]")
            continue
        lines.append(line)
        shown.append(picture)
    if len(paths) > PICTURES_AT_ONCE:
        lines.append(
            f"[limit of {PICTURES_AT_ONCE} pictures at once reached; {len(paths) - PICTURES_AT_ONCE} left out]"
        )
    return shown, lines


async def _prepare(path: str, number: int, context: ToolContext) -> tuple[dict[str, Any], str]:
    content = context.workspace.read_bytes(path)
    found = await run_isolated("agent_runtime.toolbox.pictures", {}, content=content, timeout_seconds=_TIMEOUT_SECONDS)
    line = f"{path}: {found['format']} picture of {found['width']} × {found['height']} pixels, {len(content)} bytes"
    copy = base64.b64decode(found["content"])
    name = f"{_FOLDER}/{context.execution_id}-{number}.{'png' if found['mime_type'] == 'image/png' else 'jpg'}"
    context.workspace.write_bytes(name, copy)
    size = [found["shown_width"], found["shown_height"]]
    if size != [found["width"], found["height"]]:
        line = f"{line}, shown as {size[0]} × {size[1]}"
    picture = {
        "path": name,
        "of": path,
        "sha256": hashlib.sha256(copy).hexdigest(),
        "mime_type": found["mime_type"],
        "width": size[0],
        "height": size[1],
    }
    return picture, f"[{line}]"


def _answer(content: bytes) -> dict[str, Any]:
    from PIL import Image, ImageOps, UnidentifiedImageError

    Image.MAX_IMAGE_PIXELS = None  # ours is checked below, with words of ours
    warnings.simplefilter("ignore")
    try:
        with Image.open(io.BytesIO(content), formats=_FORMATS) as image:
            width, height = image.size
            if width * height > _PIXELS_LIMIT:
                return {"error": f"it has {width} × {height} pixels, over the limit of {_PIXELS_LIMIT}"}
            kind = image.format
            # A JPEG can be read at a fraction of its size, which spares time and memory.
            image.draft("RGB", (LONG_SIDE_PIXELS, LONG_SIDE_PIXELS))
            image.load()
            upright = ImageOps.exif_transpose(image)
    except UnidentifiedImageError:
        return {"error": "it is broken, or a picture of a kind that is not known here"}
    except MemoryError:
        raise
    except Exception as error:
        return {"error": f"it is broken and cannot be read: {' '.join(str(error).split())[:200]}"}
    if (upright.width < upright.height) != (width < height):
        width, height = height, width
    return {"format": kind, "width": width, "height": height, **_copy(upright)}


def _copy(image: Any) -> dict[str, Any]:
    from PIL import Image

    if image.mode in ("RGBA", "LA", "PA", "P"):
        # What is clear becomes white, as on a page; models know no transparency.
        image = image.convert("RGBA")
        page = Image.new("RGBA", image.size, "white")
        page.alpha_composite(image)
        image = page
    image = image.convert("L" if image.mode in ("1", "L") else "RGB")
    image.thumbnail((LONG_SIDE_PIXELS, LONG_SIDE_PIXELS))
    content, mime_type = _saved(image, "PNG", optimize=True), "image/png"
    quality = 85
    while len(content) > PICTURE_LIMIT_BYTES // 2 and quality >= 25:
        content, mime_type = _saved(image, "JPEG", quality=quality), "image/jpeg"
        quality -= 20
    return {
        "shown_width": image.width,
        "shown_height": image.height,
        "mime_type": mime_type,
        "content": base64.b64encode(content).decode(),
    }


def _saved(image: Any, kind: str, **options: Any) -> bytes:
    into = io.BytesIO()
    image.save(into, kind, **options)
    return into.getvalue()


if __name__ == "__main__":
    sys.stdout.write(json.dumps(_answer(sys.stdin.buffer.read())))
