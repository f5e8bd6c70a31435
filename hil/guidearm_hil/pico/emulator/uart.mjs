// The RP2040's UART, an ARM PL011: bytes take their time, FIFOs have levels, interrupts follow them.
//
// rp2040js's transmits in no time and its transmit interrupt is always pending.
import { BasePeripheral } from 'rp2040js';

const DR = 0x00;
const RSR = 0x04;
const FR = 0x18;
const IBRD = 0x24;
const FBRD = 0x28;
const LCR_H = 0x2c;
const CR = 0x30;
const IFLS = 0x34;
const IMSC = 0x38;
const RIS = 0x3c;
const MIS = 0x40;
const ICR = 0x44;
const DMACR = 0x48;
const IDENTIFICATION = 0xfe0; // eight registers
const IDENTITY = [0x11, 0x10, 0x34, 0x00, 0x0d, 0xf0, 0x05, 0xb1];

const TX_EMPTY = 1 << 7;
const RX_FULL = 1 << 6;
const TX_FULL = 1 << 5;
const RX_EMPTY = 1 << 4;
const BUSY = 1 << 3;
const FIFOS = 1 << 4; // of LCR_H
const TWO_STOP_BITS = 1 << 3;
const PARITY = 1 << 1;
const ENABLED = 1 << 0; // of CR
const TX_ENABLED = 1 << 8;
const RX_ENABLED = 1 << 9;
const OVERRUN = 1 << 10; // interrupts
const TIMEOUT = 1 << 6;
const TRANSMIT = 1 << 5;
const RECEIVE = 1 << 4;
const FRAMING_ERROR = 1 << 8; // beside a byte
const DEPTH = 32;
const TIMEOUT_BITS = 32;
const LEVELS = [4, 8, 16, 24, 28]; // of 32

export class Uart extends BasePeripheral {
  constructor(chip, name, irq, dreq) {
    super(chip, name);
    this.irq = irq;
    this.dreq = dreq;
    /** Called with each byte, and its start and end in ns, when it begins to leave. */
    this.onTransmit = () => {};
    this.done = chip.clock.createAlarm(() => this.#transmitted());
    this.idle = chip.clock.createAlarm(() => this.#raise(TIMEOUT));
    this.reset();
  }

  reset() {
    this.done.cancel();
    this.idle.cancel();
    this.sending = [];
    this.shifting = false;
    this.received = [];
    this.overruns = 0;
    this.divisor = 0;
    this.fraction = 0;
    this.line = 0;
    this.control = TX_ENABLED | RX_ENABLED;
    this.levels = 0x12;
    this.mask = 0;
    this.raw = 0;
    this.dma = 0;
    this.#update();
  }

  clkPeriChanged() {} // what a byte takes is reckoned when it leaves

  /** Nanoseconds that a bit takes. */
  get bitNanos() {
    return (16e9 * (this.divisor + this.fraction / 64)) / this.rp2040.clkPeri;
  }

  /** Bits per second, 0 before it is set. */
  get baud() {
    return this.divisor === 0 ? 0 : 1e9 / this.bitNanos;
  }

  /** Bits of a byte with its start, parity and stop bits. */
  get frameBits() {
    const parity = this.line & PARITY ? 1 : 0;
    return 1 + 5 + ((this.line >> 5) & 3) + parity + (this.line & TWO_STOP_BITS ? 2 : 1);
  }

  get #depth() {
    return this.line & FIFOS ? DEPTH : 1;
  }

  get #transmitLevel() {
    return this.line & FIFOS ? (LEVELS[this.levels & 7] ?? DEPTH / 2) : 0;
  }

  get #receiveLevel() {
    return this.line & FIFOS ? (LEVELS[(this.levels >> 3) & 7] ?? DEPTH / 2) : 1;
  }

  /** A byte has come, its stop bit included; `whole` false: that was not one. */
  receive(byte, whole = true) {
    if ((this.control & (ENABLED | RX_ENABLED)) !== (ENABLED | RX_ENABLED)) return;
    if (this.received.length >= this.#depth) {
      this.overruns++;
      this.raw |= OVERRUN;
    } else {
      this.received.push(whole ? byte : byte | FRAMING_ERROR);
    }
    if (this.received.length >= this.#receiveLevel) this.raw |= RECEIVE;
    this.idle.schedule(TIMEOUT_BITS * this.bitNanos);
    this.#update();
  }

  #raise(interrupt) {
    this.raw |= interrupt;
    this.#update();
  }

  #update() {
    this.rp2040.setInterrupt(this.irq, (this.raw & this.mask) !== 0);
    const { dma } = this.rp2040;
    if (this.dma & 2 && this.sending.length < this.#depth) dma.setDREQ(this.dreq.tx);
    else dma.clearDREQ(this.dreq.tx);
    if (this.dma & 1 && this.received.length > 0) dma.setDREQ(this.dreq.rx);
    else dma.clearDREQ(this.dreq.rx);
  }

  #send(byte) {
    if (this.sending.length < this.#depth) this.sending.push(byte);
    if (!this.shifting) this.#next();
    if (this.sending.length > this.#transmitLevel) this.raw &= ~TRANSMIT;
    this.#update();
  }

  #next() {
    if ((this.control & (ENABLED | TX_ENABLED)) !== (ENABLED | TX_ENABLED)) return;
    const byte = this.sending.shift();
    if (byte === undefined) return;
    this.shifting = true;
    if (this.sending.length === this.#transmitLevel) this.raw |= TRANSMIT;
    const nanos = this.frameBits * this.bitNanos;
    const { clock } = this.rp2040;
    this.done.schedule(nanos);
    this.onTransmit(byte, clock.nanos, clock.nanos + nanos);
  }

  /** The stop bit is over. */
  #transmitted() {
    this.shifting = false;
    this.#next();
    this.#update();
  }

  #fetch() {
    const value = this.received.shift() ?? 0;
    if (this.received.length < this.#receiveLevel) this.raw &= ~RECEIVE;
    if (this.received.length === 0) {
      this.raw &= ~TIMEOUT;
      this.idle.cancel();
    }
    this.#update();
    return value;
  }

  get #flags() {
    return (
      (this.sending.length === 0 ? TX_EMPTY : 0) |
      (this.sending.length >= this.#depth ? TX_FULL : 0) |
      (this.received.length === 0 ? RX_EMPTY : 0) |
      (this.received.length >= this.#depth ? RX_FULL : 0) |
      (this.shifting || this.sending.length > 0 ? BUSY : 0)
    );
  }

  readUint32(offset) {
    switch (offset) {
      case DR: return this.#fetch();
      case RSR: return 0;
      case FR: return this.#flags;
      case IBRD: return this.divisor;
      case FBRD: return this.fraction;
      case LCR_H: return this.line;
      case CR: return this.control;
      case IFLS: return this.levels;
      case IMSC: return this.mask;
      case RIS: return this.raw;
      case MIS: return this.raw & this.mask;
      case DMACR: return this.dma;
      default:
        if (offset >= IDENTIFICATION) return IDENTITY[(offset - IDENTIFICATION) >> 2];
        return super.readUint32(offset);
    }
  }

  writeUint32(offset, value) {
    switch (offset) {
      case DR: this.#send(value & 0xff); return;
      case RSR: return;
      case IBRD: this.divisor = value & 0xffff; return;
      case FBRD: this.fraction = value & 0x3f; return;
      case LCR_H: this.line = value & 0xff; return;
      case CR:
        this.control = value;
        if (!this.shifting) this.#next();
        break;
      case IFLS: this.levels = value & 0x3f; return;
      case IMSC: this.mask = value & 0x7ff; break;
      case ICR: this.raw &= ~this.rawWriteValue; break;
      case DMACR: this.dma = value & 7; break;
      default: super.writeUint32(offset, value); return;
    }
    this.#update();
  }
}
