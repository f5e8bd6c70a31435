"""The file that describes boards on a desk: what it says, and how it is refused."""

from __future__ import annotations

import math
from importlib.resources import files
from pathlib import Path

import pytest

from guidearm_hil.rigs import Input
from guidearm_hil.rigs.desk import Desk, DeskError, ModemLine, Person, read_desk

JOINT = """
[[joint]]
address = 3
unique_id = "00112233445566aa"
lower_deg = -20
upper_deg = 20.0
excursion_deg = 10.0
speed_deg_s = 20.0
acceleration_deg_s2 = 100.0
"""
OTHER = JOINT.replace("= 3", "= 2").replace("66aa", "66bb")
GOOD = 'port = "/dev/ttyUSB0"\nsupply_v = 24.0\n'


def read(tmp_path: Path, text: str) -> Desk:
    path = tmp_path / "desk.toml"
    path.write_text(text)
    return read_desk(path)


def test_what_a_desk_says(tmp_path: Path) -> None:
    inputs = '[inputs]\nemergency_button = "person"\n'
    inputs += 'stop_line = { adapter = "/dev/a", line = "RTS", active = "cleared" }\n'
    power = 'power = { adapter = "/dev/a", line = "DTR" }\nupper_limit_switch = "person"\n'
    desk = read(tmp_path, "baud = 3000000\n" + GOOD + inputs + JOINT + power + OTHER)
    assert (desk.name, desk.port, desk.baud, desk.supply_v) == (
        "desk.toml",
        "/dev/ttyUSB0",
        3_000_000,
        24.0,
    )
    assert desk.lines == {
        Input.EMERGENCY_STOP: Person(),
        Input.STOP_LINE: ModemLine("/dev/a", "RTS", active_set=False),
    }
    assert [joint.address for joint in desk.joints] == [2, 3]
    joint = desk.joints[1]
    assert joint.unique_id == "00112233445566aa"
    assert joint.lower == pytest.approx(math.radians(-20))
    assert joint.velocity == pytest.approx(math.radians(20))
    assert joint.switches == {Input.LIMIT_UPPER: Person()}
    assert joint.power == ModemLine("/dev/a", "DTR", active_set=True)
    assert desk.joints[0].power is None


def test_the_template_is_a_desk() -> None:
    desk = read_desk(Path(str(files("guidearm_hil.rigs") / "desk.toml")))
    assert desk.lines == {Input.EMERGENCY_STOP: Person()}
    assert len(desk.joints) == 1


@pytest.mark.parametrize(
    ("text", "told"),
    [
        ("port = ", "is not TOML: "),
        (GOOD, '"joint" is missing'),
        (GOOD + "joint = []", "joint: expected at least one table [[joint]]"),
        (GOOD + "joint = 3", "joint: expected a list, found a number"),
        (GOOD.replace("supply_v", "suply_v") + JOINT, "suply_v: is not known here; known are port"),
        (GOOD.replace("24.0", "1e9") + JOINT, "supply_v: 1e+09 is not 5 to 60"),
        (GOOD.replace("24.0", "nan") + JOINT, "supply_v: expected a finite number"),
        (GOOD.replace("24.0", "'24'") + JOINT, "supply_v: expected a number, found text"),
        (GOOD.replace("/dev/ttyUSB0", "") + JOINT, "port: is empty"),
        ("baud = 9600\n" + GOOD + JOINT, "baud: 9600 is not 115200 to 3000000"),
        (GOOD + JOINT + JOINT, "joint[1].address: 3 stands twice: each board has its own"),
        (GOOD + JOINT + OTHER.replace("bb", "aa"), "joint[1].unique_id: 00112233445566aa stands"),
        (GOOD + JOINT.replace("= 3", "= 13"), "joint[0].address: 13 is not 1 to 12"),
        (GOOD + JOINT.replace("= 3", "= 3.0"), "joint[0].address: expected a whole number"),
        (GOOD + JOINT.replace("aa", "XY"), "joint[0].unique_id: expected the 16 hexadecimal"),
        (GOOD + JOINT.replace("-20", "20"), "joint[0].upper_deg: 20 is not above lower_deg 20"),
        (GOOD + JOINT.replace("10.0", "41"), "joint[0].excursion_deg: has to be above 0 and at"),
        (GOOD + JOINT.replace("10.0", "-1"), "joint[0].excursion_deg: has to be above 0 and at"),
        (GOOD + JOINT.replace("speed_deg_s = 20.0", ""), 'joint[0]: "speed_deg_s" is missing'),
        (GOOD + JOINT.replace("= 100.0", "= 0"), "acceleration_deg_s2: 0 is not above 0 and at"),
        (GOOD + "inputs = 1\n" + JOINT, "inputs: expected an object"),
        (GOOD + "[inputs]\nstop_lin = 1\n" + JOINT, "inputs.stop_lin: is not known here"),
        (GOOD + "[inputs]\nstop_line = 1\n" + JOINT, 'inputs.stop_line: expected "person" or a'),
        (GOOD + JOINT + 'power = "person"', "joint[0].power: expected"),
        (GOOD + JOINT + 'power = { adapter = "a", line = "CTS" }', "power.line: expected RTS or"),
        (GOOD + JOINT + 'power = { adapter = "a" }', 'joint[0].power: "line" is missing'),
        (
            GOOD + JOINT + 'power = { adapter = "a", line = "RTS", active = true }',
            'power.active: expected "set" or "cleared"',
        ),
    ],
)
def test_what_cannot_be_is_refused_in_one_line_with_file_and_key(
    tmp_path: Path, text: str, told: str
) -> None:
    with pytest.raises(DeskError) as refused:
        read(tmp_path, text)
    line = str(refused.value)
    assert line.startswith(f"{tmp_path / 'desk.toml'}: ")
    assert told in line
    assert "\n" not in line


def test_a_file_that_is_not_there(tmp_path: Path) -> None:
    with pytest.raises(DeskError, match=r"no\.toml: cannot be read: .*guidearm hil template"):
        read_desk(tmp_path / "no.toml")
