// One state machine of a PIO: its registers, and what its instructions do (RP2040 datasheet, 3.4).
//
// `step` executes one instruction and moves `due`, the count of the core's cycles at which the next
// one falls, on by its cycles. A machine that stalls is asleep until something that it could wait for
// changes. So is one that runs in circles: back at an instruction with all registers as they were,
// nothing put out in between, it will do the same until its inputs change. A machine that samples an
// encoder at rest costs nothing that way. One that counts down on the spot does so in a single step.

const COUNTERS = { 0x40: 'x', 0x80: 'y' }; // by the condition of a JMP that counts down

export class StateMachine {
  constructor(pio, index) {
    this.pio = pio;
    this.index = index;
    this.enabled = false;
    this.clkdiv = 1 << 16;
    this.execctrl = 0x1f << 12;
    this.shiftctrl = 3 << 18;
    this.pinctrl = 5 << 26;
    this.pc = 0;
    this.x = 0;
    this.y = 0;
    this.due = 0;
    this.received = [];
    this.sending = [];
    this.left = 0; // cycles from being disabled to `due`
    this.stalled = false;
    this.circle = 0; // cycles of a round, of a machine that runs in circles
    this.ahead = 0; // rounds that it has counted down and whose time has not come
    this.aheadCycles = 0; // that each of them takes
    this.aheadCounter = 'x';
    this.seenPc = -1; // as a round began
    this.restart();
    this.#configure();
  }

  /** What CTRL's SM_RESTART clears. */
  restart() {
    this.isr = 0;
    this.isrCount = 0;
    this.osr = 0;
    this.osrCount = 32;
    this.forced = -1; // an instruction from elsewhere than the program
    this.waitsForFlag = false;
  }

  /** Go on, or stop, at `now`. */
  enable(on, now) {
    this.#takeBack(now);
    if (on && !this.enabled) this.due = now + Math.max(1, this.left);
    else if (!on && this.enabled) this.left = this.due - now;
    this.enabled = on;
  }

  #configure() {
    const { clkdiv, execctrl, shiftctrl, pinctrl } = this;
    this.period = (clkdiv >>> 16 || 65536) + ((clkdiv >>> 8) & 0xff) / 256;
    this.sideEnabled = (execctrl >>> 30) & 1; // the top bit of the field says whether to set
    this.sideDirections = (execctrl >>> 29) & 1;
    this.jmpPin = (execctrl >>> 24) & 31;
    this.wrapTop = (execctrl >>> 12) & 31;
    this.wrapBottom = (execctrl >>> 7) & 31;
    this.pullThreshold = (shiftctrl >>> 25) & 31 || 32;
    this.pushThreshold = (shiftctrl >>> 20) & 31 || 32;
    this.outRight = (shiftctrl >>> 19) & 1;
    this.inRight = (shiftctrl >>> 18) & 1;
    this.autopull = (shiftctrl >>> 17) & 1;
    this.autopush = (shiftctrl >>> 16) & 1;
    this.receiveDepth = [4, 0, 8, 0][(shiftctrl >>> 30) & 3]; // joined to the other one
    this.sendDepth = [4, 8, 0, 0][(shiftctrl >>> 30) & 3];
    this.sideBits = (pinctrl >>> 29) & 7;
    this.setCount = (pinctrl >>> 26) & 7;
    this.outCount = (pinctrl >>> 20) & 63;
    this.inBase = (pinctrl >>> 15) & 31;
    this.sideBase = (pinctrl >>> 10) & 31;
    this.setBase = (pinctrl >>> 5) & 31;
    this.outBase = pinctrl & 31;
    this.delayBits = 5 - this.sideBits;
  }

  // ---- registers

  read(register) {
    switch (register) {
      case 0: return this.clkdiv;
      case 1: return (this.execctrl & 0x7fffffff) | (this.forced >= 0 ? 1 << 31 : 0);
      case 2: return this.shiftctrl;
      case 3: return this.pc;
      case 4: return this.forced >= 0 ? this.forced : this.pio.memory[this.pc];
      default: return this.pinctrl;
    }
  }

  write(register, value) {
    this.#takeBack(this.pio.time.now);
    switch (register) {
      case 0: this.clkdiv = value; break;
      case 1: this.execctrl = value; break;
      case 2:
        if ((this.shiftctrl ^ value) >>> 30) this.received = [];
        if ((this.shiftctrl ^ value) >>> 30) this.sending = [];
        this.shiftctrl = value;
        break;
      case 4: this.#force(value & 0xffff); break;
      case 5: this.pinctrl = value; break;
    }
    this.#configure();
  }

  /** Execute an instruction at once, also in a machine that is not enabled. */
  #force(op) {
    const { stalled } = this;
    this.forced = op;
    this.#side(op);
    if (this.#attempt(op)) this.stalled = stalled; // the program's own instruction still waits
  }

  // ---- FIFOs, from the other side

  put(value) {
    if (this.sending.length < this.sendDepth) this.sending.push(value);
    else this.pio.debug |= 0x10000 << this.index;
  }

  get() {
    if (this.received.length > 0) return this.received.shift();
    this.pio.debug |= 0x100 << this.index;
    return 0;
  }

  // ---- time

  /** Whether it executes its next instruction at `due` whatever happens. */
  get isAwake() {
    return this.enabled && !this.stalled && this.circle === 0;
  }

  /** Something that it may have looked at changes at `now`: go on from there. */
  wake(now) {
    if (this.circle !== 0) {
      if (now > this.due) this.due += Math.floor((now - this.due) / this.circle) * this.circle;
      this.circle = 0;
    }
    if (this.stalled) {
      // it tries in every one of its cycles, and would have in vain until now
      if (now > this.due) this.due += Math.ceil((now - this.due) / this.period) * this.period;
      this.stalled = false;
    }
    this.seenPc = -1;
  }

  /** Execute the instruction that is due. */
  step() {
    const op = this.forced >= 0 ? this.forced : this.pio.memory[this.pc];
    const from = this.pc;
    this.#side(op);
    this.ahead = 0;
    if (!this.#attempt(op)) return;
    const cycles = this.period * (1 + ((op >> 8) & ((1 << this.delayBits) - 1)));
    this.due += cycles;
    if (this.pc === from && COUNTERS[op & 0xe0] !== undefined && op >> 13 === 0) {
      this.#countDown(COUNTERS[op & 0xe0], cycles);
    } else if (this.pc <= from) {
      this.#look();
    }
  }

  /** It has jumped to where it was, and will until a counter is 0: have it be so. */
  #countDown(counter, cycles) {
    this.ahead = this[counter] >>> 0;
    this.aheadCycles = cycles;
    this.aheadCounter = counter;
    this[counter] = 0;
    this.due += this.ahead * cycles;
    this.seenPc = -1;
  }

  /** Let it have counted down no further than until `now`. */
  #takeBack(now) {
    if (this.ahead === 0) return;
    const early = Math.ceil((this.due - now) / this.aheadCycles) - 1;
    const back = Math.min(this.ahead, Math.max(0, early));
    this[this.aheadCounter] = back;
    this.due -= back * this.aheadCycles;
    this.ahead = 0;
  }

  /** Execute an instruction unless it stalls; return whether it is done. */
  #attempt(op) {
    const isForced = this.forced >= 0;
    this.jumped = false;
    if (!this.#execute(op)) {
      this.stalled = true;
      return false;
    }
    this.stalled = false;
    if (isForced && this.forced === op) this.forced = -1;
    // the program goes on behind the instruction that called for another
    if (!isForced && !this.jumped) {
      this.pc = this.pc === this.wrapTop ? this.wrapBottom : (this.pc + 1) & 31;
    }
    return true;
  }

  /** At the beginning of a round: is it as the last one began? */
  #look() {
    const same =
      this.seenPc === this.pc &&
      this.seenEffects === this.pio.effects &&
      this.seenX === this.x &&
      this.seenY === this.y &&
      this.seenIsr === this.isr &&
      this.seenIsrCount === this.isrCount &&
      this.seenOsr === this.osr &&
      this.seenOsrCount === this.osrCount;
    if (same) {
      this.circle = this.due - this.seenDue;
      return;
    }
    this.seenPc = this.pc;
    this.seenEffects = this.pio.effects;
    this.seenX = this.x;
    this.seenY = this.y;
    this.seenIsr = this.isr;
    this.seenIsrCount = this.isrCount;
    this.seenOsr = this.osr;
    this.seenOsrCount = this.osrCount;
    this.seenDue = this.due;
  }

  // ---- instructions

  #side(op) {
    if (this.sideBits === 0) return;
    let value = (op >> (8 + this.delayBits)) & ((1 << this.sideBits) - 1);
    let count = this.sideBits;
    if (this.sideEnabled) {
      count--;
      if (!(value >> count)) return;
      value &= (1 << count) - 1;
    }
    if (this.sideDirections) this.pio.setDirections(value, this.sideBase, count);
    else this.pio.setPins(value, this.sideBase, count);
  }

  #execute(op) {
    const argument = op & 0xff;
    switch (op >> 13) {
      case 0: return this.#jmp(argument >> 5, argument & 31);
      case 1: return this.#wait(argument >> 7, (argument >> 5) & 3, argument & 31);
      case 2: return this.#in((argument >> 5) & 7, argument & 31 || 32);
      case 3: return this.#out((argument >> 5) & 7, argument & 31 || 32);
      case 4: return argument & 0x80 ? this.#pull(argument) : this.#push(argument);
      case 5: return this.#mov(argument >> 5, (argument >> 3) & 3, argument & 7);
      case 6: return this.#irq(argument);
      default: return this.#set(argument >> 5, argument & 31);
    }
  }

  #jump(to) {
    this.pc = to & 31;
    this.jumped = true;
  }

  #jmp(condition, to) {
    let taken = true;
    switch (condition) {
      case 1: taken = this.x === 0; break;
      case 2: taken = this.x !== 0; this.x = (this.x - 1) | 0; break;
      case 3: taken = this.y === 0; break;
      case 4: taken = this.y !== 0; this.y = (this.y - 1) | 0; break;
      case 5: taken = this.x !== this.y; break;
      case 6: taken = ((this.pio.inputs >>> this.jmpPin) & 1) === 1; break;
      case 7: taken = this.osrCount < this.pullThreshold; break;
    }
    if (taken) this.#jump(to);
    return true;
  }

  #flag(index) {
    // with bit 4 relative to the machine's number
    return index & 0x10 ? (index & 4) | ((index + this.index) & 3) : index & 7;
  }

  #wait(polarity, source, index) {
    if (source === 2) {
      const bit = 1 << this.#flag(index);
      if (((this.pio.flags & bit) !== 0) !== (polarity === 1)) return false;
      if (polarity === 1) this.pio.setFlags(this.pio.flags & ~bit);
      return true;
    }
    const pin = source === 0 ? index : (index + this.inBase) & 31;
    return ((this.pio.inputs >>> pin) & 1) === polarity;
  }

  #in(source, count) {
    if (this.autopush && this.isrCount + count >= this.pushThreshold && this.#isReceiveFull) {
      this.pio.debug |= 1 << this.index;
      return false;
    }
    const value = this.#source(source);
    if (count === 32) this.isr = value;
    else if (this.inRight) this.isr = (this.isr >>> count) | (value << (32 - count));
    else this.isr = (this.isr << count) | (value & ((1 << count) - 1));
    this.isrCount = Math.min(32, this.isrCount + count);
    if (this.autopush && this.isrCount >= this.pushThreshold) this.#receive();
    return true;
  }

  #out(destination, count) {
    if (this.autopull && this.osrCount >= this.pullThreshold && !this.#refill()) return false;
    let value;
    if (count === 32) {
      value = this.osr;
      this.osr = 0;
    } else if (this.outRight) {
      value = this.osr & ((1 << count) - 1);
      this.osr >>>= count;
      this.osr |= 0;
    } else {
      value = this.osr >>> (32 - count);
      this.osr <<= count;
    }
    this.osrCount = Math.min(32, this.osrCount + count);
    if (this.autopull && this.osrCount >= this.pullThreshold) this.#refill();
    switch (destination) {
      case 0: this.pio.setPins(value, this.outBase, this.outCount); break;
      case 4: this.pio.setDirections(value, this.outBase, this.outCount); break;
      case 5: this.#jump(value); break;
      case 6: this.isr = value; this.isrCount = count; break;
      case 7: this.forced = value & 0xffff; break;
      default: this.#assign(destination, value);
    }
    return true;
  }

  #refill() {
    if (this.sending.length === 0) {
      this.pio.debug |= 0x1000000 << this.index;
      return false;
    }
    this.osr = this.sending.shift();
    this.osrCount = 0;
    this.pio.changed();
    return true;
  }

  #pull(argument) {
    const ifEmpty = argument & 0x40;
    if ((ifEmpty && this.osrCount < this.pullThreshold) || (this.autopull && this.osrCount === 0)) {
      return true;
    }
    if (!this.#refill()) {
      if (argument & 0x20) return false;
      this.osr = this.x;
      this.osrCount = 0;
    }
    return true;
  }

  get #isReceiveFull() {
    return this.received.length >= this.receiveDepth;
  }

  #push(argument) {
    if (argument & 0x40 && this.isrCount < this.pushThreshold) return true;
    if (this.#isReceiveFull) {
      this.pio.debug |= 1 << this.index;
      if (argument & 0x20) return false;
      this.isr = 0;
      this.isrCount = 0;
    } else {
      this.#receive();
    }
    return true;
  }

  #receive() {
    this.received.push(this.isr);
    this.isr = 0;
    this.isrCount = 0;
    this.pio.changed();
  }

  #mov(destination, operation, source) {
    let value = source === 5 ? this.#status : this.#source(source);
    if (operation === 1) value = ~value;
    else if (operation === 2) value = reverse(value);
    switch (destination) {
      case 0: this.pio.setPins(value, this.outBase, this.outCount); break;
      case 4: this.forced = value & 0xffff; break;
      case 5: this.#jump(value); break;
      case 6: this.isr = value; this.isrCount = 0; break;
      case 7: this.osr = value; this.osrCount = 0; break;
      default: this.#assign(destination, value);
    }
    return true;
  }

  #irq(argument) {
    const bit = 1 << this.#flag(argument & 31);
    if (argument & 0x40) {
      this.pio.setFlags(this.pio.flags & ~bit);
      return true;
    }
    // with bit 5 it waits until the flag it has raised is cleared
    if (!this.waitsForFlag) this.pio.setFlags(this.pio.flags | bit);
    this.waitsForFlag = (argument & 0x20) !== 0 && (this.pio.flags & bit) !== 0;
    return !this.waitsForFlag;
  }

  #set(destination, value) {
    if (destination === 0) this.pio.setPins(value, this.setBase, this.setCount);
    else if (destination === 4) this.pio.setDirections(value, this.setBase, this.setCount);
    else this.#assign(destination, value);
    return true;
  }

  #assign(destination, value) {
    if (destination === 1) this.x = value | 0;
    else if (destination === 2) this.y = value | 0;
  }

  #source(source) {
    switch (source) {
      case 0: {
        const { inputs } = this.pio;
        const base = this.inBase;
        return base === 0 ? inputs : (inputs >>> base) | (inputs << (32 - base));
      }
      case 1: return this.x;
      case 2: return this.y;
      case 6: return this.isr;
      case 7: return this.osr;
      default: return 0;
    }
  }

  get #status() {
    const level = this.execctrl & 0x10 ? this.received.length : this.sending.length;
    return level < (this.execctrl & 15) ? -1 : 0;
  }
}

function reverse(value) {
  let reversed = 0;
  for (let bit = 0; bit < 32; bit++) reversed |= ((value >>> bit) & 1) << (31 - bit);
  return reversed;
}
