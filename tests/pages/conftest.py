"""Fixtures of the tests that look at pages in a real browser."""

from collections.abc import Iterator

import pytest
from playwright.sync_api import Browser

from tests.support import browser
from tests.support.tools import UnobtainableError, give_up


@pytest.fixture(scope="module")
def chromium() -> Iterator[Browser]:
    """A browser that runs."""
    try:
        with browser.running() as found:
            yield found
    except UnobtainableError as problem:
        give_up(problem)
