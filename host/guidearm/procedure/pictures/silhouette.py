"""Outlines of bodies, keep-outs and lines of sight, seen along a base axis, in mm."""

from __future__ import annotations

from typing import Any

import numpy as np

from guidearm.geometry import Array, apply
from guidearm.kinematics import Arm
from guidearm.kinematics.clearance import BASE, Block, Floor, KeepOut, Rod, Room
from guidearm.sheet import BAD, HAIR, INK, QUIET, SHADE, TRUTH, Axes

_ROUND = np.linspace(0.0, np.pi, 24)
_AWAY_MM = 5000.0


def draw_arm(
    axes: Axes, arm: Arm, q: Array, pick: list[int], colour: str, order: float, alpha: float = 1.0
) -> None:
    """Fill the outlines of the arm's bodies at q (6,) rad, seen on two base axes `pick`."""
    start, end = arm.bodies.placed(arm.joint_frames(q))
    for a, b, radius in zip(start, end, arm.bodies.radii, strict=True):
        outline = _stadium(1e3 * a[pick], 1e3 * b[pick], 1e3 * float(radius))
        axes.fill(*outline.T, color=colour, lw=0.0, alpha=alpha, zorder=order)
    for a, b, radius in zip(start, end, arm.bodies.radii, strict=True):
        outline = _stadium(1e3 * a[pick], 1e3 * b[pick], 1e3 * float(radius))
        axes.plot(*_closed(outline).T, color="white", lw=0.5, alpha=alpha, zorder=order + 0.01)


def draw_room(axes: Axes, arm: Arm, room: Room, q: Array, pick: list[int]) -> None:
    """Draw what the arm has to keep out of, and the lines of sight as they are at q (6,) rad."""
    for volume in arm.room.keep_outs + room.keep_outs:
        _keep_out(axes, volume, pick)
    frames = arm.joint_frames(q)
    for sight in room.sights:
        target = apply(frames[sight.link], sight.target)
        ends = 1e3 * np.stack([target, sight.eye])[:, pick]
        look: dict[str, Any] = {"color": QUIET, "lw": 1.0, "ls": (0, (2, 2))}
        axes.plot(*ends.T, zorder=2, **look)
        axes.plot(*ends[0], "P", ms=8.0, mfc=INK if sight.link == BASE else TRUTH, mec="white",
                  mew=0.7, zorder=9)  # fmt: skip


def _keep_out(axes: Axes, volume: KeepOut, pick: list[int]) -> None:
    hatched: dict[str, Any] = {"fc": SHADE, "ec": HAIR, "hatch": "////", "lw": 1.0, "zorder": 1}
    if isinstance(volume, Floor):
        # seen edge on it is a half plane; seen from the front it says nothing
        along = volume.normal[pick]
        if np.linalg.norm(along) > 0.99:
            point, across = 1e3 * volume.point[pick], np.array([-along[1], along[0]])
            edge = point + np.outer([-_AWAY_MM, _AWAY_MM], across)
            axes.fill(*np.vstack([edge, edge[::-1] - _AWAY_MM * along]).T, **hatched)
        return
    if isinstance(volume, Rod):
        outline = _stadium(1e3 * volume.start[pick], 1e3 * volume.end[pick], 1e3 * volume.radius)
        label = 1e3 * (volume.start + volume.end)[pick] / 2
    elif isinstance(volume, Block):
        outline = _shadow(volume, pick)
        label = 1e3 * volume.T_base_box[:3, 3][pick]
    else:
        return
    axes.fill(*outline.T, **hatched)
    axes.text(
        *label, volume.name, color=BAD, fontsize=8.5, ha="center", va="center", clip_on=True,
        zorder=8, bbox={"fc": "white", "ec": "none", "pad": 1.0, "alpha": 0.8},
    )  # fmt: skip


def _stadium(a: Array, b: Array, radius: float) -> Array:
    """Outline (n, 2) of a capsule's shadow."""
    along = b - a
    angle = np.arctan2(along[1], along[0])
    turn = np.concatenate([_ROUND + angle + np.pi / 2, _ROUND + angle - np.pi / 2])
    centre = np.repeat(np.stack([a, b]), len(_ROUND), axis=0)
    return centre + radius * np.stack([np.cos(turn), np.sin(turn)], axis=-1)


def _shadow(box: Block, pick: list[int]) -> Array:
    """Convex outline (n, 2) of a rounded box's shadow: its corners' discs, wrapped."""
    signs = np.array([[x, y, z] for x in (-1, 1) for y in (-1, 1) for z in (-1, 1)])
    corners = apply(box.T_base_box, signs * box.half)[:, pick] * 1e3
    directions = np.linspace(0.0, 2.0 * np.pi, 181)
    rays = np.stack([np.cos(directions), np.sin(directions)], axis=-1)
    farthest = corners[np.argmax(corners @ rays.T, axis=0)]
    return farthest + 1e3 * box.radius * rays


def _closed(outline: Array) -> Array:
    return np.vstack([outline, outline[:1]])
