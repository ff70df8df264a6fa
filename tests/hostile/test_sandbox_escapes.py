"""Known ways out of a sandbox and to exhaust a machine, one by one by their names: each is tried, and none works.

All attempts run in one command, each in a child of its own; an attempt sets `escaped` to what it reached.
"""

from __future__ import annotations

import json
import os
import socket
import subprocess
import sys
import textwrap
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest

from agent_runtime.toolbox.sandbox.bubblewrap import Bubblewrap
from agent_runtime.toolbox.sandbox.landlock import Landlock
from agent_runtime.toolbox.sandbox.launch import CommandLimits
from agent_runtime.toolbox.workspace import Workspace

# `call` makes a system call by its number and says whether it succeeded; numbers that differ come from `N`.
RUNNER = """
import ctypes, errno, json, os, platform, resource, signal, socket, struct, sys, time
libc = ctypes.CDLL(None, use_errno=True)
X86 = platform.machine() == "x86_64"
N = dict(zip(
    ("mount", "chroot", "setns", "unshare", "clone", "bpf", "perf", "userfaultfd", "add_key", "request_key", "keyctl",
     "ptrace", "readv", "open_handle", "kexec", "init_module", "reboot", "swapon", "sethostname", "syslog", "mknodat",
     "pivot_root", "settimeofday", "capset", "setuid", "shmget"),
    (165, 161, 308, 272, 56, 321, 298, 323, 248, 249, 250, 101, 310, 304, 246, 175, 169, 167, 170, 103, 259, 155, 164,
     126, 105, 29)
    if X86 else
    (40, 51, 268, 97, 220, 280, 241, 282, 217, 218, 219, 117, 270, 265, 104, 105, 142, 224, 161, 116, 33, 41, 170,
     91, 146, 194),
))
def call(number, *arguments):
    number = N.get(number, number)
    return libc.syscall(ctypes.c_long(number), *(ctypes.c_long(a) if isinstance(a, int) else a for a in arguments)) >= 0
def can_read(path):
    with open(path, "rb", buffering=0) as file:
        return file.read(64)
def can_write(path, content=b"1"):
    with open(path, "wb", buffering=0) as file:
        return file.write(content)
given = json.load(sys.stdin)
worker, secret = given["worker"], given["secret"]
report = {}
for name, code in given["attempts"].items():
    told, tell = os.pipe()
    child = os.fork()
    if child == 0:
        space = {**globals(), "escaped": False}
        try:
            exec(code, space)
            os.write(tell, repr(space["escaped"]).encode()[:200] if space["escaped"] else b"held")
        except BaseException as error:
            os.write(tell, b"held")
        os._exit(0)
    os.close(tell)
    report[name] = os.read(told, 1000).decode()
    os.close(told)
    os.waitpid(child, 0)
print(json.dumps(report))
"""

# Each line an attempt; with namespaces (`BOXED`) some names do not even exist.
ATTEMPTS = {
    # Namespaces and mounts
    "user namespace by unshare": "escaped = call('unshare', 0x10000000)",
    "mount namespace by unshare": "escaped = call('unshare', 0x20000)",
    "network namespace by unshare": "escaped = call('unshare', 0x40000000)",
    "user namespace by clone": "escaped = call('clone', 0x10000000 | 17, 0, 0, 0, 0)",
    "clone3, whose flags a filter cannot see": "escaped = call(435, ctypes.create_string_buffer(88), 88)",
    "namespaces of the first process by setns": "escaped = call('setns', os.open('/proc/1/ns/mnt', 0), 0)",
    "mount of a tmpfs": "escaped = call('mount', b'x', b'/tmp', b'tmpfs', 0, 0)",
    "remount for writing": "escaped = call('mount', b'none', b'/', b'', 0x20 | 0x1000, 0)",
    "new mount interface: fsopen": "escaped = call(430, b'tmpfs', 0)",
    "new mount interface: open_tree": "escaped = call(428, -100, b'/', 1)",
    "new mount interface: mount_setattr": "escaped = call(442, -100, b'/', 0, ctypes.create_string_buffer(32), 32)",
    "pivot_root": "escaped = call('pivot_root', b'.', b'.')",
    "chroot and climbing out": "escaped = call('chroot', b'.')",
    # Files beyond the walls
    "file handles past the mounts (open_by_handle_at)": """
        handle = struct.pack("Ii8s", 8, 1, b"\\x02" + b"\\0" * 7)
        escaped = call("open_handle", os.open("/", 0), handle, 0)""",
    "a file of the worker by its path": "escaped = can_read(secret)",
    "a file of the worker by dots": "escaped = can_read('/workspace/../' + secret)",
    "a file of the worker by a link": "os.symlink(secret, 'l'); escaped = can_read('l')",
    "a file of the worker by a hard link": "os.link(secret, 'h'); escaped = can_read('h')",
    "a file of the worker by the roots of processes": """
        for pid in filter(str.isdigit, os.listdir("/proc")):
            try: escaped = escaped or can_read(f"/proc/{pid}/root{secret}")
            except OSError: pass""",
    "the worker's environment": "escaped = can_read(f'/proc/{worker}/environ') if worker != os.getpid() else False",
    "the worker's memory": "escaped = open(f'/proc/{worker}/mem', 'rb').fileno()",
    "the worker's open files": "escaped = os.listdir(f'/proc/{worker}/fd')",
    "descriptors that were left open": """
        here = os.open(".", 0)
        escaped = [os.readlink(f"/proc/self/fd/{fd}") for fd in range(3, 1024)
                   if fd not in (told, tell, here) and os.path.lexists(f"/proc/self/fd/{fd}")]""",
    "passwords of the system": "escaped = can_read('/etc/shadow')",
    "writing programs": "escaped = can_write('/usr/bin/agent-runtime-escape')",
    "writing the interpreter": "escaped = os.access(sys.executable, os.W_OK)",
    "writing over a program through /proc": "escaped = can_write('/proc/self/exe')",
    # The kernel by /proc, /sys and devices
    "core_pattern": "escaped = can_write('/proc/sys/kernel/core_pattern', b'|/bin/true')",
    "modprobe path": "escaped = can_write('/proc/sys/kernel/modprobe', b'/bin/true')",
    "binfmt_misc": "escaped = can_write('/proc/sys/fs/binfmt_misc/register', b':x:')",
    "sysrq": "escaped = can_write('/proc/sysrq-trigger', b'h')",
    "uevent helper": "escaped = can_write('/sys/kernel/uevent_helper', b'/bin/true')",
    "release_agent of a control group": "escaped = can_write('/sys/fs/cgroup/memory/release_agent', b'/bin/true')",
    "own control group": "escaped = can_write('/sys/fs/cgroup/cgroup.procs', b'0')",
    "memory of the kernel": "escaped = can_read('/proc/kcore')",
    "physical memory": "escaped = can_read('/dev/mem')",
    "messages of the kernel": "escaped = can_read('/dev/kmsg')",
    "messages of the kernel by syslog": "escaped = call('syslog', 3, ctypes.create_string_buffer(64), 64)",
    "disks": "escaped = [d for d in ('vda', 'sda') if os.path.exists('/dev/' + d) and can_read('/dev/' + d)]",
    "a virtual machine of its own": "escaped = open('/dev/kvm', 'rb')",
    "making a device": "os.mknod('disk', 0o060666, os.makedev(254, 0)); escaped = can_read('disk')",
    "making a character device": "os.mknod('mem', 0o020666, os.makedev(1, 1)); escaped = can_read('mem')",
    # System calls with a history
    "bpf": "escaped = call('bpf', 0, ctypes.create_string_buffer(128), 128)",
    "io_uring": "escaped = call(425, 8, ctypes.create_string_buffer(120))",
    "userfaultfd": "escaped = call('userfaultfd', 1)",
    "perf_event_open": "escaped = call('perf', ctypes.create_string_buffer(128), 0, -1, -1, 0)",
    "keys of the kernel: add_key": "escaped = call('add_key', b'user', b'n', b'x', 1, -3)",
    "keys of the kernel: keyctl": "escaped = call('keyctl', 0, -3, 1)",
    "keys of the kernel: request_key": "escaped = call('request_key', b'user', b'n', 0, 0)",
    "loading a module": "escaped = call('init_module', b'x', 1, b'')",
    "another kernel (kexec)": "escaped = call('kexec', 0, 0, 0, 0)",
    "reboot": "escaped = call('reboot', 0xfee1dead, 0x28121969, 0)",
    "swapon": "escaped = call('swapon', b'/tmp', 0)",
    "the clock": "escaped = call('settimeofday', struct.pack('qq', 0, 0), 0)",
    "the host's name": "escaped = call('sethostname', b'evil', 4)",
    "calls by x32's second numbers": "escaped = X86 and call(0x40000000 | 39)",
    # Other processes
    "ptrace of the worker": "escaped = call('ptrace', 16, worker, 0, 0)",
    "ptrace of the first process": "escaped = call('ptrace', 16, 1, 0, 0)",
    "reading the worker's memory (process_vm_readv)": """
        buffer = ctypes.create_string_buffer(8)
        vector = struct.pack("QQ", ctypes.addressof(buffer), 8)
        escaped = call("readv", worker, vector, 1, struct.pack("QQ", 0x400000, 8), 1, 0)""",
    "the worker's descriptors (pidfd_getfd)": "escaped = call(438, os.pidfd_open(worker), 1, 0)",
    "a signal to the worker": "os.kill(worker, 0); escaped = True",
    "limits of the worker": "resource.prlimit(worker, resource.RLIMIT_NOFILE, (64, 64)); escaped = True",
    "a better place in the queue": "os.nice(-10); escaped = True",
    "rights by setuid": "os.setuid(0); escaped = True",
    "capabilities by capset": """
        escaped = call("capset", struct.pack("Ii", 0x20080522, 0), struct.pack("IIIIII", 1, 1, 0, 0, 0, 0))""",
    "higher limits": "resource.setrlimit(resource.RLIMIT_NPROC, (10**6, 10**6)); escaped = True",
    "typing into a terminal (TIOCSTI)": """
        import fcntl, pty, termios
        os.setsid(); master, slave = pty.openpty()
        fcntl.ioctl(slave, termios.TIOCSCTTY, 0); fcntl.ioctl(slave, termios.TIOCSTI, b"x"); escaped = True""",
    # The network
    "TCP to the worker's loopback": "socket.create_connection(('127.0.0.1', given['port']), 3); escaped = True",
    "UDP to the world": "socket.socket(2, 2).sendto(b'x', ('8.8.8.8', 53)); escaped = True",
    "the cloud's metadata": "socket.create_connection(('169.254.169.254', 80), 3); escaped = True",
    "raw sockets": "socket.socket(2, 3, 1); escaped = True",
    "packets": "socket.socket(17, 3, 0); escaped = True",
    "sockets to the host of a virtual machine (vsock)": "socket.socket(40, 1); escaped = True",
    "the kernel's ciphers (AF_ALG)": "socket.socket(38, 5); escaped = True",
    "an abstract unix socket": "socket.socket(1).connect('\\0' + given['abstract']); escaped = True",
    "a unix socket by its path": "socket.socket(1).connect(given['path']); escaped = True",
    "a route": """
        s = socket.socket(16, 3, 0)
        s.send(struct.pack("=IHHII", 28, 24, 0x605, 1, 0) + struct.pack("=BBBBBBBBI", 2, 0, 0, 0, 254, 3, 0, 1, 0))
        escaped = struct.unpack("i", s.recv(100)[16:20])[0] == 0""",
}  # fmt: skip
OPEN_TO_LANDLOCK = {
    # It hides contents, not numbers: the process list and its descriptors' numbers are to be seen. See docs/sandbox.md.
    "the worker's open files",
}


HARMLESS = (
    "a file of the worker by its path", "a file of the worker by a link", "the worker's environment",
    "the worker's open files", "a signal to the worker", "TCP to the worker's loopback", "an abstract unix socket",
    "a unix socket by its path",
)  # fmt: skip


@pytest.fixture
def given(tmp_path: Path) -> Iterator[dict[str, Any]]:
    """What there is to reach: this process, a file, and services of this machine."""
    secret = tmp_path / "secret.txt"
    secret.write_text("hunter2")
    secret.chmod(0o644)
    abstract, path = f"agent-runtime-{os.getpid()}", f"{tmp_path}/s"
    with (
        socket.create_server(("127.0.0.1", 0)) as tcp,
        socket.socket(socket.AF_UNIX) as by_name,
        socket.socket(socket.AF_UNIX) as by_path,
    ):
        for server, address in ((by_name, f"\0{abstract}"), (by_path, path)):
            server.bind(address)
            server.listen()
        Path(path).chmod(0o777)
        yield {
            "worker": os.getpid(),
            "secret": str(secret),
            "port": tcp.getsockname()[1],
            "abstract": abstract,
            "path": path,
            "attempts": {name: textwrap.dedent(code).strip() for name, code in ATTEMPTS.items()},
        }


@pytest.mark.parametrize("kind", [Bubblewrap, Landlock])
async def test_no_known_way_leads_out(kind: type[Bubblewrap | Landlock], given: dict[str, Any], tmp_path: Path) -> None:
    sandbox = kind(CommandLimits(processes=64))
    if problem := sandbox.problem():
        pytest.skip(problem)
    workspace = Workspace.create(tmp_path / "workspace")
    result = await sandbox.run(
        ["python3", "-c", RUNNER], workspace=workspace.root, timeout_seconds=60, stdin=json.dumps(given).encode()
    )
    assert result.exit_code == 0, result.stderr
    report = json.loads(result.stdout)
    assert report.keys() == ATTEMPTS.keys()
    expected = OPEN_TO_LANDLOCK if kind is Landlock else set()
    assert {name: reached for name, reached in report.items() if reached != "held" and name not in expected} == {}


def test_without_walls_the_same_attempts_arrive(given: dict[str, Any], tmp_path: Path) -> None:
    given["attempts"] = {name: given["attempts"][name] for name in HARMLESS}
    command = [sys.executable, "-c", RUNNER]
    done = subprocess.run(command, input=json.dumps(given), capture_output=True, text=True, cwd=tmp_path, check=True)
    assert [name for name, reached in json.loads(done.stdout).items() if reached == "held"] == []
