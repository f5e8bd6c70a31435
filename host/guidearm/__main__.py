"""The program `guidearm`, also as `python -m guidearm`.

`guidearm --help` is asked for more often than anything else: its page stands ready in a file, so
that it comes as soon as Python has started. A test holds the file to what the commands say;
`python -m guidearm.cli.help_page` writes it anew.
"""

from __future__ import annotations

import os
import sys

_PAGE = os.path.join(os.path.dirname(__file__), "cli", "help_page.txt")  # noqa: PTH118, PTH120 pathlib alone takes longer than all of this


def main() -> None:
    """Run the program and exit."""
    if sys.argv[1:] not in (["--help"], ["-h"]) or _has_others(sys.path) or not _show_page():
        from guidearm.cli.main import main as program

        program()


def _show_page() -> bool:
    """Print the page; return whether it could be read."""
    try:
        with open(_PAGE, encoding="utf-8") as file:  # noqa: PTH123
            page = file.read()
    except OSError:
        return False
    try:
        sys.stdout.write(page)
        sys.stdout.flush()
    except BrokenPipeError:
        sys.stderr.close()  # the reader has gone: nobody is left to tell
        sys.exit(1)
    return True


def _has_others(folders: list[str]) -> bool:
    """Whether another distribution has commands, which the page does not know."""
    for folder in folders:
        try:
            names = os.listdir(folder or ".")  # noqa: PTH208
        except OSError:
            continue
        for name in names:
            if name.endswith(".dist-info") and not name.startswith("guidearm-"):
                try:
                    with open(f"{folder}/{name}/entry_points.txt", "rb") as file:  # noqa: PTH123
                        if b"[guidearm.commands]" in file.read():
                            return True
                except OSError:
                    continue
    return False


if __name__ == "__main__":
    main()
