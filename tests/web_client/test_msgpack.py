"""The page's MessagePack against the server's."""

from __future__ import annotations

import base64
import math
import random
from collections.abc import Callable
from typing import Any

import msgpack
import pytest
from playwright.sync_api import Page

pytestmark = pytest.mark.browser

EDGES: list[Any] = [
    *(None, True, False, 0.5, -0.1, 1e300, math.inf),
    *(0, 1, 127, 128, 255, 256, 65535, 65536, 2**32 - 1, 2**32, 2**53 - 1),
    *(-1, -32, -33, -128, -129, -32768, -32769, -(2**31), -(2**31) - 1, -(2**53) + 1),
    *("", "a" * 31, "a" * 32, "ä♯𝄞" * 100, "x" * 70000),
    *(b"", b"\x00\xff" * 120, b"p" * 300, b"q" * 70000),
    *([], list(range(15)), list(range(16))),
    *({}, {"a": {"b": [1, {"c": b"d"}]}}, {str(i): i for i in range(16)}),
    {"__proto__": 1, "constructor": 2},
]

ROUND_TRIP = """async (packed) => {
  const { decode, encode } = await import('/client/js/msgpack.js');
  const bytes = (text) => Uint8Array.from(atob(text), (c) => c.charCodeAt(0));
  const text = (data) => { let s = ''; for (const b of data) s += String.fromCharCode(b); return btoa(s); };
  return packed.map((one) => {
    const value = decode(bytes(one));
    // A map comes back without a prototype; a plain object goes in.
    const plain = (v) => v instanceof Uint8Array || v === null || typeof v !== 'object' ? v
      : Array.isArray(v) ? v.map(plain) : Object.fromEntries(Object.entries(v).map(([k, x]) => [k, plain(x)]));
    return text(encode(plain(value)));
  });
}"""


def random_value(rng: random.Random, depth: int = 0) -> Any:
    leaves: list[Callable[[], Any]] = [
        lambda: rng.choice([None, True, False]),
        lambda: rng.randrange(-(2 ** rng.randrange(1, 53)), 2 ** rng.randrange(1, 53)),
        lambda: rng.uniform(-1, 1) * 10 ** rng.randrange(-20, 20),
        lambda: "".join(chr(rng.randrange(32, 0xD7FF)) for _ in range(rng.randrange(60))),
        lambda: rng.randbytes(rng.randrange(600)),
    ]
    branches: list[Callable[[], Any]] = [
        lambda: [random_value(rng, depth + 1) for _ in range(rng.randrange(20))],
        lambda: {f"k{i}": random_value(rng, depth + 1) for i in range(rng.randrange(20))},
    ]
    return rng.choice(leaves if depth > 3 else leaves + branches)()


def test_values_survive_the_way_through_the_page(modules: Page) -> None:
    rng = random.Random(1)
    values = EDGES + [random_value(rng) for _ in range(200)]
    packed = [base64.b64encode(msgpack.packb(value)).decode() for value in values]
    back = modules.evaluate(ROUND_TRIP, packed)
    for value, text in zip(values, back, strict=True):
        assert msgpack.unpackb(base64.b64decode(text)) == value


def test_narrow_floats_and_wide_integers_are_read(modules: Page) -> None:
    packed = [
        b"\xca" + b"\x3f\x00\x00\x00",
        b"\xd3" + (-5).to_bytes(8, "big", signed=True),
        b"\xd1\xff\xfe",
        b"\xd0\x80",
    ]
    back = modules.evaluate(ROUND_TRIP, [base64.b64encode(p).decode() for p in packed])
    assert [msgpack.unpackb(base64.b64decode(text)) for text in back] == [0.5, -5, -2, -128]


def test_any_bytes_give_a_value_or_the_one_error(modules: Page) -> None:
    rng = random.Random(2)
    good = msgpack.packb({"type": "audio", "seq": 3, "position": 960, "pcm": bytes(480), "held_us": 12})
    broken = [rng.randbytes(rng.randrange(40)) for _ in range(400)]
    broken += [good[:n] for n in range(len(good))]
    broken += [
        b"\xdd\xff\xff\xff\xff",
        b"\xdf\xff\xff\xff\xff",
        b"\xc6\xff\xff\xff\xff",
        b"\x91" * 40,
        b"\xc1",
        b"\xd4\x01\x00",
    ]
    broken += [b"\xcf" + b"\xff" * 8, b"\xa2\xff\xfe", b"\x81\x01\x02", good + b"\x00"]
    outcomes = modules.evaluate(
        """async (packed) => {
          const { decode, MsgpackError } = await import('/client/js/msgpack.js');
          return packed.map((one) => {
            try { decode(Uint8Array.from(atob(one), (c) => c.charCodeAt(0))); return 'value'; }
            catch (error) { return error instanceof MsgpackError ? 'refused' : String(error); }
          });
        }""",
        [base64.b64encode(p).decode() for p in broken],
    )
    assert set(outcomes) <= {"value", "refused"}
    assert set(outcomes[400:]) == {"refused"}


def test_what_cannot_be_encoded_is_refused(modules: Page) -> None:
    refused = modules.evaluate(
        """async () => {
          const { encode, MsgpackError } = await import('/client/js/msgpack.js');
          let deep = 1; for (let i = 0; i < 20; i++) deep = [deep];
          return [() => 1, Symbol('a'), new Map(), deep, 10n].map((value) => {
            try { encode(value); return false; } catch (error) { return error instanceof MsgpackError; }
          });
        }"""
    )
    assert refused == [True] * 5
