"""What a procedure must know beforehand: the tool's calibrations, the plan, the registration."""

from __future__ import annotations

from dataclasses import dataclass
from functools import cached_property

from guidearm.calibration import GuideCalibration, HandEye, MountRepeatability
from guidearm.geometry import Array
from guidearm.mapping import Registration
from guidearm.planning import Plan
from guidearm.positioning import Line, planned_line


@dataclass(frozen=True, eq=False)
class ToolCalibration:
    """The bracket on the flange: where marker and sleeve are, and how well that is known."""

    hand_eye: HandEye
    guide: GuideCalibration
    mount: MountRepeatability

    @cached_property
    def T_flange_guide(self) -> Array:
        """Pose (4, 4) of the guide on the flange, by both calibrations."""
        return self.hand_eye.T_flange_arm_marker @ self.guide.T_arm_marker_guide


@dataclass(frozen=True, eq=False)
class Task:
    """A plan with the registration that brings it to the patient."""

    plan: Plan
    registration: Registration

    @cached_property
    def line(self) -> Line:
        """The planned line in the patient's frame; raises what `planned_line` raises."""
        return planned_line(self.plan, self.registration)
