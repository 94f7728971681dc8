"""The seam between aiortc and our own receive path, against the aiortc that is pinned."""

from __future__ import annotations

import asyncio
from importlib.metadata import version

import numpy as np
import pytest
from aiortc import RTCConfiguration, RTCPeerConnection

from kernels import opus
from realtime.protocol import Mark
from realtime.transports.webrtc.offer import BadOffer, ask_for_small_packets, read_offer
from realtime.transports.webrtc.track import FRAME, WAITING, WRAP, PacketTap, RtpClock, VoiceTrack
from tests.live import until


def test_the_seam_is_that_of_the_pinned_version() -> None:
    assert version("aiortc") == "1.16.0"


def test_positions_go_on_when_timestamps_wrap() -> None:
    clock = RtpClock(Mark(WRAP - 960, 0))
    assert [clock.position(t) for t in (WRAP - 960, WRAP - 480, 0, 480, WRAP - 480)] == [0, 480, 960, 1440, 480]


def test_positions_beyond_the_wrap_are_kept_apart() -> None:
    clock = RtpClock(Mark(5, 3 * WRAP))
    assert clock.position(485) == 3 * WRAP + 480
    assert clock.position(WRAP - 1) == 3 * WRAP - 6


class Pair:
    """Two connections of this process, with a track each way."""

    def __init__(self) -> None:
        self.heard: list[tuple[int, bytes]] = []
        self.ends = [RTCPeerConnection(RTCConfiguration(iceServers=[])) for _ in range(2)]
        self.tracks = [VoiceTrack(64_000, 1) for _ in range(2)]
        for end, track in zip(self.ends, self.tracks, strict=True):
            transceiver = end.addTransceiver("audio", direction="sendrecv")
            PacketTap(lambda timestamp, payload: self.heard.append((timestamp, payload))).put_into(
                transceiver.receiver
            )
            track.send_by(transceiver.sender)

    async def connect(self) -> None:
        here, there = self.ends
        await here.setLocalDescription(await here.createOffer())
        await there.setRemoteDescription(here.localDescription)
        await there.setLocalDescription(await there.createAnswer())
        await here.setRemoteDescription(there.localDescription)

    async def close(self) -> None:
        await asyncio.gather(*(end.close() for end in self.ends))


async def test_packets_arrive_as_they_are_sent_and_a_mark_tells_where() -> None:
    pair = Pair()
    await pair.connect()
    mark = await pair.tracks[0].mark()
    await until(lambda: len(pair.heard) == 2)  # one of each
    pair.heard.clear()
    for i in range(100):
        assert pair.tracks[0].send(7_000 + i * FRAME, np.zeros(FRAME, np.int16))
        await asyncio.sleep(0)
    await until(lambda: len(pair.heard) == 100)
    clock = RtpClock(mark)
    positions = [clock.position(timestamp) for timestamp, _ in pair.heard]
    assert positions == [7_000 - opus.LOOKAHEAD + i * FRAME for i in range(100)]
    assert pair.ends[0].getSenders()[0].track is pair.tracks[0]
    await pair.close()
    assert pair.tracks[0].readyState == "ended"


async def test_a_block_of_40_ms_is_four_packets() -> None:
    pair = Pair()
    await pair.connect()
    await pair.tracks[0].mark()
    await until(lambda: len(pair.heard) == 2)
    pair.heard.clear()
    pair.tracks[0].send(0, np.zeros(4 * FRAME, np.int16))
    await until(lambda: len(pair.heard) == 4)
    assert len({timestamp for timestamp, _ in pair.heard}) == 4
    assert all(opus.samples_in(payload) == FRAME for _, payload in pair.heard)
    await pair.close()


async def test_a_track_that_is_not_read_says_so_and_keeps_no_more() -> None:
    track = VoiceTrack(64_000, 1)
    sent = [track.send(i * FRAME, np.zeros(FRAME, np.int16)) for i in range(100)]
    assert sent.count(True) == WAITING
    with pytest.raises(TimeoutError):
        async with asyncio.timeout(0.05):
            await track._sent_one.wait()


OFFER = """v=0
o=- 1 1 IN IP4 127.0.0.1
s=-
t=0 0
m=audio 9 UDP/TLS/RTP/SAVPF 111
c=IN IP4 0.0.0.0
a=mid:0
a=sendrecv
a=rtcp-mux
a=rtpmap:111 opus/48000/2
a=fmtp:111 minptime=10;useinbandfec=1
m=application 9 UDP/DTLS/SCTP webrtc-datachannel
c=IN IP4 0.0.0.0
a=mid:1
a=sctp-port:5000
"""


@pytest.mark.parametrize(
    ("wish", "bitrate", "channels"),
    [
        ("minptime=10", 96_000, 1),
        ("maxaveragebitrate=32000", 32_000, 1),
        ("maxaveragebitrate=64000;stereo=1", 64_000, 2),
        ("maxaveragebitrate=510000;stereo=0", 128_000, 1),
    ],
)
def test_an_offer_says_how_the_voice_is_to_be_heard(wish: str, bitrate: int, channels: int) -> None:
    asked = read_offer(OFFER.replace("minptime=10;useinbandfec=1", wish))
    assert asked is not None
    assert (asked.bitrate, asked.channels) == (bitrate, channels)


def test_an_offer_without_a_track_is_one_of_data_channels() -> None:
    at = OFFER.index("m=audio")
    assert read_offer(OFFER[:at] + OFFER[OFFER.index("m=application") :]) is None


@pytest.mark.parametrize(
    ("old", "new", "words"),
    [
        ("a=sendrecv", "a=sendonly", "both ways"),
        ("opus/48000/2", "PCMU/8000", "Opus"),
        ("minptime=10", "maxaveragebitrate=6000", "32000"),
        ("minptime=10", "maxaveragebitrate=-1", "32000|no number"),
        ("useinbandfec=1", "stereo=yes", "no number|invalid literal"),
        ("m=application", "m=audio", "more than|invalid literal"),
        ("m=audio", "m=video", "more than"),
    ],
)
def test_offers_of_something_else_are_refused(old: str, new: str, words: str) -> None:
    with pytest.raises((BadOffer, ValueError), match=words):
        read_offer(OFFER.replace(old, new))


def test_the_answer_asks_for_packets_of_10_ms_and_no_pauses() -> None:
    asked = read_offer(OFFER)
    assert asked is not None
    answer = ask_for_small_packets("m=audio\r\na=rtpmap:111 opus/48000/2\r\na=mid:0\r\n", asked)
    assert answer.splitlines()[2:4] == [
        "a=fmtp:111 minptime=10;useinbandfec=1;usedtx=0;maxaveragebitrate=96000",
        "a=ptime:10",
    ]
