"""structlog, imported without rich: every module of ours takes it from here.

structlog imports rich where that is installed, only to be able to draw tracebacks with it, and rich then imports
pygments: most of a tenth of a second at each start. Nor do we want such tracebacks, for they show local variables.
"""

from __future__ import annotations

import sys
from typing import Any

__all__ = ["structlog"]

_modules: dict[str, Any] = sys.modules
_hidden = "rich" not in _modules

if _hidden:
    # What is None here cannot be imported.
    _modules["rich"] = None
try:
    import structlog  # noqa: TID251 - the one place
finally:
    if _hidden:
        del _modules["rich"]
