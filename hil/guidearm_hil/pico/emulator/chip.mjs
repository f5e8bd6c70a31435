// An RP2040 of rp2040js with the parts in place that a joint's firmware needs to be true.
import { RP2040, LogLevel, ConsoleLogger, BasePeripheral } from 'rp2040js';
import { Clock } from './clock.mjs';
import { Core, CoreError } from './core.mjs';
import { Flash, Ssi } from './flash.mjs';
import { Pads } from './pads.mjs';
import { Pio, PioTime } from './pio.mjs';
import { Pwm } from './pwm.mjs';
import { Spi } from './spi.mjs';
import { Uart } from './uart.mjs';

const FIRST_HERTZ = 6.5e6; // the ring oscillator, on which it boots
const FLASH_START = 0x10000000;
const IRQ_PIO0 = 7;
const IRQ_PIO1 = 9;
const DREQ_PIO0 = 0;
const DREQ_PIO1 = 8;
// keys of rp2040js's table of peripherals: address >> 12
const SSI = 0x18000;
const IO_QSPI = 0x40018;
const UART0 = 0x40034;
const UART1 = 0x40038;
const SPI0 = 0x4003c;
const SPI1 = 0x40040;
const PWM = 0x40050;
const ROSC = 0x40060;
const VREG = 0x40064;
const PIO0 = 0x50200;
const PIO1 = 0x50300;

/** Registers that keep what is written to them. */
class Registers extends BasePeripheral {
  constructor(chip, name, onWrite = () => {}) {
    super(chip, name);
    this.values = new Map();
    this.onWrite = onWrite;
  }

  readUint32(offset) {
    return this.values.get(offset) ?? 0;
  }

  writeUint32(offset, value) {
    this.values.set(offset, value);
    this.onWrite(offset, value);
  }
}

/** The ring oscillator: stable, and a source of bits that are random by the chip's seed. */
class RingOscillator extends Registers {
  static STATUS = 0x18;
  static RANDOM_BIT = 0x1c;

  constructor(chip, name, seed) {
    super(chip, name);
    this.state = seed | 1;
  }

  readUint32(offset) {
    if (offset === RingOscillator.STATUS) return 1 << 31;
    if (offset !== RingOscillator.RANDOM_BIT) return super.readUint32(offset);
    // xorshift, Marsaglia 2003
    this.state ^= this.state << 13;
    this.state ^= this.state >>> 17;
    this.state ^= this.state << 5;
    return this.state & 1;
  }
}

const FIFO_STATUS = 0x50; // of SIO, between the cores
const FIFO_READ = 0x58;
const FIFO_VALID_AND_READY = 3;

/** Have the second core, which is not there, answer what it does after a reset: 0. */
function withoutSecondCore(sio) {
  const read = sio.readUint32.bind(sio);
  sio.readUint32 = (offset) => {
    if (offset === FIFO_STATUS) return FIFO_VALID_AND_READY;
    return offset === FIFO_READ ? 0 : read(offset);
  };
}

export class Chip {
  /** rom and flash: bytes; flash becomes the chip's own. uniqueId: eight bytes. */
  constructor({ rom, flash, uniqueId, seed }) {
    // the core is made of the chip, and the clock of the core
    const clock = new Clock({ cycles: 0, limit: 0 }, FIRST_HERTZ);
    this.clock = clock;
    this.mcu = new RP2040(clock);
    this.mcu.logger = new ConsoleLogger(LogLevel.Error);
    this.core = new Core(this.mcu);
    this.mcu.core = this.core;
    const { bootrom } = this.mcu;
    new Uint8Array(bootrom.buffer, bootrom.byteOffset, bootrom.byteLength).set(rom);
    this.mcu.flash.set(flash);
    clock.core = this.core;
    this.mcu.addClockListener((hertz) => clock.setFrequency(hertz));
    this.stalled = 0; // until this count of cycles
    this.halted = false; // until somebody makes another
    this.#repair(uniqueId, seed);
    this.flash = new Flash(this.mcu.flash, (nanos) => this.#stall(nanos));
    this.mcu.onBreak = (which) => this.#break(which);
    this.core.start(FLASH_START);
  }

  #repair(uniqueId, seed) {
    const { mcu } = this;
    const { peripherals } = mcu;
    this.pioTime = new PioTime(this.clock, this.core);
    mcu.pio = [
      new Pio(mcu, 'PIO0', IRQ_PIO0, DREQ_PIO0, this.pioTime),
      new Pio(mcu, 'PIO1', IRQ_PIO1, DREQ_PIO1, this.pioTime),
    ];
    this.pads = new Pads(mcu, this.pioTime);
    this.pioTime.pads = this.pads;
    mcu.uart = mcu.uart.map((old) => new Uart(mcu, old.name, old.irq, old.dreq));
    mcu.spi = mcu.spi.map((old) => new Spi(mcu, old.name, old.irq, old.dreq));
    mcu.pwm = new Pwm(mcu, 'PWM');
    this.ssi = new Ssi(mcu, 'SSI', uniqueId);
    Object.assign(peripherals, {
      [SSI]: this.ssi,
      [IO_QSPI]: new Registers(mcu, 'IO_QSPI', () => this.ssi.select()),
      [UART0]: mcu.uart[0],
      [UART1]: mcu.uart[1],
      [SPI0]: mcu.spi[0],
      [SPI1]: mcu.spi[1],
      [PWM]: mcu.pwm,
      [ROSC]: new RingOscillator(mcu, 'ROSC', seed),
      [VREG]: new Registers(mcu, 'VREG_AND_CHIP_RESET'),
      [PIO0]: mcu.pio[0],
      [PIO1]: mcu.pio[1],
    });
    for (const pio of mcu.pio) pio.changed();
    withoutSecondCore(mcu.sio);
  }

  #break(which) {
    if (which > 1) {
      const from = (this.core.registers[14] >>> 0).toString(16);
      throw new CoreError(`breakpoint ${which}, called from 0x${from}`);
    }
    this.flash.call(which === 1, this.core);
  }

  /** Have the core do nothing for a while, whatever interrupts it; all else goes on. */
  #stall(nanos) {
    this.stalled = this.clock.cyclesAt(this.clock.nanos + nanos);
    this.core.limit = 0;
  }

  /** Run until an instant of its own time, in ns. */
  run(until) {
    const { core, clock } = this;
    for (;;) {
      clock.fire();
      const end = clock.cyclesAt(until);
      if (core.cycles >= end || this.halted) return;
      const next = Math.min(end, clock.nextCycles);
      if (core.cycles < this.stalled) {
        core.cycles = Math.max(core.cycles, Math.min(next, this.stalled));
        continue;
      }
      core.limit = next;
      core.execute();
      if (core.waiting && !core.attentive) {
        core.cycles = Math.max(core.cycles, Math.min(end, clock.nextCycles));
      }
    }
  }
}
