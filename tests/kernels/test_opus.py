from __future__ import annotations

from fractions import Fraction

import av
import numpy as np
import pytest

from kernels import opus
from pipeline.synthetic import sing, vibrato

RATE = 48_000
FRAME = 480


def voice(seconds: float = 1.0) -> np.ndarray:
    line = sing(vibrato(220.0, seconds, RATE), RATE, np.random.default_rng(1), vowel="a")
    return (line * 32_767).clip(-32_768, 32_767).astype(np.int16)


def frames(sound: np.ndarray) -> list[np.ndarray]:
    return [sound[at : at + FRAME] for at in range(0, len(sound) - FRAME + 1, FRAME)]


def snr_db(sound: np.ndarray, reference: np.ndarray) -> float:
    error = sound.astype(float) - reference
    return float(10 * np.log10((reference.astype(float) ** 2).sum() / (error**2).sum()))


@pytest.mark.parametrize(("bitrate", "least_db"), [(32_000, 15), (64_000, 20), (128_000, 25)])
@pytest.mark.parametrize("channels", [1, 2])
def test_sound_comes_back_later_by_the_lookahead(bitrate: int, least_db: float, channels: int) -> None:
    sound = voice()
    encoder, decoder = opus.Encoder(bitrate, channels), opus.Decoder()
    packets = [encoder.encode(frame) for frame in frames(sound)]
    assert [opus.samples_in(packet) for packet in packets] == [FRAME] * len(packets)
    assert encoder.lookahead == opus.LOOKAHEAD
    assert sum(map(len, packets)) * 8 == pytest.approx(bitrate, rel=0.1)
    assert all(packet[0] >> 2 & 1 == channels - 1 for packet in packets)  # RFC 6716 section 3.1: s
    back = np.concatenate([decoder.decode(packet) for packet in packets])
    assert snr_db(back[opus.LOOKAHEAD :], sound[: -opus.LOOKAHEAD]) > least_db - 6 * (channels - 1)


def test_silence_is_sent_too() -> None:
    encoder = opus.Encoder(64_000)
    packets = [encoder.encode(np.zeros(FRAME, np.int16)) for _ in range(200)]
    assert all(opus.samples_in(packet) == FRAME for packet in packets)


@pytest.mark.parametrize("packet", [b"", b"\xff\xff\xff", b"\x03"])
def test_what_is_no_packet_holds_nothing(packet: bytes) -> None:
    assert opus.samples_in(packet) == 0
    assert opus.Decoder().decode(packet) is None


def test_any_bytes_are_decoded_or_refused() -> None:
    rng = np.random.default_rng(2)
    decoder = opus.Decoder()
    for _ in range(500):
        packet = rng.bytes(int(rng.integers(1, 200)))
        sound = decoder.decode(packet)
        assert sound is None or len(sound) == opus.samples_in(packet)
        copy = decoder.previous(packet, FRAME)
        assert copy is None or len(copy) <= FRAME


def test_a_frame_of_another_length_is_refused() -> None:
    with pytest.raises(opus.OpusError, match="441 samples"):
        opus.Encoder(64_000).encode(np.zeros(441, np.int16))


def with_error_correction(sound: np.ndarray) -> list[bytes]:
    """As a browser sends them that has been told of losses."""
    codec = av.CodecContext.create("libopus", "w")
    codec.sample_rate, codec.layout, codec.format = RATE, "mono", "s16"
    codec.bit_rate = 32_000
    codec.options = {"application": "voip", "frame_duration": "20", "fec": "1", "packet_loss": "30"}
    codec.time_base = Fraction(1, RATE)
    packets = []
    for at in range(0, len(sound) - 959, 960):
        frame = av.AudioFrame.from_ndarray(sound[None, at : at + 960], "s16", "mono")
        frame.sample_rate, frame.pts = RATE, at
        packets += [bytes(packet) for packet in codec.encode(frame)]
    return packets


def test_a_lost_frame_is_recovered_from_the_packet_behind_it() -> None:
    packets = with_error_correction(voice(2.0))
    whole, torn = opus.Decoder(), opus.Decoder()
    lost = 30  # the encoder copies what it takes for speech, and a vowel that lasts is none
    expected = [whole.decode(packet) for packet in packets][lost]
    for packet in packets[:lost]:
        torn.decode(packet)
    assert torn.previous(packets[lost + 1], 100) is None  # less was lost than it knows
    found = torn.previous(packets[lost + 1], 960)
    assert found is not None and expected is not None
    assert len(found) == 960
    assert np.corrcoef(found.astype(float), expected.astype(float))[0, 1] > 0.8
    assert torn.decode(packets[lost + 1]) is not None


def test_low_delay_packets_know_nothing_of_others() -> None:
    encoder, decoder = opus.Encoder(96_000), opus.Decoder()
    packets = [encoder.encode(frame) for frame in frames(voice(0.2))]
    assert decoder.previous(packets[5], FRAME) is None
