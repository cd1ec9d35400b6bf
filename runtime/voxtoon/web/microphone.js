// Hands the samples of the first channel to the page, 2048 at a time.
const SAMPLES = 2048;

class Tap extends AudioWorkletProcessor {
  constructor() {
    super();
    this.piece = new Float32Array(SAMPLES);
    this.filled = 0;
  }

  process(inputs) {
    const samples = inputs[0][0];
    if (!samples) return true;
    for (const sample of samples) {
      this.piece[this.filled++] = sample;
      if (this.filled === SAMPLES) {
        this.port.postMessage(this.piece, [this.piece.buffer]);
        this.piece = new Float32Array(SAMPLES);
        this.filled = 0;
      }
    }
    return true;
  }
}

registerProcessor("tap", Tap);
