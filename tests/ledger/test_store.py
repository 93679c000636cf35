"""Where a ledger is."""

from __future__ import annotations

from pathlib import Path

import pytest

from route_run.errors import LedgerError
from route_run.ledger import default_url, path_of


@pytest.mark.parametrize(
    ("environ", "url"),
    [
        ({"ROUTE_RUN_LEDGER": "sqlite:////var/l.db", "HOME": "/h"}, "sqlite:////var/l.db"),
        ({"ROUTE_RUN_LEDGER": "", "HOME": "/h"}, "sqlite:////h/.local/state/route-run/ledger.sqlite3"),
        ({"XDG_STATE_HOME": "/s", "HOME": "/h"}, "sqlite:////s/route-run/ledger.sqlite3"),
        ({"XDG_STATE_HOME": "", "HOME": "/h"}, "sqlite:////h/.local/state/route-run/ledger.sqlite3"),
        ({"HOME": "/h"}, "sqlite:////h/.local/state/route-run/ledger.sqlite3"),
    ],
)
def test_the_ledger_is_where_the_environment_says_or_in_the_state_folder(environ: dict[str, str], url: str) -> None:
    assert default_url(environ) == url


def test_a_relative_state_folder_is_ignored_as_its_standard_says() -> None:
    # XDG Base Directory Specification: "all paths must be absolute; … a relative path … ignore"
    assert (
        default_url({"XDG_STATE_HOME": "state", "HOME": "/h"}) == "sqlite:////h/.local/state/route-run/ledger.sqlite3"
    )


@pytest.mark.parametrize(
    ("url", "path"), [("sqlite:////var/l.db", "/var/l.db"), ("sqlite:///l.db", "l.db"), ("sqlite:///a b.db", "a b.db")]
)
def test_a_url_names_a_file(url: str, path: str) -> None:
    assert path_of(url) == Path(path)


@pytest.mark.parametrize(
    "url",
    ["", "sqlite:///", "sqlite://", "sqlite:/x", "ledger.db", "/var/l.db", "postgresql://u:secret@h/d", "memory:"],
)
def test_a_url_that_names_no_file_is_refused_without_showing_what_it_holds(url: str) -> None:
    with pytest.raises(LedgerError, match="a ledger is `sqlite:///FILE` in this release") as raised:
        path_of(url)
    assert "secret" not in str(raised.value)
