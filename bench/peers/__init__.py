"""The peers, each as the benchmarks run it. They are in the extra `[bench]`; a benchmark leaves out what is missing."""

from __future__ import annotations

from importlib.metadata import PackageNotFoundError, version


def missing(package: str) -> str | None:
    """A line that says so when it is not installed."""
    try:
        version(package)
    except PackageNotFoundError:
        return f"{package} is not installed, so it was left out: pip install 'agent-runtime[bench]'."
    return None
