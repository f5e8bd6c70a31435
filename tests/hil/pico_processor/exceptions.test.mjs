// Exceptions, sleep and special registers of the emulated processor, and what it refuses to do.
// Expectations are those of the architecture's reference manual, ARMv6-M.
import assert from 'node:assert/strict';
import { test } from 'node:test';
import { RP2040 } from '../../../hil/guidearm_hil/pico/emulator/node_modules/rp2040js/dist/esm/index.js';
import { Clock } from '../../../hil/guidearm_hil/pico/emulator/clock.mjs';
import { Core } from '../../../hil/guidearm_hil/pico/emulator/core.mjs';

const RAM = 0x20000000; // the vectors, then
const CODE = RAM + 0x1000;
const STACK = RAM + 0x8000;
const HANDLER = (number) => RAM + 0x2000 + 0x100 * number;
const [SP, LR, PC] = [13, 14, 15];
const [SVCALL, PENDSV, SYSTICK] = [11, 14, 15];
const interrupt = (number) => 16 + number;
const EVENT_WHEN_PENDING = 1 << 4;

const NOP = 0xbf00;
const [WFE, WFI, SEV] = [0xbf20, 0xbf30, 0xbf40];
const [CPSIE, CPSID] = [0xb662, 0xb672];
const SVC = 0xdf00;
const BX_LR = 0x4770;
const HERE = 0xe7fe; // b .

/** A processor whose handlers return at once, before the instructions of `code`. */
function processor(...code) {
  const clock = new Clock({ cycles: 0, limit: 0 }, 125e6);
  const chip = new RP2040(clock);
  const core = new Core(chip);
  chip.core = core;
  clock.core = core;
  const memory = chip.sramView;
  const put = (address, ...halfwords) =>
    halfwords.forEach((one, index) => memory.setUint16(address - RAM + 2 * index, one, true));
  for (let number = 1; number < 48; number++) {
    memory.setUint32(4 * number, HANDLER(number) | 1, true);
    put(HANDLER(number), BX_LR);
  }
  put(CODE, ...code, HERE);
  core.VTOR = RAM;
  core.registers[SP] = STACK;
  core.registers[PC] = CODE;
  const word = (address) => memory.getUint32(address - RAM, true);
  /** So many steps, each of which executes an instruction or takes an exception. */
  const step = (count = 1) => {
    for (let n = 0; n < count; n++) {
      core.limit = core.cycles + 1;
      core.execute();
    }
  };
  return { core, put, word, step, at: () => core.registers[PC] >>> 0 };
}

test('an exception stacks what a function may change, and its return restores it', () => {
  for (const odd of [0, 4]) {
    const { core, word, step, at } = processor(SVC, NOP);
    core.registers.set([1, 2, 3, 4]);
    core.registers[12] = 12;
    core.registers[LR] = 0x77;
    core.registers[SP] = STACK + odd;
    core.APSR = 0xa0000000;
    step(1);
    assert.equal(at(), CODE + 2);
    const before = core.cycles;
    step(1);
    assert.equal(core.cycles - before, 15);
    assert.equal(at(), HANDLER(SVCALL));
    step(1);
    assert.equal(at(), CODE + 2);
    assert.deepEqual([...core.registers.slice(0, 4)], [1, 2, 3, 4]);
    assert.equal(core.registers[SP], STACK + odd);
    assert.equal(core.registers[LR], 0x77);
    assert.equal(core.APSR >>> 0, 0xa0000000);
    const frame = STACK + odd - 32 - odd;
    const stacked = Array.from({ length: 8 }, (_, index) => word(frame + 4 * index));
    const status = 0xa1000000 + (odd ? 1 << 9 : 0);
    assert.deepEqual(stacked, [1, 2, 3, 4, 12, 0x77, CODE + 2, status]);
  }
});

test('a handler knows which exception it is, and how to return', () => {
  const { core, step } = processor(SVC);
  step(2);
  assert.equal(core.IPSR, SVCALL);
  assert.equal(core.registers[LR] >>> 0, 0xfffffff9);
  step(1);
  assert.equal(core.IPSR, 0);
});

test('with the process stack in use, a handler has the main one', () => {
  // msr psp, r0; msr control, r1; svc
  const { core, step, at } = processor(0xf380, 0x8809, 0xf381, 0x8814, SVC);
  core.registers[0] = STACK + 0x1000;
  core.registers[1] = 2;
  step(3);
  assert.equal(core.registers[SP], STACK + 0x1000);
  step(1);
  assert.equal(core.registers[SP], STACK);
  assert.equal(core.registers[LR] >>> 0, 0xfffffffd);
  step(1);
  assert.equal(core.registers[SP], STACK + 0x1000);
  assert.equal(at(), CODE + 10);
});

test('an interrupt that is enabled is taken before the next instruction', () => {
  const { core, step, at } = processor(NOP, NOP);
  core.chip.ppb.writeUint32(0x100, 1 << 5);
  core.setInterrupt(5, true);
  step(1);
  assert.equal(core.IPSR, interrupt(5));
  core.setInterrupt(5, false);
  step(1);
  assert.equal(core.IPSR, 0);
  core.chip.ppb.writeUint32(0x180, 1 << 5);
  core.setInterrupt(5, true);
  const before = core.instructions;
  step(1);
  assert.equal(at(), CODE + 2); // it is not enabled now
  assert.equal(core.instructions, before + 1);
});

test('the more urgent comes first and interrupts the less urgent; equals wait', () => {
  const { core, put, step } = processor(NOP);
  const { ppb } = core.chip;
  ppb.writeUint32(0x100, 0b111);
  ppb.writeUint32(0x400, 0x00408080); // interrupt 0 and 1: 2, interrupt 2: 1
  for (const number of [0, 1, 2]) put(HANDLER(interrupt(number)), NOP, BX_LR);
  core.setInterrupt(1, true);
  step(1);
  assert.equal(core.IPSR, interrupt(1));
  core.setInterrupt(0, true); // before it by number, but as urgent
  step(1);
  assert.equal(core.IPSR, interrupt(1));
  core.setInterrupt(2, true);
  step(1);
  assert.equal(core.IPSR, interrupt(2));
  assert.equal(core.registers[LR] >>> 0, 0xfffffff1);
  core.setInterrupt(2, false);
  step(2);
  assert.equal(core.IPSR, interrupt(1));
  core.setInterrupt(1, false);
  step(1);
  assert.equal(core.IPSR, 0);
  step(1);
  assert.equal(core.IPSR, interrupt(0));
});

test('an interrupt whose line was high is pending until it is taken or cleared', () => {
  const { core, step } = processor(NOP, NOP, NOP);
  const { ppb } = core.chip;
  const clear = () => ppb.writeUint32(0x280, 1 << 5);
  core.setInterrupt(5, true);
  clear();
  assert.equal(core.pendingInterrupts, 1 << 5); // the line is still high
  core.setInterrupt(5, false);
  assert.equal(core.pendingInterrupts, 1 << 5);
  clear();
  assert.equal(core.pendingInterrupts, 0);
  core.setInterrupt(5, true);
  core.setInterrupt(5, false);
  ppb.writeUint32(0x100, 1 << 5);
  step(1);
  assert.equal(core.IPSR, interrupt(5));
  assert.equal(core.pendingInterrupts, 0);
  core.setInterrupt(5, true); // once more while it is served
  step(1);
  assert.equal(core.IPSR, 0);
  step(1);
  assert.equal(core.IPSR, interrupt(5));
  step(1); // it is still high when the handler returns
  step(1);
  assert.equal(core.IPSR, interrupt(5));
});

test('while interrupts are masked one waits, and is taken when they are not', () => {
  const { core, step, at } = processor(CPSID, NOP, CPSIE, NOP);
  core.chip.ppb.writeUint32(0x100, 1 << 3);
  step(1);
  core.setInterrupt(3, true);
  step(2);
  assert.equal(at(), CODE + 6);
  assert.equal(core.IPSR, 0);
  step(1);
  assert.equal(core.IPSR, interrupt(3));
});

test('PendSV and SysTick are exceptions of their own priorities', () => {
  const { core, step } = processor(NOP, NOP);
  core.SHPR3 = 0x40c00000; // SysTick 1, PendSV 3
  core.chip.ppb.writeUint32(0xd04, 1 << 28);
  step(1);
  assert.equal(core.IPSR, PENDSV);
  core.pendingSystick = true;
  core.interruptsUpdated = true;
  step(1);
  assert.equal(core.IPSR, SYSTICK);
});

test('a wait for an interrupt ends by one that is pending, masked or not', () => {
  const { core, step, at } = processor(CPSID, WFI, NOP);
  core.chip.ppb.writeUint32(0x100, 1 << 3);
  step(3);
  assert.equal(core.waiting, true);
  assert.equal(at(), CODE + 4);
  core.setInterrupt(3, true);
  step(1);
  assert.equal(core.waiting, false);
  assert.equal(core.IPSR, 0);
  assert.equal(at(), CODE + 6);
});

test('a wait for an event ends by one, also by one that was before', () => {
  const { core, step, at } = processor(SEV, WFE, WFE, NOP);
  step(2);
  assert.deepEqual([core.waiting, at()], [false, CODE + 4]);
  step(2);
  assert.deepEqual([core.waiting, at()], [true, CODE + 6]);
});

test('a pending interrupt that is not enabled is an event if the processor was told so', () => {
  for (const told of [false, true]) {
    const { core, step } = processor(WFE, WFE, NOP);
    core.SCR = told ? EVENT_WHEN_PENDING : 0;
    step(1);
    assert.equal(core.waiting, true);
    core.setInterrupt(12, true);
    assert.equal(core.waiting, !told);
    if (!told) continue;
    step(1);
    assert.equal(core.waiting, true); // it was one event
    core.setInterrupt(12, false);
    core.chip.ppb.writeUint32(0x280, 1 << 12);
    core.setInterrupt(12, true);
    assert.equal(core.waiting, false);
  }
});

test('such an interrupt ends no wait for an interrupt', () => {
  const { core, step } = processor(WFI, NOP);
  core.SCR = EVENT_WHEN_PENDING;
  step(1);
  core.setInterrupt(12, true);
  step(1);
  assert.equal(core.waiting, true);
});

test('special registers are written and read', () => {
  // msr psp, r0; mrs r1, psp; msr primask, r2; mrs r3, primask; mrs r4, apsr
  const { core, step } = processor(
    0xf380, 0x8809, 0xf3ef, 0x8109, 0xf382, 0x8810, 0xf3ef, 0x8310, 0xf3ef, 0x8400,
  );
  core.registers.set([0x12345677, 0, 1, 0, 0]);
  core.APSR = 0x90000000;
  step(5);
  assert.deepEqual([core.registers[1], core.registers[3]], [0x12345674, 1]);
  assert.equal(core.registers[4] >>> 0, 0x90000000);
});

test('BLX through LR goes where LR pointed', () => {
  const { core, step, at } = processor(0x47f0);
  core.registers[LR] = (CODE + 0x40) | 1;
  step(1);
  assert.equal(at(), CODE + 0x40);
  assert.equal(core.registers[LR], CODE + 3);
});

const REFUSED = {
  'an undefined instruction': { code: [0xde00], told: /undefined instruction 0xde00/ },
  'another undefined one': { code: [0xb100], told: /undefined/ },
  'a word that is not aligned': { code: [0x6808], r1: RAM + 2, told: /not aligned/ },
  'a halfword that is not aligned': { code: [0x8808], r1: RAM + 1, told: /not aligned/ },
  'a write to flash': { code: [0x6008], r1: 0x10000000, told: /read-only/ },
  'a branch to what is no Thumb code': { code: [0x4708], r1: CODE, told: /no Thumb code/ },
  'a branch to where no code is': { code: [0x4708, NOP], r1: 0x40000001, told: /no Thumb code/ },
};
for (const [name, { code, r1, told }] of Object.entries(REFUSED)) {
  test(`the board stops with ${name}`, () => {
    const { core, step } = processor(...code);
    core.registers[1] = r1 ?? 0;
    assert.throws(() => step(2), told);
  });
}
