import time
from collections.abc import Callable
from dataclasses import replace
from typing import Any

import numpy as np
import pytest

from pipeline.converters import DEFAULT
from pipeline.voice import Voice
from realtime.conversation import Conversation, Phase
from realtime.engine import Engine
from realtime.errors import VoiceNotFound
from realtime.sessions import Sessions
from tests.live import Letters, say, until

MakeEngine = Callable[..., Engine]
HELLO = {"type": "hello", "version": 1, "client": "test"}
START = {"type": "start", "voice": "aria"}


@pytest.fixture
async def talk(
    make_engine: MakeEngine, aria: Voice, otto: Voice
) -> Callable[..., tuple[Conversation, Letters]]:
    async def resolve(voice_id: str, user_id: str | None) -> Voice:
        voices = {"aria": aria, "otto": otto}
        if voice_id not in voices:
            raise VoiceNotFound(voice_id)
        return replace(voices[voice_id])  # read anew, as from a file

    sessions = Sessions(make_engine(capacity=2, clock=time.perf_counter), 30.0)

    def begin() -> tuple[Conversation, Letters]:
        letters = Letters()
        return Conversation(sessions, resolve, letters, "AutoVoice test"), letters

    return begin


def audio(index: int) -> dict[str, Any]:
    return {"type": "audio", "seq": index, "position": index * 480, "pcm": np.full(480, 900, "<i2").tobytes()}


async def test_the_whole_conversation(talk: Any) -> None:
    conversation, letters = talk()
    await say(conversation, HELLO, START)
    assert letters.last("hello")["block"] == 480
    assert letters.last("start")["delay"] == 1440
    for index in range(12):
        await say(conversation, audio(index))
        await until(lambda n=index + 1: len(letters.audio) == n)
    await say(conversation, {"type": "stats", "t": 7})
    stats = letters.last("stats")
    assert stats["t"] == 7
    assert stats["frames"] == 12
    assert stats["dropped"] == {}
    assert stats["added_p50_ms"] > 0
    assert letters.seqs == list(range(12))
    assert letters.last("pitch")["position"] % 480 == 0
    await say(conversation, {"type": "controls", "pitch_semitones": 5})
    assert letters.last("controls")["pitch_semitones"] == 5
    assert letters.last("controls")["voice"] == "aria"
    await say(conversation, {"type": "stop", "reason": "done"})
    assert letters.messages[-1]["type"] == "stop"
    assert letters.finished
    assert conversation.phase is Phase.ENDED


@pytest.mark.parametrize("first", [START, audio(0), {"type": "controls"}, {"type": "stats"}])
async def test_nothing_comes_before_hello(talk: Any, first: dict[str, Any]) -> None:
    conversation, letters = talk()
    await say(conversation, first)
    assert letters.last("error")["code"] == "unexpected_message"
    assert "hello" in letters.last("error")["suggestions"][0]
    await say(conversation, HELLO, START)
    assert letters.last("start")["session"]


async def test_another_version_is_told_and_ended(talk: Any) -> None:
    conversation, letters = talk()
    await say(conversation, {**HELLO, "version": 2})
    assert letters.last("error")["code"] == "unsupported_version"
    assert letters.last("error")["fatal"]
    assert conversation.phase is Phase.ENDED


@pytest.mark.parametrize(
    ("start", "code"),
    [
        ({"voice": "nobody"}, "voice_not_found"),
        ({"converter": "magic"}, "invalid_parameter"),
        ({"controls": {"dry_wet": 2}}, "invalid_parameter"),
        ({"controls": {"pitch_semitones": float("nan")}}, "invalid_parameter"),
        ({"controls": 5}, "malformed_message"),
        ({"voice": 5}, "malformed_message"),
        ({"blend": {"voice": "nobody", "share": 0.5}}, "voice_not_found"),
        ({"blend": {"voice": "otto", "share": 2}}, "invalid_parameter"),
        ({"blend": "otto"}, "malformed_message"),
    ],
)
async def test_a_bad_start_is_told_and_may_be_tried_again(talk: Any, start: dict[str, Any], code: str) -> None:
    conversation, letters = talk()
    await say(conversation, HELLO, {**START, **start})
    assert letters.last("error")["code"] == code
    assert not letters.last("error")["fatal"]
    await say(conversation, START)
    assert letters.last("start")["voice"] == "aria"


async def test_bad_changes_leave_the_session_as_it_was(talk: Any) -> None:
    conversation, letters = talk()
    await say(conversation, HELLO, START)
    for change in ({"voice": "nobody"}, {"gate_db": 5}, {"auto_pitch": 1}):
        await say(conversation, {"type": "controls", **change})
    assert [m["code"] for m in letters.messages if m["type"] == "error"] == [
        "voice_not_found",
        "invalid_parameter",
        "invalid_parameter",
    ]
    await say(conversation, {"type": "controls"})
    assert letters.last("controls")["gate_db"] == -70


async def test_a_blend_is_told_moved_kept_and_ended(talk: Any) -> None:
    conversation, letters = talk()
    await say(conversation, HELLO, {**START, "blend": {"voice": "otto", "share": 0.25}})
    assert letters.last("start")["blend"] == {"voice": "otto", "share": 0.25}
    second = conversation.session.blend.voice
    for change, expected in (
        ({"blend": {"voice": "otto", "share": 0.75}}, {"voice": "otto", "share": 0.75}),
        ({"pitch_semitones": 2}, {"voice": "otto", "share": 0.75}),
        ({"blend": {"voice": "otto", "share": 0}, "dry_wet": 0.5}, {"voice": "otto", "share": 0}),
    ):
        await say(conversation, {"type": "controls", **change})
        assert letters.last("controls")["blend"] == expected
        assert conversation.session.blend.voice is second  # not read again
    await say(conversation, {"type": "controls", "voice": "otto"})
    assert letters.last("controls")["voice"] == "otto"
    assert letters.last("controls")["blend"] == {"voice": "otto", "share": 0}
    await say(conversation, {"type": "controls", "blend": {"voice": "aria", "share": 1}})
    assert letters.last("controls")["blend"] == {"voice": "aria", "share": 1}
    await say(conversation, {"type": "controls", "blend": None})
    assert letters.last("controls")["blend"] is None
    assert letters.last("controls")["dry_wet"] == 0.5
    assert not [m for m in letters.messages if m["type"] == "error"]


@pytest.mark.parametrize(
    ("blend", "code", "words"),
    [
        ({"voice": "nobody", "share": 0.5}, "voice_not_found", "nobody"),
        ({"voice": "aria", "share": 1.5}, "invalid_parameter", "0 to 1"),
        ({"voice": "aria", "share": float("nan")}, "invalid_parameter", "0 to 1"),
        ({"voice": "aria"}, "invalid_parameter", "share"),
        ({"share": 0.5}, "malformed_message", "voice"),
        ({"voice": 7, "share": 0.5}, "malformed_message", "voice"),
        (0.5, "malformed_message", "'blend'"),
        ([], "malformed_message", "'blend'"),
    ],
)
async def test_a_bad_blend_leaves_the_session_as_it_was(talk: Any, blend: Any, code: str, words: str) -> None:
    conversation, letters = talk()
    await say(conversation, HELLO, {**START, "blend": {"voice": "otto", "share": 0.25}})
    change = {"type": "controls", "voice": "otto", "pitch_semitones": 5, "blend": blend}
    await say(conversation, change, {"type": "controls"})
    error = letters.last("error")
    assert error["code"] == code
    assert words in error["message"]
    assert not error["fatal"]
    after = letters.last("controls")
    assert after["voice"] == "aria"
    assert after["blend"] == {"voice": "otto", "share": 0.25}
    assert after["pitch_semitones"] == 0


async def test_a_full_server_says_so(talk: Any) -> None:
    conversations = [talk() for _ in range(3)]
    for conversation, _ in conversations:
        await say(conversation, HELLO, START)
    assert conversations[2][1].last("error")["code"] == "server_full"
    assert conversations[2][1].last("error")["fatal"]
    conversations[0][0].close()
    again, letters = talk()
    await until(lambda: not again._engine._lanes[DEFAULT].full)
    await say(again, HELLO, START)
    assert letters.last("start")["session"]


async def test_a_failure_in_the_converter_ends_the_session_with_words(talk: Any) -> None:
    conversation, letters = talk()
    await say(conversation, HELLO, START)
    conversation.on_failure("broken")
    assert letters.last("error")["code"] == "internal_error"
    assert "broken" not in str(letters.messages)
    assert conversation.phase is Phase.ENDED
