/**
 * For measurements: what a player or a room gives, sample by sample (docs/page.md).
 * @module
 */

const PLACES = 3;

/**
 * @param {import('./player.js').Player} player
 * @param {number} seconds
 * @returns {Promise<{ sampleRate: number, original: Float32Array, converted: Float32Array, played: Float32Array }>}
 *   the two files before it is chosen between them, and what goes to the output, at the same instants
 */
export async function tapOf(player, seconds) {
  const { original, converted } = player.inlets;
  const heard = await tapPlaces(player.context, [[original, 0], [converted, 0], [player.output, 0]], seconds);
  return { sampleRate: player.context.sampleRate, original: heard[0], converted: heard[1], played: heard[2] };
}

/**
 * @param {BaseAudioContext} context
 * @param {[AudioNode, number][]} places nodes and which of their outputs, three at most
 * @param {number} seconds
 * @returns {Promise<Float32Array[]>} what went by each of them at the same instants
 */
export async function tapPlaces(context, places, seconds) {
  await context.audioWorklet.addModule(new URL('./tap-worklet.js', import.meta.url));
  const node = new AudioWorkletNode(context, 'song-tap', {
    numberOfInputs: PLACES,
    numberOfOutputs: 1,
    processorOptions: { samples: Math.round(seconds * context.sampleRate) },
  });
  places.forEach(([place, output], input) => place.connect(node, output, input));
  node.connect(context.destination); // silent, but unconnected it would not run
  const heard = await new Promise((resolve) => {
    node.port.onmessage = (event) => resolve(event.data);
  });
  node.disconnect();
  for (const [place, output] of places) place.disconnect(node, output);
  return heard;
}
