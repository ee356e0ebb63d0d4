"""The tabs of a chart's page in a real browser, with and without scripts."""

from collections.abc import Iterator
from urllib.parse import parse_qs, urlsplit

import pytest
from playwright.sync_api import Browser, Page, expect

from tests.support import browser
from tests.support.http import publish
from tests.support.packages import package
from tests.support.rich_chart import rich_chart
from tests.support.server import Server, running

TABS = ("values", "templates", "crds", "dependencies", "images", "changelog", "attachments", "files", "versions")
DEPENDENCIES = [{"name": "base", "version": "^1", "repository": "file://../base", "condition": "base.enabled"}]


@pytest.fixture(scope="module")
def server(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Server]:
    with running(tmp_path_factory.mktemp("tabs"), "--open-writes") as found:
        for data in (
            package("base"),
            package("web", "0.9.0", appVersion="1"),
            rich_chart(dependencies=DEPENDENCIES, appVersion="2"),
        ):
            assert publish(found.url, data, "team").status == 201
        yield found


def open_tab(page: Page, server: Server, tab: str, query: str = "") -> None:
    page.goto(f"{server.url}/ui/{tab}/team/web{query}")
    assert page.get_by_role("heading", level=1).inner_text().startswith("web")


@pytest.mark.parametrize(("theme", "width"), browser.LOOKS)
def test_nothing_keeps_anybody_out_of_a_tab(
    chromium: Browser, server: Server, width: int, theme: browser.Theme
) -> None:
    looked_at = {
        "templates": ["", "?path=templates/web.yaml"],
        "crds": ["", "?path=crds/widget.yaml"],
        "files": ["", "?path=CHANGELOG.md", "?path=logo.png"],
        "values": ["", "?view=file", "?q=nothing"],
    }
    with browser.page(chromium, width=width, theme=theme) as page:
        for tab in TABS:
            for query in looked_at.get(tab, [""]):
                open_tab(page, server, tab, query)
                assert browser.findings(page) == [], (tab, query)
                wider = page.evaluate("document.documentElement.scrollWidth - document.documentElement.clientWidth")
                assert wider == 0, (tab, query)


@pytest.mark.parametrize("script", [True, False])
def test_each_tab_is_opened_from_another_one(chromium: Browser, server: Server, script: bool) -> None:
    with browser.page(chromium, script=script) as page:
        errors: list[str] = []
        page.on("console", lambda message: errors.append(message.text) if message.type == "error" else None)
        page.on("pageerror", lambda error: errors.append(str(error)))
        open_tab(page, server, "versions")
        names = [each for each in page.locator(".tabs a").all_inner_texts() if each != "Overview"]
        assert len(names) == len(TABS)
        for name in names:
            page.locator(".tabs").get_by_role("link", name=name, exact=True).click()
            expect(page.locator(".tabs [aria-current=page]")).to_have_text(name)
        assert errors == []


def test_values_are_found_while_one_types(chromium: Browser, server: Server) -> None:
    with browser.page(chromium) as page:
        open_tab(page, server, "values")
        expect(page.locator("ul.values > li:visible")).to_have_count(10)
        page.get_by_label("Find a value").fill("many HOW")
        expect(page.locator("ul.values > li:visible")).to_have_count(1)
        expect(page.get_by_role("main").get_by_role("status")).to_have_text("1 of 10 values")
        page.get_by_label("Find a value").press("Enter")
        assert "q=" not in page.url
        page.get_by_label("Find a value").fill("")
        expect(page.locator("ul.values > li:visible")).to_have_count(10)


def test_without_scripts_the_server_finds_them(chromium: Browser, server: Server) -> None:
    with browser.page(chromium, script=False) as page:
        open_tab(page, server, "values")
        assert page.get_by_role("button", name="Copy").count() == 0
        page.get_by_label("Find a value").fill("many")
        page.get_by_role("button", name="Find").click()
        expect(page.locator("ul.values > li")).to_have_count(1)
        page.get_by_role("link", name="Show all").click()
        expect(page.locator("ul.values > li")).to_have_count(10)


def test_a_path_is_copied_as_helm_takes_it(chromium: Browser, server: Server) -> None:
    with browser.page(chromium) as page:
        open_tab(page, server, "values")
        path = 'nodeSelector."kubernetes\\.io/os"'
        button = page.get_by_role("button", name=f"Copy {path}", exact=True)
        button.focus()
        page.keyboard.press("Enter")
        expect(button).to_have_text("Copied")
        assert page.evaluate("navigator.clipboard.readText()") == path


@pytest.mark.parametrize("script", [True, False])
def test_a_template_leads_to_the_values_that_it_takes(chromium: Browser, server: Server, script: bool) -> None:
    with browser.page(chromium, script=script) as page:
        open_tab(page, server, "templates", "?path=templates/web.yaml")
        page.get_by_role("link", name=".Values.servers.first").click()
        assert page.url.endswith("/ui/values/team/web#v-servers")
        expect(page.locator("li:target")).to_contain_text("servers")


def test_a_line_can_be_linked(chromium: Browser, server: Server) -> None:
    with browser.page(chromium) as page:
        open_tab(page, server, "files", "?path=values.yaml")
        page.get_by_role("link", name="3", exact=True).click()
        assert page.url.endswith("#L3")
        expect(page.locator("a:target")).to_have_text("3")


def test_an_odd_path_is_linked_to_itself(chromium: Browser, server: Server) -> None:
    with browser.page(chromium, script=False) as page:
        open_tab(page, server, "values")
        page.get_by_role("link", name='nodeSelector."kubernetes\\.io/os"', exact=True).click()
        expect(page.locator("li:target")).to_contain_text("kubernetes")


def test_a_definition_is_opened_with_the_keyboard(chromium: Browser, server: Server) -> None:
    with browser.page(chromium) as page:
        open_tab(page, server, "crds")
        page.get_by_role("link", name="Widget", exact=True).focus()
        page.keyboard.press("Enter")
        expect(page.get_by_role("heading", name="Fields in v1")).to_be_visible()
        expect(page.get_by_text("How large")).to_be_visible()
        page.get_by_text("All CRDs of this chart").click()
        expect(page.get_by_role("heading", name="1 custom resource definition")).to_be_visible()


def test_two_versions_are_chosen_to_be_compared(chromium: Browser, server: Server) -> None:
    with browser.page(chromium) as page:
        open_tab(page, server, "versions")
        page.get_by_label("From 0.9.0").check()
        page.get_by_label("To 1.0.0").check()
        page.get_by_role("button", name="Compare").click()
        asked = urlsplit(page.url)
        assert asked.path == "/ui/compare/team/web"
        assert parse_qs(asked.query) == {"from": ["0.9.0"], "to": ["1.0.0"]}


def test_the_package_is_downloaded(chromium: Browser, server: Server) -> None:
    with browser.page(chromium) as page:
        open_tab(page, server, "files")
        with page.expect_download() as download:
            page.get_by_role("link", name="Download the package").click()
        assert download.value.suggested_filename == "web-1.0.0.tgz"


def test_a_dependency_that_is_here_is_one_click_away(chromium: Browser, server: Server) -> None:
    with browser.page(chromium) as page:
        open_tab(page, server, "dependencies")
        assert page.get_by_role("link", name="base").get_attribute("href") == "/ui/charts/team/base"
