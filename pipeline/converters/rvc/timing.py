"""How a stream of RVC is cut: what is taken at a time, how far it looks ahead, and how far back it remembers.

Frames are those of the latents, 10 ms. After a step all input is known to *now*; frames are known to LAG before
it (content features reach 5 ms beyond their frame, the filter before them 5 ms, the pitch tracker 10 ms), and
those that are sung end `ahead` frames before that. What is ahead is computed with every step anew, and only
then final.
"""

from __future__ import annotations

from dataclasses import dataclass

from pipeline.converters.rvc.flow import REACH

SAMPLE_RATE = 48_000  # Hz, in and out
FRAME = 480  # samples
LAG = 480  # samples between now and the end of the last frame that is known
CONTENT_RATE = 16_000
CONTENT_FRAME = 320  # samples at CONTENT_RATE between content features, two frames
CONTENT_REACH = 80  # samples at CONTENT_RATE that a feature hears beyond its frame


@dataclass(frozen=True)
class Timing:
    """All in frames of 10 ms; even numbers but for `ahead`.

    Raises:
        ValueError: numbers that do not go together.
    """

    stride: int = 4  # frames of one step
    ahead: int = 5  # frames of look-ahead: the algorithmic delay is 10 ms more
    context: int = 100  # frames that the prior encoder sees, these included
    content: int = 100  # frames that the content encoder hears

    def __post_init__(self) -> None:
        if self.stride < 2 or self.stride % 2:
            raise ValueError(f"a step takes an even number of frames of 10 ms, not {self.stride}")
        if not 2 <= self.ahead <= 400:
            raise ValueError(f"the look-ahead is 2 to 400 frames, not {self.ahead}")
        if min(self.context, self.content) < self.computed + 1 or self.context % 2 or self.content % 2:
            raise ValueError(
                f"the context must be an even number of frames above {self.computed}, "
                f"not {self.context} and {self.content}"
            )

    @property
    def block(self) -> int:
        """Samples of a step."""
        return self.stride * FRAME

    @property
    def delay(self) -> int:
        """Algorithmic delay in samples."""
        return self.ahead * FRAME + LAG

    @property
    def computed(self) -> int:
        """Frames that are decoded in a step, those ahead included."""
        return self.stride + self.ahead

    @property
    def flowing(self) -> int:
        """Frames that go through the flow: it hears REACH more on the left."""
        return min(self.computed + REACH, self.context)

    @property
    def revised(self) -> int:
        """Frames whose content is new in a step, or better known than before; an even number."""
        return self.computed + self.computed % 2

    @property
    def heard(self) -> int:
        """Samples at CONTENT_RATE that the content encoder hears."""
        return self.content // 2 * CONTENT_FRAME + CONTENT_REACH


LIVE = Timing()
PARTS = Timing(stride=100, ahead=36, context=300, content=300)  # for speech, which is heard as it is made
WHOLE = Timing(stride=1000, ahead=120, context=1520, content=1520)  # for songs: everything is in reach
