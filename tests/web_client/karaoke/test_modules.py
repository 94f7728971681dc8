"""Charts, the score, the effects, the round trip and the mix of a take, by themselves."""

from __future__ import annotations

import pytest
from playwright.sync_api import Page

pytestmark = pytest.mark.browser


def test_a_chart_follows_key_and_tempo(modules: Page) -> None:
    found = modules.evaluate(
        """async () => {
          const { rendered, distance, firstAfter } = await import('/client/js/karaoke/chart.js');
          const word = { start_s: 1, end_s: 2, text: 'la' };
          const chart = { notes: [{ start_s: 1, end_s: 2, pitch: 60, kind: 'golden' }],
            lines: [{ start_s: 1, end_s: 2, words: [word] }], tags: { title: 'x' } };
          const spans = [{ end_s: 1 }, { end_s: 2 }];
          const far = [distance(60, 72), distance(60.4, 71), distance(65.9, 60), distance(66.1, 60)];
          return [rendered(chart, -2, 80), ...far, [0, 1, 1.5, 2].map((s) => firstAfter(spans, s))];
        }"""
    )
    chart, same, below, far, other, after = found
    assert chart["notes"] == [{"start_s": 1.25, "end_s": 2.5, "pitch": 58, "kind": "golden"}]
    assert chart["lines"][0]["words"][0]["end_s"] == 2.5
    assert (same, below) == (0, pytest.approx(1.4))
    assert (far, other) == (pytest.approx(5.9), pytest.approx(-5.9))
    assert after == [0, 1, 1, 2]


SCORES = """async (way) => {
  const { Scorer } = await import('/client/js/karaoke/score.js');
  const note = (start_s, end_s, pitch, kind = 'normal') => ({ start_s, end_s, pitch, kind });
  const notes = [note(1, 2, 60), note(2, 3, 64, 'golden'), note(4, 5, 62, 'freestyle'), note(5, 6, 0, 'rap')];
  const sung = { perfect: 60, octave: 48, near: 60.8, wrong: 63, silent: NaN }[way];
  const scorer = new Scorer(notes);
  for (let i = 0; i < 700; i++) {
    const at = i / 100;
    const rapped = at >= 5 && at < 6 && way !== 'wrong';
    scorer.hear(at, at + 0.01, (at >= 1 && at < 2) || rapped ? sung : at >= 2 && at < 3 ? sung + 4 : NaN);
  }
  scorer.finish();
  return [scorer.score, scorer.longest];
}"""


@pytest.mark.parametrize(
    ("way", "score", "streak"),
    [
        ("perfect", 10_000, 3),
        ("octave", 10_000, 3),
        ("near", 7_000, 3),  # half of the accuracy of the first three weights, all of the rap
        ("wrong", 0, 0),
        ("silent", 0, 0),
    ],
)
def test_the_score_is_as_documented(modules: Page, way: str, score: int, streak: int) -> None:
    found = modules.evaluate(SCORES, way)
    assert found == [pytest.approx(score, abs=60), streak]


IMPULSE = """async (change) => {
  const { Chain, DRY } = await import('/client/js/karaoke/effects.js');
  const context = new OfflineAudioContext(1, 48000, 48000);
  const chain = new Chain(context, { ...DRY, ...change });
  const buffer = new AudioBuffer({ length: 48000, sampleRate: 48000 });
  const samples = buffer.getChannelData(0);
  for (let i = 0; i < 4800; i++) samples[9600 + i] = 0.001 * Math.sin(2 * Math.PI * 0.02 * i);
  const source = new AudioBufferSourceNode(context, { buffer });
  source.connect(chain.input);
  chain.output.connect(context.destination);
  source.start();
  const out = (await context.startRendering()).getChannelData(0);
  let best = 0, at = 0;
  for (let lag = 0; lag < 1000; lag++) {
    let sum = 0;
    for (let i = 9600; i < 14400; i++) sum += samples[i] * out[i + lag];
    if (sum > best) [best, at] = [sum, lag];
  }
  let difference = 0;
  const late = chain.delaySamples;
  for (let i = 0; i < 40000; i++) difference = Math.max(difference, Math.abs(out[i + late] - samples[i]));
  return [at, late, difference, out.some(Number.isNaN)];
}"""


@pytest.mark.parametrize("change", [{}, {"compress": 0.5}, {"deEss": 0.5}, {"compress": 1, "deEss": 1}])
def test_a_chain_says_truly_how_late_it_makes_a_voice(modules: Page, change: dict[str, float]) -> None:
    lag, told, difference, broken = modules.evaluate(IMPULSE, change)
    assert abs(lag - told) <= 5  # a crossover turns the phase by some samples
    assert not broken
    if not change:
        assert difference < 1e-6


def test_a_round_trip_is_found_through_a_poor_loudspeaker(modules: Page) -> None:
    found = modules.evaluate(
        """async () => {
          const { findRoundTrip, makeBurst, NotHeard } = await import('/client/js/karaoke/round-trip.js');
          const burst = makeBurst();
          const sound = new Float32Array(170000);
          let seed = 1;
          for (let i = 0; i < sound.length; i++) {
            seed = (seed * 1664525 + 1013904223) >>> 0;
            sound[i] = 0.02 * (seed / 2 ** 31 - 1);
          }
          const played = [9600, 33600, 57600, 81600, 105600];
          for (const from of played)  // the way itself, and two echoes of a room
            for (const [late, gain] of [[4321, 0.1], [4321 + 311, -0.05], [4321 + 1200, 0.03]])
              burst.forEach((sample, i) => (sound[from + late + i] += gain * sample));
          const way = await findRoundTrip(sound, played);
          const silence = new Float32Array(170000);
          return [way, await findRoundTrip(silence, played).catch((e) => e instanceof NotHeard)];
        }"""
    )
    assert found == [4321, True]


def test_silence_that_the_browser_put_in_is_known(modules: Page) -> None:
    """Buffers of 1024 frames at 44.1 kHz, as a microphone delivers; other silences are the singer's."""
    found = modules.evaluate(
        """async () => {
          const { CaptureSlip } = await import('/client/js/karaoke/capture-slip.js');
          const { SilentRuns } = await import('/client/js/silent-runs.js');
          const stats = { totalFrames: 0 };
          const slip = new CaptureSlip({ stats, getSettings: () => ({ sampleRate: 44100 }) });
          for (const buffers of [3, 8, 10, 15, 21]) {
            stats.totalFrames = 1024 * buffers;
            slip.look();
          }
          const runs = new SilentRuns();
          const heard = [];
          let position = 0;
          const sound = (length, sample) => {
            for (let i = 0; i < length; i++) runs.add(sample, position++);
          };
          for (const length of [20000, 1060, 50, 1115, 700, 2200, 30000, 1200]) {
            sound(length, 0);
            sound(500, 0.1);
            heard.push(runs.read().map((run) => [run.end, slip.hear(run), slip.samples]));
          }
          const blind = new CaptureSlip({ getSettings: () => ({}) });
          blind.look();
          return [slip.buffer, heard, blind.hear({ end: 9, length: 480 })];
        }"""
    )
    buffer, heard, blind = found
    assert (buffer, blind) == (1024, False)
    assert heard == [
        [],  # before the first sound
        [[21_560, True, 1115]],
        [],  # too short
        [[23_725, True, 2230]],
        [[24_925, False, 2230]],  # no whole buffer
        [[27_625, True, 4459]],  # two
        [],  # somebody's switch
        [[59_825, False, 4459]],
    ]


def test_taps_are_found_beside_their_clicks(modules: Page) -> None:
    found = modules.evaluate(
        """async () => {
          const { findTaps } = await import('/client/js/karaoke/tapping.js');
          const { NotHeard } = await import('/client/js/karaoke/round-trip.js');
          const clicks = Array.from({ length: 12 }, (_, i) => 9600 + 28800 * i);
          const heard = (tap) => {
            const sound = new Float32Array(13 * 28800);
            let seed = 1;
            for (let i = 0; i < sound.length; i++) {
              seed = (seed * 1664525 + 1013904223) >>> 0;
              sound[i] = 0.002 * (seed / 2 ** 31 - 1);
            }
            clicks.forEach((click, i) => {
              for (let n = 0; n < 400; n++) sound[click + 300 + n] += 0.01 * Math.sin(n / 5);  // a leak
              if (tap(i) === null) return;
              for (let n = 0; n < 2000; n++)
                sound[click + tap(i) + n] += 0.3 * Math.exp(-n / 300) * Math.sin(n / 9);
            });
            return sound;
          };
          const steady = findTaps(heard((i) => 3000 + (i % 3) * 480), clicks);
          const some = findTaps(heard((i) => (i % 3 ? 5000 : null)), clicks);
          const wild = [(i) => null, (i) => 900 * i, (i) => (i % 2 ? null : 100)].map((tap) => {
            try { return findTaps(heard(tap), clicks); } catch (error) { return error instanceof NotHeard; }
          });
          return [steady, some, wild];
        }"""
    )
    steady, some, wild = found
    assert abs(steady["samples"] - 3480) <= 96
    assert 0 < steady["spread"] <= 600
    assert abs(some["samples"] - 5000) <= 96
    assert wild == [True, True, True]


def test_a_mix_is_aligned_whatever_the_effects(modules: Page) -> None:
    found = modules.evaluate(
        """async () => {
          const { renderMix, toPcm } = await import('/client/js/karaoke/render.js');
          const { DRY } = await import('/client/js/karaoke/effects.js');
          const voice = new Int16Array(48000);
          voice.fill(8000, 10000, 10010);
          const accompaniment = new AudioBuffer({ numberOfChannels: 2, length: 60000, sampleRate: 48000 });
          accompaniment.getChannelData(0).fill(0.5, 30000, 30010);
          const made = [];
          for (const effects of [DRY, { ...DRY, compress: 0.3, deEss: 0.3 }]) {
            const mix = await renderMix({ voice, accompaniment, effects, voiceVolume: 1, trackVolume: 1 });
            const [left, right] = [0, 1].map((c) => mix.getChannelData(c));
            made.push([mix.length, left.indexOf(Math.max(...left.subarray(29000, 31000))),
              right.findIndex((x) => Math.abs(x) > 0.02)]);
          }
          const loud = new AudioBuffer({ length: 2, sampleRate: 48000 });
          loud.copyToChannel(Float32Array.of(2, -1), 0);
          return [made, [...toPcm(loud)]];
        }"""
    )
    made, pcm = found
    for length, track, voice in made:
        assert (length, track) == (60_000, 30_000)
        assert abs(voice - 10_000) <= 3
    assert pcm == [32767, -16383]


def test_effects_from_anywhere_are_made_fit(modules: Page) -> None:
    found = modules.evaluate(
        """async () => {
          const { effectsOf, DRY } = await import('/client/js/karaoke/effects.js');
          const odd = { lowDb: -99, echo: '1', reverb: NaN, echoMs: 70, room: 'toString', deEss: 2, other: 1 };
          return [effectsOf(odd), DRY, effectsOf(null), effectsOf({ room: 'hall' }).room];
        }"""
    )
    odd, dry, none, room = found
    assert odd == {**dry, "lowDb": -12, "echoMs": 70, "deEss": 1}
    assert (none, room) == (dry, "hall")


def test_a_chain_can_be_changed_while_it_sounds(modules: Page) -> None:
    """Every change is heard, and what was switched on and off again leaves nothing behind."""
    found = modules.evaluate(
        """async () => {
          const { Chain, DRY } = await import('/client/js/karaoke/effects.js');
          const context = new OfflineAudioContext(1, 7 * 48000, 48000);
          const chain = new Chain(context, DRY);
          const tone = new OscillatorNode(context, { frequency: 1500 });
          tone.connect(chain.input);
          chain.output.connect(context.destination);
          tone.start();
          const changes = [
            { midDb: 12 }, { compress: 0.5 }, { compress: 1 }, { deEss: 1, compress: 1 }, { deEss: 0.5 }, {},
          ];
          const levels = [];
          for (const [i, change] of changes.entries())
            void context.suspend(1 + i).then(() => {
              chain.set({ ...DRY, ...change });
              void context.resume();
            });
          const out = (await context.startRendering()).getChannelData(0);
          for (let second = 0; second < 7; second++) {
            const part = out.subarray(48000 * second + 24000, 48000 * (second + 1));
            levels.push(Math.sqrt(part.reduce((sum, x) => sum + x * x, 0) / part.length));
          }
          return [levels, out.some(Number.isNaN)];
        }"""
    )
    levels, broken = found
    assert not broken
    dry = levels[0]
    assert levels[1] > 1.5 * dry
    assert abs(levels[2] - levels[3]) > 0.02  # more of it is heard as more
    assert levels[5] == pytest.approx(dry, rel=0.05)  # a tone has no sibilants
    assert levels[6] == pytest.approx(dry, rel=1e-3)


def test_presets_are_kept_replaced_and_refused(modules: Page) -> None:
    found = modules.evaluate(
        """async () => {
          const presets = await import('/client/js/karaoke/presets.js');
          const { ownPresets, savePreset, removePreset, PresetRefused } = presets;
          const { DRY } = await import('/client/js/karaoke/effects.js');
          const { recall, remember } = await import('/client/js/store.js');
          const refused = (...given) => {
            try { savePreset(...given); return null; } catch (error) {
              if (!(error instanceof PresetRefused)) throw error;
              return error.message;
            }
          };
          const mixing = { effects: { ...DRY, echo: 0.5 }, voiceVolume: 0.7, trackVolume: 0.4 };
          savePreset('Mine', mixing);
          savePreset('Another', mixing);
          savePreset('Mine', { ...mixing, voiceVolume: 0.2 });
          const kept = ownPresets();
          const words = [refused('', mixing), refused('Dry', mixing), refused('x'.repeat(41), mixing)];
          removePreset('Another');
          const left = ownPresets().map(({ name }) => name);
          for (let i = 1; i < 50; i++) savePreset(`Number ${i}`, mixing);
          words.push(refused('One more', mixing));
          const strange = { name: 'Odd', effects: { lowDb: 99 }, voiceVolume: 7 };
          remember({ ...recall(), presets: [{ name: 3 }, null, strange] });
          const odd = ownPresets();
          remember({ ...recall(), presets: 'none' });
          return [kept, words, left, odd, ownPresets()];
        }"""
    )
    kept, words, left, odd, none = found
    assert [(one["name"], one["voiceVolume"], one["effects"]["echo"]) for one in kept] == [
        ("Another", 0.7, 0.5),
        ("Mine", 0.2, 0.5),
    ]
    assert all(words)
    assert (left, none) == (["Mine"], [])
    assert [(one["name"], one["effects"]["lowDb"], one["voiceVolume"]) for one in odd] == [("Odd", 12, 1)]
