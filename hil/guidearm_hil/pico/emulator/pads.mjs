// The 30 pads of an RP2040 and what is wired to them.
//
// rp2040js keeps outputs and inputs apart. Here a pad has one level: what the chip drives, else what
// drives it from outside, else a resistor; and the chip reads back that level.

const EDGE_HIGH = 8;
const EDGE_LOW = 4;
const LEVEL_HIGH = 2;
const LEVEL_LOW = 1;

export const PADS = 30;

export class Pads {
  /** `time` is that of the PIOs, which look at the pads. */
  constructor(chip, time) {
    this.chip = chip;
    this.time = time;
    this.word = 0; // what the chip reads, a bit per pad
    this.outside = new Array(PADS).fill(undefined); // level driven from outside, undefined: none
    this.resistors = new Array(PADS).fill(undefined); // level that a resistor outside holds
    this.levels = new Array(PADS).fill(0);
    this.conflicts = new Set(); // pads that were driven from both sides to different levels
    this.listeners = Array.from({ length: PADS }, () => []);
    chip.gpio.forEach((pad, number) => {
      pad.seen = false;
      pad.setInputValue = () => this.#read(pad, number);
      // all that can change an output calls this
      pad.checkForUpdates = () => this.#resolve(pad, number);
    });
    Object.defineProperty(chip, 'gpioValues', {
      get: () => {
        time.catchUp();
        return this.word;
      },
    });
  }

  /** Drive a pad from outside to 0 or 1, or leave it alone: undefined. */
  drive(number, level) {
    if (this.outside[number] !== level) {
      this.outside[number] = level;
      this.#resolve(this.chip.gpio[number], number);
    }
  }

  /** Have a resistor outside hold a pad, as long as nothing drives it; it outdoes the pulls inside. */
  hold(number, level) {
    this.resistors[number] = level;
    this.#resolve(this.chip.gpio[number], number);
  }

  /** Call `listener` with each new level of a pad. */
  onLevel(number, listener) {
    this.listeners[number].push(listener);
  }

  /** The level of a pad, 0 or 1. */
  level(number) {
    return this.levels[number];
  }

  /** Whether the chip drives a pad. */
  isOutput(number) {
    const pad = this.chip.gpio[number];
    return pad.outputEnable && !pad.outputDisable;
  }

  #resolve(pad, number) {
    const outside = this.outside[number];
    let level;
    if (pad.outputEnable && !pad.outputDisable) {
      level = pad.outputValue ? 1 : 0;
      if (outside !== undefined && outside !== level) this.conflicts.add(number);
    } else if (outside !== undefined) {
      level = outside;
    } else {
      level = this.resistors[number] ?? (pad.pullupEnabled ? 1 : 0);
    }
    if (level !== this.levels[number]) {
      this.time.disturb();
      this.levels[number] = level;
      this.#read(pad, number);
      for (const listener of this.listeners[number]) listener(level);
    }
  }

  /** Have the chip read the level: its input word, and its interrupts on edges and levels. */
  #read(pad, number) {
    pad.rawInputValue = this.levels[number] === 1;
    const seen = pad.inputValue;
    if (seen) this.word |= 1 << number;
    else this.word &= ~(1 << number);
    const edge = seen === pad.seen ? 0 : seen ? EDGE_HIGH : EDGE_LOW;
    pad.seen = seen;
    pad.irqStatus = (pad.irqStatus & (EDGE_HIGH | EDGE_LOW)) | edge | (seen ? LEVEL_HIGH : LEVEL_LOW);
    if (pad.irqEnableMask | pad.irqForceMask) this.chip.updateIOInterrupt();
  }
}
