"""Recordings: a motion made to be recorded, or whatever happens, with what is to be said of it."""

from __future__ import annotations

import math
import re
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from typing import Any

import numpy as np

from guidearm.arm import Capture, JointTrace, Robot, RobotLink, capture_setup
from guidearm.arm.capture import AT_ONCE, FAULT, START_OF_MOVE, CaptureLink, CaptureSetup, Trigger
from guidearm.arm.state import fault_meaning, fault_name
from guidearm.errors import GuideArmError, InputError, JointFaultError, MotionError
from guidearm.geometry import Array
from guidearm.kinematics import Arm
from guidearm.motion import Smooth, check_way, hermite_segments, joint_move, sine_move
from guidearm.tracing.picture import SIGNALS, Words
from guidearm.tracing.response import SETTLED_SHARE, sine_response, step_response
from guidearm_protocol import messages

BEFORE_S = 0.05  # recorded before a motion starts
AFTER_S = 0.35  # and after its set-point has come to rest
READ_S = 10.0  # for the joints to finish after the motion, and for reading them
BACK_SPEED = 0.5
TRIGGERS: dict[str, Trigger] = {"fault": FAULT, "move": START_OF_MOVE, "now": AT_ONCE}

Say = Callable[[str], None]


@dataclass(frozen=True, eq=False)
class Recording:
    """Traces with what they are of.

    `notes` are plain values for JSON, `words` stand above the picture, `spans` (s from the trigger)
    are shaded in it; `shown` is the joint to draw by itself, None for all. `failure` is what ended
    the motion, to be raised once everything is saved.
    """

    name: str
    traces: tuple[JointTrace, ...]
    setup: CaptureSetup
    notes: dict[str, Any]
    words: Words
    spans: tuple[tuple[float, float, str], ...] = ()
    shown: int | None = None
    failure: GuideArmError | None = None


def record_step(
    robot: Robot, joint: int, size: float, speed: float = 1.0, say: Say | None = None
) -> Recording:
    """Record joint 1.. moving quickly by `size` (rad) from where it stands, and move it back.

    The set-point's speed, acceleration and jerk stay within the arm's limits, at a share `speed`
    of full pace. `say` is told what will move before it does. Raises RefusedError if not enabled,
    LimitError, or MotionError if the arm would meet something, before anything moves, and what
    moves raise.
    """
    check_joint(robot.numbers, joint)
    if not size or not math.isfinite(size):
        raise InputError("a step has a size: --size in degrees, other than 0")
    start = robot.resume().q_demand
    goal = start.copy()
    goal[robot.index(joint)] += size
    label = f"step of joint {joint}"
    there = joint_move(start, goal, robot.model, speed, label=label)
    _refuse_contact(robot, there)
    _tell(say, f"will move joint {joint} by {math.degrees(size):g} deg, and back")
    traces, setup, failure = _record(robot, (joint,), there)
    if failure is not None:
        return _failed(f"step-joint{joint}", traces, setup, failure)
    robot.execute(hermite_segments(joint_move(goal, start, robot.model, BACK_SPEED, label=label)))
    trace = traces[0]
    told = step_response(trace.time_s, trace.values["set_point"], trace.values["position"])
    settled = (
        "settled when the set-point was"
        if told.settling_s == 0
        else f"settled {_ms(told.settling_s)} after the set-point"
    )
    words = Words(
        _minus(f"Step of joint {joint} by {math.degrees(size):g}\u00b0"),
        f"Rise {_ms(told.rise_s)} (set-point {_ms(told.demand_rise_s)}), "
        f"lag {_ms(told.lag_s)}, overshoot {_deg(told.overshoot)} "
        f"({100 * told.overshoot / abs(size):.1f} %), {settled}, "
        f"following error at most {_deg(told.peak_error)}.",
        f"The set-point is no jump: a move of {_ms(told.demand_s)} within the limits of speed, "
        "acceleration and jerk. Rise is from 10 to 90\u00a0%, settled is within "
        f"{100 * SETTLED_SHARE:g}\u00a0%.",
    )
    notes: dict[str, Any] = {"kind": "step", "joint": joint, "response": told.as_dict()}
    span = (0.0, told.demand_s, "set-point moves")
    return Recording(f"step-joint{joint}", traces, setup, notes, words, (span,), joint)


def record_sine(
    robot: Robot,
    joint: int,
    amplitude: float,
    frequency: float,
    periods: int = 4,
    say: Say | None = None,
) -> Recording:
    """Record joint 1.. swinging by `amplitude` (rad) at `frequency` (Hz) about where it stands.

    Raises as `record_step` does.
    """
    check_joint(robot.numbers, joint)
    start = robot.resume().q_demand
    move = sine_move(start, robot.index(joint), amplitude, frequency, robot.model, periods)
    _refuse_contact(robot, move)
    _tell(say, f"will swing joint {joint} by {math.degrees(amplitude):g} deg to each side")
    traces, setup, failure = _record(robot, (joint,), move)
    if failure is not None:
        return _failed(f"sine-joint{joint}", traces, setup, failure)
    trace = traces[0]
    begin, end = move.steady_s
    since = trace.time_s - trace.trigger_s
    steady = (since >= begin) & (since < end)
    told = sine_response(
        trace.time_s[steady],
        trace.values["set_point"][steady],
        trace.values["position"][steady],
        frequency,
    )
    words = Words(
        f"Sine of joint {joint}: {math.degrees(amplitude):g}\u00b0 at {frequency:g} Hz",
        _minus(
            f"Gain {told.gain:.4f} ({20 * math.log10(told.gain):+.2f} dB), phase "
            f"{math.degrees(told.phase):+.2f}\u00b0"
        )
        + f", following error at most {_deg(told.peak_error)}, "
        f"rest {_deg(told.rest)} rms.",
        f"Position over set-point, from the sines that fit best over {periods} whole periods; "
        "the sine swells and fades over one period each. The rest is what fits no sine.",
    )
    notes: dict[str, Any] = {"kind": "sine", "joint": joint, "response": told.as_dict()}
    span = (begin, end, f"fitted: {periods} periods")
    return Recording(f"sine-joint{joint}", traces, setup, notes, words, (span,), joint)


def record_move(robot: Robot, goal: Array, speed: float = 1.0, say: Say | None = None) -> Recording:
    """Record all joints on the straight joint line to `goal` (n,) rad, where they stay.

    Raises as `record_step` does.
    """
    start = robot.resume().q_demand
    move = joint_move(start, goal, robot.model, speed, label="move joints")
    _refuse_contact(robot, move)
    goals = " ".join(f"{angle:g}" for angle in np.degrees(goal).tolist())
    _tell(say, f"will move the joints to {goals} deg, in {move.duration_s:.1f} s")
    traces, setup, failure = _record(robot, robot.numbers, move)
    if failure is not None:
        return _failed("move", traces, setup, failure)
    peaks = {t.number: float(np.max(np.abs(t.values["following_error"]))) for t in traces}
    worst = max(peaks, key=lambda number: peaks[number])
    begun = [trace.trigger_s for trace in traces]
    words = Words(
        f"Move of {move.duration_s:.2f} s",
        f"Following error at most {_deg(peaks[worst])}, on joint {worst}. The first ticks of the "
        f"joints' motions lie within {1e3 * (max(begun) - min(begun)):.2f} ms.",
        "Each joint looks at its own ticks of 1 ms, so the first of a motion that starts at one "
        "instant come up to 1 ms apart.",
    )
    notes: dict[str, Any] = {
        "kind": "move",
        "duration_s": move.duration_s,
        "following_error_rad": [peaks[number] for number in robot.numbers],
    }
    return Recording("move", traces, setup, notes, words)


def event_capture(
    link: CaptureLink, joints: Sequence[int], trigger: str, duration_s: float, before_s: float
) -> Capture:
    """Set joints up to record what happens about a trigger of `TRIGGERS`; they wait for it.

    Raises InputError, RefusedError or LinkError.
    """
    before_s = 0.0 if trigger == "now" else before_s
    setup = capture_setup((*SIGNALS, "fault", "brake"), duration_s, before_s, TRIGGERS[trigger])
    capture = Capture(link, joints, setup)
    capture.arm()
    return capture


def event_recording(traces: tuple[JointTrace, ...], setup: CaptureSetup, trigger: str) -> Recording:
    """Say what an event's traces show: where there was a fault, who had it first."""
    faulted = [trace for trace in traces if trace.values["fault"].any()]
    if faulted:
        return _fault_recording(traces, faulted, setup, trigger)
    first = min(traces, key=lambda trace: trace.trigger_s)
    duration_s = setup.samples * setup.period_s
    who = f"{len(traces)} joints" if len(traces) > 1 else f"Joint {first.number}"
    words = Words(
        f"{who} over {duration_s:g} s",
        f"Trigger: {trigger}, on joint {first.number}; a sample every {setup.divider} ms.",
    )
    notes = {"kind": "record", "trigger": trigger}
    return Recording(trigger, traces, setup, notes, words, shown=_only(traces))


def _fault_recording(
    traces: tuple[JointTrace, ...],
    faulted: Sequence[JointTrace],
    setup: CaptureSetup,
    trigger: str,
) -> Recording:
    """Tell the cause from those that merely followed the stop line, and show it."""
    cause = min(faulted, key=lambda t: (_fault(t) == messages.STOP_LINE, t.time_s[_onset(t)]))
    at, code, v = _onset(cause), _fault(cause), cause.values
    followers = [t for t in faulted if _fault(t) == messages.STOP_LINE and t is not cause]
    says = (
        f"{fault_meaning(code)}, at {_deg(float(v['position'][at]))} and "
        f"{math.degrees(float(v['speed'][at])):.1f} deg/s, "
        f"{_deg(float(v['following_error'][at]))} off its set-point, "
        f"{float(v['current'][at]):.1f} A."
    )
    if followers:
        last_s = max(t.time_s[_onset(t)] for t in followers) - cause.time_s[at]
        count = len(followers)
        says += f" The stop line reached {count} other joint{'s' * (count > 1)} in {_ms(last_s)}."
    words = Words(
        f"Joint {cause.number}: {fault_name(code)}",
        _minus(says[:1].upper() + says[1:]),
        f"Time 0 is the tick of the trigger; {cause.trigger * setup.divider} ms before it were "
        "kept.",
        bad=True,
    )
    notes = {"kind": "fault", "trigger": trigger, "joint": cause.number, "fault": fault_name(code)}
    return Recording("fault", traces, setup, notes, words, shown=cause.number)


def _onset(trace: JointTrace) -> int:
    return int(np.flatnonzero(trace.values["fault"])[0])


def _fault(trace: JointTrace) -> int:
    return int(trace.values["fault"][_onset(trace)])


def _refuse_contact(robot: Robot, motion: Smooth) -> None:
    """Raise MotionError if an arm would meet itself or what it stands on; other joints may."""
    if isinstance(robot.model, Arm):
        check_way(motion, robot.model)


def _record(
    robot: Robot, joints: tuple[int, ...], motion: Smooth
) -> tuple[tuple[JointTrace, ...], CaptureSetup, GuideArmError | None]:
    """Record a motion; a fault on the way is returned with what was recorded of it."""
    segments = hermite_segments(motion)
    duration_s = BEFORE_S + segments.total_us * 1e-6 + AFTER_S
    setup = capture_setup(SIGNALS, duration_s, BEFORE_S, START_OF_MOVE)
    capture = Capture(RobotLink(robot), joints, setup)
    capture.arm()
    failure: GuideArmError | None = None
    try:
        robot.execute(segments, capture.follow)
    except JointFaultError as error:
        failure = error
    try:
        return capture.finish(READ_S), setup, failure
    except MotionError:
        raise failure or MotionError(f"{motion.label}: it was not recorded") from None


def _failed(
    name: str, traces: tuple[JointTrace, ...], setup: CaptureSetup, failure: GuideArmError
) -> Recording:
    words = Words("Ended by a fault", str(failure), bad=True)
    notes = {"kind": name, "failure": str(failure)}
    return Recording(name, traces, setup, notes, words, shown=_only(traces), failure=failure)


def _only(traces: Sequence[JointTrace]) -> int | None:
    return traces[0].number if len(traces) == 1 else None


def _tell(say: Say | None, what: str) -> None:
    if say is not None:
        say(what)


def check_joint(numbers: Sequence[int], joint: int) -> None:
    """Raise InputError unless the arm has this joint."""
    if joint not in numbers:
        raise InputError(f"there is no joint {joint}: the arm has {len(numbers)}")


def _ms(seconds: float) -> str:
    return _minus(f"{1e3 * seconds:.1f} ms")


def _deg(angle: float) -> str:
    return _minus(f"{math.degrees(angle):.3f}\u00b0")


def _minus(words: str) -> str:
    """Give numbers a real minus, and leave hyphens alone."""
    return re.sub(r"(?<!\w)-(?=\d)", "\u2212", words)
