"""Who may import whom: the order of the layers, and the one place for each library that has effects."""

import ast
import graphlib
import sys
from collections.abc import Iterator
from itertools import chain
from pathlib import Path
from typing import Final

import pytest

ROOT: Final = Path(__file__).parent.parent
MODULES: Final = {
    ".".join(path.relative_to(ROOT).with_suffix("").parts).removesuffix(".__init__"): path
    for package in ("chartrepo", "storage")
    for path in sorted((ROOT / package).rglob("*.py"))
}

# The parts from the bottom up. What is named nowhere is a use case: a module of chartrepo between catalog and http.
USE_CASES: Final = "use cases"
PARTS: Final = {
    "storage": "storage",
    "chartrepo.core": "core",
    "chartrepo.catalog": "catalog",
    "chartrepo.http": "http",
    "chartrepo.serve": "serve",
    "chartrepo.cli": "cli",
    "chartrepo.__main__": "cli",
    "chartrepo.version": "version",
}
BELOW: Final = {
    "version": set[str](),
    "core": set[str](),
    "storage": set[str](),
    "catalog": {"core", "storage"},
    USE_CASES: {"version", "core", "storage", "catalog"},
    "http": {"version", "core", "storage", "catalog", USE_CASES},
    "serve": {"version", "core", "storage", "catalog", USE_CASES, "http"},
    "cli": {"version", "core", "storage", "catalog", USE_CASES, "http", "serve"},
}

HOMES: Final = {
    "flask": ("chartrepo.http",),
    "werkzeug": ("chartrepo.http",),
    "jinja2": ("chartrepo.http",),
    "markupsafe": ("chartrepo.http",),
    "sqlalchemy": ("chartrepo.catalog",),
    "sqlite3": ("chartrepo.catalog",),
    "psycopg": ("chartrepo.catalog",),
    "boto3": ("storage.s3",),
    "botocore": ("storage.s3",),
    "gunicorn": ("chartrepo.serve",),
    "granian": ("chartrepo.serve",),
    "click": ("chartrepo.cli",),
    "bcrypt": ("chartrepo.access",),
    "argon2": ("chartrepo.access",),
    "itsdangerous": ("chartrepo.access",),
    "jsonschema": ("chartrepo.schemas",),
    "referencing": ("chartrepo.schemas",),
    "jwt": ("chartrepo.access",),
    "pysequoia": ("chartrepo.trust.openpgp",),
    "markdown_it": ("chartrepo.markup",),
    "mdit_py_plugins": ("chartrepo.markup.markdown",),
    "nh3": ("chartrepo.markup.cleaning",),
    "pygments": ("chartrepo.http.pages.code", "chartrepo.markup.highlighting"),
    "PIL": ("chartrepo.icons.pictures",),
    "cryptography": ("chartrepo.access", "chartrepo.trust.cosign"),
}

CORE_LIBRARIES: Final = {"yaml", "semver"}
EFFECTS: Final = {
    "asyncio",
    "http",
    "logging",
    "multiprocessing",
    "os",
    "pathlib",
    "random",
    "secrets",
    "shutil",
    "socket",
    "sqlite3",
    "ssl",
    "subprocess",
    "tempfile",
    "threading",
    "time",
    "uuid",
}


def within(module: str, package: str) -> bool:
    return module == package or module.startswith(f"{package}.")


def part_of(module: str) -> str:
    return next((part for package, part in PARTS.items() if within(module, package)), USE_CASES)


def imports_of(module: str) -> Iterator[str]:
    """The modules that a module names, wherever it does: at the top, in a function, for the type checker alone."""
    path = MODULES[module]
    for node in ast.walk(ast.parse(path.read_text(), filename=str(path))):
        if isinstance(node, ast.Import):
            yield from (alias.name for alias in node.names)
        elif isinstance(node, ast.ImportFrom):
            assert node.level == 0, f"{path}:{node.lineno}: a relative import hides which part it is from"
            assert node.module is not None
            for alias in node.names:
                deeper = f"{node.module}.{alias.name}"
                yield deeper if deeper in MODULES else node.module


def ours(module: str) -> set[str]:
    return {name for name in imports_of(module) if name in MODULES and name not in {module, "chartrepo"}}


def outside(module: str) -> set[str]:
    return {name.partition(".")[0] for name in imports_of(module) if name not in MODULES}


@pytest.mark.parametrize("module", MODULES)
def test_a_module_imports_only_from_its_own_part_and_those_below(module: str) -> None:
    part = part_of(module)
    assert {name for name in ours(module) if part_of(name) not in {part, *BELOW[part]}} == set()


@pytest.mark.parametrize("module", MODULES)
def test_a_library_with_effects_is_imported_in_its_one_place(module: str) -> None:
    assert {
        name for name in outside(module) if name in HOMES and not any(within(module, home) for home in HOMES[name])
    } == set()


@pytest.mark.parametrize("module", [name for name in MODULES if part_of(name) == "core"])
def test_the_core_needs_the_standard_library_yaml_and_semver(module: str) -> None:
    assert outside(module) - sys.stdlib_module_names - CORE_LIBRARIES == set()


@pytest.mark.parametrize("module", [name for name in MODULES if part_of(name) == "core"])
def test_the_core_has_no_clock_disk_or_network(module: str) -> None:
    assert outside(module) & EFFECTS == set()


def test_no_module_imports_itself_by_a_detour() -> None:
    graphlib.TopologicalSorter({module: ours(module) for module in MODULES}).prepare()


def test_every_rule_speaks_of_something_that_is_there() -> None:
    assert {package for package in (*PARTS, *chain.from_iterable(HOMES.values())) if package not in MODULES} == set()
