"""Charts that a real helm signs, at a server that requires it, and what the same helm makes of them afterwards."""

import base64
import urllib.error
import urllib.request
from collections.abc import Iterator
from pathlib import Path
from typing import Final
from uuid import uuid4

import pytest

from tests.support import signing, tools
from tests.support.helm import Helm, HelmError
from tests.support.server import Server, running

ADMIN: Final = {"Authorization": f"Basic {base64.b64encode(b'admin:secret').decode()}"}
POLICIES: Final = 'policies: [{on: ["**"], since: 2020-01-01, provenance: require, keyrings: [team.gpg]}]'


@pytest.fixture(scope="module")
def keys(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A folder with a key pair that helm can sign with."""
    folder = tmp_path_factory.mktemp("keys")
    try:
        signing.gpg_keys(folder)
    except tools.UnobtainableError as problem:
        tools.give_up(problem)
    return folder


@pytest.fixture(scope="module")
def server(tmp_path_factory: pytest.TempPathFactory, keys: Path) -> Iterator[Server]:
    folder = tmp_path_factory.mktemp("server")
    (folder / "team.gpg").write_bytes((keys / "public.gpg").read_bytes())
    (folder / "policies.yaml").write_text(POLICIES)
    secret = {"CHARTREPO_ADMIN_PASSWORD": "secret"}
    with running(folder, "--workers", "1", "--policies", folder / "policies.yaml", env=secret) as server:
        yield server


@pytest.fixture
def repository() -> str:
    """The name of a repository that nobody used before."""
    return f"r{uuid4().hex}"


def packed(helm: Helm, folder: Path, keys: Path) -> Path:
    """A package that helm has made and signed, with its `.prov` beside it."""
    helm.run("create", folder / "web")
    signed = ("--sign", "--key", "Signer", "--keyring", keys / "secret.gpg")
    helm.run("package", folder / "web", "--version", "1.0.0", "-d", folder, *signed)
    return folder / "web-1.0.0.tgz"


def provenance_of(package: Path) -> bytes:
    return package.with_name(f"{package.name}.prov").read_bytes()


def send(url: str, data: bytes) -> int:
    try:
        with urllib.request.urlopen(urllib.request.Request(url, data, ADMIN), timeout=30) as answer:
            return int(answer.status)
    except urllib.error.HTTPError as error:
        with error:
            return error.code


def test_what_helm_signed_is_taken_and_helm_verifies_what_it_gets(
    server: Server, helm: Helm, repository: str, keys: Path, tmp_path: Path
) -> None:
    package = packed(helm, tmp_path, keys)
    api = f"{server.url}/api/{repository}"

    assert send(f"{api}/charts", package.read_bytes()) == 202
    with pytest.raises(HelmError):
        helm.run("pull", "web", "--repo", f"{server.url}/{repository}")
    assert send(f"{api}/prov", provenance_of(package)) == 201

    (tmp_path / "pulled").mkdir()
    keyring = ("--verify", "--keyring", keys / "public.gpg")
    helm.run("pull", "web", "--repo", f"{server.url}/{repository}", *keyring, "-d", tmp_path / "pulled")
    assert (tmp_path / "pulled" / package.name).read_bytes() == package.read_bytes()


def test_a_forged_one_is_refused(server: Server, helm: Helm, repository: str, keys: Path, tmp_path: Path) -> None:
    package = packed(helm, tmp_path, keys)
    forged = signing.provenance(signing.key("Signer <signer@example.org>"), package.read_bytes(), "web")
    api = f"{server.url}/api/{repository}"

    assert send(f"{api}/prov", forged) == 400
    assert send(f"{api}/prov", provenance_of(package).replace(b"version: 1.0.0", b"version: 1.0.1")) == 400
    assert send(f"{api}/charts", package.read_bytes()) == 202
    with pytest.raises(HelmError):
        helm.run("pull", "web", "--repo", f"{server.url}/{repository}")


def test_helm_pushes_both_to_the_registry_and_verifies_what_it_gets(
    server: Server, helm: Helm, repository: str, keys: Path, tmp_path: Path
) -> None:
    package = packed(helm, tmp_path, keys)
    registry = f"127.0.0.1:{server.port}"
    plain = "--plain-http" if "--plain-http" in helm.run("registry", "login", "--help").stdout else "--insecure"
    helm.run("registry", "login", registry, plain, "--username", "admin", "--password", "secret")

    helm.run("push", package, f"oci://{registry}/{repository}", "--plain-http")

    (tmp_path / "pulled").mkdir()
    keyring = ("--verify", "--keyring", keys / "public.gpg")
    pulled = ("-d", tmp_path / "pulled", "--plain-http")
    helm.run("pull", f"oci://{registry}/{repository}/web", "--version", "1.0.0", *keyring, *pulled)
    assert (tmp_path / "pulled" / package.name).read_bytes() == package.read_bytes()
