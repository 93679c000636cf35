"""A headless Chromium, driven through a pipe: opens a page, presses keys, clicks, looks, takes pictures."""

from __future__ import annotations

import base64
import json
import os
import shutil
import subprocess
import tempfile
import time
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Any

PROGRAMS = ("chromium", "chromium-browser", "google-chrome", "google-chrome-stable")
_SECONDS = 30
_KEYS = {"Enter": 13, " ": 32, "Escape": 27, "ArrowDown": 40, "ArrowUp": 38, "Tab": 9, "End": 35, "Home": 36}


def program() -> str | None:
    """The path of a Chromium on this machine."""
    return next((path for name in PROGRAMS if (path := shutil.which(name))), None)


class Page:
    """One page; what it logs as an error or refuses by its own policy is in ``complaints``."""

    def __init__(self, to_browser: int, from_browser: int) -> None:
        self._to, self._from = to_browser, from_browser
        self._left, self._count, self._session = b"", 0, ""
        self.complaints: list[str] = []
        self.requested: list[str] = []

    def start(self, width: int, height: int) -> None:
        target = self.call("Target.createTarget", url="about:blank")["targetId"]
        self._session = self.call("Target.attachToTarget", targetId=target, flatten=True)["sessionId"]
        for domain in ("Page", "Runtime", "Log", "Network"):
            self.call(f"{domain}.enable")
        self.call("Emulation.setDeviceMetricsOverride", width=width, height=height, deviceScaleFactor=1, mobile=False)

    def open(self, path: Path) -> None:
        """Open a file and wait until it has loaded."""
        self.call("Page.navigate", url=path.as_uri())
        deadline = time.monotonic() + _SECONDS
        while self.value("document.readyState") != "complete" or self.value("location.href") == "about:blank":
            assert time.monotonic() < deadline, "the page does not load"
            time.sleep(0.02)
        self.settle()

    def settle(self) -> None:
        """Wait for two frames, so that what was asked for is drawn."""
        self.value("new Promise(done => requestAnimationFrame(() => requestAnimationFrame(() => done(1))))")

    def value(self, expression: str) -> Any:
        """What an expression is in the page."""
        done = self.call("Runtime.evaluate", expression=expression, returnByValue=True, awaitPromise=True)
        assert "exceptionDetails" not in done, done
        return done["result"].get("value")

    def click(self, selector: str) -> None:
        """Click into the middle of the first element that a selector finds."""
        box = self.value(f"(() => {{ const b = document.querySelector({json.dumps(selector)}).getBoundingClientRect();"
                         " return [b.x + b.width / 2, b.y + b.height / 2]; })()")  # fmt: skip
        for kind in ("mousePressed", "mouseReleased"):
            self.call("Input.dispatchMouseEvent", type=kind, x=box[0], y=box[1], button="left", clickCount=1)
        self.settle()

    def press(self, *keys: str) -> None:
        """Press keys one after another; a text of one letter types it."""
        for key in keys:
            code = {"key": key, "windowsVirtualKeyCode": _KEYS.get(key, ord(key[0].upper()))}
            typed = {"text": key} if len(key) == 1 else {}
            self.call("Input.dispatchKeyEvent", type="keyDown", **code, **typed)
            self.call("Input.dispatchKeyEvent", type="keyUp", **code)
        self.settle()

    def prefer(self, scheme: str) -> None:
        """Tell the page which colours the system prefers."""
        features = [{"name": "prefers-color-scheme", "value": scheme}]
        self.call("Emulation.setEmulatedMedia", features=features)
        self.settle()

    def picture(self, path: Path) -> None:
        """Write what is to be seen as PNG."""
        path.write_bytes(base64.b64decode(self.call("Page.captureScreenshot", format="png")["data"]))

    def call(self, method: str, **parameters: Any) -> dict[str, Any]:
        self._count += 1
        message = {"id": self._count, "method": method, "params": parameters}
        if self._session:
            message["sessionId"] = self._session
        os.write(self._to, json.dumps(message).encode() + b"\0")
        while True:
            answer = self._read()
            if answer.get("id") == self._count:
                assert "error" not in answer, answer
                return answer["result"]

    def _read(self) -> dict[str, Any]:
        while b"\0" not in self._left:
            piece = os.read(self._from, 1 << 20)
            assert piece, "the browser has ended"
            self._left += piece
        text, _, self._left = self._left.partition(b"\0")
        message = json.loads(text)
        self._hear(message.get("method"), message.get("params", {}))
        return message

    def _hear(self, method: str | None, about: dict[str, Any]) -> None:
        if method == "Runtime.exceptionThrown":
            self.complaints.append(json.dumps(about["exceptionDetails"]))
        elif method == "Log.entryAdded":
            self.complaints.append(about["entry"]["text"])
        elif method == "Network.requestWillBeSent":
            self.requested.append(about["request"]["url"])


@contextmanager
def browser(width: int = 1440, height: int = 900) -> Iterator[Page]:
    """A page in a browser of its own, with a profile that is thrown away."""
    path = program()
    assert path is not None, "no Chromium on this machine"
    (hear, to_browser), (from_browser, say) = os.pipe(), os.pipe()

    with tempfile.TemporaryDirectory(ignore_cleanup_errors=True) as profile:
        flags = ["--headless=new", "--no-sandbox", "--disable-gpu", "--disable-dev-shm-usage", "--no-first-run",
                 "--remote-debugging-pipe", f"--user-data-dir={profile}", "--hide-scrollbars"]  # fmt: skip
        # the browser reads orders from its descriptor 3 and writes answers to 4
        command = ["bash", "-c", f'exec "$@" 3<&{hear} 4>&{say}', "bash", path, *flags]
        process = subprocess.Popen(command, pass_fds=(hear, say), stdout=subprocess.DEVNULL, stderr=subprocess.DEVNULL)
        os.close(hear)
        os.close(say)
        try:
            page = Page(to_browser, from_browser)
            page.start(width, height)
            yield page
        finally:
            process.kill()
            process.wait()
            os.close(to_browser)
            os.close(from_browser)
