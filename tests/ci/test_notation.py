"""The notation of CI systems: hostile texts stay texts."""

from __future__ import annotations

from xml.etree import ElementTree as ET

import pytest

from route_run.ci import Case, Failure, Suite, command, document


@pytest.mark.parametrize(
    ("message", "said"),
    [
        ("plain", "plain"),
        ("100%", "100%25"),
        ("one\ntwo", "one%0Atwo"),
        ("a\r\n::error::b", "a·%0A::error::b"),
        ("\x1b[31m", "·[31m"),
        ("##[group]", "#·[group]"),
    ],
)
def test_a_message_ends_no_command_and_begins_none(message, said):
    assert command("error", {"line": "1"}, message) == f"::error line=1::{said}"


def test_a_property_holds_neither_separator_nor_line_break():
    assert command("notice", {"file": "a,b:c\n.yaml", "line": "2"}, "x") == "::notice file=a%2Cb%3Ac·.yaml,line=2::x"


HOSTILE = "<&\"'>\x00\x1b\ufffe\ud800]]>"


def test_a_document_holds_whatever_is_said_and_stays_xml():
    case = Case({"name": HOSTILE}, [Failure(HOSTILE, "error", f"{HOSTILE}\n\tmore")], output=HOSTILE)

    text = document("all", {"tests": "1"}, [Suite(HOSTILE, {"tests": "1"}, [case])])
    root = ET.fromstring(text.encode())

    shown = "<&\"'>····]]>"
    (failure,) = root.iter("failure")
    assert failure.text == f"{shown}\n\tmore"
    assert failure.get("message") == shown
    assert [found.text for found in root.iter("system-out")] == [shown]
    assert root[0].get("name") == root[0][0].get("name") == shown


def test_a_case_without_failures_passes():
    root = ET.fromstring(document("all", {}, [Suite("a", {}, [Case({"name": "b"})])]))

    assert [list(case) for case in root.iter("testcase")] == [[]]
