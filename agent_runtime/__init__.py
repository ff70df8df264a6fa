"""agent-runtime: an autonomous agent runtime on Supabase with local models."""

import sys

__version__ = "0.1.0"

# httpx brings a command line of its own along, and that rich and pygments: most of a tenth of a second at each start.
# What is None here cannot be imported, and httpx goes without.
sys.modules.setdefault("httpx._main", None)  # type: ignore[arg-type]
