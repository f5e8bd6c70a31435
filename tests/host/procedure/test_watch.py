from __future__ import annotations

import numpy as np
import pytest

from guidearm.arm import ArmState, JointState
from guidearm.errors import GuideArmError, MarkerLostError
from guidearm.geometry import Array, inverse, perturbation
from guidearm.kinematics import Arm, load_arm
from guidearm.procedure.watch import HoldRequest, Watch
from guidearm.tracking import (
    ARM_MARKER,
    PATIENT,
    DataSheet,
    MarkerPose,
    MarkerStatus,
    TrackerFrame,
)
from guidearm_protocol import messages

CYCLE_S = 0.01
T_BASE_CAMERA = perturbation([1.0, -0.4, 0.9], [0.3, 2.0, -0.4])
T_CAMERA_PATIENT = perturbation([0.1, -0.05, 1.4], [0.2, 1.0, -0.4])


def arm_state(time: float, q: Array) -> ArmState:
    joints = [
        JointState(
            number=number,
            instant=time,
            position=angle,
            demand=angle,
            output=angle,
            following_error=0,
            current_a=0.0,
            state=messages.OPERATION_ENABLED,
            flags=messages.FLAG_HOMED,
            fault=0,
            segment=0,
            depth=0,
            boot=1,
        )
        for number, angle in enumerate(q.tolist(), 1)
    ]
    return ArmState(time, tuple(joints))


class Scene:
    """An arm that turns its first joint, a tracker without noise, and a watch on both."""

    def __init__(self, arm: Arm) -> None:
        self.arm = arm
        self.data_sheet = DataSheet()
        self.now = 0.0
        self.speed = 0.0
        self.hidden: dict[str, tuple[float, float]] = {}
        self.bump = np.eye(4)
        self._next = 0
        self.watch = Watch(arm, self, 0.0)

    def q(self, time_s: float) -> Array:
        q = np.array(self.arm.home)
        q[0] += self.speed * time_s
        return q

    def poll(self) -> list[TrackerFrame]:
        frames: list[TrackerFrame] = []
        while self._next / 60 + self.data_sheet.latency_s <= self.now:
            frames.append(self._frame(self._next))
            self._next += 1
        return frames

    def _frame(self, number: int) -> TrackerFrame:
        time_s = number / 60
        T_base_marker = self.arm.forward(self.q(time_s)) @ self.arm.T_flange_arm_marker
        poses = {
            PATIENT: T_CAMERA_PATIENT,
            ARM_MARKER: inverse(T_BASE_CAMERA) @ T_base_marker @ self.bump,
        }
        markers: dict[str, MarkerPose] = {}
        for name, pose in poses.items():
            begin, end = self.hidden.get(name, (np.inf, np.inf))
            hidden = begin <= time_s < end
            markers[name] = (
                MarkerPose(MarkerStatus.MISSING) if hidden else MarkerPose(MarkerStatus.VALID, pose)
            )
        return TrackerFrame(number, time_s, markers)

    def close(self) -> None:
        self.now = np.inf

    def run(self, until: float) -> None:
        while self.now < until:
            self.now += CYCLE_S
            self.watch(arm_state(self.now, self.q(self.now)))

    def locate(self) -> None:
        self.watch.T_base_camera = T_BASE_CAMERA
        self.watch.T_flange_arm_marker = self.arm.T_flange_arm_marker


@pytest.fixture
def scene() -> Scene:
    return Scene(load_arm("guide6"))


def test_a_marker_away_for_100_ms_asks_for_a_hold(scene: Scene) -> None:
    scene.hidden[PATIENT] = (1.0, 1.5)
    scene.run(1.0 + scene.data_sheet.latency_s - CYCLE_S)
    assert scene.watch.markers_visible
    scene.run(1.09)  # the loss is known, the time is not over
    assert not scene.watch.markers_visible and scene.watch.lost == (PATIENT,)
    with pytest.raises(HoldRequest, match="no sight of patient: the arm holds"):
        scene.run(1.13)
    assert scene.now == pytest.approx(1.1 + CYCLE_S, abs=CYCLE_S + 1e-9)


def test_while_waiting_it_only_looks(scene: Scene) -> None:
    scene.hidden[ARM_MARKER] = (1.0, 1.5)
    with pytest.raises(HoldRequest):
        scene.run(3.0)
    scene.watch.waiting = True
    scene.run(1.5)
    assert not scene.watch.markers_visible
    scene.run(1.75)
    assert scene.watch.markers_visible
    scene.watch.waiting = False
    scene.run(2.5)


def test_waiting_ends_when_the_marker_does_not_come(scene: Scene) -> None:
    scene.hidden[ARM_MARKER] = (1.0, np.inf)
    scene.watch.waiting = True
    with pytest.raises(MarkerLostError, match=r"marker 'arm_marker' was lost for 2\.0 s"):
        scene.run(4.0)
    assert scene.now == pytest.approx(3.0, abs=0.03)


def test_a_hold_request_is_no_error_that_a_failed_stop_could_hide_behind() -> None:
    assert not issubclass(HoldRequest, GuideArmError)


def test_a_moving_arm_is_expected_where_its_joints_are(scene: Scene) -> None:
    scene.locate()
    scene.speed = 0.1  # rad/s, some 40 mm/s at the marker
    scene.hidden[ARM_MARKER] = (1.0, 1.8)
    scene.watch.waiting = True
    scene.run(2.2)
    assert scene.watch.markers_visible


def test_a_marker_that_slipped_on_a_moving_arm_is_not_believed(scene: Scene) -> None:
    scene.locate()
    scene.speed = 0.1
    scene.hidden[ARM_MARKER] = (1.0, 1.8)
    scene.watch.waiting = True
    scene.run(1.5)
    scene.bump = perturbation([0.0, 4e-3, 0.0], np.zeros(3))
    with pytest.raises(MarkerLostError, match=r"came back 4\.0 mm from where it was"):
        scene.run(4.0)


def test_a_camera_located_just_before_the_loss_is_no_displacement(scene: Scene) -> None:
    """Frames from before and after the camera was located are compared alike."""
    scene.hidden[ARM_MARKER] = (1.0, 1.3)
    scene.run(1.03)
    scene.locate()
    scene.watch.waiting = True
    scene.run(1.7)
    assert scene.watch.markers_visible


def test_frames_are_kept_until_others_are_asked_for(scene: Scene) -> None:
    scene.run(2.0)
    assert [frame.number for frame in scene.watch.frames_since(1.0)] == list(range(60, 117))
    assert scene.watch.frames_since(0.0)[0].number == 60


def test_the_trace_has_every_cycle(scene: Scene) -> None:
    scene.speed = 0.2
    scene.run(0.5)
    trace = scene.watch.trace
    assert np.allclose(trace.time_s, CYCLE_S * np.arange(1, len(trace.time_s) + 1))
    assert trace.q.shape == trace.q_demand.shape == (len(trace.time_s), 6)
    assert np.allclose(trace.q[:, 0], scene.arm.home[0] + 0.2 * trace.time_s)
