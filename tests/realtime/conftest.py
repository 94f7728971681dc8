from __future__ import annotations

import asyncio
from collections.abc import AsyncIterator, Callable
from typing import Any

import pytest

from auto_voice.storage.profiles import BUILTIN
from pipeline.converters import available
from pipeline.voice import Voice
from pipeline.voice_file import load_voice
from realtime.engine import Engine
from tests.hall import Hall
from tests.live import Clock


@pytest.fixture
def clock() -> Clock:
    return Clock()


@pytest.fixture
async def make_engine() -> AsyncIterator[Callable[..., Engine]]:
    """Start engines with the real converters (or others) that are stopped after the test."""
    engines: list[Engine] = []

    def make(**options: object) -> Engine:
        options = {"converters": available(), "capacity": 4, "clock": Clock(), **options}
        engine = Engine(**options)  # type: ignore[arg-type]
        engine.warm()
        engine.start(asyncio.get_running_loop())
        engines.append(engine)
        return engine

    yield make
    for engine in engines:
        engine.stop()


@pytest.fixture(scope="session")
def aria() -> Voice:
    return load_voice(BUILTIN / "aria.safetensors")


@pytest.fixture(scope="session")
def otto() -> Voice:
    return load_voice(BUILTIN / "otto.safetensors")


@pytest.fixture
async def open_hall(
    make_engine: Callable[..., Engine], clock: Clock, aria: Voice, otto: Voice
) -> Callable[..., Hall]:
    def open_it(resume_seconds: float = 30.0, **options: Any) -> Hall:
        options = {"capacity": 2, "clock": clock, **options}
        return Hall(make_engine(**options), {"aria": aria, "otto": otto}, clock, resume_seconds)

    return open_it
