"""What all pages have in common, in a real browser."""

from collections.abc import Iterator

import pytest
from playwright.sync_api import Browser

from tests.support import browser
from tests.support.server import Server, running


@pytest.fixture(scope="module")
def server(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Server]:
    with running(tmp_path_factory.mktemp("pages"), "--open-writes") as found:
        yield found


def test_what_is_not_there_is_a_page_that_says_so(chromium: Browser, server: Server) -> None:
    with browser.page(chromium) as page:
        page.goto(f"{server.url}/ui/nothing/of/the/kind")
        assert page.get_by_role("heading", level=1).inner_text() == "There is nothing here"
        assert browser.findings(page) == []
