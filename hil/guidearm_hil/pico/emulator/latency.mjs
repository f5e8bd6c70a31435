// What an exception takes: until its handler first reads a register, and until it returns.

export class Latency {
  /** Look at exception `number`, whose handler first reads the register at `address`. */
  constructor(number, address) {
    this.number = number;
    this.address = address;
    this.began = null; // the core's counts when it was entered, until it returns
    this.reads = false; // whether that register was read since
    this.told = { times: 0, toRegister: 0, instructions: 0, cycles: 0 }; // at most, but for times
  }

  entered(number, { instructions, cycles }) {
    if (number === this.number) this.began = { instructions, cycles };
  }

  /** Have the core look up after each instruction while this counts: only then its count is told. */
  limit(cycles, limit) {
    return this.began === null ? limit : cycles + 1;
  }

  read(address, { instructions }) {
    if (this.began === null || this.reads || address !== this.address) return;
    this.reads = true;
    this.#atMost('toRegister', instructions - this.began.instructions);
  }

  returned(number, { instructions, cycles }) {
    if (this.began === null || number !== this.number) return;
    if (this.reads) this.told.times++;
    this.#atMost('instructions', instructions + 1 - this.began.instructions); // this one, too
    this.#atMost('cycles', cycles - this.began.cycles);
    this.began = null;
    this.reads = false;
  }

  #atMost(what, count) {
    this.told[what] = Math.max(this.told[what], count);
  }
}
