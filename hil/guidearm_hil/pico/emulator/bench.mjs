// One board on a bench, at MicroPython's prompt, with its pins in hand: node bench.mjs ROM FIRMWARE
//
// Each line of the input is a request in JSON whose `op` names a function below, each line of the
// output its answer. Instants are ns of the board's own time. The first request is {maintenance}, the
// pad of the jumper, which is set while the board boots. What goes wrong with the emulation is
// {failure}, and ends it.
import fs from 'node:fs';
import { createInterface } from 'node:readline';
import { As5048a } from './as5048a.mjs';
import { Chip } from './chip.mjs';
import { FLASH_BYTES } from './flash.mjs';
import { PADS } from './pads.mjs';
import { Repl } from './repl.mjs';

const QUADRATURE = [[0, 0], [1, 0], [1, 1], [0, 1]]; // A and B; up while A leads B
const SECOND = 1e9;
const WATCHDOG = 0x40058;

/** The watchdog has reset the chip. */
class Reset extends Error {
  constructor() {
    super('the watchdog has reset the board');
  }
}

/** What is wired to the board: whatever a request has put there. */
class Wiring {
  constructor() {
    this.levels = new Map(); // pad to level
    this.angle = 0;
    this.encoder = new As5048a(() => this.angle);
    this.spoilt = 0; // answers of the encoder yet to lose a bit
    this.garbled = 0; // commands likewise
    this.commands = []; // that it got
    this.millivolts = [0, 0, 0];
    this.count = 0;
    this.recorded = [];
    this.watched = new Set();
  }

  connect(chip) {
    chip.mcu.spi[0].onTransfer = (word, bits) => this.#exchange(chip.mcu.spi[0], word, bits);
    for (let pad = 0; pad < PADS; pad++) {
      chip.pads.onLevel(pad, (level) => {
        if (this.watched.has(pad)) this.recorded.push([pad, level, chip.pioTime.nanos]);
      });
    }
    for (const [pad, level] of this.levels) chip.pads.drive(pad, level);
    this.convert(chip);
  }

  #exchange(port, word, bits) {
    this.commands.push(word);
    const heard = this.garbled > 0 ? word ^ 1 : word;
    if (this.garbled > 0) this.garbled--;
    const answer = this.encoder.exchange(heard, bits, port.mode, port.baud);
    if (this.spoilt === 0) return answer;
    this.spoilt--;
    return answer ^ 1;
  }

  convert(chip) {
    this.millivolts.forEach((value, channel) => {
      chip.mcu.adc.channelValues[channel] = Math.min(4095, Math.round((value * 4096) / 3300));
    });
  }
}

const wiring = new Wiring();
const [rom, firmware] = process.argv.slice(2).map((file) => fs.readFileSync(file));
let chip = null;
let repl = null;
let boots = 0;

/** Give power, to what the flash holds; the watchdog keeps `reason` and `scratch` over its reset. */
function boot(flash, reason, scratch) {
  chip = new Chip({ rom, flash, uniqueId: new TextEncoder().encode('on bench'), seed: 1 });
  boots++;
  const watchdog = chip.mcu.peripherals[WATCHDOG];
  watchdog.reason = reason;
  watchdog.scratchData.set(scratch);
  watchdog.onWatchdogTrigger = () => {
    throw new Reset();
  };
  wiring.connect(chip);
}

/** Run until an instant of the chip's time; return false if the watchdog has reset it. */
function run(nanos) {
  try {
    chip.run(nanos);
  } catch (error) {
    if (!(error instanceof Reset)) throw error;
    const { reason, scratchData } = chip.mcu.peripherals[WATCHDOG];
    boot(chip.flash.bytes.slice(), reason, scratchData);
    return false;
  }
  return true;
}

function enter() {
  repl = new Repl(chip);
  return { printed: repl.enter() };
}

const operations = {
  /** Run a script for at most so many seconds. */
  run({ script, seconds }) {
    return repl.run(script, seconds * SECOND);
  },

  /** Let time pass, or less if the watchdog resets the board meanwhile. */
  advance({ seconds }) {
    const until = chip.clock.nanos + seconds * SECOND;
    return { reset: !run(until) };
  },

  /** Drive a pad to a level, or leave it alone: null. */
  drive({ pad, level }) {
    wiring.levels.set(pad, level ?? undefined);
    chip.pads.drive(pad, level ?? undefined);
    return {};
  },

  /** Put a level on a pad for so long, from an instant on. */
  pulse({ pad, level, at, nanos }) {
    const { clock, pads } = chip;
    const back = wiring.levels.get(pad);
    clock.createAlarm(() => pads.drive(pad, level)).at(at);
    clock.createAlarm(() => pads.drive(pad, back)).at(at + nanos);
    return {};
  },

  /** Put voltages on the converter's channels. */
  analog({ millivolts }) {
    wiring.millivolts = millivolts;
    wiring.convert(chip);
    return {};
  },

  /** Turn the motor encoder by so many counts at a rate; `pads` are those of A and B. */
  turn({ counts, rate, pads }) {
    const direction = Math.sign(counts);
    let left = Math.abs(counts);
    let next = chip.clock.nanos;
    const show = () => {
      QUADRATURE[wiring.count & 3].forEach((level, index) => {
        wiring.levels.set(pads[index], level);
        chip.pads.drive(pads[index], level);
      });
    };
    const edge = chip.clock.createAlarm(() => {
      wiring.count += direction;
      show();
      left--;
      next += SECOND / rate;
      if (left > 0) edge.at(next);
    });
    show();
    if (left > 0) edge.at(next);
    return { until: next + (left * SECOND) / rate };
  },

  /** Set what the output encoder measures, and how many answers and commands are to lose a bit. */
  encoder({ angle, spoilt, garbled, silent }) {
    wiring.angle = angle;
    wiring.spoilt = spoilt;
    wiring.garbled = garbled;
    wiring.encoder.silent = silent;
    const { commands } = wiring;
    wiring.commands = [];
    return { commands };
  },

  /** Have bytes come over the bus, one after the other from an instant on; tell their ends. */
  hear({ data, at, baud }) {
    const { clock, mcu } = chip;
    const bytes = Buffer.from(data, 'hex');
    const ends = [...bytes].map((_, index) => at + ((index + 1) * 10 * SECOND) / baud);
    bytes.forEach((byte, index) => {
      clock.createAlarm(() => mcu.uart[0].receive(byte)).at(ends[index]);
    });
    return { ends };
  },

  /** Watch pads; what they did since the last time. */
  record({ pads }) {
    const { recorded } = wiring;
    wiring.recorded = [];
    wiring.watched = new Set(pads);
    return { edges: recorded };
  },

  /** Tell of the PWM of a pad: its share of time, and its frequency. */
  pwm({ pad }) {
    const { pwm } = chip.mcu;
    return { duty: pwm.duty(pad), hertz: pwm.frequency(pad) };
  },

  /** Take the power and give it back; leave the board at its prompt. */
  power() {
    boot(chip.flash.bytes.slice(), 0, new Uint32Array(8));
    return enter();
  },

  /** After a reset: enter the prompt of the chip that came of it. */
  enter,

  state() {
    return {
      nanos: chip.clock.nanos,
      instructions: chip.core.instructions,
      boots,
      levels: Array.from({ length: PADS }, (_, pad) => chip.pads.level(pad)),
    };
  },
};

function answer(reply) {
  fs.writeSync(1, `${JSON.stringify(reply)}\n`);
}

function switchOn({ maintenance }) {
  const flash = new Uint8Array(FLASH_BYTES).fill(0xff);
  flash.set(firmware);
  wiring.levels.set(maintenance, 0);
  boot(flash, 0, new Uint32Array(8));
  return enter();
}

try {
  for await (const line of createInterface({ input: process.stdin })) {
    const request = JSON.parse(line);
    answer(chip === null ? switchOn(request) : operations[request.op](request));
  }
} catch (error) {
  answer({ failure: error.message });
  process.exit(1);
}
