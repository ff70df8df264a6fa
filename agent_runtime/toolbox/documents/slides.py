"""Text of presentations (.pptx): slide by slide, with tables and speaker notes."""

from __future__ import annotations

import io
from collections.abc import Iterator
from typing import Any

from agent_runtime.toolbox.documents.parts import chosen_numbers
from agent_runtime.toolbox.documents.tables import markdown_table

_DEPTH_LIMIT = 20
"""Of groups in groups."""


def slides_text(content: bytes, part: str | None) -> str:
    """The slides that `part` names. Raises `WrongPart`, and what python-pptx raises for what is no presentation."""
    import pptx

    slides = list(pptx.Presentation(io.BytesIO(content)).slides)
    parts = []
    for number in chosen_numbers(part, len(slides), "slide"):
        slide = slides[number - 1]
        lines = [f"--- slide {number} of {len(slides)} ---", *_shapes(slide.shapes, slide.shapes.title, 0)]
        if slide.has_notes_slide and (notes := slide.notes_slide.notes_text_frame):
            lines += [f"[notes: {' '.join(notes.text.split())}]"] if notes.text.strip() else []
        parts.append("\n".join(lines))
    return "\n\n".join(parts)


def _shapes(shapes: Any, title: Any, depth: int) -> Iterator[str]:
    for shape in shapes:
        if shape.has_text_frame and shape.text_frame.text.strip():
            mark = "# " if title is not None and shape.shape_id == title.shape_id else ""
            for paragraph in shape.text_frame.paragraphs:
                if text := "".join(run.text for run in paragraph.runs).strip():
                    yield f"{'  ' * paragraph.level}{mark}{text}"
        elif getattr(shape, "has_table", False):
            yield from markdown_table([cell.text for cell in row.cells] for row in shape.table.rows)
        elif getattr(shape, "has_chart", False):
            yield from _chart(shape.chart)
        elif hasattr(shape, "shapes") and depth < _DEPTH_LIMIT:
            yield from _shapes(shape.shapes, None, depth + 1)
        elif hasattr(shape, "image"):
            yield f"[picture: {shape.name}]"


def _chart(chart: Any) -> Iterator[str]:
    for plot in chart.plots:
        names = [str(category) for category in plot.categories]
        series = [[one.name, *(str(value) for value in one.values)] for one in plot.series]
        yield from markdown_table([["chart", *names], *series])
