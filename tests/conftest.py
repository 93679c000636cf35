"""Fixtures that every room's tests share."""

from __future__ import annotations

import os
from collections.abc import Callable, Iterator
from pathlib import Path

import pytest

from route_run.schema import keywords, quick
from route_run.schema.store import schema
from route_run.table import Loaded, load
from support.clocks import VIRTUAL_BACKENDS
from support.policies import write_policy


def pytest_addoption(parser: pytest.Parser) -> None:
    parser.addoption("--long", action="store_true", help="also run the proofs that take minutes")
    parser.addoption("--seeds", type=int, help="how many simulated worlds to play (2,000; with --long 20,000)")
    parser.addoption("--seed", type=int, help="play one simulated world and print what happened in it")
    parser.addoption("--soak", type=float, default=1.0, help="minutes that the soak test of --long runs")
    parser.addoption("--fuzz", type=int, metavar="COUNT", help="how many broken policies the fuzz test of lint makes")
    parser.addoption("--update-goldens", action="store_true", help="write golden files anew instead of comparing")


def pytest_collection_modifyitems(config: pytest.Config, items: list[pytest.Item]) -> None:
    if config.getoption("--long"):
        return
    long = [item for item in items if item.get_closest_marker("long")]
    config.hook.pytest_deselected(items=long)
    items[:] = [item for item in items if item not in long]


def pytest_terminal_summary(terminalreporter: pytest.TerminalReporter) -> None:
    for report in terminalreporter.stats.get("skipped", ()) if os.environ.get("CI") else ():
        terminalreporter.write_line(f"CI forbids to skip {report.nodeid}: {report.longrepr}", red=True)


def pytest_sessionfinish(session: pytest.Session, exitstatus: int) -> None:
    """CI is where every test has to run: what a test needs is installed there, or the test brings it."""
    reporter = session.config.pluginmanager.get_plugin("terminalreporter")
    if os.environ.get("CI") and reporter is not None and reporter.stats.get("skipped"):
        session.exitstatus = pytest.ExitCode.TESTS_FAILED


@pytest.fixture(params=["asyncio", "trio"])
def anyio_backend(request: pytest.FixtureRequest) -> object:
    """Every async test runs on both; one that asks for ``virtual_time`` runs on virtual clocks."""
    if "virtual_time" in request.fixturenames:
        return VIRTUAL_BACKENDS[request.param]()
    return request.param


@pytest.fixture
def virtual_time() -> None:
    """Asking for it makes the event loop's clock jump over every wait."""


@pytest.fixture
def restart_deferred(monkeypatch: pytest.MonkeyPatch) -> Iterator[None]:
    """The language ahead of the release by one field, `after_content`: read, but not enforced."""
    fields = schema("policy")["$defs"]["upstream"]["properties"]["fallback"]["properties"]
    monkeypatch.setitem(fields["after_content"], "x-deferred", True)
    cached = (quick._judge_for, keywords.validator_for)
    for made in cached:
        made.cache_clear()
    yield
    for made in cached:
        made.cache_clear()


@pytest.fixture
def policy_of(tmp_path: Path) -> Callable[..., Loaded]:
    """Loads a policy from texts: ``policy_of("version: 1 …")`` or ``policy_of({"a.yaml": …, "b.json": …})``."""

    def loaded(files: str | dict[str, str]) -> Loaded:
        return load([write_policy(tmp_path / "policy", files)])

    return loaded


@pytest.fixture
def golden(request: pytest.FixtureRequest) -> Callable[[str, Path], None]:
    """Compares a text with a golden file; ``--update-goldens`` writes it anew."""

    def compare(text: str, path: Path) -> None:
        if request.config.getoption("--update-goldens"):
            path.parent.mkdir(parents=True, exist_ok=True)
            path.write_text(text, encoding="utf-8")
        assert text == path.read_text(encoding="utf-8"), f"differs from {path}; see it, then --update-goldens"

    return compare


@pytest.fixture(autouse=True)
def no_environment(monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> None:
    """No test sees the settings of whoever runs it, or writes into their ledger."""
    for name in [name for name in os.environ if name.startswith("ROUTE_RUN_")]:
        monkeypatch.delenv(name)
    monkeypatch.setenv("XDG_STATE_HOME", str(tmp_path / "state"))
