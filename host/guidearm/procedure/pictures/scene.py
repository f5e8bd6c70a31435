"""The arm, the planned path, the patient and the camera, all in base coordinates and mm."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass

import numpy as np

from guidearm.geometry import Array, apply, inverse
from guidearm.kinematics import Arm
from guidearm.procedure.steps import Outcome
from guidearm.procedure.tools import Task, ToolCalibration


@dataclass(frozen=True, eq=False)
class Skeleton:
    """One posture as points, mm.

    Fields:
        links: (13, k) along joint axes and common normals, from base to flange.
        joints: (7, k) origins of base and link frames, the flange last.
        sleeve: (2, k) from beside the flange to the distal end.
        marker: (k,) of the arm.
    """

    links: Array
    joints: Array
    sleeve: Array
    marker: Array

    @property
    def flange(self) -> Array:
        """Origin of the flange, (k,)."""
        return self.joints[6]

    def seen(self, view: Callable[[Array], Array]) -> Skeleton:
        """Return the same points after a view (..., 3) -> (..., k)."""
        return Skeleton(view(self.links), view(self.joints), view(self.sleeve), view(self.marker))


@dataclass(frozen=True, eq=False)
class Scene:
    """Points (3,) in base coordinates, mm.

    Fields:
        postures: at the start, at the beginning of the approach, and at the end.
        entry, target: of the plan.
        patient, camera: origins of the patient marker's and the camera's frame.
    """

    postures: tuple[Skeleton, Skeleton, Skeleton]
    entry: Array
    target: Array
    patient: Array
    camera: Array

    @property
    def points(self) -> Array:
        """Every point but the camera, (n, 3)."""
        arm = [x for p in self.postures for x in (p.links, p.sleeve, p.marker)]
        return np.vstack([*arm, self.entry, self.target, self.patient])

    def along_path(self) -> Callable[[Array], Array]:
        """View (..., 3) -> (..., 2): aside towards the flange, and depth past the entry, mm."""
        down = (self.target - self.entry) / np.linalg.norm(self.target - self.entry)
        last = self.postures[2]
        aside = last.flange - last.sleeve[0]
        aside = aside - (aside @ down) * down
        basis = np.stack([aside / np.linalg.norm(aside), down])
        return lambda points: np.asarray((points - self.entry) @ basis.T)


def scene(outcome: Outcome, tools: ToolCalibration, task: Task, arm: Arm) -> Scene:
    """Bring everything into the base frame.

    Camera and patient are placed by the judged measurement and the last joint angles, so that the
    picture shows what the tracker saw, not what was planned.
    """
    first, last = outcome.trace.q[0], outcome.trace.q[-1]
    seen = outcome.measurement
    T_base_marker = arm.forward(last) @ tools.hand_eye.T_flange_arm_marker
    T_base_camera = T_base_marker @ inverse(seen.T_camera_arm_marker)
    T_base_patient = T_base_camera @ seen.T_camera_patient
    return Scene(
        postures=(
            skeleton(arm, tools, first),
            skeleton(arm, tools, outcome.path.candidate.q),
            skeleton(arm, tools, last),
        ),
        entry=1e3 * apply(T_base_patient, task.line.entry),
        target=1e3 * apply(T_base_patient, task.line.target),
        patient=1e3 * T_base_patient[:3, 3],
        camera=1e3 * T_base_camera[:3, 3],
    )


def skeleton(arm: Arm, tools: ToolCalibration, q: Array) -> Skeleton:
    """Lay out posture q (6,) rad in the base frame, with what the flange carries."""
    frames = arm.joint_frames(q)
    origins = frames[:, :3, 3]
    # A link goes first along its joint's axis, then along the common normal.
    corners = origins[:-1] + arm.chain.links[1:, 2, 3, None] * frames[:-1, :3, 2]
    links = np.empty((2 * len(origins) - 1, 3))
    links[0::2], links[1::2] = origins, corners
    T_base_guide = frames[6] @ tools.T_flange_guide
    end, along = T_base_guide[:3, 3], T_base_guide[:3, 2]
    beside_flange = end + ((origins[6] - end) @ along) * along
    marker = (frames[6] @ tools.hand_eye.T_flange_arm_marker)[:3, 3]
    return Skeleton(1e3 * links, 1e3 * origins, 1e3 * np.stack([beside_flange, end]), 1e3 * marker)
