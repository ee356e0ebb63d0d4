"""The API as schemathesis tries it: requests made of the document, good ones and bad ones, against a real server.

It finds an answer that the document does not have, and any that is a failure of the server.
"""

import base64
import subprocess
import sys
from collections.abc import Iterator
from pathlib import Path
from typing import Final

import pytest

from tests.support.http import call, get
from tests.support.packages import package
from tests.support.repositories import provenance
from tests.support.server import Server, running

PASSWORD: Final = "s3cret"
ADMIN: Final = f"Basic {base64.b64encode(f'admin:{PASSWORD}'.encode()).decode()}"
CHECKS: Final = "not_a_server_error,status_code_conformance,content_type_conformance,response_schema_conformance"
EXAMPLES: Final = 5
"""Of each operation, beside those at the edges of what is allowed."""
SECONDS: Final = 240
# The requests that are made at random are for repositories and charts that there are, half of the time.
HOOKS: Final = """
import random
import schemathesis

REAL = {{
    "repository": ["team/app", "one", "api", "team/charts"],
    "name": ["app", "web", "none"],
    "version": ["1.0.0", "2.0.0-rc.1", "latest", "^1", "9.9.9"],
    "file": ["app-1.0.0", "web-2.0.0-rc.1", "none-1.0.0"],
    "token": ["ci", "none"],
}}
PACKAGE = bytes.fromhex("{package}")
PROVENANCE = bytes.fromhex("{provenance}")
randomly = random.Random(1)


@schemathesis.hook
def map_path_parameters(context, path_parameters):
    for name, values in REAL.items():
        if name in (path_parameters or {{}}) and randomly.random() < 0.5:
            path_parameters[name] = randomly.choice(values)
    return path_parameters


@schemathesis.serializer("application/gzip", "application/octet-stream", "application/pgp-signature")
def send_a_file(context, value):
    if isinstance(value, bytes) and randomly.random() < 0.3:
        return value
    return randomly.choice([PACKAGE, PACKAGE[:-9], PROVENANCE, b""])
"""


@pytest.fixture(scope="module")
def server(request: pytest.FixtureRequest, tmp_path_factory: pytest.TempPathFactory) -> Iterator[Server]:
    """A server of the kind that is asked for, with charts, read by everybody, and written to by the admin.

    The two kinds differ in how they read requests; what answers is the same.
    """
    folder = tmp_path_factory.mktemp("api")
    arguments = ("--server", request.param, "--workers", "1", "--artifacthub-repository-id", "1234")
    password = {"CHARTREPO_ADMIN_PASSWORD": PASSWORD}
    with running(folder, *arguments, context_path="/hub", env=password) as found:
        for name in ("app", "web", "charts"):
            for version in ("1.0.0", "1.1.0", "2.0.0-rc.1"):
                for repository in ("", "team/app", "one"):
                    path = f"/api/{repository}/charts" if repository else "/api/charts"
                    headers = {"Authorization": ADMIN}
                    assert call("POST", f"{found.url}{path}", package(name, version), headers).status == 201
        yield found


def tried(server: Server, folder: Path, *arguments: str) -> str:
    """What schemathesis says of the server, having found nothing."""
    data = package("tried")
    signature = provenance(data, "tried-1.0.0.tgz", name="tried")
    hooks = folder / "hooks.py"
    hooks.write_text(HOOKS.format(package=data.hex(), provenance=signature.hex()))
    (folder / "schemathesis.toml").write_text('hooks = "hooks.py"\n')
    command = [
        Path(sys.executable).with_name("schemathesis"),
        "--no-color",
        "--config-file",
        "schemathesis.toml",
        "run",
    ]
    command += [f"{server.url}/api/openapi.json", "--seed", "1", "--checks", CHECKS, "--max-examples", str(EXAMPLES)]
    command += ["--generation-database", "none", "--suppress-health-check", "all", "--warnings", "off"]
    done = subprocess.run(
        [*command, *arguments], cwd=folder, capture_output=True, text=True, check=False, timeout=SECONDS
    )
    assert done.returncode == 0, f"{done.stdout[-40_000:]}{done.stderr[-2_000:]}"
    return done.stdout


@pytest.mark.parametrize(
    ("server", "credential", "phases"),
    [
        ("gunicorn", [], "examples,fuzzing"),
        ("gunicorn", ["--header", f"Authorization: {ADMIN}"], "examples,coverage,fuzzing"),
        ("granian", ["--header", f"Authorization: {ADMIN}"], "examples,fuzzing"),
    ],
    ids=["gunicorn-anybody", "gunicorn-admin", "granian-admin"],
    indirect=["server"],
)
def test_it_finds_nothing(server: Server, tmp_path: Path, credential: list[str], phases: str) -> None:
    assert "No issues found" in tried(server, tmp_path, *credential, "--phases", phases)
    assert get(f"{server.url}/health").status == 200
    assert "nobody foresaw" not in server.log
