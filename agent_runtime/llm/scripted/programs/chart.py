"""Draw profile.json as a chart: python3 chart.py PROFILE.json OUTPUT.svg

Bars for the totals by group, a line for the totals over time, bars for the spread of values where there is neither.
Only the standard library is used. Written by agent-runtime's stand-in policy.
"""

from __future__ import annotations

import json
import math
import sys
from pathlib import Path
from typing import Any
from xml.sax.saxutils import escape

WIDTH = 900
INK, SOFT, GRID, FILL = "#1f2933", "#52606d", "#d9e2ec", "#2f6f9f"


def main(arguments: list[str]) -> int:
    profile = json.loads(Path(arguments[0]).read_text(encoding="utf-8"))
    panels = panels_of(profile)
    if not panels:
        print(f"chart: nothing to draw in {arguments[0]}")
        return 1
    Path(arguments[1]).write_text(document(panels), encoding="utf-8", errors="replace")
    print(f"chart: wrote {Path(arguments[1]).name}")
    return 0


def panels_of(profile: dict[str, Any]) -> list[tuple[int, str]]:
    """Each panel's height and drawing."""
    measure, what = profile["measure"], "total" if profile["measure"] else "rows"
    subject = f"Total {measure}" if measure else "Rows"
    panels = []
    groups = profile["groups"][:12]
    if groups:
        title = f"{subject} by {profile['category']} in {profile['file']}"
        if len(profile["groups"]) + profile["groups_left_out"] > len(groups):
            title += f" (largest {len(groups)})"
        bars = [(group["value"], group[what]) for group in groups]
        panels.append(bar_panel(title, profile["category"], measure or "rows", bars))
    trend = profile["trend"] or {"points": []}
    if len(trend["points"]) > 1:
        title = f"{subject} per {trend['period']} in {profile['file']}"
        points = [(point["period"], point[what]) for point in trend["points"]]
        panels.append(line_panel(title, trend["period"], measure or "rows", points))
    if not panels and profile["histogram"]:
        bars = [(f"{short(bin['from'])} to {short(bin['to'])}", bin["values"]) for bin in profile["histogram"]]
        panels.append(bar_panel(f"Values of {measure} in {profile['file']}", measure, "number of values", bars))
    return panels or top_values(profile)


def top_values(profile: dict[str, Any]) -> list[tuple[int, str]]:
    for column in profile["columns"]:
        if column.get("top"):
            title = f"Most frequent values of {column['name']} in {profile['file']}"
            return [bar_panel(title, column["name"], "rows", [(value, count) for value, count in column["top"]])]
    return []


def bar_panel(title: str, category: str, measure: str, bars: list[tuple[str, float]]) -> tuple[int, str]:
    left, right, top, step = 190, 90, 62, 28
    bottom = top + step * len(bars)
    ticks = nice_ticks(min(0, *(value for _, value in bars)), max(0, *(value for _, value in bars)))
    low, high = ticks[0], ticks[-1]

    def x(value: float) -> float:
        return left + (value - low) / (high - low) * (WIDTH - left - right)

    parts = [heading(title)]
    for tick in ticks:
        parts.append(rule(x(tick), top - 6, x(tick), bottom))
        parts.append(text(x(tick), bottom + 16, short(tick), "middle", SOFT, 11))
    for place, (name, value) in enumerate(bars):
        y = top + place * step
        parts.append(
            f'<rect x="{min(x(0), x(value)):.1f}" y="{y + 3}" width="{abs(x(value) - x(0)):.1f}" height="{step - 8}" '
            f'fill="{FILL}"/>'
        )
        parts.append(text(left - 8, y + 17, cut(name, 26), "end", INK, 12))
        parts.append(text(max(x(value), x(0)) + 5, y + 17, short(value), "start", INK, 12))
    parts.append(text((left + WIDTH - right) / 2, bottom + 36, cut(measure, 60), "middle", SOFT, 12))
    parts.append(text(left - 8, top - 12, cut(category, 26), "end", SOFT, 12))
    return bottom + 54, "".join(parts)


def line_panel(title: str, period: str, measure: str, points: list[tuple[str, float]]) -> tuple[int, str]:
    left, right, top, bottom = 100, 40, 62, 300
    ticks = nice_ticks(min(0, *(value for _, value in points)), max(0, *(value for _, value in points)))
    low, high = ticks[0], ticks[-1]
    step = (WIDTH - left - right) / (len(points) - 1)

    def y(value: float) -> float:
        return bottom - (value - low) / (high - low) * (bottom - top)

    parts = [heading(title)]
    for tick in ticks:
        parts.append(rule(left, y(tick), WIDTH - right, y(tick)))
        parts.append(text(left - 8, y(tick) + 4, short(tick), "end", SOFT, 11))
    line = " ".join(f"{left + place * step:.1f},{y(value):.1f}" for place, (_, value) in enumerate(points))
    parts.append(f'<polyline points="{line}" fill="none" stroke="{FILL}" stroke-width="2"/>')
    every = math.ceil(len(points) / 10)
    for place, (name, value) in enumerate(points):
        parts.append(f'<circle cx="{left + place * step:.1f}" cy="{y(value):.1f}" r="3" fill="{FILL}"/>')
        if place % every == 0:
            parts.append(text(left + place * step, bottom + 18, name, "middle", SOFT, 11))
    parts.append(text((left + WIDTH - right) / 2, bottom + 40, period, "middle", SOFT, 12))
    parts.append(text(left - 8, top - 12, cut(measure, 16), "end", SOFT, 12))
    return bottom + 58, "".join(parts)


def document(panels: list[tuple[int, str]]) -> str:
    height, drawn = 0, []
    for panel_height, drawing in panels:
        drawn.append(f'<g transform="translate(0 {height})">{drawing}</g>')
        height += panel_height
    return (
        f'<svg xmlns="http://www.w3.org/2000/svg" viewBox="0 0 {WIDTH} {height}" width="{WIDTH}" height="{height}" '
        f'font-family="Helvetica, Arial, sans-serif"><rect width="100%" height="100%" fill="#ffffff"/>'
        f"{''.join(drawn)}</svg>\n"
    )


def nice_ticks(low: float, high: float) -> list[float]:
    """Round numbers from at most `low` to at least `high`, some five steps apart."""
    span = (high - low) or 1.0
    power = 10.0 ** math.floor(math.log10(span / 5))
    step = next(factor * power for factor in (1, 2, 2.5, 5, 10, 20) if span / (factor * power) <= 6)
    first, last = math.floor(low / step), math.ceil(high / step)
    return [place * step for place in range(first, max(last, first + 1) + 1)]


def heading(words: str) -> str:
    return f'<text x="24" y="30" font-size="17" font-weight="bold" fill="{INK}">{clean(cut(words, 95))}</text>'


def text(x: float, y: float, words: str, anchor: str, colour: str, size: int) -> str:
    return (
        f'<text x="{x:.1f}" y="{y:.1f}" text-anchor="{anchor}" font-size="{size}" fill="{colour}">{clean(words)}</text>'
    )


def rule(x1: float, y1: float, x2: float, y2: float) -> str:
    return f'<line x1="{x1:.1f}" y1="{y1:.1f}" x2="{x2:.1f}" y2="{y2:.1f}" stroke="{GRID}"/>'


def cut(words: str, length: int) -> str:
    return words if len(words) <= length else words[: length - 1] + "…"


def clean(words: str) -> str:
    return escape("".join(character if character.isprintable() else " " for character in str(words)))


def short(value: float) -> str:
    for limit, unit in ((1e12, "T"), (1e9, "G"), (1e6, "M")):
        if abs(value) >= limit * 10:
            return f"{value / limit:,.4g}{unit}"
    return f"{value:,.2f}".rstrip("0").rstrip(".") if abs(value) >= 0.01 or value == 0 else f"{value:.3g}"


if __name__ == "__main__":
    sys.exit(main(sys.argv[1:]))
