"""The page of `guidearm --help` as a file; `python -m guidearm.cli.help_page` writes it anew."""

from __future__ import annotations

from pathlib import Path

from guidearm.cli.main import guidearm

PAGE = Path(__file__).with_suffix(".txt")
_WIDTH = 80


def help_page() -> str:
    """Return what `guidearm --help` has to say, as wide as a terminal is at least."""
    context = guidearm.make_context("guidearm", [], resilient_parsing=True, terminal_width=_WIDTH)
    return guidearm.get_help(context) + "\n"


if __name__ == "__main__":
    PAGE.write_text(help_page(), encoding="utf-8")
