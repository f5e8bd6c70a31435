"""What the bus spoils is accounted for to the frame, and both ends count the same."""

from __future__ import annotations

import random

import pytest

from guidearm.connection import robot_on
from guidearm.kinematics import load_arm
from guidearm.link import Balance, read_balance
from guidearm_hil.noise import HOST, Noise, Wire, at_another_baud
from guidearm_hil.rig import VirtualArm
from guidearm_protocol import messages
from guidearm_protocol.frame import encode_frame, reply_frame, request_frame
from guidearm_tools.spoil import spoil

ARM = load_arm("guide6")
QUIET = Noise()
LOSSY = Noise(corrupt=0.05, drop=0.05)
WILD = Noise(corrupt=0.04, drop=0.04, double=0.05, late=0.03)
CYCLES = 200


def balances(noise: Noise, seed: int) -> tuple[VirtualArm, list[Balance]]:
    """Return the rig and the counts of its joints after identification and `CYCLES` cycles."""
    with VirtualArm(ARM, seed, noise=noise) as rig:
        robot = robot_on(rig.connection(), ARM)
        for cycle in range(CYCLES):
            robot.bus.cycle(0b111111)
            if cycle % 10 == 0:
                robot.bus.request(1 + cycle // 10 % 6, messages.FAULT)
        return rig, [read_balance(robot.bus, number) for number in robot.numbers]


def test_on_a_clean_bus_both_ends_count_the_same() -> None:
    _, told = balances(QUIET, 1)
    for balance in told:
        assert balance.clean
        assert balance.sent == balance.executed > CYCLES
        assert (balance.repeated, balance.stale, balance.damaged, balance.late) == (0, 0, 0, 0)


@pytest.mark.parametrize("seed", [1, 2, 3])
def test_sent_is_executed_and_repeated_and_lost(seed: int) -> None:
    rig, told = balances(LOSSY, seed)
    assert rig.wire is not None
    for balance in told:
        truth = rig.wire.accounts[balance.joint]
        assert balance.sent == truth.sent
        assert balance.sent == balance.executed + balance.repeated + truth.lost
        assert balance.lost == truth.lost > CYCLES // 30
        assert balance.stale == 0
        assert not balance.clean
    assert rig.wire.corrupted > 100 and rig.wire.dropped > 100


@pytest.mark.parametrize("seed", [1, 2])
def test_with_doubles_and_collisions_too_every_frame_is_accounted_for(seed: int) -> None:
    rig, told = balances(WILD, seed)
    assert rig.wire is not None
    for balance in told:
        truth = rig.wire.accounts[balance.joint]
        assert balance.sent == truth.sent
        assert balance.executed + balance.repeated + balance.stale == truth.arrived
        assert balance.sent + truth.doubled == truth.arrived + truth.lost
        assert balance.repeated > 0
    assert rig.bus.collisions > 0 and rig.wire.late > 0


def test_a_seed_spoils_the_same_frames() -> None:
    first, told = balances(WILD, 1)
    second, again = balances(WILD, 1)
    assert (first.bus.sha256, told) == (second.bus.sha256, again)


def test_a_lost_delimiter_costs_two_frames() -> None:
    wire = Wire(QUIET, 0, (1, 2))
    frame = encode_frame(request_frame(1, 5, messages.FAULT))
    wire.hear(0, HOST, frame, frame[:-1])  # as a collision would leave it
    wire.hear(0, HOST, frame, frame)
    wire.hear(0, HOST, frame, frame)
    wire.hear(1, HOST, frame, frame)
    assert (wire.accounts[1].sent, wire.accounts[1].arrived, wire.accounts[1].lost) == (3, 1, 2)
    assert wire.accounts[2].sent == 0


def test_replies_are_nobodys_loss() -> None:
    wire = Wire(Noise(drop=1.0), 0, (1, 2))
    reply = encode_frame(reply_frame(1, 5, messages.STOP, bytes(2)))
    assert wire.hear(1, 0, reply, reply) == b""
    assert wire.hear(HOST, 0, reply, reply) == b""
    assert wire.accounts[2].sent == wire.accounts[2].lost == 0


def test_what_is_spoilt_is_never_what_it_was() -> None:
    rng = random.Random(3)
    data = encode_frame(request_frame(1, 5, messages.FAULT))
    sizes: set[int] = set()
    for _ in range(500):
        spoilt = spoil(data, rng)
        sizes.add(len(spoilt) - len(data))
        # a byte added beside its like cannot be told from the other
        assert spoilt != data
    assert sizes == {-1, 0, 1}


def test_bytes_at_another_rate_are_junk_of_the_same_length_in_time() -> None:
    data = encode_frame(request_frame(1, 5, messages.FAULT))
    assert at_another_baud(data, 1_000_000, 1_000_000) == data
    for sent, heard in ((1_000_000, 3_000_000), (3_000_000, 1_000_000), (2_000_000, 1_000_000)):
        junk = at_another_baud(data, sent, heard)
        assert data not in junk
        assert 0 < len(junk) <= len(data) * heard / sent + 1
