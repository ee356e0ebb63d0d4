"""The page that tells what the API takes and answers, in a real browser; and its commands, which work."""

import shlex
import subprocess
from collections.abc import Iterator
from pathlib import Path
from typing import Final

import pytest
from playwright.sync_api import Browser

from chartrepo.http.pages.api_page import fields, groups, spans
from tests.support import browser
from tests.support.http import publish
from tests.support.packages import package
from tests.support.repositories import provenance
from tests.support.server import Server, running

WORKS_NOT: Final = {"exchangeToken", "createToken", "revokeToken", "listTokens", "artifacthub", "listAuditRecords"}
"""Operations that a server without users and issuers refuses."""


@pytest.fixture(scope="module")
def server(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Server]:
    with running(tmp_path_factory.mktemp("api"), "--open-writes") as found:
        yield found


@pytest.mark.parametrize(("theme", "width"), browser.LOOKS)
def test_everybody_can_read_it(chromium: Browser, server: Server, width: int, theme: browser.Theme) -> None:
    with browser.page(chromium, width=width, theme=theme) as page:
        page.goto(f"{server.url}/ui/api")
        assert page.get_by_role("heading", level=1).inner_text() == "API"
        assert page.evaluate("document.documentElement.scrollWidth") <= width
        for details in page.locator("details").all()[:6]:
            details.evaluate("element => { element.open = true; }")
        assert browser.findings(page) == []


def test_it_is_read_without_scripts_and_every_operation_has_its_anchor(chromium: Browser, server: Server) -> None:
    with browser.page(chromium, script=False) as page:
        page.goto(f"{server.url}/ui/api#publishPackage")
        assert page.locator("#publishPackage").is_visible()
        assert page.locator("article").count() == sum(len(group.operations) for group in groups())
        page.get_by_role("link", name="Get the index of a repository").first.click()
        assert page.url.endswith("#getIndex")
        assert page.get_by_role("link", name="openapi.json").get_attribute("href") == "/api/openapi.json"


def test_the_example_is_copied_and_works(chromium: Browser, server: Server, tmp_path: Path) -> None:
    assert publish(server.url, package(), "team/app", force=True).status == 201
    with browser.page(chromium) as page:
        page.goto(f"{server.url}/ui/api#getPackage")
        page.get_by_role("button", name="Copy the example: Get a package", exact=True).click()
        command = page.evaluate("navigator.clipboard.readText()")
    assert command == f'curl -O "{server.url}/team/app/charts/app-1.0.0.tgz"'
    subprocess.run(shlex.split(command), cwd=tmp_path, check=True, capture_output=True)
    assert (tmp_path / "app-1.0.0.tgz").read_bytes() == package()


def test_all_examples_work_as_they_are(server: Server, tmp_path: Path) -> None:
    (tmp_path / "app-1.0.0.tgz").write_bytes(package())
    (tmp_path / "app-1.0.0.tgz.prov").write_bytes(provenance(package()))
    assert publish(server.url, package(version="0.9.0"), "team/app", force=True).status == 201
    operations = [each for group in groups() for each in group.operations if each.id not in WORKS_NOT]
    # What is published is there to be read, and what is deleted is published again.
    for each in sorted(operations, key=lambda each: (each.method != "POST", each.method == "DELETE", -len(each.path))):
        url = f"{server.url}{each.example.path}"
        if each.method == "DELETE":
            assert publish(server.url, package(), "team/app", force=True).status == 201
        options = shlex.split(each.example.options.replace("USER:TOKEN", "ada:secret"))
        done = subprocess.run(
            ["curl", "-sS", "-o", "answer", "-w", "%{http_code}", *options, url],
            cwd=tmp_path,
            check=True,
            capture_output=True,
            text=True,
        )
        good = {str(reply.status) for reply in each.replies} | ({"409"} if each.method == "POST" else set())
        assert done.stdout in good, f"{each.id}: {url}: {done.stdout}"


def test_what_stands_between_backticks_is_code() -> None:
    assert [tuple(each) for each in spans("a\n`b`  c")] == [("a ", False), ("b", True), (" c", False)]


def test_fields_are_told_with_those_under_them() -> None:
    told = {each.path: each.kind for each in fields({"$ref": "#/components/schemas/AuditRecords"})}
    assert told["records[].caller"] == "string"
    assert told["next"] == "string or null"
    told = {each.path: each.kind for each in fields({"$ref": "#/components/schemas/Provenance"})}
    assert told["published_by.caller"] == "string"
    told = {each.path: each.kind for each in fields({"$ref": "#/components/schemas/Pulls"})}
    assert told["versions.*.pulls"] == "integer"
