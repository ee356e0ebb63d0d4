"""A real browser: Debian's Chromium, driven by playwright, for what only a browser can tell of a page."""

import shutil
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from functools import wraps
from pathlib import Path
from typing import Any, Final, Literal

from playwright.sync_api import Browser, Locator, Page, sync_playwright

from tests.support.tools import UnobtainableError

AXE: Final = Path(__file__).parent.parent / "vendor" / "axe.min.js"
"""axe-core, which finds what keeps people out of a page."""
_RULES: Final = ["wcag2a", "wcag2aa", "wcag21a", "wcag21aa", "wcag22aa", "best-practice"]
PHONE: Final = 390
WIDE: Final = 1440
Theme = Literal["light", "dark"]
LOOKS: Final[list[tuple[Theme, int]]] = [("dark", PHONE), ("light", WIDE)]
"""How the tests of some pages look at them. `tests/pages/test_everything.py` looks at all in the other two ways."""


def _and_the_page_is_there(act: Callable[..., None]) -> Callable[..., None]:
    """Let a deed wait for the page that it leads to.

    Playwright's own waits until that page begins, and whoever looks at once sees nothing of it yet on a busy machine.
    """

    @wraps(act)
    def acts(locator: Locator, *arguments: Any, **options: Any) -> None:
        act(locator, *arguments, **options)
        locator.page.wait_for_load_state()

    return acts


for _deed in ("click", "press"):
    setattr(Locator, _deed, _and_the_page_is_there(getattr(Locator, _deed)))


def chromium() -> str:
    """The browser's program.

    Raises:
        UnobtainableError: there is none.
    """
    for name in ("chromium", "chromium-browser", "google-chrome"):
        found = shutil.which(name)
        if found is not None:
            return found
    raise UnobtainableError("There is no Chromium on this machine: apt-get install chromium")


@contextmanager
def running() -> Iterator[Browser]:
    """Start a browser, for as long as the block runs.

    Raises:
        UnobtainableError: there is none.
    """
    program = chromium()
    with sync_playwright() as playwright:
        # Its sandbox needs more than root in a container has. The pages are our own.
        browser = playwright.chromium.launch(executable_path=program, args=["--no-sandbox", "--disable-dev-shm-usage"])
        try:
            yield browser
        finally:
            browser.close()


@contextmanager
def page(
    browser: Browser,
    *,
    width: int = WIDE,
    theme: Theme = "light",
    script: bool = True,
    height: int = 900,
) -> Iterator[Page]:
    """Open a page of its own: no cookies, nothing kept.

    Args:
        browser: that runs.
        width: of the window, in pixels.
        theme: that the person prefers.
        script: whether JavaScript runs.
        height: of the window, in pixels.
    """
    context = browser.new_context(
        viewport={"width": width, "height": height}, color_scheme=theme, java_script_enabled=script
    )
    context.grant_permissions(["clipboard-read", "clipboard-write"])
    try:
        yield context.new_page()
    finally:
        context.close()


def findings(page: Page) -> list[str]:
    """What axe finds on a page as it is now: the rule, and where it is broken; a line each."""
    # Not by a script tag: the page's own policy forbids those, and has to.
    page.evaluate(AXE.read_text(encoding="utf-8"))
    found: dict[str, Any] = page.evaluate("rules => axe.run(document, {runOnly: {type: 'tag', values: rules}})", _RULES)
    return [
        f"{violation['id']}: {node['html'][:160]} ({'; '.join(str(each) for each in node['target'])})"
        for violation in found["violations"]
        for node in violation["nodes"]
    ]
