// Which of ARMv6-M's instructions a halfword is. The core looks it up in a table of all 65,536.

/** Names of the instructions, in an order that nothing depends on. */
const NAMES = [
  'UNDEFINED',
  ...['LSL_IMM', 'LSR_IMM', 'ASR_IMM', 'ADD_REG', 'SUB_REG', 'ADD_IMM3', 'SUB_IMM3'],
  ...['MOV_IMM', 'CMP_IMM', 'ADD_IMM8', 'SUB_IMM8'],
  ...['AND', 'EOR', 'LSL_REG', 'LSR_REG', 'ASR_REG', 'ADC', 'SBC', 'ROR'],
  ...['TST', 'RSB', 'CMP_REG', 'CMN', 'ORR', 'MUL', 'BIC', 'MVN'],
  ...['ADD_HIGH', 'ADD_PC', 'CMP_HIGH', 'MOV_HIGH', 'MOV_PC', 'BX', 'BLX'],
  'LDR_LITERAL',
  ...['STR_REG', 'STRH_REG', 'STRB_REG', 'LDRSB_REG', 'LDR_REG', 'LDRH_REG', 'LDRB_REG'],
  'LDRSH_REG',
  ...['STR_IMM', 'LDR_IMM', 'STRB_IMM', 'LDRB_IMM', 'STRH_IMM', 'LDRH_IMM', 'STR_SP', 'LDR_SP'],
  ...['ADR', 'ADD_SP', 'SP_UP', 'SP_DOWN', 'SXTH', 'SXTB', 'UXTH', 'UXTB', 'PUSH', 'POP'],
  ...['CPSIE', 'CPSID', 'REV', 'REV16', 'REVSH', 'BKPT', 'NOP', 'WFE', 'WFI', 'SEV'],
  ...['STM', 'LDM'],
  ...['BEQ', 'BNE', 'BCS', 'BCC', 'BMI', 'BPL', 'BVS', 'BVC'],
  ...['BHI', 'BLS', 'BGE', 'BLT', 'BGT', 'BLE'],
  ...['SVC', 'B', 'WIDE'],
];

/** Name to number. */
export const I = Object.freeze(Object.fromEntries(NAMES.map((name, number) => [name, number])));

const DATA_PROCESSING = [
  ...[I.AND, I.EOR, I.LSL_REG, I.LSR_REG, I.ASR_REG, I.ADC, I.SBC, I.ROR],
  ...[I.TST, I.RSB, I.CMP_REG, I.CMN, I.ORR, I.MUL, I.BIC, I.MVN],
];
const BY_REGISTER = [
  ...[I.STR_REG, I.STRH_REG, I.STRB_REG, I.LDRSB_REG],
  ...[I.LDR_REG, I.LDRH_REG, I.LDRB_REG, I.LDRSH_REG],
];
const BY_IMMEDIATE = [I.STR_IMM, I.LDR_IMM, I.STRB_IMM, I.LDRB_IMM];
const EXTEND = [I.SXTH, I.SXTB, I.UXTH, I.UXTB];
const REVERSE = [I.REV, I.REV16, I.UNDEFINED, I.REVSH];
const HINTS = [I.NOP, I.NOP, I.WFE, I.WFI, I.SEV]; // the second is YIELD

/** Tell which instruction a halfword is, or begins. */
export function decode(op) {
  switch (op >> 11) {
    case 0b00000: return I.LSL_IMM;
    case 0b00001: return I.LSR_IMM;
    case 0b00010: return I.ASR_IMM;
    case 0b00011: return [I.ADD_REG, I.SUB_REG, I.ADD_IMM3, I.SUB_IMM3][(op >> 9) & 3];
    case 0b00100: return I.MOV_IMM;
    case 0b00101: return I.CMP_IMM;
    case 0b00110: return I.ADD_IMM8;
    case 0b00111: return I.SUB_IMM8;
    case 0b01000: return op < 0x4400 ? DATA_PROCESSING[(op >> 6) & 15] : high(op);
    case 0b01001: return I.LDR_LITERAL;
    case 0b01010:
    case 0b01011: return BY_REGISTER[(op >> 9) & 7];
    case 0b01100:
    case 0b01101:
    case 0b01110:
    case 0b01111: return BY_IMMEDIATE[(op >> 11) & 3];
    case 0b10000: return I.STRH_IMM;
    case 0b10001: return I.LDRH_IMM;
    case 0b10010: return I.STR_SP;
    case 0b10011: return I.LDR_SP;
    case 0b10100: return I.ADR;
    case 0b10101: return I.ADD_SP;
    case 0b10110:
    case 0b10111: return miscellaneous(op);
    case 0b11000: return I.STM;
    case 0b11001: return I.LDM;
    case 0b11010:
    case 0b11011: return conditional(op);
    case 0b11100: return I.B;
    case 0b11110: return I.WIDE;
    default: return I.UNDEFINED;
  }
}

function high(op) {
  const toPc = ((op >> 4) & 8 | (op & 7)) === 15;
  switch ((op >> 8) & 3) {
    case 0: return toPc ? I.ADD_PC : I.ADD_HIGH;
    case 1: return I.CMP_HIGH;
    case 2: return toPc ? I.MOV_PC : I.MOV_HIGH;
    default: return op & 0x80 ? I.BLX : I.BX;
  }
}

function miscellaneous(op) {
  const kind = (op >> 8) & 15;
  if (kind === 0) return op & 0x80 ? I.SP_DOWN : I.SP_UP;
  if (kind === 2) return EXTEND[(op >> 6) & 3];
  if (kind === 4 || kind === 5) return I.PUSH;
  if (op === 0xb662) return I.CPSIE;
  if (op === 0xb672) return I.CPSID;
  if (kind === 10) return REVERSE[(op >> 6) & 3];
  if (kind === 12 || kind === 13) return I.POP;
  if (kind === 14) return I.BKPT;
  if (kind === 15 && (op & 15) === 0) return HINTS[(op >> 4) & 15] ?? I.NOP;
  return I.UNDEFINED;
}

function conditional(op) {
  const condition = (op >> 8) & 15;
  if (condition === 15) return I.SVC;
  return condition === 14 ? I.UNDEFINED : I.BEQ + condition;
}

/** The instruction of every halfword. */
export const INSTRUCTION = Uint8Array.from({ length: 65536 }, (_, op) => decode(op));
