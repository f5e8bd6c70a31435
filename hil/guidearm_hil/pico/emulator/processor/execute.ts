// Executes the instructions of a Cortex-M0+ (ARMv6-M), one after the other, until it has to look up.
//
// This is the part of the processor that is worth a compiler: WebAssembly runs four times as many
// instructions in a second as JavaScript. What happens more rarely is in `core.mjs`: exceptions,
// special registers, peripherals. Cycles are the data sheet's without wait states: flash is as quick
// as memory.
import {
  CARRY, CYCLES, EVENT, FLASH, FLASH_BYTES, FLASH_START, FOR_EVENT, FOR_INTERRUPT, INSTRUCTIONS,
  LIMIT, MASKED, OVERFLOW, RAM, RAM_BYTES, RAM_START, REGISTERS, RESULT, ROM, ROM_BYTES, TABLE, WAITING,
} from './layout';
import { I, decode } from './thumb';

const SP: i32 = 13;
const LR: i32 = 14;
const PC: i32 = 15;
const MOST: f64 = 1e9; // cycles at a time, which a word can count
const IO_READ: i32 = 3; // cycles that a peripheral takes; those next to the core take none
const IO_WRITE: i32 = 4;
const WFE: i32 = 0xbf20;

// core.mjs: each takes and leaves the state in memory, and may change it
@external("core", "read") declare function ioRead(address: i32, bits: i32): i32;
@external("core", "write") declare function ioWrite(address: i32, value: i32, bits: i32): void;
@external("core", "branch") declare function branch(address: i32): void;
@external("core", "readSpecial") declare function readSpecial(which: i32): i32;
@external("core", "writeSpecial") declare function writeSpecial(which: i32, value: i32): void;
@external("core", "attend") declare function attend(): void; // something is pending, or may be
@external("core", "breakpoint") declare function breakpoint(which: i32): void;
@external("core", "undefined") declare function undefinedInstruction(op: i32): void;

/** Fill the table. */
export function prepare(): void {
  for (let op = 0; op < 0x10000; op++) store<u8>(TABLE + op, decode(op));
}

@inline function get(register: i32): i32 {
  return load<i32>(REGISTERS + (<usize>register << 2));
}

@inline function set(register: i32, value: i32): void {
  store<i32>(REGISTERS + (<usize>register << 2), value);
}

@inline function now(): f64 {
  return load<f64>(CYCLES);
}

/** How many cycles it may run from now. */
@inline function budget(): i32 {
  return <i32>min(load<f64>(LIMIT) - now(), MOST);
}

@inline function leave(pc: i32, cycles: f64): void {
  set(PC, pc);
  store<f64>(CYCLES, cycles);
}

@inline function keep(result: i32, carry: i32, overflow: i32): void {
  store<i32>(RESULT, result);
  store<i32>(CARRY, carry);
  store<i32>(OVERFLOW, overflow);
}

/** What is added to the memory address of a halfword of code, to have it in this memory. */
function codeAt(pc: i32): usize {
  switch (<u32>pc >> 28) {
    case 0: return ROM;
    case 1: return FLASH - <usize>FLASH_START;
    case 2: return RAM - <usize>RAM_START;
    default: {
      branch(pc & ~1); // which is no code
      return 0;
    }
  }
}

// ---- memory off the quick path: flash, ROM and peripherals

@inline function spend(address: i32, io: i32): void {
  const region = <u32>address >> 28;
  store<f64>(CYCLES, now() + (region == 0xd ? 0 : region == 4 ? io : 1));
}

function slowRead32(address: i32): i32 {
  spend(address, IO_READ);
  return read32(address);
}

function slowRead16(address: i32): i32 {
  spend(address, IO_READ);
  const a = <u32>address - FLASH_START;
  if (a < FLASH_BYTES && !(address & 1)) return load<u16>(FLASH + a);
  return ioRead(address, 16);
}

function slowRead8(address: i32): i32 {
  spend(address, IO_READ);
  const a = <u32>address - FLASH_START;
  if (a < FLASH_BYTES) return load<u8>(FLASH + a);
  return ioRead(address, 8);
}

function read32(address: i32): i32 {
  if (!(address & 3)) {
    const ram = <u32>address - RAM_START;
    if (ram < RAM_BYTES) return load<i32>(RAM + ram);
    const flash = <u32>address - FLASH_START;
    if (flash < FLASH_BYTES) return load<i32>(FLASH + flash);
  }
  return ioRead(address, 32);
}

function slowWrite32(address: i32, value: i32): void {
  spend(address, IO_WRITE);
  ioWrite(address, value, 32);
}

function slowWrite16(address: i32, value: i32): void {
  spend(address, IO_WRITE);
  ioWrite(address, value, 16);
}

function slowWrite8(address: i32, value: i32): void {
  spend(address, IO_WRITE);
  ioWrite(address, value, 8);
}

function write32(address: i32, value: i32): void {
  const ram = <u32>address - RAM_START;
  if (ram < RAM_BYTES && !(address & 3)) store<i32>(RAM + ram, value);
  else ioWrite(address, value, 32);
}

// ---- the loop

/** Execute instructions until the limit of cycles, or until it waits. */
export function execute(): void {
  let pc = get(PC);
  let code = codeAt(pc);
  let result = load<i32>(RESULT);
  let C = load<i32>(CARRY);
  let V = load<i32>(OVERFLOW);
  let left = budget(); // cycles that it still may run
  let base = now() + left; // cycles when nothing is left
  let n = 0;
  while (left > 0) {
    const op = <i32>load<u16>(code + pc);
    pc += 2;
    left--;
    n++;
    switch (<i32>load<u8>(TABLE + op)) {
      // ---- shifts and sums
      case I.LSL_IMM: {
        const by = (op >> 6) & 31;
        const x = get((op >> 3) & 7);
        if (by) C = (x >>> (32 - by)) & 1;
        result = x << by;
        set(op & 7, result);
        break;
      }
      case I.LSR_IMM: {
        const by = (op >> 6) & 31; // 0 is 32
        const x = get((op >> 3) & 7);
        C = (x >>> ((by - 1) & 31)) & 1;
        result = by ? x >>> by : 0;
        set(op & 7, result);
        break;
      }
      case I.ASR_IMM: {
        const by = (op >> 6) & 31; // 0 is 32
        const x = get((op >> 3) & 7);
        C = (x >>> ((by - 1) & 31)) & 1;
        result = x >> (by ? by : 31);
        set(op & 7, result);
        break;
      }
      case I.ADD_REG: {
        const a = get((op >> 3) & 7);
        const b = get((op >> 6) & 7);
        result = a + b;
        C = <i32>(<u32>result < <u32>a);
        V = ((a ^ result) & (b ^ result)) >>> 31;
        set(op & 7, result);
        break;
      }
      case I.SUB_REG: {
        const a = get((op >> 3) & 7);
        const b = get((op >> 6) & 7);
        result = a - b;
        C = <i32>(<u32>a >= <u32>b);
        V = ((a ^ b) & (a ^ result)) >>> 31;
        set(op & 7, result);
        break;
      }
      case I.ADD_IMM3: {
        const a = get((op >> 3) & 7);
        result = a + ((op >> 6) & 7);
        C = <i32>(<u32>result < <u32>a);
        V = (~a & result) >>> 31;
        set(op & 7, result);
        break;
      }
      case I.SUB_IMM3: {
        const a = get((op >> 3) & 7);
        const b = (op >> 6) & 7;
        result = a - b;
        C = <i32>(<u32>a >= <u32>b);
        V = (a & ~result) >>> 31;
        set(op & 7, result);
        break;
      }
      case I.MOV_IMM:
        result = op & 0xff;
        set((op >> 8) & 7, result);
        break;
      case I.CMP_IMM: {
        const a = get((op >> 8) & 7);
        const b = op & 0xff;
        result = a - b;
        C = <i32>(<u32>a >= <u32>b);
        V = (a & ~result) >>> 31;
        break;
      }
      case I.ADD_IMM8: {
        const a = get((op >> 8) & 7);
        result = a + (op & 0xff);
        C = <i32>(<u32>result < <u32>a);
        V = (~a & result) >>> 31;
        set((op >> 8) & 7, result);
        break;
      }
      case I.SUB_IMM8: {
        const a = get((op >> 8) & 7);
        const b = op & 0xff;
        result = a - b;
        C = <i32>(<u32>a >= <u32>b);
        V = (a & ~result) >>> 31;
        set((op >> 8) & 7, result);
        break;
      }

      // ---- one register on another
      case I.AND:
        result = get(op & 7) & get((op >> 3) & 7);
        set(op & 7, result);
        break;
      case I.EOR:
        result = get(op & 7) ^ get((op >> 3) & 7);
        set(op & 7, result);
        break;
      case I.LSL_REG: {
        const by = get((op >> 3) & 7) & 0xff;
        const x = get(op & 7);
        result = by < 32 ? x << by : 0;
        if (by) C = by <= 32 ? (x >>> ((32 - by) & 31)) & 1 : 0;
        set(op & 7, result);
        break;
      }
      case I.LSR_REG: {
        const by = get((op >> 3) & 7) & 0xff;
        const x = get(op & 7);
        result = by < 32 ? x >>> by : 0;
        if (by) C = by <= 32 ? (x >>> (by - 1)) & 1 : 0;
        set(op & 7, result);
        break;
      }
      case I.ASR_REG: {
        const by = get((op >> 3) & 7) & 0xff;
        const x = get(op & 7);
        result = x >> (by < 32 ? by : 31);
        if (by) C = (x >> (by <= 32 ? by - 1 : 31)) & 1;
        set(op & 7, result);
        break;
      }
      case I.ADC: {
        const a = get(op & 7);
        const b = get((op >> 3) & 7);
        const sum = <u64>(<u32>a) + <u64>(<u32>b) + C;
        result = <i32>sum;
        C = <i32>(sum >> 32);
        V = ((a ^ result) & (b ^ result)) >>> 31;
        set(op & 7, result);
        break;
      }
      case I.SBC: {
        const a = get(op & 7);
        const b = get((op >> 3) & 7);
        const sum = <u64>(<u32>a) + <u64>(<u32>~b) + C;
        result = <i32>sum;
        C = <i32>(sum >> 32);
        V = ((a ^ b) & (a ^ result)) >>> 31;
        set(op & 7, result);
        break;
      }
      case I.ROR: {
        const by = get((op >> 3) & 7) & 0xff;
        result = rotr(get(op & 7), by & 31);
        if (by) C = result >>> 31;
        set(op & 7, result);
        break;
      }
      case I.TST:
        result = get(op & 7) & get((op >> 3) & 7);
        break;
      case I.RSB: {
        const b = get((op >> 3) & 7);
        result = -b;
        C = <i32>(b == 0);
        V = (b & result) >>> 31;
        set(op & 7, result);
        break;
      }
      case I.CMP_REG: {
        const a = get(op & 7);
        const b = get((op >> 3) & 7);
        result = a - b;
        C = <i32>(<u32>a >= <u32>b);
        V = ((a ^ b) & (a ^ result)) >>> 31;
        break;
      }
      case I.CMN: {
        const a = get(op & 7);
        const b = get((op >> 3) & 7);
        result = a + b;
        C = <i32>(<u32>result < <u32>a);
        V = ((a ^ result) & (b ^ result)) >>> 31;
        break;
      }
      case I.ORR:
        result = get(op & 7) | get((op >> 3) & 7);
        set(op & 7, result);
        break;
      case I.MUL:
        result = get(op & 7) * get((op >> 3) & 7);
        set(op & 7, result);
        break;
      case I.BIC:
        result = get(op & 7) & ~get((op >> 3) & 7);
        set(op & 7, result);
        break;
      case I.MVN:
        result = ~get((op >> 3) & 7);
        set(op & 7, result);
        break;

      // ---- all registers; the program counter reads as two instructions on
      case I.ADD_HIGH: {
        const to = ((op >> 4) & 8) | (op & 7);
        const from = (op >> 3) & 15;
        const sum = get(to) + (from == PC ? pc + 2 : get(from));
        set(to, to == SP ? sum & ~3 : sum);
        break;
      }
      case I.ADD_PC: {
        const from = (op >> 3) & 15;
        pc = (pc + 2 + (from == PC ? pc + 2 : get(from))) & ~1;
        code = codeAt(pc);
        left--;
        break;
      }
      case I.CMP_HIGH: {
        const first = ((op >> 4) & 8) | (op & 7);
        const second = (op >> 3) & 15;
        const a = first == PC ? pc + 2 : get(first);
        const b = second == PC ? pc + 2 : get(second);
        result = a - b;
        C = <i32>(<u32>a >= <u32>b);
        V = ((a ^ b) & (a ^ result)) >>> 31;
        break;
      }
      case I.MOV_HIGH: {
        const to = ((op >> 4) & 8) | (op & 7);
        const from = (op >> 3) & 15;
        const value = from == PC ? pc + 2 : get(from);
        set(to, to == SP ? value & ~3 : value);
        break;
      }
      case I.MOV_PC: {
        const from = (op >> 3) & 15;
        pc = (from == PC ? pc + 2 : get(from)) & ~1;
        code = codeAt(pc);
        left--;
        break;
      }
      case I.BLX: {
        const to = get((op >> 3) & 15);
        left--;
        if (to & 1) {
          set(LR, pc | 1);
          pc = to & ~1;
        } else {
          leave(pc, base - left);
          branch(to); // which no program may
        }
        code = codeAt(pc);
        break;
      }
      case I.BX:
      case I.POP: {
        let to: i32;
        if (op >> 12 == 4) {
          to = get((op >> 3) & 15);
          left--;
        } else {
          let a = get(SP);
          for (let i = 0; i < 8; i++) {
            if (op & (1 << i)) {
              set(i, read32(a));
              a += 4;
              left--;
            }
          }
          if (!(op & 0x100)) {
            set(SP, a);
            break;
          }
          to = read32(a);
          set(SP, a + 4);
          left -= 3;
        }
        if (to & 1 && <u32>to >> 28 != 15) {
          pc = to & ~1;
        } else {
          // the end of an exception
          leave(pc, base - left);
          keep(result, C, V);
          branch(to);
          pc = get(PC);
          result = load<i32>(RESULT);
          C = load<i32>(CARRY);
          V = load<i32>(OVERFLOW);
          left = budget();
          base = now() + left;
        }
        code = codeAt(pc);
        break;
      }

      // ---- loads and stores
      case I.LDR_LITERAL: {
        const a = ((pc + 2) & ~3) + ((op & 0xff) << 2);
        set((op >> 8) & 7, read32(a));
        left--;
        break;
      }
      case I.LDR_REG: {
        const a = get((op >> 3) & 7) + get((op >> 6) & 7);
        const i = <u32>a - RAM_START;
        if (i < RAM_BYTES && !(a & 3)) {
          set(op & 7, load<i32>(RAM + i));
          left--;
        } else {
          leave(pc, base - left);
          set(op & 7, slowRead32(a));
          left = budget();
          base = now() + left;
        }
        break;
      }
      case I.LDR_IMM: {
        const a = get((op >> 3) & 7) + ((op >> 4) & 0x7c);
        const i = <u32>a - RAM_START;
        if (i < RAM_BYTES && !(a & 3)) {
          set(op & 7, load<i32>(RAM + i));
          left--;
        } else {
          leave(pc, base - left);
          set(op & 7, slowRead32(a));
          left = budget();
          base = now() + left;
        }
        break;
      }
      case I.LDR_SP: {
        const a = get(SP) + ((op & 0xff) << 2);
        const i = <u32>a - RAM_START;
        if (i < RAM_BYTES && !(a & 3)) {
          set((op >> 8) & 7, load<i32>(RAM + i));
          left--;
        } else {
          leave(pc, base - left);
          set((op >> 8) & 7, slowRead32(a));
          left = budget();
          base = now() + left;
        }
        break;
      }
      case I.LDRH_REG: {
        const a = get((op >> 3) & 7) + get((op >> 6) & 7);
        const i = <u32>a - RAM_START;
        if (i < RAM_BYTES && !(a & 1)) {
          set(op & 7, load<u16>(RAM + i));
          left--;
        } else {
          leave(pc, base - left);
          set(op & 7, slowRead16(a));
          left = budget();
          base = now() + left;
        }
        break;
      }
      case I.LDRH_IMM: {
        const a = get((op >> 3) & 7) + ((op >> 5) & 0x3e);
        const i = <u32>a - RAM_START;
        if (i < RAM_BYTES && !(a & 1)) {
          set(op & 7, load<u16>(RAM + i));
          left--;
        } else {
          leave(pc, base - left);
          set(op & 7, slowRead16(a));
          left = budget();
          base = now() + left;
        }
        break;
      }
      case I.LDRSH_REG: {
        const a = get((op >> 3) & 7) + get((op >> 6) & 7);
        const i = <u32>a - RAM_START;
        if (i < RAM_BYTES && !(a & 1)) {
          set(op & 7, (<i32>(load<u16>(RAM + i)) << 16) >> 16);
          left--;
        } else {
          leave(pc, base - left);
          set(op & 7, (<i32>(slowRead16(a)) << 16) >> 16);
          left = budget();
          base = now() + left;
        }
        break;
      }
      case I.LDRB_REG: {
        const a = get((op >> 3) & 7) + get((op >> 6) & 7);
        const i = <u32>a - RAM_START;
        if (i < RAM_BYTES) {
          set(op & 7, load<u8>(RAM + i));
          left--;
        } else {
          leave(pc, base - left);
          set(op & 7, slowRead8(a));
          left = budget();
          base = now() + left;
        }
        break;
      }
      case I.LDRB_IMM: {
        const a = get((op >> 3) & 7) + ((op >> 6) & 31);
        const i = <u32>a - RAM_START;
        if (i < RAM_BYTES) {
          set(op & 7, load<u8>(RAM + i));
          left--;
        } else {
          leave(pc, base - left);
          set(op & 7, slowRead8(a));
          left = budget();
          base = now() + left;
        }
        break;
      }
      case I.LDRSB_REG: {
        const a = get((op >> 3) & 7) + get((op >> 6) & 7);
        const i = <u32>a - RAM_START;
        if (i < RAM_BYTES) {
          set(op & 7, (<i32>(load<u8>(RAM + i)) << 24) >> 24);
          left--;
        } else {
          leave(pc, base - left);
          set(op & 7, (<i32>(slowRead8(a)) << 24) >> 24);
          left = budget();
          base = now() + left;
        }
        break;
      }
      case I.STR_REG: {
        const a = get((op >> 3) & 7) + get((op >> 6) & 7);
        const i = <u32>a - RAM_START;
        if (i < RAM_BYTES && !(a & 3)) {
          store<i32>(RAM + i, get(op & 7));
          left--;
        } else {
          leave(pc, base - left);
          slowWrite32(a, get(op & 7));
          left = budget();
          base = now() + left;
        }
        break;
      }
      case I.STR_IMM: {
        const a = get((op >> 3) & 7) + ((op >> 4) & 0x7c);
        const i = <u32>a - RAM_START;
        if (i < RAM_BYTES && !(a & 3)) {
          store<i32>(RAM + i, get(op & 7));
          left--;
        } else {
          leave(pc, base - left);
          slowWrite32(a, get(op & 7));
          left = budget();
          base = now() + left;
        }
        break;
      }
      case I.STR_SP: {
        const a = get(SP) + ((op & 0xff) << 2);
        const i = <u32>a - RAM_START;
        if (i < RAM_BYTES && !(a & 3)) {
          store<i32>(RAM + i, get((op >> 8) & 7));
          left--;
        } else {
          leave(pc, base - left);
          slowWrite32(a, get((op >> 8) & 7));
          left = budget();
          base = now() + left;
        }
        break;
      }
      case I.STRH_REG: {
        const a = get((op >> 3) & 7) + get((op >> 6) & 7);
        const i = <u32>a - RAM_START;
        if (i < RAM_BYTES && !(a & 1)) {
          store<u16>(RAM + i, get(op & 7));
          left--;
        } else {
          leave(pc, base - left);
          slowWrite16(a, get(op & 7));
          left = budget();
          base = now() + left;
        }
        break;
      }
      case I.STRH_IMM: {
        const a = get((op >> 3) & 7) + ((op >> 5) & 0x3e);
        const i = <u32>a - RAM_START;
        if (i < RAM_BYTES && !(a & 1)) {
          store<u16>(RAM + i, get(op & 7));
          left--;
        } else {
          leave(pc, base - left);
          slowWrite16(a, get(op & 7));
          left = budget();
          base = now() + left;
        }
        break;
      }
      case I.STRB_REG: {
        const a = get((op >> 3) & 7) + get((op >> 6) & 7);
        const i = <u32>a - RAM_START;
        if (i < RAM_BYTES) {
          store<u8>(RAM + i, get(op & 7));
          left--;
        } else {
          leave(pc, base - left);
          slowWrite8(a, get(op & 7));
          left = budget();
          base = now() + left;
        }
        break;
      }
      case I.STRB_IMM: {
        const a = get((op >> 3) & 7) + ((op >> 6) & 31);
        const i = <u32>a - RAM_START;
        if (i < RAM_BYTES) {
          store<u8>(RAM + i, get(op & 7));
          left--;
        } else {
          leave(pc, base - left);
          slowWrite8(a, get(op & 7));
          left = budget();
          base = now() + left;
        }
        break;
      }
      case I.LDM: {
        const from = (op >> 8) & 7;
        let a = get(from);
        leave(pc, base - left);
        for (let i = 0; i < 8; i++) {
          if (op & (1 << i)) {
            set(i, read32(a));
            a += 4;
            store<f64>(CYCLES, now() + 1);
          }
        }
        if (!(op & (1 << from))) set(from, a);
        left = budget();
        base = now() + left;
        break;
      }
      case I.STM: {
        const to = (op >> 8) & 7;
        let a = get(to);
        leave(pc, base - left);
        for (let i = 0; i < 8; i++) {
          if (op & (1 << i)) {
            write32(a, get(i));
            a += 4;
            store<f64>(CYCLES, now() + 1);
          }
        }
        set(to, a);
        left = budget();
        base = now() + left;
        break;
      }
      case I.PUSH: {
        let a = get(SP);
        if (op & 0x100) {
          a -= 4;
          write32(a, get(LR));
          left--;
        }
        for (let i = 7; i >= 0; i--) {
          if (op & (1 << i)) {
            a -= 4;
            write32(a, get(i));
            left--;
          }
        }
        set(SP, a);
        break;
      }

      // ---- addresses, extension, order of bytes
      case I.ADR:
        set((op >> 8) & 7, ((pc + 2) & ~3) + ((op & 0xff) << 2));
        break;
      case I.ADD_SP:
        set((op >> 8) & 7, get(SP) + ((op & 0xff) << 2));
        break;
      case I.SP_UP:
        set(SP, get(SP) + ((op & 0x7f) << 2));
        break;
      case I.SP_DOWN:
        set(SP, get(SP) - ((op & 0x7f) << 2));
        break;
      case I.SXTH:
        set(op & 7, (get((op >> 3) & 7) << 16) >> 16);
        break;
      case I.SXTB:
        set(op & 7, (get((op >> 3) & 7) << 24) >> 24);
        break;
      case I.UXTH:
        set(op & 7, get((op >> 3) & 7) & 0xffff);
        break;
      case I.UXTB:
        set(op & 7, get((op >> 3) & 7) & 0xff);
        break;
      case I.REV:
        set(op & 7, bswap(get((op >> 3) & 7)));
        break;
      case I.REV16: {
        const x = get((op >> 3) & 7);
        set(op & 7, ((x & 0xff00ff) << 8) | ((x >>> 8) & 0xff00ff));
        break;
      }
      case I.REVSH: {
        const x = get((op >> 3) & 7);
        set(op & 7, ((x << 24) >> 16) | ((x >> 8) & 0xff));
        break;
      }

      // ---- branches
      case I.BEQ:
        if (result == 0) {
          pc += 2 + ((op << 24) >> 23);
          left--;
        }
        break;
      case I.BNE:
        if (result != 0) {
          pc += 2 + ((op << 24) >> 23);
          left--;
        }
        break;
      case I.BCS:
        if (C) {
          pc += 2 + ((op << 24) >> 23);
          left--;
        }
        break;
      case I.BCC:
        if (!C) {
          pc += 2 + ((op << 24) >> 23);
          left--;
        }
        break;
      case I.BMI:
        if (result < 0) {
          pc += 2 + ((op << 24) >> 23);
          left--;
        }
        break;
      case I.BPL:
        if (result >= 0) {
          pc += 2 + ((op << 24) >> 23);
          left--;
        }
        break;
      case I.BVS:
        if (V) {
          pc += 2 + ((op << 24) >> 23);
          left--;
        }
        break;
      case I.BVC:
        if (!V) {
          pc += 2 + ((op << 24) >> 23);
          left--;
        }
        break;
      case I.BHI:
        if (C && result != 0) {
          pc += 2 + ((op << 24) >> 23);
          left--;
        }
        break;
      case I.BLS:
        if (!C || result == 0) {
          pc += 2 + ((op << 24) >> 23);
          left--;
        }
        break;
      case I.BGE:
        if (result >>> 31 == V) {
          pc += 2 + ((op << 24) >> 23);
          left--;
        }
        break;
      case I.BLT:
        if (result >>> 31 != V) {
          pc += 2 + ((op << 24) >> 23);
          left--;
        }
        break;
      case I.BGT:
        if (result != 0 && result >>> 31 == V) {
          pc += 2 + ((op << 24) >> 23);
          left--;
        }
        break;
      case I.BLE:
        if (result == 0 || result >>> 31 != V) {
          pc += 2 + ((op << 24) >> 23);
          left--;
        }
        break;
      case I.B:
        pc += 2 + ((op << 21) >> 20);
        left--;
        break;

      // ---- system
      case I.WIDE: {
        const second = <i32>load<u16>(code + pc);
        pc += 2;
        left -= 2;
        if ((second & 0xd000) == 0xd000) {
          // BL: bits 23 and 22 of the offset are coded against its sign
          const sign = (op << 21) >> 31;
          const high = ((second >> 13) ^ ~sign) & 1;
          const low = ((second >> 11) ^ ~sign) & 1;
          const middle = ((op & 0x3ff) << 12) | ((second & 0x7ff) << 1);
          set(LR, pc | 1);
          pc += (sign << 24) | (high << 23) | (low << 22) | middle;
          break;
        }
        if (op == 0xf3bf && (second & 0xffc0) == 0x8f40) break; // barriers: nothing to wait for
        leave(pc, base - left);
        keep(result, C, V);
        if ((op & 0xfff0) == 0xf380 && (second & 0xff00) == 0x8800) {
          writeSpecial(second & 0xff, get(op & 15));
        } else if (op == 0xf3ef && (second & 0xf000) == 0x8000) {
          set((second >> 8) & 15, readSpecial(second & 0xff));
        } else {
          undefinedInstruction(op);
        }
        result = load<i32>(RESULT);
        C = load<i32>(CARRY);
        V = load<i32>(OVERFLOW);
        left = budget();
        base = now() + left;
        break;
      }
      case I.CPSID:
        store<i32>(MASKED, 1);
        break;
      case I.CPSIE:
        store<i32>(MASKED, 0);
        base -= left;
        left = 0;
        attend();
        break;
      case I.SVC:
      case I.BKPT:
        leave(pc, base - left);
        breakpoint(op);
        left = budget();
        base = now() + left;
        break;
      case I.NOP:
        break;
      case I.SEV:
        store<i32>(EVENT, 1);
        break;
      case I.WFE:
      case I.WFI:
        left--;
        if (op == WFE && load<i32>(EVENT)) {
          store<i32>(EVENT, 0);
          break;
        }
        store<i32>(WAITING, op == WFE ? FOR_EVENT : FOR_INTERRUPT);
        base -= left;
        left = 0;
        attend(); // to what is pending already, which ends it
        break;
      default:
        leave(pc, base - left);
        undefinedInstruction(op);
    }
  }
  leave(pc, base - left);
  keep(result, C, V);
  store<f64>(INSTRUCTIONS, load<f64>(INSTRUCTIONS) + n);
}
