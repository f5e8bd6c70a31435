"""What a tracker says: one frame at a time, every pose with its status and its time.

A marker that is not seen has no pose. There is no "last known" pose and no identity here: asking
for the transform of an unseen marker raises.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from enum import Enum
from typing import TYPE_CHECKING, Protocol

from guidearm.errors import MarkerLostError

if TYPE_CHECKING:
    from guidearm.geometry import Array
    from guidearm.tracking.datasheet import DataSheet

PATIENT = "patient"
ARM_MARKER = "arm_marker"
MARKERS = (PATIENT, ARM_MARKER)
"""The two markers every procedure needs: the patient's reference and the one beside the guide."""


class MarkerStatus(Enum):
    """Whether a tracker has a pose to give for a marker."""

    VALID = "valid"
    MISSING = "missing"
    OUT_OF_VOLUME = "out of volume"


@dataclass(frozen=True, slots=True)
class MarkerPose:
    """Status of one marker in one frame, and its pose if it has one.

    Fields:
        status: a pose exists only with `MarkerStatus.VALID`.
        T_camera_marker: (4, 4), metres, or None.
    """

    status: MarkerStatus
    T_camera_marker: Array | None = None

    def __post_init__(self) -> None:
        """Refuse a pose without the status for it, and the status without a pose.

        Raises ValueError: on such a contradiction, which is a mistake in the tracker's driver.
        """
        if (self.status is MarkerStatus.VALID) != (self.T_camera_marker is not None):
            raise ValueError(f"a marker that is {self.status.value} has contradictory pose data")

    def transform(self) -> Array:
        """T_camera_marker (4, 4).

        Raises MarkerLostError: the marker has no valid pose.
        """
        if self.T_camera_marker is None:
            raise MarkerLostError(f"no marker pose: the marker is {self.status.value}")
        return self.T_camera_marker


@dataclass(frozen=True, slots=True)
class TrackerFrame:
    """Every marker as seen by one exposure of the camera.

    Fields:
        number: grows from frame to frame; equal numbers are the same exposure.
        time_s: instant of the exposure on the host's clock (not of its arrival).
        markers: by name; a marker that is not in the mapping is missing.
    """

    number: int
    time_s: float
    markers: Mapping[str, MarkerPose]

    def status(self, name: str) -> MarkerStatus:
        """Status of the marker called `name`."""
        pose = self.markers.get(name)
        return MarkerStatus.MISSING if pose is None else pose.status

    def transform(self, name: str) -> Array:
        """T_camera_<name> (4, 4).

        Raises MarkerLostError: the marker has no valid pose in this frame.
        """
        pose = self.markers.get(name)
        if pose is None or pose.T_camera_marker is None:
            raise MarkerLostError(
                f"marker '{name}' is {self.status(name).value} in frame {self.number}: "
                "clear the line of sight to the camera"
            )
        return pose.T_camera_marker

    def sees(self, *names: str) -> bool:
        """Tell whether every named marker has a valid pose in this frame."""
        return all(self.status(name) is MarkerStatus.VALID for name in names)


class Tracker(Protocol):
    """A source of frames. It never blocks and never invents a frame."""

    @property
    def data_sheet(self) -> DataSheet:
        """Declared noise, rate, latency and marker geometry."""
        ...

    def poll(self) -> list[TrackerFrame]:
        """Frames that arrived since the last call, oldest first.

        Raises TrackingError: the tracker went away or reports that it cannot measure.
        """
        ...

    def close(self) -> None:
        """Give the tracker back. Closing twice is harmless."""
        ...
