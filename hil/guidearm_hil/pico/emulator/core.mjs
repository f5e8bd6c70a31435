// The Cortex-M0+ of one board: exceptions, interrupts and special registers of ARMv6-M.
//
// Instructions are executed by `processor/execute.ts`, compiled to WebAssembly: ten times as many in a
// second as by rp2040js's core, which tells them apart by comparing one after the other. Its memory
// holds the chip's memories and the state that both sides work on.
import fs from 'node:fs';

// where in that memory things are; processor/layout.ts has the same table
const MEMORY_PAGES = 64;
const REGISTERS = 0;
const RESULT = 64 / 4; // words
const CARRY = 68 / 4;
const OVERFLOW = 72 / 4;
const MASKED = 76 / 4;
const WAITING = 80 / 4;
const EVENT = 84 / 4;
const CYCLES = 88 / 8; // doubles
const LIMIT = 96 / 8;
const INSTRUCTIONS = 104 / 8;
const FOR_EVENT = 2; // what it may be waiting for
const ROM_AT = 0x20000;
const RAM_AT = 0x40000;
const FLASH_AT = 0x100000;

const RAM = 0x20000000;
const RAM_BYTES = 264 * 1024;
const FLASH = 0x10000000; // four times, with and without its cache
const FLASH_WINDOW = 0x4000000;
const FLASH_BYTES = 2 * 1024 * 1024;
const ROM_BYTES = 16 * 1024;

const SP = 13;
const LR = 14;
const PC = 15;

const NMI = 2;
const HARD_FAULT = 3;
const SVCALL = 11;
const PENDSV = 14;
const SYSTICK = 15;
const FIRST_INTERRUPT = 16;
const LOWEST_PRIORITY = 4;
// of an exception, from the datasheet of the processor; its return is taken to be as long
const ENTRY_CYCLES = 15;
const RETURN_CYCLES = 15;
const CLEAR_PENDING = 0x280; // among the processor's own registers
const SYSTEM_CONTROL = 0xd10;
const EVENT_WHEN_PENDING = 1 << 4; // of SCR
const SUPERVISOR_CALL = 0xdf; // the instruction's high byte

const PROCESSOR = new URL('./processor/execute.wasm', import.meta.url);
let compiled = null;

/** What a processor cannot do: the board stops with it. */
export class CoreError extends Error {}

export class Core {
  /** Run an RP2040 of rp2040js, whose memories are from now on those of the processor. */
  constructor(chip) {
    this.chip = chip;
    const memory = new WebAssembly.Memory({ initial: MEMORY_PAGES, maximum: MEMORY_PAGES });
    const { buffer } = memory;
    this.words = new Int32Array(buffer);
    this.doubles = new Float64Array(buffer);
    this.registers = new Int32Array(buffer, REGISTERS, 16);
    chip.bootrom = new Uint32Array(buffer, ROM_AT, ROM_BYTES / 4);
    chip.sram = new Uint8Array(buffer, RAM_AT, RAM_BYTES);
    chip.sramView = new DataView(buffer, RAM_AT, RAM_BYTES);
    chip.flash = new Uint8Array(buffer, FLASH_AT, FLASH_BYTES);
    chip.flash16 = new Uint16Array(buffer, FLASH_AT, FLASH_BYTES / 2);
    chip.flashView = new DataView(buffer, FLASH_AT, FLASH_BYTES);
    compiled ??= new WebAssembly.Module(fs.readFileSync(PROCESSOR));
    const { exports } = new WebAssembly.Instance(compiled, {
      env: { memory },
      core: {
        read: (address, bits) => this.#read(address >>> 0, bits),
        write: (address, value, bits) => this.#write(address >>> 0, value, bits),
        branch: (address) => this.#branch(address),
        readSpecial: (which) => this.#readSpecial(which),
        writeSpecial: (which, value) => this.#writeSpecial(which, value),
        attend: () => {
          this.interruptsUpdated = true;
        },
        breakpoint: (op) => this.#breakpoint(op),
        undefined: (op) => this.#undefined(op),
      },
    });
    exports.prepare();
    this.run = exports.execute;
    this.words[RESULT] = 1;
    this.handling = false; // handler mode
    this.IPSR = 0;
    this.usesProcessStack = false;
    this.otherStack = 0; // of main and process stack the one that is not in use
    this.unprivileged = false;
    this.VTOR = 0;
    this.SCR = 0;
    this.SHPR2 = 0;
    this.SHPR3 = 0;
    this.interruptNMIMask = 0;
    this.lines = 0; // of peripherals, that are high
    this.pendingInterrupts = 0;
    this.enabledInterrupts = 0;
    this.interruptPriorities = [0xffffffff, 0, 0, 0]; // per priority, which have it
    this.pendingNMI = false;
    this.pendingPendSV = false;
    this.pendingSVCall = false;
    this.pendingSystick = false;
    this.attentive = false;
    this.latency = null; // somebody's look at how long an exception takes
    this.#complete(chip.ppb);
  }

  /** Give the processor's own registers those that rp2040js's lack, or have otherwise. */
  #complete(ppb) {
    const read = ppb.readUint32.bind(ppb);
    const write = ppb.writeUint32.bind(ppb);
    ppb.readUint32 = (offset) => (offset === SYSTEM_CONTROL ? this.SCR : read(offset));
    ppb.writeUint32 = (offset, value) => {
      if (offset === SYSTEM_CONTROL) this.SCR = value;
      else if (offset === CLEAR_PENDING) this.pendingInterrupts &= ~value | this.lines;
      else write(offset, value);
    };
  }

  /** Begin at an address with the stack that the boot ROM names. */
  start(address) {
    this.registers[SP] = this.chip.bootrom[0];
    this.registers[PC] = address;
  }

  /** Take what is pending; then, unless it waits, execute instructions until the limit of cycles. */
  execute() {
    while (this.attentive) this.#attend();
    if (this.waiting) return;
    if (this.latency !== null) this.limit = this.latency.limit(this.cycles, this.limit);
    this.run();
  }

  // ---- the state in memory

  get cycles() {
    return this.doubles[CYCLES];
  }

  set cycles(value) {
    this.doubles[CYCLES] = value;
  }

  /** Of cycles, at which it looks up from executing. */
  get limit() {
    return this.doubles[LIMIT];
  }

  set limit(value) {
    this.doubles[LIMIT] = value;
  }

  get instructions() {
    return this.doubles[INSTRUCTIONS];
  }

  /** Whether it waits for an interrupt or an event. */
  get waiting() {
    return this.words[WAITING] !== 0;
  }

  #goOn() {
    this.words[WAITING] = 0;
  }

  // ---- what rp2040js's peripherals ask of a core

  set interruptsUpdated(value) {
    this.attentive = value;
    if (value) this.limit = 0;
  }

  get interruptsUpdated() {
    return this.attentive;
  }

  /** A peripheral's interrupt line. What has been high is pending until it is taken or cleared. */
  setInterrupt(number, value) {
    const bit = 1 << number;
    if (!value) {
      this.lines &= ~bit;
    } else if (!(this.lines & bit)) {
      this.lines |= bit;
      this.#pend(bit);
    }
  }

  #pend(bit) {
    if (this.pendingInterrupts & bit) return;
    this.pendingInterrupts |= bit;
    if (this.SCR & EVENT_WHEN_PENDING) this.#event();
    if (this.enabledInterrupts & bit) this.interruptsUpdated = true;
  }

  /** End a wait for an event, or the next one before it begins. */
  #event() {
    if (this.words[WAITING] === FOR_EVENT) this.#goOn();
    else this.words[EVENT] = 1;
  }

  get vectPending() {
    return this.#mostUrgent(LOWEST_PRIORITY);
  }

  // ---- exceptions

  /** The pending exception that comes before a priority, 0 without one. */
  #mostUrgent(than) {
    if (this.pendingNMI) return NMI;
    const interrupts = this.pendingInterrupts & this.enabledInterrupts;
    for (let priority = 0; priority < than; priority++) {
      if (this.pendingSVCall && this.SHPR2 >>> 30 === priority) return SVCALL;
      if (this.pendingPendSV && ((this.SHPR3 >>> 22) & 3) === priority) return PENDSV;
      if (this.pendingSystick && this.SHPR3 >>> 30 === priority) return SYSTICK;
      const level = interrupts & this.interruptPriorities[priority];
      if (level) return FIRST_INTERRUPT + 31 - Math.clz32(level & -level);
    }
    return 0;
  }

  get #priority() {
    let own = LOWEST_PRIORITY;
    const active = this.IPSR;
    if (active === NMI) own = -2;
    else if (active === HARD_FAULT) own = -1;
    else if (active === SVCALL) own = this.SHPR2 >>> 30;
    else if (active === PENDSV) own = (this.SHPR3 >>> 22) & 3;
    else if (active === SYSTICK) own = this.SHPR3 >>> 30;
    else if (active >= FIRST_INTERRUPT) {
      const bit = 1 << (active - FIRST_INTERRUPT);
      own = this.interruptPriorities.findIndex((which) => which & bit);
    }
    return this.words[MASKED] !== 0 && own > 0 ? 0 : own;
  }

  /** Take the most urgent pending exception, if it may be taken now. */
  #attend() {
    this.attentive = false;
    const number = this.#mostUrgent(this.#priority);
    if (number === 0) {
      // masked or not: one that is pending ends a wait
      if (this.waiting && this.#mostUrgent(LOWEST_PRIORITY) !== 0) this.#goOn();
      return;
    }
    if (number === NMI) this.pendingNMI = false;
    else if (number === SVCALL) this.pendingSVCall = false;
    else if (number === PENDSV) this.pendingPendSV = false;
    else if (number === SYSTICK) this.pendingSystick = false;
    else this.pendingInterrupts &= ~(1 << (number - FIRST_INTERRUPT));
    this.#goOn();
    this.#enter(number);
    this.attentive = true; // another may be more urgent still, or be next
  }

  #enter(number) {
    const r = this.registers;
    const aligned = r[SP] & 4;
    const frame = ((r[SP] - 32) & ~7) >>> 0;
    const stacked = [r[0], r[1], r[2], r[3], r[12], r[LR], r[PC]];
    stacked.forEach((word, index) => this.#write(frame + 4 * index, word, 32));
    this.#write(frame + 28, this.xPSR | (aligned << 7), 32);
    r[SP] = frame;
    r[LR] = this.handling ? 0xfffffff1 : this.usesProcessStack ? 0xfffffffd : 0xfffffff9;
    this.handling = true;
    this.IPSR = number;
    this.#useStack(false);
    this.words[EVENT] = 1;
    r[PC] = this.read32(this.VTOR + 4 * number) & ~1;
    this.latency?.entered(number, this);
    this.cycles += ENTRY_CYCLES;
  }

  #return(how) {
    const r = this.registers;
    const from = this.IPSR;
    const bit = from >= FIRST_INTERRUPT ? 1 << (from - FIRST_INTERRUPT) : 0;
    if (this.lines & bit) this.#pend(bit);
    this.handling = (how & 0xf) === 1;
    this.#useStack((how & 0xf) === 0xd);
    const frame = r[SP];
    for (let index = 0; index < 4; index++) r[index] = this.read32(frame + 4 * index);
    r[12] = this.read32(frame + 16);
    r[LR] = this.read32(frame + 20);
    r[PC] = this.read32(frame + 24) & ~1;
    const status = this.read32(frame + 28);
    r[SP] = (frame + 32) | ((status >> 7) & 4);
    this.APSR = status;
    this.IPSR = status & 0x3f;
    this.words[EVENT] = 1;
    this.cycles += RETURN_CYCLES;
    this.latency?.returned(from, this);
    this.interruptsUpdated = true;
  }

  #useStack(process) {
    if (this.usesProcessStack !== process) {
      const r = this.registers;
      [r[SP], this.otherStack] = [this.otherStack, r[SP]];
      this.usesProcessStack = process;
    }
  }

  // ---- special registers

  get APSR() {
    // N and Z are those of a result; both can be set by writing this register only
    const result = this.words[RESULT];
    const sign = (result & 0x80000000) | (result === 0 ? 0x40000000 : 0);
    return sign | (this.words[CARRY] << 29) | (this.words[OVERFLOW] << 28);
  }

  set APSR(value) {
    if (value >>> 30 === 3) {
      throw new CoreError('a result that is both negative and zero is not modelled');
    }
    this.words[RESULT] = value & 0x80000000 ? -1 : value & 0x40000000 ? 0 : 1;
    this.words[CARRY] = (value >>> 29) & 1;
    this.words[OVERFLOW] = (value >>> 28) & 1;
  }

  get xPSR() {
    return this.APSR | (1 << 24) | this.IPSR;
  }

  #readSpecial(which) {
    switch (which) {
      case 0: return this.APSR;
      case 3: return this.xPSR;
      case 5: return this.IPSR;
      case 8: return this.usesProcessStack ? this.otherStack : this.registers[SP];
      case 9: return this.usesProcessStack ? this.registers[SP] : this.otherStack;
      case 16: return this.words[MASKED];
      case 20: return (this.usesProcessStack ? 2 : 0) | (this.unprivileged ? 1 : 0);
      default: throw new CoreError(`MRS of special register ${which}`);
    }
  }

  #writeSpecial(which, value) {
    switch (which) {
      case 0: case 1: case 2: case 3: // IPSR and EPSR take no writes
        this.APSR = value;
        break;
      case 5: case 6: case 7:
        break;
      case 8: case 9:
        if ((which === 9) === this.usesProcessStack) this.registers[SP] = value & ~3;
        else this.otherStack = value & ~3;
        break;
      case 16:
        this.words[MASKED] = value & 1;
        this.interruptsUpdated = true;
        break;
      case 20:
        this.unprivileged = (value & 1) !== 0;
        if (!this.handling) this.#useStack((value & 2) !== 0);
        break;
      default:
        throw new CoreError(`MSR of special register ${which}`);
    }
  }

  // ---- memory, for what the processor does not find itself

  read32(address) {
    return this.#read(address >>> 0, 32);
  }

  read8(address) {
    return this.#read(address >>> 0, 8);
  }

  #read(a, bits) {
    if (a & (bits / 8 - 1)) this.#unaligned(a);
    const word = a & ~3;
    let value;
    if (a - RAM >>> 0 < RAM_BYTES) value = this.words[(RAM_AT + (word - RAM)) >> 2];
    else if (a - FLASH >>> 0 < FLASH_WINDOW) value = this.words[(FLASH_AT + (word & (FLASH_BYTES - 1))) >> 2];
    else if (a < ROM_BYTES) value = this.words[(ROM_AT + word) >> 2];
    else {
      value = this.chip.readUint32(word >>> 0) | 0;
      this.latency?.read(word >>> 0, this);
    }
    return bits === 32 ? value : (value >>> ((a & 3) * 8)) & ((1 << bits) - 1);
  }

  #write(a, value, bits) {
    if (a & (bits / 8 - 1)) this.#unaligned(a);
    if (a - FLASH >>> 0 < FLASH_WINDOW) this.#readOnly(a);
    if (a < ROM_BYTES) return; // TinyUSB does, to no effect
    if (bits === 32) this.chip.writeUint32(a, value >>> 0);
    else if (bits === 16) this.chip.writeUint16(a, value & 0xffff);
    else this.chip.writeUint8(a, value & 0xff);
  }

  #unaligned(address) {
    throw new CoreError(`access to 0x${address.toString(16)}, which is not aligned`);
  }

  #readOnly(address) {
    throw new CoreError(`write to 0x${address.toString(16)}, which is read-only`);
  }

  /** The end of an exception, or what no program may branch to. */
  #branch(address) {
    if (this.handling && address >>> 28 === 0xf) this.#return(address);
    else throw new CoreError(`branch to 0x${(address >>> 0).toString(16)}, which is no Thumb code`);
  }

  #breakpoint(op) {
    if (op >> 8 === SUPERVISOR_CALL) {
      this.pendingSVCall = true;
      this.interruptsUpdated = true;
    } else {
      this.chip.onBreak(op & 0xff);
    }
  }

  #undefined(op) {
    throw new CoreError(`undefined instruction 0x${op.toString(16)}`);
  }
}
