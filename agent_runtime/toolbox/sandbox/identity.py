"""Whose files these are: the unprivileged id that commands run under, and its claim on what the worker writes."""

from __future__ import annotations

import os

# Free for local use in systemd's table of ids (UIDS-GIDS.md: 60706 to 61183), so no service and no person has it, and
# no other process counts against its process limit.
SANDBOX_UID = 61_000
SANDBOX_GID = 61_000


def is_root() -> bool:
    return os.geteuid() == 0


def give_to_sandbox(descriptor: int) -> None:
    """Let sandboxed commands change what a root worker just made; any other worker shares its id with them."""
    if is_root():
        os.fchown(descriptor, SANDBOX_UID, SANDBOX_GID)
