// MicroPython's prompt, over USB: runs scripts on a chip.
import { USBCDC } from 'rp2040js';

const STEP_NANOS = 100e3;
const BOOT_NANOS = 3e9;
const ANSWER_NANOS = 2e9;

/** The board does not answer as MicroPython would. */
export class ReplError extends Error {}

export class Repl {
  /** Plug a cable into a chip that has just been made. */
  constructor(chip) {
    this.chip = chip;
    this.heard = '';
    this.waiting = [];
    this.connected = false;
    this.cdc = new USBCDC(chip.mcu.usbCtrl);
    this.cdc.onDeviceConnected = () => {
      this.connected = true;
    };
    this.cdc.onSerialData = (bytes) => {
      this.heard += Buffer.from(bytes).toString('latin1');
    };
  }

  /** Boot, stop `main.py`, and enter the raw prompt with nothing of it left. Returns what it said. */
  enter() {
    this.#until(() => this.connected, BOOT_NANOS, 'no USB device');
    this.#send('\r\x03\x03');
    this.#until(() => this.heard.includes('>>> '), BOOT_NANOS, 'no prompt');
    const said = this.heard;
    this.#command('\x01', 'raw REPL; CTRL-B to exit\r\n>');
    this.#command('\x04', 'raw REPL; CTRL-B to exit\r\n>');
    return said;
  }

  /** Run a script; returns what it printed and, where it failed, its traceback. */
  run(script, nanos) {
    this.#command(`${script}\x04`, 'OK');
    this.heard = this.heard.slice(this.heard.indexOf('OK') + 2);
    this.#until(() => this.heard.endsWith('\x04>'), nanos, 'the script does not end');
    const [printed, error] = this.heard.split('\x04');
    return { printed: printed.replaceAll('\r\n', '\n'), error: error.replaceAll('\r\n', '\n') };
  }

  #command(text, answer) {
    this.heard = '';
    this.#send(text);
    this.#until(() => this.heard.includes(answer), ANSWER_NANOS, `no ${JSON.stringify(answer)}`);
  }

  #send(text) {
    this.waiting.push(...Buffer.from(text, 'utf8'));
  }

  #until(condition, nanos, otherwise) {
    const end = this.chip.clock.nanos + nanos;
    while (!condition()) {
      if (this.chip.clock.nanos >= end) {
        throw new ReplError(`${otherwise} after ${nanos / 1e9} s: ${JSON.stringify(this.heard.slice(-300))}`);
      }
      while (this.waiting.length > 0 && !this.cdc.txFIFO.full) {
        this.cdc.sendSerialByte(this.waiting.shift());
      }
      this.chip.run(this.chip.clock.nanos + STEP_NANOS);
    }
  }
}
