"""What the firmware takes of its processor, counted there."""

from __future__ import annotations

from guidearm_hil.cortex_m.budget import measure_costs, measure_interrupts, measure_worst_ticks
from guidearm_hil.cortex_m.hand_over import interrupt_everything
from guidearm_hil.rigs import Offer, Rig
from guidearm_hil.scenarios.scenario import Report, scenario

_ON_TARGET = Offer.SCRIPT | Offer.BUDGET


@scenario(_ON_TARGET)
def budgets(rig: Rig, report: Report) -> None:
    """Ticks and transactions take no more instructions, heap and stack than they may."""
    report.rows += measure_costs(rig.run).rows()


@scenario(_ON_TARGET)
def worst_ticks(rig: Rig, report: Report) -> None:
    """Whatever meets a tick, it takes no more instructions than it may."""
    report.rows += measure_worst_ticks(rig.run).rows()


@scenario(_ON_TARGET)
def hard_interrupts(rig: Rig, report: Report) -> None:
    """The tick comes in time under a full bus and the garbage collector, and none is dropped."""
    report.rows += measure_interrupts(rig.run).rows()


@scenario(_ON_TARGET)
def hand_over(rig: Rig, report: Report) -> None:
    """Wherever the tick interrupts the main loop, what goes between the two is whole."""
    for interrupted in interrupt_everything(rig.run):
        report.rows += interrupted.rows()
