"""Fixtures that more than one package's tests use."""

from pathlib import Path

import pytest

from tests.support import helm as helms
from tests.support import tools


def _helm_binary(major: int) -> Path:
    try:
        return helms.binary(major)
    except tools.UnobtainableError as problem:
        tools.give_up(problem)


@pytest.fixture(scope="session")
def helm3() -> Path:
    """The binary of Helm 3."""
    return _helm_binary(3)


@pytest.fixture(scope="session")
def helm4() -> Path:
    """The binary of Helm 4."""
    return _helm_binary(4)


@pytest.fixture(params=[3, 4], ids=["helm3", "helm4"])
def helm(request: pytest.FixtureRequest, tmp_path_factory: pytest.TempPathFactory) -> helms.Helm:
    """Helm 3, then Helm 4, each with empty folders of its own."""
    binary: Path = request.getfixturevalue(f"helm{request.param}")
    return helms.Helm(binary, tmp_path_factory.mktemp("helm"))
