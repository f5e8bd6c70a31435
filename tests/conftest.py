"""Settings of all tests: property tests draw the same examples every run, at any machine load."""

from __future__ import annotations

from hypothesis import settings

pytest_plugins = ["pytester"]

settings.register_profile("guidearm", derandomize=True, deadline=None, database=None)
settings.load_profile("guidearm")
