"""The page of a policy in a real browser: keyboard and pointer, dark and light, few routes and many."""

from __future__ import annotations

import json
from collections.abc import Iterator
from pathlib import Path

import pytest

from route_run.review.picture import picture
from route_run.review.picture.html import as_html
from route_run.table import load
from support import browser
from support.policies import BASE, write_policy

pytestmark = [
    pytest.mark.long,
    pytest.mark.skipif(browser.program() is None, reason="needs a Chromium on this machine"),
]
ROUTES = Path(__file__).parents[2] / "routes"
MANY = 300
BACKGROUND = "getComputedStyle(document.body).backgroundColor"


def page_of(folder: Path, where: Path) -> Path:
    file = where / "policy.html"
    file.write_text(as_html(picture(load([folder]))), encoding="utf-8")
    return file


@pytest.fixture
def page(tmp_path: Path) -> Iterator[browser.Page]:
    """The example policy, opened."""
    with browser.browser() as found:
        found.open(page_of(ROUTES, tmp_path))
        yield found
        assert found.complaints == []
        assert [url for url in found.requested if not url.startswith(("file:", "about:"))] == []


def test_a_click_on_a_route_shows_its_values_bounds_witness_and_worst(page: browser.Page) -> None:
    page.click('.route[data-route="1"]')
    text = page.value("document.getElementById('details').innerText")

    for words in ("support", "routes/routes.yaml:", "eu-stays-in-eu", "route-run explain PROMPT --tag desk=support",
                  "at most 4 exchanges", "is skipped", "Rehearsals".upper()):  # fmt: skip
        assert words in text


def test_everything_is_done_by_keyboard_alone(page: browser.Page) -> None:
    opened = "document.getElementById('details').hidden ? '' : document.querySelector('#details h2').textContent"
    page.press("/")
    assert page.value("document.activeElement.id") == "filter"
    page.press(*"every")
    assert page.value("[...document.querySelectorAll('.route')].filter(r => !r.hidden).length") == 1
    page.press("Escape")
    page.press("ArrowDown")
    page.press("Enter")
    assert page.value(opened) == "confidential"
    page.press("ArrowDown")
    assert page.value(opened) == "support"
    page.press("Escape")
    assert page.value(opened) == ""
    assert page.value("document.activeElement.dataset.route") == "1"
    page.press(" ")
    assert page.value(opened) == "support"


def test_every_target_is_wired_to_the_middle_of_its_endpoint(page: browser.Page) -> None:
    off = page.value("""(() => {
      const map = document.getElementById('map').getBoundingClientRect();
      const ends = [...document.querySelectorAll('#lines path')].map(p => p.getPointAtLength(0).y + map.top);
      const items = [...document.querySelectorAll('.route li')].map(i => i.getBoundingClientRect());
      return items.map(i => Math.min(...ends.map(y => Math.abs(y - i.top - i.height / 2))));
    })()""")

    assert len(off) == 10
    assert max(off) < 1


def test_colours_follow_the_system_and_the_button(page: browser.Page) -> None:
    page.prefer("light")
    light = page.value(BACKGROUND)
    page.prefer("dark")
    dark = page.value(BACKGROUND)
    assert light != dark
    page.click("#theme")
    assert page.value(BACKGROUND) == light
    page.click("#theme")
    page.prefer("light")
    assert page.value(BACKGROUND) == dark


def test_a_bound_shows_the_routes_that_it_touches(page: browser.Page) -> None:
    page.click('#bounds button[data-bound="1"]')

    assert page.value("document.querySelectorAll('.route.dim').length") == 0
    assert (
        page.value("document.querySelector('#bounds button[data-bound=\"1\"]').getAttribute('aria-pressed')") == "true"
    )


def test_hundreds_of_routes_stay_usable(tmp_path: Path) -> None:
    data = {
        "tags": {"tenant": {}},
        "routes": {f"t{n:03}": {"match": {"tags": {"tenant": f"x{n}"}}, "upstream": "main"} for n in range(MANY)},
    }
    folder = write_policy(tmp_path / "many", {"base.yaml": BASE, "more.yaml": json.dumps({"version": 1, **data})})
    with browser.browser() as page:
        page.open(page_of(folder, tmp_path))
        took = page.value("""(async () => {
          const began = performance.now();
          const field = document.getElementById('filter');
          field.value = 't27';
          field.dispatchEvent(new Event('input'));
          await new Promise(done => requestAnimationFrame(() => requestAnimationFrame(done)));
          return performance.now() - began;
        })()""")
        shown = page.value("[...document.querySelectorAll('.route')].filter(r => !r.hidden).length")
        page.press("/", "ArrowDown", "Enter")
        wires = page.value("document.querySelectorAll('#lines path').length")

    assert shown == 10
    assert took < 1000
    assert wires == 2


def test_a_hostile_policy_runs_nothing(tmp_path: Path) -> None:
    hostile = "</script><img src=x onerror=document.title=1><script>document.title=2</script><!--"
    data = {"routes": {"all": {"match": {}, "upstream": "main", "description": hostile, "owner": hostile}}}
    folder = write_policy(tmp_path / "bad", {"base.yaml": BASE, "more.yaml": json.dumps({"version": 1, **data})})
    with browser.browser() as page:
        page.open(page_of(folder, tmp_path))
        page.click(".route")

        assert page.value("document.title") == "Routing policy"
        assert hostile in page.value("document.getElementById('details').textContent")
        assert page.complaints == []
