"""The locked versions are those that pyproject.toml asks for, and the ones that ship are the ones that are tested."""

import re
import tomllib
from pathlib import Path
from typing import Any, Final

import pytest
from packaging.requirements import Requirement
from packaging.utils import canonicalize_name

ROOT: Final = Path(__file__).parent.parent
PROJECT: Final[dict[str, Any]] = tomllib.loads((ROOT / "pyproject.toml").read_text())


def pins(name: str) -> dict[str, set[str]]:
    """The versions that a lock names for each package: more than one where they differ by Python's version."""
    found: dict[str, set[str]] = {}
    for line in (ROOT / "requirements" / name).read_text().splitlines():
        if pin := re.match(r"([A-Za-z0-9._-]+)==([^\s;]+)", line):
            found.setdefault(canonicalize_name(pin[1]), set()).add(pin[2])
    return found


def asked_for(lock: str) -> list[Requirement]:
    groups: dict[str, list[str | dict[str, str]]] = PROJECT["dependency-groups"]
    extras: dict[str, list[str]] = PROJECT["project"]["optional-dependencies"]
    runtime = [*PROJECT["project"]["dependencies"], *(text for extra in extras.values() for text in extra)]
    texts = {
        "server.txt": runtime,
        "dev.txt": [*runtime, *groups["dev"], *groups["build"]],
        "build.txt": groups["build"],
        "ci.txt": groups["ci"],
    }[lock]
    return [Requirement(text) for text in texts if isinstance(text, str)]


@pytest.mark.parametrize("lock", ["server.txt", "dev.txt", "build.txt", "ci.txt"])
def test_a_lock_holds_what_the_project_asks_for(lock: str) -> None:
    held = pins(lock)
    missing = [
        str(wanted)
        for wanted in asked_for(lock)
        if not any(wanted.specifier.contains(version) for version in held.get(canonicalize_name(wanted.name), ()))
    ]
    assert missing == [], "run `make lock`"


@pytest.mark.parametrize("lock", ["server.txt", "build.txt"])
def test_what_ships_is_what_is_tested(lock: str) -> None:
    tested = pins("dev.txt")
    assert {name: versions for name, versions in pins(lock).items() if versions != tested.get(name)} == {}


@pytest.mark.parametrize("lock", ["server.txt", "dev.txt", "build.txt", "ci.txt"])
def test_a_lock_names_no_place_to_load_from(lock: str) -> None:
    assert "://" not in (ROOT / "requirements" / lock).read_text()
