"""The daily work with a real helm, 3 and 4, against a real server: publish, add, search, pull, install."""

import base64
import io
import json
import shutil
import subprocess
import tarfile
import urllib.error
import urllib.request
from collections.abc import Iterator, Mapping
from pathlib import Path
from uuid import uuid4

import pytest
import yaml

from tests.support.helm import Helm, HelmError
from tests.support.packages import package
from tests.support.server import Server, running


@pytest.fixture(scope="module", params=["gunicorn", "granian"])
def server(request: pytest.FixtureRequest, tmp_path_factory: pytest.TempPathFactory) -> Iterator[Server]:
    folder = tmp_path_factory.mktemp("server")
    with running(
        folder, "--open-writes", "--workers", "1", "--server", request.param, context_path="/charts"
    ) as server:
        yield server


@pytest.fixture
def repository() -> str:
    """The name of a repository that nobody used before."""
    return f"team/r{uuid4().hex}"


def send(url: str, data: bytes, headers: Mapping[str, str] | None = None) -> int:
    """POST as `curl --data-binary` does."""
    with urllib.request.urlopen(urllib.request.Request(url, data, dict(headers or {})), timeout=30) as answer:
        return int(answer.status)


def send_form(url: str, **files: bytes) -> int:
    """POST as `curl -F chart=@...` does."""
    parts = [
        b'--bound\r\nContent-Disposition: form-data; name="%b"; filename="/x/%b"\r\n\r\n%b\r\n' % (name, name, data)
        for name, data in ((name.encode(), data) for name, data in files.items())
    ]
    kind = {"Content-Type": "multipart/form-data; boundary=bound"}
    return send(url, b"".join(parts) + b"--bound--\r\n", kind)


def add(helm: Helm, url: str, *arguments: str) -> None:
    helm.run("repo", "add", "shop", url, *arguments)
    helm.run("repo", "update")


def found(helm: Helm, *arguments: str) -> list[tuple[str, str]]:
    return [(each["name"], each["version"]) for each in helm.json("search", "repo", *arguments)]


def test_a_chart_goes_up_and_is_found_pulled_and_installed(
    server: Server, helm: Helm, repository: str, tmp_path: Path
) -> None:
    helm.run("create", tmp_path / "web")
    helm.run("package", tmp_path / "web", "--version", "1.2.3", "--app-version", "4.5", "-d", tmp_path)
    assert send(f"{server.url}/api/{repository}/charts", (tmp_path / "web-1.2.3.tgz").read_bytes()) == 201

    add(helm, f"{server.url}/{repository}")

    table = helm.run("search", "repo", "shop").stdout.splitlines()
    assert table[0].split() == ["NAME", "CHART", "VERSION", "APP", "VERSION", "DESCRIPTION"]
    assert [column.strip() for column in table[1].split("\t")] == [
        "shop/web",
        "1.2.3",
        "4.5",
        "A Helm chart for Kubernetes",
    ]
    (tmp_path / "pulled").mkdir()
    helm.run("pull", "shop/web", "--version", "1.2.3", "-d", tmp_path / "pulled")
    assert (tmp_path / "pulled/web-1.2.3.tgz").read_bytes() == (tmp_path / "web-1.2.3.tgz").read_bytes()
    assert "kind: Deployment" in helm.run("template", "my", "shop/web").stdout
    assert "replicaCount" in helm.run("show", "values", "shop/web").stdout


def test_an_empty_repository_can_be_added_before_its_first_chart(server: Server, helm: Helm, repository: str) -> None:
    add(helm, f"{server.url}/{repository}")
    assert found(helm, "shop/") == []
    assert send_form(f"{server.url}/api/{repository}/charts", chart=package("late")) == 201
    helm.run("repo", "update")
    assert found(helm, "shop/") == [("shop/late", "1.0.0")]


def test_prereleases_and_ranges_are_found_as_helm_has_it(server: Server, helm: Helm, repository: str) -> None:
    for version in ("1.0.0", "1.1.0", "1.10.0", "2.0.0-rc.1", "2.0.0-rc.1+build", "v0.9.0"):
        send(f"{server.url}/api/{repository}/charts", package("app", version))
    add(helm, f"{server.url}/{repository}")
    assert found(helm, "shop/app") == [("shop/app", "1.10.0")]
    assert found(helm, "shop/app", "--devel")[0][1].startswith("2.0.0-rc.1")
    assert found(helm, "shop/app", "--version", "~1.1") == [("shop/app", "1.1.0")]
    assert len(found(helm, "shop/app", "--versions", "--devel")) == 6
    assert "version: 1.10.0" in helm.run("show", "chart", "shop/app", "--version", "^1").stdout


def test_a_version_with_build_metadata_is_pulled(server: Server, helm: Helm, repository: str, tmp_path: Path) -> None:
    data = package("app", "1.0.0+build.1")
    send(f"{server.url}/api/{repository}/charts", data)
    add(helm, f"{server.url}/{repository}")
    helm.run("pull", "shop/app", "--version", "1.0.0+build.1", "-d", tmp_path)
    assert (tmp_path / "app-1.0.0+build.1.tgz").read_bytes() == data


def test_the_query_of_the_address_is_kept(server: Server, helm: Helm, repository: str, tmp_path: Path) -> None:
    for version in ("1.0.0", "1.1.0", "2.0.0-rc.1"):
        send(f"{server.url}/api/{repository}/charts", package("app", version))
    send(f"{server.url}/api/{repository}/charts", package("other"))
    add(helm, f"{server.url}/{repository}?versions=1&charts=a*")
    assert sorted(found(helm, "shop/", "--versions", "--devel")) == [("shop/app", "1.1.0"), ("shop/app", "2.0.0-rc.1")]
    helm.run("pull", "shop/app", "-d", tmp_path)
    assert (tmp_path / "app-1.1.0.tgz").read_bytes() == package("app", "1.1.0")


HARD = "🎉 y: no # \"quoted\" 'single' \\ back\tta \u2028\u2029\x85\ufeff 1e3 {{ }} &a *b ! | > % @ `"


def odd(name: str) -> bytes:
    """A package that says all that is hard to write into an index."""
    fields = {
        "apiVersion": "v2",
        "name": name,
        "version": "1.0.0",
        "appVersion": "1.10",
        "description": HARD,
        "keywords": ["y", "1e3", "08", "~", "=", "<<", ""],
        "annotations": {"y": "no", "~": "x", "<<": "x", "=": "x", "k" * 2000: "x", "\u2028": HARD},
        "maintainers": [{"name": "no", "email": "🎉"}],
    }
    return package(name, files={"Chart.yaml": yaml.safe_dump(fields, default_style='"')})


@pytest.mark.parametrize("form", ["json", "yaml"])
def test_every_helm_reads_both_forms_whatever_charts_say(helm: Helm, tmp_path: Path, form: str) -> None:
    with running(tmp_path, "--open-writes", "--workers", "1", "--index-format", form) as server:
        for name in ("app", "y", "no", "a b", "日本", "1e3"):
            assert send(f"{server.url}/api/charts", odd(name)) == 201
        add(helm, server.url)
        assert len(found(helm, "shop/")) == 6
        (app,) = helm.json("search", "repo", "shop/app")
        assert app["app_version"] == "1.10"
        assert app["description"].startswith("🎉 y: no # \"quoted\" 'single' \\ back ta")
        helm.run("pull", "shop/app", "-d", tmp_path)
        assert (tmp_path / "app-1.0.0.tgz").read_bytes() == odd("app")


def test_chart_names_with_odd_characters_are_pulled(
    server: Server, helm: Helm, repository: str, tmp_path: Path
) -> None:
    for name in ("日本", "ä+b", "a b", "100%"):
        assert send(f"{server.url}/api/{repository}/charts", package(name)) == 201
    add(helm, f"{server.url}/{repository}")
    for name in ("日本", "ä+b", "a b"):
        helm.run("pull", f"shop/{name}", "-d", tmp_path)
    assert sorted(len(path.read_bytes()) for path in tmp_path.glob("*.tgz")) == sorted(
        len(package(name)) for name in ("日本", "ä+b", "a b")
    )


def test_a_credential_is_sent_for_index_and_packages(helm: Helm, tmp_path: Path) -> None:
    secret = {"CHARTREPO_BASIC_AUTH_USER": "me", "CHARTREPO_BASIC_AUTH_PASSWORD": "s3cret ü"}
    with running(tmp_path, "--workers", "1", env=secret) as server:
        login = {"Authorization": "Basic " + base64.b64encode("me:s3cret ü".encode()).decode()}
        with pytest.raises(urllib.error.HTTPError, match="401") as refused:
            send(f"{server.url}/api/charts", package())
        refused.value.close()
        assert send(f"{server.url}/api/charts", package(), login) == 201
        with pytest.raises(HelmError, match="401"):
            helm.run("repo", "add", "shop", server.url)
        add(helm, server.url, "--username", "me", "--password", "s3cret ü")
        helm.run("pull", "shop/app", "-d", tmp_path)
        assert (tmp_path / "app-1.0.0.tgz").read_bytes() == package()


def test_helm_verifies_what_it_pulls(server: Server, helm: Helm, repository: str, tmp_path: Path) -> None:
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
    with tarfile.open(fileobj=io.BytesIO(package("signed"))) as archive:
        archive.extractall(tmp_path, filter="data")
    ring = ["--key", "tester", "--keyring", home / "secring.gpg"]
    helm.run("package", "--sign", *ring, "-d", tmp_path, tmp_path / "signed")
    signed = tmp_path / "signed-1.0.0.tgz"
    prov = (tmp_path / "signed-1.0.0.tgz.prov").read_bytes()

    assert send_form(f"{server.url}/api/{repository}/charts", chart=signed.read_bytes(), prov=prov) == 201
    add(helm, f"{server.url}/{repository}")
    (tmp_path / "pulled").mkdir()
    helm.run("pull", "shop/signed", "--verify", "--keyring", home / "pubring.gpg", "-d", tmp_path / "pulled")

    assert (tmp_path / "pulled/signed-1.0.0.tgz").read_bytes() == signed.read_bytes()


def test_an_index_for_helm_is_json_and_says_where_the_api_is(server: Server, repository: str) -> None:
    request = urllib.request.Request(f"{server.url}/{repository}/index.yaml", headers={"User-Agent": "Helm/4.1.4"})
    with urllib.request.urlopen(request, timeout=30) as answer:
        assert json.load(answer)["serverInfo"] == {"contextPath": "/charts"}
