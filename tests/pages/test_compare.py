"""Comparing two versions, in a real browser."""

import urllib.request
from collections.abc import Iterator

import pytest
from playwright.sync_api import Browser

from tests.support import browser
from tests.support.packages import package
from tests.support.server import Server, running

BOTH = "/ui/compare/team/web?from=1.0.0&to=1.1.0"


@pytest.fixture(scope="module")
def server(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Server]:
    lines = [f"key{number}: {number}" for number in range(80)]
    with running(tmp_path_factory.mktemp("compare"), "--open-writes") as found:
        for version, number in (("1.0.0", 1), ("1.1.0", 2), ("1.2.0", 3)):
            lines[40] = f"key40: {'x' * number}"
            lines[60] = f"key60:{' ' * number}60"
            rest = "gone: 1" if number == 1 else "new: {a: 1, b: 2}"
            files: dict[str, bytes | str] = {
                "values.yaml": f"# how many\nreplicaCount: {number}\n{rest}\n",
                "templates/a.yaml": "\n".join(lines),
                "README.md": f"# Version {version}\n",
            }
            dependency = {"name": "redis", "version": f"{17 + number}.x.x", "repository": "https://charts.example.com"}
            data = package("web", version, files=files, dependencies=[dependency], appVersion=f"{number}.0")
            urllib.request.urlopen(urllib.request.Request(f"{found.url}/api/team/charts", data=data)).close()
        yield found


@pytest.mark.parametrize("script", [True, False], ids=["with JavaScript", "without"])
def test_two_versions_are_chosen_and_what_differs_is_read(chromium: Browser, server: Server, script: bool) -> None:
    with browser.page(chromium, script=script) as page:
        page.goto(f"{server.url}/ui/compare/team/web")
        assert page.get_by_role("heading", level=1).inner_text() == "web 1.1.0 to 1.2.0"
        page.get_by_label("From").select_option("1.0.0")
        page.get_by_label("To").select_option("1.1.0")
        page.get_by_role("button", name="Compare").click()
        assert page.url == server.url + BOTH
        assert page.get_by_role("heading", level=1).inner_text() == "web 1.0.0 to 1.1.0"
        summary = page.get_by_role("region", name="In short").inner_text()
        assert "May break what works: 1 value removed: gone" in summary
        page.get_by_role("link", name="Swap").click()
        assert page.get_by_role("heading", level=1).inner_text() == "web 1.1.0 to 1.0.0"
        assert "This goes back" in page.get_by_role("region", name="In short").inner_text()


def test_the_view_is_switched(chromium: Browser, server: Server) -> None:
    with browser.page(chromium) as page:
        page.goto(server.url + BOTH)
        old, new = page.get_by_text("key40: x", exact=True), page.get_by_text("key40: xx", exact=True)
        assert beside(old.bounding_box(), new.bounding_box())
        page.get_by_role("link", name="Inline").click()
        assert page.url.endswith("&view=inline")
        assert not beside(old.bounding_box(), new.bounding_box())
        page.get_by_role("link", name="Side by side").click()
        assert beside(old.bounding_box(), new.bounding_box())


def test_on_a_phone_lines_are_below_each_other_unless_asked_otherwise(chromium: Browser, server: Server) -> None:
    with browser.page(chromium, width=browser.PHONE) as page:
        page.goto(server.url + BOTH)
        old, new = page.get_by_text("key40: x", exact=True), page.get_by_text("key40: xx", exact=True)
        assert not beside(old.bounding_box(), new.bounding_box())
        assert page.locator("code:visible", has_text="key39: 39").count() == 1
        page.get_by_role("link", name="Side by side").click()
        assert beside(old.bounding_box(), new.bounding_box())


def beside(one: object, other: object) -> bool:
    """Whether two boxes are in one row."""
    assert isinstance(one, dict)
    assert isinstance(other, dict)
    return abs(one["y"] - other["y"]) < 4 and one["x"] != other["x"]


def test_white_space_is_hidden_and_shown(chromium: Browser, server: Server) -> None:
    with browser.page(chromium) as page:
        page.goto(server.url + BOTH)
        assert page.locator(".dl.ins", has_text="key60").count() == 1
        page.get_by_role("link", name="Hidden").click()
        assert page.locator(".dl.ins", has_text="key60").count() == 0
        assert page.locator(".dl.ins", has_text="key40").count() == 1
        page.get_by_role("link", name="Shown").click()
        assert page.locator(".dl.ins", has_text="key60").count() == 1


def test_unchanged_lines_are_unfolded_by_the_keyboard(chromium: Browser, server: Server) -> None:
    with browser.page(chromium, script=False) as page:
        page.goto(f"{server.url}{BOTH}&view=inline")
        hidden = page.get_by_text("key30: 30", exact=True)
        assert not hidden.is_visible()
        page.locator("summary", has_text="37 unchanged lines").first.press("Enter")
        assert hidden.is_visible()


def test_a_wrong_version_is_told_and_another_can_be_chosen(chromium: Browser, server: Server) -> None:
    with browser.page(chromium) as page:
        answer = page.goto(f"{server.url}/ui/compare/team/web?from=9.0.0&to=1.1.0")
        assert answer is not None
        assert answer.status == 404
        assert "web has no version 9.0.0" in page.inner_text("main")
        assert browser.findings(page) == []
        page.get_by_label("From").select_option("1.0.0")
        page.get_by_role("button", name="Compare").click()
        assert page.url == server.url + BOTH


@pytest.mark.parametrize(("theme", "width"), browser.LOOKS)
@pytest.mark.parametrize("view", ["", "&view=side", "&view=inline&space=hide"])
def test_nothing_keeps_anybody_out(
    chromium: Browser, server: Server, theme: browser.Theme, width: int, view: str
) -> None:
    with browser.page(chromium, theme=theme, width=width) as page:
        said: list[str] = []
        page.on("console", lambda message: said.append(message.text))
        page.goto(server.url + BOTH + view)
        assert browser.findings(page) == []
        assert said == []
        assert page.evaluate("document.documentElement.scrollWidth - document.documentElement.clientWidth") <= 0
