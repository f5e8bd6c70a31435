"""A registration: where the image lies in the patient marker's frame, and how well that is known.

File format `guidearm-registration-v1`, a JSON object, all lengths mm, image coordinates LPS:

    {"schema": "guidearm-registration-v1",
     "units": "mm",
     "coordinateSystem": "LPS",
     "date": "2025-03-01T09:30:00+00:00",
     "image": {"frameOfReferenceUID": "1.2.840..."},
     "T_patient_image": [[r, r, r, x], [r, r, r, y], [r, r, r, z], [0, 0, 0, 1]],
     "fiducials_image_mm": [[x, y, z], ...],
     "residual_mm": 0.21}

`T_patient_image` takes image points to the patient marker's frame. `fiducials_image_mm` are the
points the fit used, at least four and not in one plane: a flat set fits a mirrored image
perfectly. `residual_mm` is the root mean square distance that remained at them (FRE). `date` is
ISO 8601; without an offset it is UTC. All keys are required.
"""

from __future__ import annotations

from dataclasses import dataclass
from datetime import UTC, datetime
from pathlib import Path

import numpy as np
from numpy.typing import ArrayLike

from guidearm.errors import RegistrationError
from guidearm.geometry import Array, mean_transform, skew
from guidearm.json_file import Node, read_object, rows, write_object

SCHEMA = "guidearm-registration-v1"
FEWEST_FIDUCIALS = 4
# How far the fiducials must reach out of their best plane, root mean square, and from each other.
LEAST_EXTENT_M = 0.001
# Of the rotation part in a file: decimals are rounded, a scaled or sheared matrix is far outside.
RIGID_TOLERANCE = 1e-4


@dataclass(frozen=True, eq=False)
class Registration:
    """Image to patient marker, T_patient_image (4, 4), with the fiducials it came from.

    `residual_m` is the fiducial registration error (FRE, root mean square over fiducials), m;
    `fiducials_image` (n, 3) m, LPS; `image_uid` the DICOM Frame of Reference UID of the image.
    """

    T_patient_image: Array
    residual_m: float
    fiducials_image: Array
    date: datetime
    image_uid: str
    path: Path | None = None

    @property
    def degrees_of_freedom(self) -> int:
        """Degrees of freedom of the residual, 3 n - 6: how well FRE tells FLE."""
        return 3 * len(self.fiducials_image) - 6

    @property
    def fle_m(self) -> float:
        """Fiducial localisation error that explains the residual, root mean square in 3D, m.

        FLE^2 = FRE^2 / (1 - 2/n), Fitzpatrick, West and Maurer (1998), equation 10. An estimate
        from few points: its square scatters by sqrt(2 / degrees_of_freedom).
        """
        return self.residual_m / float(np.sqrt(1.0 - 2.0 / len(self.fiducials_image)))

    def check_image(self, image_uid: str | None) -> None:
        """Raise RegistrationError unless `image_uid`, the plan's image, is the registered one."""
        if image_uid is None:
            raise RegistrationError(
                "the plan does not say on which image it was drawn: add "
                '"frameOfReferenceUID" to its file or pass --image-uid'
            )
        if image_uid != self.image_uid:
            raise RegistrationError(
                f"the registration belongs to image {self.image_uid}, the plan to image "
                f"{image_uid}: plan on the registered image, or register the planned one"
            )

    def target_covariance(self, point_image: ArrayLike) -> Array:
        """Covariance of the registration error at a point, image axes.

        `point_image` (..., 3) m, LPS -> (..., 3, 3) m^2. First order in an isotropic FLE of
        variance s^2 = FLE^2 / 3 per axis: the centroid errs by s^2/n I, the rotation about it by
        s^2 J^-1, with J the inertia matrix of the fiducials taken as unit masses, and a target at
        d from the centroid by both, s^2 (I/n + [d] J^-1 [d]^T). The trace is the TRE^2 of
        Fitzpatrick, West and Maurer (1998), FLE^2/n (1 + 1/3 sum d_k^2/f_k^2). Patient axes:
        R_patient_image C R_patient_image^T.
        """
        n = len(self.fiducials_image)
        centroid = self.fiducials_image.mean(axis=0)
        arms = skew(self.fiducials_image - centroid)
        inertia = np.sum(arms @ np.swapaxes(arms, -1, -2), axis=0)
        mobility = np.asarray(np.linalg.inv(inertia), dtype=np.float64)
        lever = skew(np.asarray(point_image, dtype=np.float64) - centroid)
        turned = lever @ mobility @ np.swapaxes(lever, -1, -2)
        return self.fle_m**2 / 3.0 * (np.eye(3) / n + turned)


def read_registration(path: str | Path) -> Registration:
    """Read a registration file of the format above.

    Raises RegistrationError with one line for a file that is missing, not JSON, of another schema,
    unit or coordinate system, or with a field that is absent or impossible.
    """
    path = Path(path)
    top = read_object(path, "registration", RegistrationError)
    if top.optional("markups") is not None:
        top.refuse("this is a 3D Slicer markups file, such as a plan, not a registration")
    for key, expected in (("schema", SCHEMA), ("units", "mm"), ("coordinateSystem", "LPS")):
        found = top.member(key)
        if found.text() != expected:
            found.refuse(f'"{found.text()}" is not supported: it must be "{expected}"')
    return Registration(
        T_patient_image=_read_transform(top.member("T_patient_image")),
        residual_m=_read_residual(top.member("residual_mm")),
        fiducials_image=_read_fiducials(top.member("fiducials_image_mm")),
        date=_read_date(top.member("date")),
        image_uid=top.member("image").member("frameOfReferenceUID").uid(),
        path=path,
    )


def write_registration(path: str | Path, registration: Registration) -> None:
    """Write a registration file, whole or not at all.

    Raises RegistrationError if the registration could not be read back, or the file not written.
    """
    matrix = registration.T_patient_image.copy()
    matrix[:3, 3] *= 1e3
    content: dict[str, object] = {
        "schema": SCHEMA,
        "units": "mm",
        "coordinateSystem": "LPS",
        "date": registration.date.isoformat(),
        "image": {"frameOfReferenceUID": registration.image_uid},
        "T_patient_image": matrix.tolist(),
        "fiducials_image_mm": rows(registration.fiducials_image, 1e3),
        "residual_mm": float(registration.residual_m) * 1e3,
    }
    top = Node(content, "registration to write", RegistrationError)
    _read_transform(top.member("T_patient_image"))
    _read_residual(top.member("residual_mm"))
    _read_fiducials(top.member("fiducials_image_mm"))
    top.member("image").member("frameOfReferenceUID").uid()
    write_object(path, content, "registration", RegistrationError)


def _read_transform(node: Node) -> Array:
    T = node.array(4, 4)
    if np.any(T[3] != (0.0, 0.0, 0.0, 1.0)):
        node.refuse("the last row is not 0 0 0 1; the matrix is written row by row")
    if np.any(np.abs(T[:3, :3] @ T[:3, :3].T - np.eye(3)) > RIGID_TOLERANCE):
        node.refuse("the matrix is not rigid: it scales or shears; register again")
    if np.linalg.det(T[:3, :3]) < 0.0:
        node.refuse("the matrix mirrors (determinant -1): pair the fiducials again")
    T[:3, 3] *= 1e-3
    # The rounding of the file would otherwise show as a scale: take the nearest rotation.
    return mean_transform(T[None])


def _read_residual(node: Node) -> float:
    residual_mm = node.number()
    if residual_mm <= 0.0:
        node.refuse(f"{residual_mm:g} mm is no measured residual: it must be above 0")
    return residual_mm * 1e-3


def _read_fiducials(node: Node) -> Array:
    points = node.array(-1, 3) * 1e-3
    if len(points) < FEWEST_FIDUCIALS:
        node.refuse(f"{len(points)} fiducials; at least {FEWEST_FIDUCIALS} are needed")
    extent = np.linalg.svd(points - points.mean(axis=0), compute_uv=False) / np.sqrt(len(points))
    if extent[1] < LEAST_EXTENT_M:
        node.refuse("the fiducials lie on one line (collinear): spread them out")
    if extent[2] < LEAST_EXTENT_M:
        node.refuse(
            "the fiducials lie in one plane (coplanar), which fits a mirrored image as well: "
            "add one outside the plane"
        )
    return points


def _read_date(node: Node) -> datetime:
    try:
        date = datetime.fromisoformat(node.text())
    except ValueError:
        node.refuse(f'"{node.text()}" is not an ISO 8601 date such as 2025-03-01T09:30:00+00:00')
    return date if date.tzinfo else date.replace(tzinfo=UTC)
