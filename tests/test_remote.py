"""Fetching from another repository's address: what is asked, of whom, and what is believed."""

import base64
import gzip
import io
from collections.abc import Iterator
from contextlib import closing
from hashlib import sha256
from typing import Final

import pytest

from chartrepo import fetching, remote
from chartrepo.remote import Remote
from chartrepo.sources import Item, SourceError
from tests.support.web import DATA, FILE, Answer, Web, running

THEN: Final = 1_600_000_000


@pytest.fixture
def site() -> Iterator[Web]:
    with running() as site:
        yield site


@pytest.fixture
def elsewhere() -> Iterator[Web]:
    """Another server."""
    with running() as site:
        yield site


@pytest.fixture(autouse=True)
def at_once(monkeypatch: pytest.MonkeyPatch) -> None:
    """Without pauses, and without a proxy of the person's own."""
    monkeypatch.setattr(fetching, "_FIRST_PAUSE", 0.0)
    monkeypatch.setattr(fetching, "_LONGEST_PAUSE", 0.0)
    monkeypatch.setenv("no_proxy", "*")


def fetch(url: str, *, username: str = "", password: str = "") -> bytes:
    """The only package of a repository."""
    with closing(Remote(url, username=username, password=password)) as source:
        (item,) = source.items()
        file = io.BytesIO()
        source.fetch(item, file)
        return file.getvalue()


def only(url: str) -> Item:
    with closing(Remote(url)) as source:
        (item,) = source.items()
        return item


class TestTheIndex:
    def test_tells_all_but_the_provenance(self, site: Web) -> None:
        site.publish()
        place = f"{site.url}/{FILE}"
        digest = sha256(DATA).hexdigest()
        assert only(site.url) == Item(place, "", FILE, address=place, published=THEN, digest=digest)

    def test_whose_time_is_none_is_warned_of_with_chart_and_value(self, site: Web) -> None:
        site.publish(created="garbage")
        item = only(site.url)
        assert item.published is None
        assert item.warning.startswith("app 1.0.0 counts as published now")
        assert "created 'garbage', which is no time" in item.warning

    @pytest.mark.parametrize("typed", ["{}/charts", "{}/charts/", "{}/charts/index.yaml", "{}/charts#x"])
    def test_is_found_however_the_address_is_typed(self, site: Web, typed: str) -> None:
        site.publish(path="/charts")
        assert fetch(typed.format(site.url)) == DATA

    def test_may_be_compressed(self, site: Web) -> None:
        site.publish()
        body = site.answers["/index.yaml"]
        assert isinstance(body, Answer)
        site.answers["/index.yaml"] = Answer(gzip.compress(body.body), headers=(("Content-Encoding", "gzip"),))
        assert fetch(site.url) == DATA

    def test_that_is_missing_is_told_with_its_address(self, site: Web) -> None:
        with pytest.raises(SourceError, match=f"^{site.url}/charts/index.yaml: the server answers 404"):
            fetch(f"{site.url}/charts?secret=x")

    def test_that_is_none_is_told_with_its_address(self, site: Web) -> None:
        site.answers["/index.yaml"] = Answer(b"<html>Welcome</html>")
        with pytest.raises(SourceError, match=f"^{site.url}/index.yaml: the index has no entries"):
            fetch(site.url)

    def test_that_is_too_large_is_refused(self, site: Web, monkeypatch: pytest.MonkeyPatch) -> None:
        monkeypatch.setattr(remote, "MAX_INDEX", 1000)
        site.answers["/index.yaml"] = Answer(gzip.compress(bytes(10_000)), headers=(("Content-Encoding", "gzip"),))
        with pytest.raises(SourceError, match="more than 1000 bytes"):
            fetch(site.url)


class TestAddressesInTheIndex:
    @pytest.mark.parametrize(
        ("url", "asked"),
        [
            (FILE, f"/charts/{FILE}"),
            (f"sub/{FILE}", f"/charts/sub/{FILE}"),
            (f"../{FILE}", f"/{FILE}"),
            (f"/other/{FILE}", f"/other/{FILE}"),
            ("app-1.0.0+build.tgz", "/charts/app-1.0.0+build.tgz"),
            ("app-1.0.0%2Bbuild.tgz", "/charts/app-1.0.0%2Bbuild.tgz"),
            ("my app-1.0.0.tgz", "/charts/my%20app-1.0.0.tgz"),
        ],
    )
    def test_are_read_as_helm_reads_them(self, site: Web, url: str, asked: str) -> None:
        site.publish(path="/charts", url=url)
        site.answers[asked] = Answer(DATA)
        assert fetch(f"{site.url}/charts") == DATA
        assert site.paths() == ["/charts/index.yaml", asked]

    def test_keep_the_repositorys_query(self, site: Web) -> None:
        site.publish()
        site.answers = {f"{path}?a=b": answer for path, answer in site.answers.items()}
        assert fetch(f"{site.url}?a=b") == DATA

    def test_are_shown_without_what_may_be_secret(self, site: Web) -> None:
        site.publish(url=f"http://user:secret@127.0.0.1/{FILE}?token=secret")
        assert only(site.url).place == f"http://127.0.0.1/{FILE}"

    def test_may_lead_to_another_host(self, site: Web, elsewhere: Web) -> None:
        site.publish(url=f"{elsewhere.url}/{FILE}")
        elsewhere.publish()
        assert fetch(site.url) == DATA

    @pytest.mark.parametrize(
        "url", ["oci://host/app:1.0.0", "file:///etc/passwd", "http://", "http://h:x/", "http://[/"]
    )
    def test_that_lead_nowhere_are_told(self, site: Web, url: str) -> None:
        site.publish(url=url)
        with pytest.raises(SourceError, match="is no address"):
            fetch(site.url)

    def test_that_are_missing_are_told(self, site: Web) -> None:
        site.publish(url="")
        with pytest.raises(SourceError, match="gives no address"):
            fetch(site.url)


class TestCredentials:
    basic = "Basic " + base64.b64encode("ci:pässword".encode()).decode()

    def test_are_sent_without_being_asked_for(self, site: Web) -> None:
        site.publish()
        fetch(site.url, username="ci", password="pässword")
        assert site.credentials() == [self.basic] * 2

    def test_are_not_sent_to_another_host_that_the_index_names(self, site: Web, elsewhere: Web) -> None:
        site.publish(url=f"{elsewhere.url}/{FILE}")
        elsewhere.publish()
        fetch(site.url, username="ci", password="pässword")
        assert (site.credentials(), elsewhere.credentials()) == ([self.basic], [None])

    def test_are_not_sent_to_the_same_host_by_another_name(self, site: Web) -> None:
        site.publish(url=f"{site.url.replace('127.0.0.1', 'localhost')}/{FILE}")
        fetch(site.url, username="ci", password="pässword")
        assert site.credentials() == [self.basic, None]

    def test_are_not_sent_where_a_redirect_leads(self, site: Web, elsewhere: Web) -> None:
        site.publish()
        elsewhere.publish()
        site.answers[f"/{FILE}"] = Answer(status=302, headers=(("Location", f"{elsewhere.url}/{FILE}"),))
        assert fetch(site.url, username="ci", password="pässword") == DATA
        assert (site.credentials(), elsewhere.credentials()) == ([self.basic] * 2, [None])

    def test_that_are_needed_are_asked_for(self, site: Web) -> None:
        site.answers["/index.yaml"] = Answer(status=401)
        with pytest.raises(SourceError, match="answers 401 Unauthorized: give --username and --password-file"):
            fetch(site.url)

    def test_that_are_wrong_are_told(self, site: Web) -> None:
        site.answers["/index.yaml"] = Answer(status=403)
        with pytest.raises(SourceError, match="answers 403 Forbidden: check the credential"):
            fetch(site.url, username="ci", password="x")

    @pytest.mark.parametrize("userinfo", ["ci:secret@", "ci@", "@"])
    def test_are_not_taken_from_the_address(self, userinfo: str) -> None:
        with pytest.raises(SourceError, match="--password-file") as refused:
            Remote(f"http://{userinfo}127.0.0.1/charts")
        assert "secret" not in str(refused.value)


class TestRedirects:
    @pytest.mark.parametrize("status", [301, 302, 303, 307, 308])
    def test_are_followed(self, site: Web, status: int) -> None:
        site.publish()
        site.answers["/charts/index.yaml"] = Answer(status=status, headers=(("Location", "/index.yaml"),))
        site.answers[f"/charts/{FILE}"] = Answer(status=status, headers=(("Location", f"/{FILE}"),))
        assert fetch(f"{site.url}/charts") == DATA

    def test_in_a_circle_are_given_up(self, site: Web) -> None:
        site.answers["/index.yaml"] = Answer(status=302, headers=(("Location", "/index.yaml"),))
        with pytest.raises(SourceError, match="redirected more than 10 times"):
            fetch(site.url)

    def test_to_something_that_is_not_http_are_not_followed(self, site: Web) -> None:
        site.answers["/index.yaml"] = Answer(status=302, headers=(("Location", "file:///etc/passwd"),))
        with pytest.raises(SourceError, match="is no address"):
            fetch(site.url)


class TestWhatFailsInPassing:
    @pytest.mark.parametrize(
        "failure",
        [
            Answer(status=503),
            Answer(status=429, headers=(("Retry-After", "1"),)),
            Answer(DATA, cut=100),
            Answer(DATA, cut=0),
        ],
        ids=["503", "429", "cut", "nothing"],
    )
    def test_is_tried_again(self, site: Web, failure: Answer) -> None:
        site.publish()
        site.answers[f"/{FILE}"] = [failure, failure, Answer(DATA)]
        assert fetch(site.url) == DATA

    def test_and_does_not_pass_is_told(self, site: Web) -> None:
        site.publish()
        site.answers[f"/{FILE}"] = Answer(status=500)
        with pytest.raises(SourceError, match="answers 500"):
            fetch(site.url)
        assert site.paths().count(f"/{FILE}") == 4

    def test_is_not_a_refusal(self, site: Web) -> None:
        site.publish()
        site.answers[f"/{FILE}"] = Answer(status=400)
        with pytest.raises(SourceError, match="answers 400"):
            fetch(site.url)
        assert site.paths().count(f"/{FILE}") == 1

    def test_is_not_waited_for_once_the_import_was_stopped(self, site: Web, monkeypatch: pytest.MonkeyPatch) -> None:
        monkeypatch.setattr(fetching, "_FIRST_PAUSE", 600.0)
        site.publish()
        site.answers[f"/{FILE}"] = Answer(status=500)
        with closing(Remote(site.url)) as source:
            (item,) = source.items()
            source.stop()
            with pytest.raises(SourceError):
                source.fetch(item, io.BytesIO())


class TestPackages:
    def test_that_are_too_large_are_refused(self, site: Web, monkeypatch: pytest.MonkeyPatch) -> None:
        monkeypatch.setattr(remote, "MAX_PACKAGE", 100)
        site.publish()
        with pytest.raises(SourceError, match="more than 100 bytes"):
            fetch(site.url)

    def test_are_not_unpacked_on_the_way(self, site: Web) -> None:
        """Servers that take the package's gzip for one of the transfer's are common."""
        site.publish()
        site.answers[f"/{FILE}"] = Answer(DATA, headers=(("Content-Encoding", "gzip"),))
        assert fetch(site.url) == DATA

    def test_are_asked_for_on_few_connections(self, site: Web) -> None:
        site.publish()
        with closing(Remote(site.url)) as source:
            (item,) = source.items()
            for _ in range(3):
                source.fetch(item, io.BytesIO())
                assert source.fetch_provenance(item) is None
            (pool,) = (
                pool for pools in source._fetcher._pools.values() for pool in [pools.connection_from_url(site.url)]
            )
            assert pool.num_connections == 1


class TestProvenance:
    @pytest.mark.parametrize(("url", "asked"), [(FILE, f"/{FILE}.prov"), (f"/x/{FILE}?y=z", f"/x/{FILE}.prov")])
    def test_lies_beside_the_package(self, site: Web, url: str, asked: str) -> None:
        site.publish(url=url)
        site.answers[asked] = Answer(b"signed")
        with closing(Remote(site.url)) as source:
            (item,) = source.items()
            assert source.fetch_provenance(item) == b"signed"

    def test_may_be_missing(self, site: Web) -> None:
        site.publish()
        with closing(Remote(site.url)) as source:
            (item,) = source.items()
            assert source.fetch_provenance(item) is None

    def test_that_does_not_come_is_not_taken_for_missing(self, site: Web) -> None:
        site.publish()
        site.answers[f"/{FILE}.prov"] = Answer(status=500)
        with closing(Remote(site.url)) as source:
            (item,) = source.items()
            with pytest.raises(SourceError, match="answers 500"):
                source.fetch_provenance(item)
