"""Fixtures that more than one package's tests use."""

import os
from collections.abc import Iterator
from pathlib import Path

import pytest

from tests.support import helm as helms
from tests.support import repositories, s3server, tools
from tests.support.postgres import Postgres


def pytest_configure(config: pytest.Config) -> None:
    """Tell pytest of the markers that these fixtures go with."""
    config.addinivalue_line("markers", "real_s3: drives a real S3 gateway, versitygw")
    config.addinivalue_line("markers", "containers: builds images and starts containers, with podman")


@pytest.fixture(autouse=True)
def _closed_shops() -> Iterator[None]:
    yield
    repositories.close_shops()


@pytest.fixture
def no_settings_from_outside(monkeypatch: pytest.MonkeyPatch) -> None:
    """A developer's own variables would change what is tested."""
    for name in list(os.environ):
        if name.startswith("CHARTREPO_"):
            monkeypatch.delenv(name)


@pytest.fixture
def own_folder(monkeypatch: pytest.MonkeyPatch, tmp_path: Path, no_settings_from_outside: None) -> Path:
    """Where commands run that are called in this process; they leave its logging as it is."""
    monkeypatch.setattr("chartrepo.logs.configure", lambda *_: None)
    monkeypatch.chdir(tmp_path)
    return tmp_path


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


@pytest.fixture(scope="session")
def postgres() -> Iterator[Postgres]:
    """A PostgreSQL server. A test that stops it starts it again."""
    try:
        server = Postgres()
    except tools.UnobtainableError as problem:
        tools.give_up(problem)
    try:
        server.start()
        yield server
    finally:
        server.remove()


@pytest.fixture
def postgres_url(postgres: Postgres) -> Iterator[str]:
    """The address of a fresh, empty database, `postgresql://...`, gone after the test."""
    with postgres.database() as url:
        yield url


@pytest.fixture
def s3_credentials(monkeypatch: pytest.MonkeyPatch) -> None:
    """The credentials of both S3 servers, in the environment."""
    for name in ("AWS_PROFILE", "AWS_SESSION_TOKEN", "AWS_ENDPOINT_URL", "AWS_ENDPOINT_URL_S3", "AWS_REGION"):
        monkeypatch.delenv(name, raising=False)
    for name, value in s3server.CREDENTIALS.items():
        monkeypatch.setenv(name, value)


@pytest.fixture(scope="session")
def _moto(tmp_path_factory: pytest.TempPathFactory) -> Iterator[s3server.S3]:
    with s3server.running_moto(tmp_path_factory.mktemp("moto")) as server:
        yield server


@pytest.fixture
def moto_s3(_moto: s3server.S3, s3_credentials: None) -> s3server.S3:
    """A server that acts like S3: its address and a maker of buckets, with credentials in the environment."""
    return _moto


@pytest.fixture(scope="session")
def _gateway(tmp_path_factory: pytest.TempPathFactory) -> Iterator[s3server.Gateway]:
    try:
        gateway = s3server.Gateway(tmp_path_factory.mktemp("versitygw"))
    except tools.UnobtainableError as problem:
        tools.give_up(problem)
    try:
        gateway.start()
        yield gateway
    finally:
        gateway.stop()


@pytest.fixture
def real_gateway(_gateway: s3server.Gateway, s3_credentials: None) -> s3server.Gateway:
    """A real S3 gateway. A test that stops it starts it again."""
    return _gateway


@pytest.fixture
def real_s3(real_gateway: s3server.Gateway) -> s3server.S3:
    """A real S3 server: its address and a maker of buckets, with credentials in the environment."""
    return real_gateway.s3


@pytest.fixture(scope="session")
def best_s3_server(request: pytest.FixtureRequest) -> s3server.S3:
    """A real S3 server where one can be had, which is in CI for one, and else one that acts like it."""
    try:
        s3server.versitygw()
    except tools.UnobtainableError as problem:
        if tools.must_be_there():
            tools.give_up(problem)
        like_one: s3server.S3 = request.getfixturevalue("_moto")
        return like_one
    gateway: s3server.Gateway = request.getfixturevalue("_gateway")
    return gateway.s3


@pytest.fixture
def best_s3(best_s3_server: s3server.S3, s3_credentials: None) -> s3server.S3:
    """The same, with credentials in the environment."""
    return best_s3_server
