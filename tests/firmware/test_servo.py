"""The drive: CiA 402 states, stops, faults and their reactions, with motor and gear in the loop."""

from __future__ import annotations

import numpy as np
import pytest
from joint_bench import Step, Trace, counts, move_segments, play

from guidearm_protocol import messages as wire

ENABLE: list[Step] = [["enable", 0], ["run", 100]]
BRAKE_TICKS = 60
ENABLE_TICKS = 90  # brake test, brake
SLICES = 8  # ticks from one look at what changes slowly to the next
FOLLOWING_LIMIT_COUNTS = 0.05 / 360 * 409600


def moving(
    joint: int, ticks: int, to_rad: float = 1.5, queued: int = 1000, wait: int = 0
) -> list[Step]:
    """Return the steps into a move at full speed, `ticks` after its start."""
    segments = move_segments(joint, 0.0, to_rad)[:queued]
    start: list[Step] = [["queue", segments], ["run", 40], ["start_in", 30_000]]
    return [*ENABLE, ["run", wait], *start, ["run", 30 + ticks]]


def fault_of(trace: Trace) -> int:
    """Return the fault of a trace that ends with it latched, torque off and brake on."""
    assert trace.last("STATE") == wire.FAULT_STATE
    assert trace.last("AUTHORISED") == 0
    assert (trace.last("BRIDGE"), trace.last("BRAKE"), trace.last("DUTY")) == (0, 0, 0)
    return trace.last("FAULT")


# ---- enabling


def test_enable_opens_the_brake_with_torque_on() -> None:
    trace = play([["enable", 0], ["run", 500]], load_nm=30.0)
    assert trace.answers[0] == wire.REASON_NONE
    on = trace.first("BRIDGE", 1)
    assert trace["STATE"][on - 1] == wire.SWITCH_ON_DISABLED
    assert set(trace["STATE"][on : on + ENABLE_TICKS - 1]) == {wire.SWITCHED_ON}
    # each of the three steps may wait up to 4 ticks for one whose slice is not dear
    assert 0 <= trace.first("STATE", wire.OPERATION_ENABLED) - (on + ENABLE_TICKS - 1) <= 12
    released = trace.first("BRAKE", 1)
    assert 0 <= released - (on + ENABLE_TICKS - BRAKE_TICKS - 1) <= 8
    assert trace["BRAKE"][released:].min() == 1
    # the load sags into the controller until the integrator carries it
    assert np.abs(trace["ERROR"][on:]).max() < counts(np.radians(0.15)) * 256
    assert np.abs(trace["ERROR"][-50:]).max() <= 2 * 256


def test_nothing_of_an_earlier_motion_acts_on_a_later_one() -> None:
    steps: list[Step] = [
        *moving(0, 300),
        ["stop"],
        ["run", 1000],
        ["load", "MOTOR_POSITION", 9000 * 1024],
        ["load", "LINK_POSITION", 9000 * 1024],
        ["run", 2],
        ["enable", 0],
        ["run", 1],
    ]
    trace = play(steps)
    before = int(trace["POSITION"][-1])
    assert trace.last("SET_POINT") == before * 256
    assert (trace.last("SET_SPEED"), trace.last("SET_ACCELERATION")) == (0, 0)
    assert np.abs(trace["INTEGRAL"]).max() > 1000
    assert trace.last("INTEGRAL") == 0


@pytest.mark.parametrize(
    ("steps", "reason"),
    [
        ([["enable", 1]], wire.REASON_NOT_AUTHORISED),
        ([["load", "INPUTS", 1], ["run", 1], ["enable", 0]], wire.REASON_STOP_LINE),
        ([["poke", "HOMED", 0], ["enable", 0]], wire.REASON_NOT_HOMED),
        ([*ENABLE, ["stop"], ["run", 2], ["enable", 0]], wire.REASON_MOVING),
        ([*ENABLE, ["load", "INPUTS", 2], ["run", 200], ["enable", 0]], wire.REASON_FAULT),
        ([*ENABLE, ["home"]], wire.REASON_ENABLED),
        ([*ENABLE, ["parameter", "over_speed", 1000]], wire.REASON_ENABLED),
        ([["parameter", "address", 3]], wire.REASON_READ_ONLY),
        ([["parameter", "arm_id", 3]], wire.REASON_READ_ONLY),
    ],
)
def test_refusals(steps: list[Step], reason: int) -> None:
    assert play(steps).answers[-1] == reason


def test_a_joint_with_damaged_parameters_answers_and_cannot_be_enabled() -> None:
    steps: list[Step] = [["home"], ["run", 1], ["enable", 0], ["run", 2], ["reset_fault"]]
    trace = play([*steps, ["run", 2]], damaged=True)
    parameters = wire.REASON_PARAMETERS
    assert trace.answers[0::2] == [wire.REASON_NONE, parameters, parameters]
    assert fault_of(trace) == wire.PARAMETER_CRC
    assert trace.last("PULL_LINE") == 1


def test_home_refers_the_position_to_the_output_encoder() -> None:
    for angle in (-3.0, -0.4, 0.0, 1.1, 3.1):
        trace = play([["run", 1]], at_rad=angle)
        assert abs(trace.last("POSITION") - counts(angle)) <= 409600 / 16384 / 2 + 1


# ---- motion


@pytest.mark.parametrize("joint", [0, 5])
@pytest.mark.parametrize("load_nm", [0.0, 2.5, -2.5])
def test_a_move_is_followed_and_settles(joint: int, load_nm: float) -> None:
    segments = move_segments(joint, 0.0, -1.2)
    ticks = sum(segment[2] for segment in segments) // 1000
    steps = moving(joint, ticks + 600, -1.2, wait=400)
    trace = play(steps, joint=joint, load_nm=load_nm)
    assert trace.last("FAULT") == wire.NO_FAULT
    assert trace.last("STATE") == wire.OPERATION_ENABLED
    started = trace.first("MODE", 3)
    assert np.abs(trace["ERROR"][started:]).max() / 256 < FOLLOWING_LIMIT_COUNTS
    assert abs(trace.last("SET_POINT") / 256 - counts(-1.2)) < 0.05
    assert np.abs(trace["ERROR"][-50:]).max() / 256 <= 2.0


def test_the_set_point_leaves_at_the_instant_of_start() -> None:
    segments = move_segments(0, 0.0, 1.0)
    steps: list[Step] = [*ENABLE, ["queue", segments], ["run", 40], ["start_in", 30_000]]
    trace = play([*steps, ["run", 40]])
    armed = trace.first("MODE", 2)
    # start_in took one tick for the clock; the command is taken at the next, the instant is 30 on
    running = trace.first("MODE", 3)
    assert trace["NOW"][running] - trace["NOW"][armed] == 29_000
    assert trace["SET_POINT"][running] == trace["SET_POINT"][armed]
    assert trace["SET_POINT"][running + 1] != trace["SET_POINT"][armed]


def test_a_host_clock_of_another_rate_is_followed_for_minutes() -> None:
    """A slow move over 2.5 min at the largest drift: it adds 37 ms, and nothing overflows."""
    drift = 1 << 14
    speed = 20_000  # turn/2^24/s
    position, segments = 0, list[list[int]]()
    for _ in range(7600):
        position += speed // 50
        segments.append([position, speed, 20_000])
    trace = play(
        [
            *ENABLE,
            *(["set_clock", 500, 900, drift], ["run", 1], ["queue", segments], ["run", 100]),
            *(["start", 300_900], ["leap", 150_000], ["run", 1]),
        ],
        record=["NOW", "SET_POINT", "FAULT", "MODE"],
    )
    assert trace.last("MODE") == 3
    local = (int(trace.last("NOW")) - 500) & 0x3FFFFFFF
    host = local * (1 + drift / 2**26) - 300_000
    expected = host * 1e-6 * speed / 2**24 * 409600
    assert trace.last("SET_POINT") / 256 == pytest.approx(expected, abs=0.1)


@pytest.mark.parametrize(
    "steps",
    [
        [["set_clock", 0, 0, 0], ["run", 1], ["queue", "SEGMENTS"], ["run", 40], ["start", 1]],
        [["set_clock", 0, 0, 0], ["run", 1], ["start", 0x3FFFFFF0]],
        [["queue", "SEGMENTS"], ["run", 40], ["start", 0x3FFFFFF0]],
        [["queue", "SEGMENTS"], ["run", 40], ["start_in", 30_000], ["cancel"]],
        [["queue", "SEGMENTS"], ["run", 40], ["start_in", 30_000], ["run", 5], ["cancel"]],
    ],
    ids=["too late", "no segments", "clock not set", "cancelled at once", "cancelled when armed"],
)
def test_what_does_not_start(steps: list[Step]) -> None:
    segments = move_segments(0, 0.0, 1.0)
    filled = [[segments if part == "SEGMENTS" else part for part in step] for step in steps]
    trace = play([*ENABLE, *filled, ["queue", []], ["run", 60], ["depth"]])
    assert 3 not in trace["MODE"]
    assert len(set(trace["SET_POINT"][100:])) == 1
    assert trace.last("STATE") == wire.OPERATION_ENABLED
    if filled[-1][0] == "cancel":
        assert trace.answers[-1] == 0


def test_the_clock_stays_while_a_start_depends_on_it() -> None:
    steps = moving(0, -10)
    armed = play([*steps, ["set_clock", 0, 0, 0]])
    assert armed.last("MODE") == 2
    assert armed.answers[-1] == wire.REASON_MOVING
    running = play([*steps, ["run", 100], ["set_clock", 0, 0, 0]])
    assert running.answers[-1] == wire.REASON_MOVING


def test_a_start_does_not_replace_the_arguments_of_a_command_that_waits() -> None:
    steps: list[Step] = [["set_clock", 5, 7, 11], ["enable", 0], ["start", 12345], ["run", 1]]
    assert play(steps).last("STATE") == wire.SWITCHED_ON


# ---- stopping


@pytest.mark.parametrize("joint", [0, 5])
@pytest.mark.parametrize("ticks", [30, 250, 480])
def test_a_stop_is_limited_in_jerk_and_ends_in_time(joint: int, ticks: int) -> None:
    """During acceleration, at full speed, and (joint 0) near the end of the move."""
    steps: list[Step] = [*moving(joint, ticks), ["stop"], ["run", 900]]
    trace = play(steps, joint=joint, record=[*RECORD_RAMP])
    ramp = trace.first("STATE", wire.QUICK_STOP_ACTIVE)
    rest = ramp + int(np.flatnonzero(trace["SET_SPEED"][ramp:] == 0)[0])
    speed = trace["SET_SPEED"]
    deceleration, jerk = int(trace.last("P_DECELERATION")), int(trace.last("P_JERK"))
    assert speed[ramp : rest + 1].min() >= 0
    assert -trace["SET_ACCELERATION"][ramp : rest + 1].min() <= deceleration
    change = np.diff(trace["SET_ACCELERATION"][ramp - 1 : rest])
    assert np.abs(change).max() <= jerk
    # the part of a jerk-limited stop in full: v/d + d/j, and what was left of the acceleration
    accelerating = max(int(trace["SET_ACCELERATION"][ramp - 1]), 0)
    peak = int(speed[ramp - 1 : rest].max())
    at_most = peak / deceleration + deceleration / jerk + accelerating / jerk
    assert 0.5 * at_most - 3 <= rest - ramp <= 1.15 * at_most + 5
    assert trace["BRAKE"][rest] == 0
    assert trace["BRIDGE"][rest + BRAKE_TICKS - 2] == 1
    assert trace.first("STATE", wire.QUICK_STOP_ACTIVE) < len(trace["STATE"])
    assert (trace.last("STATE"), trace.last("BRIDGE")) == (wire.SWITCH_ON_DISABLED, 0)
    assert (trace.last("FAULT"), trace.last("AUTHORISED")) == (0, 0)
    assert np.abs(trace["SPEED"][-20:]).max() <= 26


RECORD_RAMP = (
    "STATE", "SET_SPEED", "SET_ACCELERATION", "P_DECELERATION", "P_JERK", "BRAKE", "BRIDGE",
    "FAULT", "AUTHORISED", "SPEED",
)  # fmt: skip


def test_a_stop_comes_before_a_command_that_waits() -> None:
    trace = play([["enable", 0], ["stop"], ["run", 200]])
    assert wire.OPERATION_ENABLED not in trace["STATE"]
    assert (trace.last("STATE"), trace.last("AUTHORISED")) == (wire.SWITCH_ON_DISABLED, 0)


# ---- silence


def test_silence_in_motion_is_a_controlled_stop_and_a_latched_fault() -> None:
    segments = move_segments(0, 0.0, 3.0)
    steps: list[Step] = [*ENABLE, ["queue", segments], ["run", 40], ["start_in", 30_000]]
    trace = play([*steps, ["run", 100], ["run", 1500, 0]])
    assert fault_of(trace) == wire.LINK_TIMEOUT
    silent = len(trace["STATE"]) - 1500
    reaction = trace.first("STATE", wire.FAULT_REACTION_ACTIVE)
    assert 500 <= reaction - silent <= 500 + SLICES
    assert trace["PULL_LINE"][reaction:].min() == 1
    assert trace["PULL_LINE"][:reaction].max() == 0


def test_silence_at_rest_closes_the_brake_and_leaves_the_joint_authorised() -> None:
    quiet = play([*ENABLE, ["run", 700, 0]])
    assert (quiet.last("STATE"), quiet.last("FAULT")) == (wire.SWITCHED_ON, 0)
    assert (quiet.last("AUTHORISED"), quiet.last("BRAKE"), quiet.last("BRIDGE")) == (1, 0, 0)
    again = play([*ENABLE, ["run", 700, 0], ["run", 1], ["enable", 1], ["run", 100]])
    assert again.answers[-2] == wire.REASON_NONE
    assert again.last("STATE") == wire.OPERATION_ENABLED
    stopped = play([*ENABLE, ["run", 700, 0], ["stop"], ["run", 2], ["enable", 1]])
    assert stopped.answers[-1] == wire.REASON_NOT_AUTHORISED
    assert stopped.last("STATE") == wire.SWITCH_ON_DISABLED


def test_a_host_that_comes_late_underruns_the_queue() -> None:
    trace = play([*moving(0, 700, queued=30)])
    assert fault_of(trace) == wire.UNDERRUN
    reaction = trace.first("STATE", wire.FAULT_REACTION_ACTIVE)
    speeds = trace["SET_SPEED"][reaction:]
    assert np.abs(np.diff(speeds[: np.argmin(speeds)])).max() < 40_000


# ---- faults


@pytest.mark.parametrize(("inputs", "fault"), [(1, wire.STOP_LINE), (2, wire.EMERGENCY_STOP)])
@pytest.mark.parametrize("in_motion", [True, False])
def test_stop_line_and_emergency_button(inputs: int, fault: int, in_motion: bool) -> None:
    steps = moving(0, 200) if in_motion else ENABLE
    trace = play([*steps, ["load", "INPUTS", inputs], ["run", 900]])
    assert fault_of(trace) == fault
    pressed = len(trace["STATE"]) - 900
    assert trace.first("STATE", wire.FAULT_REACTION_ACTIVE) == pressed
    # who found the line pulled does not pull it too: it would never come free
    assert trace.last("PULL_LINE") == (fault == wire.EMERGENCY_STOP)
    assert np.abs(trace["ERROR"][pressed:-100]).max() / 256 < 2 * FOLLOWING_LIMIT_COUNTS


def test_a_joint_does_not_take_its_own_pull_for_anothers() -> None:
    trace = play([*moving(0, 700, queued=30), ["load", "INPUTS", 1], ["run", 100]])
    assert fault_of(trace) == wire.UNDERRUN


def test_a_blocked_joint_faults_and_cuts_torque_instead_of_pushing_on() -> None:
    trace = play([*moving(0, 250, 3.0), ["load", "FRICTION", 190_000], ["run", 900]])
    assert fault_of(trace) == wire.FOLLOWING_ERROR
    reaction = trace.first("STATE", wire.FAULT_REACTION_ACTIVE)
    off = reaction + int(np.flatnonzero(trace["BRIDGE"][reaction:] == 0)[0])
    limit = 409600 / 360 * 256
    assert abs(trace["ERROR"][reaction - 2]) <= limit < abs(trace["ERROR"][reaction - 1])
    assert trace["ERROR"][:off].max() <= 2 * limit + 1 < trace["ERROR"][off]


def test_soft_limit() -> None:
    trip = round(counts(0.8))
    trace = play(moving(0, 1800), parameter_values={"upper_trip": trip})
    assert fault_of(trace) == wire.SOFT_LIMIT
    reaction = trace.first("STATE", wire.FAULT_REACTION_ACTIVE)
    assert trace["POSITION"][reaction - 2] <= trip < trace["POSITION"][reaction - 1]


def test_encoders_that_contradict_each_other_cut_torque_at_once() -> None:
    trace = play([*ENABLE, ["load", "OUTPUT_STEP", 25_000], ["run", 100]], at_rad=1.0)
    assert fault_of(trace) == wire.ENCODERS_DISAGREE
    fault = trace.first("FAULT", wire.ENCODERS_DISAGREE)
    assert trace["BRIDGE"][fault - 1 : fault + 1].tolist() == [1, 0]
    happened = len(trace["STATE"]) - 100
    assert happened <= fault <= happened + SLICES + 3  # read, compared, judged, latched


def test_over_speed_cuts_torque_at_once() -> None:
    trace = play(
        [*ENABLE, ["load", "LOAD", -300_000], ["run", 200]],
        parameter_values={"over_speed": 2560, "following_error": 4096},
    )
    assert fault_of(trace) == wire.OVER_SPEED
    found = trace.first("FAULT", wire.OVER_SPEED) - 1
    assert trace["BRIDGE"][found - 1 : found + 1].tolist() == [1, 0]
    assert abs(trace["SPEED"][found - 1]) <= 2560 < abs(trace["SPEED"][found])


@pytest.mark.parametrize("ticks", range(85, 93))
def test_a_fault_while_the_brake_opens_is_not_overtaken_by_it(ticks: int) -> None:
    trace = play([["enable", 0], ["run", ticks], ["load", "INPUTS", 2], ["run", 300]])
    assert fault_of(trace) == wire.EMERGENCY_STOP
    assert wire.OPERATION_ENABLED not in trace["STATE"][trace.first("FAULT", wire.EMERGENCY_STOP) :]


@pytest.mark.parametrize("ticks", range(85, 93))
def test_a_stop_while_the_brake_opens_is_not_overtaken_by_it(ticks: int) -> None:
    trace = play([["enable", 0], ["run", ticks], ["stop"], ["run", 300]])
    stopped = trace.first("STATE", wire.QUICK_STOP_ACTIVE)
    assert stopped == ticks + 1
    assert wire.OPERATION_ENABLED not in trace["STATE"][stopped:]
    assert (trace.last("STATE"), trace.last("BRAKE")) == (wire.SWITCH_ON_DISABLED, 0)


def test_the_first_cause_is_kept_with_its_snapshot() -> None:
    names = ("FAULT", "FAULT_TIME", "FAULT_POSITION", "FAULT_SPEED", "FAULT_STATE_BEFORE")
    steps: list[Step] = [*moving(0, 250), ["load", "INPUTS", 1], ["run", 3]]
    trace = play(
        [*steps, ["load", "INPUTS", 2], ["load", "FRICTION", 190_000], ["run", 900]],
        record=[*names, "NOW", "POSITION", "SPEED", "STATE"],
    )
    fault = trace.first("FAULT", wire.STOP_LINE)
    for name, source in zip(names[1:4], ("NOW", "POSITION", "SPEED"), strict=True):
        assert trace.last(name) == trace[source][fault]
    assert trace.last("FAULT") == wire.STOP_LINE
    assert trace.last("FAULT_STATE_BEFORE") == wire.OPERATION_ENABLED


def test_reset_frees_the_line_and_needs_a_new_enable() -> None:
    faulted = [*moving(0, 700, queued=30)]
    early = play([*faulted[:-1], ["run", 340], ["reset_fault"]])
    assert early.last("STATE") == wire.FAULT_REACTION_ACTIVE
    assert early.answers[-1] == wire.REASON_MOVING
    trace = play([*faulted, ["enable", 0], ["reset_fault"], ["run", 2], ["enable", 1]])
    assert trace.answers[-4] == wire.REASON_FAULT
    assert trace.answers[-1] == wire.REASON_NOT_AUTHORISED
    assert (trace.last("STATE"), trace.last("FAULT")) == (wire.SWITCH_ON_DISABLED, 0)
    assert trace.last("PULL_LINE") == 0
    again = play([*faulted, ["reset_fault"], ["run", 2], *ENABLE])
    assert again.last("STATE") == wire.OPERATION_ENABLED
