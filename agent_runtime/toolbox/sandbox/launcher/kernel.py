"""Calls of the Linux kernel that Python has no function for."""

from __future__ import annotations

import ctypes
import os
import struct
from typing import Any

_libc = ctypes.CDLL(None, use_errno=True)


def prctl(option: int, value: int, pointer: Any = 0) -> None:
    """prctl(2). Raises `OSError`."""
    arguments = (ctypes.c_ulong(value), pointer or ctypes.c_ulong(0), ctypes.c_ulong(0), ctypes.c_ulong(0))
    if _libc.prctl(ctypes.c_int(option), *arguments) != 0:
        number = ctypes.get_errno()
        raise OSError(number, os.strerror(number), f"prctl {option}")


def syscall(number: int, *arguments: Any) -> int:
    """A system call by its number. Raises `OSError`."""
    converted = [ctypes.c_long(value) if isinstance(value, int) else value for value in arguments]
    answer = int(_libc.syscall(ctypes.c_long(number), *converted))
    if answer < 0:
        error = ctypes.get_errno()
        raise OSError(error, os.strerror(error), f"system call {number}")
    return answer


def setns(namespace: int) -> None:
    """Join the namespace that the descriptor stands for."""
    if _libc.setns(ctypes.c_int(namespace), ctypes.c_int(0)) != 0:
        number = ctypes.get_errno()
        raise OSError(number, os.strerror(number), "setns")


_CAP_VERSION_3 = 0x20080522
_DROP_FROM_BOUNDING_SET, _AMBIENT, _CLEAR_ALL = 24, 47, 4


def narrow_capabilities(kept: list[int]) -> None:
    """Empty the bounding set but for these, so that no program gives another back. Without the right to: as it was."""
    for capability in range(64):
        if capability in kept:
            continue
        if _libc.prctl(ctypes.c_int(_DROP_FROM_BOUNDING_SET), *map(ctypes.c_ulong, (capability, 0, 0, 0))) != 0:
            return


def drop_capabilities() -> None:
    """Give up every capability."""
    _libc.prctl(ctypes.c_int(_AMBIENT), *map(ctypes.c_ulong, (_CLEAR_ALL, 0, 0, 0)))
    header, nothing = struct.pack("=Ii", _CAP_VERSION_3, 0), bytes(24)
    if _libc.capset(ctypes.c_char_p(header), ctypes.c_char_p(nothing)) != 0:
        number = ctypes.get_errno()
        raise OSError(number, os.strerror(number), "capset")
