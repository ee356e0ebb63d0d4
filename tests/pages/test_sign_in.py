"""Signing in and out, and tokens, in a real browser, with a real Helm and a real curl."""

import subprocess
from collections.abc import Iterator
from pathlib import Path
from typing import Final

import pytest
import yaml
from playwright.sync_api import Browser, Page

from tests.support import browser, helm
from tests.support.helm import Helm
from tests.support.issuers import AUDIENCE, CLIENT, CLIENT_SECRET, Provider, signing_in
from tests.support.packages import package
from tests.support.processes import eventually
from tests.support.server import Server, running
from tests.support.tools import UnobtainableError, give_up
from tests.support.users import users

HOME: Final = "/ui/tokens"


@pytest.fixture(scope="module")
def provider() -> Iterator[Provider]:
    with signing_in() as found:
        yield found


@pytest.fixture(scope="module")
def server(tmp_path_factory: pytest.TempPathFactory, provider: Provider) -> Iterator[Server]:
    """A private server with a user, an administrator, and an issuer to sign in with."""
    folder = tmp_path_factory.mktemp("sign-in")
    (folder / "secret").write_text(CLIENT_SECRET)
    sign_in = {"client_id": CLIENT, "client_secret_file": "secret"}
    issuer = {"url": provider.url, "audience": AUDIENCE, "user": "preferred_username", "sign_in": sign_in}
    rules = folder / "rules.yaml"
    rules.write_text(
        yaml.safe_dump(
            {
                "permissions": [
                    {"who": "user:ada", "may": ["read", "publish"], "on": "team/**"},
                    {"who": "sso:grace", "may": "read", "on": "**"},
                ],
                "issuers": {"sso": issuer},
            }
        )
    )
    access = ("--htpasswd", users(folder, ada="pass"), "--permissions", rules)
    with running(folder, *access, env={"CHARTREPO_ADMIN_PASSWORD": "secret"}) as found:
        yield found


@pytest.fixture(scope="module")
def binary() -> Path:
    try:
        return helm.binary(3)
    except UnobtainableError as problem:
        give_up(problem)


def sign_in(page: Page, server: Server, name: str = "ada", password: str = "pass") -> None:
    """Ask for a page, and sign in on the form that comes."""
    page.goto(f"{server.url}{HOME}")
    page.get_by_label("Name").fill(name)
    page.get_by_label("Password").fill(password)
    page.get_by_role("button", name="Sign in").click()


def make(page: Page, name: str) -> str:
    """Make a token that may publish in `team`, and return its text."""
    page.get_by_label("Name").fill(name)
    page.get_by_label("Publish new versions").check()
    page.get_by_role("button", name="Make the token").click()
    return page.locator("#token").inner_text().strip()


@pytest.mark.parametrize("script", [True, False])
def test_a_person_signs_in_makes_a_token_pushes_with_it_revokes_it_and_leaves(
    chromium: Browser, server: Server, binary: Path, tmp_path: Path, script: bool
) -> None:
    chart = f"web{'-script' if script else ''}"
    file = tmp_path / f"{chart}-1.0.0.tgz"
    file.write_bytes(package(chart))
    with browser.page(chromium, script=script) as page:
        said: list[str] = []
        page.on("console", lambda message: said.append(message.text))
        sign_in(page, server, password="wrong")
        assert page.get_by_role("alert").inner_text() == "The name or the password is wrong."
        assert page.get_by_label("Password").input_value() == ""
        page.get_by_label("Password").fill("pass")
        page.get_by_role("button", name="Sign in").click()
        assert page.url == f"{server.url}{HOME}"
        assert page.get_by_role("heading", level=1).inner_text() == "Tokens"

        text = make(page, f"laptop{'-script' if script else ''}")
        if script:
            page.locator("#token + button").click()
            assert page.evaluate("navigator.clipboard.readText()") == text
        curl = page.locator("#curl").inner_text().replace("$TOKEN", text).replace("web-1.0.0.tgz", file.name)
        add = page.locator("#repo-add").inner_text().replace("$TOKEN", text)
        login = page.locator("#login").inner_text()

        answer = subprocess.run(curl, shell=True, cwd=tmp_path, capture_output=True, text=True, check=True)
        assert answer.stdout == '{"saved":true}'
        runner = Helm(binary, tmp_path / "helm")
        shell = {**runner.environment, "PATH": f"{_named_helm(binary, tmp_path)}:/usr/bin:/bin", "TOKEN": text}
        subprocess.run(add, shell=True, env=shell, check=True, capture_output=True)
        assert f"team/{chart}" in runner.run("search", "repo", "team").stdout
        if "--plain-http" in runner.run("registry", "login", "--help").stdout:
            subprocess.run(login, shell=True, env=shell, check=True, capture_output=True)
        else:
            runner.run("registry", "login", f"127.0.0.1:{server.port}", "--insecure", "-u", "ada", "-p", text)
        file.write_bytes(package(chart, "2.0.0"))
        runner.run("push", file, f"oci://127.0.0.1:{server.port}/team", "--plain-http")

        page.goto(f"{server.url}{HOME}")
        assert text not in page.content()
        page.get_by_role("button", name="Revoke laptop").click()
        assert "The token was revoked" in page.get_by_role("main").get_by_role("status").inner_text()
        eventually(lambda: _is_refused(runner), what="the token is good no more")

        page.get_by_role("button", name="Sign out").click()
        page.goto(f"{server.url}{HOME}")
        assert page.get_by_role("heading", level=1).inner_text() == "Sign in"
        assert [line for line in said if not line.startswith("Failed to load resource")] == []


def _named_helm(binary: Path, folder: Path) -> Path:
    """A folder in which that helm is called `helm`, as people type it."""
    named = folder / "bin"
    named.mkdir()
    (named / "helm").symlink_to(binary)
    return named


def _is_refused(runner: Helm) -> bool:
    """Whether Helm gets no index with what it keeps; `repo update` itself ends well then."""
    answer = runner.run("repo", "update", check=False)
    return "401" in answer.stdout + answer.stderr


@pytest.mark.parametrize("script", [True, False])
def test_a_person_signs_in_with_an_issuer_and_comes_back_to_the_page(
    chromium: Browser, server: Server, script: bool
) -> None:
    with browser.page(chromium, script=script) as page:
        page.goto(f"{server.url}{HOME}")
        page.get_by_role("link", name="Sign in with sso").click()
        assert page.url == f"{server.url}{HOME}"
        assert page.locator(".person").inner_text() == "sso:grace"
        assert "you can make no lasting tokens here" in page.content()
        page.get_by_role("button", name="Sign out").click()
        assert page.locator(".person").count() == 0


def test_what_the_issuer_says_is_told(chromium: Browser, server: Server, provider: Provider) -> None:
    provider.refuses = "access_denied"
    try:
        with browser.page(chromium) as page:
            page.goto(f"{server.url}{HOME}")
            page.get_by_role("link", name="Sign in with sso").click()
            assert "sso says 'access_denied'" in page.get_by_role("alert").inner_text()
            assert browser.findings(page) == []
    finally:
        provider.refuses = ""


def test_the_keyboard_alone_signs_in_and_out(chromium: Browser, server: Server) -> None:
    with browser.page(chromium) as page:
        page.goto(f"{server.url}/ui/sign-in?next={HOME}")
        page.get_by_label("Name").focus()
        page.keyboard.type("ada")
        page.keyboard.press("Tab")
        page.keyboard.type("pass")
        page.keyboard.press("Enter")
        page.wait_for_url(f"**{HOME}")
        page.get_by_role("button", name="Sign out").focus()
        page.keyboard.press("Enter")
        page.wait_for_url("**/ui/sign-in?next=%2Fui%2F")


@pytest.mark.parametrize(("theme", "width"), browser.LOOKS)
def test_nothing_keeps_anybody_out_of_these_pages(
    chromium: Browser, server: Server, theme: browser.Theme, width: int
) -> None:
    problems: dict[str, list[str]] = {}

    def look(name: str, page: Page) -> None:
        wide = page.evaluate("document.documentElement.scrollWidth - document.documentElement.clientWidth")
        found = [*browser.findings(page), *(["it is too wide"] if wide > 0 else [])]
        if found:
            problems[name] = found

    with browser.page(chromium, theme=theme, width=width) as page:
        sign_in(page, server, password="wrong")
        look("a wrong password", page)
        sign_in(page, server, "admin", "secret")
        look("tokens", page)
        make(page, f"axe-{theme}-{width}")
        look("a new token", page)
        page.get_by_label("Name").fill("never-made")
        page.get_by_label("On which charts").fill("te am/[")
        page.get_by_role("button", name="Make the token").click()
        look("what cannot be made", page)
        page.goto(f"{server.url}{HOME}")
        look("the list", page)
        page.get_by_role("button", name=f"Revoke axe-{theme}-{width}").click()
        look("a revoked token", page)
    assert problems == {}
