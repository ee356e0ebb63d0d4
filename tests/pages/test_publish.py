"""Publishing and deleting in a real browser, with a script and without; and the pages around that."""

import base64
import urllib.request
from collections.abc import Iterator
from contextlib import contextmanager

import pytest
from playwright.sync_api import Browser, Page, expect

from tests.support import browser
from tests.support.packages import package
from tests.support.server import Server, running

POLICIES = """\
policies:
  - {on: ["team/**"], since: 2020-01-01, versions: [stable-only], required: [icon]}
  - {on: ["final/**"], since: 2020-01-01, immutable: true}
"""
ICON = "https://example.com/icon.svg"


@pytest.fixture(scope="module")
def server(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Server]:
    folder = tmp_path_factory.mktemp("publish")
    (folder / "policies.yaml").write_text(POLICIES)
    secret = {"CHARTREPO_ADMIN_PASSWORD": "secret", "CHARTREPO_AUTH_ANONYMOUS_GET": "true"}
    with running(folder, "--policies", folder / "policies.yaml", env=secret) as found:
        yield found


@contextmanager
def signed_in(
    chromium: Browser,
    server: Server,
    *,
    script: bool = True,
    width: int = browser.WIDE,
    theme: browser.Theme = "light",
) -> Iterator[Page]:
    """A page of somebody who has signed in as the administrator."""
    with browser.page(chromium, script=script, width=width, theme=theme) as page:
        page.goto(f"{server.url}/ui/sign-in?next=/ui/repositories")
        page.get_by_label("Name").fill("admin")
        page.get_by_label("Password").fill("secret")
        page.get_by_role("main").get_by_role("button", name="Sign in").click()
        page.wait_for_url("**/ui/repositories")
        yield page


def upload(server: Server, repository: str, data: bytes) -> None:
    """Publish over the API."""
    request = urllib.request.Request(f"{server.url}/api/{repository}/charts", data=data)
    request.add_header("Authorization", f"Basic {base64.b64encode(b'admin:secret').decode()}")
    urllib.request.urlopen(request).close()


def versions(server: Server, repository: str, chart: str) -> list[str]:
    """The versions that Helm sees."""
    index = urllib.request.urlopen(f"{server.url}/{repository}/index.yaml").read().decode()
    return [line.partition(f"{chart}-")[2] for line in index.split(".tgz") if f"{chart}-" in line]


def drop(page: Page, *files: tuple[str, bytes]) -> None:
    """Drop files on the page, as from a file manager."""
    data = page.evaluate_handle(
        """files => {
            const data = new DataTransfer();
            for (const [name, text] of files) {
                const bytes = Uint8Array.from(atob(text), (letter) => letter.charCodeAt(0));
                data.items.add(new File([bytes], name));
            }
            return data;
        }""",
        [[name, base64.b64encode(content).decode()] for name, content in files],
    )
    for event in ("dragenter", "dragover", "drop"):
        page.dispatch_event("#drop", event, {"dataTransfer": data})


def choose(page: Page, data: bytes) -> None:
    page.set_input_files("#chart", {"name": "chart.tgz", "mimeType": "application/gzip", "buffer": data})


def test_a_package_is_published_by_drop(chromium: Browser, server: Server) -> None:
    noise = base64.b64encode(bytes(range(256)) * 4096)
    data = package("web", icon=ICON, description="Serves pages.", files={"noise": noise})
    with signed_in(chromium, server) as page:
        page.goto(f"{server.url}/ui/publish/team")
        page.evaluate(
            """() => {
                window.seen = [];
                const bar = document.getElementById("sent");
                new MutationObserver(() => window.seen.push(bar.value)).observe(bar, {attributes: true});
            }"""
        )
        drop(page, ("web-1.0.0.tgz", data))
        found = page.get_by_role("region", name="This would be published")
        expect(found).to_contain_text("web 1.0.0")
        expect(found).to_contain_text("Serves pages.")
        expect(found).to_contain_text("A new version.")
        expect(found).to_contain_text("4 files")
        expect(found).not_to_contain_text("Missing dependencies")
        assert versions(server, "team", "web") == []
        assert page.evaluate("window.seen.at(-1)") == 100

        found.get_by_role("button", name="Publish").click()

        page.wait_for_url("**/ui/charts/team/web@1.0.0")
        done = page.get_by_role("status").filter(has_text="It was published.")
        expect(done).to_be_visible()
        page.reload()
        expect(done).to_have_count(0)
        assert versions(server, "team", "web") != []


def test_a_refusal_is_shown_as_written_and_all_at_once(chromium: Browser, server: Server) -> None:
    with signed_in(chromium, server) as page:
        page.goto(f"{server.url}/ui/publish/team")
        drop(page, ("web.tgz", package("web", "1.0.0-rc")), ("web.tgz.prov", b"nothing of the kind"))
        alert = page.get_by_role("alert")
        expect(alert.get_by_role("listitem")).to_have_count(3)
        expect(alert).to_contain_text("version '1.0.0-rc' is a prerelease: write three numbers alone, as 1.2.3")
        expect(alert).to_contain_text("icon is missing: write it")
        expect(page.get_by_role("region", name="This would be published")).to_be_hidden()
        assert browser.findings(page) == []


def test_dots_in_the_name_of_a_repository_are_refused_as_such(chromium: Browser, server: Server) -> None:
    with signed_in(chromium, server) as page:
        page.goto(f"{server.url}/ui/publish")
        page.get_by_label("Repository").fill("../team")
        choose(page, package("web", icon=ICON))
        page.get_by_role("button", name="Check it").click()
        expect(page.get_by_role("alert")).to_contain_text("'../team' cannot name a repository")


def test_several_packages_at_once_are_not_guessed_at(chromium: Browser, server: Server) -> None:
    with signed_in(chromium, server) as page:
        page.goto(f"{server.url}/ui/publish/team")
        drop(page, ("a.tgz", package("a")), ("b.tgz", package("b")))
        expect(page.get_by_role("alert")).to_contain_text("one package at a time")


def test_a_version_is_replaced_only_with_the_box(chromium: Browser, server: Server) -> None:
    upload(server, "app", package("web", description="The old one."))
    with signed_in(chromium, server) as page:
        page.goto(f"{server.url}/ui/publish")
        page.get_by_label("Repository").fill("app")
        needs = [{"name": "redis", "version": "1.x", "repository": "https://example.com"}]
        choose(page, package("web", description="The new one.", dependencies=needs))
        page.get_by_role("button", name="Check it").click()
        expect(page.get_by_role("alert")).to_contain_text("web-1.0.0.tgz already exists")
        page.get_by_label("Replace the version").check()
        expect(page.get_by_role("alert")).to_be_empty()
        page.get_by_role("button", name="Check it").click()
        found = page.get_by_role("region", name="This would be published")
        expect(found).to_contain_text("It would replace the version that is there.")
        expect(found).to_contain_text("redis. Helm would refuse to install it: run helm dependency build before")
        found.get_by_role("button", name="Publish").click()
        page.wait_for_url("**/ui/charts/app/web@1.0.0")
        page.goto(f"{server.url}/ui/repositories/app")
        expect(page.get_by_role("main")).to_contain_text("The new one.")


def test_the_keyboard_alone_publishes(chromium: Browser, server: Server) -> None:
    with signed_in(chromium, server) as page:
        page.goto(f"{server.url}/ui/publish")
        page.get_by_label("Repository").focus()
        page.keyboard.type("keys")
        page.keyboard.press("Tab")
        assert page.evaluate("document.activeElement.id") == "chart"
        choose(page, package("web"))
        for _ in range(4):
            page.keyboard.press("Tab")
            if page.evaluate("document.activeElement.id") == "check":
                break
        page.keyboard.press("Enter")
        expect(page.get_by_role("region", name="This would be published")).to_be_focused()
        while page.evaluate("document.activeElement.id") != "publish-now":
            page.keyboard.press("Tab")
        page.keyboard.press("Enter")
        page.wait_for_url("**/ui/charts/keys/web@1.0.0")


def test_who_was_signed_out_meanwhile_is_told(chromium: Browser, server: Server) -> None:
    with signed_in(chromium, server) as page:
        page.goto(f"{server.url}/ui/publish/app")
        page.context.clear_cookies()
        choose(page, package("web", "9.0.0"))
        page.get_by_role("button", name="Check it").click()
        expect(page.get_by_role("alert")).to_contain_text("load the page anew")


def test_a_version_is_deleted_by_typing_its_name(chromium: Browser, server: Server) -> None:
    for version in ("1.0.0", "2.0.0"):
        upload(server, "gone", package("web", version))
    with signed_in(chromium, server) as page:
        page.goto(f"{server.url}/ui/delete/gone/web@1.0.0")
        page.get_by_label("Type the name of the chart").fill("wed")
        page.get_by_role("button", name="Delete this version").click()
        expect(page.get_by_role("alert")).to_contain_text("nothing was deleted")
        page.get_by_label("Type the name of the chart").fill("web")
        page.get_by_role("button", name="Delete this version").click()
        page.wait_for_url("**/ui/versions/gone/web")
        page.goto(f"{server.url}/ui/delete/gone/web")
        page.get_by_label("Type the name of the chart").fill("web")
        page.get_by_role("button", name="Delete all versions").click()
        page.wait_for_url("**/ui/repositories/gone")
        expect(page.get_by_role("main").get_by_role("status")).to_contain_text("It was deleted.")
        assert versions(server, "gone", "web") == []


def test_all_of_it_works_without_a_script(chromium: Browser, server: Server) -> None:
    with signed_in(chromium, server, script=False) as page:
        page.goto(f"{server.url}/ui/publish")
        page.get_by_label("Repository").fill("team")
        choose(page, package("plain", "1.0.0-rc"))
        page.get_by_role("button", name="Publish", exact=True).click()
        expect(page.get_by_role("alert").get_by_role("listitem")).to_have_count(2)

        page.get_by_label("Repository").fill("app")
        needs = [{"name": "redis", "version": "1.x", "repository": "https://example.com"}]
        choose(page, package("plain", description="Has no script.", dependencies=needs))
        page.get_by_role("button", name="Only check it").click()
        found = page.get_by_role("region", name="This would be published")
        expect(found).to_contain_text("Has no script.")
        expect(found).to_contain_text("redis. Helm would refuse to install it: run helm dependency build before")
        assert versions(server, "app", "plain") == []

        choose(page, package("plain", description="Has no script."))
        page.get_by_role("button", name="Publish", exact=True).click()
        page.wait_for_url("**/ui/charts/app/plain@1.0.0?done=published")
        assert versions(server, "app", "plain") != []

        page.goto(f"{server.url}/ui/delete/app/plain")
        page.get_by_label("Type the name of the chart").fill("plain")
        page.get_by_role("button", name="Delete all versions").click()
        page.wait_for_url("**/ui/repositories/app?done=deleted")
        assert versions(server, "app", "plain") == []


def test_a_sync_is_asked_for_on_the_status_page(chromium: Browser, server: Server) -> None:
    with signed_in(chromium, server) as page:
        page.goto(f"{server.url}/ui/status")
        page.get_by_role("button", name="Sync now").click()
        page.wait_for_url("**/ui/status")
        expect(page.get_by_role("main").get_by_role("status")).to_contain_text("compared with the storage")
        expect(page.get_by_role("region", name="Sync")).to_contain_text("just now")
        expect(page.get_by_role("region", name="Server")).not_to_contain_text("Workers alive 0")


@pytest.mark.parametrize(("theme", "width"), browser.LOOKS)
def test_nothing_keeps_anybody_out(chromium: Browser, server: Server, theme: browser.Theme, width: int) -> None:
    upload(server, f"axe-{theme}-{width}", package("web", description="Serves pages. " * 20))
    with signed_in(chromium, server, theme=theme, width=width) as page:
        said: list[str] = []
        page.on("console", lambda message: said.append(message.text))
        page.on("pageerror", lambda error: said.append(str(error)))
        repository = f"axe-{theme}-{width}"
        for path in (
            "repositories",
            f"repositories/{repository}",
            "repositories/nothing-yet",
            "publish",
            f"delete/{repository}/web@1.0.0",
            f"delete/{repository}/web",
            "status",
        ):
            page.goto(f"{server.url}/ui/{path}")
            assert browser.findings(page) == [], path
            assert page.evaluate("document.documentElement.scrollWidth") <= width, path
        assert said == []
        page.goto(f"{server.url}/ui/publish/{repository}")
        choose(page, package("web", "2.0.0"))
        page.get_by_role("button", name="Check it").click()
        expect(page.get_by_role("region", name="This would be published")).to_be_visible()
        assert browser.findings(page) == []
