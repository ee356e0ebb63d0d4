"""All pages, as a stranger finds them by following links: what axe, the console and the layout say of each."""

import urllib.request
from collections.abc import Iterator
from urllib.parse import quote, urlsplit

import pytest
from playwright.sync_api import Browser, Page

from tests.support import browser
from tests.support.demo import demo
from tests.support.packages import package
from tests.support.server import Server, running

MOST = 400


@pytest.fixture(scope="module")
def server(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Server]:
    with running(tmp_path_factory.mktemp("all"), "--open-writes") as found:
        for repository, data in demo():
            folder = f"{quote(repository)}/" if repository else ""
            urllib.request.urlopen(urllib.request.Request(f"{found.url}/api/{folder}charts", data=data)).close()
        yield found


@pytest.fixture(scope="module")
def addresses(chromium: Browser, server: Server) -> list[str]:
    """One page of each kind: of those that differ in their query or in the chart, the first that is found."""
    todo, found, kinds = [f"{server.url}/ui/"], list[str](), set[str]()
    with browser.page(chromium) as page:
        while todo and len(found) < MOST:
            address = todo.pop(0)
            answer = page.goto(address)
            assert answer is not None
            assert answer.ok, f"a link leads to {address}, which is answered with {answer.status}"
            found.append(address)
            for link in page.eval_on_selector_all("a[href]", "links => links.map(link => link.href)"):
                kind = kind_of(link, server)
                if kind is not None and kind not in kinds:
                    kinds.add(kind)
                    todo.append(link.partition("#")[0])
    return found


def kind_of(link: str, server: Server) -> str | None:
    """What makes a page another one: the kind in its path, and the names in its query; None for what is no page."""
    parts = urlsplit(link)
    if f"{parts.scheme}://{parts.netloc}" != server.url or not parts.path.startswith("/ui/"):
        return None
    kind = parts.path.split("/")[2]
    if kind in {"raw", "icons", "feed", "packages"}:
        return None
    named = sorted(each.partition("=")[0] for each in parts.query.split("&") if each)
    rich = "checkout" in parts.path
    return f"{kind} {rich} {named}"


@pytest.mark.parametrize(("theme", "width"), [("light", browser.PHONE), ("dark", browser.WIDE)])
def test_nothing_keeps_anybody_out_of_any_page(
    chromium: Browser, addresses: list[str], server: Server, theme: browser.Theme, width: int
) -> None:
    assert len(addresses) > 20
    problems: dict[str, list[str]] = {}
    with browser.page(chromium, theme=theme, width=width) as page:
        said: list[str] = []
        page.on("console", lambda message: said.append(f"console: {message.text}"))
        page.on("pageerror", lambda error: said.append(f"error: {error}"))
        page.on("request", lambda request: said.extend(_elsewhere(request.url, server)))
        for address in addresses:
            said.clear()
            page.goto(address)
            found = [*browser.findings(page), *said, *_too_wide(page)]
            if found:
                problems[address.removeprefix(server.url)] = found
    assert problems == {}


TABS = ("charts", "values", "templates", "crds", "dependencies", "images", "changelog", "files", "versions", "delete")


@pytest.mark.parametrize("width", [browser.PHONE, browser.WIDE])
def test_no_name_is_so_long_that_a_page_gets_wider_than_the_window(
    chromium: Browser, server: Server, width: int
) -> None:
    long = "x" * 150
    annotations = {
        f"artifacthub.io/{name}": text.replace("LONG", long)
        for name, text in {
            "changes": "- kind: added\n  description: LONG\n  links: [{name: LONG, url: 'https://example.com/LONG'}]\n",
            "images": "- name: LONG\n  image: example.com/LONG:LONG\n",
            "crds": "- kind: LONG\n  version: v1\n  name: LONG\n  displayName: LONG\n  description: LONG\n",
            "links": "- name: LONG\n  url: https://example.com/LONG\n",
            "maintainers": "- name: LONG\n  email: LONG@example.com\n",
            "recommendations": "- url: https://example.com/LONG\n",
            "screenshots": "- title: LONG\n  url: https://example.com/LONG.png\n",
            "license": "LONG",
            "alternativeName": "LONG",
        }.items()
    }
    data = package(
        long,
        f"1.0.0-{long[:60]}",
        appVersion=long,
        description=long * 20,
        home=f"https://example.com/{long}",
        sources=[f"git@example.com:{long}.git"],
        keywords=[long * 2, "short"],
        maintainers=[{"name": long}],
        dependencies=[{"name": long, "version": "1.0.0", "repository": f"https://example.com/{long}", "alias": long}],
        annotations=annotations,
        files={
            "README.md": f"# {long}\n\n`{long}`\n",
            "values.yaml": f"{long}: {{image: '{long}:{long}'}}\n",
            long: "a",
        },
    )
    urllib.request.urlopen(urllib.request.Request(f"{server.url}/api/long-{width}/charts", data=data)).close()
    with browser.page(chromium, width=width) as page:
        for address in (
            f"search?q={long[:20]}&repository=long-{width}",
            *(f"{tab}/long-{width}/{long}" for tab in TABS),
        ):
            page.goto(f"{server.url}/ui/{address}")
            assert _too_wide(page) == [], address
            if address.startswith("charts/"):
                assert page.get_by_text(f"git@example.com:{long}.git").is_visible()
                assert len(page.locator(".lead").inner_text()) <= 1_100


def _elsewhere(url: str, server: Server) -> list[str]:
    return [] if url.startswith((server.url, "data:")) else [f"it loads {url}"]


def _too_wide(page: Page) -> list[str]:
    wide = page.evaluate("document.documentElement.scrollWidth - document.documentElement.clientWidth")
    return [f"the page is {wide} pixels wider than the window"] if wide > 0 else []
