/**
 * For measurements: what a player gives, sample by sample (docs/page.md).
 * @module
 */

/**
 * @param {import('./player.js').Player} player
 * @param {number} seconds
 * @returns {Promise<{ sampleRate: number, original: Float32Array, converted: Float32Array, played: Float32Array }>}
 *   the two files before it is chosen between them, and what goes to the output, at the same instants
 */
export async function tapOf(player, seconds) {
  const { context } = player;
  await context.audioWorklet.addModule(new URL('./tap-worklet.js', import.meta.url));
  const node = new AudioWorkletNode(context, 'song-tap', {
    numberOfInputs: 3,
    numberOfOutputs: 1,
    processorOptions: { samples: Math.round(seconds * context.sampleRate) },
  });
  const places = [player.inlets.original, player.inlets.converted, player.output];
  places.forEach((place, input) => place.connect(node, 0, input));
  node.connect(context.destination); // silent, but unconnected it would not run
  const [original, converted, played] = await new Promise((resolve) => {
    node.port.onmessage = (event) => resolve(event.data);
  });
  node.disconnect();
  for (const place of places) place.disconnect(node);
  return { sampleRate: context.sampleRate, original, converted, played };
}
