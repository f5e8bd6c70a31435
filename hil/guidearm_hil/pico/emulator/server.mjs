// An arm of emulated joints, served line by line: node server.mjs ROM FIRMWARE
//
// Each line of the input is a request in JSON, each line of the output its answer. The first request
// is the arm's set-up; the others have an `op`, which names a function below. Instants are ns of the
// arm's world. What cannot be gone on from is {failure}.
import fs from 'node:fs';
import { Arm } from './arm.mjs';
import { FLASH_BYTES } from './flash.mjs';
import { Latency } from './latency.mjs';
import { WORD } from './plant.mjs';

const STDIN = 0;
const STDOUT = 1;

/** Lines of the standard input, waited for. */
function* lines() {
  const chunk = Buffer.alloc(65536);
  let rest = '';
  for (;;) {
    const count = fs.readSync(STDIN, chunk);
    if (count === 0) return;
    rest += chunk.toString('latin1', 0, count);
    const whole = rest.split('\n');
    rest = whole.pop();
    yield* whole;
  }
}

function answer(reply) {
  fs.writeSync(STDOUT, `${JSON.stringify(reply)}\n`);
}

function bytes(hex) {
  return new Uint8Array(Buffer.from(hex, 'hex'));
}

/** Make the arm: each joint's flash is the firmware, and at addresses what its set-up says. */
function makeArm(setup, rom, firmware) {
  const joints = setup.joints.map((one) => {
    const flash = new Uint8Array(FLASH_BYTES).fill(0xff);
    flash.set(firmware);
    for (const [address, hex] of one.flash) flash.set(bytes(hex), address);
    return { ...one, flash, uniqueId: bytes(one.uniqueId) };
  });
  return new Arm({ ...setup, rom, joints });
}

const operations = {
  /**
   * Advance to `until`, with `untilHeard` no further than the end of what the host hears, under
   * `loads` of the joints if they have changed; tell where the links are.
   */
  advance(arm, { until, untilHeard, loads }) {
    loads?.forEach((load, index) => {
      arm.joints[index].plant.words[WORD.LOAD] = load;
    });
    arm.advance(until, untilHeard);
    const sent = arm.bus.done.map((f) => [f.sender, f.value, f.start, f.end, f.whole ? 1 : 0]);
    const { edges } = arm.bus;
    arm.bus.done = [];
    arm.bus.edges = [];
    const links = arm.joints.map(({ plant }) => plant.words[WORD.LINK_POSITION]);
    return { sent, edges, links };
  },

  /** Put the host's bytes on the wire at `at`, or behind what it is sending; tell their end. */
  send(arm, { data, at, baud }) {
    return { end: arm.bus.send(bytes(data), at, baud) };
  },

  /** Tell what each joint does, in the plant's units. */
  truth(arm) {
    return { joints: arm.joints.map((joint) => joint.truth()) };
  },

  /** Set words of a joint's plant: [[word, value], ...]. */
  words(arm, { joint, words }) {
    for (const [word, value] of words) arm.joints[joint].plant.words[word] = value;
    return {};
  },

  /** Hold the stop line, press the emergency button: true or false each. */
  lines(arm, { stopLine, emergency }) {
    arm.stopLineHeld = stopLine;
    for (const joint of arm.joints) joint.emergency = emergency;
    return {};
  },

  /** Take a joint's power and give it back. */
  power(arm, { joint }) {
    arm.boards[joint].powerDown();
    arm.boards[joint].powerUp(arm.now);
    return {};
  },

  /** Have a joint's power fail for good when so many bytes of its flash have changed from now on. */
  cut(arm, { joint, after }) {
    arm.boards[joint].chip.flash.left = after;
    return {};
  },

  /** Tell what a joint's flash holds at an address. */
  flash(arm, { joint, address, count }) {
    const board = arm.boards[joint];
    const all = board.chip === null ? board.flash : board.chip.flash.bytes;
    return { data: Buffer.from(all.subarray(address, address + count)).toString('hex') };
  },

  /** Count from now on what a joint's exception takes until it reads a register, and in all. */
  watch(arm, { joint, exception, address }) {
    arm.boards[joint].chip.core.latency = new Latency(exception, address);
    return {};
  },

  /** Tell how often that was, and what it took at most. */
  watched(arm, { joint }) {
    return arm.boards[joint].chip.core.latency.told;
  },

  /** Tell of each board how many instructions it has executed, and the pads in conflict. */
  boards(arm) {
    return {
      boards: arm.boards.map(({ chip, instructions }) => ({
        instructions: instructions + (chip?.core.instructions ?? 0),
        cycles: chip?.core.cycles ?? 0,
        conflicts: chip === null ? [] : [...chip.pads.conflicts],
        overruns: chip === null ? 0 : chip.mcu.uart.reduce((sum, port) => sum + port.overruns, 0),
      })),
      collisions: arm.bus.collisions,
    };
  },
};

const [romFile, firmwareFile] = process.argv.slice(2);
let arm = null;
for (const line of lines()) {
  const request = JSON.parse(line);
  let reply = {};
  if (arm === null) arm = makeArm(request, fs.readFileSync(romFile), fs.readFileSync(firmwareFile));
  else reply = operations[request.op](arm, request);
  const failed = arm.boards.findIndex((board) => board.failure !== null);
  answer(failed < 0 ? { now: arm.now, ...reply } : { failure: arm.boards[failed].failure, joint: failed });
}
