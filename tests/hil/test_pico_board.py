"""The Pico's board file, a subject at a time, in the emulated RP2040.

Each script runs at the board's prompt; the tick that it gives the board is a stub that notes what
it gets. What the servo makes of it is tested elsewhere.
"""

from __future__ import annotations

import ast
from collections.abc import Iterator
from itertools import pairwise

import pytest

from guidearm_firmware.boards import rp2_pins as pins
from guidearm_hil.frozen_rig import RigSetUpError
from guidearm_hil.pico.bench import Bench, Edge
from guidearm_hil.pico.image import RIG


def why_not() -> str:
    """Return why the rig cannot run, nothing if it can."""
    try:
        RIG.image()
    except RigSetUpError as error:
        return str(error)
    return ""


pytestmark = pytest.mark.skipif(bool(why_not()), reason=why_not())

NOW, MOTOR, OUTPUT, INPUTS, CURRENT, TEMPERATURE, SUPPLY, DUTY, BRIDGE, BRAKE, PULL_LINE = range(11)
STOP_LINE, EMERGENCY_STOP, LIMIT_LOWER, LIMIT_UPPER, MOTOR_ENCODER, OUTPUT_ENCODER, WATCHDOG = (
    1 << bit for bit in range(7)
)
BRAKE_OPEN = 128
US = 1000.0  # ns
MS = 1e6

START = """
import board, gc, machine, micropython, time
from array import array
b = board.Board()
s = array('i', [0] * 96)
notes = array('i', [0] * 4 * 256)
received = array('i', [0])
buffer = bytearray(256)
own = board.rp2_interrupt.own
ALIVE = board.rp2_interrupt.ALIVE

@micropython.viper
def tick(state: object, ring: object) -> object:
    w = ptr32(state)
    n = w[20]
    r = ptr32(ring)
    at = (n & 255) << 2
    if w[22] == 0:
        r[at] = w[0]
        r[at + 1] = w[1]
        r[at + 2] = w[3]
        r[at + 3] = w[2]
        w[20] = n + 1
    if w[3] & w[23] != 0:
        w[10] = 1
    if n == w[21] - 1:
        int(tick)  # raises

def noted():
    # time, count, inputs and angle of the last ticks, oldest first
    s[22] = 1
    n = s[20]
    found = [tuple(notes[4 * (i & 255):4 * (i & 255) + 4]) for i in range(max(0, n - 256), n)]
    s[22] = 0
    return found

b.start(s, tick, notes)
own[ALIVE] = 1 << 29  # the prompt is no main loop
time.sleep_ms(3)
"""


AT_REST = """
for i in range(7, 11):
    s[i] = 0
s[20] = 0
own[ALIVE] = 1 << 29
gc.collect()
"""


@pytest.fixture(scope="module")
def shared() -> Iterator[Bench]:
    with Bench() as bench:
        bench.run(START)
        yield bench


@pytest.fixture
def bench(shared: Bench) -> Bench:
    """One board for all that leave it running: booting is what takes long."""
    shared.wire()
    shared.encoder(0)
    shared.run(AT_REST)
    shared.advance(0.012)  # an encoder's error is over
    shared.run(AT_REST)
    shared.record()
    return shared


@pytest.fixture
def own_bench() -> Iterator[Bench]:
    """Give a board of its own to a test that resets it."""
    with Bench() as bench:
        bench.run(START)
        yield bench


def words(bench: Bench, *which: int) -> list[int]:
    """Let two ticks pass; return words of the servo's state."""
    bench.advance(0.002)
    return [int(one) for one in bench.run(f"print(*[s[i] for i in {which!r}])").split()]


def noted(bench: Bench) -> list[tuple[int, int, int, int]]:
    """Return time, count, inputs and angle of the last ticks."""
    return ast.literal_eval(bench.run("print(noted())"))


# ---- motor encoder


@pytest.mark.parametrize("rate", [150_000, 800_000])
def test_the_encoder_is_counted_exactly_there_and_back(bench: Bench, rate: int) -> None:
    (before,) = words(bench, MOTOR)
    at = 0
    for counts in (5000, -12000, 3, -1, 1, -2, 9001, -1002):
        at += counts
        until = bench.turn(counts, rate)
        bench.advance((until - bench.now) / 1e9 + 0.0001)
        (now,) = words(bench, MOTOR)
        assert now - before == at
    assert not [inputs for _, _, inputs, _ in noted(bench) if inputs & MOTOR_ENCODER]


def test_a_count_is_that_of_its_instant(bench: Bench) -> None:
    (before,) = words(bench, MOTOR)
    bench.turn(30000, 150_000)  # 150 a tick
    bench.advance(0.25)
    ticks = [(now, count) for now, count, _, _ in noted(bench)]
    moving = [(now, count) for now, count in ticks if before + 150 < count < before + 29850]
    assert len(moving) > 190
    # on the line through all of them, to the microsecond in which the instant is known
    apart = [count - 0.15 * now for now, count in moving]
    assert max(apart) - min(apart) < 1.2
    # an interrupt waits for the instruction it interrupts, and for another interrupt
    assert all(abs(b[0] - a[0] - 1000) < 10 for a, b in pairwise(ticks))


def test_the_count_wraps_at_32_bits(bench: Bench) -> None:
    bench.run('c = b._counter\nc.exec("set(y, 1)")\nc.exec("mov(y, reverse(y))")')
    (before,) = words(bench, MOTOR)
    assert before == -(1 << 31)
    bench.turn(-10, 150_000)
    (after,) = words(bench, MOTOR)
    assert after == (1 << 31) - 10
    bench.turn(10, 150_000)
    assert words(bench, MOTOR) == [before]


def test_two_edges_at_once_are_an_error_of_the_encoder_in_one_tick(bench: Bench) -> None:
    assert words(bench, INPUTS) == [0]
    bench.drive("motor_a", 1)
    bench.drive("motor_b", 1)
    bench.advance(0.005)
    assert [inputs for _, _, inputs, _ in noted(bench)].count(MOTOR_ENCODER) == 1


# ---- power stage, brake, stop line


@pytest.mark.parametrize("duty", [0, 1, 400, 16384, 32767, -1, -400, -16384, -32767])
def test_duty_is_the_share_of_one_half_bridge(bench: Bench, duty: int) -> None:
    bench.run(f"s[{DUTY}] = {duty}\ntime.sleep_ms(2)")
    a, hertz = bench.pwm("bridge_a")
    b, _ = bench.pwm("bridge_b")
    assert hertz == pytest.approx(20000, rel=1e-3)
    assert (b if duty > 0 else a) == 0
    assert abs((a - b) - duty / 32768) < 1 / 6250


def test_the_pins_hold_what_the_last_tick_permitted(bench: Bench) -> None:
    signals = ("bridge_enable", "brake_release", "stop_line_release")
    for bridge, brake, pull in [(0, 0, 1), (1, 0, 0), (0, 1, 0), (1, 1, 1), (1, 1, 0), (0, 0, 0)]:
        bench.run(f"s[{BRIDGE}], s[{BRAKE}], s[{PULL_LINE}] = {bridge}, {brake}, {pull}")
        bench.advance(0.002)
        assert [bench.level(signal) for signal in signals] == [bridge, brake, 1 - pull]


def test_nothing_is_permitted_before_there_are_ticks() -> None:
    with Bench() as bench:
        signals = ("bridge_enable", "brake_release", "stop_line_release")
        bench.record(*signals)
        bench.run("import board\nb = board.Board()\nimport time\ntime.sleep_ms(5)")
        assert bench.record() == []
        assert [bench.level(signal) for signal in signals] == [0, 0, 0]
        assert bench.pwm("bridge_a")[0] == bench.pwm("bridge_b")[0] == 0


def test_a_tick_that_raises_leaves_no_torque_and_the_next_boot_says_so(own_bench: Bench) -> None:
    own_bench.run(f"s[{BRIDGE}] = s[{BRAKE}] = 1\ntime.sleep_ms(2)")
    signals = ("bridge_enable", "brake_release", "stop_line_release")
    assert [own_bench.level(signal) for signal in signals] == [1, 1, 1]
    own_bench.record(*signals)
    own_bench.run("s[21] = s[20] + 30")
    begin = own_bench.now
    assert own_bench.reboots(within=0.1)
    edges = own_bench.record()
    assert {edge.signal for edge in edges} == set(signals)
    assert all(edge.level == 0 for edge in edges)
    # off at the tick that raises, 20 ms before the watchdog resets what is left
    last = max(edge.nanos for edge in edges)
    assert last - min(edge.nanos for edge in edges) < 10 * US
    assert last - begin < 33 * MS
    own_bench.enter()
    own_bench.run(START)
    assert words(own_bench, INPUTS) == [WATCHDOG]


def test_the_watchdog_bites_when_the_main_loop_is_away(own_bench: Bench) -> None:
    own_bench.run("own[ALIVE] = 100")
    own_bench.advance(0.095)
    assert not own_bench.reboots(within=0.005)
    assert own_bench.reboots(within=0.05)
    own_bench.enter()
    own_bench.run(START)
    assert words(own_bench, INPUTS) == [WATCHDOG]


def test_neither_power_nor_a_reset_by_command_is_the_watchdogs(own_bench: Bench) -> None:
    own_bench.power_cycle()
    own_bench.run(START)
    assert words(own_bench, INPUTS) == [0]
    own_bench.run(
        "def reset(_):\n    machine.mem32[0x40058000 + 0x2000] = 1 << 31  # as machine.reset\n"
        "machine.Timer(period=20, mode=machine.Timer.ONE_SHOT, callback=reset)"
    )
    assert own_bench.reboots(within=0.05)
    own_bench.enter()
    own_bench.run(START)
    assert words(own_bench, INPUTS) == [0]


# ---- bus


def decoded(edges: list[Edge], baud: int) -> tuple[list[int], float, float]:
    """Return the bytes that a data pin sent, and begin and end of the first and the last."""
    bit = 1e9 / baud
    line = [(edge.nanos, edge.level) for edge in edges if edge.signal == "bus_transmit"]

    def level(nanos: float) -> int:
        return next((value for at, value in reversed(line) if at <= nanos), 1)

    found: list[int] = []
    begin = at = next(when for when, value in line if value == 0)
    while True:
        found.append(sum(level(at + (1.5 + i) * bit) << i for i in range(8)))
        assert level(at + 9.5 * bit) == 1, "no stop bit"
        falling = [when for when, value in line if value == 0 and when > at + 9.5 * bit]
        if not falling:
            return found, begin, at + 10 * bit
        at = falling[0]


@pytest.mark.parametrize("baud", [500_000, 1_000_000, 1_500_000, 2_000_000, 3_000_000])
def test_the_direction_pin_frames_what_is_sent_to_the_stop_bit(baud: int) -> None:
    data = bytes([0, 255, 0x55, 0xAA, 1, 128, *range(60), 0])
    with Bench() as bench:
        bench.run(
            f"import time\nimport rp2_bus\nbus = rp2_bus.Bus({baud})\ndata = bytearray({data!r})"
        )
        bench.record("bus_transmit", "bus_direction")
        bench.run("bus.write(data, len(data), time.ticks_us() + 500, 0)\ntime.sleep_ms(3)")
        edges = bench.record()
    sent, begin, end = decoded(edges, baud)
    assert bytes(sent) == data
    bit = 1e9 / baud
    assert end - begin == pytest.approx(10 * len(data) * bit, rel=5e-4)  # without a gap
    on, off = [edge for edge in edges if edge.signal == "bus_direction"]
    assert (on.level, off.level) == (1, 0)
    assert bit < begin - on.nanos < 2 * bit
    assert bit / 16 < off.nanos - end < bit / 4


def test_transmissions_begin_at_their_instant(bench: Bench) -> None:
    # under ticks, at all phases of them
    bench.record("bus_transmit", "bus_direction")
    printed = bench.run(
        "data = bytearray(b'\\x55\\0')\n"
        "for i in range(40):\n"
        "    at = time.ticks_us() + 400 + 37 * i\n"
        "    print(at, b.write(data, 2, at & 0x3fffffff, 0))\n"
        "    time.sleep_us(2100)\n"
    ).splitlines()
    wanted = [int(line.split()[0]) for line in printed]
    assert all(line.endswith("True") for line in printed)
    edges = bench.record()
    starts = [edge.nanos for edge in edges if edge.signal == "bus_direction" and edge.level]
    first = [
        next(
            e.nanos for e in edges if e.signal == "bus_transmit" and e.nanos > start and not e.level
        )
        for start in starts
    ]
    assert len(first) == len(wanted)
    # the emulated chip's timer begins later than its clock, by the same for all
    late = [nanos / US - at for nanos, at in zip(first, wanted, strict=True)]
    assert max(late) - min(late) < 2.0


def test_what_is_too_late_is_not_sent(bench: Bench) -> None:
    bench.record("bus_transmit", "bus_direction")
    said = bench.run(
        "at = time.ticks_us()\ntime.sleep_us(300)\n"
        "print(b.write(b'\\x11\\0', 2, at, 200))\n"
        "time.sleep_ms(2)\nat = time.ticks_us()\ntime.sleep_us(300)\n"
        "print(b.write(b'\\x22\\0', 2, at, 2000))\ntime.sleep_ms(2)\n"
    )
    assert said.split() == ["False", "True"]
    sent, _, _ = decoded(bench.record(), pins.BAUD)
    assert sent == [0x22, 0]


def test_a_reply_that_waits_gives_way_to_another(bench: Bench) -> None:
    bench.record("bus_transmit", "bus_direction")
    bench.run(
        "at = time.ticks_us()\n"
        "b.write(bytes(range(1, 40)), 39, at + 50000, 0)\ntime.sleep_us(500)\n"
        "b.write(b'\\x22\\x33\\0', 3, at + 3000, 0)\ntime.sleep_ms(60)\n"
    )
    sent, _, _ = decoded(bench.record(), pins.BAUD)
    assert sent == [0x22, 0x33, 0]


def test_what_is_on_the_wire_is_let_out_before_the_next(bench: Bench) -> None:
    bench.record("bus_transmit", "bus_direction")
    bench.run(
        "b.write(bytes(range(1, 101)), 100, time.ticks_us(), 1000)\ntime.sleep_us(200)\n"
        "b.write(b'\\x22\\0', 2, time.ticks_us(), 5000)\ntime.sleep_ms(3)\n"
    )
    sent, _, _ = decoded(bench.record(), pins.BAUD)
    assert sent == [*range(1, 101), 0x22, 0]


RECEIVE = """
def take():
    got = []
    while True:
        n = b.read(buffer, received)
        if n == 0:
            return got
        got.append((bytes(buffer[:n]), received[0]))
"""


def test_each_frame_comes_with_the_instant_of_its_last_byte(bench: Bench) -> None:
    bench.run(RECEIVE)
    data = b"\x01\x02\x03\0" + b"\x09\x08\0" + b"\0" + b"\x05\x06"
    ends = bench.hear(data, bench.now + 2 * MS)
    bench.advance(0.004)
    got = ast.literal_eval(bench.run("print(take())"))
    assert [frame for frame, _ in got] == [b"\x01\x02\x03\0", b"\x09\x08\0", b"\0", b"\x05\x06"]
    lasts = [ends[index] / US for index in (3, 6, 7, 9)]
    # the emulated chip's timer begins later than its clock, by the same for all
    offsets = [last - instant for last, (_, instant) in zip(lasts, got, strict=True)]
    assert max(offsets) - min(offsets) <= 1.0


WAIT = """
def wait():
    b.wait()
    waited = time.ticks_us()
    n = b.read(buffer, received)
    return bytes(buffer[:n]), waited - received[0]
"""
ENDED_US = 100  # from a frame's end to what the main loop does next, a tick between them included


def waited(bench: Bench) -> tuple[bytes, int]:
    """Have the main loop wait; return what it then reads, and how long after its end (us)."""
    bench.run(WAIT)
    return ast.literal_eval(bench.run("print(wait())"))


@pytest.mark.parametrize(
    ("pieces", "frame"),
    [
        ((b"\x01\x02\x03\0",), b"\x01\x02\x03\0"),
        ((b"\x01\x02", b"\x03", b"\x04\0"), b"\x01\x02\x03\x04\0"),
        ((b"\0", b"\0\0", b"\x05\0"), b"\x05\0"),
        ((bytes([7]) * 300,), bytes([7]) * 256),
    ],
    ids=["a frame", "a frame in pieces", "delimiters, then a frame", "too much for one"],
)
def test_the_main_loop_waits_until_a_frame_has_ended(
    bench: Bench, pieces: tuple[bytes, ...], frame: bytes
) -> None:
    bench.run(WAIT)
    for index, piece in enumerate(pieces):
        bench.hear(piece, bench.now + (40 + 2.3 * index) * MS)
    got, after = waited(bench)
    assert got == frame
    assert after < ENDED_US
    bench.advance(0.005)
    bench.run("while b.read(buffer, received):\n pass")  # the rest of too much


def test_nothing_is_lost_at_3_megabaud_under_ticks_and_collections() -> None:
    data = bytes([i % 250 + 1 for i in range(3999)]) + b"\0"
    with Bench() as bench:
        bench.run("import rp2_pins\nrp2_pins.BAUD = 3000000")
        bench.run(START)
        bench.run("a = bytearray(4096)\nfound = 0")
        bench.hear(data, bench.now + 60 * MS, 3_000_000)
        bench.run(
            "end = time.ticks_ms() + 90\n"
            "while time.ticks_ms() < end and found < 4000:\n"
            "    n = b.read(buffer, received)\n"
            "    a[found:found + n] = buffer[:n]\n"
            "    found += n\n"
        )
        assert bench.run("print(bytes(a[:found]))") == f"{data!r}\n"


def test_a_burst_is_kept_while_interrupts_are_off(bench: Bench) -> None:
    bench.run(RECEIVE)
    data = bytes(range(1, 256)) + b"\0"
    bench.hear(data, bench.now + 10 * MS)
    bench.run("i = machine.disable_irq()\ntime.sleep_us(15000)\nmachine.enable_irq(i)")
    got = ast.literal_eval(bench.run("print(take())"))
    assert b"".join(frame for frame, _ in got) == data


# ---- output encoder


def test_the_angle_is_followed_over_its_wrap(bench: Bench) -> None:
    for angle in (0, 1, 8191, 16383, 0, 12345):
        bench.encoder(angle)
        bench.advance(0.002)
        assert words(bench, OUTPUT, INPUTS) == [angle, 0]
    assert set(bench.encoder(0)) == {0xFFFF}  # read the angle, and nothing else


def test_an_answer_with_a_wrong_parity_is_not_taken(bench: Bench) -> None:
    bench.encoder(1000)
    bench.advance(0.003)
    before = noted(bench)[-1][0]
    bench.encoder(1002, spoilt=5)
    bench.advance(0.02)
    angles = [angle for now, _, _, angle in noted(bench) if now > before]
    assert set(angles) == {1000, 1002}
    assert words(bench, INPUTS) == [0]


def test_its_error_is_cleared_and_the_answers_meanwhile_are_not_taken(bench: Bench) -> None:
    bench.encoder(2000)
    bench.advance(0.003)
    before = noted(bench)[-1][0]
    bench.encoder(2000, garbled=1)
    bench.advance(0.02)
    assert 0x4001 in bench.encoder(2000)
    assert {angle for now, _, _, angle in noted(bench) if now > before} == {2000}
    assert words(bench, INPUTS, OUTPUT) == [0, 2000]


def test_an_encoder_that_does_not_answer_is_reported_until_it_does(bench: Bench) -> None:
    bench.encoder(3000)
    bench.advance(0.003)
    before = noted(bench)[-1][0]
    bench.encoder(3000, silent=True)
    bench.advance(0.02)
    ticks = [(now, inputs) for now, _, inputs, _ in noted(bench) if now > before]
    reported = [now for now, inputs in ticks if inputs & OUTPUT_ENCODER]
    assert 8 <= round((reported[0] - before) / 1000) <= 25  # some of it the prompt's own time
    assert all(inputs & OUTPUT_ENCODER for now, inputs in ticks if now >= reported[0])
    bench.encoder(3005)
    bench.advance(0.01)
    assert words(bench, INPUTS, OUTPUT) == [0, 3005]


def test_an_encoder_that_is_not_there_at_boot_is_reported_at_once() -> None:
    with Bench() as bench:
        bench.encoder(5, silent=True)
        bench.run(START)
        assert noted(bench)[0][2] == OUTPUT_ENCODER


# ---- converter


@pytest.mark.parametrize("amperes", [-25.0, -1.0, 0.0, 0.1, 1.0, 25.0])
def test_current(bench: Bench, amperes: float) -> None:
    bench.analog(current=amperes)
    (measured,) = words(bench, CURRENT)
    assert abs(measured - amperes * 1000) < 25  # a step is 20 mA


@pytest.mark.parametrize(("celsius", "volts"), [(-10.0, 12.0), (25.0, 24.0), (90.0, 32.0)])
def test_temperature_and_supply(bench: Bench, celsius: float, volts: float) -> None:
    bench.analog(temperature=celsius, supply=volts)
    bench.advance(0.002)
    temperature, supply = words(bench, TEMPERATURE, SUPPLY)
    assert abs(temperature - celsius * 10) <= 2
    assert abs(supply - volts * 1000) <= 15


def test_slow_inputs_are_there_at_the_first_tick() -> None:
    with Bench() as bench:
        bench.analog(temperature=40.0, supply=20.0)
        bench.run(START.split("b.start(")[0] + "b.start(s, tick, notes)\nfirst = s[5], s[6]")
        bench.run("own[ALIVE] = 1 << 29")
        temperature, supply = ast.literal_eval(bench.run("print(first)"))
    assert abs(temperature - 400) <= 2 and abs(supply - 20000) <= 15


def test_the_amplifiers_offset_is_taken_out() -> None:
    with Bench() as bench:
        bench.analog(current=0.5)
        bench.run(START)
        assert abs(words(bench, CURRENT)[0]) <= 20


def test_a_current_sensor_that_is_off_is_refused() -> None:
    with Bench() as bench:
        bench.analog(current=-30.0)
        with pytest.raises(Exception, match="the current sensor reads 559 of 4096 at no current"):
            bench.run("import board\nboard.Board()")


# ---- switches


@pytest.mark.parametrize(
    ("signal", "level", "bit"),
    [
        ("stop_line", 0, STOP_LINE),
        ("emergency_stop", None, EMERGENCY_STOP),
        ("limit_lower", None, LIMIT_LOWER),
        ("limit_upper", None, LIMIT_UPPER),
        ("brake_open", 0, BRAKE_OPEN),
    ],
)
def test_a_switch_is_seen_by_the_next_tick(
    bench: Bench, signal: str, level: int | None, bit: int
) -> None:
    assert words(bench, INPUTS) == [0]
    # the stub answers by pulling the stop line, whose pin tells when
    bench.run(f"s[23] = {bit}")
    bench.record("stop_line_release")
    begin = bench.now
    bench.drive(signal, level)
    bench.advance(0.005)
    (pulled,) = bench.record()
    bench.run("s[23] = 0")
    assert pulled.level == 0
    assert pulled.nanos - begin < 1.2 * MS
    assert words(bench, INPUTS) == [bit]


@pytest.mark.parametrize(
    ("signal", "level", "bit"),
    [("stop_line", 0, STOP_LINE), ("emergency_stop", 1, EMERGENCY_STOP)],
)
def test_a_stop_that_is_shorter_than_a_tick_is_not_missed(
    bench: Bench, signal: str, level: int, bit: int
) -> None:
    words(bench, INPUTS)
    begin = bench.now
    for number in range(20):
        bench.pulse(signal, level, begin + MS * (1 + 5.05 * number), 2 * US)
    bench.advance(0.11)
    seen = [inputs for _, _, inputs, _ in noted(bench)]
    assert seen.count(bit) == 20
    assert set(seen) == {0, bit}


# ---- flash and boot


def test_slots_outlive_the_power_and_are_erased_one_by_one(own_bench: Bench) -> None:
    own_bench.run(
        "data = bytearray(range(200))\nread = bytearray(300)\n"
        "for slot in (0, 1):\n    b.erase_slot(slot)\n    b.program_slot(slot, data, 200)\n"
        "own[ALIVE] = 1 << 29"
    )
    own_bench.power_cycle()
    own_bench.run(START)
    own_bench.run("read = bytearray(300)\ndata = bytes(range(200)) + b'\\xff' * 100")
    assert (
        own_bench.run("for i in (0, 1):\n b.read_slot(i, read)\n print(read == data)")
        == "True\n" * 2
    )
    own_bench.run("b.erase_slot(1)")
    said = own_bench.run("for i in (0, 1):\n b.read_slot(i, read)\n print(read == data, read[0])")
    assert said.split() == ["True", "0", "False", "255"]


def test_a_set_longer_than_a_page_is_programmed_whole(bench: Bench) -> None:
    said = bench.run(
        "data = bytearray([i * 7 & 255 for i in range(700)])\nread = bytearray(700)\n"
        "b.erase_slot(0)\nb.program_slot(0, data, 700)\nb.read_slot(0, read)\nprint(read == data)"
    )
    assert said == "True\n"


def test_the_sectors_lie_between_program_and_file_system(bench: Bench) -> None:
    first, end, line = (
        int(one)
        for one in bench.run(
            "import rp2, rp2_flash\n"
            "print(machine.mem32[id(b._flash._device) + 4], rp2_flash.program_end(),"
            " machine.mem32[id(rp2.Flash()) + 4])"
        ).split()
    )
    assert first + 3 * 4096 == line
    assert end == RIG.image().stat().st_size < first


def test_storing_leaves_the_stop_line_and_drops_what_was_heard(bench: Bench) -> None:
    bench.run(RECEIVE)
    bench.record("stop_line_release", "bridge_enable", "brake_release")
    bench.hear(b"\x01\x02\0", bench.now + 10 * MS)
    bench.run("time.sleep_ms(3)\nb.erase_slot(0)\nb.program_slot(0, bytearray(10), 10)")
    assert bench.record() == []
    assert bench.run("print(take())") == "[]\n"
    before = words(bench, NOW)[0]
    assert words(bench, NOW)[0] > before  # and the ticks go on
    assert not bench.reboots(within=0.1)


def test_boots_are_counted_over_the_power(own_bench: Bench) -> None:
    counts = [int(own_bench.run("print(b.boot_count)"))]
    for _ in range(9):
        own_bench.power_cycle()
        own_bench.run("import board\nb = board.Board()")
        counts.append(int(own_bench.run("print(b.boot_count)")))
    assert counts == list(range(1, 11))


def test_a_full_sector_of_boots_begins_anew() -> None:
    with Bench() as bench:
        said = bench.run(
            "import rp2_flash\nd = rp2_flash.Flash()._device\nzeros = bytearray(256)\n"
            "for at in range(0, 4096, 256):\n    d.writeblocks(2, zeros, at)\n"
            "print(rp2_flash.Flash().boot_count, rp2_flash.Flash().boot_count)"
        )
    assert said.split() == ["1", "2"]


def test_the_maintenance_jumper_leaves_the_prompt() -> None:
    with Bench() as bench:
        bench.drive("maintenance", 0)
        with pytest.raises(Exception, match="maintenance jumper"):
            bench.run("import board\nboard.Board()")


def test_a_joint_is_named_by_its_chip(bench: Bench) -> None:
    assert bench.run("print(b.name, b.unique_id)") == "b'Pico RP2040\\x00' b'on bench'\n"


def test_nothing_allocates_once_it_runs(bench: Bench) -> None:
    bench.hear(b"\x01\x02\0", bench.now + 30 * MS)
    bench.run(
        "def use():\n"
        "    micropython.heap_lock()\n"
        "    try:\n"
        "        t = time.ticks_us() + 40000\n"
        "        while b.read(buffer, received) == 0:\n"
        "            pass\n"
        "        b.write(buffer, 3, t, 100)\n"
        "        b.write(buffer, 3, time.ticks_us() + 100, 100)\n"
        "        time.sleep_ms(50)\n"
        "        b.erase_slot(0)\n"
        "        b.program_slot(0, buffer, 200)\n"
        "        b.read_slot(0, buffer)\n"
        "    finally:\n"
        "        micropython.heap_unlock()\n"
        "use()\n"
    )
