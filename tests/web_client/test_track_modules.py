"""What an audio track is made of in the page: order, marks, the decoder, timestamps."""

from __future__ import annotations

import base64

import numpy as np
import pytest
from playwright.sync_api import Page

from kernels import opus

pytestmark = pytest.mark.browser

ORDER = """
  const { Order } = await import('/client/js/order.js');
  let now = 0;
  const passed = [];
  const order = new Order((position) => passed.push([now, position]), () => now);
  const put = (at, frame) => { now = at; order.release(); order.put(480 * frame, 480, null); };
"""


def test_frames_in_order_do_not_wait(modules: Page) -> None:
    passed = modules.evaluate(
        f"async () => {{ {ORDER} for (let i = 0; i < 5; i++) put(10 * i, i); order.close(); return passed; }}"
    )
    assert passed == [[10 * i, 480 * i] for i in range(5)]


def test_a_missing_frame_is_waited_for_and_not_missed_afterwards(modules: Page) -> None:
    passed = modules.evaluate(
        f"""async () => {{ {ORDER}
          put(0, 0); put(20, 2); put(30, 3); put(40, 4); put(50, 5); order.close(); return passed; }}"""
    )
    assert passed == [[0, 0], [30, 960], [30, 1440], [40, 1920], [50, 2400]]  # a quarter of a frame, then all


def test_lateness_teaches_patience(modules: Page) -> None:
    passed, late = modules.evaluate(
        f"""async () => {{ {ORDER}
          put(0, 0); put(10, 2); put(20, 3); put(24, 1);           // 1 is 14 ms late: too late ...
          put(30, 4); put(40, 6); put(52, 5);                      // ... 5 is 12 ms late: waited for
          order.close(); return [passed.map(([, position]) => position / 480), order.late]; }}"""
    )
    assert passed == [0, 2, 3, 4, 5, 6]
    assert late == 1


def test_any_order_of_arrival_comes_out_in_order_and_once(modules: Page) -> None:
    passed = modules.evaluate(
        f"""async () => {{ {ORDER}
          let seed = 1;
          const random = () => (seed = (seed * 16807) % 2147483647) / 2147483647;
          const arrivals = [];
          for (let i = 0; i < 3000; i++) {{
            if (random() < 0.05) continue;
            arrivals.push([10 * i + 40 * random(), i]);
            if (random() < 0.02) arrivals.push([10 * i + 90 * random(), i]);
          }}
          arrivals.sort(([a], [b]) => a - b);
          for (const [at, frame] of arrivals) put(at, frame);
          order.close();
          return passed.map(([, position]) => position / 480); }}"""
    )
    assert (np.diff(passed) > 0).all()
    assert len(passed) > 0.9 * 3000


def test_a_mark_is_found_behind_noise_and_where_there_is_none_nothing_is(modules: Page) -> None:
    found = modules.evaluate(
        """async () => {
          const { findMark, makeMark } = await import('/client/js/mark.js');
          let seed = 3;
          const noise = Float32Array.from({ length: 12000 }, () => {
            seed = (seed * 16807) % 2147483647;
            return 0.1 * (seed / 1073741823.5 - 1);
          });
          const none = findMark(noise);
          makeMark().forEach((sample, n) => { noise[7321 + n] += 0.8 * sample; });
          return [none, findMark(noise), findMark(new Float32Array(500)), findMark(new Float32Array(5000))];
        }"""
    )
    assert found == [None, 7321, None, None]


def test_timestamps_wrap(modules: Page) -> None:
    found = modules.evaluate(
        """async () => {
          const { between } = await import('/client/js/track-line.js');
          return [between(4294967000, 184), between(184, 4294967000), between(5, 485)];
        }"""
    )
    assert found == [480, -480, 480]


def test_a_lag_that_lasts_is_noticed_and_one_that_passes_is_not(modules: Page) -> None:
    found = modules.evaluate(
        """async () => {
          const { LagWatch } = await import('/client/js/track-line.js');
          const watch = new LagWatch();
          const feed = (frames, lag) => {
            let changed = false;
            for (let i = 0; i < frames; i++) changed ||= watch.add(lag + 100 * (i % 3));
            return changed;
          };
          return [feed(300, 700), feed(400, 2000), feed(200, 700), feed(600, 1500)];
        }"""
    )
    assert found == [False, False, False, True]


def test_packets_of_the_server_are_decoded_and_damaged_ones_do_not_end_it(modules: Page) -> None:
    encoder = opus.Encoder(96_000)
    tone = (8000 * np.sin(2 * np.pi * 440 / 48_000 * np.arange(48_000))).astype(np.int16)
    packets = [encoder.encode(tone[at : at + 480]) for at in range(0, 48_000, 480)]
    packets[50] = b"\xff"
    texts = [base64.b64encode(packet).decode() for packet in packets]
    heard = modules.evaluate(
        """async (texts) => {
          const { OpusDecoder } = await import('/client/js/opus-decoder.js');
          const heard = [];
          const take = (place, sound) => heard.push([place, sound.length, Math.max(...sound)]);
          const decoder = new OpusDecoder(take);
          for (const [i, text] of texts.entries()) {
            decoder.decode(480 * i, Uint8Array.from(atob(text), (c) => c.charCodeAt(0)).buffer);
            await new Promise((next) => setTimeout(next, 2));
          }
          await new Promise((next) => setTimeout(next, 200));
          decoder.close();
          return heard;
        }""",
        texts,
    )
    places = [place for place, _, _ in heard]
    assert len(places) >= 97
    assert all(place % 480 == 0 and length == 480 for place, length, _ in heard)
    assert all(0.2 < peak < 0.3 for place, _, peak in heard if place > 4800 and abs(place - 24_000) > 2400)
