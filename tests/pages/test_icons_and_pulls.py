"""Icons and pulls on pages, in a real browser."""

import urllib.request
from collections.abc import Iterator
from pathlib import Path

import pytest
from playwright.sync_api import Browser, Page

from tests.support import browser
from tests.support.http import get, publish
from tests.support.packages import package
from tests.support.raster import picture
from tests.support.server import Server, running

FILES = {"icon.png": picture(size=(300, 300), color="#00a050")}


def fill(server: Server) -> None:
    for version in ("1.0.0", "2.0.0"):
        data = package("pictured", version, description="It brings an icon", icon="icon.png", files=FILES)
        assert publish(server.url, data).status == 201
    for name, icon in (("remote", "https://icons.example/icon.png"), ("drawn", "icon.svg"), ("plain", None)):
        assert (
            publish(server.url, package(name, icon=icon, files={"icon.svg": "<svg onload='alert(1)'/>"})).status == 201
        )
    for version in ("1.0.0", "2.0.0", "2.0.0"):
        assert get(f"{server.url}/charts/pictured-{version}.tgz").status == 200


@pytest.fixture(scope="module")
def server(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Server]:
    folder = tmp_path_factory.mktemp("icons")
    with running(folder, "--open-writes") as first:
        fill(first)
    with running(folder, "--open-writes") as found:  # it gathers at once what the other counted
        found.process.wait_until(
            lambda: b'"pulls":3' in get(f"{found.url}/api/charts/pictured/pulls").body, what="pulls are shown"
        )
        yield found


def sizes(page: Page) -> dict[str, list[int]]:
    """Of the pictures of charts that are there: by their addresses, how wide they are as they came."""
    page.wait_for_load_state("networkidle")
    found = page.eval_on_selector_all(
        ".letter img", "all => all.map(one => [new URL(one.src).pathname, one.complete, one.naturalWidth])"
    )
    assert all(complete for _, complete, _ in found)
    return {address: width for address, _, width in found}


@pytest.mark.parametrize(("theme", "width"), browser.LOOKS)
def test_icons_are_shown_wherever_charts_are(
    chromium: Browser, server: Server, theme: browser.Theme, width: int, tmp_path: Path
) -> None:
    with browser.page(chromium, width=width, theme=theme) as page:
        for path in ("/ui/versions/pictured", "/ui/search?q=icon", "/ui/"):
            page.goto(f"{server.url}{path}")
            shown = sizes(page)
            assert set(shown) <= {"/ui/icons/pictured@2.0.0", "/ui/icons/pictured@1.0.0"}, path
            assert shown["/ui/icons/pictured@2.0.0"] == 128, path
            page.screenshot(path=tmp_path / "page.png")
            assert browser.findings(page) == []
        for name in ("remote", "drawn", "plain"):
            page.goto(f"{server.url}/ui/versions/{name}")
            assert sizes(page) == {}
            assert page.locator(".letter").inner_text() == name[0].upper()


def test_the_list_of_versions_tells_their_pulls(chromium: Browser, server: Server) -> None:
    with browser.page(chromium) as page:
        page.goto(f"{server.url}/ui/versions/pictured")
        rows = [row.inner_text() for row in page.locator("tbody tr").all()]
        assert [row.split("\t")[-2] for row in rows] == ["2", "1"]
        page.goto(f"{server.url}/ui/versions/plain")
        assert page.locator("tbody tr").first.inner_text().endswith("never")


def test_an_icon_that_is_opened_by_itself_is_a_picture(server: Server) -> None:
    with urllib.request.urlopen(f"{server.url}/ui/icons/drawn") as answer:
        assert answer.headers["Content-Type"].startswith("image/svg+xml")
        assert answer.headers["Content-Security-Policy"].startswith("default-src 'none'")
        assert answer.headers["X-Content-Type-Options"] == "nosniff"
        assert b"onload" not in answer.read()
