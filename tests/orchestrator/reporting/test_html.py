"""The HTML report is one well-formed file that says first what was found, and in a browser overflows no phone."""

from __future__ import annotations

import html
import json
import os
import re
import shutil
import subprocess
from collections.abc import Callable
from pathlib import Path
from xml.etree import ElementTree

import pytest

from orchestrator.reporting.html import to_html
from orchestrator.reporting.report_model import Report
from tests.support.html_page import Page
from tests.support.report_cases import CASES, HOSTILE, finished, hostile, under_way, unstarted
from trainables.storage.store import LocalStore

MEASURE = """
const page = document.querySelector('iframe').contentDocument;
const wide = [...page.querySelectorAll('body *')]
  .filter(element => !element.closest('.scroll, pre, svg') && element.getBoundingClientRect().right > WIDTH + 1)
  .map(element => element.outerHTML.slice(0, 80));
const boxes = [...page.querySelectorAll('.scroll')].filter(box => box.getBoundingClientRect().right > WIDTH + 1);
const found = JSON.stringify([page.documentElement.scrollWidth, wide, boxes.length]);
document.body.innerHTML = '<pre></pre>';
document.querySelector('pre').textContent = found;
"""


@pytest.fixture
def chromium() -> str:
    found = next(filter(None, map(shutil.which, ("chromium", "chromium-browser", "google-chrome"))), None)
    if found is None:
        reason = "no Chromium is installed (Debian: apt-get install chromium)"
        if "CI" in os.environ:
            pytest.fail(reason)
        pytest.skip(reason)
    return found


@pytest.mark.browser
@pytest.mark.parametrize("width", [360, 390, 1280])
@pytest.mark.parametrize("case", [finished, under_way, hostile])
def test_page_has_no_horizontal_overflow(
    case: Callable[[LocalStore], Report], width: int, chromium: str, tmp_path: Path
) -> None:
    """The page stands in a frame of this width, all folds open, and is measured there."""
    page = to_html(case(LocalStore(tmp_path / "storage"))).replace("<details", "<details open")
    frame = f'<iframe srcdoc="{html.escape(page)}" style="width: {width}px; height: 4000px; border: 0"></iframe>'
    script = MEASURE.replace("WIDTH", str(width))
    shown = tmp_path / "shown.html"
    shown.write_text(f"<!doctype html><body>{frame}<script>onload = () => {{{script}}}</script></body>")
    scroll_width, wide, boxes = json.loads(_pre(shown, chromium, tmp_path))
    assert wide == []
    assert boxes == 0
    assert 0 < scroll_width <= width


@pytest.mark.browser
def test_a_click_on_a_head_sorts_the_arms_by_that_column_and_priors_stay_below(
    store: LocalStore, chromium: str, tmp_path: Path
) -> None:
    click = """
const table = document.getElementById("scores"), heads = [...table.tHead.rows[0].cells];
const names = () => [...table.tBodies[0].rows].map(row => row.cells[0].textContent);
const orders = [names()];
for (let i = 0; i < 3; i++) { heads[2].querySelector("button").click(); orders.push(names()); }
document.body.innerHTML = "<pre></pre>";
document.querySelector("pre").textContent = JSON.stringify(orders);
"""
    shown = tmp_path / "shown.html"
    shown.write_text(to_html(finished(store)).replace("</body>", f"<script>{click}</script></body>"))
    written, descending, ascending, again = json.loads(_pre(shown, chromium, tmp_path))
    arms = ["base", "resolution=32px", "resolution=16px"]
    assert written[:3] == again[:3] == arms
    assert descending[2] == ascending[0] == "resolution=16px"  # of the lowest score on shape
    assert {*written[3:]} == {*descending[3:]} == {*ascending[3:]}
    assert not {*written[3:]} & {*arms}


def _pre(page: Path, chromium: str, folder: Path) -> str:
    """Open a page in the browser and return what its scripts have left in a `pre`."""
    flags = ["--headless=new", "--no-sandbox", "--disable-gpu", "--no-first-run", "--disable-background-networking"]
    command = [chromium, *flags, f"--user-data-dir={folder / 'profile'}", "--dump-dom", page.as_uri()]
    dumped = subprocess.run(command, capture_output=True, text=True, timeout=120, check=True).stdout
    return html.unescape(dumped.split("<pre>")[1].split("</pre>")[0])


@pytest.mark.browser
def test_names_of_arms_are_not_broken_into_letters_on_a_phone(store: LocalStore, chromium: str, tmp_path: Path) -> None:
    measure = """
const frame = document.querySelector("iframe").contentDocument;
const heads = [...frame.querySelectorAll('tbody th[scope="row"]')].filter(head => head.textContent);
const found = heads.map(head => [head.textContent, head.getBoundingClientRect().height / 1.4 / 14]);
document.body.innerHTML = "<pre></pre>";
document.querySelector("pre").textContent = JSON.stringify(found);
"""
    framed = html.escape(to_html(finished(store)))
    shown = tmp_path / "shown.html"
    frame = f'<iframe srcdoc="{framed}" style="width: 390px; height: 4000px; border: 0"></iframe>'
    shown.write_text(f"<!doctype html><body>{frame}<script>onload = () => {{{measure}}}</script></body>")
    lines = [n for name, n in json.loads(_pre(shown, chromium, tmp_path)) if name.startswith("resolution=")]
    assert lines
    assert max(lines) < 5  # a letter a line makes 15


@pytest.mark.parametrize("case", CASES)
def test_html_is_well_formed_and_needs_nothing_from_elsewhere(case: str, store: LocalStore) -> None:
    page = to_html(CASES[case](store))
    parsed = Page(page)
    assert parsed.open == []
    assert [attributes for tag, attributes in parsed.elements if tag == "script"] == [{}]
    for tag, attributes in parsed.elements:
        assert not {"src", "srcset", "onload", "onclick"} & set(attributes), (tag, attributes)
        assert str(attributes.get("href", "#")).startswith("#")
    assert not re.search(r"url\(|@import|https?://", page)
    for svg in re.findall(r"<svg.*?</svg>", page, re.DOTALL):
        ElementTree.fromstring(svg)


def test_html_says_first_what_was_asked_and_found_how_surely_and_what_would_decide(store: LocalStore) -> None:
    text = Page(to_html(finished(store))).text
    first = text[: text.index("Every arm against the base")]
    assert "Does resolution help?" in first
    assert "Of 3 claims, 1 holds, 1 does not hold and 1 is open." in first
    found = r"resolution=16px scores 40\.\d points lower than base on shape\."
    sure = r"95 % interval -4\d\.\d to -3\d\.\d; p < \.0001 \(Holm\); 3 seeds; 400 examples"
    assert re.search(rf"holds Small pictures hide shapes {found} {sure}", first)
    assert re.search(rf"does not hold Small pictures help {found} {sure}", first)
    undecided = (
        r"Not decided: resolution=32px may score from 0\.\d points? lower to \d\.\d points? higher than base "
        r"in the mean over shape and colour\."
    )
    assert re.search(rf"open Half the resolution is better {undecided}", first)
    assert "To decide it:" in first
    assert "2.3 core-minutes; 30 % saved by sharing equal work" in first


def test_html_figures_have_text_alternatives(store: LocalStore) -> None:
    """A label that says the numbers; or, for a line of a table, the numbers in the same line."""
    page = to_html(finished(store))
    drawings = [attributes for tag, attributes in Page(page).elements if tag == "svg"]
    spoken = [attributes["aria-label"] for attributes in drawings if attributes.get("role") == "img"]
    assert all(attributes.get("aria-hidden") == "true" or attributes.get("aria-label") for attributes in drawings)
    assert any(label and label.startswith("Mean score against resolution: 16px ") for label in spoken)
    assert any(label and label.startswith("Mean score against core-seconds of one trial. Not") for label in spoken)
    drawn = [row for row in re.findall(r"<tr>.*?</tr>", page, re.DOTALL) if "<circle" in row]
    assert len(drawn) == 2 + 3  # arms against the base, seeds of all arms
    assert all(re.search(r"<td>[^<]*\d\.\d", row) for row in drawn)


def test_html_before_anything_ran_says_so(store: LocalStore) -> None:
    text = Page(to_html(unstarted(store))).text
    assert "Nothing is scored yet" in text
    assert "0 of 6 trials are done (6 pending)" in text
    assert "missing" in text


def test_html_shows_hostile_names_as_text(store: LocalStore) -> None:
    page = to_html(hostile(store))
    assert page.count("<script") == 1  # the page's own, which has no name in it
    assert "alert" not in page[page.index("<script") :]
    assert HOSTILE in Page(page).text


@pytest.mark.browser
def test_below_a_table_that_is_wider_than_the_page_it_says_so(store: LocalStore, chromium: str, tmp_path: Path) -> None:
    measure = """
const frame = document.querySelector("iframe").contentDocument;
const found = [...frame.querySelectorAll(".scroll")].map(box =>
  [box.scrollWidth > box.clientWidth + 1, !box.nextElementSibling.hidden, box.nextElementSibling.textContent]);
document.body.innerHTML = "<pre></pre>";
document.querySelector("pre").textContent = JSON.stringify(found);
"""
    framed = html.escape(to_html(finished(store)).replace("<details", "<details open"))
    shown = tmp_path / "shown.html"
    frame = f'<iframe srcdoc="{framed}" style="width: 390px; height: 4000px; border: 0"></iframe>'
    shown.write_text(f"<!doctype html><body>{frame}<script>onload = () => {{{measure}}}</script></body>")
    found = json.loads(_pre(shown, chromium, tmp_path))
    assert any(goes_on for goes_on, _, _ in found)
    assert [says for _, says, _ in found] == [goes_on for goes_on, _, _ in found]
    assert all(text == "The table goes on to the right: scroll it." for _, _, text in found)
