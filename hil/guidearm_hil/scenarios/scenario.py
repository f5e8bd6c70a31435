"""What a scenario is: a function with its needs, which judges what it measures against bounds."""

from __future__ import annotations

from collections.abc import Callable, Iterable
from dataclasses import dataclass, field

from guidearm.errors import GuideArmError
from guidearm_hil.rigs import Input, Offer, Rig
from guidearm_tools.bench.rows import Row, at_least, at_most, exactly


@dataclass
class Report:
    """The rows of a scenario while it runs; it passes if every one is ok and nothing is raised."""

    rows: list[Row] = field(default_factory=list[Row])
    notes: list[str] = field(default_factory=list[str])
    """What explains rows that are not ok."""

    def at_most(self, name: str, measured: float, bound: float) -> None:
        """Note what must not be more than `bound`."""
        self.rows.append(at_most(name, float(measured), float(bound)))

    def at_least(self, name: str, measured: float, bound: float) -> None:
        """Note what must not be less than `bound`."""
        self.rows.append(at_least(name, float(measured), float(bound)))

    def exactly(self, name: str, measured: float, bound: float) -> None:
        """Note what must be `bound`."""
        self.rows.append(exactly(name, float(measured), float(bound)))

    def ends(self, ended: GuideArmError | None, by: str) -> None:
        """Note that a motion has to be ended by what says `by`, and what ended it instead."""
        as_wanted = ended is not None and by in str(ended)
        self.exactly(f"the move ends by {by}", as_wanted, True)
        if not as_wanted:
            self.notes.append(
                f"the move ended by: {ended}" if ended else "the move went to its end"
            )

    @property
    def broken(self) -> list[Row]:
        """The rows that are not ok."""
        return [row for row in self.rows if not row.ok]


Play = Callable[[Rig, Report], None]


@dataclass(frozen=True)
class Scenario:
    """A named scenario and what it needs of a rig.

    Fields: `what` it checks, in a line; how many `joints`; `inputs` and `injections` it sets;
    whether the joints move by their excursion.
    """

    name: str
    what: str
    play: Play
    offers: Offer
    joints: int
    inputs: frozenset[Input]
    injections: frozenset[str]
    moves: bool

    def missing(self, rig: Rig) -> str | None:
        """Return why the rig cannot run it, None if it can."""
        lacking = [offer.name or "" for offer in self.offers if offer not in rig.offers]
        lacking += sorted(f"input {wanted.value}" for wanted in self.inputs - rig.inputs)
        lacking += sorted(f"injection {name}" for name in self.injections - rig.injections)
        if len(rig.joints.numbers) < self.joints:
            lacking.append(f"{self.joints} joints")
        return f"the rig has no {', '.join(lacking)}" if lacking else None

    @property
    def needs(self) -> list[str]:
        """What it needs, in words."""
        words = [offer.name or "" for offer in self.offers]
        words += sorted(wanted.value for wanted in self.inputs)
        words += sorted(self.injections)
        if self.joints > 1:
            words.append(f"{self.joints} joints")
        return words


def scenario(
    offers: Offer,
    *,
    joints: int = 1,
    inputs: Iterable[Input] = (),
    injections: Iterable[str] = (),
    moves: bool = False,
) -> Callable[[Play], Scenario]:
    """Make a scenario of a function; its name and the first line of its docstring are told."""
    given = frozenset(inputs), frozenset(injections)
    implied = Offer.INPUTS if given[0] else Offer(0)
    implied |= Offer.INJECT if given[1] else Offer(0)

    def make(play: Play) -> Scenario:
        name = play.__name__.replace("_", "-")
        what = (play.__doc__ or "").strip().partition("\n")[0]
        return Scenario(name, what, play, offers | implied, joints, *given, moves)

    return make
