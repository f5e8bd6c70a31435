"""A move that is changed on its way: another goal, another feed, a goal that never rests."""

from __future__ import annotations

from collections import defaultdict

import numpy as np
import pytest
from planned_motion import Script, noted, true_error

from guidearm.arm import ArmState, Capture, Robot, RobotLink, capture_setup
from guidearm.arm.capture import START_OF_MOVE
from guidearm.connection import robot_on
from guidearm.errors import LimitError, MotionError
from guidearm.geometry import Array
from guidearm.kinematics import load_arm
from guidearm.kinematics.clearance import Rod, Room
from guidearm.link import SegmentPoint
from guidearm.motion import course, hermite_segments, joint_move
from guidearm.motion.check import LEAST_CLEARANCE_M
from guidearm_hil.noise import Noise
from guidearm_hil.rig import VirtualArm

COUNT_RAD = 2 * np.pi / 409600
FOLLOWED_RAD = np.radians(0.05)


def captured(robot: Robot, duration_s: float) -> Capture:
    """Return a capture of every joint's set-points, set up for the start of the next move."""
    setup = capture_setup(("set_point", "time"), duration_s, 0.05, START_OF_MOVE)
    capture = Capture(RobotLink(robot), robot.numbers, setup)
    capture.arm()
    return capture


def test_a_goal_changed_twice_in_mid_move_is_reached_as_planned(
    virtual_arm: VirtualArm, robot: Robot, goal: Array
) -> None:
    """At every tick of six joints: set-points on the plan, within limits; the motors follow."""
    arm = virtual_arm.arm
    start = robot.enable().q_demand
    second = arm.home + np.radians([-15, 10, 12, -20, 5, -30])
    third = arm.home + np.radians([5, 18, -5, 8, -10, 12])
    plan, motion = noted(course(joint_move(start, goal, arm), arm))
    script = Script(robot, [(0.2, second), (0.7, third)])
    capture = captured(robot, 2.0)
    record = robot.execute(motion, script)
    assert not script.steps
    assert len(plan.pieces) == 3
    assert np.max(np.abs(robot.state.q - third)) <= 3 * COUNT_RAD
    off_rotor, _ = true_error(virtual_arm, plan, [record.start], record.end)
    assert np.max(np.abs(off_rotor)) < FOLLOWED_RAD
    for trace in capture.finish(5.0):
        joint = trace.number - 1
        t = trace.time_s - record.start
        running = (t > 0.0) & (t < record.end - record.start)
        q = plan.at(record.start + t[running], [record.start])[:, joint]
        # a count, and the clocks' 50 us
        allowed = COUNT_RAD + 50e-6 * np.abs(np.gradient(q, 1e-3))
        assert np.all(np.abs(trace.values["set_point"][running] - q) < allowed)


def test_feed_slows_stops_and_resumes_on_the_line(
    virtual_arm: VirtualArm, robot: Robot, goal: Array
) -> None:
    arm = virtual_arm.arm
    start = robot.enable().q_demand
    script = Script(robot, [(0.2, 0.4), (0.8, 0.0), (3.0, 1.0)])
    capture = captured(robot, 4.0)
    record = robot.execute(course(joint_move(start, goal, arm, 0.4), arm, 0.4), script)
    assert not script.steps
    assert np.max(np.abs(robot.state.q - goal)) <= 3 * COUNT_RAD
    assert record.end > record.start + 3.0
    traces = capture.finish(5.0)
    t = np.arange(record.start, record.start + 3.9, 0.01)
    q = np.stack(
        [np.interp(t, trace.time_s, trace.values["set_point"]) for trace in traces], axis=-1
    )
    way = goal - start
    along = (q - start) @ way / (way @ way)
    # a count of each joint, and clocks that agree to 50 us
    allowed = COUNT_RAD + 50e-6 * np.abs(np.gradient(along, 0.01)[:, None] * way)
    assert np.all(np.abs(q - start - np.outer(along, way)) < allowed)
    resting = (t > record.start + 2.0) & (t < record.start + 3.0)
    assert np.ptp(along[resting]) == 0.0
    assert 0.05 < along[resting][0] < 0.95


def test_a_goal_given_while_stopped_is_gone_to_when_fed(
    virtual_arm: VirtualArm, robot: Robot, goal: Array
) -> None:
    arm = virtual_arm.arm
    robot.enable()
    other = arm.home + np.radians([-5, 5, 5, 5, 5, 5])
    script = Script(robot, [(0.2, 0.0), (1.0, other), (1.5, 0.0), (2.0, 0.5)])
    robot.move_joints(goal, on_state=script)
    assert not script.steps
    assert np.max(np.abs(robot.state.q - other)) <= 3 * COUNT_RAD
    t, demand = script.course()
    before_feed = t < t[0] + 1.9
    assert np.max(np.abs(demand[before_feed][-1] - other)) > 0.05


@pytest.mark.parametrize("late_s", [0.0, 0.05, 0.15, 0.3])
def test_a_goal_that_comes_when_all_is_on_the_joints_is_another_leg(
    virtual_arm: VirtualArm, robot: Robot, late_s: float
) -> None:
    arm = virtual_arm.arm
    robot.enable()
    first, second = arm.home + 0.02, arm.home - 0.03
    script = Script(robot, [(late_s, second)])
    record = robot.move_joints(first, on_state=script)
    assert np.max(np.abs(robot.state.q - second)) <= 3 * COUNT_RAD
    assert record.segments > 40
    assert record.settled > record.end


def test_what_cannot_be_is_refused_and_the_move_goes_on(
    virtual_arm: VirtualArm, robot: Robot, goal: Array
) -> None:
    arm = virtual_arm.arm
    outside = goal.copy()
    outside[2] = arm.upper[2] + 0.1
    refused: list[str] = []

    def on_state(state: ArmState) -> None:
        if not state.moving or refused:
            return
        for bad in (outside, np.zeros(5), np.full(6, np.nan)):
            with pytest.raises((LimitError, MotionError)) as caught:
                robot.retarget(bad)
            refused.append(str(caught.value))
        with pytest.raises(MotionError, match="feed 200 % is neither 0 nor"):
            robot.feed(2.0)

    robot.enable()
    robot.move_joints(goal, on_state=on_state)
    assert np.max(np.abs(robot.state.q - goal)) <= 3 * COUNT_RAD
    assert "joint 3 would go to" in refused[0]
    assert refused[1] == refused[2] == "a joint position is 6 finite angles in rad"


def test_only_a_course_that_moves_can_be_changed(
    virtual_arm: VirtualArm, robot: Robot, goal: Array
) -> None:
    arm = virtual_arm.arm
    with pytest.raises(MotionError, match="nothing moves that could be changed"):
        robot.retarget(goal)
    start = robot.enable().q_demand
    with pytest.raises(MotionError, match="cannot be changed on its way: stop it"):
        robot.execute(hermite_segments(joint_move(start, goal, arm)), Script(robot, [(0.1, 0.5)]))
    assert not robot.state.moving
    with pytest.raises(MotionError, match="nothing moves that could be changed"):
        robot.feed(0.5)


def test_what_is_in_the_way_is_refused_and_the_move_goes_on(
    virtual_arm: VirtualArm, goal: Array
) -> None:
    arm = virtual_arm.arm
    post = Rod("post", np.array([0.3, 0.25, 0.0]), np.array([0.3, 0.25, 0.8]), 0.03)
    robot = robot_on(virtual_arm.connection(), arm, room=Room((post,)))
    behind = arm.home + np.radians([75, 0, 0, 0, 0, 0])
    refused: list[str] = []

    def on_state(state: ArmState) -> None:
        if state.moving and not refused:
            with pytest.raises(MotionError) as caught:
                robot.retarget(behind)
            refused.append(str(caught.value))

    robot.enable()
    with pytest.raises(MotionError, match="from post"):
        robot.move_joints(behind)
    assert not robot.state.moving
    robot.move_joints(goal, on_state=on_state)
    assert np.max(np.abs(robot.state.q - goal)) <= 3 * COUNT_RAD
    assert refused[0].startswith("joint move: clearance is ")
    assert "from post" in refused[0]
    robot.move_joints(arm.home)


# ---- a goal that changes all the time


def test_a_moving_goal_is_followed_and_the_last_one_held(
    virtual_arm: VirtualArm, robot: Robot
) -> None:
    """Some 100 goals a second, on a circle of three joints: no fault, a lag that is known."""
    arm = virtual_arm.arm
    robot.enable()
    begin = robot.clock.now()
    asked: list[tuple[float, Array]] = []
    seen: list[tuple[float, Array]] = []

    def goal(state: ArmState) -> Array | None:
        t = state.time - begin
        seen.append((state.time, state.q_demand))
        if t > 5.0:
            return None
        phase = 2 * np.pi * 0.25 * t
        swing = np.array([np.cos(phase) - 1, np.sin(phase), 0, 0, np.sin(phase), 0])
        asked.append((state.time, arm.home + 0.02 * swing))
        return asked[-1][1]

    record = robot.follow(goal)
    assert np.max(np.abs(robot.state.q - asked[-1][1])) <= 3 * COUNT_RAD
    assert len(asked) > 400
    assert record.sent_again == 0
    t, q = (np.array(column) for column in zip(*seen, strict=True))
    at, wanted = (np.array(column) for column in zip(*asked, strict=True))
    following = (t > record.start + 0.5) & (t < at[-1])
    for joint in (0, 1, 4):
        late = [
            np.max(
                np.abs(np.interp(t[following] - lag, at, wanted[:, joint]) - q[following, joint])
            )
            for lag in (0.1, 0.2, 0.3)
        ]
        assert min(late) < np.radians(0.15), "within a tenth of its swing, late by the queue"


def test_following_ends_by_itself_when_there_is_no_goal(robot: Robot) -> None:
    robot.enable()
    record = robot.follow(lambda _: None)
    assert record.segments == 0


def test_a_goal_out_of_range_ends_following_with_a_stop(
    virtual_arm: VirtualArm, robot: Robot
) -> None:
    arm = virtual_arm.arm
    robot.enable()

    def goal(state: ArmState) -> Array:
        return arm.home + (0.3 if not state.moving or state.q[0] < 0.05 else 9.0)

    with pytest.raises(LimitError, match="would go to"):
        robot.follow(goal)
    assert not robot.state.moving
    assert not robot.state.enabled


def test_a_goal_in_the_table_ends_following_with_a_stop_well_above_it(
    virtual_arm: VirtualArm, robot: Robot
) -> None:
    """It sinks until the next goal would be nearer than is allowed: no goal is half gone to."""
    arm = virtual_arm.arm
    robot.enable()
    begin = robot.clock.now()

    def goal(state: ArmState) -> Array:
        return arm.home + np.array([0.0, -0.2 * (state.time - begin), 0.0, 0.0, 0.0, 0.0])

    with pytest.raises(MotionError, match=r"joint move: clearance is .* from table, "):
        robot.follow(goal)
    assert not robot.state.moving
    assert not robot.state.enabled
    clearances = arm.clearances(robot.state.q)
    above_m = clearances.each[clearances.pairs.index(("marker", "table"))]
    assert LEAST_CLEARANCE_M <= above_m < 0.02


@pytest.mark.parametrize("seed", [1, 2])
def test_changes_over_a_line_that_loses_frames(
    goal: Array, seed: int, monkeypatch: pytest.MonkeyPatch
) -> None:
    """All joints take the change at the same segment, whoever missed a frame."""
    arm = load_arm("guide6")
    with VirtualArm(arm, seed, noise=Noise(corrupt=0.02, drop=0.02)) as virtual_arm:
        robot = robot_on(virtual_arm.connection(), arm)
        start = robot.enable().q_demand
        other = arm.home + np.radians([-15, 10, 12, -20, 5, -30])
        plan, motion = noted(course(joint_move(start, goal, arm), arm))
        script = Script(robot, [(0.2, other), (0.5, 0.5), (0.9, 1.0)])
        contents: dict[int, set[SegmentPoint]] = defaultdict(set)
        cycle = robot.cycle

        def noting(segment: SegmentPoint | None = None) -> ArmState:
            if segment is not None:
                contents[segment.number].add(segment)
            return cycle(segment)

        monkeypatch.setattr(robot, "cycle", noting)
        record = robot.execute(motion, script)
        assert not script.steps
        assert np.max(np.abs(robot.state.q - other)) <= 3 * COUNT_RAD
        assert record.sent_again > 0
        assert len(contents) == record.segments
        assert all(len(sent) == 1 for sent in contents.values()), "one number, one content"
        off_rotor, _ = true_error(virtual_arm, plan, [record.start], record.end)
    assert np.max(np.abs(off_rotor)) < FOLLOWED_RAD
