"""The wiring of a Raspberry Pi Pico or Pico 2 as a joint controller: all pin numbers are here.

The board takes its pins from here, the wiring page its table and drawing, the emulated board its
plant, and a bench of boards what to check. MicroPython and CPython import this file.
"""

# What holds a pin where it belongs as long as no program does: reset, boot, a fault of the chip.
# A resistor outside, since the pulls inside do not exist before a program asks for them, and since
# a pull-down inside an RP2350 does not hold (erratum E9).
UP = "up"
DOWN = "down"
DRIVEN = "driven"  # by what is connected

OUTPUT = "output"
INPUT = "input"
ANALOG = "analog"

# (signal, GPIO, direction, held, where it goes on its part and what its levels are)
PINS = (
    ("bus_transmit", 0, OUTPUT, UP, "DI"),
    ("bus_receive", 1, INPUT, UP, "RO"),
    ("bus_direction", 2, OUTPUT, DOWN, "DE and /RE: high while transmitting"),
    ("maintenance", 3, INPUT, UP, "closed: the joint stays at the USB prompt"),
    ("motor_a", 6, INPUT, UP, "A: counts up while A leads B"),
    ("motor_b", 7, INPUT, UP, "B"),
    ("stop_line", 8, INPUT, DRIVEN, "out: low is stop"),
    ("emergency_stop", 9, INPUT, UP, "to ground: open is stop"),
    ("limit_lower", 10, INPUT, UP, "lower, to ground: open is the limit"),
    ("limit_upper", 11, INPUT, UP, "upper, to ground: open is the limit"),
    ("brake_open", 12, INPUT, UP, "contact to ground: closed is released"),
    ("brake_release", 13, OUTPUT, DOWN, "gate: high releases"),
    ("stop_line_release", 14, OUTPUT, DOWN, "in: low pulls the line"),
    ("bridge_enable", 15, OUTPUT, DOWN, "both INH: low coasts"),
    ("bridge_a", 16, OUTPUT, DOWN, "IN of A: high is the high side"),
    ("bridge_b", 17, OUTPUT, DOWN, "IN of B: high is the high side"),
    ("output_clock", 18, OUTPUT, DOWN, "CLK"),
    ("output_command", 19, OUTPUT, DOWN, "MOSI"),
    ("output_angle", 20, INPUT, UP, "MISO"),
    ("output_select", 21, OUTPUT, UP, "CSn"),
    ("current", 26, ANALOG, DRIVEN, "out"),
    ("temperature", 27, ANALOG, UP, "out"),
    ("supply", 28, ANALOG, DRIVEN, "middle"),
)

GPIO = {row[0]: row[1] for row in PINS}
"""GPIO number of each signal."""

# ---- analogue scales: what is put in front of a converter of 12 bits
REFERENCE_MV = 3300
CONVERTER_STEPS = 4096
CURRENT_ZERO_MV = 1650  # at no current
CURRENT_UV_PER_MA = 40  # shunt 2 mOhm, gain 20: +-41 A
TEMPERATURE_ZERO_MV = 400  # at 0 degC
TEMPERATURE_UV_PER_STEP = 1950  # per 0.1 degC
SUPPLY_DIVIDER = 11  # 36.3 V at the converter's end

BAUD = 1000000  # of the bus: 500,000 to 3,000,000 in steps of 125,000, the same for all joints
PWM_HZ = 20000  # above hearing
