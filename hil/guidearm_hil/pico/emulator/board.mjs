// A joint's Pico with its power, its flash and its place on the bus. Its crystal is off by so many
// parts in a million: instants of the board and of the world are told apart here.
import { Chip } from './chip.mjs';
import { heardAt } from './bus.mjs';
import { PowerCut } from './flash.mjs';

const WATCHDOG = 0x40058;
const FUNCTION_UART = 2;

export class Board {
  /** `setup`: rom, flash, uniqueId, ppm, seed; `wires`: the bus, the stop line, the joint's index. */
  constructor(setup, joint, wires) {
    this.setup = setup;
    this.joint = joint;
    this.wires = wires;
    this.flash = setup.flash; // what it holds while there is no power
    this.boots = 0;
    this.chip = null;
    this.instructions = 0; // of chips before this one
    this.failure = null; // what no chip would have gone on after
  }

  /** Give it power at an instant of the world. */
  powerUp(worldNanos) {
    this.#boot(worldNanos, 0, new Uint32Array(8));
  }

  /** Take its power. */
  powerDown() {
    if (this.chip === null) return;
    this.flash = this.chip.flash.bytes.slice();
    this.instructions += this.chip.core.instructions;
    this.chip = null;
    this.joint.connect(null);
    this.wires.disconnect();
  }

  #boot(worldNanos, reason, scratch) {
    const { rom, uniqueId, seed } = this.setup;
    this.boots++;
    const chip = new Chip({ rom, flash: this.flash, uniqueId, seed: seed + this.boots });
    this.chip = chip;
    this.origin = worldNanos; // when its own time is 0
    const watchdog = chip.mcu.peripherals[WATCHDOG];
    watchdog.reason = reason;
    watchdog.scratchData.set(scratch);
    watchdog.onWatchdogTrigger = () => {
      chip.core.limit = 0;
      chip.halted = true;
    };
    this.joint.connect(this);
    this.wires.connect(this);
  }

  // ---- time

  get #rate() {
    return 1 + this.setup.ppm * 1e-6;
  }

  toWorld(nanos) {
    return this.origin + nanos / this.#rate;
  }

  get worldNanos() {
    return this.toWorld(this.chip.clock.nanos);
  }

  /** The core's count of cycles at an instant of the world. */
  cyclesAt(worldNanos) {
    const { clock } = this.chip;
    const nanos = (worldNanos - this.origin) * this.#rate;
    return clock.anchorCycles + (nanos - clock.anchorNanos) / clock.nanosPerCycle;
  }

  /** Run until an instant of the world. */
  run(worldNanos) {
    if (this.chip === null) return;
    try {
      this.chip.run((worldNanos - this.origin) * this.#rate);
    } catch (error) {
      if (!(error instanceof PowerCut)) {
        const pc = (this.chip.core.registers[15] >>> 0).toString(16);
        this.failure = `${error.message} (at 0x${pc})`;
      }
      this.powerDown();
      return;
    }
    if (this.chip.halted) this.#reset(worldNanos);
  }

  /** The watchdog has reset the chip: it boots, on the flash as it is. */
  #reset(worldNanos) {
    const { reason, scratchData } = this.chip.mcu.peripherals[WATCHDOG];
    this.powerDown();
    this.#boot(worldNanos, reason, scratchData);
  }

  /** A byte has come over the bus. */
  hear(pad, value, whole, bitNanos) {
    if (this.chip === null) return;
    const { gpio, uart } = this.chip.mcu;
    if (gpio[pad].functionSelect !== FUNCTION_UART) return;
    const port = uart[((pad + 4) >> 3) & 1];
    const heard = heardAt(value, whole, bitNanos, port.bitNanos);
    port.receive(heard.value, heard.whole);
  }
}
