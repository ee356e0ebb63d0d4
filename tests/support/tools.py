"""Programs that the tests drive but the project does not depend on, kept in a folder outside the tree."""

import fcntl
import os
import shutil
import subprocess
import tempfile
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import NoReturn

import pytest


class UnobtainableError(Exception):
    """A program is not on this machine and cannot be brought here. The message says what to install."""


def must_be_there() -> bool:
    """Whether every program has to be there, as in CI."""
    return bool(os.environ.get("CI"))


def give_up(problem: UnobtainableError) -> NoReturn:
    """Skip the test on a developer's machine; fail it in CI, where everything has to be there."""
    if must_be_there():
        pytest.fail(f"CI needs this program: {problem}", pytrace=False)
    pytest.skip(str(problem))


def cache_folder() -> Path:
    """The folder that outlives a run, so that the next one is quick."""
    base = os.environ.get("XDG_CACHE_HOME") or Path.home() / ".cache"
    return Path(base) / "chartrepo-tests"


@contextmanager
def alone(name: str) -> Iterator[None]:
    """Keep other processes of this user out while the block runs; they wait where they ask for the same name."""
    cache_folder().mkdir(parents=True, exist_ok=True)
    with (cache_folder() / f".{name}.lock").open("w") as lock:
        fcntl.flock(lock, fcntl.LOCK_EX)
        yield


def cached(name: str, obtain: Callable[[Path], Path]) -> Path:
    """A program from the cache; made first, once, where it is not there.

    Args:
        name: the file's name in the cache. It holds the version, so that a new one is not taken for the old.
        obtain: makes the program in the empty folder that it is given, and tells where.

    Several processes may ask at once: one works and the others wait. An interrupted attempt leaves no half program.

    Raises:
        UnobtainableError: `obtain` did.
    """
    target = cache_folder() / name
    if target.exists():
        return target
    with alone(name):
        if not target.exists():
            with tempfile.TemporaryDirectory(dir=target.parent, prefix=f".{name}.") as workshop:
                made = obtain(Path(workshop))
                made.chmod(0o755)
                made.rename(target)
    return target


def on_path(name: str) -> Path | None:
    """Where a program lies on PATH."""
    found = shutil.which(name)
    return Path(found) if found else None


def go_install(module: str, folder: Path) -> Path:
    """Build a program from its Go module, as `cached` wants it.

    Args:
        module: path and version, as `example.org/cmd/program@v1.2.3`.
        folder: takes the program.

    Raises:
        UnobtainableError: there is no Go, or it could not build it.
    """
    name = module.partition("@")[0].rpartition("/")[2]
    go = on_path("go")
    if go is None:
        raise UnobtainableError(f"{name} is not on PATH, and neither is go to build it: install one of them")
    answer = subprocess.run(
        [go, "install", module],
        env={**os.environ, "GOBIN": str(folder), "GOFLAGS": "-trimpath", "CGO_ENABLED": "0"},
        cwd=folder,
        capture_output=True,
        text=True,
        check=False,
    )
    if answer.returncode != 0:
        raise UnobtainableError(f"{name} is not on PATH, and go could not build it: {answer.stderr.strip()[-500:]}")
    return folder / name
