/**
 * Everything that is known about a session, as plain figures: what the page shows, and what
 * `window.autovoice.snapshot()` returns (docs/page.md).
 * @module
 */

import { SAMPLE_RATE } from './protocol.js';

/** @param {number | undefined} samples */
const ms = (samples) => ((samples ?? 0) * 1000) / SAMPLE_RATE;

/** @typedef {ReturnType<typeof snapshotOf>} Snapshot */

/** @param {import('./session.js').Session} session */
export function snapshotOf(session) {
  const { ledger, sound } = session;
  const { graph, held, source } = sound;
  const { started, hello, counts, report, stats } = ledger;
  const outside = sound.outsideMs;
  return {
    state: session.state,
    failure: session.failure?.code ?? null,
    source: source.kind,
    session: started?.session ?? null,
    server: hello?.server ?? null,
    sessions: stats?.sessions ?? hello?.sessions ?? null,
    capacity: hello?.capacity ?? null,
    voice: session.voice,
    blend: session.blend && { ...session.blend },
    blend_in_force: ledger.blendInForce && { ...ledger.blendInForce },
    transport: session.carrier,
    converter: started?.converter ?? session.options.converter ?? null,
    controls: { ...session.controls },
    controls_in_force: { ...ledger.inForce },
    audio: {
      sample_rate: graph?.context.sampleRate ?? null,
      latency_hint: graph?.hint ?? session.options.hint,
      frame: graph?.frame ?? null,
      block: started?.block ?? null,
      microphone: source.facts,
    },
    delay: {
      mode: held.ms === null ? 'adaptive' : 'constant',
      loop_samples: report?.delay ?? 0,
      loop_ms: ms(report?.delay),
      mouth_to_ear_ms: ms(report?.delay) + outside,
      needed_ms: ms(report?.needed),
      shortest_constant_ms: ms(report?.needed) + outside,
      parts_ms: {
        microphone: source.latencyMs, // null where the browser does not say
        capture: ms(report?.parts.capture),
        coding: ms(report?.parts.coding),
        network: ms(report?.parts.network),
        jitter: ms(report?.parts.jitter),
        server: ms(report?.parts.server),
        algorithm: ms(report?.parts.algorithm),
        buffer: ms(report?.parts.buffer),
        output: held.outputMs, // null where the browser cannot be asked
      },
      server_added_p50_ms: stats?.added_p50_ms ?? null,
      server_added_p99_ms: stats?.added_p99_ms ?? null,
      round_trip_ms: counts.roundTripMs,
    },
    counters: {
      underruns: report?.underruns ?? 0,
      missing_samples: report?.missing ?? 0,
      late_frames: report?.late ?? 0,
      device_underruns: ledger.deviceUnderruns,
      clipped_samples: report?.clipped ?? 0,
      frames_sent: counts.sent,
      frames_received: counts.received,
      frames_skipped: counts.skipped,
      server_dropped: ledger.dropped,
      server_gap_samples: ledger.gaps,
      server_concealed_samples: stats?.concealed ?? 0,
      reconnections: counts.reconnections,
    },
    levels: {
      input_peak: report?.input.peak ?? 0,
      input_rms: report?.input.rms ?? 0,
      output_peak: report?.output.peak ?? 0,
      output_rms: report?.output.rms ?? 0,
    },
  };
}
