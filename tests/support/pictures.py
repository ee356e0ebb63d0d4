"""Pictures of the pages, for the README and for whoever looks at what he has made.

    python -m tests.support.pictures FOLDER [--server URL]

Without a server it starts one with the charts of `tests.support.demo`.
"""

import argparse
import sys
import tempfile
import urllib.request
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Final, Literal

from playwright.sync_api import Browser

from tests.support import browser
from tests.support.demo import demo
from tests.support.server import running

_CHART: Final = "platform/checkout"
_TABS: Final = (
    "values",
    "templates",
    "crds",
    "dependencies",
    "images",
    "changelog",
    "attachments",
    "files",
    "versions",
)
PAGES: Final = {
    "home": "/ui/",
    "search": "/ui/search?q=database",
    "repositories": "/ui/repositories",
    "repository": "/ui/repositories/platform",
    "chart": f"/ui/charts/{_CHART}",
    **{tab: f"/ui/{tab}/{_CHART}" for tab in _TABS},
    "compare": f"/ui/compare/{_CHART}?from=1.9.2&to=2.0.0",
    "publish": "/ui/publish/platform",
    "status": "/ui/status",
    "api": "/ui/api",
    "sign-in": "/ui/sign-in",
}
_THEMES: Final[tuple[Literal["light", "dark"], ...]] = ("light", "dark")


def main() -> int:
    """Take all pictures, or those that are named."""
    parser = argparse.ArgumentParser(prog="python -m tests.support.pictures")
    parser.add_argument("folder", type=Path)
    parser.add_argument("--server", help="one that runs")
    parser.add_argument("--only", nargs="*", choices=sorted(PAGES), default=sorted(PAGES))
    parser.add_argument("--full", action="store_true", help="the whole page, and not what a window shows")
    plan = parser.parse_args()
    plan.folder.mkdir(parents=True, exist_ok=True)
    with _server(plan.server) as url, browser.running() as chromium:
        for name in plan.only:
            _take(chromium, f"{url}{PAGES[name]}", plan.folder, name, full=plan.full)
    return 0


def _take(chromium: Browser, address: str, folder: Path, name: str, *, full: bool) -> None:
    for theme in _THEMES:
        for width in (browser.PHONE, browser.WIDE):
            with browser.page(chromium, theme=theme, width=width) as page:
                page.goto(address)
                page.screenshot(path=folder / f"{name}-{theme}-{width}.png", full_page=full)


@contextmanager
def _server(url: str | None) -> Iterator[str]:
    if url is not None:
        yield url.rstrip("/")
        return
    with tempfile.TemporaryDirectory() as folder, running(Path(folder), "--open-writes") as server:
        for repository, data in demo():
            where = f"{repository}/" if repository else ""
            urllib.request.urlopen(urllib.request.Request(f"{server.url}/api/{where}charts", data=data)).close()
        yield server.url


if __name__ == "__main__":
    sys.exit(main())
