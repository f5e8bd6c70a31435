// The time of one board: its core's cycles, as nanoseconds, and what is to happen at instants of it.
//
// Between two instructions it stands still; a peripheral that looks at it in the middle of one sees
// the instruction's start. Alarms go off in order of time, those of one instant in order of setting.

/** Something that happens once, at an instant that can be moved. */
class Alarm {
  constructor(clock, callback) {
    this.clock = clock;
    this.callback = callback;
    this.nanos = 0;
    this.next = null;
    this.scheduled = false;
  }

  /** Have it happen `nanos` from now. */
  schedule(nanos) {
    this.at(this.clock.nanos + nanos);
  }

  /** Have it happen at an instant; at once if that has passed. */
  at(nanos) {
    if (this.scheduled) this.clock.unlink(this);
    this.nanos = nanos;
    this.clock.link(this);
  }

  cancel() {
    if (this.scheduled) this.clock.unlink(this);
  }
}

export class Clock {
  /** `core` has `cycles` and a `limit` of them, up to which it runs without looking up. */
  constructor(core, frequency) {
    this.core = core;
    this.first = null;
    this.anchorNanos = 0;
    this.anchorCycles = core.cycles;
    this.nanosPerCycle = 1e9 / frequency;
  }

  get nanos() {
    return this.anchorNanos + (this.core.cycles - this.anchorCycles) * this.nanosPerCycle;
  }

  get micros() {
    return this.nanos / 1000;
  }

  /** The core's frequency is another from now on. */
  setFrequency(frequency) {
    this.anchorNanos = this.nanos;
    this.anchorCycles = this.core.cycles;
    this.nanosPerCycle = 1e9 / frequency;
    this.core.limit = 0; // it was reckoned by the old frequency
  }

  createAlarm(callback) {
    return new Alarm(this, callback);
  }

  /** The count of cycles at which an instant has come. */
  cyclesAt(nanos) {
    return this.anchorCycles + Math.ceil((nanos - this.anchorNanos) / this.nanosPerCycle);
  }

  /** The count of cycles at which the next alarm is due, Infinity without one. */
  get nextCycles() {
    return this.first === null ? Infinity : this.cyclesAt(this.first.nanos);
  }

  /** Let everything happen that is due by now. */
  fire() {
    while (this.nextCycles <= this.core.cycles) {
      const alarm = this.first;
      this.unlink(alarm);
      alarm.callback();
    }
  }

  link(alarm) {
    let before = null;
    let after = this.first;
    while (after !== null && after.nanos <= alarm.nanos) {
      before = after;
      after = after.next;
    }
    alarm.next = after;
    alarm.scheduled = true;
    if (before === null) {
      this.first = alarm;
      const cycles = this.cyclesAt(alarm.nanos);
      if (cycles < this.core.limit) this.core.limit = cycles;
    } else {
      before.next = alarm;
    }
  }

  unlink(alarm) {
    if (this.first === alarm) {
      this.first = alarm.next;
    } else {
      let before = this.first;
      while (before.next !== alarm) before = before.next;
      before.next = alarm.next;
    }
    alarm.next = null;
    alarm.scheduled = false;
  }
}
