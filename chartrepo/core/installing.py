"""How a version of a chart is installed: commands to paste, and files for what installs charts by itself."""

import re
from dataclasses import dataclass
from shlex import quote
from typing import Final, NamedTuple

import yaml


class Way(NamedTuple):
    """One way to use a chart.

    Attributes:
        key: short, for addresses within a page.
        title: what it is called.
        text: the commands, or the YAML.
    """

    key: str
    title: str
    text: str


@dataclass(frozen=True, slots=True)
class Offer:
    """A version of a chart, as those reach it who install it.

    Attributes:
        chart: its name.
        version: it.
        alias: what a client may call the repository.
        repository_url: the address for `helm repo add`.
        oci_url: of the chart in OCI, without a tag; empty where it has none.
        tag: of the version in OCI; empty where it has none.
        user: who logs in to read; empty where nobody has to.
        is_library: whether other charts use it, and nobody installs it.
    """

    chart: str
    version: str
    alias: str
    repository_url: str
    oci_url: str = ""
    tag: str = ""
    user: str = ""
    is_library: bool = False


def ways(offer: Offer) -> tuple[Way, ...]:
    """Return all ways to use a version, the usual one first."""
    dependency = Way("dependency", "Dependency", _yaml(_dependency(offer)))
    if offer.is_library:
        return (dependency,)
    has_oci = bool(offer.oci_url and offer.tag)
    found = [Way("helm", "Helm repository", _helm(offer))]
    if has_oci:
        found.append(Way("oci", "OCI", _oci(offer)))
    found += [
        dependency,
        Way("argo", "Argo CD", _yaml(_argo(offer))),
        Way("flux", "Flux, HelmRepository", _yaml(*_flux(offer))),
    ]
    if has_oci:
        found.append(Way("flux-oci", "Flux, OCIRepository", _yaml(*_flux_oci(offer))))
    return tuple(found)


def release_name(chart: str) -> str:
    """Return a name for a release: what Kubernetes takes, as near to the chart's as can be."""
    return _NOT_IN_NAMES.sub("-", chart.lower()).strip("-")[:_LONGEST_RELEASE].strip("-") or "release"


_NOT_IN_NAMES: Final = re.compile("[^a-z0-9-]+")
_LONGEST_RELEASE: Final = 53
"""As Helm has it."""


def _helm(offer: Offer) -> str:
    login = f" --username {quote(offer.user)} --password-stdin" if offer.user else ""
    added = f"helm repo add {quote(offer.alias)} {quote(offer.repository_url)}{login}"
    chart = quote(f"{offer.alias}/{offer.chart}")
    return f"{added}\nhelm install {release_name(offer.chart)} {chart} --version {quote(offer.version)}"


def _oci(offer: Offer) -> str:
    plain = " --plain-http" if offer.repository_url.startswith("http://") else ""
    host = offer.oci_url.removeprefix("oci://").partition("/")[0]
    login = f"helm registry login {quote(host)} --username {quote(offer.user)}{plain}\n" if offer.user else ""
    install = f"helm install {release_name(offer.chart)} {quote(offer.oci_url)} --version {quote(offer.version)}"
    return f"{login}{install}{plain}"


def _dependency(offer: Offer) -> object:
    return {"dependencies": [{"name": offer.chart, "version": offer.version, "repository": offer.repository_url}]}


def _argo(offer: Offer) -> object:
    name = release_name(offer.chart)
    return {
        "apiVersion": "argoproj.io/v1alpha1",
        "kind": "Application",
        "metadata": {"name": name, "namespace": "argocd"},
        "spec": {
            "project": "default",
            "source": {
                "repoURL": offer.repository_url,
                "chart": offer.chart,
                "targetRevision": offer.version,
                "helm": {"releaseName": name},
            },
            "destination": {"server": "https://kubernetes.default.svc", "namespace": name},
        },
    }


def _flux(offer: Offer) -> tuple[object, object]:
    name, source = release_name(offer.chart), release_name(offer.alias)
    repository = {"interval": "1h", "url": offer.repository_url, **_secret(offer)}
    return (
        {
            "apiVersion": "source.toolkit.fluxcd.io/v1",
            "kind": "HelmRepository",
            "metadata": {"name": source},
            "spec": repository,
        },
        _release(
            name,
            {
                "chart": {
                    "spec": {
                        "chart": offer.chart,
                        "version": offer.version,
                        "sourceRef": {"kind": "HelmRepository", "name": source},
                    }
                }
            },
        ),
    )


def _flux_oci(offer: Offer) -> tuple[object, object]:
    name = release_name(offer.chart)
    insecure = {"insecure": True} if offer.repository_url.startswith("http://") else {}
    return (
        {
            "apiVersion": "source.toolkit.fluxcd.io/v1",
            "kind": "OCIRepository",
            "metadata": {"name": name},
            "spec": {
                "interval": "1h",
                "url": offer.oci_url,
                "ref": {"tag": offer.tag},
                **insecure,
                **_secret(offer),
            },
        },
        _release(name, {"chartRef": {"kind": "OCIRepository", "name": name}}),
    )


def _release(name: str, what: dict[str, object]) -> object:
    return {
        "apiVersion": "helm.toolkit.fluxcd.io/v2",
        "kind": "HelmRelease",
        "metadata": {"name": name},
        "spec": {"interval": "1h", **what},
    }


def _secret(offer: Offer) -> dict[str, object]:
    return {"secretRef": {"name": f"{release_name(offer.alias)}-login"}} if offer.user else {}


def _yaml(*documents: object) -> str:
    """Write documents down, with quotes where something would not be read as the text that it is."""
    return "---\n".join(
        yaml.safe_dump(each, sort_keys=False, allow_unicode=True, default_flow_style=False, width=1_000)
        for each in documents
    ).rstrip()
