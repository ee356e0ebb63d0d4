"""The page of a chart, in a real browser."""

import shlex
import subprocess
import urllib.request
from collections.abc import Iterator
from pathlib import Path

import pytest
from playwright.sync_api import Browser, Page

from tests.support import browser
from tests.support.demo import demo
from tests.support.server import Server, running

CHART = "/ui/charts/platform/checkout"


@pytest.fixture(scope="module")
def server(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Server]:
    with running(tmp_path_factory.mktemp("chart"), "--open-writes") as found:
        for repository, data in demo():
            folder = f"{repository}/" if repository else ""
            urllib.request.urlopen(urllib.request.Request(f"{found.url}/api/{folder}charts", data=data)).close()
        yield found


def opened(page: Page, way: str) -> Page:
    """The page with one of the ways to install opened."""
    summary = page.locator("summary", has_text=way).first
    if summary.locator("..").get_attribute("open") is None:
        summary.click()
    return page


def copied(page: Page, step: str) -> str:
    """What the button beside a command copies."""
    page.get_by_role("button", name=f"Copy: {step}", exact=True).click()
    return str(page.evaluate("navigator.clipboard.readText()"))


def test_the_commands_that_are_copied_install_the_chart(
    chromium: Browser, server: Server, helm4: Path, tmp_path: Path
) -> None:
    """`helm template` and `pull` in place of `install`, which would need a cluster."""
    env = {"HOME": str(tmp_path), "PATH": "/usr/bin:/bin"}

    def run(*words: str) -> str:
        return subprocess.run([helm4, *words], cwd=tmp_path, env=env, check=True, capture_output=True, text=True).stdout

    with browser.page(chromium) as page:
        page.goto(f"{server.url}/ui/charts/platform/queue")
        opened(page, "Helm repository")
        run(*shlex.split(copied(page, "Helm repository, step 1"))[1:])
        _, _, release, *rest = shlex.split(copied(page, "Helm repository, step 2"))
        assert "name: 'my-queue'" in run("template", release, *rest)
        _, _, _, *rest = shlex.split(copied(opened(page, "Helm, OCI"), "Helm, OCI, step 1"))
        run("pull", *rest)
    assert (tmp_path / "queue-3.1.0.tgz").is_file()


@pytest.mark.parametrize(("theme", "width"), browser.LOOKS)
def test_nothing_keeps_anybody_out(chromium: Browser, server: Server, theme: browser.Theme, width: int) -> None:
    with browser.page(chromium, theme=theme, width=width) as page:
        for chart in ("platform/checkout", "platform/checkout@1.8.0", "common", "old-proxy", "platform/search"):
            page.goto(f"{server.url}/ui/charts/{chart}")
            assert browser.findings(page) == []


def test_a_page_reads_without_a_script(chromium: Browser, server: Server) -> None:
    with browser.page(chromium, script=False) as page:
        page.goto(f"{server.url}{CHART}")
        assert page.get_by_role("heading", level=1).inner_text() == "checkout 2.0.0"
        assert page.get_by_text("helm repo add platform").is_visible()
        assert not page.get_by_text("kind: Application").is_visible()
        opened(page, "Argo CD")
        assert page.get_by_text("kind: Application").is_visible()
        assert page.get_by_role("button", name="Copy").count() == 0


def test_what_is_known_of_a_version_is_beside_it(chromium: Browser, server: Server) -> None:
    with browser.page(chromium) as page:
        page.goto(f"{server.url}{CHART}")
        side = page.get_by_role("complementary").inner_text()
        for said in (
            "2.0.0",
            "2026.11",
            "unsigned",
            "Apache-2.0",
            "Integration and delivery",
            ">=1.29.0-0",
            "payments",
        ):
            assert said in side
        for name, address in (
            ("Home", "https://example.com/checkout"),
            ("Handbook", "https://example.com/handbook"),
            ("Ada", "https://example.com/ada"),
            ("Grace", "mailto:grace@example.com"),
        ):
            link = page.get_by_role("link", name=name, exact=True)
            assert link.get_attribute("href") == address
            assert "noopener" in (link.get_attribute("rel") or "")
        page.get_by_role("link", name="payments", exact=True).click()
        page.wait_for_url("**/ui/search?keyword=payments")
        page.get_by_role("link", name="checkout").first.click()
        page.wait_for_url(f"**{CHART}")


def test_an_older_version_says_which_is_the_newest(chromium: Browser, server: Server) -> None:
    with browser.page(chromium) as page:
        page.goto(f"{server.url}{CHART}@1.8.0")
        notice = page.get_by_text("This is not the newest version")
        notice.get_by_role("link", name="2.0.0").click()
        page.wait_for_url(f"**{CHART}")


def test_a_link_to_a_page_says_what_it_shows(chromium: Browser, server: Server) -> None:
    with browser.page(chromium) as page:
        page.goto(f"{server.url}{CHART}@1.9.2")
        assert page.title() == "checkout 1.9.2 · Charts"
        assert page.locator('meta[property="og:title"]').get_attribute("content") == "checkout 1.9.2"
        assert page.locator('link[rel="canonical"]').get_attribute("href") == f"{server.url}{CHART}@1.9.2"
