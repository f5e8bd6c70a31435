"""What can go wrong inside a virtual joint, by name: words of its plant and their units."""

from __future__ import annotations

from collections.abc import Mapping

from guidearm.errors import InputError
from guidearm_hil.joint_design import COUNTS_PER_TURN

# bits of `inputs`, as the servo names them
LIMIT_LOWER = 4
LIMIT_UPPER = 8
MOTOR_ENCODER_ERROR = 16
OUTPUT_ENCODER_ERROR = 32
WATCHDOG = 64

_PER_DEGREE = COUNTS_PER_TURN * 1024 / 360
# name: (word of `virtual_board.plant`, what one unit counts there)
WORDS = {
    "friction_nm": (9, 1000),
    "brake_torque_nm": (10, 1000),
    "temperature_c": (26, 10),
    "supply_v": (27, 1000),
    "inputs": (28, 1),
    "motor_encoder_frozen": (29, 1),
    "output_encoder_frozen": (30, 1),
    "brake_jammed": (31, 1),
    "extra_load_nm": (32, 1000),
    "stop_lower_deg": (33, _PER_DEGREE),  # mechanical stops of the link
    "stop_upper_deg": (34, _PER_DEGREE),
}


def plant_changes(values: Mapping[str, float]) -> list[tuple[int, int]]:
    """Return (word, value) of each injection; raises InputError for a name that is none."""
    unknown = sorted(set(values) - set(WORDS))
    if unknown:
        raise InputError(f"{', '.join(unknown)}: no such injection; there are {', '.join(WORDS)}")
    return [(WORDS[name][0], round(value * WORDS[name][1])) for name, value in values.items()]
