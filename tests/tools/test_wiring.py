"""The wiring page is that of the table of pins, and the table one that the chip can do."""

from __future__ import annotations

import pytest

from guidearm_firmware.boards import rp2_pins as pins
from guidearm_tools import wiring

GPIO = pins.GPIO


def test_page_and_drawing_are_those_of_the_table() -> None:
    assert wiring.PAGE.read_text() == wiring.page(wiring.PAGE.read_text())
    assert wiring.DRAWING.read_text() == wiring.drawing()


def test_each_signal_has_a_pin_of_its_own_and_one_part() -> None:
    names = [row[0] for row in pins.PINS]
    assert len(set(names)) == len(set(GPIO.values())) == len(pins.PINS)
    assert [signal for part in wiring.PARTS for signal in part.signals] == names


@pytest.mark.parametrize(("gpio", "pin"), [(0, 1), (2, 4), (15, 20), (16, 21), (22, 29), (28, 34)])
def test_pins_of_the_pico(gpio: int, pin: int) -> None:
    assert wiring.pin_number(gpio) == pin


def test_pins_that_are_taken_together_stand_together() -> None:
    assert GPIO["motor_b"] == GPIO["motor_a"] + 1
    release = GPIO["brake_release"]
    assert (GPIO["stop_line_release"], GPIO["bridge_enable"]) == (release + 1, release + 2)
    first = GPIO["stop_line"]
    others = [GPIO[name] for name in ("emergency_stop", "limit_lower", "limit_upper")]
    assert others == [first + 1, first + 2, first + 3]
    assert first // 8 == others[0] // 8  # their edges are in one word


def test_pins_have_the_functions_that_the_board_gives_them() -> None:
    # data sheet of the RP2040, table of GPIO functions; those of the RP2350 include them
    assert GPIO["bus_receive"] in (1, 13, 17, 29)  # UART0
    assert GPIO["bus_transmit"] in (0, 12, 16, 28)
    spi0 = {"output_angle": 0, "output_select": 1, "output_clock": 2, "output_command": 3}
    for signal, function in spi0.items():
        assert GPIO[signal] % 4 == function and GPIO[signal] // 8 in (0, 2)
    assert GPIO["bridge_a"] % 2 == 0 and GPIO["bridge_b"] == GPIO["bridge_a"] + 1  # one slice
    for signal in ("current", "temperature", "supply"):
        assert 26 <= GPIO[signal] <= 28


def test_a_page_without_marks_is_refused() -> None:
    with pytest.raises(ValueError, match="no marks around pins"):
        wiring.page("# nothing\n")
