"""Segments on the joint against exact arithmetic: interpolation, chains, the ring, conversions."""

from __future__ import annotations

import random
from fractions import Fraction
from typing import Any

import numpy as np
from joint_bench import run

from guidearm_protocol import messages as wire

TURN = wire.ANGLE_UNITS_PER_TURN
QUEUED, FULL, TOO_FAST, OUTSIDE = 1, 0, -1, -2
FASTEST = 1 << 17  # the highest over-speed limit, Q8 counts a tick
GEARS = (1024, 40_960, 409_600, 413_696, 1 << 19)  # counts a turn

Segment = tuple[int, int, int]


def hermite(start: Fraction, v0: int, end: Segment, at_us: int) -> Fraction:
    """Return the position in turn/2^24 of a cubic Hermite segment, exactly."""
    position, v1, duration = end
    u = Fraction(at_us, duration)
    seconds = Fraction(duration, 10**6)
    return (
        start * (2 * u**3 - 3 * u**2 + 1)
        + v0 * seconds * (u**3 - 2 * u**2 + u)
        + position * (3 * u**2 - 2 * u**3)
        + v1 * seconds * (u**3 - u**2)
    )


def random_chain(rng: random.Random, gear: int, limit: int) -> tuple[int, list[Segment], int]:
    """Return a start in Q8 counts, segments up to the speed limit, and an instant in the last."""
    fastest = min(limit * 1000 * TURN // (256 * gear), wire.SET_POINT[1][4])
    start = rng.randrange(-(1 << 29), 1 << 29) * gear // (1 << 19)
    position, chain = Fraction(start * TURN, 256 * gear), list[Segment]()
    for _ in range(rng.randint(1, 4)):
        duration = rng.choice((2000, 20_000, rng.randint(2000, 20_000)))
        step = rng.uniform(-1, 1) * fastest * duration / 1e6
        share = rng.choice((0.0, 1.0, 1.0, 0.01))
        velocity = round(rng.choice((-1, 1)) * share * fastest * 0.999)
        position = Fraction(round(position + Fraction(step * 0.99)))
        chain.append((int(position), velocity, duration))
    return start, chain, rng.randrange(chain[-1][2])


def tell(**asked: list[Any]) -> dict[str, Any]:
    """Return what the joint makes of chains, counts and instants."""
    return run("interpolate.py", {"chains": [], "counts": [], "instants": [], **asked})


def test_interpolation_stays_within_a_quarter_of_a_count_at_any_speed() -> None:
    check_interpolation(3000)


def check_interpolation(number: int) -> None:
    """Compare set-points of random chains with exact ones."""
    rng = random.Random(3)
    chains: list[list[Any]] = []
    expected: list[Fraction] = []
    for _ in range(number):
        gear, limit = rng.choice(GEARS), rng.choice((FASTEST, 22_719, 256))
        start, chain, at = random_chain(rng, gear, limit)
        chains.append([start, gear, limit, chain, at])
        before = chain[-2] if len(chain) > 1 else None
        begin = Fraction(before[0]) if before else Fraction(start * TURN, 256 * gear)
        angle = hermite(begin, before[1] if before else 0, chain[-1], at)
        expected.append(angle * gear / TURN)
    told = tell(chains=chains)["set_points"]
    errors = [
        float(Fraction(set_point, 256) - exact)
        for (answers, set_point), exact in zip(told, expected, strict=True)
        if set(answers) == {QUEUED}
    ]
    assert len(errors) > 0.99 * len(chains)
    assert np.max(np.abs(errors)) < 0.25
    assert abs(np.mean(errors)) < 0.02


def test_every_segment_ends_exactly_where_it_should() -> None:
    """To the rounding of Q8 counts, also after a chain as long as the ring: nothing accumulates."""
    rng = random.Random(4)
    chains: list[list[Any]] = []
    for _ in range(50):
        _, chain, _ = random_chain(rng, 409_600, FASTEST)
        chain = (chain * 32)[:60]
        chains.append([0, 409_600, FASTEST, [(p % 1000, 0, 20_000) for p, _, _ in chain], 20_000])
    for chain, (_, set_point) in zip(chains, tell(chains=chains)["set_points"], strict=True):
        assert abs(set_point - Fraction(chain[3][-1][0] * 409_600 * 256, TURN)) <= 1


def test_segments_that_ask_for_more_than_the_speed_limit_are_not_taken() -> None:
    limit = 22_719  # Q8 counts a tick
    fastest = limit * 1000 * TURN // (256 * 409_600)
    cases: list[tuple[Segment, int]] = [
        ((fastest // 101, 0, 10_000), QUEUED),
        ((fastest // 99, 0, 10_000), TOO_FAST),
        ((-fastest // 99, 0, 10_000), TOO_FAST),
        ((0, fastest * 99 // 100, 10_000), QUEUED),
        ((0, fastest * 101 // 100, 10_000), TOO_FAST),
        ((0, -fastest * 101 // 100, 10_000), TOO_FAST),
        ((1 << 26, 0, 2000), TOO_FAST),
        ((0, 0, 1999), OUTSIDE),
    ]
    chains = [[0, 409_600, limit, [segment], 0] for segment, _ in cases]
    told = tell(chains=chains)["set_points"]
    assert [answers for answers, _ in told] == [[answer] for _, answer in cases]


def test_a_full_ring_takes_no_more_and_changes_nothing() -> None:
    answers, untouched = tell()["fill"]
    assert answers == [QUEUED] * 63 + [FULL] * 3 + [QUEUED]
    assert untouched


def test_positions_are_reported_exactly() -> None:
    rng = random.Random(5)
    pairs = [[0, gear] for gear in GEARS]
    for gear in GEARS:
        pairs += [[rng.randint(-4 * gear, 4 * gear), gear] for _ in range(1000)]
        pairs += [[-4 * gear, gear], [4 * gear - 1, gear], [-1, gear], [1, gear]]
    angles = tell(counts=pairs)["angles"]
    assert angles == [counts * TURN // gear for counts, gear in pairs]


def test_instants_of_the_host_are_the_joints_to_the_microsecond() -> None:
    """Nine minutes before and after SET_CLOCK, at any drift, over the wrap of either clock."""
    rng = random.Random(6)
    instants: list[list[int]] = []
    expected: list[Fraction] = []
    for _ in range(3000):
        joint, host = rng.randrange(1 << 30), rng.randrange(1 << 30)
        drift = rng.choice((-(1 << 14), 1 << 14, rng.randint(-(1 << 14), 1 << 14)))
        since = rng.choice((-1, 1)) * (rng.getrandbits(rng.randint(1, 29)) - 1)
        instants.append([joint, host, drift, (host + since) % (1 << 30)])
        expected.append(joint + since / (1 + Fraction(drift, 1 << 26)))
    for told, exact in zip(tell(instants=instants)["instants"], expected, strict=True):
        # 2^29 us times 2^-28, half of the last bit of the drift's inverse
        assert abs((told - exact + (1 << 29)) % (1 << 30) - (1 << 29)) < 1 + 2
