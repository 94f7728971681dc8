"""Voices of a room, a room's clock, and a song that begins at a given frame, by themselves."""

from __future__ import annotations

import pytest
from playwright.sync_api import Page

pytestmark = pytest.mark.browser

# frames are given to the worklet while rendering is suspended, so nothing depends on how fast this machine is
VOICES = """async ({ inLine, lateSamples }) => {
  const { RoomVoices } = await import('/client/js/karaoke/room-voices.js');
  const rate = 48000, first = 4864, count = 480;
  const context = new OfflineAudioContext(2, rate, rate);
  const voices = await RoomVoices.make(context, inLine);
  voices.node.disconnect();
  const merger = new ChannelMergerNode(context, { numberOfInputs: 2 });
  for (const place of [0, 1]) voices.node.connect(merger, place, place);
  merger.connect(context.destination);
  const port = voices.port();
  voices.begin(first);
  const settled = () => new Promise((done) => setTimeout(done, 60)); // messages reach the worklet meanwhile
  const value = (position, place) => ((position * (place ? 31 : 17)) % 20011) + 1000;
  const send = (position, place) => {
    const pcm = Int16Array.from({ length: count }, (_, i) => value(position + i, place));
    port.postMessage({ singer: place, position, pcm }, [pcm.buffer]);
  };
  if (inLine) {
    void context.suspend(0).then(async () => {
      await settled(); // ports are not in order among each other
      // both places, out of order, and one of them with a hole
      for (let at = 9600; at >= 0; at -= count) {
        send(at, 0);
        if (at !== 4800) send(at, 1);
      }
      await settled();
      void context.resume();
    });
  } else {
    for (let at = 0; at < 40; at++) {
      void context.suspend((first + lateSamples + at * count) / rate).then(async () => {
        send(at * count, 1);
        await settled();
        void context.resume();
      });
    }
  }
  const made = await context.startRendering();
  const heard = [0, 1].map((place) => {
    const samples = made.getChannelData(place);
    for (let from = 0; from < samples.length; from++) {
      const at = from + 2000;
      if (samples[from] !== 0) {
        const wanted = samples[at] * 32768;
        for (let position = 0; position < 9600; position++) {
          const off = (i) => Math.abs(samples[at + i] * 32768 - value(position + i, place));
          if ([0, 1, 2].every((i) => off(i) < 0.5)) return { from, behind: at - first - position };
        }
        return { from, behind: null };
      }
    }
    return null;
  });
  await settled();
  return { heard, reports: voices.reports };
}"""


def test_a_listener_hears_both_at_their_places_to_the_sample(modules: Page) -> None:
    found = modules.evaluate(VOICES, {"inLine": True, "lateSamples": 0})
    assert [voice["behind"] for voice in found["heard"]] == [0, 0]
    assert [voice["from"] for voice in found["heard"]] == [4864, 4864]
    one, two = found["reports"]
    assert (one["late"], two["late"]) == (0, 0)
    assert two["missing"] - one["missing"] == 480


def test_a_partner_is_heard_as_soon_as_can_be(modules: Page) -> None:
    late = 3_840  # samples from the place in the song to the arrival
    found = modules.evaluate(VOICES, {"inLine": False, "lateSamples": late})
    nobody, partner = found["heard"]
    assert nobody is None
    assert late <= partner["behind"] <= late + 1_200  # 25 ms more at most
    assert found["reports"][1]["delay"] == partner["behind"]
    assert found["reports"][1]["late"] <= 1


def test_a_song_begins_where_it_is_told_or_in_its_middle(modules: Page) -> None:
    found = modules.evaluate(
        """async () => {
          const { Backing } = await import('/client/js/karaoke/backing.js');
          const context = new OfflineAudioContext(1, 48000, 48000);
          const buffer = new AudioBuffer({ length: 48000, sampleRate: 48000 });
          buffer.copyToChannel(Float32Array.from({ length: 48000 }, (_, i) => (i + 1) / 65536), 0);
          const result = [];
          for (const first of [12000, -9600]) {
            const context = new OfflineAudioContext(1, 24000, 48000);
            const backing = new Backing(context, context.destination);
            backing.start({ accompaniment: buffer, guide: buffer }, 0, first);
            const samples = (await context.startRendering()).getChannelData(0);
            const at = samples.findIndex((sample) => sample !== 0);
            result.push(backing.frame, at, Math.round(samples[at] * 65536) - 1);
          }
          return result;
        }"""
    )
    assert found == [12000, 12000, 0, -9600, 7200, 16800]


def test_the_song_begins_by_the_clock_of_the_server(modules: Page) -> None:
    found = modules.evaluate(
        """async () => {
          const { Room } = await import('/client/js/karaoke/room.js');
          const told = [];
          const onTrouble = (words, over) => told.push([words, over]);
          const hooks = { onState: () => told.push('state'), onPitch: () => {}, onTrouble };
          const says = (type, fields) => room.told({ type: 'message', message: { type, ...fields } });
          const room = new Room('abcd-efgh', hooks);
          const now = performance.timeOrigin + performance.now();
          const early = room.startsInMs;
          room.told({ type: 'clock', offsetMs: 5000 - now, roundTripMs: 8 });
          says('joined', { you: 'b', token: 't' });
          const singers = [{ id: 'a', role: 'singer', place: 1 }, { id: 'b', role: 'singer', place: 0 }];
          says('room', { starts_at_ms: 8000, members: [...singers, { id: 'c', role: 'listener' }] });
          const inMs = room.startsInMs;
          const getOutputTimestamp = () => ({ contextTime: 2, performanceTime: performance.now() });
          const frames = room.firstFrame({ getOutputTimestamp }, 1000);
          says('score', { singer: 1, score: 7, streak: 2 });
          const partner = { ...room.partner };
          says('error', { code: 'not_ready', message: 'no', suggestions: [], fatal: false });
          says('closed', { code: 'song_gone', message: 'the song was deleted' });
          return { code: room.code, early, inMs, frames, partner, told, over: room.over };
        }"""
    )
    assert (found["code"], found["early"], found["over"]) == ("ABCDEFGH", None, True)
    assert 2500 < found["inMs"] <= 3000
    assert 5.4 * 48_000 < found["frames"] <= 6 * 48_000
    assert (found["partner"]["id"], found["partner"]["score"]) == ("a", 7)
    assert found["told"][-2:] == [["no", False], ["The room is closed: the song was deleted.", True]]
