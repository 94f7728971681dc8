from aiortc import RTCConfiguration, RTCPeerConnection

from realtime.transports.webrtc.window import FLOOR, widen


async def test_the_window_has_a_floor() -> None:
    connection = RTCPeerConnection(RTCConfiguration(iceServers=[]))
    connection.createDataChannel("audio")
    transport = connection.sctp
    assert transport is not None
    assert 0 < vars(transport)["_cwnd"] < FLOOR  # aiortc's name for it, and its idea of a beginning
    widen(transport)
    assert transport._cwnd == FLOOR
    transport._cwnd = 1200  # what a loss may leave of it
    assert transport._cwnd == FLOOR
    transport._cwnd = 2 * FLOOR
    transport._cwnd += 1200
    assert transport._cwnd == 2 * FLOOR + 1200
    await connection.close()
