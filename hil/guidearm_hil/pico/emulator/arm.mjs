// Joints on one bus and one stop line, in step. Time is nanoseconds of the world since it began.
//
// All of them are brought to one instant after the other: no further apart than the time that a byte
// takes, so what one of them sends is known before another can have heard it, and at each step of the
// plants. A change of the stop line reaches the others at the next such instant.
import { Board } from './board.mjs';
import { Bus, HOST } from './bus.mjs';
import { Joint } from './joint.mjs';
import { STEP_NANOS } from './plant.mjs';

export class Arm {
  /** `setup`: baud, rom, pins, held, analogue, and for each of `joints` words, flash and identity. */
  constructor(setup) {
    this.now = 0;
    this.nextStep = 0;
    this.bus = new Bus(setup.baud, setup.joints.map(({ ppm }) => 1 + ppm * 1e-6));
    this.pins = setup.pins;
    this.stopLineHeld = false; // by the rig
    this.joints = [];
    this.boards = [];
    setup.joints.forEach((one, index) => {
      const { pins, held, analogue } = setup;
      const joint = new Joint({ words: one.words, pins, held, analogue });
      const board = new Board({ ...one, rom: setup.rom }, joint, {
        connect: (self) => this.#connect(self, index),
        disconnect: () => this.bus.note(index, true, 0, this.now),
      });
      this.joints.push(joint);
      this.boards.push(board);
      this.bus.listeners.push((...byte) => board.hear(this.pins.bus_receive, ...byte));
    });
    for (const board of this.boards) board.powerUp(0);
  }

  #connect(board, index) {
    const { pads, pioTime } = board.chip;
    const note = (isDirection) => (level) => {
      this.bus.note(index, isDirection, level, board.toWorld(pioTime.nanos));
    };
    pads.onLevel(this.pins.bus_direction, note(true));
    pads.onLevel(this.pins.bus_transmit, note(false));
  }

  /** Whether the stop line is high: nobody pulls it. */
  get stopLine() {
    return !this.stopLineHeld && this.joints.every((joint) => joint.level('stop_line_release') === 1);
  }

  /** Advance to an instant. With `untilHeard`, no further than the end of what the host hears. */
  advance(until, untilHeard = false) {
    while (this.now < until) {
      if (this.now >= this.nextStep) this.#step();
      const known = this.now + this.bus.quietNanos;
      this.#advance(Math.min(until, known, this.nextStep, this.bus.next()));
      if (untilHeard && this.#hostHasHeard) return;
    }
  }

  get #hostHasHeard() {
    const { bus } = this;
    return bus.isQuiet && bus.done.some((frame) => frame.sender !== HOST);
  }

  #step() {
    for (const joint of this.joints) joint.step(this.now);
    this.nextStep += STEP_NANOS;
  }

  #advance(to) {
    for (const board of this.boards) board.run(to);
    this.now = to;
    this.bus.settle(to);
    this.#showStopLine();
  }

  #showStopLine() {
    const level = this.stopLine ? 1 : 0;
    for (const { chip } of this.boards) chip?.pads.drive(this.pins.stop_line, level);
  }
}
