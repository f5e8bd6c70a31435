"""Stands for a board while there is none: the firmware ends at once, the REPL is left."""


class Board:
    """A board that cannot be had."""

    def __init__(self) -> None:
        """Say so."""
        raise RuntimeError("this image has no board")
