"""Positioning: measure the guide against the plan, correct it, bound its error, judge the gate."""

from guidearm.positioning.breathing import Breathing, find_breathing
from guidearm.positioning.camera import locate_camera
from guidearm.positioning.correction import Correction, CorrectionLimits, correct
from guidearm.positioning.gate import GateLimits, GateVerdict, judge
from guidearm.positioning.line import Line, LineError, line_error, planned_line
from guidearm.positioning.measurement import GuideMeasurement, measure_guide
from guidearm.positioning.supervisor import MarkerSupervisor, SupervisorLimits, Vision
from guidearm.positioning.uncertainty import (
    Contribution,
    contributions,
    lateral_covariance,
    registration_error,
)

__all__ = [
    "Breathing",
    "Contribution",
    "Correction",
    "CorrectionLimits",
    "GateLimits",
    "GateVerdict",
    "GuideMeasurement",
    "Line",
    "LineError",
    "MarkerSupervisor",
    "SupervisorLimits",
    "Vision",
    "contributions",
    "correct",
    "find_breathing",
    "judge",
    "lateral_covariance",
    "line_error",
    "locate_camera",
    "measure_guide",
    "planned_line",
    "registration_error",
]
