"""A headless Chromium that reaches this machine alone, by the W3C WebDriver protocol: open a page, run a script, …"""

import json
import re
import shutil
import subprocess
from base64 import b64decode
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Any
from urllib.request import Request, urlopen

DRIVER = shutil.which("chromedriver")
BROWSER = shutil.which("chromium") or shutil.which("google-chrome")
ATTEMPTS = 3  # to start the driver
MISSING = "" if DRIVER and BROWSER else "neither chromium nor google-chrome with its chromedriver is on the PATH"
ARGUMENTS = ["--headless=new", "--no-sandbox", "--disable-gpu", "--window-size=1150,900"]
OFFLINE = "--host-resolver-rules=MAP *.example 127.0.0.1, MAP * ~NOTFOUND, EXCLUDE 127.0.0.1"  # any other name is none


class Browser:
    def __init__(self, driver: str) -> None:
        self._driver = driver
        options = {"binary": BROWSER, "args": [*ARGUMENTS, OFFLINE]}
        wanted = {"goog:chromeOptions": options, "goog:loggingPrefs": {"browser": "ALL"}}
        self._session = f"session/{self._post('session', capabilities={'alwaysMatch': wanted})['sessionId']}"

    def open(self, page: Path | str) -> None:
        """A file or an address."""
        self._post(f"{self._session}/url", url=page.absolute().as_uri() if isinstance(page, Path) else page)

    @property
    def address(self) -> str:
        return str(self._call(f"{self._session}/url", "GET"))

    def run(self, script: str) -> Any:
        """What the script returns."""
        return self._post(f"{self._session}/execute/sync", script=script, args=[])

    def wait(self, script: str) -> Any:
        """What the script hands to `done`, which it is to call."""
        return self._post(f"{self._session}/execute/async", script=f"const done = arguments[0]; {script}", args=[])

    def console(self) -> list[str]:
        """What the page has said there, errors of loading included."""
        return [entry["message"] for entry in self._post(f"{self._session}/se/log", type="browser")]

    def screenshot(self, file: Path) -> None:
        file.write_bytes(b64decode(self._call(f"{self._session}/screenshot", "GET")))

    def close(self) -> None:
        self._call(self._session, "DELETE")

    def _post(self, path: str, **values: Any) -> Any:
        return self._call(path, "POST", json.dumps(values).encode())

    def _call(self, path: str, method: str, body: bytes | None = None) -> Any:
        with urlopen(Request(f"{self._driver}/{path}", body, method=method), timeout=300) as answer:
            return json.load(answer)["value"]


@contextmanager
def browser() -> Iterator[Browser]:
    """One browser with its driver, both gone at the end."""
    assert DRIVER, MISSING
    for _ in range(ATTEMPTS):
        with subprocess.Popen([DRIVER, "--port=0"], stdout=subprocess.PIPE, text=True) as driver:
            try:
                assert driver.stdout
                found = (re.search(r"started successfully on port (\d+)", line) for line in driver.stdout)
                if not (port := next((each[1] for each in found if each), "")):
                    continue  # it has lost its port to another program
                opened = Browser(f"http://127.0.0.1:{port}")
                try:
                    yield opened
                finally:
                    opened.close()
                return
            finally:
                driver.terminate()
    raise AssertionError("the browser's driver does not start")
