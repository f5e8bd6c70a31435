"""What happens once a millisecond: inputs into the servo's words, one call, its words put out.

One viper function on registers, since every instruction of it is taken from the servo. It waits for
nothing but the 2 us of the current's conversion, and it allocates nothing.

Should the tick ever raise, no word of permission follows: `rp2_clock` takes torque, brake and stop
line away. No tick comes after it, so the watchdog resets the chip, and the joint boots with that as
its fault.
"""

from array import array

import machine
import micropython
import uctypes
from micropython import const

import rp2_analog as analog
import rp2_chip as chip
import rp2_clock as clock
import rp2_spi as spi
import rp2_watchdog as watchdog
from rp2_pins import GPIO

TYPE_CHECKING = False
if TYPE_CHECKING:
    from collections.abc import Callable

# words of the servo's state
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
_PULL_LINE = const(10)

_INPUT_STOP_LINE = const(1)
_INPUT_EMERGENCY_STOP = const(2)
_INPUT_MOTOR_ENCODER = const(16)
_INPUT_OUTPUT_ENCODER = const(32)
_INPUT_WATCHDOG = const(64)
_INPUT_BRAKE_OPEN = const(128)

# words of this file's own array: addresses, masks and scales, then what changes
TIME = const(0)
COUNTS = const(1)  # the FIFO with the motor's counts
FIFO_STATUS = const(2)
FLAGS = const(3)
CONVERTER = const(4)
READ_CURRENT = const(5)
READ_TEMPERATURE = const(6)
READ_SUPPLY = const(7)
CURRENT_ZERO = const(8)
CURRENT_SCALE = const(9)
TEMPERATURE_SCALE = const(10)
TEMPERATURE_ZERO = const(11)
SUPPLY_SCALE = const(12)
ENCODER = const(13)  # the SPI port's data
LEVELS = const(14)
SWITCHES = const(15)  # bits up in the levels: stop line, emergency stop, both limits
BRAKE_OPEN = const(16)  # its mask in the levels
EDGES = const(17)
PULLED_EDGE = const(18)
OPENED_EDGE = const(19)
COMPARE = const(20)  # of the PWM
PERIOD = const(21)
PERMITTED = const(22)  # the FIFO for what may be on
WATCHDOG = const(23)
FEED = const(24)
BITTEN = const(25)  # INPUT_WATCHDOG, if that is why this is a boot
ALIVE = const(26)  # ticks that the main loop may still be away
DOUBT = const(27)  # ticks since the output encoder gave a good angle
SETTLING = const(28)  # frames that bring no angle, after its error was cleared
NEXT_SLOW = const(29)  # what to convert until the next tick
STATE = const(30)  # address of the servo's state
WORDS = const(31)

DOUBT_TICKS = const(8)
_RX_EMPTY = const(0x100)
_COUNT_LOST = const(0x10)
_READY = const(0x100)
_READ_ANGLE = const(0xFFFF)
_CLEAR_ERROR = const(0x4001)
_ERROR = const(0x4000)
_TIME = const(0x3FFFFFFF)


own = array("I", [0] * WORDS)
"""What `handle` works with. The board sets ALIVE in its main loop."""


def prepare(compare: int, period: int, current_zero: int, bitten: bool) -> None:
    """Take the addresses, pins and scales, and what the board has found out of its parts."""
    own[TIME] = chip.TIME_US
    own[COUNTS] = chip.PIO0 + chip.RECEIVE_FIFO
    own[FIFO_STATUS] = chip.PIO0 + chip.FIFO_STATUS
    own[FLAGS] = chip.PIO0 + chip.FLAGS
    own[CONVERTER] = analog.CONTROL
    own[READ_CURRENT] = analog.command("current")
    own[READ_TEMPERATURE] = analog.command("temperature")
    own[READ_SUPPLY] = analog.command("supply")
    own[CURRENT_ZERO] = current_zero
    own[CURRENT_SCALE] = analog.CURRENT_SCALE
    own[TEMPERATURE_SCALE] = analog.TEMPERATURE_SCALE
    own[TEMPERATURE_ZERO] = analog.TEMPERATURE_ZERO
    own[SUPPLY_SCALE] = analog.SUPPLY_SCALE
    own[ENCODER] = spi.DATA
    own[LEVELS] = chip.GPIO_IN
    own[SWITCHES] = GPIO["stop_line"]
    own[BRAKE_OPEN] = 1 << GPIO["brake_open"]
    own[EDGES] = chip.EDGES + GPIO["stop_line"] // 8 * 4
    own[PULLED_EDGE] = chip.EDGE_LOW << GPIO["stop_line"] % 8 * 4
    own[OPENED_EDGE] = chip.EDGE_HIGH << GPIO["emergency_stop"] % 8 * 4
    own[COMPARE] = compare
    own[PERIOD] = period
    own[PERMITTED] = clock.PERMITTED
    own[WATCHDOG] = watchdog.LOAD
    own[FEED] = watchdog.TICKING
    own[BITTEN] = _INPUT_WATCHDOG if bitten else 0
    own[DOUBT] = DOUBT_TICKS


def prime(state: "array[int]") -> None:
    """Have the inputs ready that a tick takes from the tick before it, which the first has not."""
    scaled = analog.convert("supply") * own[SUPPLY_SCALE] >> 12
    state[_SUPPLY] = scaled
    scaled = analog.convert("temperature") * own[TEMPERATURE_SCALE] - own[TEMPERATURE_ZERO] >> 12
    state[_TEMPERATURE] = scaled
    spi.prime()
    machine.mem32[own[EDGES]] = own[PULLED_EDGE] | own[OPENED_EDGE]
    machine.mem32[own[FLAGS]] = _COUNT_LOST


def handler(
    state: "array[int]",
    tick: "Callable[..., object]",
    supervise: object,
) -> "Callable[[object], object]":
    """Return what serves the tick's interrupt.

    Viper takes an address where it takes a buffer, and is sooner done with it. The arrays
    have to stay where they are: who calls keeps them.
    """
    address = uctypes.addressof(own)
    own[STATE] = uctypes.addressof(state)

    @micropython.viper
    def handle(machine: object) -> object:
        w = ptr32(int(address))
        s = ptr32(w[STATE])

        # ---- the instant, and the motor's count at it. The FIFO holds four old ones
        s[_NOW] = ptr32(w[TIME])[0] & _TIME
        counts = ptr32(w[COUNTS])
        _ = counts[0]
        _ = counts[0]
        _ = counts[0]
        _ = counts[0]

        # ---- what was converted since the last tick, and now the current
        converter = ptr32(w[CONVERTER])
        value = converter[1]
        slow = converter[0] & 0x7000
        converter[0] = w[READ_CURRENT]
        if slow == w[READ_TEMPERATURE] & 0x7000:
            s[_TEMPERATURE] = (value * w[TEMPERATURE_SCALE] - w[TEMPERATURE_ZERO]) >> 12
            w[NEXT_SLOW] = w[READ_SUPPLY]
        else:
            s[_SUPPLY] = value * w[SUPPLY_SCALE] >> 12
            w[NEXT_SLOW] = w[READ_TEMPERATURE]

        # ---- switches; the edges hold what was shorter than a tick
        levels = ptr32(w[LEVELS])[0]
        inputs = ((levels >> w[SWITCHES]) ^ _INPUT_STOP_LINE) & 15 | w[BITTEN]
        edges = ptr32(w[EDGES])
        seen = edges[0]
        edges[0] = w[PULLED_EDGE] | w[OPENED_EDGE]
        if seen & w[PULLED_EDGE]:
            inputs |= _INPUT_STOP_LINE
        if seen & w[OPENED_EDGE]:
            inputs |= _INPUT_EMERGENCY_STOP
        if levels & w[BRAKE_OPEN] == 0:
            inputs |= _INPUT_BRAKE_OPEN

        # ---- output encoder: the answer to the last frame but one
        encoder = ptr32(w[ENCODER])
        answer = encoder[0]
        command = _READ_ANGLE
        odd = answer ^ (answer >> 8)
        odd ^= odd >> 4
        odd ^= odd >> 2
        odd = (odd ^ (odd >> 1)) & 1
        if w[SETTLING] != 0:
            w[SETTLING] -= 1
        elif answer & _ERROR:
            command = _CLEAR_ERROR
            w[SETTLING] = 2
        elif odd == 0:
            s[_OUTPUT] = answer & 0x3FFF
            w[DOUBT] = 0
        encoder[0] = command
        if w[DOUBT] >= DOUBT_TICKS:
            inputs |= _INPUT_OUTPUT_ENCODER
        else:
            w[DOUBT] += 1

        # ---- motor encoder
        status = ptr32(w[FIFO_STATUS])
        while status[0] & _RX_EMPTY:
            pass
        s[_MOTOR] = counts[0]
        flags = ptr32(w[FLAGS])
        if flags[0] & _COUNT_LOST:
            flags[0] = _COUNT_LOST
            inputs |= _INPUT_MOTOR_ENCODER
        s[_INPUTS] = inputs

        # ---- current
        while converter[0] & _READY == 0:
            pass
        s[_CURRENT] = (converter[1] - w[CURRENT_ZERO]) * w[CURRENT_SCALE] >> 12

        tick(w[STATE], supervise)  # pyright: ignore[reportArgumentType]

        # ---- duty as the level of one half-bridge, and what may be on until the next tick
        duty = s[_DUTY]
        if duty < 0:
            ptr32(w[COMPARE])[0] = (0 - duty) * w[PERIOD] >> 15 << 16
        else:
            ptr32(w[COMPARE])[0] = duty * w[PERIOD] >> 15
        permitted = s[_BRAKE]
        if s[_PULL_LINE] == 0:
            permitted += 2
        if s[_BRIDGE] != 0:
            permitted += 4
        ptr32(w[PERMITTED])[0] = permitted

        # ---- the slow ones in turn, and the watchdog
        converter[0] = w[NEXT_SLOW]
        if w[ALIVE] != 0:
            w[ALIVE] -= 1
            ptr32(w[WATCHDOG])[0] = w[FEED]

    return handle
