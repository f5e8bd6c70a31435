// Executes every Thumb instruction, each from a random state, on the emulated processor and on
// rp2040js's own: node compare.mjs SEED. Prints how many were compared, and those that differ
// in a register, a flag, memory or cycles.
import { RP2040 } from '../../../hil/guidearm_hil/pico/emulator/node_modules/rp2040js/dist/esm/index.js';
import { Clock } from '../../../hil/guidearm_hil/pico/emulator/clock.mjs';
import { Core } from '../../../hil/guidearm_hil/pico/emulator/core.mjs';

const seed = process.argv[2];

const RAM = 0x20000000;
const CODE = 0x1000; // in RAM
const DATA = 0x4000;
const DATA_BYTES = 0x1000;
const WINDOW = 0x8000; // of RAM, which is compared
const [SP, PC] = [13, 15];
const MOST_TOLD = 20;

let state = 2 * Number(seed) + 1;
function random() {
  state ^= state << 13;
  state ^= state >>> 17;
  state ^= state << 5;
  return state >>> 0;
}
const below = (limit) => random() % limit;

const EDGES = [0, 1, 2, 31, 32, 33, 255, 256, 0x7fffffff, 0x80000000, 0xffffffff, 0xfffffffe];
const value = () => (below(3) === 0 ? EDGES[below(EDGES.length)] : random() >>> below(32));
const pointer = () => RAM + DATA + 0x400 + 4 * below(256);
const target = () => (RAM + 2 * below(0x7000)) | 1;

/** What has to be so for an instruction to be a defined one within the RAM; null: none of those. */
function constraints(op) {
  const [d, n, m] = [op & 7, (op >> 3) & 7, (op >> 6) & 7];
  const byFive = op >> 11;
  const list = op & 0xff;
  if (op >> 10 === 0b010001) {
    const to = ((op >> 4) & 8) | d;
    const from = (op >> 3) & 15;
    const kind = (op >> 8) & 3;
    // rp2040js's jumps by BLX LR to where it comes from
    if (op === 0x47f0) return null;
    if (kind === 3) return op & 7 || from === PC || from === SP ? null : { [from]: target() };
    if (from === PC && to === PC) return null;
    if (kind === 1) return from === PC || to === PC || (from < 8 && to < 8) ? null : {};
    if (to === PC) return from === SP ? null : { [from]: kind === 0 ? 2 * below(0x1000) : target() };
    if (to === SP) return { [from]: from === PC ? 0 : 4 * below(1000), [SP]: pointer() };
    return {};
  }
  if (op >> 12 === 0b0101) return n === m ? null : { [n]: pointer(), [m]: 4 * below(64) };
  if (op >> 13 === 0b011 || op >> 12 === 0b1000) return { [n]: pointer() };
  if (op >> 12 === 0b1001) return { [SP]: pointer() };
  if (byFive === 0b11000 || byFive === 0b11001) {
    const base = (op >> 8) & 7;
    const first = list & -list;
    const stores = byFive === 0b11000;
    if (list === 0 || (stores && (list >> base) & 1 && first !== 1 << base)) return null;
    return { [base]: pointer() };
  }
  if (op >> 12 === 0b1011) {
    const kind = (op >> 8) & 15;
    if (kind === 0) return { [SP]: pointer() };
    if (kind === 4 || kind === 5) return op & 0x1ff ? { [SP]: pointer() } : null;
    if (kind === 12 || kind === 13) return op & 0x1ff ? { [SP]: pointer() } : null;
    if (kind === 2) return {};
    if (kind === 10) return ((op >> 6) & 3) === 2 ? null : {};
    return op === 0xbf00 ? {} : null; // others have tests of their own
  }
  if (op >> 12 === 0b1101) return (op >> 8 & 15) >= 14 ? null : {};
  if (byFive === 0b11110) return {}; // BL, with a random second half
  if (byFive === 0b11101 || byFive === 0b11111) return null;
  return {};
}

const [mine, theirs] = [0, 1].map(() => new RP2040(new Clock({ cycles: 0, limit: 0 }, 125e6)));
const core = new Core(mine);
const pages = [mine, theirs].map(({ sram }) => Buffer.from(sram.buffer, sram.byteOffset, WINDOW));

// ---- what rp2040js's gets wrong: flags of shifts by registers, of sums and differences with carry.
// AddWithCarry and Shift_C of the architecture's reference manual, in whole numbers

function addWithCarry(x, y, carry) {
  const signed = (word) => BigInt(word | 0);
  const unsigned = BigInt(x >>> 0) + BigInt(y >>> 0) + BigInt(carry);
  const result = Number(unsigned & 0xffffffffn);
  const sum = signed(x) + signed(y) + BigInt(carry);
  return { result, C: unsigned >> 32n ? 1 : 0, V: sum === signed(result) ? 0 : 1 };
}

function shift(kind, word, by, carry) {
  if (by === 0) return { result: word, C: carry };
  const wide = BigInt(word >>> 0);
  const signed = BigInt(word | 0);
  const n = BigInt(by);
  const bit = (all) => Number(all & 1n);
  const low = (all) => Number(BigInt.asUintN(32, all));
  switch (kind) {
    case 'LSL': return { result: low(wide << n), C: bit((wide << n) >> 32n) };
    case 'LSR': return { result: low(wide >> n), C: bit(wide >> (n - 1n)) };
    case 'ASR': return { result: low(signed >> n), C: bit(signed >> (n - 1n)) };
    default: {
      const turned = ((wide << 32n) | wide) >> (n % 32n);
      return { result: low(turned), C: bit(turned >> 31n) };
    }
  }
}

const REFERENCED = {
  0x4080: 'LSL', 0x40c0: 'LSR', 0x4100: 'ASR', 0x41c0: 'ROR', 0x4140: 'ADC', 0x4180: 'SBC',
};

/** The result and flags of an instruction that is one of those; null for all others. */
function reference(op, registers, carry) {
  const kind = REFERENCED[op & 0xffc0];
  if (kind === undefined) return null;
  const [x, y] = [registers[op & 7], registers[(op >> 3) & 7]];
  if (kind === 'ADC') return addWithCarry(x, y, carry);
  if (kind === 'SBC') return addWithCarry(x, ~y, carry);
  return shift(kind, x, y & 0xff, carry);
}

const FLAGS = { N: 31, Z: 30, C: 29, V: 28 };

function compare(op) {
  const wanted = constraints(op);
  if (wanted === null) return null;
  const registers = Array.from({ length: 15 }, value);
  registers[SP] = pointer();
  for (const [number, content] of Object.entries(wanted)) registers[number] = content >>> 0;
  registers[SP] = (registers[SP] & ~3) >>> 0;
  const flags = ((below(3) << 30) | (below(4) << 28)) >>> 0; // not both N and Z: no result is
  for (let word = 0; word < DATA_BYTES; word += 4) pages[0].writeUInt32LE(random(), DATA + word);
  if (op >> 8 === 0xbd) {
    const count = bits(op & 0xff);
    pages[0].writeUInt32LE(target(), registers[SP] - RAM + 4 * count);
  }
  pages[0].writeUInt16LE(op, CODE);
  pages[0].writeUInt16LE((random() & 0x2fff) | 0xd000, CODE + 2);
  pages[0].copy(pages[1]);

  registers.forEach((content, number) => {
    core.registers[number] = content;
    theirs.core.registers[number] = content;
  });
  core.registers[PC] = RAM + CODE;
  theirs.core.PC = RAM + CODE;
  core.APSR = flags;
  theirs.core.APSR = flags;
  const began = core.cycles;
  core.limit = began + 1;
  core.execute();
  const cycles = theirs.core.executeInstruction();

  // rp2040js's does not count LR or PC in a list
  const lost = op >> 8 === 0xb5 || op >> 8 === 0xbd ? 1 : 0;
  const got = { cycles: core.cycles - began, memory: 0 };
  const expected = { cycles: cycles + lost, memory: pages[0].compare(pages[1]) };
  for (let number = 0; number < 16; number++) {
    got[`r${number}`] = core.registers[number] >>> 0;
    expected[`r${number}`] = theirs.core.registers[number] >>> 0;
  }
  expected.r15 &= ~1;
  for (const [flag, bit] of Object.entries(FLAGS)) {
    got[flag] = (core.APSR >>> bit) & 1;
    expected[flag] = theirs.core[flag] ? 1 : 0;
  }
  if (op >> 11 === 0b11000) {
    // rp2040js's does not count on in a base that it stores
    const base = (op >> 8) & 7;
    expected[`r${base}`] = (registers[base] + 4 * bits(op & 0xff)) >>> 0;
  }
  const right = reference(op, registers, (flags >>> 29) & 1);
  if (right !== null) {
    const { result, ...others } = right;
    Object.assign(expected, others, { N: result >>> 31, Z: result === 0 ? 1 : 0 });
    expected[`r${op & 7}`] = result >>> 0;
  }
  const differing = Object.keys(got).filter((key) => got[key] !== expected[key]);
  const told = (all) => Object.fromEntries(differing.map((key) => [key, all[key]]));
  if (differing.length === 0) return true;
  return { op: op.toString(16), registers, flags, got: told(got), wanted: told(expected) };
}

function bits(word) {
  let count = 0;
  for (let rest = word; rest; rest &= rest - 1) count++;
  return count;
}

let compared = 0;
const differences = [];
for (let op = 0; op < 0x10000; op++) {
  const outcome = compare(op);
  if (outcome === null) continue;
  compared++;
  if (outcome !== true && differences.length < MOST_TOLD) differences.push(outcome);
}
console.log(JSON.stringify({ compared, differences }));
