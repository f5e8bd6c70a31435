// The Pico's flash, a W25Q16JV: erased to ones by sectors, programmed by clearing bits by pages.
//
// The SDK erases and programs through the boot ROM, whose functions are breakpoints here. Other
// commands go through the SSI; of those it knows the ones that read identities and the status.
import { BasePeripheral } from 'rp2040js';

export const FLASH_BYTES = 2 * 1024 * 1024;
const SECTOR = 4096;
const PAGE = 256;
// typical figures of its data sheet; over both the chip does nothing else
const ERASE_NANOS = 45e6;
const PROGRAM_NANOS = 0.4e6;
const FLASH = 0x10000000;
const RAM = 0x20000000;

/** What a flash would not do. */
export class FlashError extends Error {}

/** The supply failed in the middle of an operation. */
export class PowerCut extends Error {}

export class Flash {
  /** `bytes` is what the chip sees of it; `idle(nanos)` lets time pass over an operation. */
  constructor(bytes, idle) {
    this.bytes = bytes;
    this.idle = idle;
    this.left = Infinity; // bytes to be erased or programmed until the supply fails
    this.changed = new Set(); // sectors, since somebody asked
  }

  /** Set every bit of whole sectors. */
  erase(address, count) {
    if (address % SECTOR || count % SECTOR || address + count > FLASH_BYTES) {
      throw new FlashError(`erase of ${count} bytes at 0x${address.toString(16)}: no whole sectors`);
    }
    for (let at = address; at < address + count; at += SECTOR) {
      this.#change(at, new Uint8Array(SECTOR).fill(0xff));
      this.idle(ERASE_NANOS);
    }
  }

  /** Clear the bits of whole pages that are not set in `data`. */
  program(address, data) {
    if (address % PAGE || data.length % PAGE || address + data.length > FLASH_BYTES) {
      throw new FlashError(
        `program of ${data.length} bytes at 0x${address.toString(16)}: no whole pages`
      );
    }
    for (let at = 0; at < data.length; at += PAGE) {
      const page = data.slice(at, at + PAGE);
      this.#change(address + at, page.map((byte, i) => byte & this.bytes[address + at + i]));
      this.idle(PROGRAM_NANOS);
    }
  }

  #change(address, target) {
    this.changed.add(address - (address % SECTOR));
    if (target.length > this.left) {
      // the byte under way is left with half of its bits changed
      const whole = this.left;
      const torn = (this.bytes[address + whole] & 0x0f) | (target[whole] & 0xf0);
      this.bytes.set(target.subarray(0, whole), address);
      this.bytes[address + whole] = torn;
      throw new PowerCut('power failed while flash was written');
    }
    this.left -= target.length;
    this.bytes.set(target, address);
  }

  /** One of the boot ROM's two functions is called, with its arguments in registers. */
  call(isProgram, core) {
    const [address, second, third] = core.registers;
    if (!isProgram) {
      this.erase(address >>> 0, second >>> 0);
      return;
    }
    const from = second >>> 0;
    if (from >= FLASH && from < RAM) {
      throw new FlashError('flash is programmed from flash, which cannot be read meanwhile');
    }
    const data = new Uint8Array(third >>> 0);
    for (let i = 0; i < data.length; i++) data[i] = core.read8(from + i);
    this.program(address >>> 0, data);
  }
}

const SSIENR = 0x08;
const TXFLR = 0x20;
const RXFLR = 0x24;
const SR = 0x28;
const IDR = 0x58;
const VERSION_ID = 0x5c;
const DR0 = 0x60;
const TX_NOT_FULL = 1 << 1;
const TX_EMPTY = 1 << 2;
const RX_NOT_EMPTY = 1 << 3;

const READ_UNIQUE_ID = 0x4b;
const READ_IDENTITY = 0x9f;
const ID_DUMMY_BYTES = 4;
const IDENTITY = [0xef, 0x40, 0x15];

/** The SSI as the way to a flash's commands. Reading in place is the core's. */
export class Ssi extends BasePeripheral {
  constructor(chip, name, uniqueId) {
    super(chip, name);
    this.uniqueId = uniqueId;
    this.registers = new Map();
    this.answers = [];
    this.select();
  }

  /** Chip select falls or rises: a command ends. */
  select() {
    this.sent = [];
  }

  #exchange(byte) {
    const [command] = this.sent;
    const at = this.sent.length;
    this.sent.push(byte);
    if (command === READ_UNIQUE_ID) return this.uniqueId[at - 1 - ID_DUMMY_BYTES] ?? 0;
    if (command === READ_IDENTITY) return IDENTITY[at - 1] ?? 0;
    return 0; // of the status: not busy
  }

  readUint32(offset) {
    switch (offset) {
      case SR: return TX_NOT_FULL | TX_EMPTY | (this.answers.length > 0 ? RX_NOT_EMPTY : 0);
      case TXFLR: return 0;
      case RXFLR: return this.answers.length;
      case IDR: return 0x51535049;
      case VERSION_ID: return 0x3430312a;
      case DR0: return this.answers.shift() ?? 0;
      default: return this.registers.get(offset) ?? 0;
    }
  }

  writeUint32(offset, value) {
    if (offset === DR0) {
      this.answers.push(this.#exchange(value & 0xff));
      return;
    }
    if (offset === SSIENR) {
      this.answers = [];
      this.select();
    }
    this.registers.set(offset, value);
  }
}
