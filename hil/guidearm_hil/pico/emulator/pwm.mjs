// The RP2040's PWM, as the share of time for which a pad is high.
//
// rp2040js's toggles pads, 40,000 times a second at 20 kHz, for a motor that sees but the mean. New
// levels count from the next wrap on. Not modelled: interrupts at the wrap, and counting of edges.
import { BasePeripheral } from 'rp2040js';

const SLICES = 8;
const SLICE_BYTES = 0x14;
const CSR = 0x00;
const DIV = 0x04;
const CTR = 0x08;
const CC = 0x0c;
const TOP = 0x10;
const EN = 0xa0;
const INTR = 0xa4;
const INTE = 0xa8;
const INTF = 0xac;
const INTS = 0xb0;

const ENABLED = 1;
const PHASE_CORRECT = 2;
const INVERTED = [4, 8]; // of CSR, channels A and B

class Slice {
  constructor(clock) {
    this.clock = clock;
    this.csr = 0;
    this.div = 1 << 4;
    this.top = 0xffff;
    this.levels = [0, 0]; // as written
    this.counting = [0, 0]; // since the last wrap
    this.since = 0; // instant and count at which it was last looked at
    this.count = 0;
  }

  /** Nanoseconds from wrap to wrap. */
  periodNanos(clkSys) {
    const counts = (this.top + 1) * (this.csr & PHASE_CORRECT ? 2 : 1);
    return (counts * (this.div / 16 || 256) * 1e9) / clkSys;
  }

  /** Let it have counted until now. */
  update(clkSys) {
    const now = this.clock.nanos;
    if (this.csr & ENABLED) {
      const period = this.periodNanos(clkSys);
      const wraps = this.count + (now - this.since) / period;
      if (wraps >= 1) this.counting = [...this.levels];
      this.count = wraps % 1;
    } else {
      this.counting = [...this.levels];
    }
    this.since = now;
  }
}

export class Pwm extends BasePeripheral {
  constructor(chip, name) {
    super(chip, name);
    this.slices = Array.from({ length: SLICES }, () => new Slice(chip.clock));
    // what rp2040js's pads and clocks ask
    this.gpioValue = 0;
    this.gpioDirection = 0x3fffffff;
    this.channels = [];
  }

  reset() {}

  /** The share of time, 0 to 1, for which the channel of a pad is high. */
  duty(pad) {
    const slice = this.slices[(pad >> 1) & 7];
    slice.update(this.rp2040.clkSys);
    const channel = pad & 1;
    const high = Math.min(1, slice.counting[channel] / (slice.top + 1));
    const share = slice.csr & ENABLED ? high : 0;
    return slice.csr & INVERTED[channel] ? 1 - share : share;
  }

  /** Wraps a second of a pad's slice, 0 while it stands. */
  frequency(pad) {
    const slice = this.slices[(pad >> 1) & 7];
    return slice.csr & ENABLED ? 1e9 / slice.periodNanos(this.rp2040.clkSys) : 0;
  }

  readUint32(offset) {
    if (offset < SLICES * SLICE_BYTES) {
      const slice = this.slices[Math.floor(offset / SLICE_BYTES)];
      slice.update(this.rp2040.clkSys);
      switch (offset % SLICE_BYTES) {
        case CSR: return slice.csr;
        case DIV: return slice.div;
        case CTR: return Math.floor(slice.count * (slice.top + 1));
        case CC: return slice.levels[0] | (slice.levels[1] << 16);
        default: return slice.top;
      }
    }
    switch (offset) {
      case EN: return this.slices.reduce((en, slice, i) => en | ((slice.csr & ENABLED) << i), 0);
      case INTR:
      case INTE:
      case INTF:
      case INTS: return 0;
      default: return super.readUint32(offset);
    }
  }

  writeUint32(offset, value) {
    if (offset < SLICES * SLICE_BYTES) {
      const slice = this.slices[Math.floor(offset / SLICE_BYTES)];
      slice.update(this.rp2040.clkSys);
      switch (offset % SLICE_BYTES) {
        case CSR: slice.csr = value & 0xff; break;
        case DIV: slice.div = value & 0xfff; break;
        case CTR: slice.count = (value & 0xffff) / (slice.top + 1); break;
        case CC: slice.levels = [value & 0xffff, value >>> 16]; break;
        case TOP: slice.top = value & 0xffff; break;
      }
    } else if (offset === EN) {
      this.slices.forEach((slice, i) => {
        slice.update(this.rp2040.clkSys);
        slice.csr = (slice.csr & ~ENABLED) | ((value >> i) & 1);
      });
    } else if (offset !== INTR) {
      super.writeUint32(offset, value);
    }
  }
}
