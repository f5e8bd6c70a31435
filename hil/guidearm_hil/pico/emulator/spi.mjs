// The RP2040's SPI, an ARM PL022, as a master: transfers take their time.
//
// rp2040js's transfers in no time.
import { BasePeripheral } from 'rp2040js';

const CR0 = 0x00;
const CR1 = 0x04;
const DR = 0x08;
const SR = 0x0c;
const CPSR = 0x10;
const IMSC = 0x14;
const RIS = 0x18;
const MIS = 0x1c;
const ICR = 0x20;
const DMACR = 0x24;
const IDENTIFICATION = 0xfe0; // eight registers
const IDENTITY = [0x22, 0x10, 0x34, 0x00, 0x0d, 0xf0, 0x05, 0xb1];

const ENABLED = 1 << 1; // of CR1
const BUSY = 1 << 4;
const RX_FULL = 1 << 3;
const RX_NOT_EMPTY = 1 << 2;
const TX_NOT_FULL = 1 << 1;
const TX_EMPTY = 1 << 0;
const TRANSMIT = 1 << 3; // interrupts
const RECEIVE = 1 << 2;
const OVERRUN = 1 << 0;
const DEPTH = 8;

export class Spi extends BasePeripheral {
  constructor(chip, name, irq, dreq) {
    super(chip, name);
    this.irq = irq;
    this.dreq = dreq;
    /** Called with a word and its bits when the last has left; returns what came in meanwhile. */
    this.onTransfer = () => 0;
    this.done = chip.clock.createAlarm(() => this.#transferred());
    this.reset();
  }

  reset() {
    this.done.cancel();
    this.sending = [];
    this.shifting = null;
    this.received = [];
    this.control0 = 0;
    this.control1 = 0;
    this.prescale = 0;
    this.mask = 0;
    this.overrun = 0;
    this.dma = 0;
    this.#update();
  }

  /** Bits of a word. */
  get bits() {
    return (this.control0 & 15) + 1;
  }

  /** Mode 0 to 3: polarity of the clock times 2, plus phase. */
  get mode() {
    return ((this.control0 >> 5) & 2) | ((this.control0 >> 7) & 1);
  }

  /** Bits per second. */
  get baud() {
    return this.rp2040.clkPeri / (this.prescale * (1 + ((this.control0 >> 8) & 0xff)));
  }

  get #raw() {
    return (
      this.overrun |
      (this.sending.length <= DEPTH / 2 ? TRANSMIT : 0) |
      (this.received.length >= DEPTH / 2 ? RECEIVE : 0)
    );
  }

  #update() {
    this.rp2040.setInterrupt(this.irq, (this.#raw & this.mask) !== 0);
    const { dma } = this.rp2040;
    if (this.sending.length < DEPTH) dma.setDREQ(this.dreq.tx);
    else dma.clearDREQ(this.dreq.tx);
    if (this.received.length > 0) dma.setDREQ(this.dreq.rx);
    else dma.clearDREQ(this.dreq.rx);
  }

  #next() {
    if (this.shifting !== null || this.sending.length === 0 || !(this.control1 & ENABLED)) return;
    this.shifting = this.sending.shift();
    this.done.schedule((this.bits * 1e9) / this.baud);
  }

  #transferred() {
    const word = this.onTransfer(this.shifting, this.bits);
    this.shifting = null;
    if (this.received.length < DEPTH) this.received.push(word);
    else this.overrun = OVERRUN;
    this.#next();
    this.#update();
  }

  readUint32(offset) {
    switch (offset) {
      case CR0: return this.control0;
      case CR1: return this.control1;
      case DR: {
        const word = this.received.shift() ?? 0;
        this.#update();
        return word;
      }
      case SR:
        return (
          (this.shifting !== null || this.sending.length > 0 ? BUSY : 0) |
          (this.received.length >= DEPTH ? RX_FULL : 0) |
          (this.received.length > 0 ? RX_NOT_EMPTY : 0) |
          (this.sending.length < DEPTH ? TX_NOT_FULL : 0) |
          (this.sending.length === 0 ? TX_EMPTY : 0)
        );
      case CPSR: return this.prescale;
      case IMSC: return this.mask;
      case RIS: return this.#raw;
      case MIS: return this.#raw & this.mask;
      case DMACR: return this.dma;
      default:
        if (offset >= IDENTIFICATION) return IDENTITY[(offset - IDENTIFICATION) >> 2];
        return super.readUint32(offset);
    }
  }

  writeUint32(offset, value) {
    switch (offset) {
      case CR0: this.control0 = value & 0xffff; return;
      case CR1: this.control1 = value & 0xf; break;
      case DR:
        if (this.sending.length < DEPTH) this.sending.push(value & ((1 << this.bits) - 1));
        break;
      case CPSR: this.prescale = value & 0xfe; return;
      case IMSC: this.mask = value & 0xf; break;
      case ICR: if (this.rawWriteValue & OVERRUN) this.overrun = 0; break;
      case DMACR: this.dma = value & 3; break;
      default: super.writeUint32(offset, value); return;
    }
    this.#next();
    this.#update();
  }
}
