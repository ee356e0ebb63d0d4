"""Workloads publish with the token of their issuer and no stored secret: a real helm against a real server."""

from collections.abc import Iterator
from pathlib import Path
from typing import Final

import pytest

from tests.support import issuers
from tests.support.helm import Helm, HelmError
from tests.support.http import call, get
from tests.support.issuers import AUDIENCE, GITHUB, WORKFLOW, LocalIssuer
from tests.support.packages import package
from tests.support.processes import eventually
from tests.support.server import Server, running

RULES: Final = """\
permissions:
  - {{who: ["github:{workflow}"], may: [read, publish], on: ["apps/*"]}}
issuers:
  github: {{url: "{url}", audience: "{audience}"}}
"""


@pytest.fixture
def issuer() -> Iterator[LocalIssuer]:
    with issuers.running() as made:
        yield made


@pytest.fixture
def server(tmp_path: Path, issuer: LocalIssuer) -> Iterator[Server]:
    """Knows nobody but whom the issuer makes known."""
    rules = tmp_path / "rules.yaml"
    rules.write_text(RULES.format(workflow=WORKFLOW, url=issuer.url, audience=AUDIENCE))
    with running(tmp_path, "--permissions", rules) as server:
        yield server


def test_a_workflow_publishes_with_its_token_or_with_one_that_it_got_for_that(
    server: Server, issuer: LocalIssuer, helm: Helm, tmp_path: Path
) -> None:
    assert f"whom the issuers in {tmp_path / 'rules.yaml'} make known" in server.log
    file = tmp_path / "web-1.0.0.tgz"
    file.write_bytes(package("web"))
    here = f"oci://127.0.0.1:{server.port}"

    # A login takes a helm without --plain-http ten seconds, so that there is one and no more.
    plain = "--plain-http" if "--plain-http" in helm.run("registry", "login", "--help").stdout else "--insecure"
    login = ("registry", "login", f"127.0.0.1:{server.port}", plain, "--username", "any", "--password-stdin")
    helm.run(*login, stdin=issuer.token(GITHUB))
    helm.run("push", file, f"{here}/apps", "--plain-http")
    with pytest.raises(HelmError, match=r"404|403|may not"):
        helm.run("push", file, f"{here}/other", "--plain-http")
    helm.run("pull", f"{here}/apps/web", "--plain-http", "-d", tmp_path / "pulled", "--untar")

    # One that works for longer than its token lasts exchanges it first.
    bearer = {"Authorization": f"Bearer {issuer.token(GITHUB)}"}
    got = call("POST", f"{server.url}/api/token", b"", bearer)
    assert (got.status, got.json["expires_in"]) == (200, 900)
    text = got.json["token"]
    helm.run("repo", "add", "apps", f"{server.url}/apps", "--username", "any", "--password", text)
    helm.run("pull", "apps/web", "-d", tmp_path / "classic", "--untar")
    bearer = {"Authorization": f"Bearer {text}"}
    assert call("POST", f"{server.url}/api/apps/charts", package("web", "2.0.0"), bearer).status == 201
    assert call("POST", f"{server.url}/api/other/charts", package("web", "2.0.0"), bearer).status == 404

    def statuses() -> set[int]:
        """Of so many requests that each worker answers some."""
        return {get(f"{server.url}/apps/index.yaml", Authorization=f"Bearer {text}").status for _ in range(20)}

    assert statuses() == {200}
    rules = tmp_path / "rules.yaml"
    rules.write_text(rules.read_text().partition("issuers:")[0])
    eventually(lambda: statuses() == {401}, what="what the issuer made known ends with it", seconds=10)
