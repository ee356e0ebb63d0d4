"""A private repository: users of a file and rules, with a real helm against a real server."""

import subprocess
from collections.abc import Iterator
from pathlib import Path
from typing import Final

import bcrypt
import pytest

from tests.support.helm import Helm, HelmError
from tests.support.http import get
from tests.support.packages import package
from tests.support.processes import eventually
from tests.support.server import Server, command, environment, running

PASSWORD: Final = "s3cret"
RULES: Final = """\
permissions:
  - {who: [anonymous], may: [read], on: ["public/**"]}
  - {who: [authenticated], may: [read], on: ["team/web"]}
  - {who: ["group:platform"], may: [read, publish], on: ["team/**"]}
groups:
  platform: [ada]
"""


@pytest.fixture
def server(tmp_path: Path, kind: str) -> Iterator[Server]:
    """Serves team/web, team/secret and public/app to ada, who is of the platform, to bob, who is not, and to all."""
    hashed = bcrypt.hashpw(PASSWORD.encode(), bcrypt.gensalt(5)).decode()
    (tmp_path / "users").write_text(f"ada:{hashed}\nbob:{hashed}\n")
    (tmp_path / "rules.yaml").write_text(RULES)
    for name in ("team/web", "team/secret", "public/app"):
        file = tmp_path / "data" / f"{name}-1.0.0.tgz"
        file.parent.mkdir(parents=True, exist_ok=True)
        file.write_bytes(package(file.name.partition("-")[0]))
    files = ("--htpasswd", tmp_path / "users", "--permissions", tmp_path / "rules.yaml")
    with running(tmp_path, "--server", kind, *files) as server:
        yield server


@pytest.fixture(params=["gunicorn", "granian"])
def kind(request: pytest.FixtureRequest) -> str:
    return str(request.param)


def add(helm: Helm, server: Server, repository: str, user: str = "", *arguments: str, password: str = PASSWORD) -> None:
    credential = ["--username", user, "--password", password] if user else []
    helm.run("repo", "add", repository, f"{server.url}/{repository}", *credential, *arguments)


def login(helm: Helm, server: Server, user: str, password: str = PASSWORD) -> None:
    knows_plain = "--plain-http" in helm.run("registry", "login", "--help").stdout
    plain = "--plain-http" if knows_plain else "--insecure"
    helm.run("registry", "login", f"127.0.0.1:{server.port}", plain, "--username", user, "--password", password)


def found(helm: Helm) -> list[str]:
    lines = helm.run("search", "repo", "-r", ".").stdout.splitlines()[1:]
    return sorted(line.split()[0] for line in lines)


def test_everybody_finds_what_is_theirs_and_no_more(server: Server, helm: Helm, tmp_path: Path) -> None:
    add(helm, server, "public")
    assert found(helm) == ["public/app"]
    with pytest.raises(HelmError, match="401"):
        add(helm, server, "team")
    with pytest.raises(HelmError, match="401"):
        add(helm, server, "team", "bob", password="wrong")
    add(helm, server, "team", "bob", "--pass-credentials")
    assert found(helm) == ["public/app", "team/web"]
    helm.run("pull", "team/web", "-d", tmp_path)
    assert (tmp_path / "web-1.0.0.tgz").read_bytes() == package("web")
    with pytest.raises(HelmError):
        helm.run("pull", "team/secret", "-d", tmp_path)
    add(helm, server, "team", "ada", "--force-update")
    assert found(helm) == ["public/app", "team/secret", "team/web"]
    helm.run("pull", "team/secret", "-d", tmp_path)


def test_who_may_not_push_learns_who_they_are_and_what_is_missing(server: Server, helm: Helm, tmp_path: Path) -> None:
    file = tmp_path / "web-2.0.0.tgz"
    file.write_bytes(package("web", "2.0.0"))
    to = f"oci://127.0.0.1:{server.port}/team"
    with pytest.raises(HelmError, match=r"401|credential|authorization"):
        helm.run("push", file, to, "--plain-http")
    with pytest.raises(HelmError, match=r"401|[Uu]nauthorized"):
        login(helm, server, "bob", "wrong")
    login(helm, server, "bob")
    with pytest.raises(HelmError, match=r"user:bob may not publish|403"):
        helm.run("push", file, to, "--plain-http")
    helm.run("pull", f"{to}/web", "--plain-http", "-d", tmp_path)
    with pytest.raises(HelmError, match=r"404|not found"):
        helm.run("pull", f"{to}/secret", "--plain-http", "-d", tmp_path)
    login(helm, server, "ada")
    helm.run("push", file, to, "--plain-http")
    add(helm, server, "team", "bob")
    helm.run("pull", "team/web", "--version", "2.0.0", "-d", tmp_path / "again", "--untar")


def chartrepo(tmp_path: Path, *arguments: str) -> str:
    """What a command beside the server prints on standard output."""
    done = subprocess.run(
        command(*arguments, "--storage", tmp_path / "data"),
        env=environment(),
        cwd=tmp_path,
        capture_output=True,
        text=True,
        check=True,
    )
    return done.stdout.strip()


def test_a_token_is_taken_wherever_a_password_is_until_it_is_revoked(
    server: Server, helm: Helm, tmp_path: Path
) -> None:
    token = chartrepo(
        tmp_path, "token", "create", "--name", "ci", "--allow", "read:team/**", "--allow", "publish:team/**"
    )
    add(helm, server, "team", "x", password=token)
    assert found(helm) == ["team/secret", "team/web"]
    helm.run("pull", "team/secret", "-d", tmp_path)

    file = tmp_path / "web-2.0.0.tgz"
    file.write_bytes(package("web", "2.0.0"))
    to = f"oci://127.0.0.1:{server.port}/team"
    with pytest.raises(HelmError, match=r"401|[Uu]nauthorized"):
        login(helm, server, "x", f"{token[:-1]}{'0' if token[-1] != '0' else '1'}")
    login(helm, server, "x", token)
    helm.run("push", file, to, "--plain-http")
    helm.run("pull", f"{to}/web", "--version", "2.0.0", "--plain-http", "-d", tmp_path / "again", "--untar")
    with pytest.raises(HelmError, match=r"token:ci may not publish|40[34]"):
        helm.run("push", file, f"oci://127.0.0.1:{server.port}/other", "--plain-http")

    def statuses() -> set[int]:
        """Of so many requests that each worker answers some."""
        return {get(f"{server.url}/team/index.yaml", Authorization=f"Bearer {token}").status for _ in range(20)}

    assert statuses() == {200}
    chartrepo(tmp_path, "token", "revoke", "ci")
    eventually(lambda: statuses() <= {401, 429}, what="the token is refused by all workers", seconds=10)
    with pytest.raises(HelmError, match=r"401|429"):
        add(helm, server, "team", "x", "--force-update", password=token)
