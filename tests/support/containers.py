"""Containers for the tests, by podman: images from the project's own files, and what is run of them."""

import os
import secrets
import shutil
import subprocess
from collections.abc import Mapping
from pathlib import Path
from typing import Final

from tests.support import s3server, tools

ROOT: Final = Path(__file__).parent.parent.parent
STAND_INS: Final = ROOT / "tests/e2e/images"


class ContainerError(Exception):
    """A command about containers failed; the message is what it said."""


def run(*command: str | Path, environment: Mapping[str, str] | None = None) -> str:
    """Run a command to its end and give what it printed.

    Raises:
        ContainerError: its status is not 0.
    """
    answer = subprocess.run(
        command,
        env={**os.environ, **(environment or {})},
        stdin=subprocess.DEVNULL,
        stdout=subprocess.PIPE,
        stderr=subprocess.STDOUT,
        text=True,
        check=False,
    )
    if answer.returncode != 0:
        spoken = " ".join(str(word) for word in command)
        raise ContainerError(f"{spoken} ended with {answer.returncode}:\n{answer.stdout}")
    return answer.stdout


def base() -> str:
    """The image to build on.

    Raises:
        UnobtainableError: none is named, or there is no podman.
    """
    for program in ("podman", "podman-compose"):
        if tools.on_path(program) is None:
            raise tools.UnobtainableError(f"{program} is not on PATH")
    image = os.environ.get("TEST_BASE_IMAGE")
    if not image:
        raise tools.UnobtainableError(
            "TEST_BASE_IMAGE names no image to build on, such as docker.io/library/python:3.13-slim-trixie"
        )
    return image


def build(name: str, dockerfile: Path, context: Path, base: str) -> str:
    """Build an image and give its name. What one test process has built, the others find in podman's own cache."""
    image = f"localhost/chartrepo-test-{name}"
    run(
        "podman",
        "build",
        "--format=docker",
        f"--build-arg=BASE={base}",
        f"--file={dockerfile}",
        f"--tag={image}",
        context,
    )
    return image


def build_server(base: str) -> str:
    """Build chartrepo's own image."""
    return build("server", ROOT / "Dockerfile", ROOT, base)


def build_postgres(base: str) -> str:
    """Build what stands in for PostgreSQL's image."""
    return build("postgres", STAND_INS / "postgres.Dockerfile", STAND_INS, base)


def build_gateway(base: str, folder: Path) -> str:
    """Build what stands in for the S3 gateway's image, in an empty folder.

    Raises:
        UnobtainableError: there is no gateway to put into it.
    """
    shutil.copy(s3server.versitygw(), folder / "versitygw")
    return build("versitygw", STAND_INS / "versitygw.Dockerfile", folder, base)


def filled(example: Path) -> dict[str, str]:
    """The variables of an example of an env file, with a password of its own for each that is left empty."""
    lines = [line for line in example.read_text().splitlines() if line and not line.startswith("#")]
    given = dict(line.split("=", 1) for line in lines)
    return {name: value or secrets.token_hex(16) for name, value in given.items()}
