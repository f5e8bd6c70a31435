"""Results as JUnit XML, in the form that pytest writes and CI servers read (xunit2)."""

from __future__ import annotations

import re
from collections.abc import Sequence
from pathlib import Path
from xml.etree import ElementTree

from guidearm.errors import InputError
from guidearm_hil.runner import FAILED, SKIPPED, Result
from guidearm_tools.bench.rows import row_table

_NO_XML = re.compile("[^\t\n\r\x20-\ud7ff\ue000-\ufffd\U00010000-\U0010ffff]")


def write_junit(path: Path, rig: str, results: Sequence[Result]) -> None:
    """Write one test suite, named by the rig; rows stand in each test case's output.

    Raises InputError if the file cannot be written.
    """
    suites = ElementTree.Element("testsuites")
    suite = ElementTree.SubElement(
        suites,
        "testsuite",
        name=rig,
        tests=str(len(results)),
        failures=str(_count(results, FAILED)),
        errors="0",
        skipped=str(_count(results, SKIPPED)),
        time=f"{sum(result.took_s for result in results):.3f}",
    )
    for result in results:
        case = ElementTree.SubElement(
            suite,
            "testcase",
            classname=f"guidearm_hil.{rig}",
            name=result.scenario.name,
            time=f"{result.took_s:.3f}",
        )
        reason = _NO_XML.sub("?", result.reason)
        if result.outcome == SKIPPED:
            ElementTree.SubElement(case, "skipped", type="guidearm_hil.skip", message=reason)
        elif result.outcome == FAILED:
            ElementTree.SubElement(case, "failure", message=reason).text = reason
        if result.rows:
            ElementTree.SubElement(case, "system-out").text = row_table(result.rows)
    ElementTree.indent(suites)
    try:
        with path.open("wb") as file:
            ElementTree.ElementTree(suites).write(file, "utf-8", xml_declaration=True)
    except OSError as error:
        raise InputError(f"{path} cannot be written: {error.strerror}") from None


def _count(results: Sequence[Result], outcome: str) -> int:
    return sum(result.outcome == outcome for result in results)
