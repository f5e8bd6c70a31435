"""One target of `guidearm_tools.fuzz` in a process of its own, which libFuzzer ends.

Arguments: target, seconds, folder of inputs to begin with. Nothing of this project is imported
before atheris watches the imports: its own modules alone are instrumented, which takes a second
where numpy with them takes a minute.
"""

from __future__ import annotations

import sys
from typing import Any

import atheris  # pyright: ignore[reportMissingImports, reportMissingModuleSource]

MAX_BYTES = 4096
PER_INPUT_S = 5  # longer than this on one input is a hang

fuzzer: Any = atheris  # pyright: ignore[reportUnknownVariableType]


def main() -> None:
    """Fuzz until the time is over."""
    name, seconds, corpus = sys.argv[1:]
    with fuzzer.instrument_imports(include=["guidearm", "guidearm_protocol", "guidearm_tools"]):
        from guidearm_tools.fuzz import TARGETS
    arguments = [
        sys.argv[0],
        corpus,
        f"-max_total_time={seconds}",
        f"-max_len={MAX_BYTES}",
        f"-timeout={PER_INPUT_S}",
        "-rss_limit_mb=2048",
        "-print_final_stats=1",
        "-verbosity=0",
        "-seed=1",
    ]
    fuzzer.Setup(arguments, TARGETS[name]())
    fuzzer.Fuzz()


if __name__ == "__main__":
    main()
