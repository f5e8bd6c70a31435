"""The joints' clocks: known to the host well enough that joints act as one."""

from __future__ import annotations

from guidearm.link import ClockValues
from guidearm.link.clock_sync import master_us
from guidearm_hil.rigs import Offer, Rig
from guidearm_hil.scenarios.scenario import Report, scenario
from guidearm_protocol import messages

EVENTS = 50
PERIOD_S = 0.01
LISTEN_S = 1.0  # before the clocks are judged for half as long
APART_US = 10
QUARTZ_PPM = 150  # a bad one, both ends together


@scenario(Offer.BUS, joints=2)
def clocks(rig: Rig, report: Report) -> None:
    """A broadcast that all joints hear is the same instant by all of their clocks."""
    with rig.robot() as robot:
        until = robot.clock.now() + LISTEN_S
        while robot.clock.now() < until:
            robot.poll()
            robot.clock.sleep_until(robot.clock.now() + PERIOD_S)
        values = robot.sync.values()
        mask = sum(1 << number - 1 for number in robot.numbers)
        apart = 0.0
        heard = 0
        for _ in range(EVENTS):
            result = robot.bus.cycle(mask)
            now = master_us(result.instant)
            instants = [
                _signed(_in_host_time(values[number], told.received_us) - now)
                for number, told in result.states.items()
            ]
            heard += len(instants)
            apart = max(apart, max(instants) - min(instants)) if instants else apart
            robot.clock.sleep_until(robot.clock.now() + PERIOD_S)
        report.exactly("events heard", heard, EVENTS * len(robot.numbers))
        report.at_most("an event by different joints' clocks, us apart", apart, APART_US)
        drift = max(abs(value.drift_ppm) for value in values.values())
        report.at_most("drift of a joint's clock, ppm", drift, QUARTZ_PPM)


def _in_host_time(clock: ClockValues, joint_us: int) -> float:
    since = _signed(joint_us - clock.joint_us)
    return clock.master_us + since * (1 + clock.drift_ppm * 1e-6)


def _signed(difference_us: float) -> float:
    half = messages.TIME_MODULUS / 2
    return (difference_us + half) % messages.TIME_MODULUS - half
