// The two PIOs of an RP2040, in time with its core.
//
// rp2040js's run whenever the program that emulates is idle, and know no clock dividers. These run
// when somebody looks: the core at a register or at its pins, or an alarm at the next instruction
// that may put something out. Edges of inputs that are known in advance wait in a queue until then.
import { BasePeripheral } from 'rp2040js';
import { StateMachine } from './pio_machine.mjs';

const CTRL = 0x000;
const FSTAT = 0x004;
const FDEBUG = 0x008;
const FLEVEL = 0x00c;
const TXF0 = 0x010;
const RXF0 = 0x020;
const IRQ = 0x030;
const IRQ_FORCE = 0x034;
const INPUT_SYNC_BYPASS = 0x038;
const DBG_PADOUT = 0x03c;
const DBG_PADOE = 0x040;
const DBG_CFGINFO = 0x044;
const INSTR_MEM0 = 0x048;
const SM0_CLKDIV = 0x0c8;
const INTR = 0x128;
const IRQ0_INTE = 0x12c; // then INTF and INTS, and all three for IRQ 1
const LAST = 0x140;
const MACHINES = 4;
const MACHINE_BYTES = 0x18;
const DREQ_RX = 4; // above those of TX
const PINS_MASK = 0x3fffffff;

export class Pio extends BasePeripheral {
  /** `time` is what both PIOs of the chip share, `dreq` the number of its first DMA request. */
  constructor(chip, name, irq, dreq, time) {
    super(chip, name);
    this.irq = irq;
    this.dreq = dreq;
    this.time = time;
    this.memory = new Uint16Array(32);
    this.machines = Array.from({ length: MACHINES }, (_, index) => new StateMachine(this, index));
    this.flags = 0;
    this.debug = 0;
    this.effects = 0; // how often something changed that others can see
    this.bypass = 0;
    this.enable = [0, 0];
    this.force = [0, 0];
    this.pinValues = 0; // these two names are rp2040js's
    this.pinDirections = 0;
    time.add(this);
  }

  reset() {}

  // ---- what the machines see and do

  get inputs() {
    return this.time.pads.word;
  }

  setPins(value, base, count) {
    const mask = rotate(count >= 32 ? -1 : (1 << count) - 1, base);
    const pins = ((this.pinValues & ~mask) | (rotate(value, base) & mask)) & PINS_MASK;
    const changed = pins ^ this.pinValues;
    this.pinValues = pins;
    this.#show(changed);
  }

  setDirections(value, base, count) {
    const mask = rotate(count >= 32 ? -1 : (1 << count) - 1, base);
    const pins = ((this.pinDirections & ~mask) | (rotate(value, base) & mask)) & PINS_MASK;
    const changed = pins ^ this.pinDirections;
    this.pinDirections = pins;
    this.#show(changed);
  }

  #show(changed) {
    if (changed === 0) return;
    this.effects++;
    for (let pin = 0; changed >>> pin; pin++) {
      if ((changed >>> pin) & 1) this.rp2040.gpio[pin].checkForUpdates();
    }
  }

  setFlags(flags) {
    if (flags === this.flags) return;
    this.flags = flags;
    this.changed();
    this.wake();
  }

  /** A FIFO or a flag is not as it was. */
  changed() {
    this.effects++;
    const { dma } = this.rp2040;
    for (const [index, machine] of this.machines.entries()) {
      const request = this.dreq + index;
      if (machine.sending.length < machine.sendDepth) dma.setDREQ(request);
      else dma.clearDREQ(request);
      if (machine.received.length > 0) dma.setDREQ(request + DREQ_RX);
      else dma.clearDREQ(request + DREQ_RX);
    }
    this.#interrupt();
  }

  /** Have the machines look again at what they wait for. */
  wake() {
    for (const machine of this.machines) machine.wake(this.time.now);
  }

  get #raw() {
    let raw = (this.flags & 15) << 8;
    for (const [index, machine] of this.machines.entries()) {
      if (machine.received.length > 0) raw |= 1 << index;
      if (machine.sending.length < machine.sendDepth) raw |= 0x10 << index;
    }
    return raw;
  }

  #interrupt() {
    for (const line of [0, 1]) {
      const on = (this.#raw & this.enable[line]) | this.force[line];
      this.rp2040.setInterrupt(this.irq + line, on !== 0);
    }
  }

  // ---- registers

  readUint32(offset) {
    this.time.catchUp();
    if (offset >= SM0_CLKDIV && offset < INTR) {
      const at = offset - SM0_CLKDIV;
      return this.machines[Math.floor(at / MACHINE_BYTES)].read((at % MACHINE_BYTES) >> 2);
    }
    if (offset >= RXF0 && offset < IRQ) {
      const value = this.machines[(offset - RXF0) >> 2].get();
      this.#touched();
      return value;
    }
    if (offset >= IRQ0_INTE && offset <= LAST) {
      const register = (offset - IRQ0_INTE) >> 2;
      const line = register < 3 ? 0 : 1;
      if (register % 3 === 0) return this.enable[line];
      if (register % 3 === 1) return this.force[line];
      return (this.#raw & this.enable[line]) | this.force[line];
    }
    switch (offset) {
      case CTRL: return this.machines.reduce((on, m, i) => on | (m.enabled ? 1 << i : 0), 0);
      case FSTAT: return this.machines.reduce((status, m, i) => status | (fifoStatus(m) << i), 0);
      case FDEBUG: return this.debug;
      case FLEVEL: return this.machines.reduce((levels, m, i) => levels | (fifoLevels(m) << (8 * i)), 0);
      case IRQ: return this.flags;
      case IRQ_FORCE: return 0;
      case INPUT_SYNC_BYPASS: return this.bypass;
      case DBG_PADOUT: return this.pinValues;
      case DBG_PADOE: return this.pinDirections;
      case DBG_CFGINFO: return 0x200404;
      case INTR: return this.#raw;
      default: return super.readUint32(offset);
    }
  }

  writeUint32(offset, value) {
    this.time.catchUp();
    if (offset >= INSTR_MEM0 && offset < SM0_CLKDIV) {
      this.memory[(offset - INSTR_MEM0) >> 2] = value & 0xffff;
    } else if (offset >= SM0_CLKDIV && offset < INTR) {
      const at = offset - SM0_CLKDIV;
      this.machines[Math.floor(at / MACHINE_BYTES)].write((at % MACHINE_BYTES) >> 2, value);
    } else if (offset >= TXF0 && offset < RXF0) {
      this.machines[(offset - TXF0) >> 2].put(value);
    } else if (offset >= IRQ0_INTE && offset <= LAST) {
      const register = (offset - IRQ0_INTE) >> 2;
      const line = register < 3 ? 0 : 1;
      if (register % 3 === 0) this.enable[line] = value & 0xfff;
      else if (register % 3 === 1) this.force[line] = value & 0xfff;
    } else {
      switch (offset) {
        case CTRL: this.#control(value); break;
        case FDEBUG: this.debug &= ~this.rawWriteValue; break;
        case IRQ: this.flags &= ~this.rawWriteValue; break;
        case IRQ_FORCE: this.flags |= value & 0xff; break;
        case INPUT_SYNC_BYPASS: this.bypass = value; break;
        default: super.writeUint32(offset, value); return;
      }
    }
    this.#touched();
  }

  #touched() {
    this.changed();
    this.wake();
    this.time.plan();
  }

  #control(value) {
    for (const [index, machine] of this.machines.entries()) {
      if (value & (0x10 << index)) machine.restart();
      machine.enable(((value >> index) & 1) === 1, this.time.now);
    }
    this.time.enabled = this.time.machines.filter((machine) => machine.enabled);
  }
}

function rotate(value, by) {
  return by === 0 ? value : (value << by) | (value >>> (32 - by));
}

function fifoStatus(machine) {
  return (
    (machine.received.length >= machine.receiveDepth ? 1 : 0) |
    (machine.received.length === 0 ? 0x100 : 0) |
    (machine.sending.length >= machine.sendDepth ? 0x10000 : 0) |
    (machine.sending.length === 0 ? 0x1000000 : 0)
  );
}

function fifoLevels(machine) {
  return (machine.sending.length & 15) | ((machine.received.length & 15) << 4);
}

/** The common time of both PIOs, and the edges of inputs that are to come. */
export class PioTime {
  constructor(clock, core) {
    this.clock = clock;
    this.core = core;
    this.pads = null;
    this.pios = [];
    this.machines = [];
    this.enabled = []; // of them
    this.edges = []; // {cycles, pad, level}, in order
    this.running = false;
    this.current = 0;
    this.alarm = clock.createAlarm(() => this.catchUp());
  }

  add(pio) {
    this.pios.push(pio);
    this.machines.push(...pio.machines);
  }

  /** The count of cycles that it is: while they catch up, that of the instruction under way. */
  get now() {
    return this.running ? this.current : this.core.cycles;
  }

  get nanos() {
    return this.clock.anchorNanos + (this.now - this.clock.anchorCycles) * this.clock.nanosPerCycle;
  }

  /** Let an input pad take a level at a count of cycles to come, behind those that wait already. */
  schedule(cycles, pad, level) {
    this.edges.push({ cycles, pad, level });
  }

  /** Execute all that is due by now. */
  catchUp() {
    if (this.running) return;
    this.running = true;
    const until = this.core.cycles;
    while (this.edges.length > 0 && this.edges[0].cycles <= until) {
      const { cycles, pad, level } = this.edges.shift();
      this.#interrupt(cycles);
      this.pads.drive(pad, level);
    }
    this.#run(until);
    this.running = false;
    this.plan();
  }

  /** A pad is about to change: what has looked at it until now has seen it as it was. */
  disturb() {
    if (this.running) {
      for (const machine of this.machines) machine.wake(this.current);
    } else {
      this.catchUp();
      this.running = true;
      this.#interrupt(this.core.cycles);
      this.running = false;
      this.plan();
    }
  }

  /** Run until an instant at which inputs change; those that ran in circles end theirs before. */
  #interrupt(cycles) {
    this.#run(cycles);
    this.current = cycles;
    for (const machine of this.machines) machine.wake(cycles);
    this.#run(cycles);
    this.current = cycles;
  }

  #run(until) {
    for (;;) {
      const next = this.#next();
      if (next === null || next.due > until) return;
      this.current = next.due;
      next.step();
    }
  }

  #next() {
    let next = null;
    for (const machine of this.enabled) {
      if (machine.isAwake && (next === null || machine.due < next.due)) next = machine;
    }
    return next;
  }

  /** Set the alarm at the next instruction that is due whatever happens. */
  plan() {
    if (this.running) return;
    const next = this.#next();
    if (next === null) {
      this.alarm.cancel();
    } else {
      const { clock } = this;
      const cycles = Math.ceil(next.due);
      this.alarm.at(clock.anchorNanos + (cycles - clock.anchorCycles) * clock.nanosPerCycle);
    }
  }
}
