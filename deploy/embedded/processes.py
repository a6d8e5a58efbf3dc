"""Processes and ports of this machine: who is alive, who dies with whom, which port is free.

Knows no server by name. All waiting has an end.
"""

import contextlib
import ctypes
import errno
import os
import random
import resource
import signal
import socket
import subprocess
import time
from collections import deque
from collections.abc import Callable
from pathlib import Path

from core.errors import UserError

LOOPBACK = "127.0.0.1"
_SERVER_PORTS = (15_000, 32_000)
_TRIES = 100
_KEPT_PORTS = 200
_kept: deque[int] = deque()
_PR_SET_PDEATHSIG = 1
_LIBC = ctypes.CDLL(None, use_errno=True)


def dies_with_parent(with_signal: int = signal.SIGTERM) -> Callable[[], None]:
    """A ``preexec_fn`` by which the kernel signals the child when the thread that started it ends, even by kill -9.

    Start such children from the main thread only: the tie is to the thread.
    """
    parent = os.getpid()

    def tie() -> None:
        _LIBC.prctl(_PR_SET_PDEATHSIG, int(with_signal), 0, 0, 0)
        if os.getppid() != parent:
            os._exit(1)
        hard = resource.getrlimit(resource.RLIMIT_NOFILE)[1]
        resource.setrlimit(resource.RLIMIT_NOFILE, (hard, hard))

    return tie


def step_back(by: int) -> None:
    """Give this process, and what it starts, less of a crowded processor than the others get; ``by`` is a nice value, 0 to 19.

    Where the kernel shares the processor between sessions first, nice counts only inside one: the session has a nice value of its own.
    Call it as a session's first process. Never raises: a machine that does not know the one has the other.
    """
    if by > 0:
        os.nice(by)
        with contextlib.suppress(OSError), open("/proc/self/autogroup", "w", encoding="ascii") as session:
            session.write(str(by))


def alive(pid: int) -> bool:
    """Whether a process runs; one that has ended and waits to be collected does not."""
    try:
        stat = Path(f"/proc/{pid}/stat").read_text(encoding="ascii", errors="replace")
    except OSError:
        return False
    return stat.rpartition(")")[2].split()[0] not in ("Z", "X")


def command_line(pid: int) -> list[str]:
    """The arguments of a running process; empty when it is gone."""
    try:
        raw = Path(f"/proc/{pid}/cmdline").read_bytes()
    except OSError:
        return []
    return [part.decode(errors="replace") for part in raw.split(b"\0") if part]


def wait_gone(pid: int, seconds: float) -> bool:
    """Wait until a process that is not our child has ended; False when it is still there."""
    deadline = time.monotonic() + seconds
    while alive(pid):
        if time.monotonic() > deadline:
            return False
        time.sleep(0.02)
    return True


def stop_orphan(pid: int, gently: int = signal.SIGTERM, patience: float = 10.0) -> None:
    """End a server that an earlier run left behind: politely, and by force once ``patience`` seconds are over."""
    for sent, seconds in ((gently, patience), (signal.SIGKILL, 5.0)):
        try:
            os.kill(pid, sent)
        except ProcessLookupError:
            return
        if wait_gone(pid, seconds):
            return


def stop_child(child: subprocess.Popen[bytes], gently: int = signal.SIGTERM, patience: float = 10.0) -> None:
    """End a child of ours and collect it: politely, and by force once ``patience`` seconds are over."""
    if child.poll() is None:
        child.send_signal(gently)
        try:
            child.wait(patience)
        except subprocess.TimeoutExpired:
            child.kill()
    child.wait()


def free_port(host: str = LOOPBACK) -> int:
    """A TCP port of an address of this machine, free and kept from other choosers. Raises OSError where the address is not ours."""
    return _free_port(host)


def _free_port(host: str, kind: socket.SocketKind = socket.SOCK_STREAM) -> int:
    """Below the ports that the system lends to outgoing connections: one of those may be lent away before its server has started.

    Between the choice and its server's start lie seconds in which another platform on this machine would find the port free as well. So
    the number stays bound here, also for a UDP port as the TCP port of that number: no chooser finds it free, while a server, which binds
    with SO_REUSEADDR, may listen.
    """
    for _ in range(_TRIES):
        port = random.randrange(*_SERVER_PORTS)
        with socket.socket() as kept, socket.socket(socket.AF_INET, kind) as probe:
            try:
                kept.bind((host, port))
                if kind != socket.SOCK_STREAM:
                    probe.bind((host, port))
            except OSError as error:
                if error.errno != errno.EADDRINUSE:
                    raise
                continue
            kept.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)
            _keep(kept.detach())
            return port
    raise OSError(errno.EADDRINUSE, os.strerror(errno.EADDRINUSE))


def _keep(descriptor: int) -> None:
    """Until this process ends, or has chosen very many others."""
    _kept.append(descriptor)
    if len(_kept) > _KEPT_PORTS:
        os.close(_kept.popleft())


def claim_port(wanted: int, option: str, what: tuple[str, str], host: str = LOOPBACK) -> int:
    """``wanted`` when it is free, any free port for 0.

    ``option`` is the command line's name of the port and ``what`` names its user in Chinese and English. Raises UserError when
    somebody else listens there, or the address is none of this machine's.
    """
    with socket.socket() as probe:
        probe.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)
        try:
            if wanted == 0:
                return free_port(host)
            probe.bind((host, wanted))
        except OSError as error:
            raise UserError(
                f"端口 {wanted}（{what[0]}）无法使用（{error.strerror}）：请停掉占用它的程序，或用 {option} 另选端口（0 = 任一空闲端口）",
                f"port {wanted} ({what[1]}) cannot be used ({error.strerror}): stop the program that holds it, "
                f"or choose another with {option} (0 = any free one)",
            ) from None
    return wanted


def last_line(log: Path) -> str:
    """The last thing a server said before it gave up; empty when it said nothing."""
    try:
        lines = log.read_text(encoding="utf-8", errors="replace").strip().splitlines()
    except OSError:
        return ""
    return lines[-1].strip() if lines else ""


def free_udp_port() -> int:
    """A UDP port on the loopback, free and kept from other choosers."""
    return _free_port(LOOPBACK, socket.SOCK_DGRAM)
