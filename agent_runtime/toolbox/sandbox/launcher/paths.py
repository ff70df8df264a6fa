"""Which paths a command reaches: Landlock (landlock(7), linux/landlock.h)."""

from __future__ import annotations

import ctypes
import os
import struct
from typing import Any

from .kernel import syscall

# 13 rights on files since ABI 1, then one each for moving between folders
# (ABI 2), truncating (3) and device ioctl (5); TCP since 4; signals and abstract sockets since 6.
_FILE_RIGHTS_BY_ABI = {1: 13, 2: 14, 3: 15, 4: 15}
_EXECUTE, _WRITE_FILE, _READ_FILE, _READ_DIR, _TRUNCATE, _IOCTL_DEV = 1, 2, 4, 8, 1 << 14, 1 << 15
_RIGHTS_ON_A_FILE = _EXECUTE | _WRITE_FILE | _READ_FILE | _TRUNCATE | _IOCTL_DEV
_MAKE_DEVICES = 1 << 6 | 1 << 11  # character and block devices


def landlock_ruleset(rules: dict[str, Any]) -> int:
    """A ruleset, as a descriptor of paths to `read`, `write`, `devices`, `terminals`, and of whether TCP is open."""
    abi = syscall(444, None, 0, 1)
    every = (1 << _FILE_RIGHTS_BY_ABI.get(abi, 16)) - 1
    attributes = struct.pack("=Q", every)
    if abi >= 4:
        attributes += struct.pack("=Q", 0 if rules["network"] else 3)
    if abi >= 6:
        attributes += struct.pack("=Q", 3)
    ruleset = syscall(444, ctypes.c_char_p(attributes), len(attributes), 0)
    granted = {
        "read": _EXECUTE | _READ_FILE | _READ_DIR,
        "devices": _READ_FILE | _WRITE_FILE | _TRUNCATE,
        "terminals": _READ_FILE | _WRITE_FILE | _IOCTL_DEV,
        "write": every & ~_MAKE_DEVICES & ~_IOCTL_DEV,
    }
    for kind, rights in granted.items():
        for path in rules[kind]:
            _allow(ruleset, path, rights & every)
    return ruleset


def _allow(ruleset: int, path: str, rights: int) -> None:
    try:
        descriptor = os.open(path, os.O_PATH | os.O_CLOEXEC)
    except FileNotFoundError:
        return
    if not os.path.isdir(path):  # noqa: PTH112
        rights &= _RIGHTS_ON_A_FILE
    rule = struct.pack("=Qi", rights, descriptor)
    syscall(445, ruleset, 1, ctypes.c_char_p(rule), 0)
    os.close(descriptor)


def restrict_to(ruleset: int) -> None:
    """Hold this process, and all that it starts, to the ruleset for ever."""
    syscall(446, ruleset, 0)
    os.close(ruleset)
