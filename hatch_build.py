"""What hatchling runs while a wheel is built: the web UI goes into it, built from the sources beside this file."""

from __future__ import annotations

import subprocess
import sys
from pathlib import Path
from typing import Any

from hatchling.builders.hooks.plugin.interface import BuildHookInterface


class WebUi(BuildHookInterface[Any]):
    """Puts ui/dist into the wheel as agent_runtime/_ui. An editable install takes ui/dist as it is."""

    def initialize(self, version: str, build_data: dict[str, Any]) -> None:
        """Build ui/, unless ui/dist is of these very sources. Ends the build with one line where that fails."""
        if version == "editable":
            return
        # A process of its own, which finds what is ours by itself and leaves this one's imports alone.
        script = Path(self.root) / "scripts" / "build_ui.py"
        built = subprocess.run([sys.executable, str(script)], capture_output=True, text=True, check=False)
        if built.returncode != 0:
            *findings, reason = built.stderr.strip().splitlines() or [f"{script} failed"]
            self.app.display_info("\n".join(findings))
            self.app.abort(reason)
        build_data["force_include"][str(Path(self.root) / "ui" / "dist")] = "agent_runtime/_ui"
