"""How long a missing frame is waited for: as long as frames out of order have lately taken, and no longer."""

from __future__ import annotations

import math

MOST = 0.060  # seconds; what comes later than that is not worth waiting for
MARGIN, EXTRA = 1.25, 0.002  # so much more than the lateness that was seen: times, and seconds
LEAST = 0.25  # of a frame: where all comes in order, waiting for what is lost is delay and nothing else
FADING = 10.0  # seconds in which the memory of lateness shrinks to a third


class Patience:
    """A peak hold over the lateness of frames that came out of order.

    It rises at once to what would have sufficed and decays exponentially, as the delay estimators of adaptive
    playout do (Ramjee et al., "Adaptive playout mechanisms for packetized audio applications in wide-area
    networks", INFOCOM 1994: spikes are followed, then left slowly). On a path that keeps its order it is
    a quarter of a frame.

    Args:
        most: seconds, the bound.
    """

    def __init__(self, most: float = MOST) -> None:
        self.most = most
        self._peak = 0.0
        self._since = 0.0

    def met(self, lateness: float, now: float) -> None:
        """Learn that a frame came `lateness` seconds after one behind it.

        One that is too late for the longest patience teaches nothing: waiting would not have saved it.
        """
        if lateness > self.most:
            return
        enough = lateness * MARGIN + EXTRA
        if enough > self._held(now):
            self._peak, self._since = enough, now

    def seconds(self, now: float, frame: float) -> float:
        """How long to wait for what is missing, where frames are `frame` seconds long."""
        return min(max(self._held(now), LEAST * frame), self.most)

    def _held(self, now: float) -> float:
        return self._peak * math.exp(-max(now - self._since, 0.0) / FADING)
