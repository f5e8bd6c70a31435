// Runs scripts on a Pico that is plugged into USB: node prompt.mjs ROM FIRMWARE
//
// Each line of its input is a request in JSON, {script, seconds}; each line of its output an answer,
// {printed, error}. The first answer is what the board said while it booted. What goes wrong with the
// emulation is {failure}, and ends it.
import fs from 'node:fs';
import { createInterface } from 'node:readline';
import { Chip } from './chip.mjs';
import { FLASH_BYTES } from './flash.mjs';
import { Repl } from './repl.mjs';

function answer(reply) {
  fs.writeSync(1, `${JSON.stringify(reply)}\n`);
}

const [romFile, firmwareFile] = process.argv.slice(2);
const flash = new Uint8Array(FLASH_BYTES).fill(0xff);
flash.set(fs.readFileSync(firmwareFile));
const uniqueId = new TextEncoder().encode('guidearm');
const chip = new Chip({ rom: fs.readFileSync(romFile), flash, uniqueId, seed: 1 });
const repl = new Repl(chip);
try {
  answer({ printed: repl.enter(), error: '' });
  for await (const line of createInterface({ input: process.stdin })) {
    const { script, seconds } = JSON.parse(line);
    answer(repl.run(script, seconds * 1e9));
  }
} catch (error) {
  answer({ failure: error.message });
  process.exitCode = 1;
}
