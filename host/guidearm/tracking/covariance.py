"""How far the error of the spheres carries to a point that moves with the marker."""

from __future__ import annotations

import numpy as np

from guidearm.geometry import Array, skew


def marker_covariance(spheres: Array, fle_m: float, point: Array) -> Array:
    """Covariance (3, 3) of a point carried by a rigidly fitted marker, in the marker's frame, m^2.

    First-order propagation of an isotropic, independent error of the spheres through the
    least-squares rigid fit. Its trace is the squared TRE of Fitzpatrick, West and Maurer (1998,
    IEEE Trans Med Imaging 17:694); in full it is, for d = point - centroid and r the spheres
    about their centroid,

        s^2 (I / N + [d]x J^-1 [d]x^T),   J = sum |r|^2 I - r r^T,   s^2 = fle^2 / 3.

    The mean of n independent frames has a white part n times smaller: pass fle / sqrt(n).

    Takes:
        spheres: (n, 3) sphere centres in the marker's frame, metres, not on one line.
        fle_m: 3-D RMS error of one sphere.
        point: (3,) in the marker's frame, metres.
    """
    centroid = spheres.mean(axis=0)
    about = spheres - centroid
    inertia: Array = float(np.sum(about * about)) * np.eye(3) - about.T @ about
    lever = skew(point - centroid)
    rotation = np.asarray(np.linalg.inv(inertia), dtype=np.float64)
    covariance = np.eye(3) / len(spheres) + lever @ rotation @ lever.T
    return covariance * (fle_m * fle_m / 3.0)
