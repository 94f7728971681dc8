from pathlib import Path

import av
import numpy as np
import pytest

from pipeline.song.track import Track, TrackWriter


@pytest.mark.parametrize("channels", [1, 2])
def test_what_is_written_is_read_anywhere(channels: int, tmp_path: Path) -> None:
    sound = np.random.default_rng(1).standard_normal((channels, 10_000)).astype(np.float32)
    with TrackWriter(tmp_path / "a.wav", 44_100, channels) as writer:
        for start in range(0, 10_000, 777):
            writer.append(sound[:, start : start + 777])
    track = Track(tmp_path / "a.wav")
    assert (track.channels, track.frames, track.sample_rate) == (channels, 10_000, 44_100)
    assert np.array_equal(track.read(0, 10_000), sound)
    assert np.array_equal(track.read(-5, 10)[:, 5:], sound[:, :5])
    assert not track.read(-5, 5).any()
    assert np.array_equal(track.read(9_990, 30)[:, :10], sound[:, -10:])
    assert not track.read(20_000, 7).any()
    assert np.array_equal(np.concatenate(list(track.blocks(999)), 1), sound)


def test_other_programs_can_open_it(tmp_path: Path) -> None:
    with TrackWriter(tmp_path / "a.wav", 48_000, 2) as writer:
        writer.append(np.full((2, 480), 0.5, np.float32))
    with av.open(str(tmp_path / "a.wav")) as container:
        stream = container.streams.audio[0]
        assert stream.codec_context.name == "pcm_f32le"
        assert stream.codec_context.sample_rate == 48_000


def test_what_was_not_finished_cannot_be_opened(tmp_path: Path) -> None:
    path = tmp_path / "a.wav"
    with pytest.raises(KeyError), TrackWriter(path, 44_100, 2) as writer:
        writer.append(np.ones((2, 100), np.float32))
        raise KeyError
    with pytest.raises(ValueError, match="cut off"):
        Track(path)
    path.write_bytes(b"RIFF")
    with pytest.raises(ValueError, match="no track"):
        Track(path)


def test_other_shapes_are_refused(tmp_path: Path) -> None:
    with TrackWriter(tmp_path / "a.wav", 44_100, 2) as writer:
        with pytest.raises(ValueError, match="2 channels"):
            writer.append(np.zeros((1, 5), np.float32))
        with pytest.raises(ValueError, match="2 channels"):
            writer.append(np.zeros(5, np.float32))
