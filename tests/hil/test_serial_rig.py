"""The rig on a desk, with a virtual arm as its boards: asks first, keeps in bounds, ends safe."""

from __future__ import annotations

from collections.abc import Callable, Iterator, Mapping
from pathlib import Path

import numpy as np
import pytest

from guidearm.arm.state import RAD_PER_UNIT
from guidearm.connection import robot_on
from guidearm.errors import JointFaultError, LimitError, PortError
from guidearm.geometry import Array
from guidearm.kinematics import load_arm
from guidearm.link import Connection, JointBus, discover
from guidearm_hil.errors import RigError
from guidearm_hil.rig import RigPort, VirtualArm
from guidearm_hil.rigs import Input, Offer, Rig
from guidearm_hil.rigs.desk import ModemLine, read_desk
from guidearm_hil.rigs.serial import SerialRig
from guidearm_hil.rigs.switches import Adapters
from guidearm_hil.runner import FAILED, SKIPPED, play, run
from guidearm_hil.scenarios import Report, all_scenarios, chosen, scenario
from guidearm_hil.scenarios.steps import in_mid_move, read_parameter, set_parameter
from guidearm_protocol import messages as wire

ARM = load_arm("guide6")
ON_DESK = (5, 6)
EXCURSION_DEG = 8.0


class Bench:
    """A virtual arm of which two joints stand on a desk."""

    def __init__(self, folder: Path) -> None:
        self.arm = VirtualArm(ARM, 4)
        found = discover(JointBus(self.arm.connection()))
        self.ids = {joint.address: joint.unique_id for joint in found}
        self.file = folder / "desk.toml"
        self.begun = self.arm.clock.now()
        self.start = self.true()

    def true(self) -> Array:
        """Return the rotors' true angles (6,) rad; links may swing on their gears."""
        self.arm.true_joints(self.arm.clock.now())
        return self.arm.bus.true_motion()[2][-1]

    def describe(self, more: str = "", over: Mapping[str, object] | None = None) -> None:
        """Write the desk's file: `more` before the joints, `over` instead of their values."""
        text = f'port = "bench"\nsupply_v = 24.0\n{more}\n'
        for address in ON_DESK:
            here = float(np.degrees(self.start[address - 1]))
            values = {
                "address": address,
                "unique_id": f'"{self.ids[address]}"',
                "lower_deg": here - 12,
                "upper_deg": here + 12,
                "excursion_deg": EXCURSION_DEG,
                "speed_deg_s": 40.0,
                "acceleration_deg_s2": 200.0,
            }
            lines = [f"{key} = {value}" for key, value in {**values, **(over or {})}.items()]
            text += "\n".join(["[[joint]]", *lines, ""])
        self.file.write_text(text)

    def open(
        self,
        attended: bool = False,
        connect: Callable[[], Connection] | None = None,
    ) -> SerialRig:
        def opened(_port: str, _baud: int) -> Connection:
            return self.arm.connection() if connect is None else connect()

        return SerialRig(read_desk(self.file), attended, opened, self.arm.clock)

    def travelled(self) -> Array:
        """Return the most that each rotor went to either side, (2, 6) deg."""
        time_s, _, rotors = self.arm.bus.true_motion()
        away = np.degrees(rotors[time_s >= self.begun] - self.start)
        return np.array([away.min(axis=0), away.max(axis=0)])

    def is_safe(self) -> bool:
        with robot_on(self.arm.connection(), ARM) as robot:
            state = robot.poll()
            off = not any(joint.enabled or joint.moving or joint.fault for joint in state.joints)
            before = self.true()
            robot.clock.sleep_until(robot.clock.now() + 0.5)
            return off and float(np.abs(self.true() - before).max()) < 1e-5


@pytest.fixture
def bench(tmp_path: Path) -> Iterator[Bench]:
    bench = Bench(tmp_path)
    with bench.arm:
        bench.describe()
        yield bench


@scenario(Offer.BUS, moves=True)
def breaks_off(rig: Rig, report: Report) -> None:
    """Break off in mid-move, with parameters changed and stored."""
    with rig.robot() as robot:
        set_parameter(robot, 5, "stall_ticks", 777)
        robot.bus.request(5, wire.COMMIT_PARAMETERS)
        robot.enable()

        def fail() -> None:
            raise ZeroDivisionError

        in_mid_move(rig, robot, fail)


def test_every_scenario_that_applies_passes_within_what_was_said(
    bench: Bench, capsys: pytest.CaptureFixture[str]
) -> None:
    with bench.open() as rig:
        scenarios = all_scenarios()
        rig.permit([given.name for given in scenarios], yes=True)
        results = list(run(rig, scenarios))
    assert [(r.scenario.name, r.reason) for r in results if r.outcome == FAILED] == []
    ran = {result.scenario.name for result in results if result.outcome != SKIPPED}
    assert ran >= {"identify", "move-and-return", "stop-in-mid-move", "soft-limit", "stop-line"}
    assert all("the rig has no" in r.reason for r in results if r.outcome == SKIPPED)
    least, most = bench.travelled()
    desk = [number - 1 for number in ON_DESK]
    assert np.all(most[desk] > 0.9 * EXCURSION_DEG)
    assert np.all(most[desk] < EXCURSION_DEG + 0.5)
    assert np.all(least[desk] > -0.5)
    assert np.abs([least[:4], most[:4]]).max() < 0.01
    assert bench.is_safe()
    said = capsys.readouterr().err
    assert f"6  {bench.ids[6]}   0.01   -0.49 .. 8.51             40" in said


def test_nothing_is_asked_of_a_joint_until_somebody_agrees(
    bench: Bench, monkeypatch: pytest.MonkeyPatch
) -> None:
    with bench.open() as rig:
        with pytest.raises(RigError, match="nobody has agreed"):
            rig.connection()
        with pytest.raises(RigError, match=r"nobody is here to agree to that: .* --yes"):
            rig.permit(["identify"], yes=False)
        with pytest.raises(RigError, match="nobody has agreed"), rig.robot():
            pass
    answers = iter((False, True))

    def agree(_: str) -> bool:
        return next(answers)

    monkeypatch.setattr("guidearm_hil.rigs.serial.agree", agree)
    with bench.open(attended=True) as rig:
        with pytest.raises(RigError, match="nothing was moved"):
            rig.permit(["identify"], yes=False)
        with pytest.raises(RigError, match="nobody has agreed"):
            rig.connection()
    with bench.open(attended=True) as rig:
        rig.permit(["identify"], yes=False)
        assert not play(rig, *chosen(["identify"])).reason
    assert np.abs(bench.travelled()).max() < 0.01


def test_a_joint_without_room(bench: Bench) -> None:
    bench.describe(over={"lower_deg": 0.0, "upper_deg": 20.0})
    with pytest.raises(RigError, match=r"joint 5 stands at 90\.01 deg: there is no room for"):
        bench.open()


def test_another_board_than_the_file_says(bench: Bench) -> None:
    bench.ids[6] = "00000000000000aa"
    bench.describe()
    with pytest.raises(RigError, match=r"joint 6 is board \w{16}, not 00000000000000aa"):
        bench.open()


def enabled(bench: Bench) -> None:
    robot_on(bench.arm.connection(), ARM).enable()


def in_fault(bench: Bench) -> None:
    with robot_on(bench.arm.connection(), ARM) as robot:
        robot.enable()
        bench.arm.inject(6, temperature_c=150.0)
        with pytest.raises(JointFaultError):
            robot.hold(robot.clock.now() + 1.0)


def unsaved(bench: Bench) -> None:
    with robot_on(bench.arm.connection(), ARM) as robot:
        set_parameter(robot, 6, "stall_ticks", 999)


def on_another_supply(bench: Bench) -> None:
    bench.arm.inject(6, supply_v=20.0)


def narrow(bench: Bench) -> None:
    with robot_on(bench.arm.connection(), ARM) as robot:
        limit = round((float(bench.start[5]) + 0.05) / RAD_PER_UNIT)
        set_parameter(robot, 6, "upper_limit", limit)
        robot.bus.request(6, wire.COMMIT_PARAMETERS)


@pytest.mark.parametrize(
    ("prepare", "told"),
    [
        (on_another_supply, r"joint 6 measures a supply of 20\.0 V, desk\.toml says 24"),
        (narrow, r"joint 6 may move -\d+\.\d to 2\.9 deg by its own parameters: make lower_deg"),
        (enabled, "joint 5 is enabled: guidearm disable first"),
        (in_fault, "joint [56] has the fault .*: find its cause"),
        (unsaved, "joint 6 uses parameters that it has not stored"),
    ],
)
def test_joints_that_are_not_as_they_should_be(
    bench: Bench, prepare: Callable[[Bench], None], told: str
) -> None:
    prepare(bench)
    with pytest.raises(RigError, match=told):
        bench.open()


def test_a_scenario_that_breaks_off_leaves_joints_at_rest_and_as_they_were(bench: Bench) -> None:
    with bench.open() as rig:
        rig.permit(["breaks-off"], yes=True)
        with rig.robot() as robot:
            before = read_parameter(robot, 5, "stall_ticks")
        result = play(rig, breaks_off)
        assert isinstance(result.error, ZeroDivisionError)
        assert bench.is_safe()
        # it stands in the middle of its way: from there it goes back, not on
        assert abs(bench.travelled()[1][4] - 0.4 * EXCURSION_DEG) < 2
        assert np.all(np.abs(np.degrees(rig.excursion)) > EXCURSION_DEG / 2 - 0.1)
        with rig.robot() as robot:
            assert read_parameter(robot, 5, "stall_ticks") == before
            robot.enable()
            robot.move_joints(robot.state.q_demand + rig.excursion)
            with pytest.raises(LimitError, match="joint 6 would go"):
                robot.move_joints(robot.state.q_demand + 2 * rig.excursion)
    assert bench.travelled()[1].max() < EXCURSION_DEG + 0.5
    bench.arm.reboot(5)
    with robot_on(bench.arm.connection(), ARM) as robot:
        assert read_parameter(robot, 5, "stall_ticks") == before


def test_an_interrupt_in_mid_move_leaves_joints_at_rest(bench: Bench) -> None:
    def interrupt() -> None:
        raise KeyboardInterrupt

    with pytest.raises(KeyboardInterrupt), bench.open() as rig:
        rig.permit(["move"], yes=True)
        with rig.robot() as robot:
            robot.enable()
            in_mid_move(rig, robot, interrupt)
    assert bench.is_safe()
    assert bench.travelled()[1][4] < EXCURSION_DEG - 1


class DyingPort(RigPort):
    """A port that goes away when it is told to."""

    dead = False

    def write(self, data: bytes) -> float:
        if self.dead:
            raise PortError("port bench went away: check its cable and power")
        return super().write(data)


def test_a_port_that_dies_is_told_and_the_joints_stop_by_themselves(bench: Bench) -> None:
    port = DyingPort(bench.arm.bus, "bench")

    def die() -> None:
        port.dead = True

    opened: list[SerialRig] = []
    with (
        pytest.raises(RigError, match=r"not known to be safe: port bench went away.*switch it off"),
        bench.open(connect=lambda: Connection(port, bench.arm.clock)) as rig,
    ):
        opened.append(rig)
        rig.permit(["move"], yes=True)
        with rig.robot() as robot:
            robot.enable()
            in_mid_move(rig, robot, die)
    bench.arm.clock.sleep_until(bench.arm.clock.now() + 1.5)
    before = bench.true()
    bench.arm.clock.sleep_until(bench.arm.clock.now() + 0.5)
    assert np.abs(bench.true() - before).max() < 1e-5
    assert bench.travelled()[1].max() < EXCURSION_DEG + 0.5


def test_a_person_presses_and_releases_what_has_no_wire(
    bench: Bench, monkeypatch: pytest.MonkeyPatch
) -> None:
    heard: list[str] = []

    def told(text: str, err: bool) -> None:
        heard.append(text)
        bench.arm.bus.emergency_stop = True

    def asked(text: str) -> None:
        heard.append(text)
        bench.arm.bus.emergency_stop = False

    bench.describe('[inputs]\nemergency_button = "person"')
    with bench.open() as rig:
        assert Offer.INPUTS not in rig.offers  # nobody is there
    with bench.open(attended=True) as rig:
        assert rig.inputs == {Input.EMERGENCY_STOP}
        rig.permit([], yes=True)
        monkeypatch.setattr("guidearm_hil.rigs.switches.click.echo", told)
        monkeypatch.setattr("guidearm_hil.rigs.switches.wait_for_enter", asked)
        result = play(rig, *chosen(["emergency-stop"]))
    assert not result.reason
    assert [text.split(">>> ")[1] for text in heard] == [
        "NOW: press the emergency button, and keep it pressed",
        "release the emergency button, then press Enter",
    ]


class Adapter:
    """A serial adapter whose RTS switches something, and what became of it."""

    def __init__(self, on_change: Callable[[bool], None]) -> None:
        self.said: list[str] = []
        self.dtr = False
        self._rts = False
        self._on_change = on_change

    @property
    def rts(self) -> bool:
        return self._rts

    @rts.setter
    def rts(self, state: bool) -> None:
        self.said.append(f"rts {state:d}")
        if state != self._rts:
            self._rts = state
            self._on_change(state)

    def open(self) -> None:
        self.said.append("open")

    def close(self) -> None:
        self.said.append("close")


def test_a_modem_line_switches_an_input_and_is_inactive_from_the_start(
    bench: Bench, monkeypatch: pytest.MonkeyPatch
) -> None:
    def pull(state: bool) -> None:
        bench.arm.bus.stop_line = not state

    adapter = Adapter(pull)

    def opened(_name: str, **_: object) -> Adapter:
        return adapter

    monkeypatch.setattr("serial.serial_for_url", opened)
    bench.describe('[inputs]\nstop_line = { adapter = "a", line = "RTS", active = "cleared" }')
    with bench.open() as rig:
        assert adapter.said == ["rts 0", "rts 1", "open"]
        rig.permit([], yes=True)
        result = play(rig, *chosen(["stop-line-from-outside"]))
        assert not result.reason
    assert adapter.said[-1] == "close"
    assert bench.is_safe()


def test_a_modem_line_switches_power(bench: Bench, monkeypatch: pytest.MonkeyPatch) -> None:
    adapters: dict[str, Adapter] = {}

    def opened(name: str, **_: object) -> Adapter:
        def switch(state: bool) -> None:
            if state and bench.arm.clock.now() > 1:
                bench.arm.reboot(int(name))

        return adapters.setdefault(name, Adapter(switch))

    monkeypatch.setattr("serial.serial_for_url", opened)
    bench.describe()
    text = bench.file.read_text()
    for number in ON_DESK:
        power = f'power = {{ adapter = "{number}", line = "RTS" }}\n'
        text = text.replace(f"address = {number}\n", f"address = {number}\n{power}")
    bench.file.write_text(text)
    with bench.open() as rig:
        assert Offer.POWER in rig.offers
        assert Offer.POWER_CUT not in rig.offers
        rig.permit([], yes=True)
        for name in ("parameters-survive-power", "restart-in-mid-move"):
            assert not play(rig, *chosen([name])).reason
    assert bench.is_safe()


def test_an_adapter_that_is_not_there() -> None:
    with pytest.raises(RigError, match=r"adapter /dev/none cannot be opened"):
        Adapters([(ModemLine("/dev/none", "RTS", active_set=True), False)])
