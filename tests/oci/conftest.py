"""A live registry for the tests of the OCI distribution API.

It is a chartrepo on a folder, then one on a bucket. With OCI_REGISTRY=host:port in the environment, it is whatever
answers there: what these tests ask is what the specification says, and that can be asked of others too.
"""

import os
import uuid
from collections.abc import Iterator
from contextlib import ExitStack
from typing import Final

import pytest

from tests.support import s3server
from tests.support.oci import Registry, Repository
from tests.support.oci_contents import ALGORITHMS, KINDS, Bundle
from tests.support.server import running

GIVEN: Final = os.environ.get("OCI_REGISTRY", "")


@pytest.fixture(scope="session", params=["given"] if GIVEN else ["disk", "s3"])
def registry(request: pytest.FixtureRequest, tmp_path_factory: pytest.TempPathFactory) -> Iterator[Registry]:
    """A registry that takes writes from anybody."""
    if GIVEN:
        yield Registry(GIVEN)
        return
    folder = tmp_path_factory.mktemp(f"registry-{request.param}")
    with ExitStack() as stack:
        place: tuple[str, ...] = ()
        storage = None
        if request.param == "s3":
            s3: s3server.S3 = request.getfixturevalue("best_s3_server")
            storage, place = f"s3://{s3.new_bucket()}", ("--s3-endpoint", s3.endpoint_url)
        arguments = ("--open-writes", "--workers", "2", *place)
        server = stack.enter_context(running(folder, *arguments, storage=storage, env=s3server.CREDENTIALS))
        yield Registry(f"127.0.0.1:{server.port}")


def _new(registry: Registry) -> Repository:
    return registry.repository(f"test-{uuid.uuid4().hex[:12]}/thing")


@pytest.fixture
def repository(registry: Registry) -> Repository:
    """A repository that nothing was pushed to."""
    return _new(registry)


@pytest.fixture
def other(registry: Registry) -> Repository:
    """Another one."""
    return _new(registry)


@pytest.fixture(params=ALGORITHMS)
def algorithm(request: pytest.FixtureRequest) -> str:
    """Each algorithm of digests that clients may use."""
    return str(request.param)


@pytest.fixture(params=KINDS)
def bundle(request: pytest.FixtureRequest) -> Bundle:
    """Each kind of thing that clients push."""
    return KINDS[request.param]()
