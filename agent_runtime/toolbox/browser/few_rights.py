"""Becomes a program under another id, with none of root's rights and no way back to them.

Run as `python -I -S few_rights.py ID PROGRAM ARGUMENTS...`. What is open stays open: Chromium is spoken to by pipes.
"""

from __future__ import annotations

import ctypes
import os
import resource
import sys
from contextlib import suppress

_PR_SET_NO_NEW_PRIVS = 38


def main() -> None:
    """Give up the rights, then start the program."""
    number, program = int(sys.argv[1]), sys.argv[2]
    # When memory runs out, the browser goes first and the worker stays.
    with suppress(OSError), open("/proc/self/oom_score_adj", "w") as file:  # noqa: PTH123 - nothing more is imported
        file.write("1000")
    resource.setrlimit(resource.RLIMIT_CORE, (0, 0))
    os.chdir(os.environ["HOME"])
    os.setgroups([])
    os.setgid(number)
    os.setuid(number)
    os.umask(0o077)
    if sys.platform == "linux":
        one, none = ctypes.c_ulong(1), ctypes.c_ulong(0)
        if ctypes.CDLL(None).prctl(ctypes.c_int(_PR_SET_NO_NEW_PRIVS), one, none, none, none) != 0:
            sys.exit("the kernel does not let it give up new rights")
    os.execv(program, sys.argv[2:])  # noqa: S606


if __name__ == "__main__":
    main()
