"""The machine that was measured: what a reader needs to judge the figures, and nothing that names it."""

from __future__ import annotations

import os
import platform
import statistics
import tempfile
import time
from pathlib import Path

import psutil


def describe() -> dict[str, str]:
    """By label. `fsync` is the median time to make one small write durable in the folder that the databases go to."""
    load = os.getloadavg()[0]
    return {
        "cores": str(os.cpu_count()),
        "CPU": _processor(),
        "memory": f"{psutil.virtual_memory().total / 2**30:.0f} GiB",
        "system": f"{platform.system()} {platform.machine()}",
        "Python": platform.python_version(),
        "fsync": f"{_fsync_seconds() * 1000:.2f} ms",
        "load before": f"{load:.1f}",
    }


def _processor() -> str:
    try:
        lines = Path("/proc/cpuinfo").read_text(encoding="utf-8").splitlines()
    except OSError:
        return platform.processor() or "unknown"
    return next((line.split(":", 1)[1].strip() for line in lines if line.startswith("model name")), "unknown")


def _fsync_seconds(times: int = 50) -> float:
    taken = []
    with tempfile.TemporaryFile() as file:
        for _ in range(times):
            file.write(b"\0" * 8192)
            file.flush()
            started = time.perf_counter()
            os.fsync(file.fileno())
            taken.append(time.perf_counter() - started)
    return statistics.median(taken)
