// What is wired to a joint's Pico besides the bus: motor and brake, both encoders, analogue signals,
// switches. The plant goes on whatever becomes of the board.
import { As5048a } from './as5048a.mjs';
import { Plant, STEP_NANOS, WORD } from './plant.mjs';

const FULL_DUTY = 32768;
const COUNT = 1024; // of the plant's positions, a motor count
const OUTPUT_MASK = 16383;
const CONVERTER_FIRST_PAD = 26;
const FUNCTION_SPI = 1;
const FUNCTION_PWM = 4;
// bits of the plant's forced inputs, as the servo names them
const LIMIT_LOWER = 4;
const LIMIT_UPPER = 8;
const MOTOR_ENCODER_ERROR = 16;
const OUTPUT_ENCODER_ERROR = 32;
// A and B of the motor encoder over four counts: up while A leads B
const QUADRATURE = [[0, 0], [1, 0], [1, 1], [0, 1]];

export class Joint {
  /**
   * `words` are the plant's, `pins` the pad of each signal, `held` the level to which resistors
   * outside hold pads, and `analogue` the scales of the converter's signals.
   */
  constructor({ words, pins, held, analogue }) {
    this.plant = new Plant(words);
    this.pins = pins;
    this.held = held;
    this.analogue = analogue;
    this.emergency = false;
    this.board = null;
    this.encoder = new As5048a(() => this.#angle());
    this.shown = this.#count; // by A and B
    this.missed = 0; // counts while the motor encoder did not follow
    this.stepStart = 0; // world time of the step under way, and the link before and after it
    this.linkBefore = this.plant.words[WORD.LINK_POSITION];
  }

  /** Wire up a board that has just got its power, or none: null. */
  connect(board) {
    this.board = board;
    if (board === null) return;
    const { mcu, pads } = board.chip;
    for (const [pad, level] of Object.entries(this.held)) pads.hold(Number(pad), level);
    for (const port of mcu.spi) {
      port.onTransfer = (word, bits) => this.#exchange(port, word, bits);
    }
    const [a, b] = QUADRATURE[this.shown & 3];
    pads.drive(this.pins.motor_a, a);
    pads.drive(this.pins.motor_b, b);
    this.#wire();
  }

  // ---- what the plant sees

  /** The level of a pad of the board, or that of its resistor while there is none. */
  level(signal) {
    const pad = this.pins[signal];
    return this.board === null ? (this.held[pad] ?? 0) : this.board.chip.pads.level(pad);
  }

  /** For which share of time a pad is high. */
  #share(signal) {
    const pad = this.pins[signal];
    if (this.board === null) return this.held[pad] ?? 0;
    const { mcu, pads } = this.board.chip;
    return mcu.gpio[pad].functionSelect === FUNCTION_PWM ? mcu.pwm.duty(pad) : pads.level(pad);
  }

  /** Integrate the step that begins at an instant of the world. */
  step(worldNanos) {
    const { words } = this.plant;
    const before = words[WORD.MOTOR_POSITION];
    this.stepStart = worldNanos;
    this.linkBefore = words[WORD.LINK_POSITION];
    const duty = Math.round((this.#share('bridge_a') - this.#share('bridge_b')) * FULL_DUTY);
    this.plant.step(duty, this.level('bridge_enable') === 1, this.level('brake_release') === 1);
    this.#turn(worldNanos, before, words[WORD.MOTOR_POSITION]);
    this.#wire();
  }

  // ---- what the board sees

  get #count() {
    const { words } = this.plant;
    return (words[WORD.MOTOR_POSITION] >> 10) + words[WORD.MOTOR_OFFSET];
  }

  /** Let the motor encoder's edges come over the step, as the motor turns between two positions. */
  #turn(worldNanos, from, to) {
    const { words } = this.plant;
    const stuck = words[WORD.MOTOR_ENCODER_FROZEN] !== 0;
    const broken = (words[WORD.FORCED_INPUTS] & MOTOR_ENCODER_ERROR) !== 0;
    let at = from >> 10;
    const last = to >> 10;
    if (broken && this.board !== null) {
      // two edges at once, which no turning motor makes
      const cycles = this.board.cyclesAt(worldNanos);
      const [a, b] = QUADRATURE[(this.shown + 2) & 3];
      this.missed -= 2;
      this.shown += 2;
      this.board.chip.pioTime.schedule(cycles, this.pins.motor_a, a);
      this.board.chip.pioTime.schedule(cycles, this.pins.motor_b, b);
    }
    const direction = last > at ? 1 : -1;
    while (at !== last) {
      // where one count ends and the next begins
      const edge = (direction > 0 ? at + 1 : at) * COUNT;
      at += direction;
      if (stuck) {
        this.missed += direction;
        continue;
      }
      const old = QUADRATURE[this.shown & 3];
      this.shown += direction;
      const now = QUADRATURE[this.shown & 3];
      if (this.board === null) continue;
      const nanos = worldNanos + ((edge - from) / (to - from)) * STEP_NANOS;
      const pad = old[0] !== now[0] ? this.pins.motor_a : this.pins.motor_b;
      const level = old[0] !== now[0] ? now[0] : now[1];
      this.board.chip.pioTime.schedule(this.board.cyclesAt(nanos), pad, level);
    }
  }

  /** The output encoder's angle at this instant of the board. */
  #angle() {
    const { words } = this.plant;
    if (words[WORD.OUTPUT_ENCODER_FROZEN]) return this.frozen;
    const share = Math.min(1, (this.board.worldNanos - this.stepStart) / STEP_NANOS);
    const link = this.linkBefore + (words[WORD.LINK_POSITION] - this.linkBefore) * share;
    this.frozen = Math.floor(link / words[WORD.OUTPUT_STEP]) & OUTPUT_MASK;
    return this.frozen;
  }

  /** A word is exchanged on an SPI port: with the encoder, if it is wired to that port. */
  #exchange(port, word, bits) {
    const { gpio } = this.board.chip.mcu;
    const wired = ['output_clock', 'output_command', 'output_angle', 'output_select'].every(
      (signal) => gpio[this.pins[signal]].functionSelect === FUNCTION_SPI,
    );
    if (!wired) return (1 << bits) - 1;
    this.encoder.silent = (this.plant.words[WORD.FORCED_INPUTS] & OUTPUT_ENCODER_ERROR) !== 0;
    return this.encoder.exchange(word, bits, port.mode, port.baud);
  }

  /** Set the levels that change no faster than the plant. */
  #wire() {
    if (this.board === null) return;
    const { mcu, pads } = this.board.chip;
    const { pins } = this;
    const { words } = this.plant;
    const forced = words[WORD.FORCED_INPUTS];
    // contacts to ground
    const closed = (signal, on) => pads.drive(pins[signal], on ? 0 : undefined);
    closed('brake_open', words[WORD.BRAKE_OPEN] === 1);
    closed('emergency_stop', !this.emergency);
    closed('limit_lower', !(forced & LIMIT_LOWER));
    closed('limit_upper', !(forced & LIMIT_UPPER));
    const convert = (signal, millivolts) => {
      const { reference, steps } = this.analogue;
      const step = Math.round((millivolts * steps) / reference);
      const channel = pins[signal] - CONVERTER_FIRST_PAD;
      mcu.adc.channelValues[channel] = Math.min(steps - 1, Math.max(0, step));
    };
    const { current, temperature, supply } = this.analogue;
    convert('current', current.zero + this.plant.milliamperes * current.perMilliampere);
    convert('temperature', temperature.zero + words[WORD.WINDING_TEMPERATURE] * temperature.perStep);
    convert('supply', words[WORD.SUPPLY_VOLTAGE] / supply.divider);
  }

  // ---- what nobody else sees

  /** The truth, in the plant's units. */
  truth() {
    const { words } = this.plant;
    return {
      motor: words[WORD.MOTOR_POSITION],
      motorSpeed: words[WORD.MOTOR_SPEED],
      link: words[WORD.LINK_POSITION],
      linkSpeed: words[WORD.LINK_SPEED],
      current: this.plant.milliamperes,
      brakeOpen: words[WORD.BRAKE_OPEN] === 1,
      powered: this.level('bridge_enable') === 1,
    };
  }
}
