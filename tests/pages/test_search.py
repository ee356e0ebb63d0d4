"""Looking for charts, in a real browser."""

import time
import urllib.request
from collections.abc import Iterator
from pathlib import Path
from urllib.parse import quote

import pytest
from playwright.sync_api import Browser, Page, Route, expect

from tests.support import browser
from tests.support.demo import demo
from tests.support.packages import package
from tests.support.processes import eventually
from tests.support.server import Server, running


@pytest.fixture(scope="module")
def server(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Server]:
    with running(tmp_path_factory.mktemp("search"), "--open-writes") as found:
        for repository, data in demo():
            publish(found, data, repository)
        yield found


def publish(server: Server, data: bytes, repository: str = "") -> None:
    folder = f"{quote(repository)}/" if repository else ""
    urllib.request.urlopen(urllib.request.Request(f"{server.url}/api/{folder}charts", data=data)).close()


def titles(page: Page) -> list[str]:
    return page.locator(".hit h3 a").all_inner_texts()


def test_results_come_as_one_types_and_the_address_says_what_they_are_of(chromium: Browser, server: Server) -> None:
    with browser.page(chromium) as page:
        page.goto(f"{server.url}/ui/")
        page.get_by_label("Search charts").fill("datab")
        expect(page.get_by_role("heading", name="4 charts")).to_be_visible()
        assert titles(page)[0] == "database"
        expect(page.get_by_role("status")).to_have_text("4 charts")
        assert page.url == f"{server.url}/ui/search?q=datab"
        page.get_by_label("platform").check()
        expect(page.get_by_role("heading", name="3 charts")).to_be_visible()
        expect(page.get_by_label("platform")).to_be_focused()
        page.get_by_label("Sort by").select_option("Name")
        expect(page.locator(".hit h3 a").first).to_have_text("cache")
        assert page.url == f"{server.url}/ui/search?q=datab&repository=platform&sort=name"
        page.reload()
        assert titles(page) == ["cache", "checkout", "database"]
        expect(page.get_by_label("platform")).to_be_checked()
        page.get_by_role("link", name="database", exact=True).click()
        assert page.url == f"{server.url}/ui/charts/platform/database"


def test_one_can_go_back_from_a_filter_and_to_the_first_page(chromium: Browser, server: Server) -> None:
    with browser.page(chromium) as page:
        page.goto(f"{server.url}/ui/")
        page.get_by_label("Search charts").press_sequentially("datab", delay=200)
        expect(page.get_by_role("heading", name="4 charts")).to_be_visible()
        page.get_by_label("platform").check()
        expect(page.get_by_role("heading", name="3 charts")).to_be_visible()
        page.go_back()
        expect(page.get_by_role("heading", name="4 charts")).to_be_visible()
        expect(page.get_by_label("platform")).not_to_be_checked()
        assert page.url == f"{server.url}/ui/search?q=datab"
        page.go_back()
        expect(page.get_by_role("heading", name="Recently published")).to_be_visible()
        assert page.url == f"{server.url}/ui/"
        page.go_forward()
        expect(page.get_by_role("heading", name="4 charts")).to_be_visible()
        assert page.url == f"{server.url}/ui/search?q=datab"


def test_without_a_script_the_same_is_found(chromium: Browser, server: Server) -> None:
    with browser.page(chromium, script=False) as page:
        page.goto(f"{server.url}/ui/")
        page.get_by_label("Search charts").fill("datab")
        page.get_by_role("button", name="Search").click()
        assert page.url == f"{server.url}/ui/search?q=datab"
        assert titles(page)[0] == "database"
        page.get_by_label("sql").check()
        page.get_by_role("button", name="Apply").click()
        assert titles(page) == ["database"]
        page.get_by_role("link", name="Clear filters").click()
        assert len(titles(page)) == 4


def test_filters_can_be_opened_on_a_phone(chromium: Browser, server: Server) -> None:
    with browser.page(chromium, width=browser.PHONE) as page:
        page.goto(f"{server.url}/ui/search")
        expect(page.get_by_label("team/data")).to_be_hidden()
        page.get_by_text("Filters", exact=True).first.click()
        page.get_by_label("team/data").check()
        expect(page.get_by_role("heading", name="2 charts")).to_be_visible()
        expect(page.get_by_label("team/data")).to_be_visible()


def test_a_typo_is_mended_and_the_page_says_so(chromium: Browser, server: Server) -> None:
    with browser.page(chromium) as page:
        page.goto(f"{server.url}/ui/search?q=databse")
        expect(page.get_by_text("Showing results for database instead of databse.")).to_be_visible()
        page.get_by_role("link", name="Search for databse").click()
        expect(page.get_by_role("heading", name="No charts")).to_be_visible()
        expect(page.get_by_role("link", name="Publish the chart")).to_be_visible()


def test_deprecated_charts_are_shown_when_asked_for(chromium: Browser, server: Server) -> None:
    with browser.page(chromium) as page:
        page.goto(f"{server.url}/ui/search?q=proxy")
        page.get_by_role("link", name="Show 1 deprecated chart too").click()
        assert titles(page) == ["old-proxy"]
        expect(page.locator(".hit .badge")).to_have_text("deprecated")


def test_an_answer_that_comes_late_is_not_shown(chromium: Browser, server: Server) -> None:
    with browser.page(chromium) as page:

        def late(route: Route) -> None:
            time.sleep(0.6)
            route.continue_()

        page.goto(f"{server.url}/ui/search")
        page.route("**/ui/search?q=cache", late)
        page.get_by_label("Search charts").fill("cache")
        page.wait_for_timeout(200)
        page.get_by_label("Search charts").fill("queue")
        expect(page.get_by_role("heading", name="1 chart")).to_be_visible()
        page.wait_for_timeout(900)
        assert titles(page) == ["queue"]


def test_the_field_in_the_header_shows_the_first_results_as_one_types(chromium: Browser, server: Server) -> None:
    with browser.page(chromium) as page:
        page.goto(f"{server.url}/ui/no/such/page")
        field = page.get_by_label("Search charts")
        field.fill("datab")
        expect(page.locator("#bar-results a")).to_have_count(5)
        expect(page.get_by_role("status")).to_have_text("4 charts")
        assert browser.findings(page) == []
        field.press("Escape")
        expect(page.locator("#bar-results")).to_be_hidden()
        field.fill("data")
        page.locator("#bar-results").get_by_role("link", name="database").click()
        assert page.url == f"{server.url}/ui/charts/platform/database"
        page.get_by_label("Search charts").fill("datab")
        page.get_by_label("Search charts").press("Enter")
        page.wait_for_url(f"{server.url}/ui/search?q=datab")


@pytest.mark.parametrize("path", ["/ui/repositories/platform", "/ui/api"])
def test_the_field_in_the_header_works_where_a_page_calls_something_else_a_search(
    chromium: Browser, server: Server, path: str
) -> None:
    with browser.page(chromium) as page:
        said: list[str] = []
        page.on("pageerror", lambda error: said.append(str(error)))
        page.goto(f"{server.url}{path}")
        page.get_by_role("searchbox", name="Search charts").fill("datab")
        expect(page.locator("#bar-results a")).to_have_count(5)
        assert said == []


def test_a_chart_that_was_published_a_moment_ago_is_found_soon(chromium: Browser, server: Server) -> None:
    publish(server, package("newcomer", description="fresh from the press"))
    with browser.page(chromium) as page:

        def is_found() -> bool:
            page.goto(f"{server.url}/ui/search?q=newcomer")
            return titles(page) == ["newcomer"]

        eventually(is_found, what="the chart is found")


def test_an_empty_server_says_how_to_begin(chromium: Browser, tmp_path: Path) -> None:
    with running(tmp_path, "--open-writes", context_path="/charts") as empty, browser.page(chromium) as page:
        page.goto(f"{empty.url}/ui/")
        expect(page.get_by_role("heading", name="There is no chart here yet")).to_be_visible()
        assert f"{empty.url}/api/charts" in page.locator("#by-curl").inner_text()
        assert "--user" not in page.locator("#by-curl").inner_text()
        assert page.locator("#by-login").count() == 0
        assert page.locator("#by-add").inner_text() == f"helm repo add charts {empty.url}"
        assert browser.findings(page) == []


@pytest.mark.parametrize(("theme", "width"), browser.LOOKS)
@pytest.mark.parametrize(
    "path",
    [
        "/ui/",
        "/ui/search",
        "/ui/search?q=databse",
        "/ui/search?q=nonsense&signed=1",
        "/ui/search?repository=&deprecated=shown",
    ],
)
def test_axe_finds_nothing(chromium: Browser, server: Server, path: str, theme: browser.Theme, width: int) -> None:
    with browser.page(chromium, theme=theme, width=width) as page:
        page.goto(f"{server.url}{path}")
        assert browser.findings(page) == []
        assert page.evaluate("document.documentElement.scrollWidth <= document.documentElement.clientWidth")
