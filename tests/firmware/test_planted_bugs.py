"""Bugs planted in a copy of the firmware: a test of this folder fails for each of them.

The tests are called as they stand, on an image with one line changed.
"""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass
from pathlib import Path

import pytest
import test_brake
import test_discovery
import test_drive_states
import test_guards
import test_segments
import test_servo
import test_session
from joint_bench import assert_bug_found, other_image, write_image

from guidearm_protocol import drive
from guidearm_protocol import messages as wire


@dataclass(frozen=True)
class Bug:
    """A text in a file of the image, what replaces it, and the test that must fail."""

    name: str
    file: str
    text: str
    planted: str
    check: Callable[[], None]


def moves() -> None:
    test_servo.test_a_move_is_followed_and_settles(0, 0.0)


def starts() -> None:
    test_servo.test_the_set_point_leaves_at_the_instant_of_start()


def keeps_time() -> None:
    test_servo.test_a_host_clock_of_another_rate_is_followed_for_minutes()


def stops() -> None:
    test_servo.test_a_stop_is_limited_in_jerk_and_ends_in_time(0, 250)


def notices_the_stop_line() -> None:
    test_servo.test_stop_line_and_emergency_button(1, wire.STOP_LINE, True)


def interpolates() -> None:
    test_segments.check_interpolation(1000)


def converts_instants() -> None:
    test_segments.test_instants_of_the_host_are_the_joints_to_the_microsecond()


def judges_frames() -> None:
    cases = test_guards.make_cases(3000)
    test_guards.test_exactly_the_hosts_good_frames_are_accepted(test_guards.tell(cases, []), cases)


def seals_frames() -> None:
    contents = [b"\x07" * n for n in range(5, 60)]
    told = test_guards.tell([], contents)
    test_guards.test_what_it_seals_is_what_the_host_would_send(told, contents)


def stays_inside() -> None:
    cases = test_guards.make_cases(3000)
    told = test_guards.tell(cases, [])
    assert told["broken"] == -1


def keeps_soft_limits() -> None:
    test_session.test_a_segment_outside_the_limits_is_flagged_until_a_good_one_comes()


def keeps_a_stop_while_the_brake_opens() -> None:
    for ticks in range(85, 93):
        test_servo.test_a_stop_while_the_brake_opens_is_not_overtaken_by_it(ticks)


def refuses_late_starts() -> None:
    clock: list[test_servo.Step] = [["set_clock", 0, 0, 0], ["run", 1]]
    test_servo.test_what_does_not_start([*clock, ["queue", "SEGMENTS"], ["run", 40], ["start", 1]])


def tests_the_brake() -> None:
    test_brake.test_a_brake_that_holds_less_than_its_test_is_found(50, False)


def tests_the_brake_both_ways() -> None:
    test_brake.test_torque_and_test_come_before_the_brake_opens()


def keeps_torque_until_the_brake_has_closed() -> None:
    test_brake.test_a_commanded_or_fault_stop_never_drops_the_arm("stop", False)


def obeys_the_button_at_rest() -> None:
    test_drive_states.test_an_event_in_every_situation(drive.STOP_INPUT)


def cuts_torque_for_a_lost_encoder() -> None:
    test_drive_states.test_an_event_in_every_situation(drive.FAULT_AT_ONCE)


def keeps_the_state_machine() -> None:
    test_drive_states.test_an_event_in_every_situation(drive.RESUME)


def keeps_its_address() -> None:
    test_discovery.test_an_enabled_joint_keeps_its_address(True)


def refuses_old_sequences() -> None:
    test_session.test_an_older_sequence_is_stale(999)


SERVO, SUPERVISOR, FRAME = "joint/servo.py", "joint/supervisor.py", "joint/frame.py"
SEGMENTS, SESSION, DRIVE = "joint/segments.py", "joint/session.py", "joint/drive.py"
LINK, CYCLE, BODY = "joint/link.py", "joint/cycle.py", "joint/body.py"
IDENTITY = "joint/identity.py"
READDRESSED = """storing blocks the servo.
        \"\"\"
        if self.state[servo.MODE] != servo.OFF:"""
CLOSING = """                s[TIMER] = p[P_BRAKE_TICKS - P]
                s[BRAKE] = 0
"""
BUGS = (
    Bug(
        "encoder sign",
        SERVO,
        "moved = s[MOTOR] - s[LAST_MOTOR]",
        "moved = s[LAST_MOTOR] - s[MOTOR]",
        moves,
    ),
    Bug("motor sign", SERVO, "s[DUTY] = duty", "s[DUTY] = 0 - duty", moves),
    Bug(
        "CRC unchecked",
        FRAME,
        "if int(crc) != to[0]",
        "if size == 0 and int(crc) != to[0]",
        judges_frames,
    ),
    Bug("length 255", FRAME, "or size > _MAX_ENCODED:", "or size > 255:", judges_frames),
    Bug("reserved bits", FRAME, "start[1] < 16 or start[1] & 15", "start[1] < 16", judges_frames),
    Bug("version 0", FRAME, "start[1] < 16 or start[1] & 15", "start[1] & 15", judges_frames),
    Bug("chain end", FRAME, "or int(to) != end:", "or int(to) < end:", judges_frames),
    Bug(
        "pieces overrun",
        FRAME,
        "                left = _MAX_ENCODED + 1 - fill\n",
        "                left = size\n",
        stays_inside,
    ),
    Bug("first code", FRAME, "    p = b\n", "    p = ptr8(int(b) + 1)\n", seals_frames),
    Bug(
        "start a tick early",
        SERVO,
        "elapsed = (now - s[SEGMENT_START])",
        "elapsed = (now - s[SEGMENT_START] + 1000)",
        starts,
    ),
    Bug(
        "start a tick late",
        SERVO,
        "elapsed = (now - s[SEGMENT_START])",
        "elapsed = (now - s[SEGMENT_START] - 1000)",
        starts,
    ),
    Bug(
        "segments 1 us long",
        SERVO,
        "s[SEGMENT_START] = s[SEGMENT_START] + s[SEGMENT_US]",
        "s[SEGMENT_START] = s[SEGMENT_START] + s[SEGMENT_US] + 1",
        keeps_time,
    ),
    Bug("drift forgotten", DRIVE, "= segments.lag(drift)", "= 0", keeps_time),
    Bug("drift squared forgotten", SEGMENTS, "drift * drift", "drift * 0", converts_instants),
    Bug("instants cut off", SEGMENTS, "((since & 0x7FFF) * shorter >> 15)", "0", converts_instants),
    Bug("lag cut off", SEGMENTS, "q[REST] = rest & 0xFFFFFFF", "rest += 0", keeps_time),
    Bug("tangent sign", SEGMENTS, "from_tangent - tangent", "from_tangent + tangent", interpolates),
    Bug("u coarse", SERVO, "+ 0x4000) >> 15)", "+ 0x4000) >> 17) << 2", interpolates),
    Bug("time unit", SEGMENTS, "duration * 4295", "duration * 4294", interpolates),
    Bug(
        "no jerk limit",
        SERVO,
        "            d += jerk\n",
        "            d = p[P_DECELERATION - P]\n",
        stops,
    ),
    Bug(
        "stop without brake",
        SERVO,
        CLOSING,
        CLOSING.replace("s[BRAKE] = 0", "pass"),
        stops,
    ),
    Bug(
        "stop line unseen",
        SERVO,
        "elif not (found | s[PULL_LINE]):",
        "elif found > 63:",
        notices_the_stop_line,
    ),
    Bug(
        "silence unnoticed",
        SERVO,
        "fault = _CAUSE_LINK_TIMEOUT",
        "fault = 0",
        test_servo.test_silence_in_motion_is_a_controlled_stop_and_a_latched_fault,
    ),
    Bug(
        "underrun unnoticed",
        SERVO,
        "fault = _CAUSE_UNDERRUN",
        "fault = 0",
        test_servo.test_a_host_that_comes_late_underruns_the_queue,
    ),
    Bug(
        "pushing on",
        SERVO,
        "fault = _CAUSE_FOLLOWING_ERROR + AT_ONCE",
        "fault = _CAUSE_FOLLOWING_ERROR",
        test_servo.test_a_blocked_joint_faults_and_cuts_torque_instead_of_pushing_on,
    ),
    Bug(
        "one encoder",
        SERVO,
        "(fault & AT_ONCE) | _CAUSE_ENCODERS_DISAGREE",
        "fault & AT_ONCE",
        test_servo.test_encoders_that_contradict_each_other_cut_torque_at_once,
    ),
    Bug(
        "integrator kept",
        SUPERVISOR,
        "s[_INTEGRAL] = 0\n",
        "s[_INTEGRAL] += 0\n",
        test_servo.test_nothing_of_an_earlier_motion_acts_on_a_later_one,
    ),
    Bug(
        "brake test skipped",
        SUPERVISOR,
        "if s[_P_BRAKE_TEST]:",
        "if s[_P_BRAKE_TEST] < 0:",
        tests_the_brake,
    ),
    Bug(
        "brake opens untested",
        SUPERVISOR,
        "            s[_BRIDGE] = 1\n",
        "            s[_BRIDGE] = 1\n            s[_BRAKE] = 1\n",
        tests_the_brake_both_ways,
    ),
    Bug(
        "torque off before the brake",
        SERVO,
        CLOSING,
        CLOSING.replace("p[P_BRAKE_TICKS - P]", "0"),
        keeps_torque_until_the_brake_has_closed,
    ),
    Bug(
        "held torque forgotten",
        SUPERVISOR,
        "s[_INTEGRAL] = s[_HELD]",
        "s[_INTEGRAL] = 0",
        test_brake.test_the_torque_that_the_brake_took_over_is_put_back_before_it_opens,
    ),
    Bug(
        "held torque put back anywhere",
        SUPERVISOR,
        "& _TIME <= 2 * _SAME_PLACE:",
        "& _TIME <= _TIME:",
        test_brake.test_a_torque_of_another_place_is_not_put_back,
    ),
    Bug(
        "button ignored at rest",
        SERVO,
        "and s[MODE] | s[AUTHORISED]:",
        "and s[MODE]:",
        obeys_the_button_at_rest,
    ),
    Bug(
        "ramp without encoder",
        SERVO,
        "_TORQUE_OFF = const(0x10EC0)",
        "_TORQUE_OFF = const(0x106C0)",
        cuts_torque_for_a_lost_encoder,
    ),
    Bug(
        "stop keeps authorisation",
        SUPERVISOR,
        "            s[_AUTHORISED] = 0\n            s[_SEEKING] = 0\n",
        "            s[_SEEKING] = 0\n",
        test_servo.test_silence_at_rest_closes_the_brake_and_leaves_the_joint_authorised,
    ),
    Bug(
        "resumes by itself",
        DRIVE,
        "if resume and not s[servo.AUTHORISED]:",
        "if resume and s[servo.FAULT]:",
        keeps_the_state_machine,
    ),
    Bug(
        "brake overtakes stop",
        SERVO,
        "if s[SEQUENCE] != APPLYING:\n",
        "if not s[SEQUENCE]:\n",
        keeps_a_stop_while_the_brake_opens,
    ),
    Bug(
        "late start",
        SUPERVISOR,
        "if in_time and waiting",
        "if waiting",
        refuses_late_starts,
    ),
    Bug(
        "executes twice",
        LINK,
        "if newer == 0 and w[_CRC] == w[LAST_CRC]:",
        "if newer == -1 and w[_CRC] == w[LAST_CRC]:",
        test_session.test_an_equal_request_gets_the_same_reply_and_does_not_execute_again,
    ),
    Bug(
        "old sequence",
        LINK,
        "if newer != 0 and newer < _HALF:",
        "if newer != 0:",
        refuses_old_sequences,
    ),
    Bug(
        "old broadcast",
        LINK,
        "            if newer >= _HALF:",
        "            if newer > 0xFFFF:",
        test_session.test_broadcasts_count_for_themselves,
    ),
    Bug(
        "broadcast twice",
        LINK,
        "            if newer == 0:\n                w[REPEATED]",
        "            if newer == -2:\n                w[REPEATED]",
        test_session.test_broadcasts_count_for_themselves,
    ),
    Bug(
        "session of a stranger",
        LINK,
        "            if w[OPEN] == 0:\n                newer = 0",
        "            if w[OPEN] == 2:\n                newer = 0",
        test_session.test_nothing_but_identify_and_stop_executes_before_a_session,
    ),
    Bug(
        "stop by sequence",
        LINK,
        "                s[_STOP_REQUEST] = 1  # whatever its sequence\n",
        "                s[_STOP_REQUEST] |= 0\n",
        test_session.test_a_stop_executes_whatever_its_sequence_and_leaves_the_session_alone,
    ),
    Bug(
        "counts kept",
        LINK,
        "                w[EXECUTED] = 0\n",
        "                w[EXECUTED] |= 0\n",
        test_session.test_a_session_counts_from_its_first_frame,
    ),
    Bug(
        "late slot",
        SESSION,
        "words[_REPLY_AT], late)",
        "words[_REPLY_AT], _ALWAYS)",
        test_session.test_a_reply_that_would_run_into_the_next_slot_is_not_sent,
    ),
    Bug(
        "one slot for all",
        IDENTITY,
        "return (h >> 3) % slots",
        "return 3 % slots",
        test_discovery.test_it_draws_a_slot_for_each_salt,
    ),
    Bug(
        "another joint's address",
        IDENTITY,
        "return index == _UNIQUE_ID_BYTES",
        "return index >= 0",
        test_discovery.test_an_assignment_for_another_joint_is_not_mine,
    ),
    Bug(
        "readdressed in motion",
        DRIVE,
        READDRESSED,
        READDRESSED.replace("!= servo.OFF", "== -1"),
        keeps_its_address,
    ),
    Bug(
        "slot by address",
        CYCLE,
        "rank = (bits >> 16) & 31",
        "rank = w[_ADDRESS] - 1",
        test_session.test_replies_stand_in_slots_by_rank_in_the_mask,
    ),
    Bug(
        "gap in segments",
        SEGMENTS,
        "if number != (q[NEWEST] + 1) & 0xFFFF:",
        "if number == q[NEWEST]:",
        test_session.test_each_joint_takes_its_own_set_point_and_acknowledges_it_by_number,
    ),
    Bug(
        "no soft limit",
        SEGMENTS,
        "if position > q[UPPER_LIMIT] << lift >> lift and",
        "if position > 0x7FFFFFF and",
        keeps_soft_limits,
    ),
    Bug(
        "no soft limit below",
        SEGMENTS,
        "if position < q[LOWER_LIMIT] << lift >> lift and",
        "if position < 0 - 0x7FFFFFFF and",
        keeps_soft_limits,
    ),
    Bug(
        "fields unbounded",
        BODY,
        "or word > (limits[1] ^ m) - m:",
        "or word > 0x7FFFFFF:",
        test_session.test_requests_that_break_the_table_change_nothing,
    ),
    Bug(
        "a frame's rest forgotten",
        FRAME,
        "w[FILL] = size",
        "w[FILL] = 0",
        judges_frames,
    ),
    Bug(
        "no reply in another version",
        LINK,
        " and message >= _FIRST_UNFROZEN:",
        ":",
        test_session.test_an_older_joint_can_be_identified_and_stopped_but_nothing_else,
    ),
    Bug(
        "any speed",
        SEGMENTS,
        "if step > limit or step < 0 - limit:",
        "if step > 0x3FFFFFF:",
        test_segments.test_segments_that_ask_for_more_than_the_speed_limit_are_not_taken,
    ),
)


@pytest.mark.parametrize("bug", BUGS, ids=lambda bug: bug.name)
def test_a_planted_bug_is_found(bug: Bug, tmp_path: Path) -> None:
    assert_bug_found(tmp_path / "image", bug.file, bug.text, bug.planted, bug.check)


CHECKS = tuple(dict.fromkeys(bug.check for bug in BUGS))


@pytest.mark.parametrize("check", CHECKS, ids=lambda check: check.__name__)
def test_an_image_without_a_bug_passes(check: Callable[[], None], tmp_path: Path) -> None:
    image = tmp_path / "image"
    write_image(image)
    with other_image(image):
        check()
