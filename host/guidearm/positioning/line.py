"""The planned line in the patient's frame, and how far a guide is from it.

Lateral errors are taken where the guide's axis pierces the plane through a planned point (entry or
target) perpendicular to the planned direction. They are two coordinates in that plane, in the
fixed basis `Line.plane`, so that vectors and 2x2 covariances of all contributions add up.
"""

from __future__ import annotations

import math
from dataclasses import dataclass
from functools import cached_property

import numpy as np

from guidearm.errors import PlanError
from guidearm.geometry import Array, angle_between, apply, frame_along
from guidearm.mapping import Registration
from guidearm.planning import Plan

FARTHEST = 2.0
"""Of a planned point from the fiducials' centroid, in root mean square radii of the fiducials.

For fiducials spread alike in all directions the registration error there is sqrt(1 + 2^2) = 2.2
times that at the centroid (Fitzpatrick, West and Maurer, 1998): the image was not registered for
a point so far out, and the file was most likely read in the wrong axes.
"""


@dataclass(frozen=True, eq=False)
class Line:
    """A line from entry to target, each (3,) in the patient's frame, metres."""

    entry: Array
    target: Array

    @cached_property
    def direction(self) -> Array:
        """Unit vector (3,) from entry to target."""
        along = self.target - self.entry
        return along / np.linalg.norm(along)

    @cached_property
    def plane(self) -> Array:
        """Basis (2, 3) of the plane perpendicular to the direction, orthonormal rows."""
        return frame_along(self.entry, self.direction)[:3, :2].T

    def pose(self, standoff_m: float = 0.0) -> Array:
        """T_patient_guide (4, 4) of a guide on the line, its end `standoff_m` before the entry.

        The roll about +z is arbitrary.
        """
        return frame_along(self.entry - standoff_m * self.direction, self.direction)


@dataclass(frozen=True, eq=False)
class LineError:
    """Deviation of a guide from a line.

    Fields:
        entry, target: (..., 2) lateral error vectors in `Line.plane`, metres.
        depth_m: (...) how far the guide's end is past its place along the line.
        angle_rad: (...) between the guide's axis and the line.
    """

    entry: Array
    target: Array
    depth_m: Array
    angle_rad: Array

    @property
    def worst_m(self) -> float:
        """Lateral distance at the worse of entry and target, for a single pose."""
        return max(float(np.linalg.norm(self.entry)), float(np.linalg.norm(self.target)))


def planned_line(plan: Plan, registration: Registration) -> Line:
    """Bring a plan from image coordinates into the patient's frame.

    Raises RegistrationError if the registration belongs to another image than the plan, PlanError
    if the plan lies far from the fiducials or the guide would come from inside the patient.
    """
    registration.check_image(plan.image_uid)
    _check_region(plan, registration)
    T_patient_image = registration.T_patient_image
    line = Line(apply(T_patient_image, plan.entry_image), apply(T_patient_image, plan.target_image))
    _check_side(line, plan.name)
    return line


def _check_region(plan: Plan, registration: Registration) -> None:
    """Refuse a plan with a point farther than FARTHEST radii from the registration's fiducials."""
    centroid = registration.fiducials_image.mean(axis=0)
    spread = registration.fiducials_image - centroid
    limit_m = FARTHEST * float(np.linalg.norm(spread)) / math.sqrt(len(spread))
    for end, point in (("entry", plan.entry_image), ("target", plan.target_image)):
        distance_m = float(np.linalg.norm(point - centroid))
        if not distance_m <= limit_m:
            raise PlanError(
                f'the plan "{plan.name}" has its {end} {distance_m * 1e3:.0f} mm from the centre '
                f"of the registration's fiducials, {limit_m * 1e3:.0f} mm is allowed: are its "
                "coordinates LPS or RAS as the file says, and is it on this patient's image?"
            )


def _check_side(line: Line, name: str) -> None:
    """Refuse a line that begins behind the patient's marker.

    The marker, the origin of the patient's frame, stands out of the body on the side that was
    opened, so along the planned direction it comes before the entry. A line that passes fails with
    its ends exchanged: the marker is then behind its beginning by more than the depth.
    """
    if line.entry @ line.direction <= 0.0:
        raise PlanError(
            f'the plan "{name}" would be approached from the side away from the reference marker: '
            "are entry and target swapped?"
        )


def line_error(line: Line, T_patient_guide: Array, standoff_m: float = 0.0) -> LineError:
    """Deviation of guides T_patient_guide (..., 4, 4) from `line`.

    The guide's end belongs `standoff_m` before the entry.
    """
    origin, axis = T_patient_guide[..., :3, 3], T_patient_guide[..., :3, 2]
    place = line.entry - standoff_m * line.direction
    return LineError(
        entry=_pierce(line, line.entry, origin, axis),
        target=_pierce(line, line.target, origin, axis),
        depth_m=np.asarray((origin - place) @ line.direction, dtype=np.float64),
        angle_rad=angle_between(axis, np.broadcast_to(line.direction, axis.shape)),
    )


def _pierce(line: Line, point: Array, origin: Array, axis: Array) -> Array:
    along = ((point - origin) @ line.direction) / (axis @ line.direction)
    return (origin + along[..., None] * axis - point) @ line.plane.T
