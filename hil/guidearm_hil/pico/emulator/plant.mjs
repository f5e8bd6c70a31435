// One joint's motor, gear and link: virtual_board/plant.py, word for word, in JavaScript.
//
// The same words, units and integers, so that a joint does the same here as on the virtual rig; that
// file explains them, and why nothing overflows. A test holds the two against each other.

export const STEP_NANOS = 250e3;

// words of the plant, as plant.py numbers them
export const WORD = Object.freeze({
  STIFFNESS: 0,
  DAMPING: 1,
  HALF_BACKLASH: 2,
  TRANSMISSION_ERROR: 3,
  MOTOR_GAIN: 4,
  LINK_GAIN: 5,
  STALL_TORQUE: 6,
  BACK_EMF: 7,
  TORQUE_LIMIT: 8,
  FRICTION: 9,
  BRAKE_TORQUE: 10,
  BRAKE_DELAY: 11,
  MILLIAMPERE: 12,
  OUTPUT_STEP: 13,
  MOTOR_OFFSET: 14,
  MOTOR_POSITION: 15,
  MOTOR_FRACTION: 16,
  MOTOR_SPEED: 17,
  LINK_POSITION: 18,
  LINK_FRACTION: 19,
  LINK_SPEED: 20,
  BRAKE_OPEN: 21,
  BRAKE_TIMER: 22,
  LOAD: 23,
  INPUTS: 24,
  CLOCK: 25,
  WINDING_TEMPERATURE: 26,
  SUPPLY_VOLTAGE: 27,
  FORCED_INPUTS: 28,
  MOTOR_ENCODER_FROZEN: 29,
  OUTPUT_ENCODER_FROZEN: 30,
  BRAKE_JAMMED: 31,
  EXTRA_LOAD: 32,
  STOP_LOWER: 33,
  STOP_UPPER: 34,
});

const NOMINAL_MV = 24000;
const BRAKE_DROPS_MV = 12000;
const FURTHEST = 0x100000;
const FRACTION = 0x3fff;
const SINE = Int32Array.from({ length: 1024 }, (_, i) =>
  Math.round(1024 * Math.sin((2 * Math.PI * i) / 1024)),
);

function clamp(value, limit) {
  return value > limit ? limit : value < -limit ? -limit : value;
}

export class Plant {
  /** `words` are those of joint_design.plant_words. */
  constructor(words) {
    this.words = Int32Array.from(words);
    this.milliamperes = 0;
  }

  /** Integrate a step of 250 us with a duty (Q15), the power stage and the brake's coil on or off. */
  step(duty, bridgeOn, releaseOn) {
    const p = this.words;
    const W = WORD;
    const supply = p[W.SUPPLY_VOLTAGE];
    const stall = Math.floor((p[W.STALL_TORQUE] * supply) / NOMINAL_MV);
    const works = supply >= BRAKE_DROPS_MV;
    const release = p[W.BRAKE_JAMMED] ? p[W.BRAKE_OPEN] : works && releaseOn ? 1 : 0;
    const limit = p[W.TORQUE_LIMIT];
    let [xm, vm, fm] = [p[W.MOTOR_POSITION], p[W.MOTOR_SPEED], p[W.MOTOR_FRACTION]];
    let [xl, vl, fl] = [p[W.LINK_POSITION], p[W.LINK_SPEED], p[W.LINK_FRACTION]];

    let torque = 0;
    if (works && bridgeOn) {
      torque = clamp(((duty * stall) >> 10) - (((vm >> 14) * p[W.BACK_EMF]) >> 8), limit);
    }
    const ripple = SINE[(xm >> 11) & 1023];
    const twist = xm + ((ripple * p[W.TRANSMISSION_ERROR]) >> 10) - xl;
    const damping = (((vm >> 14) - (vl >> 14)) * p[W.DAMPING]) >> 8;
    const backlash = p[W.HALF_BACKLASH];
    let spring = 0;
    if (Math.abs(twist) > backlash) {
      const wound = clamp(twist > 0 ? twist - backlash : twist + backlash, FURTHEST);
      spring = ((wound * p[W.STIFFNESS]) >> 10) + damping;
    }
    if (p[W.BRAKE_OPEN] !== release) {
      p[W.BRAKE_TIMER]++;
      if (p[W.BRAKE_TIMER] >= p[W.BRAKE_DELAY]) {
        p[W.BRAKE_OPEN] = release;
        p[W.BRAKE_TIMER] = 0;
      }
    } else {
      p[W.BRAKE_TIMER] = 0;
    }
    // Coulomb friction, implicit: it stops the motor but never drives it
    vm += ((torque - spring) * p[W.MOTOR_GAIN]) >> 4;
    const held = p[W.FRICTION] + (p[W.BRAKE_OPEN] ? 0 : p[W.BRAKE_TORQUE]);
    const friction = (held * p[W.MOTOR_GAIN]) >> 4;
    vm = vm > friction ? vm - friction : vm < -friction ? vm + friction : 0;
    // a stop is as stiff as the gear, and pushes only
    let contact = 0;
    const brake = ((vl >> 14) * p[W.DAMPING]) >> 8;
    if (xl > p[W.STOP_UPPER]) {
      const beyond = Math.min(xl - p[W.STOP_UPPER], FURTHEST);
      contact = Math.max(0, ((beyond * p[W.STIFFNESS]) >> 10) + brake);
    } else if (xl < p[W.STOP_LOWER]) {
      const beyond = Math.max(xl - p[W.STOP_LOWER], -FURTHEST);
      contact = Math.min(0, ((beyond * p[W.STIFFNESS]) >> 10) + brake);
    }
    const load = p[W.LOAD] + p[W.EXTRA_LOAD];
    vl += ((spring - load - clamp(contact, 2 * limit)) * p[W.LINK_GAIN]) >> 4;
    fm += vm;
    xm += fm >> 14;
    fl += vl;
    xl += fl >> 14;

    p[W.MOTOR_POSITION] = xm;
    p[W.MOTOR_SPEED] = vm;
    p[W.MOTOR_FRACTION] = fm & FRACTION;
    p[W.LINK_POSITION] = xl;
    p[W.LINK_SPEED] = vl;
    p[W.LINK_FRACTION] = fl & FRACTION;
    this.milliamperes = (torque * p[W.MILLIAMPERE]) >> 16;
  }
}
