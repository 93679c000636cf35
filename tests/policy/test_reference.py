"""References name a place and nothing else; secrets are never seen."""

from __future__ import annotations

import copy
import json
import logging
import pickle
import traceback
from dataclasses import dataclass

import pytest

from route_run.policy import Reference, Secret, Where
from route_run.policy.reference import is_reference, parse_reference

TEXT = "sk-live-4711"


@pytest.mark.parametrize(
    ("text", "reference"),
    [
        ("${NAME}", Reference(Where.ENVIRONMENT, "NAME")),
        ("${_x9}", Reference(Where.ENVIRONMENT, "_x9")),
        ("${file:/run/secrets/x}", Reference(Where.FILE, "/run/secrets/x")),
        ("${file:/a b/ä}", Reference(Where.FILE, "/a b/ä")),
        ("${file}", Reference(Where.ENVIRONMENT, "file")),
    ],
)
def test_a_reference_says_where_it_points_and_is_written_back_the_same(text, reference):
    assert parse_reference(text) == reference
    assert str(reference) == text


@pytest.mark.parametrize("text", ["", "NAME", "$NAME", "${NAME", "${}", "${9}", "x${NAME}", "${NAME}\n", "${file:x}"])
def test_any_other_text_is_no_reference(text):
    assert not is_reference(text)
    with pytest.raises(ValueError, match="not a reference"):
        parse_reference(text)


def test_references_are_equal_when_they_point_at_the_same_thing():
    assert {parse_reference("${A}"), parse_reference("${A}"), parse_reference("${file:/A}")} == {
        Reference(Where.ENVIRONMENT, "A"),
        Reference(Where.FILE, "/A"),
    }


# -- secrets -----------------------------------------------------------------------------------------


@dataclass(frozen=True)
class Holder:
    secret: Secret


def raised_with_a_secret() -> str:
    def inner(secret: Secret) -> None:
        local = secret
        raise ValueError(local)

    try:
        inner(Secret(TEXT))
    except ValueError as error:
        shown = traceback.TracebackException.from_exception(error, capture_locals=True)
        return "".join(shown.format())
    raise AssertionError


def logged() -> str:
    record = logging.LogRecord("x", logging.INFO, "x", 1, "%s %r", (Secret(TEXT), Secret(TEXT)), None)
    return logging.Formatter().format(record)


VIEWS = {
    "repr": lambda: repr(Secret(TEXT)),
    "str": lambda: str(Secret(TEXT)),
    "f-string": lambda: f"{Secret(TEXT)} {Secret(TEXT)!r} {Secret(TEXT)!s} {Secret(TEXT)!a}",
    "format": lambda: "{:>30}".format(Secret(TEXT)),  # noqa: UP032  # str.format itself is asked
    "percent": lambda: "%s %r" % (Secret(TEXT), Secret(TEXT)),  # noqa: UP031  # as logging does it
    "list": lambda: repr([Secret(TEXT)]),
    "dataclass": lambda: repr(Holder(Secret(TEXT))),
    "json default": lambda: json.dumps({"key": Secret(TEXT)}, default=str),
    "traceback": raised_with_a_secret,
    "log": logged,
    "hash": lambda: str(hash(Secret(TEXT))),
    "dir": lambda: repr(dir(Secret(TEXT))),
}


@pytest.mark.parametrize("view", VIEWS.values(), ids=[name.replace(" ", "-") for name in VIEWS])
def test_a_secret_is_not_seen(view):
    assert TEXT not in view()


def test_a_secret_shows_as_stars():
    assert f"{Secret(TEXT)}" == "***"


def test_json_does_not_write_a_secret():
    with pytest.raises(TypeError):
        json.dumps(Secret(TEXT))


@pytest.mark.parametrize("protocol", range(pickle.HIGHEST_PROTOCOL + 1))
def test_a_secret_is_not_pickled(protocol):
    with pytest.raises(TypeError, match="not pickled"):
        pickle.dumps(Secret(TEXT), protocol)


@pytest.mark.parametrize("copied", [copy.copy, copy.deepcopy])
def test_a_secret_is_not_copied_into_view(copied):
    try:
        result = copied(Secret(TEXT))
    except TypeError as error:
        result = error
    assert TEXT not in repr(result)


def test_a_secret_has_no_attributes_to_list():
    with pytest.raises(TypeError):
        vars(Secret(TEXT))


def test_a_secret_gives_its_text_to_whoever_asks_for_it_by_name():
    assert Secret(TEXT).reveal() == TEXT


def test_secrets_are_equal_by_their_text_and_unequal_to_it():
    assert Secret(TEXT) == Secret(TEXT)
    assert Secret(TEXT) != Secret("other")
    assert Secret(TEXT) != TEXT
    assert len({Secret(TEXT), Secret(TEXT)}) == 1
