"""What two files must agree on and neither may import from the other: servo words, wire values."""

from __future__ import annotations

import ast
from pathlib import Path

import pytest
from joint_bench import PLANT, ROOT

from guidearm_hil import injections
from guidearm_protocol import messages as wire
from guidearm_protocol import parameters

JOINT = ROOT / "firmware" / "guidearm_firmware" / "joint"
SERVO = JOINT / "servo.py"
SUPERVISOR = JOINT / "supervisor.py"
BOARD = PLANT.with_name("board.py")
INTERRUPT = JOINT.with_name("boards") / "rp2_interrupt.py"
BUS = ROOT / "hil" / "guidearm_hil" / "bus.py"


def constants(path: Path) -> dict[str, int]:
    """Return the whole-number constants that a file defines at its top, without underscore."""
    found: dict[str, int] = {}
    for node in ast.parse(path.read_text()).body:
        if not isinstance(node, ast.Assign) or not isinstance(node.targets[0], ast.Name):
            continue
        value = node.value
        if isinstance(value, ast.Call) and getattr(value.func, "id", "") == "const":
            value = value.args[0]
        try:
            number: object = eval(compile(ast.Expression(value), path.name, "eval"), {})
        except NameError:
            continue
        if isinstance(number, int):
            found[node.targets[0].id.lstrip("_")] = number
    return found


@pytest.mark.parametrize(
    ("path", "names"),
    [
        (BOARD, ("BRIDGE", "PULL_LINE")),
        (PLANT, ("NOW", "MOTOR", "OUTPUT", "INPUTS", "CURRENT", "DUTY", "BRIDGE", "BRAKE")),
        (PLANT, ("TEMPERATURE", "SUPPLY")),
        (INTERRUPT, ("NOW", "MOTOR", "OUTPUT", "INPUTS", "CURRENT", "TEMPERATURE", "SUPPLY")),
        (INTERRUPT, ("DUTY", "BRIDGE", "BRAKE", "PULL_LINE", "INPUT_STOP_LINE", "INPUT_WATCHDOG")),
        (INTERRUPT, ("INPUT_EMERGENCY_STOP", "INPUT_BRAKE_OPEN")),
        (INTERRUPT, ("INPUT_MOTOR_ENCODER", "INPUT_OUTPUT_ENCODER")),
        (BUS, ("INPUT_STOP_LINE", "INPUT_EMERGENCY_STOP")),
    ],
)
def test_the_rig_names_the_servos_words(path: Path, names: tuple[str, ...]) -> None:
    servo, other = constants(SERVO), constants(path)
    assert {name: other[name] for name in names} == {name: servo[name] for name in names}


def test_injections_name_the_plants_words_and_the_servos_inputs() -> None:
    plant, servo = constants(PLANT), constants(SERVO)
    words = {
        "friction_nm": "FRICTION",
        "brake_torque_nm": "BRAKE_TORQUE",
        "temperature_c": "WINDING_TEMPERATURE",
        "supply_v": "SUPPLY_VOLTAGE",
        "inputs": "FORCED_INPUTS",
        "motor_encoder_frozen": "MOTOR_ENCODER_FROZEN",
        "output_encoder_frozen": "OUTPUT_ENCODER_FROZEN",
        "brake_jammed": "BRAKE_JAMMED",
        "extra_load_nm": "EXTRA_LOAD",
        "stop_lower_deg": "STOP_LOWER",
        "stop_upper_deg": "STOP_UPPER",
    }
    for name, (word, _) in injections.WORDS.items():
        assert word == plant[words[name]]
    bits = {"LIMIT_LOWER": "LIMIT_LOWER", "LIMIT_UPPER": "LIMIT_UPPER", "WATCHDOG": "WATCHDOG"}
    bits |= {f"{end}_ENCODER_ERROR": f"{end}_ENCODER" for end in ("MOTOR", "OUTPUT")}
    for own, name in bits.items():
        assert getattr(injections, own) == servo[f"INPUT_{name}"]


def test_state_words_are_numbered_without_gap() -> None:
    servo = constants(SERVO)
    names = list(servo)
    word = 0
    blocks = {"ARGUMENT": 4, "P": 0, "P_CORRECTION": servo["CORRECTIONS"]}
    for name in names[names.index("NOW") : names.index("STATE_WORDS") + 1]:
        assert servo[name] == word, name
        word += blocks.get(name, 1)


def test_states_and_faults_are_those_of_the_message_table() -> None:
    servo = constants(SERVO)
    for name in ("SWITCH_ON_DISABLED", "SWITCHED_ON", "OPERATION_ENABLED", "QUICK_STOP_ACTIVE"):
        assert servo[name] == getattr(wire, name)
    for name in ("FAULT_REACTION_ACTIVE", "FAULT_STATE"):
        assert servo[name] == getattr(wire, name)


def causes_of(path: Path) -> dict[str, int]:
    own = constants(path)
    return {name[6:]: own[name] for name in own if name.startswith("CAUSE_")}


def test_every_fault_of_the_message_table_has_its_cause_in_the_tick_or_the_supervisor() -> None:
    both = {**causes_of(SERVO), **causes_of(SUPERVISOR)}
    for number, text, _, _ in wire.FAULTS:
        name = "NO_FAULT" if text == "none" else text.upper().replace(" ", "_").replace("-", "_")
        assert getattr(wire, name) == number
        if name not in ("NO_FAULT", "PARAMETER_CRC"):  # which is the main loop's
            assert both.pop(name) == number
    assert not both


def test_the_supervisor_has_the_servos_words_and_the_tables_reactions() -> None:
    servo, own = constants(SERVO), constants(SUPERVISOR)
    for cause in causes_of(SUPERVISOR):
        own.pop(f"CAUSE_{cause}")
    at_once = [fault[0] for fault in wire.FAULTS if fault[3] == wire.TORQUE_OFF]
    assert servo["TORQUE_OFF"] == sum(1 << code for code in at_once)
    shared = {name: number for name, number in own.items() if name in servo}
    assert shared == {name: servo[name] for name in shared}
    alone = {"BRAKE_TEST_TICKS", "BRAKE_TEST_COUNTS", "SAME_PLACE", "STOPPABLE"}
    assert own.keys() - servo.keys() == alone


def test_parameters_stand_in_the_order_of_their_table_ring_and_capture_behind() -> None:
    servo = constants(SERVO)
    first = servo["P"]
    assert servo["CORRECTION_CLOSED"] - first == parameters.SERVO_PARAMETERS
    assert servo["CORRECTIONS"] == parameters.CORRECTIONS
    assert servo["CORRECTIONS"] * 512 == parameters.OUTPUT_STEPS
    assert servo["STATE_WORDS"] == servo["SLOTS"]
    assert servo["CAPTURE"] == servo["SLOTS"] + 8 * servo["RING_SLOTS"]
    assert servo["SAMPLES"] == servo["CAPTURE"] + servo["C_CHOSEN"] + servo["MOST_COLUMNS"]
    assert servo["MEMORY_WORDS"] == servo["SAMPLES"] + servo["CAPTURE_WORDS"]
    named = {
        "P_CURRENT_DUTY": "current_duty",
        "P_FOLLOWING": "following_error",
        "P_DISAGREE": "encoders_disagree",
        "P_LOWER": "lower_trip",
        "P_UPPER": "upper_trip",
        "P_CORRECTION": "correction_0",
    }
    for name, word in servo.items():
        if name.startswith("P_"):
            expected = named.get(name, name[2:].lower())
            assert parameters.NAMES[word - first] == expected
