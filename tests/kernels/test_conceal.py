import numpy as np
import pytest

from kernels import conceal
from kernels.conceal import FULL, HISTORY, OVERLAP, SILENT, Concealer, find_period
from pipeline.synthetic import VOWELS, sing, vibrato

RATE = 48_000
NOTES = (110.0, 220.0, 440.0, 880.0)


def voice(f0_hz: float = 220.0, vowel: str = "a", seed: int = 1) -> np.ndarray:
    rng = np.random.default_rng(seed)
    line = sing(vibrato(f0_hz, 1.2, RATE), RATE, rng, vowel=vowel)
    return (line * 32_767).clip(-32_768, 32_767).astype(np.int16)


def noise(seed: int, tilt: bool) -> np.ndarray:
    """White, or tilted like breath."""
    white = np.random.default_rng(seed).standard_normal(RATE)
    sound = np.convolve(white, 0.8 ** np.arange(40), "same") if tilt else white
    return (sound / sound.std() * 3000).astype(np.int16)


def lose(sound: np.ndarray, at: int, gap: int) -> tuple[np.ndarray, np.ndarray]:
    """The concealment of `gap` samples lost at `at`, and what is handed out of the 20 ms behind it."""
    concealer = Concealer()
    heard = sound[at - 4 * FULL : at]
    assert concealer.join(heard) is heard  # nothing to fade
    out, behind = np.empty(gap, np.int16), sound[at + gap : at + gap + 960]
    before = behind.copy()
    concealer.conceal(out, behind)
    joined = concealer.join(behind)
    assert np.array_equal(behind, before)  # the caller's array is left alone
    return out, joined


def faded(sound: np.ndarray, at: int, gap: int) -> np.ndarray:
    """What the inbox makes of a gap: the last sample, faded over 2 ms."""
    out = np.zeros(gap)
    out[:96] = sound[at - 1] * (1 - np.arange(96) / 96)
    return out


def snr_db(truth: np.ndarray, guess: np.ndarray) -> float:
    error = truth.astype(float) - guess
    return float(10 * np.log10((truth.astype(float) ** 2).mean() / (error**2).mean()))


def log_spectral_distance_db(truth: np.ndarray, guess: np.ndarray) -> float:
    def spectrum(x: np.ndarray) -> np.ndarray:
        frames = np.lib.stride_tricks.sliding_window_view(x.astype(float), 480)[::120] * np.hanning(480)
        return 10 * np.log10(np.abs(np.fft.rfft(frames)) ** 2 + 480)  # no lower than a sample's rounding

    return float(np.sqrt(((spectrum(truth) - spectrum(guess)) ** 2).mean(1)).mean())


@pytest.mark.parametrize("f0_hz", NOTES)
@pytest.mark.parametrize("vowel", VOWELS)
def test_20_ms_of_a_sung_vowel_are_continued(f0_hz: float, vowel: str) -> None:
    sound = voice(f0_hz, vowel)
    snr, ours, silent = [], [], []
    for at in range(9600, 48_000, 3571):
        truth, (made, _) = sound[at : at + 960], lose(sound, at, 960)
        snr.append(snr_db(truth, made))
        ours.append(log_spectral_distance_db(truth, made))
        silent.append(log_spectral_distance_db(truth, faded(sound, at, 960)))
    assert np.median(snr) > 10  # silence: 0
    assert min(snr) > 5
    assert np.median(ours) < 12
    assert np.median(silent) > np.median(ours) + 20


def test_the_voice_is_reached_in_phase() -> None:
    """Behind the loss, the crossfade joins two sounds that agree, so that it is the true sound nearly."""
    sound = voice()
    agreement = []
    for at in range(9600, 48_000, 2711):
        _, joined = lose(sound, at, 960)
        agreement.append(snr_db(sound[at + 960 : at + 960 + OVERLAP], joined[:OVERLAP]))
    assert np.median(agreement) > 18


@pytest.mark.parametrize("gap", [240, 960, 1920, 2880, 9600])
def test_heard_sound_is_changed_only_in_the_crossfade(gap: int) -> None:
    sound = voice()
    _, joined = lose(sound, 12_000, gap)
    assert np.array_equal(joined[OVERLAP:], sound[12_000 + gap + OVERLAP : 12_000 + gap + 960])


@pytest.mark.parametrize("size", [1, 7, 100, 240])
def test_the_crossfade_goes_on_over_pieces_of_any_size(size: int) -> None:
    sound = voice()
    whole, parts = Concealer(), Concealer()
    made = np.empty(480, np.int16)
    behind = sound[10_080:11_040]
    for concealer in (whole, parts):
        concealer.join(sound[8000:9600])
        concealer.conceal(made, behind)
    expected = whole.join(behind)
    pieces = [parts.join(behind[at : at + size]) for at in range(0, len(behind), size)]
    assert np.array_equal(np.concatenate(pieces), expected)


@pytest.mark.parametrize("tilt", [False, True])
def test_noise_stays_noise(tilt: bool) -> None:
    """No repetition makes a tone of it: autocorrelation at every lag from 1 to 20 ms stays that of noise."""
    peaks, truths, levels = [], [], []
    for seed in range(20):
        sound = noise(seed, tilt)
        made, _ = lose(sound, 20_000, 1920)
        parts = made[:FULL].astype(np.float32), sound[20_000 : 20_000 + FULL].astype(np.float32)
        levels.append(parts[0].std() / parts[1].std())
        for part, found in zip(parts, (peaks, truths), strict=True):
            whole = np.correlate(part, part, "full")[FULL - 1 :]
            found.append(whole[48:].max() / whole[0])
    assert np.mean(peaks) < np.mean(truths) + 0.05
    assert max(peaks) < 0.4
    assert np.median(levels) == pytest.approx(1, abs=0.15)


def test_silence_stays_silence() -> None:
    made, joined = lose(np.zeros(20_000, np.int16), 10_000, 1920)
    assert not made.any()
    assert not joined.any()


def test_the_first_sound_of_a_stream_has_nothing_to_go_on() -> None:
    concealer = Concealer()
    made = np.empty(480, np.int16)
    concealer.conceal(made, voice()[:960])
    assert not made.any()


@pytest.mark.parametrize("gap", [100, 480, 960, 1920, 2880, 4800])
@pytest.mark.parametrize("kind", ["voice", "noise"])
def test_no_click_at_the_seams(gap: int, kind: str) -> None:
    """From sample to sample nothing steps further than the sound itself does."""
    sound = voice() if kind == "voice" else noise(3, True)
    for at in range(9600, 40_000, 4999):
        made, joined = lose(sound, at, gap)
        around = np.concatenate((sound[at - 1 : at], made, joined)).astype(int)
        steps = np.abs(np.diff(sound[at - HISTORY : at + gap + 960].astype(int))).max()
        assert np.abs(np.diff(around)).max() <= 1.15 * steps


@pytest.mark.parametrize("growth", [0.6, 1.6])
def test_a_sound_that_swells_or_dies_is_taken_up_where_it_was(growth: float) -> None:
    """A period ago it was weaker or stronger: the repetition starts at the last sample all the same."""
    t = np.arange(20_000) / RATE
    sound = (np.sin(2 * np.pi * 100 * t) * growth ** (100 * (t - 0.2)) * 5000).clip(-32_768, 32_767)
    for at in range(9600, 9600 + 480, 60):
        made, _ = lose(sound.astype(np.int16), at, 480)
        around = np.concatenate((sound[at - 1 : at], made))
        assert np.abs(np.diff(around)).max() <= 1.5 * np.abs(np.diff(sound[at - 480 : at + 480])).max()


@pytest.mark.parametrize("kind", ["voice", "noise"])
def test_full_level_for_20_ms_and_silent_from_60_ms(kind: str) -> None:
    sound = voice() if kind == "voice" else noise(5, False)
    made, _ = lose(sound, 15_000, 9600)
    level = np.sqrt(np.square(made[:SILENT].astype(float)).reshape(6, -1).mean(1))
    before = sound[15_000 - FULL : 15_000].astype(float).std()
    assert level[:2] / before == pytest.approx([1, 1], abs=0.25)
    assert np.all(np.diff(level[1:]) < 0)
    assert level[-1] < 0.1 * before
    assert not made[SILENT:].any()


@pytest.mark.parametrize("f0_hz", [41.0, 82.4, 133.3, 261.6, 523.3, 987.0])
def test_the_period_is_found_to_a_fraction_of_a_sample(f0_hz: float) -> None:
    t = np.arange(HISTORY) / RATE
    sound = sum(np.sin(2 * np.pi * k * f0_hz * t + k * k) * 3000 / k for k in range(1, 12))
    period, peak = find_period(np.float32(sound), np.zeros(HISTORY // conceal.COARSE, np.float32))
    assert period == pytest.approx(RATE / f0_hz, abs=0.3)
    assert peak > 0.98


def test_a_constant_is_no_sound() -> None:
    """A microphone's offset has no period and makes no trouble."""
    made, joined = lose(np.full(20_000, 700, np.int16), 10_000, 480)
    assert np.all(made == 700)
    assert np.all(joined[OVERLAP:] == 700)


def test_the_loudest_sound_is_not_turned_over() -> None:
    sound = np.where(np.arange(RATE) // 100 % 2, 32_767, -32_768).astype(np.int16)
    made, joined = lose(sound, 10_000, 960)
    assert np.abs(np.diff(made.astype(int)) > 60_000).sum() <= 6  # as often as the wave itself turns
    assert len(joined) == 960


def test_warming_compiles_and_leaves_nothing_behind() -> None:
    conceal.warm()
