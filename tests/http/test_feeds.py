"""Feeds of what was published last: what is in them, for whom, and when they are sent again."""

import json
import re
from pathlib import Path
from typing import Final
from xml.etree import ElementTree as ET
from xml.etree.ElementTree import Element

import bcrypt
import pytest
from werkzeug.test import TestResponse

from chartrepo.core.atom import NAMESPACE
from tests.http.test_permissions import write_rules
from tests.support.packages import package
from tests.support.repositories import Shop
from tests.support.site import Site

ATOM: Final = {"a": NAMESPACE}
LINK: Final = re.compile(r'<link rel="alternate" type="application/atom\+xml" title="[^"]+" href="([^"]+)">')
DATE: Final = re.compile(r"\d{4}-\d\d-\d\dT\d\d:\d\d:\d\dZ")
CHANGES: Final = """\
- kind: added
  description: "A <b>probe</b> & more"
- Something plain
"""
RULES: Final[list[tuple[list[str], list[str], list[str]]]] = [
    (["anonymous"], ["read"], ["public/**"]),
    (["user:ada"], ["read", "publish"], ["team/**"]),
    (["user:bob"], ["read"], ["team/web"]),
]


def read(answer: TestResponse) -> Element:
    """A feed, once it is seen to have what RFC 4287 (section 4.1) requires."""
    assert answer.status_code == 200, answer.text
    assert answer.headers["Content-Type"] == "application/atom+xml; charset=utf-8"
    feed = ET.fromstring(answer.data)
    assert feed.tag == f"{{{NAMESPACE}}}feed"
    for each in (feed, *feed.findall("a:entry", ATOM)):
        for name in ("id", "title", "updated"):
            (found,) = each.findall(f"a:{name}", ATOM)
            assert (found.text or "").strip()
            assert not set(found.attrib) - {"type"}
        assert re.match(r"(?:https?|urn):", text(each, "id"))
        assert DATE.fullmatch(text(each, "updated"))
        (alternate,) = each.findall("a:link[@rel='alternate']", ATOM)
        assert alternate.attrib["href"].startswith("http")
        for author in each.findall("a:author", ATOM):
            assert text(author, "name")
    assert feed.findall("a:author", ATOM), "where an entry has no author, the feed has to have one"
    (itself,) = feed.findall("a:link[@rel='self']", ATOM)
    assert itself.attrib["href"] == text(feed, "id")
    ids = [text(entry, "id") for entry in feed.findall("a:entry", ATOM)]
    assert len(set(ids)) == len(ids)
    return feed


def text(parent: Element, name: str) -> str:
    return parent.findtext(f"a:{name}", "", ATOM)


def titles(answer: TestResponse) -> list[str]:
    return [text(entry, "title") for entry in read(answer).findall("a:entry", ATOM)]


def first(answer: TestResponse) -> Element:
    entry = read(answer).find("a:entry", ATOM)
    assert entry is not None
    return entry


def publish_in_turn(site: Site, *packages: tuple[str, bytes]) -> None:
    for path, data in packages:
        site.shop.clock.now += 60
        assert site.upload(data, path).status_code == 201


@pytest.fixture
def closed(shop: Shop, tmp_path: Path) -> Site:
    """A server with a public repository and one of a team, in which ada publishes and bob reads one chart."""
    hashed = bcrypt.hashpw(b"secret", bcrypt.gensalt(4)).decode()
    (tmp_path / "users").write_text("".join(f"{name}:{hashed}\n" for name in ("ada", "bob", "eve")))
    write_rules(tmp_path / "rules.yaml", RULES)
    site = Site(shop, admin_password="secret", htpasswd=tmp_path / "users", permissions=tmp_path / "rules.yaml")
    ada, admin = site.by("ada", "secret"), site.by("admin", "secret")
    publish_in_turn(admin, ("/api/public/charts", package("app", maintainers=[{"name": "Grace"}])))
    publish_in_turn(ada, ("/api/team/charts", package("web")), ("/api/team/charts", package("secret")))
    return site


class TestWhatIsInThem:
    def test_the_latest_come_first_whatever_their_version(self, site: Site) -> None:
        publish_in_turn(
            site,
            ("/api/charts", package("web", "2.0.0")),
            ("/api/team/app/charts", package("app")),
            ("/api/charts", package("web", "1.9.1")),
        )
        assert titles(site.get("/ui/feed")) == ["web 1.9.1", "team/app/app 1.0.0", "web 2.0.0"]
        assert titles(site.get("/ui/feed/repositories")) == ["web 1.9.1", "web 2.0.0"]
        assert titles(site.get("/ui/feed/repositories/team/app")) == ["team/app/app 1.0.0"]
        assert titles(site.get("/ui/feed/charts/web")) == ["web 1.9.1", "web 2.0.0"]
        assert titles(site.get("/ui/feed/charts/team/app/app")) == ["team/app/app 1.0.0"]

    def test_an_entry_says_what_is_new_as_text(self, site: Site) -> None:
        notes = {"artifacthub.io/changes": CHANGES}
        publish_in_turn(site, ("/api/team/charts", package("web", description="<i>It</i> serves", annotations=notes)))
        entry = first(site.get("/ui/feed"))
        assert text(entry, "summary") == "<i>It</i> serves\n- added: A <b>probe</b> & more\n- Something plain"
        assert text(entry, "updated") == "2023-11-14T22:14:20Z"
        link = entry.find("a:link", ATOM)
        assert link is not None
        assert link.attrib["href"] == "http://localhost/ui/charts/team/web@1.0.0"

    def test_ids_stay_the_same_until_the_bytes_are_others(self, site: Site) -> None:
        publish_in_turn(site, ("/api/charts", package("web")), ("/api/team/charts", package("web")))
        before = [text(entry, "id") for entry in read(site.get("/ui/feed")).findall("a:entry", ATOM)]
        site.shop.rebuild()
        assert [text(entry, "id") for entry in read(site.get("/ui/feed")).findall("a:entry", ATOM)] == before
        publish_in_turn(site, ("/api/charts?force", package("web", description="other")))
        after = [text(entry, "id") for entry in read(site.get("/ui/feed")).findall("a:entry", ATOM)]
        assert len(set(before) & set(after)) == 1

    def test_fifty_at_most(self, site: Site) -> None:
        publish_in_turn(site, *(("/api/charts", package("web", f"1.0.{number}")) for number in range(52)))
        for path in ("/ui/feed", "/ui/feed/repositories", "/ui/feed/charts/web"):
            listed = titles(site.get(path))
            assert (len(listed), listed[0], listed[-1]) == (50, "web 1.0.51", "web 1.0.2")

    def test_what_xml_has_no_place_for_breaks_no_feed(self, site: Site) -> None:
        # Escaped, as YAML takes the rest in no other way.
        odd = "a\x01b\x0b\x1b[31m\ufffe\uffff ]]> <!-- \N{RIGHT-TO-LEFT OVERRIDE} &#1;"
        chart = {"apiVersion": "v2", "name": "web", "version": "1.0.0", "description": odd}
        people = {"maintainers": [{"name": "\x02Eve"}, {"name": " "}]}
        publish_in_turn(site, ("/api/charts", package("web", files={"Chart.yaml": json.dumps(chart | people)})))
        entry = first(site.get("/ui/feed/charts/web"))
        said = text(entry, "summary")
        assert "]]> <!-- " in said
        assert said.endswith(" &#1;")
        assert not re.search(r"[\x00-\x08\x0b\x0c\x0e-\x1f]", said)

    def test_changes_that_cannot_be_read_are_left_out(self, site: Site) -> None:
        notes = {"artifacthub.io/changes": "- {a: [\n" + "x" * 9_000}
        publish_in_turn(site, ("/api/charts", package("web", description="It serves", annotations=notes)))
        assert text(first(site.get("/ui/feed")), "summary") == "It serves"

    def test_where_there_is_nothing_yet_there_is_an_empty_feed(self, site: Site) -> None:
        assert titles(site.get("/ui/feed")) == []
        assert titles(site.get("/ui/feed/repositories/team")) == []

    @pytest.mark.parametrize("path", ["charts/nothing", "charts/web@1.0.0", "repositories/api", "other", "charts/a/.."])
    def test_what_is_no_feed_is_told_as_to_a_program(self, site: Site, path: str) -> None:
        publish_in_turn(site, ("/api/charts", package("web")))
        answer = site.get(f"/ui/feed/{path}")
        assert (answer.status_code, list(answer.json or ())) == (404, ["error"])

    def test_addresses_are_those_that_the_reader_knows(self, shop: Shop) -> None:
        site = Site(shop, context_path="/hub", external_url="https://charts.example.com", open_writes=True)
        publish_in_turn(site, ("/hub/api/team/charts", package("web")))
        feed = read(site.get("/hub/ui/feed/charts/team/web"))
        assert text(feed, "id") == "https://charts.example.com/hub/ui/feed/charts/team/web"
        assert {link.attrib["href"] for link in feed.findall("a:entry/a:link", ATOM)} == {
            "https://charts.example.com/hub/ui/charts/team/web@1.0.0"
        }


class TestWhoReadsWhat:
    def test_everybody_sees_what_is_theirs(self, closed: Site) -> None:
        admin, ada, bob = (closed.by(name, "secret") for name in ("admin", "ada", "bob"))
        assert titles(closed.get("/ui/feed")) == ["public/app 1.0.0"]
        assert titles(bob.get("/ui/feed")) == ["team/web 1.0.0", "public/app 1.0.0"]
        assert titles(admin.get("/ui/feed")) == ["team/secret 1.0.0", "team/web 1.0.0", "public/app 1.0.0"]
        assert titles(ada.get("/ui/feed/repositories/team")) == ["team/secret 1.0.0", "team/web 1.0.0"]
        assert titles(bob.get("/ui/feed/repositories/team")) == ["team/web 1.0.0"]
        assert titles(closed.by("eve", "secret").get("/ui/feed/repositories/team")) == []

    @pytest.mark.parametrize("path", ["repositories/team", "charts/team/web", "charts/team/nothing"])
    def test_who_is_not_known_is_asked_for_a_password(self, closed: Site, path: str) -> None:
        answer = closed.get(f"/ui/feed/{path}")
        assert answer.status_code == 401
        assert answer.headers["WWW-Authenticate"].startswith("Basic ")

    def test_what_one_may_not_read_is_not_there(self, closed: Site) -> None:
        bob = closed.by("bob", "secret")
        hidden, missing = bob.get("/ui/feed/charts/team/secret"), bob.get("/ui/feed/charts/team/nothing")
        assert (hidden.status_code, missing.status_code) == (404, 404)

    def test_who_published_is_told_to_who_is_known(self, closed: Site) -> None:
        def authors(site: Site) -> list[str]:
            entries = read(site.get("/ui/feed")).findall("a:entry", ATOM)
            return [name.text or "" for entry in entries for name in entry.findall("a:author/a:name", ATOM)]

        assert authors(closed) == ["Grace"]
        assert authors(closed.by("bob", "secret")) == ["user:ada", "user:admin"]

    def test_the_api_tells_it_too(self, closed: Site) -> None:
        def told(site: Site, path: str) -> object:
            answer = site.get(f"/api/{path}/1.0.0/provenance")
            assert answer.json is not None
            return answer.json["published_by"]

        bob = closed.by("bob", "secret")
        assert told(bob, "team/charts/web") == {"caller": "user:ada", "time": "2023-11-14T22:15:20.000000Z"}
        assert told(bob, "public/charts/app") == {"caller": "user:admin", "time": "2023-11-14T22:14:20.000000Z"}
        assert told(closed, "public/charts/app") is None


class TestAgain:
    def test_who_has_it_already_is_told_so_until_something_changes(self, site: Site) -> None:
        publish_in_turn(site, ("/api/charts", package("web")))
        for path in ("/ui/feed", "/ui/feed/repositories", "/ui/feed/charts/web"):
            got = site.get(path)
            again = site.get(path, If_None_Match=got.headers["ETag"])
            assert (again.status_code, again.data, again.headers["ETag"]) == (304, b"", got.headers["ETag"])
        held = {path: site.get(path).headers for path in ("/ui/feed", "/ui/feed/repositories", "/ui/feed/charts/web")}
        publish_in_turn(site, ("/api/charts", package("web", "1.0.1")))
        for path, headers in held.items():
            assert site.get(path, If_None_Match=headers["ETag"]).status_code == 200
            assert site.get(path, If_Modified_Since=headers["Last-Modified"]).status_code == 200

    def test_a_feed_of_another_repository_is_held_on_to(self, site: Site) -> None:
        publish_in_turn(site, ("/api/one/charts", package("web")))
        held = site.get("/ui/feed/repositories/one").headers["ETag"]
        publish_in_turn(site, ("/api/two/charts", package("web")))
        assert site.get("/ui/feed/repositories/one", If_None_Match=held).status_code == 304

    def test_a_deletion_shows_too(self, site: Site) -> None:
        publish_in_turn(site, ("/api/charts", package("web")), ("/api/charts", package("app")))
        held = site.get("/ui/feed").headers["ETag"]
        assert site.delete("/api/charts/app/1.0.0").status_code == 200
        answer = site.get("/ui/feed", If_None_Match=held)
        assert titles(answer) == ["web 1.0.0"]

    def test_who_reads_some_learns_nothing_of_the_rest(self, closed: Site) -> None:
        bob = closed.by("bob", "secret")
        for path in ("/ui/feed", "/ui/feed/repositories/team"):
            held = bob.get(path).headers
            publish_in_turn(
                closed.by("ada", "secret"), ("/api/team/charts?force", package("secret", f"1.0.{len(path)}"))
            )
            now = bob.get(path).headers
            assert (now["ETag"], now["Last-Modified"]) == (held["ETag"], held["Last-Modified"])

    def test_it_is_zipped_for_who_takes_that(self, site: Site) -> None:
        publish_in_turn(site, ("/api/charts", package("web")))
        assert site.get("/ui/feed", Accept_Encoding="gzip").headers["Content-Encoding"] == "gzip"
        assert site.head("/ui/feed").data == b""


class TestWhereTheyAreTold:
    def test_pages_name_the_feeds_of_what_they_show(self, site: Site) -> None:
        publish_in_turn(site, ("/api/team/app/charts", package("web")))

        def told(path: str) -> list[str]:
            page = site.get(path)
            assert page.status_code == 200
            return re.findall(
                r'<link rel="alternate" type="application/atom\+xml" title="[^"]+" href="([^"]+)">', page.text
            )

        assert told("/ui/") == ["/ui/feed"]
        assert told("/ui/repositories/team/app") == ["/ui/feed", "/ui/feed/repositories/team/app"]
        for path in told("/ui/repositories/team/app"):
            assert titles(site.get(path)) == ["team/app/web 1.0.0"]
