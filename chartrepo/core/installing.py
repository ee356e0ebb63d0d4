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
_USER: Final = "YOUR-NAME"
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
        return self.repository.rpartition("/")[2] or "charts"

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


def _by_repository(goal: Goal) -> Iterator[Step]:
    log_in = f" --username {quote(goal.user or _USER)}" if goal.log_in else ""
    asks = "It asks for the password, or takes an API token for it:" if goal.log_in else ""
    yield Step(f"helm repo add {quote(goal.alias)} {quote(goal.repository_url)}{log_in}", "console", asks)
    chart = quote(f"{goal.alias}/{goal.chart}")
    yield Step(f"helm install {_release(goal)} {chart} --version {quote(goal.version)}", "console")


def _by_oci(goal: Goal) -> Iterator[Step]:
    plain = " --plain-http" if goal.plain_http else ""
    if goal.log_in:
        asks = "It asks for the password, or takes an API token for it:"
        text = f"helm registry login {quote(goal.host)} --username {quote(goal.user or _USER)}{plain}"
        yield Step(text, "console", asks)
    version = quote(goal.version)
    yield Step(f"helm install {_release(goal)} {quote(goal.oci_url)} --version {version}{plain}", "console")


def _as_dependency(goal: Goal) -> Iterator[Step]:
    dependency = {"name": goal.chart, "version": goal.version, "repository": goal.repository_url}
    yield Step(_yaml({"dependencies": [dependency]}), "yaml", "In the Chart.yaml of the chart that needs it:")
    if goal.log_in:
        user = quote(goal.user or _USER)
        add = f"helm repo add {quote(goal.alias)} {quote(goal.repository_url)} --username {user}"
        yield Step(f"{add}\nhelm dependency update", "console", "And then, with the password or an API token:")
    else:
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
                "username": goal.user or _USER,
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
            f"--from-literal=username={quote(goal.user or _USER)} --from-literal=password={_PASSWORD}"
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
            f"--docker-username={quote(goal.user or _USER)} --docker-password={_PASSWORD}"
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
