// The RS-485 wire: a pair of lines, one transceiver on each joint and one of the host.
//
// A transceiver drives the wire while its direction pin is high, and then does not listen. Bytes are
// told from the level at its data pin. One that was not driven to the end of its stop bit is no byte,
// nor one over which somebody else drove.

const DATA_BITS = 8;
const FRAME_BITS = 10;
const EARLY_BITS = 1 / 16; // as finely as a receiver looks
const DRIFT = 0.04; // of the rate, with which a receiver still samples the right bits

export const HOST = -1;

/** A byte that is, or was, on the wire. */
class Frame {
  constructor(sender, start, bitNanos) {
    this.sender = sender;
    this.start = start;
    this.bitNanos = bitNanos;
    this.end = start + FRAME_BITS * bitNanos;
    this.levels = [[start, 0]]; // from when on
    this.whole = true;
    this.value = 0;
  }

  #level(nanos) {
    let level = 0;
    for (const [since, value] of this.levels) {
      if (since > nanos) break;
      level = value;
    }
    return level;
  }

  /** Sample the bits, in their middle. */
  close() {
    for (let bit = 0; bit < DATA_BITS; bit++) {
      this.value |= this.#level(this.start + (1.5 + bit) * this.bitNanos) << bit;
    }
    if (this.#level(this.start + (FRAME_BITS - 0.5) * this.bitNanos) === 0) this.whole = false;
  }
}

export class Bus {
  /** `rates` are how fast the clocks of the joints run, beside the world's. */
  constructor(baud, rates) {
    this.bitNanos = 1e9 / baud;
    this.rates = rates;
    this.driving = new Map(); // sender to the instant since which it drives
    this.open = []; // frames that have begun
    this.fromHost = []; // {start, end, value, bitNanos}, to come
    this.hostUntil = 0;
    this.listeners = []; // of each joint: (value, whole, bitNanos)
    this.changes = []; // {nanos, joint, level, isDirection}: of pins, since all were at one instant
    this.done = []; // frames that are over and nobody has taken
    this.edges = []; // of direction pins: [joint, driving, instant]
    this.collisions = 0;
  }

  // ---- joints

  /** The direction or the data pin of a joint has taken a level at an instant. */
  note(joint, isDirection, level, nanos) {
    this.changes.push({ joint, isDirection, level, nanos });
  }

  #direct(joint, driving, nanos) {
    this.edges.push([joint, driving, nanos]);
    if (driving) {
      this.#drive(joint, nanos);
      return;
    }
    this.driving.delete(joint);
    for (const frame of this.open) {
      if (frame.sender === joint && nanos < frame.end - EARLY_BITS * frame.bitNanos) {
        frame.whole = false;
      }
    }
  }

  #data(joint, level, nanos) {
    if (!this.driving.has(joint)) return;
    const frame = this.open.find((one) => one.sender === joint && !one.over);
    if (frame !== undefined && nanos < frame.end - 0.5 * frame.bitNanos) {
      frame.levels.push([nanos, level]);
      return;
    }
    if (frame !== undefined) frame.over = true; // the next one begins
    if (level === 0) this.#begin(new Frame(joint, nanos, this.bitNanos / this.rates[joint]));
  }

  #drive(sender, nanos) {
    this.driving.set(sender, nanos);
    if (this.driving.size > 1) {
      for (const frame of this.open) this.#collide(frame);
    }
  }

  #begin(frame) {
    this.open.push(frame);
    if (this.driving.size > 1) {
      for (const one of this.open) this.#collide(one);
    }
  }

  #collide(frame) {
    if (!frame.collided) this.collisions++;
    frame.collided = true;
    frame.whole = false;
  }

  // ---- the host

  /** Put bytes on the wire from an instant on, behind what is being sent; returns their end. */
  send(bytes, nanos, baud) {
    const bitNanos = 1e9 / baud;
    let start = Math.max(nanos, this.hostUntil);
    for (const value of bytes) {
      this.fromHost.push({ start, value, bitNanos });
      start += FRAME_BITS * bitNanos;
    }
    this.hostUntil = start;
    return start;
  }

  // ---- time

  /** The next instant at which something happens on the wire that the joints cannot know. */
  next() {
    let next = this.fromHost.length > 0 ? this.fromHost[0].start : Infinity;
    for (const frame of this.open) next = Math.min(next, frame.end);
    return next;
  }

  /** How long none of the joints can be heard by another, whatever it does. */
  get quietNanos() {
    return FRAME_BITS * this.bitNanos;
  }

  /** All joints have come to an instant: what is over by now is heard. */
  settle(nanos) {
    const changes = this.changes.sort((one, other) => one.nanos - other.nanos);
    this.changes = [];
    for (const change of changes) {
      if (change.isDirection) this.#direct(change.joint, change.level === 1, change.nanos);
      else this.#data(change.joint, change.level, change.nanos);
    }
    if (this.driving.has(HOST) && nanos >= this.hostUntil) this.driving.delete(HOST);
    const over = this.open.filter((frame) => frame.end <= nanos);
    this.open = this.open.filter((frame) => frame.end > nanos);
    for (const frame of over.sort((one, other) => one.end - other.end)) {
      if (frame.sender !== HOST) frame.close();
      this.done.push(frame);
      this.listeners.forEach((hear, joint) => {
        if (joint !== frame.sender && !this.driving.has(joint)) {
          hear(frame.value, frame.whole, frame.bitNanos);
        }
      });
    }
    while (this.fromHost.length > 0 && this.fromHost[0].start <= nanos) {
      const { start, value, bitNanos } = this.fromHost.shift();
      if (!this.driving.has(HOST)) this.#drive(HOST, start);
      const frame = new Frame(HOST, start, bitNanos);
      frame.value = value;
      this.#begin(frame);
    }
  }

  /** Whether nobody drives the wire, and nothing is on it or to come from the host. */
  get isQuiet() {
    return this.driving.size === 0 && this.open.length === 0 && this.fromHost.length === 0;
  }
}

/** What a receiver at another rate than the sender's makes of a byte: null if not a byte at all. */
export function heardAt(value, whole, bitNanos, ownBitNanos) {
  const same = Math.abs(bitNanos / ownBitNanos - 1) <= DRIFT;
  return same ? { value, whole } : { value: value ^ 0x55, whole: false };
}
