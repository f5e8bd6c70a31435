"""Path planning: entry, direction and depth on the image."""

from guidearm.planning.plan import Plan, check_plan, read_plan, write_plan

__all__ = ["Plan", "check_plan", "read_plan", "write_plan"]
