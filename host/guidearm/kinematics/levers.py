"""How far a turn of a joint carries what is fixed to a link, at most and whatever the posture."""

from __future__ import annotations

import numpy as np

from guidearm.geometry import Array, apply


def levers(links: Array, link: int, point: Array) -> Array:
    """Return the lever (6,) m of each joint on a point (3,) m in the frame of `link`, 0 to 6.

    links (7, 4, 4) are a chain's. The lever of the joint right before the link is exact; of those
    before that it is what it would be with the links between stretched out; of those behind, zero.
    """
    found = np.zeros(6)
    at = apply(links[link], point)
    beyond = 0.0  # from the origin of the frame that `at` leads to, to the point
    for joint in reversed(range(link)):
        found[joint] = np.hypot(at[0], at[1]) + beyond
        beyond += float(np.linalg.norm(at))
        at = links[joint, :3, 3]
    return found
