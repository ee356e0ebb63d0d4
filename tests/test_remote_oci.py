"""Importing from an OCI registry: what is found in it, what is asked of whom, and what is believed."""

import base64
import io
from collections.abc import Callable, Iterator
from contextlib import closing, contextmanager
from hashlib import sha256
from pathlib import Path
from typing import Any, Final

import pytest

from chartrepo import fetching, importing, remote_oci, remote_registry
from chartrepo.fetching import PassingError
from chartrepo.importing import Report, import_packages
from chartrepo.remote_oci import RemoteOci
from chartrepo.sources import Item, SourceError
from tests.support import registry as registries
from tests.support import web
from tests.support.packages import package
from tests.support.registry import CREATED, Registry
from tests.support.repositories import Shop, provenance
from tests.support.web import Answer, Web

THEN: Final = 1_600_000_000
DATA: Final = package()
DIGEST: Final = sha256(DATA).hexdigest()
BLOB: Final = f"/v2/project/app/blobs/sha256:{DIGEST}"
MANIFEST: Final = "/v2/project/app/manifests/1.0.0"
TAGS: Final = "/v2/project/app/tags/list?n=1000"
CATALOG: Final = "/v2/_catalog?n=1000"


@pytest.fixture
def registry() -> Iterator[Registry]:
    with registries.running() as registry:
        yield registry


@pytest.fixture
def elsewhere() -> Iterator[Web]:
    """Another server."""
    with web.running() as other:
        yield other


@pytest.fixture
def shop(tmp_path: Path) -> Shop:
    shop = Shop(tmp_path)
    shop.build()
    return shop


@pytest.fixture(autouse=True)
def at_once(monkeypatch: pytest.MonkeyPatch) -> None:
    """Without pauses, and without a proxy of the person's own."""
    monkeypatch.setattr(fetching, "_FIRST_PAUSE", 0.0)
    monkeypatch.setattr(fetching, "_LONGEST_PAUSE", 0.0)
    monkeypatch.setattr(importing, "_PAUSES", (0.0,) * 3)
    monkeypatch.setenv("no_proxy", "*")


def source(registry: Registry, path: str = "project", **options: Any) -> RemoteOci:
    return RemoteOci(f"oci://{registry.host}/{path}", connections=4, **options)


def items(registry: Registry, path: str = "project", **options: Any) -> list[Item]:
    with closing(source(registry, path, **options)) as opened:
        return opened.items()


def places(registry: Registry, path: str = "project", **options: Any) -> list[str]:
    """Everything that is found, as `repository/file`."""
    return sorted(f"{item.repository}/{item.file}".strip("/") for item in items(registry, path, **options))


def fetch(registry: Registry, path: str = "project", **options: Any) -> bytes:
    """The only package there is."""
    with closing(source(registry, path, **options)) as opened:
        (item,) = opened.items()
        file = io.BytesIO()
        opened.fetch(item, file)
        return file.getvalue()


def bring(shop: Shop, registry: Registry, path: str = "project", *, to: str = "") -> Report:
    report = Report()
    with closing(source(registry, path)) as opened:
        found = opened.items()
        for outcome in import_packages(found, opened, shop.repositories, to=to, jobs=2, spool=shop.folder):
            report.add(outcome)
    return report


def counts(report: Report) -> dict[str, int]:
    return {result.value: number for result, number in report.counts.items()}


class TestAnImport:
    def test_brings_package_provenance_and_time(self, shop: Shop, registry: Registry) -> None:
        registry.push("project/app", DATA, signature=provenance(DATA), created=CREATED)
        assert counts(bring(shop, registry, to="old")) == {"imported": 1}
        assert shop.fetch(repository="old") == DATA
        assert shop.fetch_provenance(repository="old") == provenance(DATA)
        assert shop.catalog.versions("old", "app")[0].created == THEN

    def test_that_is_run_again_fetches_no_package(self, shop: Shop, registry: Registry) -> None:
        registry.push("project/app", DATA, signature=provenance(DATA))
        bring(shop, registry)
        registry.asked.clear()
        assert counts(bring(shop, registry)) == {"there already": 1}
        assert registry.paths() == ["/v2/", CATALOG, "/v2/project/tags/list?n=1000", TAGS, MANIFEST]

    def test_that_is_run_again_knows_a_chart_that_only_its_manifest_names(self, shop: Shop, registry: Registry) -> None:
        registry.push("project/other", DATA, "newest", title="app", version="1.0.0")
        bring(shop, registry)
        registry.asked.clear()
        assert counts(bring(shop, registry)) == {"there already": 1}
        assert not [path for path in registry.paths() if "/blobs/" in path]

    def test_brings_the_provenance_that_the_first_died_before(self, shop: Shop, registry: Registry) -> None:
        shop.publish(DATA)
        registry.push("project/app", DATA, signature=provenance(DATA))
        assert counts(bring(shop, registry)) == {"imported": 1}
        assert shop.fetch_provenance() == provenance(DATA)

    def test_of_which_one_part_fails_brings_the_others(self, shop: Shop, registry: Registry) -> None:
        for name in ("app", "damaged", "denied", "odd", "untold"):
            registry.push(f"project/{name}", package(name))
        registry.manifests["project/damaged"]["1.0.0"] = b"<html>"
        registry.faults["/v2/project/denied/tags/list?n=1000"] = [Answer(status=403)]
        registry.push("project/odd", b"no package")
        registry.push("project/untold", b"", "1.0.0")
        registry.blobs.popitem()
        report = bring(shop, registry)
        assert counts(report) == {"imported": 1, "failed": 3, "refused": 1}
        host = f"oci://{registry.host}/project"
        assert [place for place, _ in report.problems] == [
            f"{host}/damaged:1.0.0",
            f"{host}/denied",
            f"{host}/odd:1.0.0",
            f"{host}/untold:1.0.0",
        ]
        reasons = [reason for _, reason in report.problems]
        assert reasons[0] == "its manifest is not JSON"
        assert reasons[1].startswith("its tags cannot be listed: the server answers 403")
        assert "gzip" in reasons[2]
        assert reasons[3].startswith("the server answers 404")

    def test_does_not_replace_a_version_that_has_other_bytes(self, shop: Shop, registry: Registry) -> None:
        shop.publish(package(description="another"))
        registry.push("project/app", DATA)
        assert counts(bring(shop, registry)) == {"refused": 1}

    def test_warns_of_a_time_that_is_none(self, shop: Shop, registry: Registry) -> None:
        registry.push("project/app", DATA, created="yesterday")
        ((place, warning),) = bring(shop, registry).warnings
        assert place == f"oci://{registry.host}/project/app:1.0.0"
        assert "created 'yesterday', which is no time" in warning


class TestWhatIsFound:
    def test_is_all_below_the_project_in_pages(self, registry: Registry) -> None:
        registry.page = 2
        for name in ("a", "b", "c", "d", "sub/e", "sub/deeper/f"):
            registry.push(f"project/{name}", package(name), *(f"1.0.{number}" for number in range(5)))
            registry.manifests[f"project/{name}"]["2.0.0_x"] = registry.manifests[f"project/{name}"]["1.0.0"]
        registry.push("projects/g", DATA)
        registry.push("other/h", DATA)
        found = places(registry)
        at_the_top = [f"{name}-1.0.0.tgz" for name in "abcd"]
        assert found == [*at_the_top, "sub/deeper/f-1.0.0.tgz", "sub/e-1.0.0.tgz"]

    def test_is_one_chart_where_one_is_named(self, registry: Registry) -> None:
        registry.push("project/app", DATA)
        registry.push("project/app2", DATA)
        assert places(registry, "project/app") == ["app-1.0.0.tgz"]

    def test_is_the_whole_registry_where_nothing_is_named(self, registry: Registry) -> None:
        registry.push("project/app", DATA)
        registry.push("app", DATA)
        assert places(registry, "") == ["app-1.0.0.tgz", "project/app-1.0.0.tgz"]

    def test_has_the_version_that_helm_makes_of_a_tag(self, registry: Registry) -> None:
        registry.push("project/app", DATA, "1.0.0-rc.1_build.5")
        assert places(registry) == ["app-1.0.0-rc.1+build.5.tgz"]

    def test_is_told_with_all_but_the_bytes(self, registry: Registry) -> None:
        registry.push("project/app", DATA, created=CREATED)
        place = f"oci://{registry.host}/project/app:1.0.0"
        wanted = Item(place, "", "app-1.0.0.tgz", published=THEN, digest=DIGEST, size=len(DATA), signed=False)
        assert items(registry) == [wanted]

    def test_is_one_for_several_tags_of_a_package(self, registry: Registry) -> None:
        registry.push("project/app", DATA, "1", "1.0", "1.0.0", "latest")
        assert places(registry) == ["app-1.0.0.tgz"]

    def test_is_the_signed_one_of_several_tags_of_a_package(self, registry: Registry) -> None:
        registry.push("project/app", DATA, "1.0.0")
        registry.push("project/app", DATA, "z", signature=provenance(DATA))
        assert [item.signed for item in items(registry)] == [True]

    def test_is_nothing_but_charts_and_the_others_are_counted(self, registry: Registry) -> None:
        registry.push("project/app", DATA)
        registry.push_image("project/app", f"sha256-{'0' * 64}.sig", f"sha256-{'1' * 64}", "2.0.0")
        registry.push_image("project/image", "1", "2")
        with closing(source(registry)) as opened:
            assert [item.file for item in opened.items()] == ["app-1.0.0.tgz"]
            assert opened.others == 5
        assert not [path for path in registry.paths() if "/sha256-" in path]

    def test_is_nothing_in_a_repository_whose_tags_were_deleted(self, registry: Registry) -> None:
        registry.push("project/app", DATA)
        registry.push("project/gone", DATA)
        registry.manifests["project/empty"] = {}
        registry.faults["/v2/project/gone/tags/list?n=1000"] = [Answer(status=404)]
        assert places(registry) == ["app-1.0.0.tgz"]

    def test_that_has_impossible_names_is_told_and_not_asked_for(self, registry: Registry) -> None:
        registry.manifests["project/app/../../x"] = {"1.0.0": b"{}"}
        registry.manifests["project/app"] = {"../../x": b"{}"}
        with closing(source(registry)) as opened:
            for item in opened.items():
                with pytest.raises(SourceError, match=r"that is no name of a (repository|tag)"):
                    opened.fetch(item, io.BytesIO())
        assert not [path for path in registry.paths() if "x" in path]


class TestARegistryThatDoesNotList:
    def test_is_asked_as_a_harbor(self, registry: Registry) -> None:
        registry.listed, registry.harbor, registry.page = False, True, 2
        for name in ("a", "b", "c", "sub/d"):
            registry.push(f"project/{name}", package(name))
        assert places(registry) == ["a-1.0.0.tgz", "b-1.0.0.tgz", "c-1.0.0.tgz", "sub/d-1.0.0.tgz"]

    def test_still_gives_a_chart_that_is_named(self, registry: Registry) -> None:
        registry.listed = False
        registry.push("project/app", DATA)
        assert places(registry, "project/app") == ["app-1.0.0.tgz"]

    @pytest.mark.parametrize("status", [400, 401, 403, 404, 405, 501])
    def test_is_told_with_what_to_type_instead(self, registry: Registry, status: int) -> None:
        registry.faults[CATALOG] = [Answer(status=status)]
        registry.push("project/app", DATA)
        with pytest.raises(SourceError) as refused:
            items(registry)
        host = f"oci://{registry.host}"
        assert str(refused.value).startswith(
            f"{host}/project: project is no chart's repository (the server answers 404"
        )
        assert f"does not list those below it (the server answers {status}" in str(refused.value)
        assert str(refused.value).endswith(f"import each chart by its own address, as {host}/project/CHART")

    def test_and_wants_a_credential_says_so_once(self, registry: Registry) -> None:
        registry.scheme, registry.user = "Basic", ("ci", "secret")
        with pytest.raises(SourceError) as refused:
            items(registry)
        said = "the server answers 401 Unauthorized: give --username and --password-file; an account that may not"
        assert str(refused.value).count("401") == 1
        assert f"neither project nor the repositories below it are shown to us: {said}" in str(refused.value)

    def test_at_all_needs_a_project(self, registry: Registry) -> None:
        registry.listed = False
        with pytest.raises(SourceError, match=r"name a project or a chart, as oci://.*/PROJECT/CHART$"):
            items(registry, "")

    def test_but_answers_with_a_page_for_people_is_one(self, registry: Registry) -> None:
        registry.faults[CATALOG] = [Answer(b"<html>")]
        registry.push("project/app", DATA)
        assert places(registry, "project/app") == ["app-1.0.0.tgz"]

    @pytest.mark.parametrize("fault", [Answer(status=403), Answer(b"<html>"), Answer(status=404)])
    def test_the_rest_of_what_it_began_to_list_ends_the_import(self, registry: Registry, fault: Answer) -> None:
        """What is missing then would not be noticed."""
        registry.page = 1
        for name in ("a", "b", "c"):
            registry.push(f"project/{name}", DATA)
        registry.faults["/v2/_catalog?last=project/a&n=1"] = [fault]
        with pytest.raises(SourceError):
            items(registry)

    def test_for_now_ends_the_import(self, registry: Registry) -> None:
        registry.push("project/app", DATA)
        registry.faults[CATALOG] = [Answer(status=503)] * 4
        with pytest.raises(SourceError, match="answers 503"):
            items(registry, "project/app")

    def test_anything_there_is_told(self, registry: Registry) -> None:
        with pytest.raises(SourceError, match="lists no repository below project, and project is none itself"):
            items(registry)


class TestLists:
    def test_that_go_in_a_circle_are_given_up(self, registry: Registry) -> None:
        page = Answer(b'{"repositories": ["project/app"]}', headers=(("Link", f'<{CATALOG}>; rel="next"'),))
        registry.faults[CATALOG] = [page] * 3
        with pytest.raises(SourceError, match="does not end"):
            items(registry)

    def test_that_are_too_large_are_refused(self, registry: Registry, monkeypatch: pytest.MonkeyPatch) -> None:
        monkeypatch.setattr(remote_registry, "MAX_LIST", 10)
        registry.push("project/app", DATA)
        with pytest.raises(SourceError, match="more than 10 bytes"):
            items(registry)

    @pytest.mark.parametrize("link", ["http://another.example/v2/_catalog?n=7", "/v2/_catalog?n=7", "_catalog?n=7"])
    def test_go_on_at_the_registry_whatever_a_proxy_makes_of_the_address(self, registry: Registry, link: str) -> None:
        registry.push("project/app", DATA)
        registry.faults[CATALOG] = [Answer(b'{"repositories": null}', headers=(("Link", f"<{link}>; rel=next"),))]
        assert places(registry) == ["app-1.0.0.tgz"]
        assert "/v2/_catalog?n=7" in registry.paths()


class TestBlobs:
    def test_may_lie_elsewhere(self, registry: Registry, elsewhere: Web) -> None:
        registry.push("project/app", DATA)
        registry.elsewhere = elsewhere
        registry.scheme, registry.user = "Basic", ("ci", "secret")
        assert fetch(registry, username="ci", password="secret") == DATA
        assert elsewhere.credentials() == [None]

    @pytest.mark.parametrize(
        "fault", [Answer(status=503), Answer(status=429), Answer(DATA, cut=100)], ids=["503", "429", "cut"]
    )
    @pytest.mark.parametrize("path", ["/v2/", CATALOG, TAGS, MANIFEST, BLOB])
    def test_and_all_else_that_fails_in_passing_is_asked_for_again(
        self, registry: Registry, path: str, fault: Answer
    ) -> None:
        registry.push("project/app", DATA)
        registry.faults[path] = [fault]
        assert fetch(registry) == DATA

    @pytest.mark.parametrize(
        ("data", "reason"),
        [
            (DATA[:-1], f"has {len(DATA) - 1} bytes, and its manifest says {len(DATA)}"),
            (DATA + b"x", f"has more than {len(DATA)} bytes"),
            (DATA[:-1] + b"x", f"has the digest sha256:.*, and its manifest says sha256:{DIGEST}"),
        ],
        ids=["short", "long", "other"],
    )
    def test_that_are_not_what_the_manifest_says_are_refused(
        self, registry: Registry, data: bytes, reason: str
    ) -> None:
        registry.push("project/app", DATA)
        registry.blobs[f"sha256:{DIGEST}"] = data
        with pytest.raises(SourceError, match=reason):
            fetch(registry)

    def test_that_are_too_large_are_not_fetched(self, registry: Registry, monkeypatch: pytest.MonkeyPatch) -> None:
        monkeypatch.setattr(remote_oci, "MAX_PACKAGE", 100)
        registry.push("project/app", DATA)
        with pytest.raises(SourceError, match=f"has {len(DATA)} bytes, and Helm loads no package of 100"):
            fetch(registry)
        assert BLOB not in registry.paths()

    def test_of_provenance_are_bounded_and_checked_too(self, registry: Registry, shop: Shop) -> None:
        registry.push("project/app", DATA, signature=bytes(2 * 1024 * 1024))
        registry.push("project/lib", package("lib"), signature=b"signed")
        registry.blobs[f"sha256:{sha256(b'signed').hexdigest()}"] = b"sikned"
        reasons = [reason for _, reason in bring(shop, registry).problems]
        assert reasons[0] == "its provenance has more than 1048576 bytes"
        assert reasons[1].startswith("its provenance: has the digest")


class TestManifests:
    def test_that_are_too_large_are_refused(self, registry: Registry, monkeypatch: pytest.MonkeyPatch) -> None:
        monkeypatch.setattr(remote_registry, "MAX_MANIFEST", 10)
        registry.push("project/app", DATA)
        with pytest.raises(SourceError, match="more than 10 bytes"):
            fetch(registry)

    def test_that_changed_on_the_way_are_refused(self, registry: Registry) -> None:
        registry.push("project/app", DATA)
        data = registry.manifests["project/app"]["1.0.0"]
        registry.faults[MANIFEST] = [Answer(data, headers=(("Docker-Content-Digest", "sha256:" + "0" * 64),))]
        with pytest.raises(SourceError, match="has not the digest sha256:0000"):
            fetch(registry)

    def test_are_asked_for_in_every_form_so_that_images_are_not_missing(self, registry: Registry) -> None:
        registry.push("project/app", DATA)
        fetch(registry)
        (accepted,) = [asked.headers["accept"] for asked in registry.asked if asked.path == MANIFEST]
        assert "application/vnd.docker.distribution.manifest.v2+json" in accepted.split(", ")


class TestCredentials:
    basic = "Basic " + base64.b64encode("ci:pässword".encode()).decode()

    @pytest.fixture
    def guarded(self, registry: Registry) -> Registry:
        """A registry that nobody reads without a token, and nobody gets one without a password."""
        registry.push("project/app", DATA)
        registry.scheme, registry.user = "Bearer", ("ci", "pässword")
        return registry

    def test_are_sent_where_the_registry_asks_for_them(self, guarded: Registry) -> None:
        guarded.scheme = "Basic"
        assert fetch(guarded, username="ci", password="pässword") == DATA
        assert guarded.credentials() == [None] + [self.basic] * 5

    def test_are_sent_where_the_registry_lets_others_see_less(self, registry: Registry) -> None:
        """Zot lists for everybody what everybody may see, and does not ask."""
        registry.push("project/app", DATA)
        fetch(registry, username="ci", password="pässword")
        assert registry.credentials() == [None] + [self.basic] * 5

    def test_get_a_token_once_for_each_scope(self, guarded: Registry) -> None:
        for name in ("b", "c"):
            guarded.push(f"project/{name}", package(name), "1.0.0", "2.0.0")
        assert len(items(guarded, username="ci", password="pässword")) == 3
        scopes = [path.partition("scope=")[2] for path in guarded.paths() if path.startswith("/token")]
        wanted = [f"repository%3Aproject{name}%3Apull" for name in ("%2Fapp", "%2Fb", "%2Fc", "")]
        assert sorted(scopes) == ["registry%3Acatalog%3A%2A", *wanted]
        with_password = {
            asked.path.partition("?")[0] for asked in guarded.asked if self.basic in asked.headers.values()
        }
        assert with_password == {"/token"}

    def test_are_not_needed_for_a_token_that_everybody_gets(self, guarded: Registry) -> None:
        guarded.user = ("", "")
        assert fetch(guarded) == DATA

    def test_get_another_token_when_one_expires(self, guarded: Registry) -> None:
        with closing(source(guarded, username="ci", password="pässword")) as opened:
            (item,) = opened.items()
            for _ in range(2):
                guarded.forget_tokens()
                file = io.BytesIO()
                opened.fetch(item, file)
                assert file.getvalue() == DATA

    def test_go_with_the_token_to_the_registry_alone(self, guarded: Registry, elsewhere: Web) -> None:
        guarded.elsewhere = elsewhere
        assert fetch(guarded, username="ci", password="pässword") == DATA
        assert elsewhere.credentials() == [None]

    @pytest.mark.parametrize("scheme", ["Basic", "Bearer"])
    def test_that_are_needed_are_asked_for(self, guarded: Registry, scheme: str) -> None:
        guarded.scheme = scheme
        with pytest.raises(SourceError, match="answers 401 Unauthorized: give --username and --password-file"):
            items(guarded)

    @pytest.mark.parametrize("scheme", ["Basic", "Bearer"])
    def test_that_are_wrong_are_told(self, guarded: Registry, scheme: str) -> None:
        guarded.scheme = scheme
        with pytest.raises(SourceError, match="answers 401 Unauthorized: check the credential"):
            items(guarded, username="ci", password="x")

    def test_are_given_to_harbors_api_too(self, guarded: Registry) -> None:
        guarded.listed, guarded.harbor = False, True
        assert fetch(guarded, username="ci", password="pässword") == DATA

    def test_are_not_taken_from_the_address(self) -> None:
        with pytest.raises(SourceError, match="--password-file") as refused:
            RemoteOci("oci://ci:secret@127.0.0.1/project")
        assert "secret" not in str(refused.value)


class TestAddresses:
    @pytest.mark.parametrize(
        ("typed", "reason"),
        [
            ("oci://", "is no address such as oci://host/project"),
            ("oci:///project", "is no address such as oci://host/project"),
            ("oci://host:x/project", "is no address"),
            ("oci://host/project?x=y", "is no address such as oci://host/project"),
            ("oci://host/project/app:1.0.0", "names one version.* leave ':1.0.0' out"),
            ("oci://host/project/app@sha256:00", "names one version.* leave '@sha256:00' out"),
            ("oci://host/Project", "cannot be the path of a repository"),
            ("oci://host/a//b", "cannot be the path of a repository"),
            ("oci://host/../b", "cannot be the path of a repository"),
        ],
    )
    def test_that_lead_nowhere_are_told(self, typed: str, reason: str) -> None:
        with pytest.raises(SourceError, match=reason):
            RemoteOci(typed)

    @pytest.mark.parametrize("typed", ["docker.io", "index.docker.io", "Docker.io"])
    def test_of_docker_hub_are_those_of_its_registry(self, typed: str, asked: list[str]) -> None:
        _fail(f"oci://{typed}/me/app")
        assert asked == ["https://registry-1.docker.io/v2/"]

    def test_are_asked_with_encryption(self, asked: list[str]) -> None:
        _fail("oci://registry.example:5000/project")
        assert asked == ["https://registry.example:5000/v2/"]

    def test_are_asked_without_it_where_that_is_wanted(self, asked: list[str]) -> None:
        _fail("oci://registry.example:5000/project", plain_http=True)
        assert asked == ["http://registry.example:5000/v2/"]

    @pytest.mark.parametrize("host", ["localhost", "localhost:5000", "127.0.0.1:5000", "[::1]:5000"])
    def test_of_this_machine_are_asked_without_it_first(self, host: str, asked: list[str]) -> None:
        with pytest.raises(SourceError, match=r"over plain http, http://.*; over https, https://"):
            _listed(f"oci://{host}/project")
        assert asked == [f"http://{host}/v2/", f"https://{host}/v2/"]

    def test_that_are_not_encrypted_are_told_with_the_flag(self, registry: Registry) -> None:
        with pytest.raises(SourceError, match="it does not speak https: give --plain-http"):
            _listed(f"oci://{registry.host.replace('127.0.0.1', '0.0.0.0')}/project")

    def test_of_what_is_no_registry_are_told(self, elsewhere: Web) -> None:
        address = elsewhere.url.replace("http", "oci")
        with pytest.raises(SourceError, match="answers 404 Not Found at /v2/: it is no OCI registry"):
            _listed(f"{address}/project")

    @pytest.fixture
    def asked(self, monkeypatch: pytest.MonkeyPatch) -> list[str]:
        """What would have been asked for, had there been a network."""
        addresses: list[str] = []

        def get(_self: object, address: str, *_: object, **_options: object) -> None:
            addresses.append(address)
            raise PassingError(f"{address} does not answer")

        monkeypatch.setattr(fetching.Fetcher, "get", get)
        return addresses


def _listed(address: str, **options: Any) -> list[Item]:
    with closing(RemoteOci(address, **options)) as opened:
        return opened.items()


def _fail(address: str, **options: Any) -> None:
    with pytest.raises(SourceError):
        _listed(address, **options)


def test_progress_is_told_for_every_tag(registry: Registry) -> None:
    told: list[str] = []

    @contextmanager
    def progress(label: str, total: int) -> Iterator[Callable[[], None]]:
        told.append(f"{label}: {total}")
        yield lambda: told.append("step")

    registry.push("project/app", DATA, "1.0.0", "latest")
    items(registry, progress=progress)
    assert told == ["Reading manifests: 2", "step", "step"]
