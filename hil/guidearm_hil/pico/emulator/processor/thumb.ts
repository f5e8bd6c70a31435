// Which of ARMv6-M's instructions a halfword is. The processor looks it up in a table of all 65,536.

export const enum I {
  UNDEFINED,
  LSL_IMM, LSR_IMM, ASR_IMM, ADD_REG, SUB_REG, ADD_IMM3, SUB_IMM3,
  MOV_IMM, CMP_IMM, ADD_IMM8, SUB_IMM8,
  // in the order of their encoding
  AND, EOR, LSL_REG, LSR_REG, ASR_REG, ADC, SBC, ROR, TST, RSB, CMP_REG, CMN, ORR, MUL, BIC, MVN,
  ADD_HIGH, ADD_PC, CMP_HIGH, MOV_HIGH, MOV_PC, BX, BLX,
  LDR_LITERAL,
  // in the order of their encoding, as are the first four after them
  STR_REG, STRH_REG, STRB_REG, LDRSB_REG, LDR_REG, LDRH_REG, LDRB_REG, LDRSH_REG,
  STR_IMM, LDR_IMM, STRB_IMM, LDRB_IMM, STRH_IMM, LDRH_IMM, STR_SP, LDR_SP,
  ADR, ADD_SP, SP_UP, SP_DOWN, SXTH, SXTB, UXTH, UXTB, PUSH, POP,
  CPSIE, CPSID, REV, REV16, REVSH, BKPT, NOP, WFE, WFI, SEV,
  STM, LDM,
  // in the order of their condition
  BEQ, BNE, BCS, BCC, BMI, BPL, BVS, BVC, BHI, BLS, BGE, BLT, BGT, BLE,
  SVC, B, WIDE,
}

/** Tell which instruction a halfword is, or begins. */
export function decode(op: i32): i32 {
  switch (op >> 11) {
    case 0b00000: return I.LSL_IMM;
    case 0b00001: return I.LSR_IMM;
    case 0b00010: return I.ASR_IMM;
    case 0b00011: return I.ADD_REG + ((op >> 9) & 3);
    case 0b00100: return I.MOV_IMM;
    case 0b00101: return I.CMP_IMM;
    case 0b00110: return I.ADD_IMM8;
    case 0b00111: return I.SUB_IMM8;
    case 0b01000: return op < 0x4400 ? I.AND + ((op >> 6) & 15) : high(op);
    case 0b01001: return I.LDR_LITERAL;
    case 0b01010:
    case 0b01011: return I.STR_REG + ((op >> 9) & 7);
    case 0b01100:
    case 0b01101:
    case 0b01110:
    case 0b01111: return I.STR_IMM + ((op >> 11) & 3);
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

function high(op: i32): i32 {
  const toPc = (((op >> 4) & 8) | (op & 7)) == 15;
  switch ((op >> 8) & 3) {
    case 0: return toPc ? I.ADD_PC : I.ADD_HIGH;
    case 1: return I.CMP_HIGH;
    case 2: return toPc ? I.MOV_PC : I.MOV_HIGH;
    default: return op & 0x80 ? I.BLX : I.BX;
  }
}

function miscellaneous(op: i32): i32 {
  if (op == 0xb662) return I.CPSIE;
  if (op == 0xb672) return I.CPSID;
  switch ((op >> 8) & 15) {
    case 0: return op & 0x80 ? I.SP_DOWN : I.SP_UP;
    case 2: return I.SXTH + ((op >> 6) & 3);
    case 4:
    case 5: return I.PUSH;
    case 10: return ((op >> 6) & 3) == 2 ? I.UNDEFINED : I.REV + (<i32>min((op >> 6) & 3, 2));
    case 12:
    case 13: return I.POP;
    case 14: return I.BKPT;
    case 15: return hint(op);
    default: return I.UNDEFINED;
  }
}

function hint(op: i32): i32 {
  if ((op & 15) != 0) return I.UNDEFINED;
  switch ((op >> 4) & 15) {
    case 2: return I.WFE;
    case 3: return I.WFI;
    case 4: return I.SEV;
    default: return I.NOP; // YIELD is one to a single processor
  }
}

function conditional(op: i32): i32 {
  const condition = (op >> 8) & 15;
  if (condition == 15) return I.SVC;
  return condition == 14 ? I.UNDEFINED : I.BEQ + condition;
}
