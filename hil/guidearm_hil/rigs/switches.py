"""What switches inputs and power on a desk: modem lines of serial adapters, or a person."""

from __future__ import annotations

import contextlib
from collections.abc import Iterable
from typing import Protocol

import click
import serial

from guidearm_hil.errors import RigError
from guidearm_hil.rigs.desk import ModemLine


class Switch(Protocol):
    """Something that is active or not."""

    def set(self, active: bool) -> None:
        """Make it so; raises RigError. A person takes their time over it."""
        ...


class Adapters:
    """Serial adapters whose modem lines switch something."""

    def __init__(self, wired: Iterable[tuple[ModemLine, bool]]) -> None:
        """Open each adapter once, its lines active or not as given beside them.

        Raises RigError if one cannot be opened. When it is closed its lines are cleared.
        """
        self._open: dict[str, serial.SerialBase] = {}
        lines = list(wired)
        try:
            for adapter in dict.fromkeys(line.adapter for line, _ in lines):
                self._open[adapter] = self._opened(adapter, lines)
        except BaseException:
            self.close()
            raise

    def _opened(self, adapter: str, lines: list[tuple[ModemLine, bool]]) -> serial.SerialBase:
        try:
            device = serial.serial_for_url(adapter, do_not_open=True, exclusive=True)
            # before it is open: it would set both lines by itself
            device.rts = device.dtr = False
            for line, active in lines:
                if line.adapter == adapter:
                    _put(device, line, active)
            device.open()
        except (serial.SerialException, OSError, ValueError) as error:
            raise RigError(f"adapter {adapter} cannot be opened: {error}") from None
        return device

    def switch(self, line: ModemLine) -> Switch:
        """Return the switch that a line of an opened adapter is."""
        return _LineSwitch(self._open[line.adapter], line)

    def close(self) -> None:
        """Give the adapters back."""
        for device in self._open.values():
            with contextlib.suppress(serial.SerialException, OSError):  # it is gone already
                device.close()
        self._open.clear()


def _put(device: serial.SerialBase, line: ModemLine, active: bool) -> None:
    state = active == line.active_set
    if line.line == "RTS":
        device.rts = state
    else:
        device.dtr = state


class _LineSwitch:
    def __init__(self, device: serial.SerialBase, line: ModemLine) -> None:
        self._device = device
        self._line = line

    def set(self, active: bool) -> None:
        try:
            _put(self._device, self._line, active)
        except (serial.SerialException, OSError) as error:
            raise RigError(
                f"{self._line.line} of adapter {self._line.adapter} cannot be switched: {error}"
            ) from None


class PersonSwitch:
    """A person at the terminal, who is told while joints move and waited for while they rest."""

    def __init__(self, what: str) -> None:
        """Ask for `what`, such as `the emergency button`."""
        self._what = what
        self._active = False

    def set(self, active: bool) -> None:
        """Ask to activate it, at once, while the move goes on; or to release it, and wait."""
        if active and not self._active:
            click.echo(f"\a>>> NOW: press {self._what}, and keep it pressed", err=True)
        elif self._active and not active:
            wait_for_enter(f"\a>>> release {self._what}, then press Enter")
        self._active = active


def wait_for_enter(text: str) -> None:
    """Wait until somebody has pressed Enter; Ctrl-C is KeyboardInterrupt as everywhere."""
    try:
        click.prompt(text, default="", show_default=False, prompt_suffix=" ", err=True)
    except click.Abort:
        raise KeyboardInterrupt from None


def agree(text: str) -> bool:
    """Return whether somebody says yes."""
    try:
        return click.confirm(text, err=True)
    except click.Abort:
        raise KeyboardInterrupt from None
