"""Starts one command: sets its limits, gives up rights for good, then becomes the command.

Run as `python -I -S launcher.py SPEC COMMAND...`, SPEC being a `Launch` in JSON (see launch.py), without the command's
environment, which is in a variable of this process's own: arguments are public. It imports the standard library alone,
because inside a sandbox nothing else of this package is there. Exit codes: the command's own,
128 + the signal that ended it, 127 when there is no such command, 125 when the sandbox could not be set up.
"""

from __future__ import annotations

import ctypes
import fcntl
import json
import os
import resource
import signal
import struct
import sys
import termios
import time
from contextlib import suppress
from typing import Any

_ENVIRONMENT = "AGENT_RUNTIME_COMMAND_ENVIRONMENT"
_LINUX = sys.platform == "linux"
_PR_SET_PDEATHSIG, _PR_SET_SECCOMP, _PR_SET_CHILD_SUBREAPER, _PR_SET_NO_NEW_PRIVS = 1, 22, 36, 38


def main() -> None:
    spec: dict[str, Any] = json.loads(sys.argv[1])
    spec["environment"] = json.loads(os.environ.get(_ENVIRONMENT, "{}"))
    command = sys.argv[2:]
    try:
        if spec["supervise"]:
            _supervise(spec, command)
        else:
            _become(spec, command)
    except OSError as error:
        os.write(2, f"sandbox: {error}\n".encode())
        os._exit(125)


def _supervise(spec: dict[str, Any], command: list[str]) -> None:
    """Run the command below this process, and leave nothing of it behind, not even what detached itself."""
    # Held back until somebody is there to catch it: between the fork and the `try` it would end this process alone.
    signal.pthread_sigmask(signal.SIG_BLOCK, [signal.SIGTERM])
    signal.signal(signal.SIGTERM, _raise_stopped)
    if _LINUX:
        _prctl(_PR_SET_PDEATHSIG, signal.SIGTERM)
        _prctl(_PR_SET_CHILD_SUBREAPER, 1)
        # The worker may have been killed before it was this process's business to hear of it.
        if os.getppid() != spec["worker"]:
            os._exit(125)
    child = os.fork()
    if child == 0:
        _become_below(spec, command)
    code = 128 + signal.SIGTERM
    try:
        _let_go_of_output()
        signal.pthread_sigmask(signal.SIG_UNBLOCK, [signal.SIGTERM])
        code = _wait_for(child)
        signal.pthread_sigmask(signal.SIG_BLOCK, [signal.SIGTERM])
    except _Stopped:
        pass
    _end_everything(child)
    os._exit(code)


class _Stopped(Exception):
    pass


def _raise_stopped(_number: int, _frame: object) -> None:
    # Once is enough: a second signal must not interrupt what ends the descendants.
    signal.signal(signal.SIGTERM, signal.SIG_IGN)
    raise _Stopped


def _become_below(spec: dict[str, Any], command: list[str]) -> None:
    try:
        signal.signal(signal.SIGTERM, signal.SIG_DFL)
        signal.pthread_sigmask(signal.SIG_UNBLOCK, [signal.SIGTERM])
        os.setsid()
        _become(spec, command)
    except Exception as error:
        os.write(2, f"sandbox: {error}\n".encode())
    finally:
        os._exit(125)


def _let_go_of_output() -> None:
    # The reader waits for the end of the pipes, which comes when the last holder is gone.
    null = os.open(os.devnull, os.O_RDWR)
    for descriptor in (0, 1, 2):
        os.dup2(null, descriptor)


def _wait_for(child: int) -> int:
    while True:
        pid, status = os.waitpid(-1, 0)
        if pid == child:
            return 128 + os.WTERMSIG(status) if os.WIFSIGNALED(status) else os.WEXITSTATUS(status)


def _end_everything(child: int) -> None:
    """Stop all descendants, then kill them: what is stopped cannot fork, so a fork bomb cannot outrun this."""
    if not _LINUX:
        _signal(-child, signal.SIGKILL)
        return
    stopped: set[int] = set()
    while running := _descendants() - stopped:
        for pid in running:
            _signal(pid, signal.SIGSTOP)
        stopped |= running
    while True:
        for pid in _descendants():
            _signal(pid, signal.SIGKILL)
        try:
            while os.waitpid(-1, os.WNOHANG)[0]:
                pass
        except ChildProcessError:
            return
        time.sleep(0.002)


def _descendants() -> set[int]:
    children: dict[int, list[int]] = {}
    for name in os.listdir("/proc"):  # noqa: PTH208
        if not name.isdigit():
            continue
        try:
            with open(f"/proc/{name}/stat", "rb") as file:  # noqa: PTH123 - nothing more is imported than is needed
                # The name in brackets may itself hold blanks and brackets.
                state, parent = file.read().rpartition(b")")[2].split()[:2]
        except OSError:
            continue
        if state != b"Z":
            children.setdefault(int(parent), []).append(int(name))
    found: set[int] = set()
    front = [os.getpid()]
    while front:
        below = children.get(front.pop(), [])
        found.update(below)
        front.extend(below)
    return found


def _signal(pid: int, number: int) -> None:
    with suppress(ProcessLookupError, PermissionError):
        os.kill(pid, number)


def _become(spec: dict[str, Any], command: list[str]) -> None:
    """Replace this process with the command; the order matters: each step needs the rights that the next gives up."""
    if spec.get("unchanged"):
        _execute(command, {name: value for name, value in os.environ.items() if name == _ENVIRONMENT})
    # Beneath a home of mode 0700 the folder can be entered only before the rights are gone, and a folder that belongs
    # to the unprivileged id, by a root without capabilities, only after.
    entered = _entered(spec["folder"])
    ruleset = _landlock_ruleset(spec["landlock"]) if spec["landlock"] is not None else None
    _prefer_for_out_of_memory()
    _set_limits(spec["limits"])
    if spec["uid"] is not None:
        os.setgroups([])
        os.setgid(spec["gid"])
        os.setuid(spec["uid"])
    if not entered:
        os.chdir(spec["folder"])
    os.umask(0o022)
    if spec["terminal"]:
        _take_the_terminal()
    if _LINUX:
        _prctl(_PR_SET_NO_NEW_PRIVS, 1)
        if ruleset is not None:
            _syscall(446, ruleset, 0)  # landlock_restrict_self
            os.close(ruleset)
        if spec["forbidden"]:
            _forbid_syscalls(spec["forbidden"])
    _execute(command, spec["environment"])


def _execute(command: list[str], environment: dict[str, str]) -> None:
    signal.signal(signal.SIGPIPE, signal.SIG_DFL)
    try:
        os.execvpe(command[0], command, environment)  # noqa: S606
    except OSError as error:
        os.write(2, f"{command[0]}: {error.strerror}\n".encode())
        os._exit(127)


def _take_the_terminal() -> None:
    # Whether bwrap has begun a session of its own here, or above here, depends on its version.
    with suppress(PermissionError):
        os.setsid()
    fcntl.ioctl(0, termios.TIOCSCTTY, 0)


def _entered(folder: str) -> bool:
    try:
        os.chdir(folder)
    except PermissionError:
        return False
    return True


def _prefer_for_out_of_memory() -> None:
    # When memory runs out, the command goes first and the worker stays.
    with suppress(OSError), open("/proc/self/oom_score_adj", "w") as file:  # noqa: PTH123
        file.write("1000")


def _set_limits(limits: dict[str, int]) -> None:
    for name, value in limits.items():
        number = getattr(resource, f"RLIMIT_{name}", None)
        if number is None:
            continue
        _, hard = resource.getrlimit(number)
        if hard != resource.RLIM_INFINITY:
            value = min(value, hard)
        try:
            resource.setrlimit(number, (value, value))
        except (ValueError, OSError):
            # macOS knows the address-space limit and refuses to set it.
            if _LINUX:
                raise


_libc = ctypes.CDLL(None, use_errno=True)


def _prctl(option: int, value: int, pointer: Any = 0) -> None:
    arguments = (ctypes.c_ulong(value), pointer or ctypes.c_ulong(0), ctypes.c_ulong(0), ctypes.c_ulong(0))
    if _libc.prctl(ctypes.c_int(option), *arguments) != 0:
        number = ctypes.get_errno()
        raise OSError(number, os.strerror(number), f"prctl {option}")


def _syscall(number: int, *arguments: Any) -> int:
    converted = [ctypes.c_long(value) if isinstance(value, int) else value for value in arguments]
    answer = int(_libc.syscall(ctypes.c_long(number), *converted))
    if answer < 0:
        error = ctypes.get_errno()
        raise OSError(error, os.strerror(error), f"system call {number}")
    return answer


# Landlock (landlock(7), linux/landlock.h): 13 rights on files since ABI 1, then one each for moving between folders
# (ABI 2), truncating (3) and device ioctl (5); TCP since 4; signals and abstract sockets since 6.
_FILE_RIGHTS_BY_ABI = {1: 13, 2: 14, 3: 15, 4: 15}
_EXECUTE, _WRITE_FILE, _READ_FILE, _READ_DIR, _TRUNCATE, _IOCTL_DEV = 1, 2, 4, 8, 1 << 14, 1 << 15
_RIGHTS_ON_A_FILE = _EXECUTE | _WRITE_FILE | _READ_FILE | _TRUNCATE | _IOCTL_DEV
_MAKE_DEVICES = 1 << 6 | 1 << 11  # character and block devices


def _landlock_ruleset(rules: dict[str, Any]) -> int:
    abi = _syscall(444, None, 0, 1)
    every = (1 << _FILE_RIGHTS_BY_ABI.get(abi, 16)) - 1
    attributes = struct.pack("=Q", every)
    if abi >= 4:
        attributes += struct.pack("=Q", 0 if rules["network"] else 3)
    if abi >= 6:
        attributes += struct.pack("=Q", 3)
    ruleset = _syscall(444, ctypes.c_char_p(attributes), len(attributes), 0)
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
    _syscall(445, ruleset, 1, ctypes.c_char_p(rule), 0)
    os.close(descriptor)


# seccomp(2): what no command of an agent needs and what past escapes went through.
_NUMBERS = {
    "x86_64": {
        "architecture": 0xC000003E, "clone": 56, "clone3": 435, "socket": 41, "mount": 165, "umount2": 166,
        "pivot_root": 155, "unshare": 272, "setns": 308, "bpf": 321, "userfaultfd": 323, "perf_event_open": 298,
        "add_key": 248, "request_key": 249, "keyctl": 250,
    },
    "aarch64": {
        "architecture": 0xC00000B7, "clone": 220, "clone3": 435, "socket": 198, "mount": 40, "umount2": 39,
        "pivot_root": 41, "unshare": 97, "setns": 268, "bpf": 280, "userfaultfd": 282, "perf_event_open": 241,
        "add_key": 217, "request_key": 218, "keyctl": 219,
    },
}  # fmt: skip
_SAME_EVERYWHERE = {"io_uring_setup": 425, "open_tree": 428, "move_mount": 429, "fsopen": 430, "mount_setattr": 442}
_LOAD, _EQUAL, _AT_LEAST, _ANY_BIT, _RETURN = 0x20, 0x15, 0x35, 0x45, 0x06
_ALLOW, _KILL, _ERROR = 0x7FFF0000, 0x80000000, 0x00050000
_EPERM, _ENOSYS = 1, 38
_CLONE_NEWUSER = 0x10000000


def _forbid_syscalls(names: list[str]) -> None:
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
    program += [(_RETURN, 0, 0, _ERROR | _EPERM), (_RETURN, 0, 0, _ALLOW)]
    packed = b"".join(struct.pack("=HBBI", *instruction) for instruction in program)
    buffer = ctypes.create_string_buffer(packed, len(packed))
    header = ctypes.create_string_buffer(struct.pack("@HP", len(program), ctypes.addressof(buffer)))
    _prctl(_PR_SET_SECCOMP, 2, header)


if __name__ == "__main__":
    main()
