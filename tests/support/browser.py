"""A headless Chromium that reaches this machine alone, driven by Selenium: open a page, run a script, …"""

import os
import shutil
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Any

from selenium.common.exceptions import WebDriverException
from selenium.webdriver import Chrome, ChromeOptions, ChromeService

DRIVER = shutil.which("chromedriver")
BROWSER = shutil.which("chromium") or shutil.which("google-chrome")
ATTEMPTS = 3  # to start the driver, which may lose its port to another program
MISSING = "" if DRIVER and BROWSER else "neither chromium nor google-chrome with its chromedriver is on the PATH"
ARGUMENTS = ["--headless=new", "--no-sandbox", "--disable-gpu", "--window-size=1150,900"]
OFFLINE = "--host-resolver-rules=MAP *.example 127.0.0.1, MAP * ~NOTFOUND, EXCLUDE 127.0.0.1"  # any other name is none


class Browser:
    def __init__(self, driver: Chrome) -> None:
        self._driver = driver

    def open(self, page: Path | str) -> None:
        """Open a file or an address."""
        self._driver.get(page.absolute().as_uri() if isinstance(page, Path) else page)

    def show_as(self, width: int, media: str = "screen") -> None:
        """Show pages as on a screen of this width in pixels, or on paper with `print`; width 0 is the window's own."""
        size = {"width": width, "height": 0, "deviceScaleFactor": 0, "mobile": 0 < width < 600}
        self._driver.execute_cdp_cmd("Emulation.setDeviceMetricsOverride", size)
        self._driver.execute_cdp_cmd("Emulation.setEmulatedMedia", {"media": media})

    @property
    def address(self) -> str:
        return self._driver.current_url

    def run(self, script: str) -> Any:
        """Return what the script returns."""
        return self._driver.execute_script(script)

    def wait(self, script: str) -> Any:
        """Return what the script passes to `done`."""
        return self._driver.execute_async_script(f"const done = arguments[0]; {script}")

    def console(self) -> list[str]:
        """Return the console's messages, with errors of loading."""
        return [entry["message"] for entry in self._driver.get_log("browser")]

    def screenshot(self, file: Path) -> None:
        file.write_bytes(self._driver.get_screenshot_as_png())


@contextmanager
def browser() -> Iterator[Browser]:
    """Start one browser with its driver; end both at the end."""
    driver = _started()
    try:
        yield Browser(driver)
    finally:
        driver.quit()


def _started() -> Chrome:
    assert DRIVER, MISSING
    assert BROWSER, MISSING
    os.environ["SE_OFFLINE"] = "true"  # Selenium's manager, which downloads drivers, is not needed: ours is named
    options = ChromeOptions()
    options.binary_location = BROWSER
    options.set_capability("goog:loggingPrefs", {"browser": "ALL"})
    for argument in [*ARGUMENTS, OFFLINE]:
        options.add_argument(argument)
    for _ in range(ATTEMPTS - 1):
        try:
            return Chrome(options, ChromeService(DRIVER))
        except WebDriverException:
            pass
    return Chrome(options, ChromeService(DRIVER))
