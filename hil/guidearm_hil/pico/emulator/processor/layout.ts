// Where in the processor's memory things are. `core.mjs` has the same table.

export const REGISTERS: usize = 0;
export const RESULT: usize = 64; // of which N and Z are
export const CARRY: usize = 68;
export const OVERFLOW: usize = 72;
export const MASKED: usize = 76; // PRIMASK
export const WAITING: usize = 80; // 0, or one of the two below
export const EVENT: usize = 84;
export const CYCLES: usize = 88; // these three are f64
export const LIMIT: usize = 96;
export const INSTRUCTIONS: usize = 104;
export const TABLE: usize = 0x1000; // which instruction a halfword is
export const ROM: usize = 0x20000;
export const RAM: usize = 0x40000;
export const FLASH: usize = 0x100000;

export const FOR_INTERRUPT: i32 = 1;
export const FOR_EVENT: i32 = 2; // or interrupt

export const ROM_BYTES: u32 = 16 * 1024;
export const RAM_BYTES: u32 = 264 * 1024;
export const FLASH_BYTES: u32 = 2 * 1024 * 1024;
export const RAM_START: u32 = 0x20000000;
export const FLASH_START: u32 = 0x10000000; // four times, with and without its cache
export const FLASH_WINDOW: u32 = 0x04000000;
