"""Plain packets over the wire: lost, delayed and in order as asked, however busy the machine."""

from __future__ import annotations

import socket
import statistics
import time
from collections.abc import Iterator

import pytest

from bench.forwarder import Weather
from bench.wire import NoWire, Wire, stretched

PACE_S = 0.001


@pytest.fixture
def wire() -> Iterator[Wire]:
    try:
        with stretched(seed=7) as wire:
            yield wire
    except NoWire as problem:
        pytest.skip(f"no namespaces here: {problem}")


def carry(wire: Wire, weather: Weather, packets: int) -> list[tuple[int, float]]:
    """(number, seconds under way) of the packets that arrived, in the order in which they did."""
    sockets = []
    for end in wire.ends:
        with end.inside():
            sockets.append(socket.socket(socket.AF_INET, socket.SOCK_DGRAM))
        sockets[-1].bind((end.address, 0))
        sockets[-1].setsockopt(socket.SOL_SOCKET, socket.SO_RCVBUF, 1 << 20)
    sender, receiver = sockets
    sender.connect(receiver.getsockname())
    receiver.settimeout(1.0)
    wire.change(weather)
    sent: list[float] = []
    arrived: list[tuple[int, float]] = []

    def read(most: int) -> None:
        for _ in range(most):
            try:
                number = int(receiver.recv(100))
            except (TimeoutError, BlockingIOError):
                return
            arrived.append((number, time.monotonic() - sent[number]))

    with sender, receiver:
        receiver.setblocking(False)
        for number in range(packets):
            sent.append(time.monotonic())
            sender.send(str(number).encode())
            time.sleep(PACE_S)
            read(packets)
        receiver.settimeout(1.0)
        read(packets)
    return arrived


def test_a_fine_wire_loses_nothing_and_keeps_the_order(wire: Wire) -> None:
    arrived = carry(wire, Weather(), 300)
    assert [number for number, _ in arrived] == list(range(300))
    counts = wire.change(Weather())
    assert (counts["lost"], counts["refused"]) == (0, 0)
    assert counts["carried"] >= 300


def test_packets_are_lost_and_delayed(wire: Wire) -> None:
    arrived = carry(wire, Weather(loss=0.1, delay_s=0.03), 1000)
    assert 850 < len(arrived) < 950  # five standard deviations
    assert len(arrived) + wire.change(Weather())["lost"] >= 1000
    numbers = [number for number, _ in arrived]
    assert numbers == sorted(numbers)
    assert min(seconds for _, seconds in arrived) >= 0.03  # never early, however busy the machine


def test_jitter_keeps_the_order_unless_it_may_not(wire: Wire) -> None:
    kept = carry(wire, Weather(delay_s=0.005, jitter_s=0.02), 400)
    numbers = [number for number, _ in kept]
    assert numbers == list(range(400))
    mixed = carry(wire, Weather(delay_s=0.005, jitter_s=0.02, reorder=True), 400)
    numbers = [number for number, _ in mixed]
    assert sorted(numbers) == list(range(400))
    assert numbers != sorted(numbers)
    assert min(seconds for _, seconds in mixed) >= 0.005
    assert statistics.median(seconds for _, seconds in mixed) >= 0.01


def test_the_namespaces_are_left(wire: Wire) -> None:
    with socket.socket(socket.AF_INET, socket.SOCK_DGRAM) as outside, pytest.raises(OSError):
        outside.bind((wire.ends[0].address, 0))
