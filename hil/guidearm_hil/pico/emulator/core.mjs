// The Cortex-M0+ of one board: ARMv6-M's instructions, exceptions and interrupts.
//
// It stands in for rp2040js's core, which tells instructions apart by comparing one after the other
// and takes each through general memory functions: this one runs ten times as many of them in a
// second. Cycles are the datasheet's without wait states: flash is as quick as memory.
import { INSTRUCTION } from './thumb.mjs';

const RAM = 0x20000000;
const RAM_BYTES = 264 * 1024;
const FLASH = 0x10000000; // four times, with and without its cache
const FLASH_BYTES = 0x4000000;
const FLASH_MASK = 0xffffff;
const ROM_BYTES = 16 * 1024;
const SIO = 0xd;
const APB = 0x4;

const SP = 13;
const LR = 14;
const PC = 15;

const NMI = 2;
const HARD_FAULT = 3;
const SVCALL = 11;
const PENDSV = 14;
const SYSTICK = 15;
const FIRST_INTERRUPT = 16;
const LAST_HARDWARE_INTERRUPT = 25; // beyond it only software makes one pending
const LOWEST_PRIORITY = 4;
// of an exception, from the datasheet of the processor; its return is taken to be as long
const ENTRY_CYCLES = 15;
const RETURN_CYCLES = 15;

/** What a processor cannot do: the board stops with it. */
export class CoreError extends Error {}

export class Core {
  /** Run the memories and peripherals of an RP2040 of rp2040js. */
  constructor(chip) {
    this.chip = chip;
    this.registers = new Int32Array(16);
    this.ram32 = new Int32Array(chip.sram.buffer);
    this.ram16 = new Uint16Array(chip.sram.buffer);
    this.ram8 = chip.sram;
    this.flash32 = new Int32Array(chip.flash.buffer);
    this.flash16 = new Uint16Array(chip.flash.buffer);
    this.flash8 = chip.flash;
    this.rom32 = new Int32Array(chip.bootrom.buffer);
    this.rom16 = new Uint16Array(chip.bootrom.buffer);
    this.rom8 = new Uint8Array(chip.bootrom.buffer);
    this.cycles = 0;
    this.limit = 0; // of cycles, at which it looks up from executing
    this.instructions = 0;
    // N and Z are those of this result; both can be set by writing the status register only
    this.result = 1;
    this.C = 0;
    this.V = 0;
    this.waiting = false;
    this.event = false;
    this.masked = false; // PRIMASK
    this.handling = false; // handler mode
    this.IPSR = 0;
    this.usesProcessStack = false;
    this.otherStack = 0; // of main and process stack the one that is not in use
    this.unprivileged = false;
    this.VTOR = 0;
    this.SHPR2 = 0;
    this.SHPR3 = 0;
    this.interruptNMIMask = 0;
    this.pendingInterrupts = 0;
    this.enabledInterrupts = 0;
    this.interruptPriorities = [0xffffffff, 0, 0, 0]; // per priority, which have it
    this.pendingNMI = false;
    this.pendingPendSV = false;
    this.pendingSVCall = false;
    this.pendingSystick = false;
    this.attentive = false;
  }

  /** Begin at an address with the stack that the boot ROM names. */
  start(address) {
    this.registers[SP] = this.rom32[0];
    this.registers[PC] = address;
  }

  // ---- what rp2040js's peripherals ask of a core

  set interruptsUpdated(value) {
    this.attentive = value;
    if (value) this.limit = 0;
  }

  get interruptsUpdated() {
    return this.attentive;
  }

  /** A peripheral's interrupt line. */
  setInterrupt(number, value) {
    const bit = 1 << number;
    if (!value) {
      this.pendingInterrupts &= ~bit;
    } else if (!(this.pendingInterrupts & bit)) {
      this.pendingInterrupts |= bit;
      if (this.enabledInterrupts & bit) this.interruptsUpdated = true;
    }
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
    return this.masked && own > 0 ? 0 : own;
  }

  /** Take the most urgent pending exception, if it may be taken now. */
  #attend() {
    this.attentive = false;
    const number = this.#mostUrgent(this.#priority);
    if (number === 0) {
      // masked or not: one that is pending ends a wait
      if (this.waiting && this.#mostUrgent(LOWEST_PRIORITY) !== 0) this.waiting = false;
      return;
    }
    if (number === NMI) this.pendingNMI = false;
    else if (number === SVCALL) this.pendingSVCall = false;
    else if (number === PENDSV) this.pendingPendSV = false;
    else if (number === SYSTICK) this.pendingSystick = false;
    else if (number - FIRST_INTERRUPT > LAST_HARDWARE_INTERRUPT) {
      this.pendingInterrupts &= ~(1 << (number - FIRST_INTERRUPT));
    }
    this.waiting = false;
    this.#enter(number);
    this.attentive = true; // another may be more urgent still, or be next
  }

  #enter(number) {
    const r = this.registers;
    const aligned = r[SP] & 4;
    const frame = (r[SP] - 32) & ~7;
    const stacked = [r[0], r[1], r[2], r[3], r[12], r[LR], r[PC]];
    stacked.forEach((word, index) => this.write32(frame + 4 * index, word));
    this.write32(frame + 28, this.xPSR | (aligned << 7));
    r[SP] = frame;
    r[LR] = this.handling ? 0xfffffff1 : this.usesProcessStack ? 0xfffffffd : 0xfffffff9;
    this.handling = true;
    this.IPSR = number;
    this.#useStack(false);
    this.event = true;
    r[PC] = this.read32(this.VTOR + 4 * number) & ~1;
    this.cycles += ENTRY_CYCLES;
  }

  #return(how) {
    const r = this.registers;
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
    this.event = true;
    this.cycles += RETURN_CYCLES;
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
    return (
      (this.result & 0x80000000) |
      (this.result === 0 ? 0x40000000 : 0) |
      (this.C << 29) |
      (this.V << 28)
    );
  }

  set APSR(value) {
    if ((value & 0xc0000000) === 0xc0000000 << 0) {
      throw new CoreError('a result that is both negative and zero is not modelled');
    }
    this.result = value & 0x80000000 ? -1 : value & 0x40000000 ? 0 : 1;
    this.C = (value >>> 29) & 1;
    this.V = (value >>> 28) & 1;
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
      case 16: return this.masked ? 1 : 0;
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
        this.masked = (value & 1) !== 0;
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

  // ---- memory, off the quick path: what a peripheral takes is added to the cycles

  read32(address) {
    const a = address >>> 0;
    if (a & 3) this.#unaligned(a);
    if (a - RAM >>> 0 < RAM_BYTES) return this.ram32[(a - RAM) >> 2];
    if (a - FLASH >>> 0 < FLASH_BYTES) return this.flash32[(a & FLASH_MASK) >> 2];
    if (a < ROM_BYTES) return this.rom32[a >> 2];
    return this.chip.readUint32(a) | 0;
  }

  read16(address) {
    const a = address >>> 0;
    if (a & 1) this.#unaligned(a);
    if (a - RAM >>> 0 < RAM_BYTES) return this.ram16[(a - RAM) >> 1];
    if (a - FLASH >>> 0 < FLASH_BYTES) return this.flash16[(a & FLASH_MASK) >> 1];
    if (a < ROM_BYTES) return this.rom16[a >> 1];
    return (this.chip.readUint32(a & ~3) >>> ((a & 2) * 8)) & 0xffff;
  }

  read8(address) {
    const a = address >>> 0;
    if (a - RAM >>> 0 < RAM_BYTES) return this.ram8[a - RAM];
    if (a - FLASH >>> 0 < FLASH_BYTES) return this.flash8[a & FLASH_MASK];
    if (a < ROM_BYTES) return this.rom8[a];
    return (this.chip.readUint32(a & ~3) >>> ((a & 3) * 8)) & 0xff;
  }

  write32(address, value) {
    const a = address >>> 0;
    if (a & 3) this.#unaligned(a);
    if (a - RAM >>> 0 < RAM_BYTES) this.ram32[(a - RAM) >> 2] = value;
    else if (a - FLASH >>> 0 < FLASH_BYTES) this.#readOnly(a);
    else if (a >= ROM_BYTES) this.chip.writeUint32(a, value >>> 0); // TinyUSB writes to the ROM
  }

  write16(address, value) {
    const a = address >>> 0;
    if (a & 1) this.#unaligned(a);
    if (a - RAM >>> 0 < RAM_BYTES) this.ram16[(a - RAM) >> 1] = value;
    else if (a - FLASH >>> 0 < FLASH_BYTES) this.#readOnly(a);
    else if (a >= ROM_BYTES) this.chip.writeUint16(a, value & 0xffff);
  }

  write8(address, value) {
    const a = address >>> 0;
    if (a - RAM >>> 0 < RAM_BYTES) this.ram8[a - RAM] = value;
    else if (a - FLASH >>> 0 < FLASH_BYTES) this.#readOnly(a);
    else if (a >= ROM_BYTES) this.chip.writeUint8(a, value & 0xff);
  }

  #cyclesOf(address, io) {
    const region = address >>> 28;
    return region === SIO ? 0 : region === APB ? io : 1;
  }

  #load32(address) {
    this.cycles += this.#cyclesOf(address, 3);
    return this.read32(address);
  }

  #load16(address) {
    this.cycles += this.#cyclesOf(address, 3);
    return this.read16(address);
  }

  #load8(address) {
    this.cycles += this.#cyclesOf(address, 3);
    return this.read8(address);
  }

  #store32(address, value) {
    this.cycles += this.#cyclesOf(address, 4);
    this.write32(address, value);
  }

  #store16(address, value) {
    this.cycles += this.#cyclesOf(address, 4);
    this.write16(address, value);
  }

  #store8(address, value) {
    this.cycles += this.#cyclesOf(address, 4);
    this.write8(address, value);
  }

  #unaligned(address) {
    throw new CoreError(`access to 0x${address.toString(16)}, which is not aligned`);
  }

  #readOnly(address) {
    throw new CoreError(`write to 0x${address.toString(16)}, which is read-only`);
  }

  /** The memory that instructions come from, as halfwords, by a program counter. */
  #code(pc) {
    switch (pc >>> 28) {
      case 0: return this.rom16;
      case 1: return this.flash16;
      case 2: return this.ram16;
      default: throw new CoreError(`jump to 0x${(pc >>> 0).toString(16)}`);
    }
  }

  /** Branch to an address in a register: of code, or the end of an exception. */
  #branch(address) {
    if (this.handling && address >>> 28 === 0xf) this.#return(address);
    else if (address & 1) this.registers[PC] = address & ~1;
    else throw new CoreError(`branch to 0x${(address >>> 0).toString(16)}, which is no Thumb code`);
  }

  // ---- running

  /** Take what is pending; then, unless it waits, execute instructions until the limit of cycles. */
  execute() {
    while (this.attentive) this.#attend();
    if (this.waiting) return;
    const r = this.registers;
    const { ram32, ram16, ram8, flash32, flash16, flash8 } = this;
    let pc = r[PC];
    let code = this.#code(pc);
    let n = 0;
    let { cycles, limit, result, C, V } = this;
    while (cycles < limit) {
      const op = code[(pc & FLASH_MASK) >> 1];
      pc = (pc + 2) | 0;
      n++;
      cycles++;
      switch (INSTRUCTION[op]) {
        // ---- shifts and sums
        case 1: { // LSL_IMM
          const by = (op >> 6) & 31;
          const x = r[(op >> 3) & 7];
          if (by !== 0) C = (x >>> (32 - by)) & 1;
          r[op & 7] = result = x << by;
          break;
        }
        case 2: { // LSR_IMM
          const by = (op >> 6) & 31;
          const x = r[(op >> 3) & 7];
          C = (x >>> ((by - 1) & 31)) & 1;
          r[op & 7] = result = by === 0 ? 0 : (x >>> by) | 0;
          break;
        }
        case 3: { // ASR_IMM
          const by = (op >> 6) & 31;
          const x = r[(op >> 3) & 7];
          C = (x >>> ((by - 1) & 31)) & 1;
          r[op & 7] = result = x >> (by === 0 ? 31 : by);
          break;
        }
        case 4: { // ADD_REG
          const a = r[(op >> 3) & 7];
          const b = r[(op >> 6) & 7];
          result = (a + b) | 0;
          C = result >>> 0 < a >>> 0 ? 1 : 0;
          V = ((a ^ result) & (b ^ result)) >>> 31;
          r[op & 7] = result;
          break;
        }
        case 5: { // SUB_REG
          const a = r[(op >> 3) & 7];
          const b = r[(op >> 6) & 7];
          result = (a - b) | 0;
          C = a >>> 0 >= b >>> 0 ? 1 : 0;
          V = ((a ^ b) & (a ^ result)) >>> 31;
          r[op & 7] = result;
          break;
        }
        case 6: { // ADD_IMM3
          const a = r[(op >> 3) & 7];
          result = (a + ((op >> 6) & 7)) | 0;
          C = result >>> 0 < a >>> 0 ? 1 : 0;
          V = (~a & result) >>> 31;
          r[op & 7] = result;
          break;
        }
        case 7: { // SUB_IMM3
          const a = r[(op >> 3) & 7];
          const b = (op >> 6) & 7;
          result = (a - b) | 0;
          C = a >>> 0 >= b ? 1 : 0;
          V = (a & ~result) >>> 31;
          r[op & 7] = result;
          break;
        }
        case 8: // MOV_IMM
          r[(op >> 8) & 7] = result = op & 0xff;
          break;
        case 9: { // CMP_IMM
          const a = r[(op >> 8) & 7];
          const b = op & 0xff;
          result = (a - b) | 0;
          C = a >>> 0 >= b ? 1 : 0;
          V = (a & ~result) >>> 31;
          break;
        }
        case 10: { // ADD_IMM8
          const a = r[(op >> 8) & 7];
          result = (a + (op & 0xff)) | 0;
          C = result >>> 0 < a >>> 0 ? 1 : 0;
          V = (~a & result) >>> 31;
          r[(op >> 8) & 7] = result;
          break;
        }
        case 11: { // SUB_IMM8
          const a = r[(op >> 8) & 7];
          const b = op & 0xff;
          result = (a - b) | 0;
          C = a >>> 0 >= b ? 1 : 0;
          V = (a & ~result) >>> 31;
          r[(op >> 8) & 7] = result;
          break;
        }

        // ---- one register on another
        case 12: // AND
          r[op & 7] = result = r[op & 7] & r[(op >> 3) & 7];
          break;
        case 13: // EOR
          r[op & 7] = result = r[op & 7] ^ r[(op >> 3) & 7];
          break;
        case 14: { // LSL_REG
          const by = r[(op >> 3) & 7] & 0xff;
          const x = r[op & 7];
          if (by === 0) result = x;
          else if (by < 32) { C = (x >>> (32 - by)) & 1; result = x << by; }
          else { C = by === 32 ? x & 1 : 0; result = 0; }
          r[op & 7] = result;
          break;
        }
        case 15: { // LSR_REG
          const by = r[(op >> 3) & 7] & 0xff;
          const x = r[op & 7];
          if (by === 0) result = x;
          else if (by < 32) { C = (x >>> (by - 1)) & 1; result = (x >>> by) | 0; }
          else { C = by === 32 ? x >>> 31 : 0; result = 0; }
          r[op & 7] = result;
          break;
        }
        case 16: { // ASR_REG
          const by = r[(op >> 3) & 7] & 0xff;
          const x = r[op & 7];
          if (by === 0) result = x;
          else if (by < 32) { C = (x >>> (by - 1)) & 1; result = x >> by; }
          else { C = x >>> 31; result = x >> 31; }
          r[op & 7] = result;
          break;
        }
        case 17: { // ADC
          const a = r[op & 7];
          const b = r[(op >> 3) & 7];
          const sum = (a >>> 0) + (b >>> 0) + C;
          result = sum | 0;
          C = sum > 0xffffffff ? 1 : 0;
          V = ((a ^ result) & (b ^ result)) >>> 31;
          r[op & 7] = result;
          break;
        }
        case 18: { // SBC
          const a = r[op & 7];
          const b = r[(op >> 3) & 7];
          const difference = (a >>> 0) - (b >>> 0) - (1 - C);
          result = difference | 0;
          C = difference >= 0 ? 1 : 0;
          V = ((a ^ b) & (a ^ result)) >>> 31;
          r[op & 7] = result;
          break;
        }
        case 19: { // ROR
          const by = r[(op >> 3) & 7] & 0xff;
          const x = r[op & 7];
          result = (x >>> (by & 31)) | (x << (-by & 31));
          if (by !== 0) C = result >>> 31;
          r[op & 7] = result;
          break;
        }
        case 20: // TST
          result = r[op & 7] & r[(op >> 3) & 7];
          break;
        case 21: { // RSB
          const b = r[(op >> 3) & 7];
          result = -b | 0;
          C = b === 0 ? 1 : 0;
          V = (b & result) >>> 31;
          r[op & 7] = result;
          break;
        }
        case 22: { // CMP_REG
          const a = r[op & 7];
          const b = r[(op >> 3) & 7];
          result = (a - b) | 0;
          C = a >>> 0 >= b >>> 0 ? 1 : 0;
          V = ((a ^ b) & (a ^ result)) >>> 31;
          break;
        }
        case 23: { // CMN
          const a = r[op & 7];
          const b = r[(op >> 3) & 7];
          result = (a + b) | 0;
          C = result >>> 0 < a >>> 0 ? 1 : 0;
          V = ((a ^ result) & (b ^ result)) >>> 31;
          break;
        }
        case 24: // ORR
          r[op & 7] = result = r[op & 7] | r[(op >> 3) & 7];
          break;
        case 25: // MUL
          r[op & 7] = result = Math.imul(r[op & 7], r[(op >> 3) & 7]);
          break;
        case 26: // BIC
          r[op & 7] = result = r[op & 7] & ~r[(op >> 3) & 7];
          break;
        case 27: // MVN
          r[op & 7] = result = ~r[(op >> 3) & 7];
          break;

        // ---- all registers
        case 28: { // ADD_HIGH
          const to = ((op >> 4) & 8) | (op & 7);
          const from = (op >> 3) & 15;
          const sum = (r[to] + (from === PC ? pc + 2 : r[from])) | 0;
          r[to] = to === SP ? sum & ~3 : sum;
          break;
        }
        case 29: { // ADD_PC
          const from = (op >> 3) & 15;
          pc = (pc + 2 + (from === PC ? pc + 2 : r[from])) & ~1;
          code = this.#code(pc);
          cycles++;
          break;
        }
        case 30: { // CMP_HIGH
          const left = ((op >> 4) & 8) | (op & 7);
          const right = (op >> 3) & 15;
          const a = left === PC ? (pc + 2) | 0 : r[left];
          const b = right === PC ? (pc + 2) | 0 : r[right];
          result = (a - b) | 0;
          C = a >>> 0 >= b >>> 0 ? 1 : 0;
          V = ((a ^ b) & (a ^ result)) >>> 31;
          break;
        }
        case 31: { // MOV_HIGH
          const to = ((op >> 4) & 8) | (op & 7);
          const from = (op >> 3) & 15;
          const value = from === PC ? (pc + 2) | 0 : r[from];
          r[to] = to === SP ? value & ~3 : value;
          break;
        }
        case 32: { // MOV_PC
          const from = (op >> 3) & 15;
          pc = (from === PC ? pc + 2 : r[from]) & ~1;
          code = this.#code(pc);
          cycles++;
          break;
        }
        case 33: { // BX
          const to = r[(op >> 3) & 15];
          cycles++;
          if ((to & 1) !== 0 && to >>> 28 !== 0xf) {
            pc = to & ~1;
          } else {
            this.cycles = cycles;
            this.result = result; this.C = C; this.V = V;
            this.#branch(to);
            ({ cycles, limit, result, C, V } = this);
            pc = r[PC];
          }
          code = this.#code(pc);
          break;
        }
        case 34: { // BLX
          const to = r[(op >> 3) & 15];
          if ((to & 1) === 0) this.#branch(to);
          r[LR] = pc | 1;
          pc = to & ~1;
          code = this.#code(pc);
          cycles++;
          break;
        }

        // ---- loads and stores
        case 35: { // LDR_LITERAL
          const a = ((pc + 2) & ~3) + ((op & 0xff) << 2);
          cycles++;
          r[(op >> 8) & 7] = a >>> 28 === 1 ? flash32[(a & FLASH_MASK) >> 2] : this.read32(a);
          break;
        }
        case 40: { // LDR_REG
          const a = (r[(op >> 3) & 7] + r[(op >> 6) & 7]) | 0;
          const i = (a - RAM) >>> 0;
          if (i < RAM_BYTES && (a & 3) === 0) {
            r[op & 7] = ram32[i >> 2];
            cycles++;
          } else {
            this.#leave(pc, cycles);
            r[op & 7] = this.#load32(a);
            ({ cycles, limit } = this);
          }
          break;
        }
        case 45: { // LDR_IMM
          const a = (r[(op >> 3) & 7] + ((op >> 4) & 0x7c)) | 0;
          const i = (a - RAM) >>> 0;
          if (i < RAM_BYTES && (a & 3) === 0) {
            r[op & 7] = ram32[i >> 2];
            cycles++;
          } else {
            this.#leave(pc, cycles);
            r[op & 7] = this.#load32(a);
            ({ cycles, limit } = this);
          }
          break;
        }
        case 51: { // LDR_SP
          const a = (r[SP] + ((op & 0xff) << 2)) | 0;
          const i = (a - RAM) >>> 0;
          if (i < RAM_BYTES && (a & 3) === 0) {
            r[(op >> 8) & 7] = ram32[i >> 2];
            cycles++;
          } else {
            this.#leave(pc, cycles);
            r[(op >> 8) & 7] = this.#load32(a);
            ({ cycles, limit } = this);
          }
          break;
        }
        case 41: { // LDRH_REG
          const a = (r[(op >> 3) & 7] + r[(op >> 6) & 7]) | 0;
          const i = (a - RAM) >>> 0;
          if (i < RAM_BYTES && (a & 1) === 0) {
            r[op & 7] = ram16[i >> 1];
            cycles++;
          } else {
            this.#leave(pc, cycles);
            r[op & 7] = this.#load16(a);
            ({ cycles, limit } = this);
          }
          break;
        }
        case 49: { // LDRH_IMM
          const a = (r[(op >> 3) & 7] + ((op >> 5) & 0x3e)) | 0;
          const i = (a - RAM) >>> 0;
          if (i < RAM_BYTES && (a & 1) === 0) {
            r[op & 7] = ram16[i >> 1];
            cycles++;
          } else {
            this.#leave(pc, cycles);
            r[op & 7] = this.#load16(a);
            ({ cycles, limit } = this);
          }
          break;
        }
        case 43: { // LDRSH_REG
          const a = (r[(op >> 3) & 7] + r[(op >> 6) & 7]) | 0;
          const i = (a - RAM) >>> 0;
          if (i < RAM_BYTES && (a & 1) === 0) {
            r[op & 7] = (ram16[i >> 1] << 16) >> 16;
            cycles++;
          } else {
            this.#leave(pc, cycles);
            r[op & 7] = (this.#load16(a) << 16) >> 16;
            ({ cycles, limit } = this);
          }
          break;
        }
        case 42: { // LDRB_REG
          const a = (r[(op >> 3) & 7] + r[(op >> 6) & 7]) | 0;
          const i = (a - RAM) >>> 0;
          if (i < RAM_BYTES) {
            r[op & 7] = ram8[i];
            cycles++;
          } else {
            this.#leave(pc, cycles);
            r[op & 7] = this.#load8(a);
            ({ cycles, limit } = this);
          }
          break;
        }
        case 47: { // LDRB_IMM
          const a = (r[(op >> 3) & 7] + ((op >> 6) & 0x1f)) | 0;
          const i = (a - RAM) >>> 0;
          if (i < RAM_BYTES) {
            r[op & 7] = ram8[i];
            cycles++;
          } else {
            this.#leave(pc, cycles);
            r[op & 7] = this.#load8(a);
            ({ cycles, limit } = this);
          }
          break;
        }
        case 39: { // LDRSB_REG
          const a = (r[(op >> 3) & 7] + r[(op >> 6) & 7]) | 0;
          const i = (a - RAM) >>> 0;
          if (i < RAM_BYTES) {
            r[op & 7] = (ram8[i] << 24) >> 24;
            cycles++;
          } else {
            this.#leave(pc, cycles);
            r[op & 7] = (this.#load8(a) << 24) >> 24;
            ({ cycles, limit } = this);
          }
          break;
        }
        case 36: { // STR_REG
          const a = (r[(op >> 3) & 7] + r[(op >> 6) & 7]) | 0;
          const i = (a - RAM) >>> 0;
          if (i < RAM_BYTES && (a & 3) === 0) {
            ram32[i >> 2] = r[op & 7];
            cycles++;
          } else {
            this.#leave(pc, cycles);
            this.#store32(a, r[op & 7]);
            ({ cycles, limit } = this);
          }
          break;
        }
        case 44: { // STR_IMM
          const a = (r[(op >> 3) & 7] + ((op >> 4) & 0x7c)) | 0;
          const i = (a - RAM) >>> 0;
          if (i < RAM_BYTES && (a & 3) === 0) {
            ram32[i >> 2] = r[op & 7];
            cycles++;
          } else {
            this.#leave(pc, cycles);
            this.#store32(a, r[op & 7]);
            ({ cycles, limit } = this);
          }
          break;
        }
        case 50: { // STR_SP
          const a = (r[SP] + ((op & 0xff) << 2)) | 0;
          const i = (a - RAM) >>> 0;
          if (i < RAM_BYTES && (a & 3) === 0) {
            ram32[i >> 2] = r[(op >> 8) & 7];
            cycles++;
          } else {
            this.#leave(pc, cycles);
            this.#store32(a, r[(op >> 8) & 7]);
            ({ cycles, limit } = this);
          }
          break;
        }
        case 37: { // STRH_REG
          const a = (r[(op >> 3) & 7] + r[(op >> 6) & 7]) | 0;
          const i = (a - RAM) >>> 0;
          if (i < RAM_BYTES && (a & 1) === 0) {
            ram16[i >> 1] = r[op & 7];
            cycles++;
          } else {
            this.#leave(pc, cycles);
            this.#store16(a, r[op & 7]);
            ({ cycles, limit } = this);
          }
          break;
        }
        case 48: { // STRH_IMM
          const a = (r[(op >> 3) & 7] + ((op >> 5) & 0x3e)) | 0;
          const i = (a - RAM) >>> 0;
          if (i < RAM_BYTES && (a & 1) === 0) {
            ram16[i >> 1] = r[op & 7];
            cycles++;
          } else {
            this.#leave(pc, cycles);
            this.#store16(a, r[op & 7]);
            ({ cycles, limit } = this);
          }
          break;
        }
        case 38: { // STRB_REG
          const a = (r[(op >> 3) & 7] + r[(op >> 6) & 7]) | 0;
          const i = (a - RAM) >>> 0;
          if (i < RAM_BYTES) {
            ram8[i] = r[op & 7];
            cycles++;
          } else {
            this.#leave(pc, cycles);
            this.#store8(a, r[op & 7]);
            ({ cycles, limit } = this);
          }
          break;
        }
        case 46: { // STRB_IMM
          const a = (r[(op >> 3) & 7] + ((op >> 6) & 0x1f)) | 0;
          const i = (a - RAM) >>> 0;
          if (i < RAM_BYTES) {
            ram8[i] = r[op & 7];
            cycles++;
          } else {
            this.#leave(pc, cycles);
            this.#store8(a, r[op & 7]);
            ({ cycles, limit } = this);
          }
          break;
        }
        case 73: { // LDM
          const base = (op >> 8) & 7;
          let a = r[base];
          this.#leave(pc, cycles);
          for (let i = 0; i < 8; i++) {
            if (op & (1 << i)) {
              r[i] = this.read32(a);
              a = (a + 4) | 0;
              this.cycles++;
            }
          }
          if (!(op & (1 << base))) r[base] = a;
          ({ cycles, limit } = this);
          break;
        }
        case 72: { // STM
          const base = (op >> 8) & 7;
          let a = r[base];
          this.#leave(pc, cycles);
          for (let i = 0; i < 8; i++) {
            if (op & (1 << i)) {
              this.write32(a, r[i]);
              a = (a + 4) | 0;
              this.cycles++;
            }
          }
          r[base] = a;
          ({ cycles, limit } = this);
          break;
        }
        case 60: { // PUSH
          let a = r[SP];
          if (op & 0x100) {
            a = (a - 4) | 0;
            this.write32(a, r[LR]);
            cycles++;
          }
          for (let i = 7; i >= 0; i--) {
            if (op & (1 << i)) {
              a = (a - 4) | 0;
              this.write32(a, r[i]);
              cycles++;
            }
          }
          r[SP] = a;
          break;
        }
        case 61: { // POP
          let a = r[SP];
          for (let i = 0; i < 8; i++) {
            if (op & (1 << i)) {
              r[i] = this.read32(a);
              a = (a + 4) | 0;
              cycles++;
            }
          }
          if (op & 0x100) {
            const to = this.read32(a);
            r[SP] = (a + 4) | 0;
            cycles += 3;
            if ((to & 1) !== 0 && to >>> 28 !== 0xf) {
              pc = to & ~1;
            } else {
              this.#leave(pc, cycles);
              this.#branch(to);
              ({ cycles, limit, result, C, V } = this);
              pc = r[PC];
            }
            code = this.#code(pc);
          } else {
            r[SP] = a;
          }
          break;
        }

        // ---- addresses, extension, order of bytes
        case 52: // ADR
          r[(op >> 8) & 7] = ((pc + 2) & ~3) + ((op & 0xff) << 2);
          break;
        case 53: // ADD_SP
          r[(op >> 8) & 7] = r[SP] + ((op & 0xff) << 2);
          break;
        case 54: // SP_UP
          r[SP] += (op & 0x7f) << 2;
          break;
        case 55: // SP_DOWN
          r[SP] -= (op & 0x7f) << 2;
          break;
        case 56: // SXTH
          r[op & 7] = (r[(op >> 3) & 7] << 16) >> 16;
          break;
        case 57: // SXTB
          r[op & 7] = (r[(op >> 3) & 7] << 24) >> 24;
          break;
        case 58: // UXTH
          r[op & 7] = r[(op >> 3) & 7] & 0xffff;
          break;
        case 59: // UXTB
          r[op & 7] = r[(op >> 3) & 7] & 0xff;
          break;
        case 64: { // REV
          const x = r[(op >> 3) & 7];
          r[op & 7] = (x << 24) | ((x & 0xff00) << 8) | ((x >> 8) & 0xff00) | (x >>> 24);
          break;
        }
        case 65: { // REV16
          const x = r[(op >> 3) & 7];
          r[op & 7] = ((x & 0xff00ff) << 8) | ((x >>> 8) & 0xff00ff);
          break;
        }
        case 66: { // REVSH
          const x = r[(op >> 3) & 7];
          r[op & 7] = ((x << 24) >> 16) | ((x >> 8) & 0xff);
          break;
        }

        // ---- branches
        case 74: // BEQ
          if (result === 0) { pc = (pc + 2 + ((op << 24) >> 23)) | 0; cycles++; }
          break;
        case 75: // BNE
          if (result !== 0) { pc = (pc + 2 + ((op << 24) >> 23)) | 0; cycles++; }
          break;
        case 76: // BCS
          if (C !== 0) { pc = (pc + 2 + ((op << 24) >> 23)) | 0; cycles++; }
          break;
        case 77: // BCC
          if (C === 0) { pc = (pc + 2 + ((op << 24) >> 23)) | 0; cycles++; }
          break;
        case 78: // BMI
          if (result < 0) { pc = (pc + 2 + ((op << 24) >> 23)) | 0; cycles++; }
          break;
        case 79: // BPL
          if (result >= 0) { pc = (pc + 2 + ((op << 24) >> 23)) | 0; cycles++; }
          break;
        case 80: // BVS
          if (V !== 0) { pc = (pc + 2 + ((op << 24) >> 23)) | 0; cycles++; }
          break;
        case 81: // BVC
          if (V === 0) { pc = (pc + 2 + ((op << 24) >> 23)) | 0; cycles++; }
          break;
        case 82: // BHI
          if (C !== 0 && result !== 0) { pc = (pc + 2 + ((op << 24) >> 23)) | 0; cycles++; }
          break;
        case 83: // BLS
          if (C === 0 || result === 0) { pc = (pc + 2 + ((op << 24) >> 23)) | 0; cycles++; }
          break;
        case 84: // BGE
          if (result >>> 31 === V) { pc = (pc + 2 + ((op << 24) >> 23)) | 0; cycles++; }
          break;
        case 85: // BLT
          if (result >>> 31 !== V) { pc = (pc + 2 + ((op << 24) >> 23)) | 0; cycles++; }
          break;
        case 86: // BGT
          if (result !== 0 && result >>> 31 === V) {
            pc = (pc + 2 + ((op << 24) >> 23)) | 0;
            cycles++;
          }
          break;
        case 87: // BLE
          if (result === 0 || result >>> 31 !== V) {
            pc = (pc + 2 + ((op << 24) >> 23)) | 0;
            cycles++;
          }
          break;
        case 89: // B
          pc = (pc + 2 + ((op << 21) >> 20)) | 0;
          cycles++;
          break;

        // ---- system
        case 90: { // WIDE
          const second = code[(pc & FLASH_MASK) >> 1];
          pc = (pc + 2) | 0;
          cycles += 2;
          if ((second & 0xd000) === 0xd000) {
            // BL
            const sign = (op << 21) >> 31;
            const high = ((second >> 13) ^ ~sign) & 1;
            const low = ((second >> 11) ^ ~sign) & 1;
            r[LR] = pc | 1;
            const middle = ((op & 0x3ff) << 12) | ((second & 0x7ff) << 1);
            pc = (pc + ((sign << 24) | (high << 23) | (low << 22) | middle)) | 0;
          } else if ((op & 0xfff0) === 0xf380 && (second & 0xff00) === 0x8800) {
            this.#leave(pc, cycles);
            this.result = result; this.C = C; this.V = V;
            this.#writeSpecial(second & 0xff, r[op & 15]);
            ({ limit, result, C, V } = this);
          } else if (op === 0xf3ef && (second & 0xf000) === 0x8000) {
            this.result = result; this.C = C; this.V = V;
            r[(second >> 8) & 15] = this.#readSpecial(second & 0xff);
          } else if (op !== 0xf3bf || (second & 0xffc0) !== 0x8f40) {
            // barriers have nothing to wait for
            this.#undefined(pc - 4, op);
          }
          break;
        }
        case 62: // CPSIE
          this.masked = false;
          this.interruptsUpdated = true;
          limit = 0;
          break;
        case 63: // CPSID
          this.masked = true;
          break;
        case 88: // SVC
          this.pendingSVCall = true;
          this.interruptsUpdated = true;
          limit = 0;
          break;
        case 67: // BKPT
          this.#leave(pc, cycles);
          this.chip.onBreak(op & 0xff);
          ({ cycles, limit } = this);
          break;
        case 68: // NOP
          break;
        case 71: // SEV
          this.event = true;
          break;
        case 69: // WFE
          cycles++;
          if (this.event) {
            this.event = false;
            break;
          }
          this.waiting = true;
          this.interruptsUpdated = true; // what is pending already ends it
          limit = 0;
          break;
        case 70: // WFI
          cycles++;
          this.waiting = true;
          this.interruptsUpdated = true;
          limit = 0;
          break;
        default:
          this.#undefined(pc - 2, op);
      }
    }
    this.#leave(pc, cycles);
    this.result = result;
    this.C = C;
    this.V = V;
    this.instructions += n;
  }

  #leave(pc, cycles) {
    this.registers[PC] = pc;
    this.cycles = cycles;
  }

  #undefined(pc, op) {
    const [where, what] = [pc >>> 0, op].map((number) => number.toString(16));
    throw new CoreError(`undefined instruction 0x${what} at 0x${where}`);
  }
}
