"""Benchmarks: `python -m bench [NAME…] [--quick] [--json FILE]`. See docs/performance.md."""
