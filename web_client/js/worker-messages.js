/**
 * What the page and its transport worker say to each other.
 * @module
 */

/**
 * @typedef {import('./protocol.js').ServerMessage} ServerMessage
 * @typedef {import('./protocol.js').Controls} Controls
 * @typedef {import('./connection.js').ConnectionState} ConnectionState
 * @typedef {import('./protocol.js').Blend} Blend
 * @typedef {import('./carrier.js').Carrier} Carrier
 * @typedef {{ voice: string, blend: Blend | null, user_id: string, converter?: string, controls: Controls }} Start
 * @typedef {Partial<Controls> & { voice?: string, blend?: Blend | null }} Change
 * @typedef {{ type: 'open', url: string, carrier: Carrier, mayMove: Carrier | null, start: Start, port: MessagePort }
 *   | { type: 'move', carrier: Carrier }
 *   | { type: 'channels', call: number, channels: RTCDataChannel[] }
 *   | { type: 'uncalled', call: number }
 *   | { type: 'attach', port: MessagePort }
 *   | { type: 'controls', controls: Change }
 *   | { type: 'figures', underruns: number, late: number, playout_delay: number }
 *   | { type: 'record', on: boolean, from: number | null, keep: string | null }
 *   | { type: 'moveTake', from: number, start: number }
 *   | { type: 'retry' }
 *   | { type: 'close' }} ToWorker
 * @typedef {{ type: 'state', state: ConnectionState }
 *   | { type: 'message', message: ServerMessage }
 *   | { type: 'counts', sent: number, received: number, skipped: number, roundTripMs: number | null,
 *       reconnections: number }
 *   | { type: 'take', dry: Int16Array<ArrayBuffer>, wet: Int16Array<ArrayBuffer>, missing: number,
 *       sampleRate: number }
 *   | { type: 'recording', seconds: number }
 *   | { type: 'unkept', problem: string }
 *   | { type: 'carrier', carrier: Carrier, why: string }
 *   | { type: 'call', call: number, carrier: Carrier }
 *   | { type: 'hang-up', call: number }} FromWorker
 * @typedef {{ type: 'mark' } | import('./worklet.js').FromTransport} ToWorklet what comes by the port
 * @typedef {{ position: number, pcm: Int16Array<ArrayBuffer> } | { mark: number }} FromWorklet
 * @typedef {{ readable: ReadableStream<RTCEncodedAudioFrame>, writable: WritableStream<RTCEncodedAudioFrame>,
 *   options: { call: number, direction: 'send' | 'receive' } }} Transformer of an audio track
 */

export {};
