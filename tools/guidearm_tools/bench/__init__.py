"""`guidearm bench`: what the link and its codecs do, measured, each beside its bound."""

from __future__ import annotations

from guidearm_tools.bench.cli import bench

__all__ = ["bench"]
