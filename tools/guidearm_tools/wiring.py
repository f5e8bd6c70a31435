"""The wiring page of the Pico's board, from its table of pins: `python -m guidearm_tools.wiring`.

Without an option `firmware/wiring.md` and `firmware/wiring.svg` are compared with the table, and
the exit code is 1 if they differ; `--write` makes them anew.
"""

from __future__ import annotations

import re
import sys
from collections.abc import Iterable
from dataclasses import dataclass
from pathlib import Path
from xml.sax.saxutils import escape

import guidearm_tools
from guidearm_firmware.boards import rp2_pins as pins

_FIRMWARE = Path(guidearm_tools.__file__).resolve().parents[2] / "firmware"
PAGE = _FIRMWARE / "wiring.md"
DRAWING = _FIRMWARE / "wiring.svg"


@dataclass(frozen=True)
class Part:
    """What stands beside the Pico: its signals from one to another of the table, and an example."""

    name: str
    first: str
    last: str
    example: str
    needs: str = ""

    @property
    def signals(self) -> list[str]:
        """Its signals, in order of GPIO."""
        names = [row[0] for row in pins.PINS]
        return names[names.index(self.first) : names.index(self.last) + 1]


PARTS = (
    Part(
        "RS-485 transceiver",
        "bus_transmit",
        "bus_direction",
        "THVD1450",
        "120 ohm at both ends of the line, its bias at the host",
    ),
    Part("jumper", "maintenance", "maintenance", "header of two pins"),
    Part(
        "motor encoder",
        "motor_a",
        "motor_b",
        "AMT112Q of 1024 lines, with AM26LV32 as receiver",
        "100 ohm across each pair",
    ),
    Part(
        "stop line, in",
        "stop_line",
        "stop_line",
        "74LVC1G17, a Schmitt buffer",
        "before it 1 kohm and 10 nF, and 100 kohm to ground: a line that is cut is a stop. "
        "Once, at the line's far end, 1 kohm to 3.3 V",
    ),
    Part(
        "emergency stop button",
        "emergency_stop",
        "emergency_stop",
        "XB4BS8444, two contacts that open",
        "1 kohm and 10 nF. Its second contact is in the stop line",
    ),
    Part(
        "limit switches",
        "limit_lower",
        "limit_upper",
        "D2F-01FL, by the contact that opens",
        "1 kohm and 100 nF each; to ground where there is none",
    ),
    Part(
        "holding brake",
        "brake_open",
        "brake_release",
        "BXW-03-10L, closed without current; AO3400A at its coil",
        "a diode across the coil. Where its anchor has no contact, `brake_feedback` is 0",
    ),
    Part(
        "stop line, out",
        "stop_line_release",
        "stop_line_release",
        "74LVC1G07, open drain",
    ),
    Part(
        "power stage",
        "bridge_enable",
        "bridge_b",
        "IFX007T, two half-bridges of 40 V",
        "470 uF at their supply",
    ),
    Part(
        "output encoder",
        "output_clock",
        "output_select",
        "AS5048A on 3.3 V",
        "100 nF. Zero by its mount or its OTP",
    ),
    Part(
        "motor current",
        "current",
        "current",
        "INA240A1 on 2 mohm in the motor's lead at A",
        "referred to the middle of 3.3 V; 4.7 kohm and 22 nF: 1.5 kHz",
    ),
    Part(
        "motor temperature",
        "temperature",
        "temperature",
        "TMP236",
        "a lead that is cut is too hot",
    ),
    Part("motor supply", "supply", "supply", "100 kohm over 10 kohm", "100 nF"),
)

# of the Pico's 40 pins, down the left and up the right, GPIO or name
_LEFT = (0, 1, "GND", 2, 3, 4, 5, "GND", 6, 7, 8, 9, "GND", 10, 11, 12, 13, "GND", 14, 15)
_RIGHT = (
    *("VBUS", "VSYS", "GND", "3V3_EN", "3V3", "VREF", 28, "AGND", 27, 26, "RUN", 22, "GND", 21),
    *(20, 19, 18, "GND", 17, 16),
)
_SUPPLY = {"VSYS": "5 V, from the motor's supply", "3V3": "to all parts"}


def pin_number(gpio: int) -> int:
    """Return the Pico's pin that has a GPIO."""
    if gpio in _LEFT:
        return _LEFT.index(gpio) + 1
    return 40 - _RIGHT.index(gpio)


# ---------------------------------------------------------------- the page


def _table(head: Iterable[str], rows: Iterable[Iterable[object]]) -> str:
    lines = [list(head), *[list(row) for row in rows]]
    lines.insert(1, ["---"] * len(lines[0]))
    return "\n".join("| " + " | ".join(str(cell) for cell in line) + " |" for line in lines)


def _held(held: str, direction: str) -> str:
    ohms = "100 kohm" if direction == pins.ANALOG else "10 kohm"
    return {pins.UP: f"{ohms} to 3.3 V", pins.DOWN: f"{ohms} to ground"}.get(held, "by its part")


def _pin_table() -> str:
    part_of = {signal: part.name for part in PARTS for signal in part.signals}
    return _table(
        ("pin", "GPIO", "signal", "direction", "held", "part", "there"),
        [
            (
                pin_number(gpio),
                gpio,
                f"`{signal}`",
                direction,
                _held(held, direction),
                part_of[signal],
                where,
            )
            for signal, gpio, direction, held, where in pins.PINS
        ],
    )


def _part_table() -> str:
    return _table(
        ("part", "example", "with it"), [(part.name, part.example, part.needs) for part in PARTS]
    )


def _scale_table() -> str:
    reach = pins.REFERENCE_MV - pins.CURRENT_ZERO_MV
    step_uv = pins.REFERENCE_MV * 1000 / pins.CONVERTER_STEPS
    full_c = (pins.REFERENCE_MV - pins.TEMPERATURE_ZERO_MV) * 100 / pins.TEMPERATURE_UV_PER_STEP
    return _table(
        ("signal", "at the pin", "range", "a step"),
        [
            (
                "`current`",
                f"{pins.CURRENT_ZERO_MV} mV, {pins.CURRENT_UV_PER_MA} mV more per A",
                f"+-{reach / pins.CURRENT_UV_PER_MA:.0f} A",
                f"{step_uv / pins.CURRENT_UV_PER_MA:.0f} mA",
            ),
            (
                "`temperature`",
                f"{pins.TEMPERATURE_ZERO_MV} mV at 0 degC, "
                f"{pins.TEMPERATURE_UV_PER_STEP / 100:.1f} mV more per degC",
                f"to {full_c:.0f} degC",
                f"{step_uv / pins.TEMPERATURE_UV_PER_STEP / 10:.2f} degC",
            ),
            (
                "`supply`",
                f"1/{pins.SUPPLY_DIVIDER} of it",
                f"to {pins.REFERENCE_MV * pins.SUPPLY_DIVIDER / 1000:.1f} V",
                f"{step_uv * pins.SUPPLY_DIVIDER / 1000:.0f} mV",
            ),
        ],
    )


def page(text: str) -> str:
    """Return a wiring page with the parts between its marks made anew."""
    for name, content in (
        ("pins", _pin_table()),
        ("parts", _part_table()),
        ("scales", _scale_table()),
    ):
        pattern = rf"(<!-- begin {name} -->\n).*?(<!-- end {name} -->)"
        text, count = re.subn(pattern, lambda m: f"{m[1]}{content}\n{m[2]}", text, flags=re.S)  # noqa: B023
        if count != 1:
            raise ValueError(f"{PAGE.name} has no marks around {name}")
    return text


# ---------------------------------------------------------------- the drawing

_WIDTH, _TOP, _PITCH = 1340, 70, 30
_BOARD_LEFT, _BOARD_RIGHT = 560, 780
_PART_WIDTH, _GAP = 250, 120
_STYLE = (
    "text{font:13px sans-serif;fill:#222}"
    ".pin{font-size:11px}.note{font-size:11px;fill:#666}.name{font-weight:bold}"
    ".board{fill:#e8f2ea;stroke:#2f6b3c;stroke-width:1.5}"
    ".part{fill:#f4f4f8;stroke:#556;stroke-width:1}"
    ".output{stroke:#b0413e}.input{stroke:#2a5d9c}.analog{stroke:#8a6d1d}.supply{stroke:#222}"
    "line{stroke-width:1.5}"
)


class _Drawing:
    def __init__(self) -> None:
        self.lines: list[str] = []

    def text(self, x: float, y: float, text: str, kind: str, anchor: str = "start") -> None:
        self.lines.append(
            f'<text class="{kind}" x="{x:g}" y="{y:g}" text-anchor="{anchor}">{escape(text)}</text>'
        )

    def box(self, x: float, y: float, width: float, height: float, kind: str) -> None:
        self.lines.append(
            f'<rect class="{kind}" x="{x:g}" y="{y:g}" '
            f'width="{width:g}" height="{height:g}" rx="4"/>'
        )

    def wire(self, x1: float, y1: float, x2: float, y2: float, kind: str) -> None:
        self.lines.append(f'<line class="{kind}" x1="{x1:g}" y1="{y1:g}" x2="{x2:g}" y2="{y2:g}"/>')


def _at(gpio: int) -> tuple[bool, float]:
    """Return whether a GPIO is on the left, and how far down."""
    left = gpio in _LEFT
    return left, _TOP + _PITCH * (_LEFT if left else _RIGHT).index(gpio)


def drawing() -> str:
    """Return the drawing, as SVG."""
    d = _Drawing()
    rows = {row[0]: row for row in pins.PINS}
    bottom = _TOP + _PITCH * len(_LEFT)
    d.box(_BOARD_LEFT, _TOP - 45, _BOARD_RIGHT - _BOARD_LEFT, bottom - _TOP + 45, "board")
    middle = (_BOARD_LEFT + _BOARD_RIGHT) / 2
    d.text(middle, _TOP - 26, "Raspberry Pi Pico or Pico 2", "name", "middle")
    for index, (one, other) in enumerate(zip(_LEFT, _RIGHT, strict=True)):
        y = _TOP + _PITCH * index + 4
        d.text(_BOARD_LEFT + 8, y, f"{index + 1}  {_label(one)}", "pin")
        d.text(_BOARD_RIGHT - 8, y, f"{_label(other)}  {40 - index}", "pin", "end")
    for name, where in _SUPPLY.items():
        y = _TOP + _PITCH * _RIGHT.index(name)
        d.wire(_BOARD_RIGHT, y, _BOARD_RIGHT + _GAP, y, "supply")
        d.text(_BOARD_RIGHT + _GAP + 6, y + 4, where, "note")
    for part in PARTS:
        _draw_part(d, part, rows, bottom)
    height = bottom + 120
    head = (
        f'<svg xmlns="http://www.w3.org/2000/svg" viewBox="0 0 {_WIDTH} {height}" '
        f'width="{_WIDTH}" height="{height}">'
    )
    ground = f'<rect width="{_WIDTH}" height="{height}" fill="#fff"/>'
    return "\n".join([head, f"<style>{_STYLE}</style>", ground, *d.lines, "</svg>", ""])


def _label(pin: int | str) -> str:
    return f"GP{pin}" if isinstance(pin, int) else pin


def _draw_part(
    d: _Drawing, part: Part, rows: dict[str, tuple[str, int, str, str, str]], bottom: float
) -> None:
    places = [(signal, *_at(rows[signal][1])) for signal in part.signals]
    sides = {left for _, left, _ in places}
    if len(sides) == 2:
        _draw_below(d, part, rows, bottom)
        return
    left = places[0][1]
    ys = [y for _, _, y in places]
    top, low = min(ys) - 13, max(ys) + 13
    x = _BOARD_LEFT - _GAP - _PART_WIDTH if left else _BOARD_RIGHT + _GAP
    d.box(x, top, _PART_WIDTH, low - top, "part")
    for signal, _, y in places:
        _, _, direction, _, where = rows[signal]
        edge, board = (x + _PART_WIDTH, _BOARD_LEFT) if left else (x, _BOARD_RIGHT)
        d.wire(board, y, edge, y, direction)
        d.text((board + edge) / 2, y - 4, signal, "note", "middle")
        d.text(edge + (-6 if left else 6), y + 4, where, "pin", "end" if left else "start")
    name_y = (min(ys) + max(ys)) / 2 + 4
    if left:
        d.text(x - 8, name_y, part.name, "name", "end")
    else:
        d.text(x + _PART_WIDTH + 8, name_y, part.name, "name")


def _draw_below(
    d: _Drawing, part: Part, rows: dict[str, tuple[str, int, str, str, str]], bottom: float
) -> None:
    """Draw a part whose signals come from both sides under the board."""
    top = bottom + 40
    outermost = {True: 0, False: 0}
    width = _BOARD_RIGHT - _BOARD_LEFT + 320
    x = (_BOARD_LEFT + _BOARD_RIGHT - width) / 2
    d.box(x, top, width, 60, "part")
    d.text(x + width / 2, top + 46, part.name, "name", "middle")
    for signal in part.signals:
        left, y = _at(rows[signal][1])
        _, _, direction, _, where = rows[signal]
        outermost[left] += 1
        away = 40 + 95 * (outermost[left] - 1)
        board = _BOARD_LEFT if left else _BOARD_RIGHT
        bend = board - away if left else board + away
        d.wire(board, y, bend, y, direction)
        d.wire(bend, y, bend, top, direction)
        d.text(bend + (-4 if left else 4), y + 16, signal, "note", "end" if left else "start")
        d.text(bend, top + 18, where.split(":")[0], "pin", "middle")


# ---------------------------------------------------------------- the command


def main() -> None:
    """Compare, or write."""
    wanted = {PAGE: page(PAGE.read_text()), DRAWING: drawing()}
    if sys.argv[1:] == ["--write"]:
        for path, text in wanted.items():
            path.write_text(text)
        return
    if sys.argv[1:]:
        print("usage: python -m guidearm_tools.wiring [--write]", file=sys.stderr)
        sys.exit(2)
    stale = [p.name for p, text in wanted.items() if not p.is_file() or p.read_text() != text]
    if stale:
        command = "python -m guidearm_tools.wiring --write"
        sys.exit(f"{' and '.join(stale)}: not what the table of pins says, run {command}")


if __name__ == "__main__":
    main()
