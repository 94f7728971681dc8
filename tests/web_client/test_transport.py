"""The socket and the worker that owns it, against a server made of a few lines in the page."""

from __future__ import annotations

from collections.abc import Callable

import pytest
from playwright.sync_api import Page

from tests.web_client.conftest import Launch

pytestmark = pytest.mark.browser

# Sockets that do what the test says: `server.at(-1).say(…)` is a message of the server, `.heard` the client's.
FAKE = """
  globalThis.server = [];
  globalThis.WebSocket = class {
    static OPEN = 1;
    constructor() { this.readyState = 0; this.bufferedAmount = 0; this.heard = []; server.push(this); }
    open() { this.readyState = 1; this.onopen(); }
    async send(data) { this.heard.push((await import('/client/js/msgpack.js')).decode(data.slice().buffer)); }
    async say(message) {
      const { encode } = await import('/client/js/msgpack.js');
      const data = encode(message);
      this.onmessage({ data: data.buffer.slice(data.byteOffset, data.byteOffset + data.byteLength) });
      await new Promise((next) => setTimeout(next));
    }
    close() {
      if (this.readyState === 3) return;
      this.readyState = 3;
      setTimeout(() => this.onclose());
    }
  };
  globalThis.hello = { type: 'hello', version: 1, sample_rate: 48000, block: 480, max_frame: 4800 };
  globalThis.started = { type: 'start', session: 's', delay: 480, block: 480, controls: {} };
"""


@pytest.fixture
def page(launch: Launch, open_page: Callable[..., Page], files_url: str) -> Page:
    page = open_page(launch())
    page.add_init_script(FAKE)
    page.goto(files_url)
    return page


def test_every_state_of_an_attempt_says_which_attempt_it_is(page: Page) -> None:
    states = page.evaluate(
        """async () => {
          const { Connection } = await import('/client/js/connection.js');
          const { socketLine } = await import('/client/js/lines.js');
          const states = [];
          const connection = new Connection(() => socketLine('ws://x'), {
            request: () => ({}),
            onMessage() {},
            onState: ({ state, attempt }) => states.push([state, attempt ?? null]),
          });
          connection.open();
          for (let i = 0; i < 2; i++) {
            const socket = server.at(-1);
            socket.open();
            await socket.say(hello);
            if (i === 1) await socket.say(started);
            socket.close();
            await new Promise((next) => setTimeout(next, 20));
            connection.retry();
          }
          connection.close();
          return states;
        }"""
    )
    assert states == [
        ["connecting", 0],
        ["greeting", 0],
        ["waiting", 1],
        ["connecting", 1],
        ["greeting", 1],
        ["live", None],
        ["waiting", 1],
        ["connecting", 1],
        ["stopped", None],
    ]


def test_what_is_set_between_two_starts_is_sent(page: Page) -> None:
    heard = page.evaluate(
        """async () => {
          await import('/client/js/transport-worker.js'); // its scope is this page
          const tell = (data) => onmessage({ data });
          const controls = { pitch_semitones: 0, dry_wet: 1, gate_db: -70 };
          const start = { voice: 'aria', user_id: 'me', converter: 'classic', controls };
          tell({ type: 'open', url: 'ws://x', start, port: new MessageChannel().port1 });
          const greet = async () => {
            server.at(-1).open();
            await server.at(-1).say(hello);
          };
          await greet();
          tell({ type: 'controls', controls: { pitch_semitones: 5 } });
          tell({ type: 'controls', controls: { voice: 'otto' } });
          tell({ type: 'controls', controls: { dry_wet: 0.5 } });
          tell({ type: 'controls', controls: { dry_wet: 1 } }); // and back again
          await server.at(-1).say(started);
          tell({ type: 'controls', controls: { gate_db: -60 } });
          server.at(-1).close();
          await new Promise((next) => setTimeout(next, 20));
          tell({ type: 'retry' });
          await greet();
          await server.at(-1).say(started);
          await new Promise((next) => setTimeout(next, 20));
          tell({ type: 'close' });
          const seen = (socket) => socket.heard.filter(({ type }) => ['start', 'controls'].includes(type));
          return server.map(seen);
        }"""
    )
    asked = {"type": "start", "voice": "aria", "user_id": "me", "converter": "classic"}
    before = {"pitch_semitones": 0, "dry_wet": 1, "gate_db": -70}
    after = {"pitch_semitones": 5, "dry_wet": 1, "gate_db": -60}
    assert heard == [
        [
            {**asked, "controls": before},
            {"type": "controls", "voice": "otto", "pitch_semitones": 5},
            {"type": "controls", "gate_db": -60},
        ],
        [{**asked, "voice": "otto", "controls": after}],
    ]
