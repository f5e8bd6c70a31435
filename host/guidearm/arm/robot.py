"""The arm as one thing: joints that are asked together, enabled together and stopped together."""

from __future__ import annotations

from collections.abc import Callable, Generator, Iterable
from contextlib import contextmanager
from types import TracebackType
from typing import Any, Protocol, Self

import numpy as np
from numpy.typing import ArrayLike

from guidearm.arm import faults, holder, streaming
from guidearm.arm.capture_link import serve_capture
from guidearm.arm.identify import Identity, identify, identify_joints, silent_text
from guidearm.arm.joint_model import JointModel
from guidearm.arm.segments import Course, Segments
from guidearm.arm.state import ArmState, JointState, joint_state
from guidearm.errors import (
    ArmDescriptionError,
    GuideArmError,
    JointFaultError,
    LinkError,
    MotionError,
    RefusedError,
    SilentJointError,
    StoppedError,
)
from guidearm.geometry import Array
from guidearm.kinematics import Arm
from guidearm.link import (
    Balance,
    Clock,
    ClockSync,
    Connection,
    JointBus,
    SegmentPoint,
    deferred_interrupt,
    read_balance,
    refusal_text,
)
from guidearm_protocol import messages

REST_PERIOD_S = 0.05  # well inside the joints' link timeout of 0.5 s
WATCH_PERIOD_S = 0.01
FIRST_CYCLES = 20
SILENT_CYCLES = 5  # in a row, and for at least this long, make a joint silent
SILENT_S = 0.05
ALL_SILENT_S = 0.3  # then it is rather a busy computer, and the joints have queues to live on
ENABLE_TIMEOUT_S = 1.0
HOME_TIMEOUT_S = 120.0  # two turns at 10 deg/s, and then some
REST_TIMEOUT_S = 3.0
STOP_PERIOD_S = 0.05  # STOP is repeated until every joint has obeyed
FOLLOW_AHEAD = 8  # segments on the joints: 80 ms
RESET_ROUNDS = 3  # a joint that still stops refuses, and may pull the line once more

OnState = Callable[[ArmState], None]


class MovePlanner(Protocol):
    """Plans a move of all joints from rest to rest; raises LimitError before anything moves."""

    def __call__(self, start: Array, goal: Array, speed: float) -> Segments | Course:
        """Return the move from `start` (n,) rad to `goal` (n,) rad at a share of full speed."""
        ...


class Robot:
    """An arm on a port. A context manager: leaving it by an exception stops the arm first.

    Every method that waits keeps the link alive, watches for faults and silent joints, and serves
    other shells. Ctrl-C takes effect between two exchanges and stops motion before it goes on.
    """

    def __init__(
        self,
        connection: Connection,
        model: JointModel,
        plan_move: MovePlanner,
        served: holder.Holder | None = None,
    ) -> None:
        """Identify the joints and read their state; nothing moves.

        Raises SilentJointError or VersionMismatchError naming the joint, LinkError.
        """
        self.model = model
        self.clock: Clock = connection.clock
        self.port_name = connection.port.name
        self.slack_s = connection.port.slack_s
        self.physical = connection.physical
        self._connection = connection
        self._plan_move = plan_move
        self._holder = served
        self._stop_asked = False
        self._motion_pending = False
        self._move: streaming.Move | None = None
        self._silent: set[int] = set()
        self._restarted: set[int] = set()
        self._missed: dict[int, int] = {}
        self._latest: dict[int, JointState] = {}
        self.bus = JointBus(connection)
        # fresh for every session and yet the same on a rig that repeats itself
        self._nonce = 1 + int(self.clock.now() * 1e6) % (messages.TIME_MODULUS - 1)
        self.identities: tuple[Identity, ...] = identify_joints(
            self.bus, model, self._nonce, self.port_name
        )
        self.numbers = tuple(identity.number for identity in self.identities)
        self.sync = ClockSync(self.numbers)
        self._mask = sum(1 << number - 1 for number in self.numbers)
        for _ in range(FIRST_CYCLES):
            self._exchange()
            if len(self._latest) == len(self.numbers):
                return
            self._sleep(WATCH_PERIOD_S)
        missing = [number for number in self.numbers if number not in self._latest]
        raise SilentJointError(
            f"{silent_text(missing, self.port_name)} cycles: check its power and cable"
        )

    @property
    def arm(self) -> Arm:
        """The arm's kinematics; raises ArmDescriptionError if the joints make no arm."""
        if not isinstance(self.model, Arm):
            raise ArmDescriptionError(f"{self.model.name} is no arm: choose one with --arm")
        return self.model

    def index(self, number: int) -> int:
        """Return where in arrays of joint quantities the joint `number` is."""
        return self.numbers.index(number)

    def identity(self, number: int) -> Identity:
        """Return who the joint `number` is."""
        return self.identities[self.index(number)]

    # ---- state

    @property
    def state(self) -> ArmState:
        """What the joints said last, without asking again."""
        time = max(joint.instant for joint in self._latest.values())
        return ArmState(time, tuple(self._latest[number] for number in self.numbers))

    def poll(self, segment: SegmentPoint | None = None) -> ArmState:
        """Ask all joints once; latched faults are reported, not raised.

        Raises SilentJointError, after stopping the others, for a joint that stays silent;
        StoppedError when another shell asked for a stop; LinkError when a joint restarted.
        """
        self._serve()
        self._exchange(segment)
        if self._restarted:
            self.stop()
            raise self._restart_error()
        lost = [
            number
            for number in self.numbers
            if self._missed[number] >= SILENT_CYCLES and self._silence(number) >= SILENT_S
        ]
        if len(lost) == len(self.numbers):
            lost = [number for number in lost if self._silence(number) >= ALL_SILENT_S]
        if lost:
            self._silent |= set(lost)
            self.stop()
            raise self._loss_error(lost)
        return self.state

    def balances(self) -> tuple[Balance, ...]:
        """Compare the counts at both ends of the link for every joint; may be asked in mid-move.

        Raises SilentJointError, LinkError.
        """
        return tuple(read_balance(self.bus, number) for number in self.numbers)

    def cycle(self, segment: SegmentPoint | None = None) -> ArmState:
        """Ask all joints once, as `poll` does.

        Raises JointFaultError too, once all joints are at rest, naming first cause and snapshot.
        """
        state = self.poll(segment)
        if state.faulted:
            self._raise_fault()
        return state

    def _exchange(self, segment: SegmentPoint | None = None) -> None:
        result = self.bus.cycle(self._mask, segment)
        for number, told in result.states.items():
            identity = self.identity(number)
            if told.boot != identity.boot:
                self._restarted.add(number)
            self._silent.discard(number)
            self._latest[number] = joint_state(
                number, result.instant, told, identity.counts_per_turn
            )
        for number in self.numbers:
            missed = number not in result.states
            self._missed[number] = self._missed.get(number, 0) + 1 if missed else 0
        self.sync.add(
            result.instant, {number: told.received_us for number, told in result.states.items()}
        )

    def _has_rebooted(self, number: int) -> bool:
        """Ask a joint that fell silent who it is: after a restart it has forgotten the session."""
        try:
            identity = identify(self.bus, number, self._nonce)
        except LinkError:
            return False
        return identity.boot_count != self.identity(number).boot_count

    def _loss_error(self, lost: Iterable[int]) -> LinkError:
        """Return the error of joints that fell silent, once the others were stopped."""
        self._restarted |= {number for number in lost if self._has_rebooted(number)}
        if self._restarted:
            return self._restart_error()
        return SilentJointError(
            f"{silent_text(sorted(lost), self.port_name)} any more; the other joints were "
            "stopped: check power and cable, connect again"
        )

    def _restart_error(self) -> LinkError:
        who = ", ".join(f"joint {number}" for number in sorted(self._restarted))
        return LinkError(
            f"{who} restarted and takes no further part; the other joints were stopped: check its "
            "power, connect again"
        )

    def _silence(self, number: int) -> float:
        return self.clock.now() - self._latest[number].instant

    def _raise_fault(self) -> None:
        self.stop()
        told = [number for number in self.state.faulted if number not in self._silent]
        reports = [faults.read_fault(self.bus, number) for number in told]
        if (self._silent or self._restarted) and faults.all_followed(reports):
            # a joint without power pulls the stop line
            raise self._loss_error(self._silent)
        raise JointFaultError(faults.fault_text(reports))

    # ---- stopping

    def stop(self) -> ArmState:
        """Stop all joints under control, brakes on, not authorised; returns the state at rest.

        Raises MotionError or LinkError if that cannot be confirmed.
        """
        self._motion_pending = True
        deadline = self.clock.now() + REST_TIMEOUT_S
        repeat = 0.0
        while True:
            if self.clock.now() >= repeat:
                self.bus.broadcast(messages.STOP, times=3)
                repeat = self.clock.now() + STOP_PERIOD_S
            self._exchange()
            heard = [n for n in self.numbers if self._missed[n] == 0]
            restless = [
                n
                for n in self.numbers
                if n not in self._silent
                and (self._missed[n] or self._latest[n].moving or self._latest[n].enabled)
            ]
            if heard and not restless:
                self._motion_pending = False
                return self.state
            self._silent |= {n for n in restless if self._silence(n) > REST_TIMEOUT_S / 2}
            if self.clock.now() > deadline:
                break
            self._sleep(WATCH_PERIOD_S)
        if not heard:
            raise LinkError(
                f"no joint on {self.port_name} answers: use the emergency stop if the arm moves"
            )
        raise MotionError(
            f"{_joints(restless)} not at rest {REST_TIMEOUT_S:.0f} s after stop: "
            "use the emergency stop"
        )

    @contextmanager
    def guarded(self) -> Generator[None]:
        """Stop the arm if the block ends by an exception while motion is pending.

        If the stop cannot be confirmed, the error says so in addition.
        """
        self._motion_pending = True
        try:
            yield
        except BaseException as error:
            if self._motion_pending:
                self.stop_after(error)
            raise
        finally:
            self._motion_pending = False

    def nothing_pending(self) -> None:
        """Tell the guard that no motion is pending: what was queued has been dropped."""
        self._motion_pending = False

    def stop_after(self, error: BaseException) -> None:
        """Stop because of `error`; if the stop fails too, raise what tells both."""
        try:
            self.stop()
        except GuideArmError as second:
            if not isinstance(error, GuideArmError):
                raise
            if str(second) not in str(error):
                raise type(error)(f"{error}; then, on stopping: {second}") from None

    # ---- drives

    def enable(self) -> ArmState:
        """Torque on at the present position, brakes off, authorised until stop or disable.

        Raises RefusedError, with all joints off again, if one refuses.
        """
        return self._enable(resume=0)

    def resume(self) -> ArmState:
        """Enable again the joints that `enable` still authorises.

        Joints that are enabled stay as they are. Raises RefusedError before anything changes if a
        joint needs `enable` first.
        """
        state = self.cycle()
        if state.enabled:
            return state
        missing = [joint.number for joint in state.joints if not joint.authorised]
        if missing:
            raise RefusedError(f"{_joints(missing)} not enabled: guidearm enable first")
        return self._enable(resume=1)

    def _enable(self, resume: int) -> ArmState:
        state = self.cycle()
        unhomed = [joint.number for joint in state.joints if not joint.homed]
        if unhomed:
            raise RefusedError(f"{_joints(unhomed)} not homed: guidearm home first")
        with self.guarded():
            for joint in state.joints:
                if not joint.enabled:
                    self._enable_one(joint.number, resume)
            return self._wait_for(lambda joint: joint.enabled, ENABLE_TIMEOUT_S, "not enabled")

    def _enable_one(self, number: int, resume: int) -> None:
        """Ask one joint; if its brake is just closing, until that is done."""
        deadline = self.clock.now() + ENABLE_TIMEOUT_S
        while True:
            reply = self.bus.exchange(number, messages.ENABLE, {"resume": resume})
            if reply.result == messages.OK:
                return
            closing = reply.result == messages.REFUSED and reply.reason == messages.REASON_MOVING
            if not closing or self.clock.now() > deadline:
                raise RefusedError(refusal_text(number, messages.ENABLE, reply))
            self._sleep(WATCH_PERIOD_S)
            self.cycle()

    def disable(self) -> ArmState:
        """Stop, brakes on, torque off, not authorised."""
        with self.guarded():
            for number in self.numbers:
                self.bus.request(number, messages.DISABLE)
            return self._wait_for(
                lambda joint: not joint.moving and not joint.enabled, REST_TIMEOUT_S, "not at rest"
            )

    def home(self) -> ArmState:
        """Set every position by its absolute encoder, or where there is none by its stop.

        To find its stop a joint moves, slowly and with little torque, one after the other. Raises
        RefusedError if enabled.
        """
        with self.guarded():
            for number in self.numbers:
                self.bus.request(number, messages.HOME)
                self._sleep(WATCH_PERIOD_S)
                self._wait_for(
                    lambda joint, number=number: (
                        joint.number != number or (joint.homed and not joint.moving)
                    ),
                    HOME_TIMEOUT_S,
                    "not homed",
                )
        return self.state

    def reset_fault(self) -> ArmState:
        """Clear every latched fault; the joints stay off.

        Raises RefusedError if a joint refuses, because it still moves.
        """
        refusals: list[str] = []
        state = self.poll()
        for _ in range(RESET_ROUNDS):
            refusals.clear()
            for number in state.faulted:
                try:
                    self.bus.request(number, messages.RESET_FAULT)
                except RefusedError as error:
                    refusals.append(str(error))
            self._sleep(WATCH_PERIOD_S)
            state = self.poll()
            if not state.faulted:
                return state
        raise RefusedError(
            "; ".join(refusals) or f"{_joints(list(state.faulted))} in fault again at once"
        )

    # ---- motion

    def hold(self, until: float, on_state: OnState | None = None) -> ArmState:
        """Stay as it is until the instant `until` (s, own clock), asking at 20 Hz.

        `on_state` sees each state. Returns the last one.
        """
        while True:
            state = self.cycle()
            if on_state is not None:
                on_state(state)
            if self.clock.now() >= until:
                return state
            with deferred_interrupt():
                self.clock.sleep_until(min(until, state.time + REST_PERIOD_S))

    def execute(
        self, motion: Segments | Course, on_state: OnState | None = None
    ) -> streaming.MoveRecord:
        """Run a motion from the present set-point to its end and settle there.

        A course can be changed on its way by `retarget` and `feed`, from `on_state` or from another
        shell. Enables again where that is authorised. Raises, with the arm at rest: LimitError or
        MotionError before anything moved; JointFaultError, SilentJointError, StoppedError in
        mid-move.
        """
        state = self.resume()
        return self._run(state, streaming.Move(self, motion, on_state))

    def move_joints(
        self, q: ArrayLike, speed: float = 1.0, on_state: OnState | None = None
    ) -> streaming.MoveRecord:
        """Move all joints to q (n,) rad along a straight joint line, at a share of full speed.

        Raises LimitError, or MotionError if the arm would meet something, before anything moves;
        and whatever `execute` raises.
        """
        goal = self._posture(q)
        state = self.resume()
        return self.execute(self._plan_move(state.q_demand, goal, speed), on_state)

    def follow(
        self,
        goal: Callable[[ArmState], ArrayLike | None],
        speed: float = 1.0,
        at_least_s: float = 0.0,
        ahead: int = FOLLOW_AHEAD,
    ) -> streaming.MoveRecord:
        """Follow a goal that changes, until there is none; then end at the last one and settle.

        `goal` is asked in every cycle, for joint positions (n,) rad; None ends it. Each is gone to
        as soon as the joints' limits allow and in no less than `at_least_s`, and left for the next
        one wherever the joints then are. `ahead` is how many segments of 10 ms the joints hold: a
        goal takes that long to have an effect, and the host may be late by no more.

        Raises what `execute` raises, for a goal out of range or with something in the way too: the
        arm then stops.
        """
        state = self.resume()
        first = goal(state)
        wanted = first is not None
        latest = state.q_demand if first is None else self._posture(first)

        def ask(state: ArmState) -> None:
            nonlocal latest, wanted
            asked = goal(state) if wanted else None
            if asked is None:
                wanted = False
                return
            posture = self._posture(asked)
            if not np.array_equal(posture, latest):
                move.retarget(posture, at_least_s)
                latest = posture

        motion = self._plan_move(state.q_demand, latest, speed)
        move = streaming.Move(self, motion, ask, ahead, stay=lambda: wanted)
        return self._run(state, move)

    def retarget(self, q: ArrayLike, at_least_s: float = 0.0) -> None:
        """Have the move that runs go to q (n,) rad instead, without a step and without a stop.

        Takes effect behind the segments that the joints have already. The whole new way is judged
        before any of it is sent: limits, torque, clearance from the arm itself and from its room.
        Raises LimitError or MotionError, in one line, and the move goes on as it was, or stays
        stopped: it was judged before it began. MotionError too if nothing moves.
        """
        self._running().retarget(self._posture(q), at_least_s)

    def feed(self, share: float) -> None:
        """Have the move that runs go on at a share of its speed, 0.01 to 1, on the same path.

        With 0 it stops on its path, torque on, and waits for another share. Takes effect behind the
        segments that the joints have already. Raises MotionError, and the move goes on as it was.
        """
        self._running().feed(share)

    def _run(self, state: ArmState, move: streaming.Move) -> streaming.MoveRecord:
        self._move = move
        try:
            return streaming.run(self, state, move)
        finally:
            self._move = None

    def _running(self) -> streaming.Move:
        if self._move is None:
            raise MotionError("nothing moves that could be changed")
        return self._move

    def _posture(self, q: ArrayLike) -> Array:
        posture = np.asarray(q, dtype=np.float64)
        if posture.shape != (len(self.numbers),) or not np.isfinite(posture).all():
            raise MotionError(f"a joint position is {len(self.numbers)} finite angles in rad")
        return posture

    # ---- waiting

    def _wait_for(
        self, good: Callable[[JointState], bool], timeout_s: float, what: str
    ) -> ArmState:
        """Cycle until all joints are good; MotionError names those that are not in time."""
        deadline = self.clock.now() + timeout_s
        while True:
            state = self.cycle()
            late = [joint.number for joint in state.joints if not good(joint)]
            if not late:
                return state
            if self.clock.now() > deadline:
                raise MotionError(f"{_joints(late)} {what} after {timeout_s:g} s")
            self._sleep(WATCH_PERIOD_S)

    def _sleep(self, duration_s: float) -> None:
        with deferred_interrupt():
            self.clock.sleep_until(self.clock.now() + duration_s)

    def _serve(self) -> None:
        if self._holder is None:
            return
        self._holder.poll(self._handle)
        if self._stop_asked:
            self._stop_asked = False
            raise StoppedError("stopped from another shell")

    def _handle(self, request: str) -> dict[str, Any]:
        if request == holder.STOP:
            self._stop_asked = True
            self.stop()
        if request == holder.LINK:
            try:
                return {"joints": [balance.as_dict() for balance in self.balances()]}
            except LinkError as error:
                return {"error": str(error)}  # the asking shell's trouble, not the move's
        if request.startswith(holder.FEED):
            try:
                self.feed(float(request.partition(" ")[2]))
            except (MotionError, ValueError) as error:
                return {"error": str(error)}  # the asking shell's trouble, not the move's
        if request.startswith(holder.CAPTURE):
            return serve_capture(self, request)
        return {"port": self.port_name, **self.state.as_dict()}

    # ---- life

    def close(self) -> None:
        """Give the port back. Enabled joints close their brakes when the link times out."""
        if self._holder is not None:
            self._holder.close()
        self._connection.port.close()

    def __enter__(self) -> Self:
        """Return the robot itself."""
        return self

    def __exit__(
        self,
        kind: type[BaseException] | None,
        error: BaseException | None,
        trace: TracebackType | None,
    ) -> None:
        """Stop if an exception ends the block with torque on, then close."""
        try:
            if error is not None and any(joint.enabled for joint in self.state.joints):
                self.stop_after(error)
        finally:
            self.close()


def _joints(numbers: list[int]) -> str:
    if len(numbers) == 1:
        return f"joint {numbers[0]} is"
    return f"joints {', '.join(map(str, numbers))} are"
