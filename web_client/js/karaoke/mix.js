/**
 * What the singer hears: the converted voice, their own, or both, through the effects, over the song.
 * @module
 */

import { Backing } from './backing.js';
import { Chain } from './effects.js';
import { Level } from './level.js';

/** @typedef {'converted' | 'dry' | 'both'} Monitoring */

/** Hangs on the graph of a session. */
export class Mix {
  /**
   * @param {import('../audio-graph.js').AudioGraph} graph
   * @param {import('./effects.js').Effects} effects
   */
  constructor(graph, effects) {
    const { context } = graph;
    this.graph = graph;
    this.chain = new Chain(context, effects);
    this.converted = new GainNode(context);
    this.dry = new GainNode(context, { gain: 0 });
    this.voice = new GainNode(context, { gain: 0 });
    this.volume = 1;
    this.open = false;
    graph.monitor.disconnect();
    graph.monitor.connect(this.converted).connect(this.chain.input);
    graph.dry.connect(this.dry).connect(this.chain.input);
    const song = new GainNode(context);
    const all = new GainNode(context);
    this.chain.output.connect(this.voice).connect(all).connect(context.destination);
    song.connect(all);
    this.backing = new Backing(context, song);
    this.levels = { voice: new Level(this.voice), song: new Level(song), all: new Level(all) };
  }

  /** @param {Monitoring} what */
  monitor(what) {
    const now = this.graph.context.currentTime;
    this.converted.gain.setTargetAtTime(what === 'dry' ? 0 : 1, now, 0.01);
    this.dry.gain.setTargetAtTime(what === 'converted' ? 0 : 1, now, 0.01);
  }

  /** @param {number} volume 0..1 */
  setVoiceVolume(volume) {
    this.volume = volume;
    this.apply();
  }

  /** @param {boolean} open between two songs the voice is not heard */
  setOpen(open) {
    this.open = open;
    this.apply();
  }

  apply() {
    const gain = this.open ? this.volume * this.volume : 0;
    this.voice.gain.setTargetAtTime(gain, this.graph.context.currentTime, 0.02);
  }
}
