"""One set of charts in both protocols, with a real helm, 3 and 4, against a real server."""

import base64
import io
import shutil
import subprocess
import tarfile
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path
from uuid import uuid4

import pytest

from tests.support.helm import Helm, HelmError
from tests.support.http import call, get, publish
from tests.support.packages import package
from tests.support.s3server import CREDENTIALS, S3
from tests.support.server import Server, running

NOT_LET_IN = r"401|[Uu]nauthorized|credential"


@dataclass(frozen=True)
class Place:
    """A repository that nobody used before, at both its addresses.

    Attributes:
        server: where it is.
        name: of it.
        oci: its address in OCI.
        host: of it, as `helm registry login` takes it.
    """

    server: Server
    name: str
    oci: str
    host: str

    def add(self, helm: Helm, *arguments: str) -> None:
        helm.run("repo", "add", "shop", f"{self.server.url}/{self.name}", *arguments)

    def publish(self, *packages: bytes) -> None:
        for data in packages:
            assert publish(self.server.url, data, self.name).status == 201


def place_on(server: Server) -> Place:
    name = f"team/r{uuid4().hex[:12]}"
    host = f"127.0.0.1:{server.port}"
    context = server.url.removeprefix(f"http://{host}")
    return Place(server, name, f"oci://{host}{context}/{name}", host)


@pytest.fixture(scope="module", params=["", "/charts"], ids=["at the root", "below /charts"])
def server(request: pytest.FixtureRequest, tmp_path_factory: pytest.TempPathFactory) -> Iterator[Server]:
    folder = tmp_path_factory.mktemp("server")
    with running(folder, "--open-writes", "--workers", "2", context_path=request.param) as server:
        yield server


@pytest.fixture
def place(server: Server) -> Place:
    return place_on(server)


@pytest.fixture
def out(tmp_path: Path) -> Path:
    """An empty folder for what is pulled."""
    folder = tmp_path / "out"
    folder.mkdir()
    return folder


def pull(helm: Helm, out: Path, *arguments: str) -> None:
    helm.run("pull", *arguments, "-d", out, *(["--plain-http"] if arguments[0].startswith("oci://") else []))


def push(helm: Helm, file: Path, to: str, *, check: bool = True) -> subprocess.CompletedProcess[str]:
    return helm.run("push", file, to, "--plain-http", check=check)


def saved(folder: Path, data: bytes, file: str = "app-1.0.0.tgz") -> Path:
    path = folder / file
    path.write_bytes(data)
    return path


def told(refused: subprocess.CompletedProcess[str], status: str, sentence: str) -> bool:
    """Whether helm says why it was refused: old ones print no more than the status."""
    return sentence in refused.stderr or ("failed commit on ref" in refused.stderr and status in refused.stderr)


class TestBothWays:
    def test_what_curl_sends_helm_pulls_from_the_registry(
        self, place: Place, helm: Helm, tmp_path: Path, out: Path
    ) -> None:
        data = package()
        place.publish(data)
        pull(helm, out, f"{place.oci}/app", "--version", "1.0.0")
        assert (out / "app-1.0.0.tgz").read_bytes() == data

    def test_what_helm_pushes_it_pulls_from_the_repository(
        self, place: Place, helm: Helm, tmp_path: Path, out: Path
    ) -> None:
        data = package()
        push(helm, saved(tmp_path, data), place.oci)
        place.add(helm)
        pull(helm, out, "shop/app", "--version", "1.0.0")
        assert (out / "app-1.0.0.tgz").read_bytes() == data
        assert get(f"{place.server.url}/{place.name}/charts/app-1.0.0.tgz").body == data

    def test_a_chart_that_helm_created_is_the_same_from_both(
        self, place: Place, helm: Helm, tmp_path: Path, out: Path
    ) -> None:
        helm.run("create", tmp_path / "web")
        helm.run("package", tmp_path / "web", "--version", "1.2.3+build.1", "-d", tmp_path)
        push(helm, tmp_path / "web-1.2.3+build.1.tgz", place.oci)
        place.add(helm)
        oci, classic = [f"{place.oci}/web", "--plain-http"], ["shop/web"]
        version = ["--version", "1.2.3+build.1"]
        for command in (["template", "my"], ["show", "chart"], ["show", "values"]):
            from_oci = helm.run(*command, *oci, *version).stdout
            assert from_oci == helm.run(*command, *classic, *version).stdout
            assert len(from_oci) > 100
        assert "kind: Deployment" in helm.run("template", "my", *oci, *version).stdout
        pull(helm, out, oci[0], *version)
        assert (out / "web-1.2.3+build.1.tgz").read_bytes() == (tmp_path / "web-1.2.3+build.1.tgz").read_bytes()


class TestVersions:
    def test_ranges_and_no_version_are_resolved_as_on_the_classic_side(
        self, place: Place, helm: Helm, tmp_path: Path, out: Path
    ) -> None:
        for version in ("1.0.0", "1.10.0", "1.2.0"):
            place.publish(package("app", version))
        for version in ("2.0.0", "3.0.0-rc.1", "0.9.0+a"):
            push(helm, saved(tmp_path, package("app", version), f"app-{version}.tgz"), place.oci)
        place.add(helm)
        for wanted, found in (("^1.0", "1.10.0"), ("~1.2", "1.2.0"), ("", "2.0.0"), (">0.0.0-0", "3.0.0-rc.1")):
            asked = ["--version", wanted] if wanted else []
            for source in ([f"{place.oci}/app", "--plain-http"], ["shop/app"]):
                assert f"version: {found}\n" in helm.run("show", "chart", *source, *asked).stdout

    def test_a_dependency_is_built_from_the_registry(self, place: Place, helm: Helm, tmp_path: Path) -> None:
        place.publish(package("base", "1.0.0"), package("base", "1.1.0"), package("base", "2.0.0"))
        outer = package("outer", dependencies=[{"name": "base", "version": "^1.0", "repository": place.oci}])
        with tarfile.open(fileobj=io.BytesIO(outer)) as archive:
            archive.extractall(tmp_path, filter="data")
        helm.run("dependency", "update", tmp_path / "outer", "--plain-http")
        assert [path.name for path in (tmp_path / "outer/charts").iterdir()] == ["base-1.1.0.tgz"]
        shutil.rmtree(tmp_path / "outer/charts")
        place.publish(package("base", "1.2.0"))
        helm.run("dependency", "build", tmp_path / "outer", "--plain-http")
        assert (tmp_path / "outer/charts/base-1.1.0.tgz").read_bytes() == package("base", "1.1.0")


class TestRefusals:
    def test_helm_prints_why(self, place: Place, helm: Helm, tmp_path: Path) -> None:
        push(helm, saved(tmp_path, package(type="application")), place.oci)
        refused = push(helm, saved(tmp_path, package(values="other\n")), place.oci, check=False)
        assert refused.returncode != 0
        assert told(refused, "409 Conflict", "app-1.0.0.tgz already exists")
        assert get(f"{place.server.url}/{place.name}/charts/app-1.0.0.tgz").body == package(type="application")

    def test_the_same_again_succeeds(self, place: Place, helm: Helm, tmp_path: Path, out: Path) -> None:
        file = saved(tmp_path, package())
        first = push(helm, file, place.oci).stderr
        again = push(helm, file, place.oci).stderr
        assert "Digest: sha256:" in first
        assert "Digest: sha256:" in again
        pull(helm, out, f"{place.oci}/app")
        assert (out / "app-1.0.0.tgz").read_bytes() == package()
        assert publish(place.server.url, package(), place.name).status in {201, 409}
        digest = first.partition("Digest: ")[2].split()[0]
        got = get(f"http://{place.host}/v2/{place.oci.partition(place.host + '/')[2]}/app/manifests/{digest}")
        assert got.status == 200

    def test_what_helm_would_push_and_no_upload_may_be_is_refused_in_its_words(
        self, place: Place, helm: Helm, tmp_path: Path
    ) -> None:
        data = package("app", "1.10", files={"Chart.yaml": "apiVersion: v2\nname: app\nversion: 1.10\n"})
        upload = publish(place.server.url, data, place.name)
        assert upload.status == 400
        refused = push(helm, saved(tmp_path, data), place.oci, check=False)
        assert refused.returncode != 0
        assert told(refused, "400 Bad Request", upload.error)


@pytest.fixture
def keys(tmp_path: Path) -> Path:
    """A folder with the rings of a throw-away key."""
    gpg = shutil.which("gpg")
    if gpg is None:
        pytest.skip("gpg is not on PATH")
    home = tmp_path / "gpg"
    home.mkdir(mode=0o700)
    made = [gpg, "--homedir", home, "--batch", "--pinentry-mode", "loopback", "--passphrase", ""]
    subprocess.run([*made, "--quick-gen-key", "tester", "rsa2048", "sign"], check=True, capture_output=True)
    for command, name in (("--export-secret-keys", "secring.gpg"), ("--export", "pubring.gpg")):
        (home / name).write_bytes(subprocess.run([*made, command], check=True, capture_output=True).stdout)
    subprocess.run(["gpgconf", "--homedir", home, "--kill", "all"], check=True, capture_output=True)
    return home


def test_provenance_is_verified_both_ways(place: Place, helm: Helm, keys: Path, tmp_path: Path, out: Path) -> None:
    for name in ("sent", "pushed"):
        with tarfile.open(fileobj=io.BytesIO(package(name))) as archive:
            archive.extractall(tmp_path, filter="data")
        ring = ["--key", "tester", "--keyring", keys / "secring.gpg"]
        helm.run("package", "--sign", *ring, "-d", tmp_path, tmp_path / name)
    signature = (tmp_path / "sent-1.0.0.tgz.prov").read_bytes()
    place.publish((tmp_path / "sent-1.0.0.tgz").read_bytes())
    assert call("POST", f"{place.server.url}/api/{place.name}/prov", signature).status == 201
    push(helm, tmp_path / "pushed-1.0.0.tgz", place.oci)  # with the .prov beside it
    place.add(helm)
    verified = ["--verify", "--keyring", str(keys / "pubring.gpg")]
    pull(helm, out, f"{place.oci}/sent", "--version", "1.0.0", *verified)
    pull(helm, out, "shop/pushed", "--version", "1.0.0", *verified)
    for file in ("sent-1.0.0.tgz", "sent-1.0.0.tgz.prov", "pushed-1.0.0.tgz", "pushed-1.0.0.tgz.prov"):
        assert (out / file).read_bytes() == (tmp_path / file).read_bytes()


def test_a_credential_is_asked_for_and_used(helm: Helm, tmp_path: Path, out: Path) -> None:
    secret = {"CHARTREPO_BASIC_AUTH_USER": "me", "CHARTREPO_BASIC_AUTH_PASSWORD": "s3cret"}
    file = saved(tmp_path, package())
    with running(tmp_path, "--workers", "1", env=secret) as server:
        place = place_on(server)
        knows_plain = "--plain-http" in helm.run("registry", "login", "--help").stdout
        login = ["registry", "login", place.host, "--plain-http" if knows_plain else "--insecure"]
        login += ["--username", "me", "--password"]
        with pytest.raises(HelmError, match=NOT_LET_IN):
            helm.run(*login, "wrong")
        with pytest.raises(HelmError, match=NOT_LET_IN):
            push(helm, file, place.oci)
        helm.run(*login, "s3cret")
        push(helm, file, place.oci)
        pull(helm, out, f"{place.oci}/app", "--version", "1.0.0")
        assert (out / "app-1.0.0.tgz").read_bytes() == package()
        helm.run("registry", "logout", place.host)
        with pytest.raises(HelmError, match=NOT_LET_IN):
            pull(helm, out, f"{place.oci}/app", "--version", "1.0.0")
        given = "Basic " + base64.b64encode(b"me:s3cret").decode()
        assert get(f"{server.url}/{place.name}/index.yaml", Authorization=given).status == 200


def test_all_of_it_works_on_a_bucket(helm4: Path, moto_s3: S3, tmp_path: Path, out: Path) -> None:
    helm = Helm(helm4, tmp_path / "home")
    place_of = ("--s3-endpoint", moto_s3.endpoint_url)
    bucket = f"s3://{moto_s3.new_bucket()}"
    with running(tmp_path, "--open-writes", "--workers", "2", *place_of, storage=bucket, env=CREDENTIALS) as server:
        place = place_on(server)
        push(helm, saved(tmp_path, package("pushed"), "pushed-1.0.0.tgz"), place.oci)
        place.publish(package("sent"))
        place.add(helm)
        pull(helm, out, "shop/pushed")
        pull(helm, out, f"{place.oci}/sent")
        for name in ("pushed", "sent"):
            assert (out / f"{name}-1.0.0.tgz").read_bytes() == package(name)


def test_what_policies_ask_reaches_who_pushes(helm: Helm, tmp_path: Path) -> None:
    policies = tmp_path / "policies.yaml"
    policies.write_text('policies: [{on: "team/**", since: 2020-01-01, versions: stable-only, required: icon}]')
    file = saved(tmp_path, package("app", "1.0.0-rc"), "app-1.0.0-rc.tgz")
    with running(tmp_path, "--open-writes", "--workers", "1", "--policies", policies) as server:
        place = place_on(server)
        refused = push(helm, file, place.oci, check=False)
        assert refused.returncode != 0
        for wrong in ("version '1.0.0-rc' is a prerelease", "icon is missing"):
            assert told(refused, "400 Bad Request", wrong)
        push(helm, saved(tmp_path, package("app", icon="i")), place.oci)
