"""Moves over a line that loses, damages and echoes frames."""

from __future__ import annotations

import random

import numpy as np
import pytest

from guidearm.connection import robot_on
from guidearm.geometry import Array
from guidearm.link import Connection, Port
from guidearm_hil.rig import VirtualArm


class NoisyPort:
    """A port that spoils a share of the frames in both directions and echoes the host's own."""

    def __init__(self, port: Port, share: float, seed: int, echo: bool) -> None:
        self.name, self.baud, self.slack_s = port.name, port.baud, port.slack_s
        self._port, self._share, self._echo = port, share, echo
        self._rng = random.Random(seed)
        self._echoes: list[bytes] = []
        self.spoilt = 0

    def _spoil(self, data: bytes) -> bytes:
        if self._rng.random() >= self._share:
            return data
        self.spoilt += 1
        at = self._rng.randrange(len(data))
        kind = self._rng.randrange(3)
        if kind == 0:
            return data[:at] + bytes((data[at] ^ 1 << self._rng.randrange(8),)) + data[at + 1 :]
        return data[:at] + data[at + 1 :] if kind == 1 else data[: at + 1]

    def write(self, data: bytes) -> float:
        if self._echo:
            self._echoes.append(data)
        return self._port.write(self._spoil(data))

    def read(self, deadline: float) -> bytes:
        if self._echoes:
            return self._echoes.pop(0)
        data = self._port.read(deadline)
        return self._spoil(data) if data else data

    def set_baud(self, baud: int) -> None:
        self.baud = baud

    def discard_input(self) -> None:
        self._echoes.clear()
        self._port.discard_input()

    def close(self) -> None:
        self._port.close()


@pytest.mark.parametrize(("share", "echo"), [(0.0, True), (0.02, False), (0.05, True)])
def test_a_move_survives(virtual_arm: VirtualArm, goal: Array, share: float, echo: bool) -> None:
    clean = virtual_arm.connection()
    port = NoisyPort(clean.port, share, 8, echo)
    with robot_on(Connection(port, clean.clock), virtual_arm.arm) as robot:
        robot.enable()
        robot.move_joints(goal)
        state = robot.cycle()
        assert np.max(np.abs(state.q - goal)) <= 3 * 2 * np.pi / 409600
        counters = robot.bus.counters
    assert (port.spoilt > 0) == (share > 0)
    assert (counters.missed_slots > 0) == (share > 0)
    assert (counters.echoes > 0) == echo
    if share > 0.03:
        assert sum(counters.damaged.values()) > 0
