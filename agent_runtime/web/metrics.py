"""Figures of this process, in the text format that Prometheus reads."""

from __future__ import annotations

import time
from collections import Counter
from dataclasses import dataclass, field

CONTENT_TYPE = "text/plain; version=0.0.4; charset=utf-8"


@dataclass
class Metrics:
    """Counted since the process started."""

    streams_open: int = 0
    streams_opened: int = 0
    events_sent: int = 0
    deltas_sent: int = 0
    reads: int = 0
    reads_failed: int = 0
    checks: int = 0
    csp_reports: int = 0
    ended: Counter[str] = field(default_factory=Counter)
    """Streams, by why they ended."""
    refused: Counter[str] = field(default_factory=Counter)
    """Requests for a stream that got none, by status."""
    behind_since: float | None = None
    """When the watched timelines were last read whole (`time.monotonic`); None while nobody watches."""

    @property
    def lag_seconds(self) -> float:
        return 0.0 if self.behind_since is None else time.monotonic() - self.behind_since

    def text(self) -> str:
        lines: list[str] = []

        def tell(name: str, kind: str, said: str, values: dict[str, float]) -> None:
            lines.extend((f"# HELP agent_runtime_web_{name} {said}", f"# TYPE agent_runtime_web_{name} {kind}"))
            lines.extend(f"agent_runtime_web_{name}{labels} {value:g}" for labels, value in values.items())

        tell("streams", "gauge", "Live streams that are open.", {"": self.streams_open})
        tell("streams_opened_total", "counter", "Live streams opened.", {"": self.streams_opened})
        tell("streams_ended_total", "counter", "Live streams ended, by reason.", _by("reason", self.ended))
        tell("streams_refused_total", "counter", "Requests that got no stream, by status.", _by("status", self.refused))
        tell("events_sent_total", "counter", "Events sent, over all streams.", {"": self.events_sent})
        tell("deltas_sent_total", "counter", "Pieces of answers sent, over all streams.", {"": self.deltas_sent})
        tell("reads_total", "counter", "Reads of the watched timelines.", {"": self.reads})
        tell("reads_failed_total", "counter", "Reads that failed.", {"": self.reads_failed})
        tell("access_checks_total", "counter", "Questions whether somebody may still see.", {"": self.checks})
        tell("lag_seconds", "gauge", "Since the watched timelines were last read; 0 if none.", {"": self.lag_seconds})
        tell("csp_reports_total", "counter", "Violations of the content policy.", {"": self.csp_reports})
        return "\n".join(lines) + "\n"


def _by(label: str, counts: Counter[str]) -> dict[str, float]:
    return {f'{{{label}="{name}"}}': count for name, count in sorted(counts.items())}
