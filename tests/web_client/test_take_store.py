"""Takes in the browser's database: pages written again, read back, given up; and a database that is gone."""

from __future__ import annotations

import pytest
from playwright.sync_api import Page

pytestmark = pytest.mark.browser

SET_UP = """
  const { Keeper, TakeStore, paged } = await import('/client/js/take-store.js');
  const { Take } = await import('/client/js/take.js');
  const store = new TakeStore();
  const ramp = (from, count) => Int16Array.from({ length: count }, (_, i) => ((from + i) % 9973) + 1);
"""


def test_what_comes_is_kept_by_its_place(modules: Page) -> None:
    found = modules.evaluate(
        f"""async () => {{
          {SET_UP}
          const take = new Take(1000);
          const keeper = new Keeper(store, 'a', (problem) => {{ throw new Error(problem); }});
          for (let p = 1000; p < 61000; p += 480) take.sung(p, ramp(p, 480));
          take.heard(49480, ramp(49480, 480));
          await keeper.keep(take);
          const early = await store.read('a', 'dry');
          for (let p = 61000; p < 99400; p += 480) take.sung(p, ramp(p, 480));
          take.heard(1000, ramp(1000, 4800)); // late, and before what is there
          const changed = take.takeChanges().map(({{ track, number }}) => track + number);
          take.dry.changed.add(1).add(2);
          take.wet.changed.add(0);
          await keeper.keep(take);
          const dry = await store.read('a', 'dry');
          const wet = await store.read('a', 'wet');
          const right = dry.pcm.every((sample, i) => sample === ((1000 + i) % 9973) + 1);
          const holes = [wet.pcm[4799] > 0, wet.pcm[4800], wet.pcm[48479], wet.pcm[48480] > 0];
          return [early.pcm.length, changed, dry.pcm.length, right, wet.pcm.length, wet.filled, holes];
        }}"""
    )
    assert found == [60_000, ["dry1", "dry2", "wet0"], 98_400, True, 48_960, 5280, [True, 0, 0, True]]


def test_takes_and_songs_are_let_go(modules: Page) -> None:
    found = modules.evaluate(
        f"""async () => {{
          {SET_UP}
          for (const id of ['b', 'bb']) {{
            await store.put({{ id }});
            await store.putPages(id, paged('dry', ramp(0, 100000)));
          }}
          const pages = paged('wet', ramp(0, 96001)).map((page) => page.end);
          for (const name of ['x/0/100', 'y/0/100']) await store.putSong(name, new ArrayBuffer(3));
          await store.remove('b');
          await store.keepSongs(new Set(['y/0/100']));
          const left = (await store.all()).map((take) => take.id);
          const both = await Promise.all(['b', 'bb'].map((id) => store.read(id, 'dry')));
          const lengths = both.map((sound) => sound.pcm.length);
          const songs = [await store.song('x/0/100'), (await store.song('y/0/100')).byteLength];
          return [pages, left, lengths, songs[0] === undefined, songs[1]];
        }}"""
    )
    assert found == [[48_000, 48_000, 1], ["bb"], [0, 100_000], True, 3]


def test_a_database_that_is_gone_is_told_of_once(modules: Page) -> None:
    told = modules.evaluate(
        f"""async () => {{
          {SET_UP}
          const told = [];
          const keeper = new Keeper(store, 'c', (problem) => told.push(problem));
          (await store.open()).close();
          const take = new Take(0);
          for (let i = 0; i < 3; i++) {{
            take.sung(i * 480, ramp(0, 480));
            await keeper.keep(take);
          }}
          return told;
        }}"""
    )
    assert told == ["InvalidStateError"]
