"""The procedure: order of steps, journal and report."""

from guidearm.procedure.journal import Journal
from guidearm.procedure.steps import Motion, Outcome, Procedure
from guidearm.procedure.tools import Task, ToolCalibration

__all__ = ["Journal", "Motion", "Outcome", "Procedure", "Task", "ToolCalibration"]
