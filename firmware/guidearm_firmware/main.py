"""A joint controller: ties the portable core in `joint` to the one board of this image."""

import gc

from board import Board
from joint import servo
from joint.drive import Drive
from joint.session import Session
from joint.storage import Storage
from joint.supervisor import supervise

VERSION = (0, 1, 0)


def run() -> None:
    """Serve the bus for ever; the board's interrupt runs the servo."""
    board = Board()
    drive = Drive(Storage(board))
    session = Session(board, drive, VERSION)
    gc.collect()
    board.start(drive.state, servo.tick, supervise)
    while True:
        board.wait()
        session.poll()


run()
