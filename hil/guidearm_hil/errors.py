"""What goes wrong with a rig itself, not with what is tested on it."""

from __future__ import annotations

from guidearm.errors import GuideArmError


class RigError(GuideArmError):
    """A rig is not there, is not set up, or went wrong."""


class ScenarioError(GuideArmError):
    """Scenarios failed on a rig, or none could run."""
