"""The command `guidearm sim`: the virtual arm in real time, for any program, until Ctrl-C."""

from __future__ import annotations

import json
from importlib.resources import files
from pathlib import Path
from typing import TYPE_CHECKING

import click

from guidearm.cli.options import Settings, with_settings
from guidearm.errors import CalibrationError, PortError

if TYPE_CHECKING:
    from guidearm_hil.realtime import RealTimeArm

TRACKER_PORT = 18944  # OpenIGTLink's own


@click.command()
@click.option("--seed", type=click.IntRange(0), default=0, help="Draws the arm, tracker, patient.")
@click.option("--tcp", type=click.IntRange(0, 65535), help="Serve TCP, not a pseudo-terminal.")
@click.option(
    "--tracker-port",
    type=click.IntRange(0, 65535),
    help=f"TCP port of the tracker, 0 for any free one.  [default: {TRACKER_PORT} if free]",
)
@click.option(
    "--calibrations",
    type=click.Path(path_type=Path),
    help="Write the tool calibrations of this arm into a folder, for --data of other commands.",
)
@with_settings
def sim(
    settings: Settings,
    seed: int,
    tcp: int | None,
    tracker_port: int | None,
    calibrations: Path | None,
) -> None:
    """Run a virtual arm and its tracker until Ctrl-C.

    Six joints run the genuine firmware on MicroPython. Any program can use the port as if it were
    hardware. On a busy computer the arm's time slips behind the clock; nothing faults.
    """
    from guidearm.kinematics import load_arm
    from guidearm.link import SystemClock
    from guidearm_hil.lines import PtyLine, TcpLine
    from guidearm_hil.realtime import RealTimeArm

    arm = load_arm(settings.arm)
    clock = SystemClock()

    def start(port: int) -> RealTimeArm:
        line = PtyLine() if tcp is None else TcpLine(tcp)
        return RealTimeArm(arm, seed, line, port, clock)

    try:
        running = start(TRACKER_PORT if tracker_port is None else tracker_port)
    except PortError:
        if tracker_port is not None:
            raise
        running = start(0)
    with running:
        if calibrations is not None:
            _leave_calibrations(calibrations, running)
        try:
            _announce(running, settings, calibrations)
            while True:
                running.step()
                for joint in running.newly_lost():
                    pid = running.virtual.joints[joint - 1].pid
                    click.echo(
                        f"joint {joint} (process {pid}) has ended: the bus goes on without it",
                        err=True,
                    )
        except KeyboardInterrupt:
            _say_goodbye(running)


def _announce(running: RealTimeArm, settings: Settings, calibrations: Path | None) -> None:
    virtual, url = running.virtual, running.line.url
    tracker = f"igtl://127.0.0.1:{running.tracker.port}"
    pids = [joint.pid for joint in virtual.joints]
    if settings.as_json:
        told: dict[str, object] = {
            "port": url,
            "tracker": tracker,
            "arm": virtual.arm.name,
            "seed": virtual.seed,
            "interpreter": str(virtual.interpreter),
            "joints": [{"joint": joint, "pid": pid} for joint, pid in enumerate(pids, 1)],
        }
        click.echo(json.dumps(told))
        return
    lines = [
        f"virtual arm {virtual.arm.name}, seed {virtual.seed}: six joints on {virtual.interpreter}",
        f"  port     {url}",
        f"  tracker  {tracker}",
    ]
    if settings.verbose:
        lines.append("  joints   " + ", ".join(f"{j}: pid {p}" for j, p in enumerate(pids, 1)))
    chosen = "" if virtual.arm.name == "guide6" else f" --arm {settings.arm}"
    posture = " ".join(f"{degrees:g}" for degrees in (10, -80, 90, -100, -90, 0))
    lines += [
        "In another shell:",
        f"  export GUIDEARM_PORT={url}",
        f"  guidearm{chosen} status",
        f"  guidearm{chosen} enable",
        f"  guidearm{chosen} move joints {posture}",
    ]
    data = files("guidearm_hil") / "data"
    lines += [
        f"  guidearm{chosen} --tracker {tracker} --data {calibrations or 'DIR'} run "
        f"{data / 'plan.mrk.json'} --registration {data / 'registration.json'}",
    ]
    if calibrations is None:
        lines.append("  (DIR: tool calibrations; guidearm sim --calibrations DIR writes them)")
    lines.append("Ctrl-C here ends it.")
    click.echo("\n".join(lines))


def _say_goodbye(running: RealTimeArm) -> None:
    bus, paced = running.virtual.bus, running.paced
    text = f"ended after {paced.now():.1f} s and {bus.frames} frames"
    if bus.collisions:
        text += f", {bus.collisions} collisions"
    if paced.slips:
        text += f"; late {paced.slips} times, by {paced.slipped_s:.2f} s in all"
    click.echo(text, err=True)


def _leave_calibrations(folder: Path, running: RealTimeArm) -> None:
    """Write what the host may know of this arm's tool; never over another arm's."""
    from guidearm.calibration import GUIDE_FILE, HAND_EYE_FILE, write_guide, write_hand_eye

    for name in (HAND_EYE_FILE, GUIDE_FILE):
        if (folder / name).exists():
            raise CalibrationError(
                f"{folder / name} is there already: name a new folder for the virtual arm's"
            )
    write_hand_eye(folder, running.world.hand_eye)
    write_guide(folder, running.world.guide)
