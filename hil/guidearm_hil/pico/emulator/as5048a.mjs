// The output encoder, an AS5048A on SPI: frames of 16 bits in mode 1, each answered by the next.
//
// Parity makes each frame even. A command that is not raises the error flag in the answers until the
// error register is read (data sheet, section "SPI communication").

const MODE = 1;
const BITS = 16;
const MOST_HERTZ = 10e6;
const READ = 0x4000;
const ERROR = 0x4000;
const ADDRESS = 0x3fff;
const CLEAR_ERROR = 0x0001;
const DIAGNOSTICS = 0x3ffd; // the offset compensation has finished, a field in the middle of its range
const DIAGNOSTICS_VALUE = 0x0180;
const MAGNITUDE = 0x3ffe;
const MAGNITUDE_VALUE = 0x1000;
const ANGLE = 0x3fff;
const FRAMING_ERROR = 1; // bits of the error register
const PARITY_ERROR = 4;
const NOTHING = 0xffff; // what an open line reads

/** Put parity into bit 15 of a word. */
export function even(word) {
  let bits = word & 0x7fff;
  for (let shift = 8; shift > 0; shift >>= 1) bits ^= bits >> shift;
  return (word & 0x7fff) | ((bits & 1) << 15);
}

export class As5048a {
  /** `angle()` is what it measures now, 0 to 16383. */
  constructor(angle) {
    this.angle = angle;
    this.errors = 0;
    this.answer = 0;
    this.silent = false; // its line is cut
  }

  /** Exchange a frame within a chip select of its own; returns what is on its line. */
  exchange(command, bits, mode, hertz) {
    if (this.silent || mode !== MODE || hertz > MOST_HERTZ) return NOTHING & ((1 << bits) - 1);
    const answer = even(this.answer | (this.errors ? ERROR : 0));
    if (bits !== BITS) {
      this.errors |= FRAMING_ERROR;
      this.answer = 0;
      return answer >> Math.max(0, BITS - bits);
    }
    if (even(command) !== command) {
      this.errors |= PARITY_ERROR;
      this.answer = 0;
      return answer;
    }
    this.answer = command & READ ? this.#read(command & ADDRESS) : 0;
    return answer;
  }

  #read(register) {
    switch (register) {
      case CLEAR_ERROR: {
        const { errors } = this;
        this.errors = 0;
        return errors;
      }
      case DIAGNOSTICS: return DIAGNOSTICS_VALUE;
      case MAGNITUDE: return MAGNITUDE_VALUE;
      case ANGLE: return this.angle();
      default: return 0;
    }
  }
}
