"""Take pictures of a study in MLflow with a real browser: python docs/screenshot.py STORAGE STUDY FOLDER [VIEW ...]

Serves the embedded tracking database of a storage root on loopback, opens each saved view of the study in headless
Chromium through the DevTools protocol, waits until it shows what is expected, and writes what the browser shows. Every
view is opened in a fresh browser, as by somebody who got the link.
"""

from __future__ import annotations

import argparse
import asyncio
import base64
import io
import json
import os
import shutil
import signal
import socket
import subprocess
import sys
import tempfile
import time
import urllib.error
import urllib.request
from collections.abc import AsyncIterator, Iterator, Mapping, Sequence
from contextlib import asynccontextmanager, contextmanager
from pathlib import Path
from types import MappingProxyType
from typing import Any, NamedTuple

import aiohttp
from PIL import Image

from orchestrator.tracking.pages import view_url
from orchestrator.tracking.saved_views import View
from orchestrator.tracking.view_tags import TAG_PREFIX, decoded

FLAGS = (
    "--headless=new",
    "--no-sandbox",  # as root in a container there is none to be had
    "--disable-gpu",
    "--disable-quic",
    "--disable-dev-shm-usage",
    "--no-first-run",
    "--disable-background-networking",
    "--disable-component-update",
    "--disable-sync",
    "--hide-scrollbars",
    "--remote-debugging-port=0",
)
WIDTH = 1400
START_S = 120.0
"""For a server or a browser to start on a busy machine."""

CLOSE_ASSISTANT = """
localStorage.setItem('mlflow.assistant.fab.autoOpenedOnFirstLoad_v1', 'true');
localStorage.setItem('mlflow.assistant.panelOpen_v1', 'false');
"""
"""MLflow opens a chat over a quarter of the page when a browser sees it for the first time."""

REST_S = 1.5
"""Between two pictures that must be the same before a page counts as drawn."""

PAGE_S = 90.0
"""For a page to show what is waited for."""


ALL_TEXT = """
(document.body ? document.body.innerText : '') + '\\n'
    + [...document.querySelectorAll('svg text')].map(text => text.textContent).join('\\n')
"""
"""Text of the page and of its charts."""


class Shown(NamedTuple):
    """Page as the browser shows it."""

    text: str
    charts: int
    """Charts that have drawn something."""
    png: bytes


def find_chromium() -> str | None:
    """Find the path of an installed Chromium, or None."""
    return next(filter(None, map(shutil.which, ("chromium", "chromium-browser", "google-chrome"))), None)


@contextmanager
def served(
    database: Path, port: int | None = None, environment: Mapping[str, str] = MappingProxyType({})
) -> Iterator[str]:
    """Serve an MLflow database; yields the server's address.

    Args:
        database: of SQLite; made if it is not there.
        port: of loopback; a free one if None.
        environment: variables that the server has beside those of this process.
    """
    port = port or _free_port()
    command = [sys.executable, "-m", "mlflow", "server", "--backend-store-uri", f"sqlite:///{database}"]
    command += ["--host", "127.0.0.1", "--port", str(port), "--workers", "1"]
    settings = {"MLFLOW_DISABLE_TELEMETRY": "true", "MLFLOW_SERVER_ENABLE_JOB_EXECUTION": "false"}
    with tempfile.TemporaryDirectory() as folder, (Path(folder) / "server.log").open("w+") as log:
        server = subprocess.Popen(  # a session of its own, since it starts workers that must end with it
            command,
            cwd=folder,
            env={**os.environ, **settings, **environment},
            stdout=log,
            stderr=log,
            start_new_session=True,
        )
        try:
            address = f"http://127.0.0.1:{port}"
            if not _answers(f"{address}/health", server):
                log.seek(0)
                raise RuntimeError(f"the MLflow server did not start:\n{log.read()}")
            yield address
        finally:
            _end(server)


def _free_port() -> int:
    with socket.socket() as probe:
        probe.bind(("127.0.0.1", 0))
        return int(probe.getsockname()[1])


def _answers(url: str, server: subprocess.Popen[bytes]) -> bool:
    deadline = time.monotonic() + START_S
    while time.monotonic() < deadline and server.poll() is None:
        try:
            with urllib.request.urlopen(url, timeout=5):
                return True
        except (urllib.error.URLError, ConnectionError, TimeoutError):
            time.sleep(0.2)
    return False


def _end(process: subprocess.Popen[bytes]) -> None:
    """End a process that leads a session, and all that it started."""
    for kind in (signal.SIGTERM, signal.SIGKILL):
        try:
            os.killpg(process.pid, kind)
        except ProcessLookupError:
            break
        try:
            process.wait(10)
        except subprocess.TimeoutExpired:
            continue
    process.wait()


class Page:
    """Page of a browser, controlled through the DevTools protocol."""

    def __init__(self, socket: aiohttp.ClientWebSocketResponse):
        self._socket = socket
        self._calls = 0

    async def call(self, method: str, **params: Any) -> dict[str, Any]:
        self._calls += 1
        await self._socket.send_json({"id": self._calls, "method": method, "params": params})
        while True:
            answer = await self._socket.receive_json(timeout=PAGE_S)
            if answer.get("id") != self._calls:
                continue  # an event
            if "error" in answer:
                raise RuntimeError(f"{method}: {answer['error']}")
            return dict(answer["result"])

    async def evaluate(self, script: str) -> Any:
        result = await self.call("Runtime.evaluate", expression=script, returnByValue=True)
        return result["result"].get("value")

    async def wait_for(self, texts: Sequence[str]) -> str:
        """Wait until the page or its charts have each of these texts, and return all of its text."""
        deadline = time.monotonic() + PAGE_S
        while True:
            text = str(await self.evaluate(ALL_TEXT))
            missing = [wanted for wanted in texts if wanted not in text]
            if not missing:
                return text
            if time.monotonic() > deadline:
                raise TimeoutError(f"the page never showed {missing}, but:\n{text}")
            await asyncio.sleep(0.25)

    async def picture(self) -> bytes:
        """Take a picture of the page once two in a row are the same: while something is loading, something moves."""
        deadline, before = time.monotonic() + PAGE_S, ""
        while True:
            shot = str((await self.call("Page.captureScreenshot", format="png"))["data"])
            if shot == before or time.monotonic() > deadline:
                return _small(base64.b64decode(shot))
            before = shot
            await asyncio.sleep(REST_S)


def _small(png: bytes) -> bytes:
    """Reduce a picture to 128 colours: a third of the size."""
    packed = io.BytesIO()
    Image.open(io.BytesIO(png)).convert("RGB").quantize(128).save(packed, "PNG", optimize=True)
    return packed.getvalue()


@asynccontextmanager
async def browser(chromium: str, height: int) -> AsyncIterator[Page]:
    """Open a headless browser with one empty page and a temporary profile."""
    with tempfile.TemporaryDirectory(ignore_cleanup_errors=True) as profile:
        command = [chromium, *FLAGS, f"--window-size={WIDTH},{height}", f"--user-data-dir={profile}", "about:blank"]
        process = subprocess.Popen(
            command, stdout=subprocess.DEVNULL, stderr=subprocess.DEVNULL, start_new_session=True
        )
        try:
            port = await _debugging_port(Path(profile) / "DevToolsActivePort", process)
            async with aiohttp.ClientSession() as session:
                async with session.get(f"http://127.0.0.1:{port}/json/list") as answer:
                    targets = json.loads(await answer.text())
                address = next(target["webSocketDebuggerUrl"] for target in targets if target["type"] == "page")
                async with session.ws_connect(address, max_msg_size=0) as socket:
                    yield Page(socket)
        finally:
            _end(process)


async def _debugging_port(file: Path, process: subprocess.Popen[bytes]) -> int:
    deadline = time.monotonic() + START_S
    while time.monotonic() < deadline and process.poll() is None:
        if file.exists() and (lines := file.read_text().splitlines()):
            return int(lines[0])
        await asyncio.sleep(0.1)
    raise RuntimeError(f"{process.args!r} did not start")


async def show(chromium: str, url: str, texts: Sequence[str], height: int = 1000) -> Shown:
    """Open a page and wait until it shows all texts. MLflow draws only those charts that fit the height.

    Args:
        chromium: path of the browser.
        url: the page.
        texts: what must be shown, on the page or in its charts.
        height: of the browser's window, in px.

    Raises:
        TimeoutError: some text is not shown in time.
    """
    async with browser(chromium, height) as page:
        await page.call("Page.enable")
        await page.call("Page.addScriptToEvaluateOnNewDocument", source=CLOSE_ASSISTANT)
        await page.call("Page.navigate", url=url)
        text = await page.wait_for(texts)
        picture = await page.picture()
        charts = await page.evaluate("document.querySelectorAll('.js-plotly-plot .main-svg, .parcoords canvas').length")
        return Shown(text, int(charts), picture)


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0] if __doc__ else None)
    parser.add_argument("storage", type=Path)
    parser.add_argument("study")
    parser.add_argument("folder", type=Path)
    parser.add_argument("views", nargs="*", help="ids of views, such as 1-leaderboard; all of them if none is given")
    parser.add_argument("--height", type=int, default=1100, help="of the browser's window, in px")
    arguments = parser.parse_args()
    chromium = find_chromium()
    if chromium is None:
        raise SystemExit("no Chromium is installed (Debian: apt-get install chromium)")
    database = arguments.storage.resolve() / "tracking" / "mlflow.db"
    if not database.exists():
        raise SystemExit(f"{database}: there is no tracking database")
    with served(database) as address:
        for name, url in saved_views(address, arguments.study).items():
            if not arguments.views or name in arguments.views:
                shown = asyncio.run(show(chromium, url, ["matching run"], arguments.height))
                (arguments.folder / f"mlflow-{name}.png").write_bytes(shown.png)


def saved_views(address: str, study: str) -> dict[str, str]:
    """Read the links of a study's saved views from the server: short id -> URL."""
    url = f"{address}/api/2.0/mlflow/experiments/get-by-name?experiment_name={study}"
    with urllib.request.urlopen(url, timeout=30) as answer:
        experiment = json.load(answer)["experiment"]
    links = {}
    for tag in sorted(experiment["tags"], key=lambda tag: str(tag["key"])):
        if tag["key"].startswith(f"{TAG_PREFIX}ablate-"):
            id_ = tag["key"].removeprefix(TAG_PREFIX)
            state = decoded(tag["value"])
            table = id_ in ("ablate-6-failures", "ablate-8-arms")
            links[id_.removeprefix("ablate-")] = view_url(
                address, experiment["experiment_id"], View(id_, json.loads(tag["value"])["name"], state, not table)
            )
    return links


if __name__ == "__main__":
    main()
