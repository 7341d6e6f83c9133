"""The HTML report in a real browser: nothing overflows a phone."""

from __future__ import annotations

import html
import json
import os
import shutil
import subprocess
from collections.abc import Callable
from pathlib import Path

import pytest

from orchestrator.reporting.html import to_html
from orchestrator.reporting.report_model import Report
from tests.support.report_cases import finished, hostile, under_way
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
    flags = ["--headless=new", "--no-sandbox", "--disable-gpu", "--no-first-run", "--disable-background-networking"]
    command = [chromium, *flags, f"--user-data-dir={tmp_path / 'profile'}", "--dump-dom", shown.as_uri()]
    dumped = subprocess.run(command, capture_output=True, text=True, timeout=120, check=True).stdout
    scroll_width, wide, boxes = json.loads(html.unescape(dumped.split("<pre>")[1].split("</pre>")[0]))
    assert wide == []
    assert boxes == 0
    assert 0 < scroll_width <= width
