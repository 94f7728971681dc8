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


def test_a_token_is_kept_until_stop_and_shown_at_every_attempt(page: Page) -> None:
    asked = page.evaluate(
        """async () => {
          const { Connection } = await import('/client/js/connection.js');
          const { socketLine } = await import('/client/js/lines.js');
          const hooks = { request: () => ({}), onMessage() {}, onState() {} };
          const connection = new Connection(() => socketLine('ws://x'), hooks);
          const settle = () => new Promise((next) => setTimeout(next, 20));
          const attempt = async (...answers) => {
            const socket = server.at(-1);
            socket.open();
            await socket.say(hello);
            for (const answer of answers) await socket.say(answer);
            await settle();
            return socket.heard.find(({ type }) => type === 'start')?.resume ?? null;
          };
          const again = async () => {
            server.at(-1).close();
            await settle();
            connection.retry();
          };
          const asked = [];
          connection.open();
          asked.push(await attempt({ ...started, token: 'one', resumed: false }));
          await again();
          await again(); // an attempt that does not get through
          const full = { type: 'error', code: 'server_full', message: '', suggestions: [], fatal: true };
          asked.push(await attempt(full));
          await again();
          asked.push(await attempt({ ...started, token: 'two', resumed: false }));
          await again();
          asked.push(await attempt({ ...started, token: 'two', resumed: true }, { type: 'stop' }));
          await settle();
          connection.retry();
          asked.push(await attempt({ ...started, token: 'three', resumed: false }));
          connection.close();
          connection.open();
          asked.push(await attempt());
          connection.close();
          return asked;
        }"""
    )
    assert asked == [None, "one", "one", "two", None, None]


def test_a_resumed_session_goes_on_in_its_own_counting(page: Page) -> None:
    heard = page.evaluate(
        """async () => {
          await import('/client/js/transport-worker.js'); // its scope is this page
          const tell = (data) => onmessage({ data });
          const settle = () => new Promise((next) => setTimeout(next, 20));
          const controls = { pitch_semitones: 0, gate_db: -70 };
          const blend = { voice: 'otto', share: 0.5 };
          const start = { voice: 'aria', blend, user_id: 'me', converter: 'classic', controls };
          const { port1, port2 } = new MessageChannel();
          const worklet = [];
          port2.onmessage = ({ data }) => worklet.push([data.type, data.resumed ?? null]);
          tell({ type: 'open', url: 'ws://x', start, port: port1 });
          const sing = async (position) => {
            port2.postMessage({ position, pcm: new Int16Array(480) });
            await settle();
          };
          const greet = async (answer) => {
            server.at(-1).open();
            await server.at(-1).say(hello);
            await server.at(-1).say({ ...started, token: 'secret', voice: 'aria', blend, controls, ...answer });
          };
          const lose = async () => {
            server.at(-1).close();
            await settle();
          };
          await greet({ resumed: false });
          await sing(960);
          await sing(1440);
          await lose();
          await sing(1920); // nobody hears this
          tell({ type: 'controls', controls: { gate_db: -60 } });
          tell({ type: 'controls', controls: { blend: { voice: 'otto', share: 0.75 } } });
          tell({ type: 'retry' });
          await greet({ resumed: true });
          await sing(2400);
          await lose();
          tell({ type: 'retry' });
          await greet({ resumed: false, controls: { ...controls, gate_db: -60 } });
          await sing(2880);
          tell({ type: 'close' });
          const seen = ({ type, seq, position, resume, ...rest }) =>
            type === 'audio' ? [seq, position] : type === 'start' ? (resume ?? null) : rest;
          const kinds = ['start', 'audio', 'controls'];
          const line = ({ heard }) => heard.filter(({ type }) => kinds.includes(type)).map(seen);
          return [worklet, server.map(line)];
        }"""
    )
    worklet, lines = heard
    assert worklet == [
        ["rest", None],
        ["rest", None],
        ["live", False],
        ["rest", None],
        ["rest", None],
        ["rest", None],
        ["live", True],
        ["rest", None],
        ["rest", None],
        ["rest", None],
        ["live", False],
    ]
    assert lines == [
        [None, [0, 0], [1, 480]],
        ["secret", {"blend": {"voice": "otto", "share": 0.75}, "gate_db": -60}, [2, 1440]],
        ["secret", [0, 0]],
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


# Lines that do what the test says, of both kinds: `lines.at(-1).open()`, `.say(message)`, `.close()`.
LINES = """
  const { Connection } = await import('/client/js/connection.js');
  const { decode, encode } = await import('/client/js/msgpack.js');
  const lines = [];
  const told = [];
  const dial = (carrier) => {
    const line = {
      carrier, readyState: 0, bufferedAmount: 0, heard: [],
      open() { line.readyState = 1; line.onopen({}); },
      send(data) { line.heard.push(decode(data.slice().buffer).type); },
      sendAudio(data) { line.send(data); },
      say(message) { const data = encode(message); line.onmessage({ data: data.slice().buffer }); },
      close() { if (line.readyState !== 3) { line.readyState = 3; setTimeout(() => line.onclose?.({})); } },
    };
    lines.push(line);
    return line;
  };
  const begin = (carrier) => {
    const connection = new Connection(dial, {
      request: () => ({}), onMessage() {}, onState: ({ state }) => told.push(state),
      onCarrier: (kind, why) => told.push(`${kind} ${why}`),
    }, carrier);
    connection.open();
    return connection;
  };
  const live = (line) => { line.open(); line.say(hello); line.say({ ...started, token: 't', resumed: true }); };
  const soon = () => new Promise((next) => setTimeout(next, 20));
"""


def test_a_websocket_after_data_channels_that_never_open_stays(page: Page) -> None:
    told = page.evaluate(
        f"""async () => {{ {LINES}
          const connection = begin('data');
          lines[0].close();
          await soon();
          live(lines[1]);
          await new Promise((next) => setTimeout(next, 600));  // longer than the first pause between attempts
          return [lines.map((line) => line.carrier), told];
        }}"""
    )
    assert told == [
        ["data", "websocket"],
        ["connecting", "websocket blocked", "connecting", "greeting", "live"],
    ]


def test_a_move_that_fails_changes_nothing_and_locks_nobody_out(page: Page) -> None:
    carriers, told = page.evaluate(
        f"""async () => {{ {LINES}
          const connection = begin('websocket');
          live(lines[0]);
          connection.setCarrier('data', 'stalls');
          lines[1].close();
          await soon();
          lines[0].close();
          await soon();
          connection.retry();
          return [lines.map((line) => line.carrier), told];
        }}"""
    )
    assert carriers == ["websocket", "data", "websocket"]
    assert told == ["connecting", "greeting", "live", "websocket blocked", "waiting", "connecting"]


def test_what_was_wanted_last_is_where_it_goes(page: Page) -> None:
    carriers, told = page.evaluate(
        f"""async () => {{ {LINES}
          const connection = begin('websocket');
          connection.setCarrier('data', 'asked');  // before it is live
          live(lines[0]);
          connection.setCarrier('websocket', 'asked');
          connection.setCarrier('data', 'asked');
          connection.setCarrier('websocket', 'asked');
          live(lines[1]);
          live(lines[2]);
          return [lines.map((line) => line.carrier), told];
        }}"""
    )
    assert carriers == ["websocket", "data", "websocket"]
    assert told[-1] == "websocket asked"


def test_stop_in_the_middle_of_a_move_reaches_whoever_has_the_session(page: Page) -> None:
    heard = page.evaluate(
        f"""async () => {{ {LINES}
          const connection = begin('websocket');
          live(lines[0]);
          connection.setCarrier('data', 'asked');
          lines[1].open();
          lines[1].say(hello);
          connection.close();
          return lines.map((line) => line.heard.at(-1));
        }}"""
    )
    assert heard == ["stop", "stop"]
