"""The ways to install a version of a chart, written out: what somebody types, or puts into a file.

Each is for one server, chart and version. Manifests are those of Argo CD's `Application` (argoproj.io/v1alpha1) and of
Flux's sources and `HelmRelease` (source.toolkit.fluxcd.io/v1, helm.toolkit.fluxcd.io/v2), as their documentation has
them.
"""

import re
from collections.abc import Iterator
from dataclasses import dataclass
from shlex import quote
from typing import Any, Final, NamedTuple

import yaml

from chartrepo.core import oci

_LONGEST_RELEASE: Final = 53
"""Characters of the name of a release, as Helm takes it."""
_NOT_IN_NAMES: Final = re.compile(r"[^a-z0-9]+")
_EVERY: Final = "1h"
SOMEBODY: Final = "YOUR-NAME"
"""The user in commands of whom nobody knows."""
ASKS: Final = "This asks for the password; an API token does as well:"
"""What is to be said right before a command that logs in."""
_PASSWORD: Final = "YOUR-PASSWORD"  # noqa: S105 - no password


@dataclass(frozen=True, slots=True)
class Goal:
    """What is to be installed, and from where.

    Attributes:
        repository: as `team/app`; empty for the root repository.
        repository_url: what `helm repo add` takes.
        oci_url: of the chart, without a tag, as `oci://host/team/app/web`; empty where it has no OCI form.
        chart: its name.
        version: as the chart writes it.
        library: whether it is a library, which nobody installs.
        user: name of whoever looks, for a log-in; empty where nothing is known.
        log_in: whether reading takes a credential.
        plain_http: whether the server is reached without TLS.
    """

    repository: str
    repository_url: str
    oci_url: str
    chart: str
    version: str
    library: bool
    user: str
    log_in: bool
    plain_http: bool

    @property
    def alias(self) -> str:
        """What the repository is called on somebody's machine."""
        return alias_of(self.repository)

    @property
    def host(self) -> str:
        """Host and port of the registry."""
        return self.oci_url.removeprefix("oci://").partition("/")[0]


class Step(NamedTuple):
    """Something to type or to write.

    Attributes:
        text: of it.
        language: `console` or `yaml`.
        before: a sentence that comes before it; empty for none.
    """

    text: str
    language: str
    before: str = ""


class Way(NamedTuple):
    """A way to install a chart.

    Attributes:
        key: names it in addresses.
        title: what people call it.
        steps: in their order.
    """

    key: str
    title: str
    steps: tuple[Step, ...]


def alias_of(repository: str) -> str:
    """Return what a repository is called on somebody's machine, by the last part of its name."""
    return repository.rpartition("/")[2] or "charts"


def ways(goal: Goal) -> tuple[Way, ...]:
    """Return the ways there are, the most usual first. A library is only depended upon."""
    return tuple(_ways(goal))


def _ways(goal: Goal) -> Iterator[Way]:
    if not goal.library:
        yield Way("helm", "Helm repository", tuple(_by_repository(goal)))
        if goal.oci_url:
            yield Way("oci", "Helm, OCI", tuple(_by_oci(goal)))
    yield Way("dependency", "Dependency", tuple(_as_dependency(goal)))
    if not goal.library:
        yield Way("argocd", "Argo CD", tuple(_by_argo_cd(goal)))
        yield Way("flux", "Flux", tuple(_by_flux(goal)))
        if goal.oci_url:
            yield Way("flux-oci", "Flux, OCI", tuple(_by_flux_oci(goal)))


def repo_add(alias: str, url: str, user: str | None) -> str:
    """Return the command that adds a repository to Helm, which asks for the password.

    Args:
        alias: what it is to be called.
        url: of the repository.
        user: whose name it takes, empty where nobody knows; None where reading takes no credential.
    """
    log_in = f" --username {quote(user or SOMEBODY)}" if user is not None else ""
    return f"helm repo add {quote(alias)} {quote(url)}{log_in}"


def registry_login(host: str, user: str, *, plain_http: bool) -> str:
    """Return the command that logs Helm in to a registry, and asks for the password.

    Args:
        host: and port.
        user: whose name it takes; empty where nobody knows.
        plain_http: whether it is reached without TLS.
    """
    plain = " --plain-http" if plain_http else ""
    return f"helm registry login {quote(host)} --username {quote(user or SOMEBODY)}{plain}"


def _repo_add(goal: Goal) -> str:
    return repo_add(goal.alias, goal.repository_url, goal.user if goal.log_in else None)


def _by_repository(goal: Goal) -> Iterator[Step]:
    yield Step(_repo_add(goal), "console", ASKS if goal.log_in else "")
    chart = quote(f"{goal.alias}/{goal.chart}")
    yield Step(f"helm install {_release(goal)} {chart} --version {quote(goal.version)}", "console")


def _by_oci(goal: Goal) -> Iterator[Step]:
    plain = " --plain-http" if goal.plain_http else ""
    if goal.log_in:
        yield Step(registry_login(goal.host, goal.user, plain_http=goal.plain_http), "console", ASKS)
    version = quote(goal.version)
    yield Step(f"helm install {_release(goal)} {quote(goal.oci_url)} --version {version}{plain}", "console")


def _as_dependency(goal: Goal) -> Iterator[Step]:
    dependency = {"name": goal.chart, "version": goal.version, "repository": goal.repository_url}
    yield Step(_yaml({"dependencies": [dependency]}), "yaml", "In the Chart.yaml of the chart that needs it:")
    if goal.log_in:
        yield Step(_repo_add(goal), "console", ASKS)
    yield Step("helm dependency update", "console", "And then:")


def _by_argo_cd(goal: Goal) -> Iterator[Step]:
    name = _dns(goal.chart)
    application = {
        "apiVersion": "argoproj.io/v1alpha1",
        "kind": "Application",
        "metadata": {"name": name, "namespace": "argocd"},
        "spec": {
            "project": "default",
            "source": {"repoURL": goal.repository_url, "chart": goal.chart, "targetRevision": goal.version},
            "destination": {"server": "https://kubernetes.default.svc", "namespace": name},
            "syncPolicy": {"syncOptions": ["CreateNamespace=true"]},
        },
    }
    yield Step(_yaml(application), "yaml")
    if goal.log_in:
        secret = {
            "apiVersion": "v1",
            "kind": "Secret",
            "metadata": {
                "name": f"{_dns(goal.alias)}-repository",
                "namespace": "argocd",
                "labels": {"argocd.argoproj.io/secret-type": "repository"},
            },
            "stringData": {
                "type": "helm",
                "name": goal.alias,
                "url": goal.repository_url,
                "username": goal.user or SOMEBODY,
                "password": _PASSWORD,
            },
        }
        yield Step(_yaml(secret), "yaml", "Once for the repository, since reading it takes a credential:")


def _by_flux(goal: Goal) -> Iterator[Step]:
    source = _dns(goal.alias)
    repository: dict[str, Any] = {"interval": _EVERY, "url": goal.repository_url}
    release = {
        "interval": _EVERY,
        "chart": {
            "spec": {
                "chart": goal.chart,
                "version": goal.version,
                "sourceRef": {"kind": "HelmRepository", "name": source},
            }
        },
    }
    if goal.log_in:
        repository["secretRef"] = {"name": f"{source}-credential"}
    yield Step(
        _yaml(
            _flux_source("HelmRepository", source, repository),
            _flux_release(_dns(goal.chart), release),
        ),
        "yaml",
    )
    if goal.log_in:
        command = (
            f"kubectl create secret generic {source}-credential "
            f"--from-literal=username={quote(goal.user or SOMEBODY)} --from-literal=password={_PASSWORD}"
        )
        yield Step(command, "console", "Once for the repository, since reading it takes a credential:")


def _by_flux_oci(goal: Goal) -> Iterator[Step]:
    name = _dns(goal.chart)
    source: dict[str, Any] = {
        "interval": _EVERY,
        "url": goal.oci_url,
        "ref": {"tag": oci.tag_of(goal.version)},
        "layerSelector": {"mediaType": oci.HELM_CHART, "operation": "copy"},
    }
    if goal.plain_http:
        source["insecure"] = True
    if goal.log_in:
        source["secretRef"] = {"name": f"{name}-registry"}
    release = {"interval": _EVERY, "chartRef": {"kind": "OCIRepository", "name": name}}
    yield Step(_yaml(_flux_source("OCIRepository", name, source), _flux_release(name, release)), "yaml")
    if goal.log_in:
        command = (
            f"kubectl create secret docker-registry {name}-registry --docker-server={quote(goal.host)} "
            f"--docker-username={quote(goal.user or SOMEBODY)} --docker-password={_PASSWORD}"
        )
        yield Step(command, "console", "Once for the registry, since reading it takes a credential:")


def _flux_source(kind: str, name: str, spec: dict[str, Any]) -> dict[str, Any]:
    return {"apiVersion": "source.toolkit.fluxcd.io/v1", "kind": kind, "metadata": {"name": name}, "spec": spec}


def _flux_release(name: str, spec: dict[str, Any]) -> dict[str, Any]:
    return {
        "apiVersion": "helm.toolkit.fluxcd.io/v2",
        "kind": "HelmRelease",
        "metadata": {"name": name},
        "spec": spec,
    }


def _yaml(*documents: dict[str, Any]) -> str:
    """Write documents down, each text so that it is read as one."""
    texts = (yaml.safe_dump(each, sort_keys=False, allow_unicode=True, width=10_000) for each in documents)
    return "---\n".join(texts).rstrip("\n")


def _release(goal: Goal) -> str:
    return f"my-{_dns(goal.chart)}"[:_LONGEST_RELEASE].rstrip("-")


def _dns(name: str) -> str:
    """Return a name that Kubernetes takes: small letters, digits and dashes between them."""
    return _NOT_IN_NAMES.sub("-", name.lower()).strip("-")[:_LONGEST_RELEASE].strip("-") or "chart"
