/** What an AudioWorkletGlobalScope has and the DOM library does not declare. */
declare class AudioWorkletProcessor {
  constructor();
  readonly port: MessagePort;
}
declare const sampleRate: number;
declare const currentFrame: number;
declare function registerProcessor(
  name: string,
  processor: new (options: never) => AudioWorkletProcessor,
): void;
