"""The README of a chart on its page, in a real browser: what it shows, and what hostile charts cannot do."""

from collections.abc import Iterator

import pytest
from playwright.sync_api import Browser, Page

from tests.support import browser, tricks
from tests.support.http import call as request
from tests.support.packages import package
from tests.support.server import Server, running

PNG = bytes.fromhex(
    "89504e470d0a1a0a0000000d49484452000000010000000108060000001f15c4890000000d49444154789c6360000002000001e221bc330000"
    "000049454e44ae426082"
)
SVG = "<svg xmlns='http://www.w3.org/2000/svg' width='9' height='9'><script>window.pwned=1</script></svg>"
README = """# Web

Serves pages. ![Logo](logo.png) ![Badge](https://elsewhere.invalid/b.svg) [notes](docs/notes.md)

## Parameters

| Key | Default |
|-----|--------:|
| `replicas` | `1` |

```yaml
replicas: 2  # two of them
```

> [!NOTE]
> - [x] done

#### Deep
"""
ANNOTATIONS = {
    "artifacthub.io/changes": "- kind: added\n  description: A page\n",
    "artifacthub.io/license": "Apache-2.0",
    "artifacthub.io/links": "- {name: Docs, url: https://docs.example.com}\n- {name: Bad, url: 'javascript:alert(1)'}",
    "artifacthub.io/category": "networking",
    "artifacthub.io/containsSecurityUpdates": "true",
    "artifacthub.io/images": "{",
}


def web(version: str) -> bytes:
    return package(
        "web",
        version,
        appVersion="2.0",
        description="Serves pages",
        keywords=["http"],
        home="https://example.com",
        maintainers=[{"name": "Ada", "email": "ada@example.com"}],
        annotations=ANNOTATIONS,
        files={"README.md": README, "logo.png": PNG, "docs/notes.md": "hi", "pic.svg": SVG, "page.html": "<script>"},
    )


def hostile() -> bytes:
    trick = '"><script>window.pwned=1</script>'
    return package(
        "hostile",
        "1.0.0",
        description=trick,
        appVersion=trick,
        home="javascript:alert(1)",
        keywords=[trick, "\u202ekcab"],
        sources=["javascript:alert(1)", trick],
        maintainers=[{"name": trick, "email": "a@b.c?bcc=x", "url": "javascript:alert(1)"}],
        annotations={"artifacthub.io/changes": f"- '{trick}'", "artifacthub.io/license": trick},
        files={
            "README.md": "\n\n".join(tricks.READMES.values()).encode("utf-8", "replace"),
            "logo.png": PNG,
            "x": "x",
        },
    )


@pytest.fixture(scope="module")
def server(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Server]:
    with running(tmp_path_factory.mktemp("charts"), "--open-writes") as found:
        for data in (web("1.0.0"), web("1.1.0"), web("2.0.0-rc.1"), hostile(), package("lib", type="library")):
            assert request("POST", f"{found.url}/api/team/charts", data).status == 201
        yield found


def watched(page: Page) -> list[str]:
    """What a page does that it must not, from now on."""
    wrong: list[str] = []
    page.on("dialog", lambda dialog: (wrong.append(f"dialog {dialog.message}"), dialog.dismiss()))
    page.on("console", lambda said: wrong.append(said.text) if said.type == "error" else None)
    page.on("pageerror", lambda error: wrong.append(str(error)))
    page.on("request", lambda asked: wrong.append(asked.url) if "127.0.0.1" not in asked.url else None)
    return wrong


def test_it_shows_what_the_chart_says(chromium: Browser, server: Server) -> None:
    with browser.page(chromium) as page:
        wrong = watched(page)
        page.goto(f"{server.url}/ui/charts/team/web@1.0.0")
        text = page.inner_text("main")
        for said in (
            "This is not the newest version: 1.1.0 is.",
            "Apache-2.0",
            "Networking",
            "Ada",
            "A page",
            "unsigned",
        ):
            assert said in text
        assert page.get_by_role("link", name="Docs").get_attribute("href") == "https://docs.example.com"
        assert "javascript:" not in page.content()
        assert "artifacthub.io/images cannot be read" in text
        assert page.locator(".readme img").evaluate("image => image.complete && image.naturalWidth") == 1
        assert page.locator(".readme h3").first.inner_text().startswith("Web")
        assert page.locator("link[rel=canonical]").get_attribute("href") == f"{server.url}/ui/charts/team/web@1.0.0"
        assert wrong == []


def test_a_hostile_chart_runs_nothing_and_loads_nothing(chromium: Browser, server: Server) -> None:
    with browser.page(chromium) as page:
        wrong = watched(page)
        page.goto(f"{server.url}/ui/charts/team/hostile")
        for link in page.locator(".readme details summary").all():
            link.click()
        page.wait_for_timeout(300)
        assert page.evaluate("window.pwned") is None
        assert wrong == []
        assert page.get_by_role("heading", name="README", exact=True).is_visible()
        assert page.evaluate("document.documentElement.scrollWidth <= window.innerWidth")


@pytest.mark.parametrize(("theme", "width"), browser.LOOKS)
def test_axe_finds_nothing(chromium: Browser, server: Server, theme: browser.Theme, width: int) -> None:
    with browser.page(chromium, width=width, theme=theme) as page:
        page.goto(f"{server.url}/ui/charts/team/web")
        assert browser.findings(page) == []
        assert page.evaluate("document.documentElement.scrollWidth <= window.innerWidth")


def test_pictures_are_served_and_nothing_else(server: Server) -> None:
    raw = f"{server.url}/ui/raw/team/web@1.0.0?path="
    picture = request("GET", f"{raw}logo.png")
    assert (picture.status, picture.headers["Content-Type"], picture.body) == (200, "image/png", PNG)
    drawing = request("GET", f"{raw}pic.svg")
    assert drawing.headers["Content-Type"] == "image/svg+xml"
    assert drawing.headers["Content-Security-Policy"] == "default-src 'none'; style-src 'unsafe-inline'; sandbox"
    assert drawing.headers["X-Content-Type-Options"] == "nosniff"
    for path in ("page.html", "values.yaml", "gone.png", "../x", ""):
        assert request("GET", f"{raw}{path}").status == 404
