"""How evenly sound came back: delays, stalls, what was made up, and how far it is from what it should be.

All is reckoned per frame sent, by position. A frame is *ready* once it and everything before it could be
played, as it was heard or as it was made up for.
"""

from __future__ import annotations

from dataclasses import dataclass, field

import numpy as np
from numpy.typing import NDArray

RATE = 48_000  # Hz
FRAME = 480  # samples, 10 ms
WINDOW, HOP = 960, 480  # samples of the spectra that are compared
FLOOR_DB = -80.0  # re full scale: what is fainter than that in a spectrum is taken to be that faint
SETTLE_S = 1.0  # of a quiet stretch, at its beginning, is not measured
QUIET_DB = -50.0  # re full scale: windows of the reference fainter than that are not compared

Floats = NDArray[np.float64]
Samples = NDArray[np.int16]


@dataclass
class Heard:
    """A piece of sound as a player would get it, in order."""

    at: float  # seconds, when it could be played
    position: int  # captured sample that its first one renders
    pcm: Samples
    made_up: bool = False


@dataclass
class Take:
    """One performance. Times are seconds by one clock."""

    began: float = 0.0  # capture of sample 0
    frames: int = 0  # sent
    lossy: range = range(0)  # frames sent while packets were lost
    heard: list[Heard] = field(default_factory=list)
    late_sending: list[float] = field(default_factory=list)  # seconds by which the client sent after its time
    stats: dict[str, dict[str, float]] = field(default_factory=dict)  # server's, by "before" and "after" loss

    def sent(self) -> Floats:
        """(frames,) seconds, when each frame was there to be sent: its last sample's capture."""
        return self.began + (np.arange(self.frames, dtype=np.float64) + 1) * (FRAME / RATE)

    def ready(self) -> Floats:
        """(frames,) seconds, when each frame's rendering could be played in order; infinite for never."""
        ready = np.full(self.frames, np.inf)
        reached, latest = 0, -np.inf  # frames that are complete
        for piece in self.heard:
            latest = max(latest, piece.at)
            complete = min((piece.position + len(piece.pcm)) // FRAME, self.frames)
            if complete > reached:
                ready[reached:complete] = latest
                reached = complete
        return ready

    def delays(self) -> Floats:
        """(frames,) seconds from sending each frame to the moment its rendering could be played in order."""
        return self.ready() - self.sent()

    def played(self) -> Samples:
        """(frames * FRAME,) the sound by position; silence where nothing came."""
        out = np.zeros(self.frames * FRAME, np.int16)
        for piece in self.heard:
            start, end = max(piece.position, 0), min(piece.position + len(piece.pcm), len(out))
            if start < end:
                out[start:end] = piece.pcm[start - piece.position : end - piece.position]
        return out

    def made_up(self, frames: range) -> float:
        """Share of the samples of some frames that this side did not hear, and made up or left silent."""
        real = np.zeros(self.frames * FRAME, bool)
        for piece in self.heard:
            if not piece.made_up:
                real[max(piece.position, 0) : max(piece.position + len(piece.pcm), 0)] = True
        return float(1 - real[frames.start * FRAME : frames.stop * FRAME].mean()) if frames else 0.0


def measure(take: Take, reference: Take, ideal: Take) -> dict[str, float | None]:
    """The figures of one performance.

    Args:
        take: it.
        reference: one in the same weather without loss, whose delays are the usual ones.
        ideal: one without loss, whose sound is as it should be.
    """
    delays, lossy = take.delays() * 1000, slice(take.lossy.start, take.lossy.stop)
    bound = float(np.percentile(_known(reference.delays()[lossy] * 1000), 95))
    before = _middle(delays[int(SETTLE_S * RATE) // FRAME : take.lossy.start])
    during, after = _middle(delays[lossy]), _middle(delays[take.lossy.stop + int(SETTLE_S * RATE) // FRAME :])
    stalled = stalls(delays[lossy], bound)
    made_up = sum(
        take.stats["after"].get(name, 0) - take.stats["before"].get(name, 0) for name in ("concealed", "gaps")
    )
    span = slice(take.lossy.start * FRAME, take.lossy.stop * FRAME)
    return {
        "delay_p50_ms": float(np.median(delays[lossy])),
        "delay_p95_ms": float(np.percentile(delays[lossy], 95, method="higher")),
        "longest_stall_ms": float(stalled.max(initial=0.0)),
        "stalled_ms": float(stalled.sum()),
        "stalled_over_40": float((stalled > 40).sum()),
        "delay_increase_ms": during - before,
        "delay_left_ms": after - before,
        "concealed_in_pct": 100 * made_up / (len(take.lossy) * FRAME),
        "concealed_out_pct": 100 * take.made_up(take.lossy),
        "distance_db": log_spectral_distance_db(take.played()[span], ideal.played()[span]),
        "client_late_p99_ms": 1000 * float(np.percentile(take.late_sending, 99)),
    }


def stalls(delays: Floats, bound: float) -> Floats:
    """How long sound stood still in each stall, for a player that waits.

    Args:
        delays: (frames,) seconds.
        bound: seconds that the player plays behind; a frame that takes longer is late, and frames that are late
            in a row are one stall, as long as its latest frame is late.

    Returns:
        (stalls,) seconds.
    """
    late = np.maximum(delays - bound, 0)
    edges = np.diff(np.concatenate(([0], late > 0, [0])).astype(int))
    starts, ends = np.flatnonzero(edges == 1), np.flatnonzero(edges == -1)
    return np.array([late[start:end].max() for start, end in zip(starts, ends, strict=True)])


def log_spectral_distance_db(sound: Samples, reference: Samples) -> float | None:
    """Mean over windows of the root mean square difference of two log spectra, in dB.

    Gray and Markel, "Distance measures for speech processing", IEEE ASSP 24, 1976. Windows in which the
    reference is silent are left out; None where there is no other.
    """
    length = min(len(sound), len(reference)) // HOP * HOP
    if length < WINDOW:
        return None
    a, b = (_windows(x[:length]) for x in (sound, reference))
    power_db = 10 * np.log10((b**2).mean(1) + 1e-12)
    audible = power_db > QUIET_DB
    if not audible.any():
        return None
    difference = _spectra_db(a[audible]) - _spectra_db(b[audible])
    return float(np.sqrt((difference**2).mean(1)).mean())


def _windows(sound: Samples) -> Floats:
    return np.lib.stride_tricks.sliding_window_view(sound / 32768.0, WINDOW)[::HOP]


def _spectra_db(windows: Floats) -> Floats:
    hann = np.hanning(WINDOW)
    amplitude = np.abs(np.fft.rfft(windows * hann)) * (2 / hann.sum())  # a full-scale sine: 0 dB
    return np.asarray(20 * np.log10(np.maximum(amplitude, 10 ** (FLOOR_DB / 20))))


def _known(delays: Floats) -> Floats:
    known = delays[np.isfinite(delays)]
    if not len(known):
        raise RuntimeError("nothing came back, though nothing was lost")
    return np.asarray(known)


def _middle(delays: Floats) -> float:
    return float(np.median(delays))
