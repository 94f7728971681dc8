"""Two network namespaces and a lossy line between them, so that real TCP and UDP meet loss, delay and jitter.

`tc netem` would do the same where the kernel has it; this needs nothing but namespaces and TUN devices (Linux,
as root). The namespaces have no names: they are gone with the last process and file that holds them, however
this program ends.
"""

from __future__ import annotations

import contextlib
import ctypes
import json
import os
import shutil
import struct
import subprocess
import sys
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from bench.forwarder import MTU, Weather, order

TUN = Path("/dev/net/tun")
OWN = Path("/proc/self/ns/net")
CLONE_NEWNET = 0x40000000
TUNSETIFF = 0x400454CA  # linux/if_tun.h
IFF_TUN, IFF_NO_PI = 0x0001, 0x1000
DEVICE = "wire"
ADDRESSES = ("10.77.0.1", "10.77.0.2")
CONGESTION = "cubic"  # what TCP does without being told, on most systems of singers and servers
PATIENCE_S = 10


class NoWire(Exception):
    """This machine does not allow it; the message says what is missing."""


@dataclass(frozen=True)
class End:
    """One end of the wire.

    Args:
        address: of its device, IPv4.
        namespace: open file of its network namespace.
        device: open TUN device, the forwarder's side of it.
    """

    address: str
    namespace: int
    device: int

    @contextlib.contextmanager
    def inside(self) -> Iterator[None]:
        """Sockets that this thread opens, and processes that it starts, are at this end."""
        before = os.open(OWN, os.O_RDONLY | os.O_CLOEXEC)
        try:
            _enter(self.namespace)
            try:
                yield
            finally:
                _enter(before)
        finally:
            os.close(before)

    def forget(self) -> None:
        """Make TCP forget what it has learnt of the path (Linux keeps it beyond connections)."""
        with self.inside():
            _ip("tcp_metrics", "flush")


@dataclass
class Wire:
    """A line between two ends, fine until `change`."""

    ends: tuple[End, End]
    process: subprocess.Popen[bytes]

    def change(self, weather: Weather) -> dict[str, float]:
        """Another weather from now on, in both directions.

        Returns:
            What has become of packets since the last change: `carried`, `lost`, `refused` (by full queues), and
            `late_p99_s`, `late_max_s`, by which the forwarder itself was late.

        Raises:
            RuntimeError: the forwarder has failed.
        """
        orders, answers = self.process.stdin, self.process.stdout
        assert orders is not None
        assert answers is not None
        try:
            orders.write(order(weather))
            orders.flush()
            answer = answers.readline()
        except BrokenPipeError:
            answer = b""
        if not answer:
            raise RuntimeError("the forwarder has ended")
        counts: dict[str, float] = json.loads(answer)
        return counts


@contextlib.contextmanager
def stretched(seed: int = 1) -> Iterator[Wire]:
    """A wire between two new namespaces.

    Args:
        seed: of what the wire loses and delays.

    Raises:
        NoWire: namespaces or TUN devices are not to be had here.
    """
    _check()
    with contextlib.ExitStack() as stack:
        first, second = (stack.enter_context(_end(*ADDRESSES[::step])) for step in (1, -1))
        devices = (first.device, second.device)
        process = subprocess.Popen(
            [sys.executable, "-m", "bench.forwarder", *map(str, devices), str(seed)],
            stdin=subprocess.PIPE,
            stdout=subprocess.PIPE,
            pass_fds=devices,
            start_new_session=True,  # Ctrl-C is for us
            cwd=Path(__file__).parents[1],
        )
        stack.callback(_end_process, process)
        wire = Wire((first, second), process)
        wire.change(Weather())  # it is up
        yield wire


def _check() -> None:
    if not sys.platform.startswith("linux"):
        raise NoWire("network namespaces are Linux's")
    if shutil.which("ip") is None:
        raise NoWire("the program `ip` (iproute2) is missing")
    if not os.access(TUN, os.R_OK | os.W_OK):
        raise NoWire(f"{TUN} is missing, or not to be opened")


@contextlib.contextmanager
def _end(address: str, other: str) -> Iterator[End]:
    """A new namespace with a device that leads to `other`."""
    before = os.open(OWN, os.O_RDONLY | os.O_CLOEXEC)
    with contextlib.ExitStack() as stack:
        stack.callback(os.close, before)
        if _libc().unshare(CLONE_NEWNET):
            raise NoWire(f"no new network namespace: {os.strerror(ctypes.get_errno())}; it takes root")
        try:
            namespace = os.open(OWN, os.O_RDONLY | os.O_CLOEXEC)
            stack.callback(os.close, namespace)
            device = _tun()
            stack.callback(os.close, device)
            _ip("link", "set", "lo", "up")
            _ip("link", "set", DEVICE, "addrgenmode", "none")  # no IPv6 beside it
            _ip("link", "set", DEVICE, "mtu", str(MTU), "up")
            _ip("address", "add", f"{address}/32", "dev", DEVICE)
            _ip("route", "add", f"{other}/32", "dev", DEVICE, "src", address, "congctl", CONGESTION)
        finally:
            _enter(before)
        yield End(address, namespace, device)


def _tun() -> int:
    import fcntl

    try:
        device = os.open(TUN, os.O_RDWR | os.O_CLOEXEC)
    except OSError as problem:
        raise NoWire(f"{TUN}: {problem.strerror}") from problem
    try:
        fcntl.ioctl(device, TUNSETIFF, struct.pack("16sH22x", DEVICE.encode(), IFF_TUN | IFF_NO_PI))
    except OSError as problem:
        os.close(device)
        raise NoWire(f"no TUN device: {problem.strerror}") from problem
    return device


def _ip(*words: str) -> None:
    done = subprocess.run(["ip", *words], capture_output=True, text=True, check=False)
    if done.returncode:
        raise NoWire(f"`ip {' '.join(words)}`: {done.stderr.strip()}")


def _libc() -> Any:
    return ctypes.CDLL(None, use_errno=True)


def _enter(namespace: int) -> None:
    """Take this thread to a namespace; what it starts from now on is born there."""
    if _libc().setns(namespace, CLONE_NEWNET):
        raise OSError(ctypes.get_errno(), "setns")


def _end_process(process: subprocess.Popen[bytes]) -> None:
    assert process.stdin is not None
    assert process.stdout is not None
    process.stdin.close()
    process.stdout.close()
    try:
        process.wait(PATIENCE_S)
    except subprocess.TimeoutExpired:
        process.kill()
        process.wait()
