"""Which system calls a command may make: seccomp(2)."""

from __future__ import annotations

import ctypes
import os
import struct

from .kernel import prctl

_SET_SECCOMP = 22

# seccomp(2): what no command of an agent needs and what past escapes went through.
_NUMBERS = {
    "x86_64": {
        "architecture": 0xC000003E, "clone": 56, "clone3": 435, "socket": 41, "mount": 165, "umount2": 166,
        "pivot_root": 155, "unshare": 272, "setns": 308, "bpf": 321, "userfaultfd": 323, "perf_event_open": 298,
        "add_key": 248, "request_key": 249, "keyctl": 250, "syslog": 103, "ioctl": 16,
        "shmget": 29, "shmat": 30, "msgget": 68, "semget": 64,
    },
    "aarch64": {
        "architecture": 0xC00000B7, "clone": 220, "clone3": 435, "socket": 198, "mount": 40, "umount2": 39,
        "pivot_root": 41, "unshare": 97, "setns": 268, "bpf": 280, "userfaultfd": 282, "perf_event_open": 241,
        "add_key": 217, "request_key": 218, "keyctl": 219, "syslog": 116, "ioctl": 29,
        "shmget": 194, "shmat": 196, "msgget": 186, "semget": 190,
    },
}  # fmt: skip
_SAME_EVERYWHERE = {
    "io_uring_setup": 425, "open_tree": 428, "move_mount": 429, "fsopen": 430, "fsconfig": 431, "fsmount": 432,
    "fspick": 433, "mount_setattr": 442,
}  # fmt: skip
_LOAD, _EQUAL, _AT_LEAST, _ANY_BIT, _RETURN = 0x20, 0x15, 0x35, 0x45, 0x06
_ALLOW, _KILL, _ERROR = 0x7FFF0000, 0x80000000, 0x00050000
_EPERM, _ENOSYS = 1, 38
_CLONE_NEWUSER = 0x10000000
_TYPE_A_CHARACTER, _LINUX_CONSOLE = 0x5412, 0x541C  # ioctl_tty(2): TIOCSTI, TIOCLINUX
_FAMILIES = (1, 2, 10, 16)  # unix, IPv4, IPv6, netlink


def forbid_calls(names: list[str]) -> None:
    known = _NUMBERS.get(os.uname().machine)
    if known is None:
        return
    numbers = {**known, **_SAME_EVERYWHERE}
    program = [(_LOAD, 0, 0, 4), (_EQUAL, 1, 0, numbers["architecture"]), (_RETURN, 0, 0, _KILL), (_LOAD, 0, 0, 0)]
    # Numbers from here on are x32's second names of the same calls.
    program += [(_AT_LEAST, 0, 1, 0x40000000), (_RETURN, 0, 0, _ERROR | _EPERM)]
    for name in names:
        program += [(_EQUAL, 0, 1, numbers[name]), (_RETURN, 0, 0, _ERROR | _EPERM)]
    # clone3 hides its flags behind a pointer; without it the C library uses clone, whose flags can be seen.
    program += [(_EQUAL, 0, 1, numbers["clone3"]), (_RETURN, 0, 0, _ERROR | _ENOSYS)]
    program += [(_EQUAL, 0, 3, numbers["clone"]), (_LOAD, 0, 0, 16), (_ANY_BIT, 0, 1, _CLONE_NEWUSER)]
    program += [(_RETURN, 0, 0, _ERROR | _EPERM), (_LOAD, 0, 0, 0)]
    # What types into a terminal can type into one that is not its own.
    program += [(_EQUAL, 0, 4, numbers["ioctl"]), (_LOAD, 0, 0, 24)]
    program += [(_EQUAL, 1, 0, _TYPE_A_CHARACTER), (_EQUAL, 0, 1, _LINUX_CONSOLE), (_RETURN, 0, 0, _ERROR | _EPERM)]
    # Other families than these are not bound to the network's namespace (sockets of virtual machines lead to their
    # host) or are ways into parts of the kernel that no command needs.
    program += [(_LOAD, 0, 0, 0), (_EQUAL, 0, len(_FAMILIES) + 2, numbers["socket"]), (_LOAD, 0, 0, 16)]
    program += [(_EQUAL, len(_FAMILIES) - at, 0, family) for at, family in enumerate(_FAMILIES)]
    program += [(_RETURN, 0, 0, _ERROR | _EPERM), (_RETURN, 0, 0, _ALLOW)]
    packed = b"".join(struct.pack("=HBBI", *instruction) for instruction in program)
    buffer = ctypes.create_string_buffer(packed, len(packed))
    header = ctypes.create_string_buffer(struct.pack("@HP", len(program), ctypes.addressof(buffer)))
    prctl(_SET_SECCOMP, 2, header)
