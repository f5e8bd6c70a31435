"""One joint's motor, gear and link, integrated in 250 us steps in integers.

A DC motor drives a flexible gear: two inertias with a spring between them, backlash and a
transmission error of two periods a motor turn (as strain-wave gears have), Coulomb friction and a
holding brake on the motor's side, load torque and mechanical stops on the link's. Everything is
referred to the output. Below `_BRAKE_DROPS_MV` neither power stage nor brake coil work. Integers,
because floats differ between builds of MicroPython and a run must not.

Units and why nothing overflows 31 signed bits (a step is 250 us)
- positions: Q10 motor counts with 14 further bits kept aside; +-4 turns are 1.7e9.
- speeds: Q24 counts a step; 0.5 turn/s is 51 counts, 8.6e8.
- torques: mNm, below 2e5. Inverse inertias: Q4 speed per mNm and step, at most 22,000 (0.05 kg m2)
  where torques stay below 4e4, 1,100 (1 kg m2) where they reach 2e5.
- spring: clamped to 1,024 counts, 2^20; times at most 1,000 mNm per count.
"""

from array import array
from math import pi, sin

import micropython
from micropython import const

# --- set by the rig
STIFFNESS = const(0)  # mNm per motor count
DAMPING = const(1)  # Q8 mNm per Q10 count a step
HALF_BACKLASH = const(2)  # Q10 counts
TRANSMISSION_ERROR = const(3)  # Q10 counts, amplitude
MOTOR_GAIN = const(4)  # Q4 speed per mNm and step
LINK_GAIN = const(5)
STALL_TORQUE = const(6)  # mNm / 32 at full duty
BACK_EMF = const(7)  # Q8 mNm per Q10 count a step
TORQUE_LIMIT = const(8)  # mNm
FRICTION = const(9)  # mNm
BRAKE_TORQUE = const(10)  # mNm
BRAKE_DELAY = const(11)  # steps until the brake has moved
MILLIAMPERE = const(12)  # Q16 mA per mNm
OUTPUT_STEP = const(13)  # Q10 counts per output encoder step
MOTOR_OFFSET = const(14)  # motor encoder at boot minus motor position, counts
# --- state
MOTOR_POSITION = const(15)  # Q10 counts
MOTOR_FRACTION = const(16)
MOTOR_SPEED = const(17)  # Q24 counts a step
LINK_POSITION = const(18)
LINK_FRACTION = const(19)
LINK_SPEED = const(20)
BRAKE_OPEN = const(21)
BRAKE_TIMER = const(22)
# --- per exchange
LOAD = const(23)  # mNm
INPUTS = const(24)
CLOCK = const(25)  # us, joint clock at the coming tick
# --- changed by injections
WINDING_TEMPERATURE = const(26)  # 0.1 degC
SUPPLY_VOLTAGE = const(27)  # mV
FORCED_INPUTS = const(28)  # INPUT_* bits of the servo, besides those of the bus
MOTOR_ENCODER_FROZEN = const(29)
OUTPUT_ENCODER_FROZEN = const(30)
BRAKE_JAMMED = const(31)  # 1: it stays as it is
EXTRA_LOAD = const(32)  # mNm
STOP_LOWER = const(33)  # Q10 counts of the link
STOP_UPPER = const(34)
PLANT_WORDS = const(35)

# first words of the servo's state: its inputs, then its outputs
_NOW = const(0)
_MOTOR = const(1)
_OUTPUT = const(2)
_INPUTS = const(3)
_CURRENT = const(4)
_TEMPERATURE = const(5)
_SUPPLY = const(6)
_DUTY = const(7)
_BRIDGE = const(8)
_BRAKE = const(9)

STEP_US = const(250)
_STEPS_PER_TICK = const(4)
_NOMINAL_MV = const(24000)
_BRAKE_DROPS_MV = const(12000)
_BRAKE_OPEN_BIT = const(7)  # of the servo's inputs

SINE = array("i", [round(1024 * sin(2 * pi * i / 1024)) for i in range(1024)])


@micropython.viper
def advance(plant: object, state: object, sine: object) -> object:
    """Integrate one tick with the servo's outputs and fill in its inputs."""
    p = ptr32(plant)
    s = ptr32(state)
    wave = ptr32(sine)
    m = 0x20000000
    m = m << 2
    duty = (s[_DUTY] ^ m) - m
    bridge = s[_BRIDGE]
    release = s[_BRAKE]
    supply = p[SUPPLY_VOLTAGE]
    stall = p[STALL_TORQUE] * supply // _NOMINAL_MV
    if supply < _BRAKE_DROPS_MV:
        bridge = 0
        release = 0
    if p[BRAKE_JAMMED] != 0:
        release = p[BRAKE_OPEN]
    xm = (p[MOTOR_POSITION] ^ m) - m
    vm = (p[MOTOR_SPEED] ^ m) - m
    xl = (p[LINK_POSITION] ^ m) - m
    vl = (p[LINK_SPEED] ^ m) - m
    fm = p[MOTOR_FRACTION]
    fl = p[LINK_FRACTION]
    load = ((p[LOAD] ^ m) - m) + ((p[EXTRA_LOAD] ^ m) - m)
    lowest = (p[STOP_LOWER] ^ m) - m
    highest = (p[STOP_UPPER] ^ m) - m
    limit = p[TORQUE_LIMIT]
    backlash = p[HALF_BACKLASH]
    torque = 0
    step = 0
    while step < _STEPS_PER_TICK:
        step += 1
        torque = 0
        if bridge != 0:
            torque = ((duty * stall) >> 10) - (((vm >> 14) * p[BACK_EMF]) >> 8)
            if torque > limit:
                torque = limit
            elif torque < 0 - limit:
                torque = 0 - limit
        ripple = (wave[(xm >> 11) & 1023] ^ m) - m
        twist = xm + ((ripple * p[TRANSMISSION_ERROR]) >> 10) - xl
        damping = (((vm >> 14) - (vl >> 14)) * p[DAMPING]) >> 8
        spring = 0
        if twist > backlash:
            twist -= backlash
            if twist > 0x100000:
                twist = 0x100000
            spring = ((twist * p[STIFFNESS]) >> 10) + damping
        elif twist < 0 - backlash:
            twist += backlash
            if twist < -0x100000:
                twist = -0x100000
            spring = ((twist * p[STIFFNESS]) >> 10) + damping
        # brake: closes and opens with a delay
        if p[BRAKE_OPEN] != release:
            p[BRAKE_TIMER] += 1
            if p[BRAKE_TIMER] >= p[BRAKE_DELAY]:
                p[BRAKE_OPEN] = release
                p[BRAKE_TIMER] = 0
        else:
            p[BRAKE_TIMER] = 0
        # Coulomb friction, implicit: it stops the motor but never drives it
        vm += ((torque - spring) * p[MOTOR_GAIN]) >> 4
        friction = p[FRICTION]
        if p[BRAKE_OPEN] == 0:
            friction += p[BRAKE_TORQUE]
        friction = (friction * p[MOTOR_GAIN]) >> 4
        if vm > friction:
            vm -= friction
        elif vm < 0 - friction:
            vm += friction
        else:
            vm = 0
        # a stop is as stiff as the gear, and pushes only
        contact = 0
        if xl > highest:
            beyond = xl - highest
            if beyond > 0x100000:
                beyond = 0x100000
            contact = ((beyond * p[STIFFNESS]) >> 10) + (((vl >> 14) * p[DAMPING]) >> 8)
            if contact < 0:
                contact = 0
        elif xl < lowest:
            beyond = xl - lowest
            if beyond < -0x100000:
                beyond = -0x100000
            contact = ((beyond * p[STIFFNESS]) >> 10) + (((vl >> 14) * p[DAMPING]) >> 8)
            if contact > 0:
                contact = 0
        if contact > limit + limit:
            contact = limit + limit
        elif contact < 0 - limit - limit:
            contact = 0 - limit - limit
        vl += ((spring - load - contact) * p[LINK_GAIN]) >> 4
        fm += vm
        xm += fm >> 14
        fm &= 0x3FFF
        fl += vl
        xl += fl >> 14
        fl &= 0x3FFF
    p[MOTOR_POSITION] = xm
    p[MOTOR_SPEED] = vm
    p[LINK_POSITION] = xl
    p[LINK_SPEED] = vl
    p[MOTOR_FRACTION] = fm
    p[LINK_FRACTION] = fl
    now = p[CLOCK]
    p[CLOCK] = (now + 1000) & 0x3FFFFFFF
    s[_NOW] = now
    if p[MOTOR_ENCODER_FROZEN] == 0:
        s[_MOTOR] = (xm >> 10) + ((p[MOTOR_OFFSET] ^ m) - m)
    if p[OUTPUT_ENCODER_FROZEN] == 0:
        s[_OUTPUT] = (xl // p[OUTPUT_STEP]) & 16383
    s[_INPUTS] = p[INPUTS] | p[FORCED_INPUTS] | (p[BRAKE_OPEN] << _BRAKE_OPEN_BIT)
    s[_TEMPERATURE] = p[WINDING_TEMPERATURE]
    s[_SUPPLY] = supply
    s[_CURRENT] = (torque * p[MILLIAMPERE]) >> 16
