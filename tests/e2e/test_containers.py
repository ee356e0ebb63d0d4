"""The image and the composition, built and started for real; a chart goes up and comes down through them."""

import secrets
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path

import pytest

from tests.support import containers, packages, s3server, tools
from tests.support.helm import Helm
from tests.support.processes import answers, eventually, free_port

pytestmark = pytest.mark.containers

PACKAGE = packages.package("app", "1.0.0")


@dataclass(frozen=True)
class Images:
    server: str
    postgres: str
    gateway: str


@pytest.fixture(scope="module")
def images(tmp_path_factory: pytest.TempPathFactory) -> Images:
    try:
        base = containers.base()
        return Images(
            containers.build_server(base),
            containers.build_postgres(base),
            containers.build_gateway(base, tmp_path_factory.mktemp("gateway")),
        )
    except tools.UnobtainableError as problem:
        tools.give_up(problem)


@dataclass(frozen=True)
class Container:
    name: str
    url: str
    user: str
    password: str

    def upload(self, package: Path) -> str:
        """Send a package as people do in scripts."""
        command = ("curl", "--silent", "--show-error", "--user", f"{self.user}:{self.password}")
        return containers.run(*command, "--data-binary", f"@{package}", f"{self.url}/api/charts")

    def wait_until_ready(self) -> None:
        eventually(lambda: answers(f"{self.url}/readyz"), what="the container was ready")


@pytest.fixture
def container(images: Images) -> Iterator[Container]:
    """The image as it is meant to be run: nothing may be written but the volume and /tmp, and nothing is permitted."""
    port = free_port()
    it = Container(f"chartrepo-{secrets.token_hex(4)}", f"http://127.0.0.1:{port}", "helm", secrets.token_hex(8))
    confined = ["--read-only", "--read-only-tmpfs=false", "--tmpfs=/tmp", "--cap-drop=ALL"]
    credential = ["--env=CHARTREPO_BASIC_AUTH_USER", "--env=CHARTREPO_BASIC_AUTH_PASSWORD"]
    place = [f"--volume={it.name}:/data", f"--publish=127.0.0.1:{port}:8080", f"--name={it.name}"]
    try:
        containers.run(
            *("podman", "run", "--detach", *confined, *credential, *place, images.server),
            environment={"CHARTREPO_BASIC_AUTH_USER": it.user, "CHARTREPO_BASIC_AUTH_PASSWORD": it.password},
        )
        it.wait_until_ready()
        yield it
    finally:
        containers.run("podman", "rm", "--force", "--ignore", "--time=0", it.name)
        containers.run("podman", "volume", "rm", "--force", it.name)


@pytest.fixture
def package(tmp_path: Path) -> Path:
    path = tmp_path / "app-1.0.0.tgz"
    path.write_bytes(PACKAGE)
    return path


def pulled(helm: Helm, server: Container, folder: Path) -> bytes:
    """The package as helm brings it from a repository that it was told of and searched."""
    helm.run("repo", "add", "r", server.url, "--username", server.user, "--password", server.password)
    assert [found["name"] for found in helm.json("search", "repo", "app")] == ["r/app"]
    helm.run("pull", "r/app", "--version", "1.0.0", "--destination", folder)
    return (folder / "app-1.0.0.tgz").read_bytes()


def test_a_chart_goes_up_to_the_image_and_comes_down(
    container: Container, helm: Helm, package: Path, tmp_path_factory: pytest.TempPathFactory
) -> None:
    assert container.upload(package) == '{"saved":true}'
    assert pulled(helm, container, tmp_path_factory.mktemp("pulled")) == PACKAGE


def test_the_image_finds_its_charts_again_when_it_is_started_anew(container: Container, package: Path) -> None:
    container.upload(package)
    containers.run("podman", "restart", container.name)
    container.wait_until_ready()
    assert '"error":"file already exists"' in container.upload(package)


def test_the_image_runs_as_nobody_in_particular(container: Container) -> None:
    assert containers.run("podman", "exec", container.name, "id", "--user").strip() == "10001"


def test_the_image_tells_that_it_is_alive(container: Container) -> None:
    containers.run("podman", "healthcheck", "run", container.name)


def test_the_image_tells_when_it_is_not_alive(images: Images) -> None:
    with pytest.raises(containers.ContainerError, match="not alive"):
        containers.run("podman", "run", "--rm", "--entrypoint=python3", images.server, "/opt/chartrepo/healthcheck.py")


def test_the_image_ends_in_order_when_it_is_told_to(container: Container) -> None:
    containers.run("podman", "stop", "--time=20", container.name)
    assert containers.run("podman", "inspect", "--format={{.State.ExitCode}}", container.name).strip() == "0"


@pytest.fixture
def composition(images: Images) -> Iterator[Container]:
    """All of compose.yaml, with images made here in place of those that would be pulled."""
    variables = containers.filled(containers.ROOT / "deploy/env.example")
    port = free_port()
    project = f"chartrepo-{secrets.token_hex(4)}"
    environment = {
        **variables,
        "PUBLISHED_PORT": str(port),
        "CHARTREPO_IMAGE": images.server,
        "S3_IMAGE": images.gateway,
        "POSTGRES_IMAGE": images.postgres,
    }
    compose = ("podman-compose", "--file", containers.ROOT / "deploy/compose.yaml", "--project-name", project)
    it = Container(
        project, f"http://127.0.0.1:{port}/charts", variables["CHARTREPO_USER"], variables["CHARTREPO_PASSWORD"]
    )
    try:
        containers.run(*compose, "up", "--detach", environment=environment)
        it.wait_until_ready()
        yield it
    finally:
        containers.run(*compose, "down", "--volumes", environment=environment)


def test_a_chart_goes_up_to_the_composition_and_comes_down(
    composition: Container, helm: Helm, package: Path, tmp_path_factory: pytest.TempPathFactory
) -> None:
    assert composition.upload(package) == '{"saved":true}'
    assert pulled(helm, composition, tmp_path_factory.mktemp("pulled")) == PACKAGE


def test_the_composition_names_the_gateway_that_the_tests_run_with() -> None:
    assert f"versitygw:{s3server.VERSITYGW}" in (containers.ROOT / "deploy/compose.yaml").read_text()
