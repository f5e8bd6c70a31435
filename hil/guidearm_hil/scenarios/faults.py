"""Faults provoked in one joint in mid-move: named, followed by all others, latched until reset."""

from __future__ import annotations

import math

from guidearm.arm import Robot
from guidearm_hil.rigs import Input, Offer, Rig
from guidearm_hil.scenarios.scenario import Report, scenario
from guidearm_hil.scenarios.steps import (
    changed,
    counts,
    in_mid_move,
    judge_enabled,
    judge_fault,
    judge_latch,
    judge_rest,
    middle_joint,
    read_parameter,
    until_set,
)
from guidearm_protocol import messages

JAM_NM = 190.0  # more than any motor here has
SAG_V = 1.5  # below the limit
OVERHEAT_C = 15.0  # above it
SLOW_S = 12.0  # so that a frozen encoder shows by its distance, not by standing still


@scenario(Offer.BUS, moves=True)
def soft_limit(rig: Rig, report: Report) -> None:
    """A joint that runs out of its range stops there."""
    with rig.robot() as robot:
        number = middle_joint(rig)
        with changed(robot, number, **_trip_on_the_way(rig, robot, number)):
            robot.enable()
            ended = in_mid_move(rig, robot, _nothing)
            judge_rest(rig, robot, report)
            judge_fault(robot, report, ended, number, messages.SOFT_LIMIT)
        judge_enabled(robot, report)


@scenario(Offer.BUS, injections=("friction_nm",), moves=True)
def following_error(rig: Rig, report: Report) -> None:
    """A joint that jams in mid-move does not follow any more."""
    _provoke(rig, report, messages.FOLLOWING_ERROR, friction_nm=JAM_NM)


@scenario(Offer.BUS, injections=("supply_v",), moves=True)
def supply(rig: Rig, report: Report) -> None:
    """The supply sags below what a joint is told to accept."""
    with rig.robot() as robot:
        low_v = read_parameter(robot, middle_joint(rig), "supply_low") * 1e-3
    _provoke(rig, report, messages.SUPPLY, supply_v=low_v - SAG_V)


@scenario(Offer.BUS, injections=("temperature_c",), moves=True)
def over_temperature(rig: Rig, report: Report) -> None:
    """A motor gets too hot."""
    with rig.robot() as robot:
        high_c = read_parameter(robot, middle_joint(rig), "over_temperature") * 0.1
    _provoke(rig, report, messages.OVER_TEMPERATURE, temperature_c=high_c + OVERHEAT_C)


@scenario(Offer.BUS, injections=("motor_encoder_frozen",), moves=True)
def motor_encoder(rig: Rig, report: Report) -> None:
    """The motor encoder stands still while the joint turns."""
    _provoke(rig, report, messages.MOTOR_ENCODER, motor_encoder_frozen=1)


@scenario(Offer.BUS, injections=("output_encoder_frozen",), moves=True)
def output_encoder(rig: Rig, report: Report) -> None:
    """The output encoder stands still while the joint turns quickly."""
    _provoke(rig, report, messages.OUTPUT_ENCODER, output_encoder_frozen=1)


@scenario(Offer.BUS, injections=("output_encoder_frozen",), moves=True)
def encoders_disagree(rig: Rig, report: Report) -> None:
    """Motor and output encoder part slowly, and neither is known to be wrong."""
    _provoke(rig, report, messages.ENCODERS_DISAGREE, SLOW_S, output_encoder_frozen=1)


@scenario(Offer.BUS, inputs=(Input.LIMIT_LOWER, Input.LIMIT_UPPER), moves=True)
def limit_switch(rig: Rig, report: Report) -> None:
    """A joint runs into its limit switch; the way back is free."""
    with rig.robot() as robot:
        number = middle_joint(rig)
        forward = rig.excursion[robot.index(number)] > 0
        switch = Input.LIMIT_UPPER if forward else Input.LIMIT_LOWER
        robot.enable()
        start = robot.state.q_demand
        ended = in_mid_move(rig, robot, lambda: rig.set_input(switch, True, number), until_set(rig))
        judge_rest(rig, robot, report)
        judge_fault(robot, report, ended, number, messages.HARD_LIMIT)
        robot.enable()
        robot.move_joints(start)
        report.exactly("joints in fault on the way back", len(robot.poll().faulted), 0)
        rig.set_input(switch, False, number)
        robot.disable()


@scenario(Offer.BUS, inputs=(Input.EMERGENCY_STOP,), moves=True)
def emergency_stop(rig: Rig, report: Report) -> None:
    """The emergency button stops every joint under control, and none can be enabled meanwhile."""
    with rig.robot() as robot:
        robot.enable()
        ended = in_mid_move(
            rig, robot, lambda: rig.set_input(Input.EMERGENCY_STOP, True), until_set(rig)
        )
        report.ends(ended, "emergency stop")
        judge_rest(rig, robot, report)
        own = [joint for joint in robot.poll().joints if joint.fault == messages.EMERGENCY_STOP]
        report.exactly("joints with the fault", len(own), len(robot.numbers))
        rig.set_input(Input.EMERGENCY_STOP, False)
        judge_latch(robot, report)
        judge_enabled(robot, report)


def _provoke(
    rig: Rig, report: Report, fault: int, lasting_s: float = 0.0, **injected: float
) -> None:
    with rig.robot() as robot:
        number = middle_joint(rig)
        robot.enable()

        def inject() -> None:
            rig.inject(number, **injected)

        ended = in_mid_move(rig, robot, inject, lasting_s)
        judge_rest(rig, robot, report)
        rig.heal(number)
        judge_fault(robot, report, ended, number, fault)
        robot.home()
        judge_enabled(robot, report)


def _trip_on_the_way(rig: Rig, robot: Robot, number: int) -> dict[str, int]:
    """Return the parameter that puts a joint's end into the second half of its excursion."""
    way = float(rig.excursion[robot.index(number)])
    turn = robot.identity(number).counts_per_turn
    here = counts(robot, robot.state.joints[robot.index(number)])
    return {
        "upper_trip" if way > 0 else "lower_trip": here + round(0.6 * way * turn / (2 * math.pi))
    }


def _nothing() -> None:
    """Let the move go on."""
