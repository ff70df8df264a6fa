"""Open a path so that no link, no `..` and no race leads out of a folder."""

from __future__ import annotations

import ctypes
import errno
import functools
import os
import sys
from pathlib import Path

_OPENAT2 = 437  # the same number on every architecture
_RESOLVE_NO_MAGICLINKS = 0x02
_RESOLVE_BENEATH = 0x08


def open_beneath(root: Path, relative: str, flags: int) -> int:
    """A descriptor for `relative` below `root`.

    Raises `OSError` as `open` does, and EXDEV or ELOOP where the path leads out. On Linux 5.6 and newer the kernel
    enforces it (openat2(2), RESOLVE_BENEATH), and links inside the folder work; elsewhere no link at all is followed.
    """
    flags |= os.O_CLOEXEC
    folder = os.open(root, os.O_RDONLY | os.O_DIRECTORY)
    try:
        if _has_openat2():
            return _openat2(folder, relative, flags)
        return _open_step_by_step(folder, relative, flags)
    finally:
        os.close(folder)


class _OpenHow(ctypes.Structure):
    _fields_ = [("flags", ctypes.c_uint64), ("mode", ctypes.c_uint64), ("resolve", ctypes.c_uint64)]


@functools.cache
def _has_openat2() -> bool:
    if sys.platform != "linux":
        return False
    try:
        os.close(_openat2(-100, ".", os.O_RDONLY | os.O_CLOEXEC))  # -100: AT_FDCWD
    except OSError as error:
        # ENOSYS from an old kernel, EPERM from a container's filter that does not know the call.
        return error.errno not in (errno.ENOSYS, errno.EPERM)
    return True


def _openat2(folder: int, relative: str, flags: int) -> int:
    libc = ctypes.CDLL(None, use_errno=True)
    how = _OpenHow(flags=flags, mode=0, resolve=_RESOLVE_BENEATH | _RESOLVE_NO_MAGICLINKS)
    arguments = (ctypes.c_int(folder), ctypes.c_char_p(os.fsencode(relative)), ctypes.byref(how))
    while True:
        descriptor = libc.syscall(ctypes.c_long(_OPENAT2), *arguments, ctypes.c_size_t(ctypes.sizeof(how)))
        if descriptor >= 0:
            return int(descriptor)
        number = ctypes.get_errno()
        # EAGAIN: a rename somewhere raced with `..` inside a link; the manual says to try again.
        if number not in (errno.EAGAIN, errno.EINTR):
            raise OSError(number, os.strerror(number), relative)


def _open_step_by_step(folder: int, relative: str, flags: int) -> int:
    *above, name = relative.split("/")
    current = os.dup(folder)
    try:
        for part in above:
            below = os.open(part, os.O_RDONLY | os.O_DIRECTORY | os.O_NOFOLLOW | os.O_CLOEXEC, dir_fd=current)
            os.close(current)
            current = below
        return os.open(name, flags | os.O_NOFOLLOW, dir_fd=current)
    finally:
        os.close(current)
