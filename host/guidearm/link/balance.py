"""What became of every frame sent to a joint: sent = executed + repeated + stale + lost."""

from __future__ import annotations

from dataclasses import dataclass

from guidearm.errors import LinkError
from guidearm.link.bus import JointBus
from guidearm_protocol import messages

TRIES = 50


@dataclass(frozen=True, slots=True)
class Balance:
    """The counts of one joint's session at both ends, of one instant.

    The host's: `sent` frames that concern the joint, `unanswered` requests, `missed_slots` states.
    The joint's: frames it `executed`, those it had executed before (`repeated`) or took for older
    ones (`stale`), `damaged` frames it heard, whoever they were for, and replies it held back
    because they would have been `late`.
    """

    joint: int
    sent: int
    unanswered: int
    missed_slots: int
    executed: int
    repeated: int
    stale: int
    damaged: int
    late: int

    @property
    def lost(self) -> int:
        """Frames that did not reach the joint whole; below 0 where it heard some twice."""
        return self.sent - self.executed - self.repeated - self.stale

    @property
    def clean(self) -> bool:
        """Whether all that was sent was executed, and all that was asked was answered."""
        return self.sent == self.executed and not (self.unanswered or self.missed_slots)

    def as_dict(self) -> dict[str, int]:
        """Return plain values for JSON."""
        return {
            "joint": self.joint,
            "sent": self.sent,
            "executed": self.executed,
            "repeated": self.repeated,
            "stale": self.stale,
            "lost": self.lost,
            "unanswered": self.unanswered,
            "missed_slots": self.missed_slots,
            "damaged": self.damaged,
            "late": self.late,
        }


def read_balance(bus: JointBus, joint: int) -> Balance:
    """Compare the counts at both ends for a joint that this bus has identified.

    The joint's are of the instant at which the request arrived first, so it is asked until one goes
    through at its first attempt. Raises SilentJointError, or LinkError if none does.
    """
    for _ in range(TRIES):
        before = bus.tally(joint).sent
        told = bus.request(joint, messages.COUNTERS)
        tally = bus.tally(joint)
        if tally.sent == before + 1:
            return Balance(
                joint=joint,
                sent=tally.sent,
                unanswered=tally.unanswered,
                missed_slots=tally.missed_slots,
                executed=told["executed"],
                repeated=told["repeated"],
                stale=told["stale"],
                damaged=told["damaged"],
                late=told["missed_slots"],
            )
    raise LinkError(
        f"joint {joint} did not answer one of {TRIES} requests at once: check cable and ground"
    )
