import asyncio

import pytest
from torch import Tensor

from bench.streams import carry
from pipeline.converters.passthrough import PassThrough


class FailsLate(PassThrough):
    """Fails for good after a while."""

    steps = 0

    def step(self, *args: object) -> Tensor:
        self.steps += 1
        if self.steps > 12:
            raise RuntimeError("worn out")
        return super().step(*args)  # type: ignore[arg-type]


def test_a_converter_that_fails_ends_it() -> None:
    with pytest.raises(RuntimeError, match="worn out"):
        asyncio.run(carry("passthrough", 2, 0.5, {"passthrough": FailsLate}))


def test_sessions_are_carried() -> None:
    stats = asyncio.run(carry("passthrough", 2, 0.3, {"passthrough": PassThrough}))
    assert stats.blocks == 60
