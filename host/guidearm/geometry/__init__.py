"""Rigid geometry: rotations, transforms and fits, as plain numpy functions.

Arrays may carry leading batch axes. `T_a_b` takes coordinates in frame b to frame a, lengths are
metres and angles radians.
"""

from guidearm.geometry.distances import (
    segment_box_distance,
    segment_distance,
    segment_plane_distance,
)
from guidearm.geometry.fits import mean_transform, rigid_fit
from guidearm.geometry.rotations import (
    Array,
    angle_between,
    exp_so3,
    log_so3,
    rotation_rpy,
    rotation_z,
    skew,
)
from guidearm.geometry.transforms import (
    apply,
    check_transform,
    exp_se3,
    frame_along,
    inverse,
    is_transform,
    perturbation,
    pose_difference,
    transform,
)

__all__ = [
    "Array",
    "angle_between",
    "apply",
    "check_transform",
    "exp_se3",
    "exp_so3",
    "frame_along",
    "inverse",
    "is_transform",
    "log_so3",
    "mean_transform",
    "perturbation",
    "pose_difference",
    "rigid_fit",
    "rotation_rpy",
    "rotation_z",
    "segment_box_distance",
    "segment_distance",
    "segment_plane_distance",
    "skew",
    "transform",
]
