"""The rig `cortex-m`: the firmware in QEMU, where scripts run on the target and count exactly."""

from __future__ import annotations

import shutil

import numpy as np

from guidearm.errors import GuideArmError, OptionError
from guidearm_hil.cortex_m.image import PROCESSORS, program
from guidearm_hil.cortex_m.machine import QEMU, CortexM
from guidearm_hil.errors import RigError
from guidearm_hil.rigs.rig import Joints, Offer, Rig

DEFAULT = "m0plus"
_ADDRESS = 3


def open_rig(options: str) -> CortexMRig:
    """Open the rig with code for a processor, by default the M0+.

    Raises OptionError for another one, RigError when the rig is not set up.
    """
    processor = options or DEFAULT
    if processor not in PROCESSORS:
        names = " or ".join(f"cortex-m:{name}" for name in PROCESSORS)
        raise OptionError(f"cortex-m:{options}: use {names}")
    return CortexMRig(processor)


class CortexMRig(Rig):
    """One joint in memory, on a target that starts anew for each scenario; it has no bus."""

    offers = Offer.SCRIPT | Offer.BUDGET

    def __init__(self, processor: str) -> None:
        """Start nothing yet. Raises RigError when the rig is not set up."""
        try:
            program(processor)
        except GuideArmError as error:
            raise RigError(str(error)) from error
        if shutil.which(QEMU) is None:
            raise RigError(f"{QEMU} is not installed: apt-get install {QEMU}")
        self.name = f"cortex-m:{processor}"
        self.processor = processor
        nowhere = np.zeros(1)
        self.joints = Joints(*(self.name, (_ADDRESS,), nowhere, nowhere, nowhere, nowhere, nowhere))
        self.excursion = nowhere
        self._running: CortexM | None = None

    def run(self, script: str) -> str:
        """Run a script on the target and return what it printed."""
        if self._running is None:
            self._running = CortexM(self.processor)
        return self._running.run(script)

    def make_safe(self) -> None:
        """End the target; the next one starts as this one did."""
        self.close()

    def close(self) -> None:
        """End the target."""
        if self._running is not None:
            self._running.close()
            self._running = None
