"""The specification's generated parts are those of the message table."""

from __future__ import annotations

import pytest

from guidearm_protocol import messages
from guidearm_protocol.tables import README, main, renewed


def test_the_specification_is_up_to_date(capsys: pytest.CaptureFixture[str]) -> None:
    assert main([]) == 0, capsys.readouterr().err
    assert main(["--nonsense"]) == 2


def test_a_change_of_the_table_is_noticed(
    monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    monkeypatch.setattr(messages, "TURNAROUND_US", 251)
    assert main([]) == 1
    assert "tables --write" in capsys.readouterr().err


def test_every_message_and_field_is_in_the_specification() -> None:
    text = README.read_text(encoding="utf-8")
    for _, name, request, reply in messages.MESSAGES:
        assert f"#### {name} (" in text
        for field in (*request, *(reply or ())):
            assert f"| `{field[0]}` |" in text
    with pytest.raises(ValueError, match="generated parts"):
        renewed("<!-- begin numbers -->\n\n<!-- end numbers -->")
