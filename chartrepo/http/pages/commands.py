"""The commands by which people use a repository, for this server's own addresses."""

from dataclasses import dataclass
from shlex import quote
from typing import Final

from flask import request

from chartrepo.access import Directory
from chartrepo.core import oci
from chartrepo.core.installing import SOMEBODY, alias_of, registry_login, repo_add
from chartrepo.core.permissions import ANONYMOUS, Action, Extent
from chartrepo.http.auth import visitor_of
from chartrepo.http.pages.rendering import Pages

_ANY_CHART: Final = "chart"


@dataclass(frozen=True, slots=True)
class Commands:
    """How a repository is used.

    Attributes:
        alias: what a Helm client calls it.
        add: that adds it to a Helm client.
        search: that lists what is in it then.
        reading_needs_login: whether reading takes a credential, for which `add` asks.
        publishing_needs_login: whether publishing does, for which `upload` asks.
        login: that logs in to it as a registry, and asks for the password; empty where it has no OCI name.
        pull: that gets a chart through OCI; empty where it has no OCI name.
        push: that publishes a package through OCI; empty where it has no OCI name.
        upload: that publishes a package with curl.
    """

    alias: str
    add: str
    search: str
    reading_needs_login: bool
    publishing_needs_login: bool
    login: str
    pull: str
    push: str
    upload: str


def commands(
    pages: Pages,
    directory: Directory,
    repository: str,
    *,
    package: str = "CHART-VERSION.tgz",
    anybody_publishes: bool = False,
) -> Commands:
    """Return how a repository is used by whoever asks.

    Args:
        pages: know by which address the server was reached.
        directory: knows what needs a credential.
        repository: its name.
        package: the file that is published.
        anybody_publishes: no credential is needed for that, whatever the rules say of this repository.

    Raises:
        AccessMisconfigured: the file of rules never could be read.
    """
    anybody = directory.rights(ANONYMOUS)
    readable = anybody.extent(Action.READ, repository) is Extent.ALL
    writable = anybody_publishes or anybody.extent(Action.PUBLISH, repository) is Extent.ALL
    kind, _, name = visitor_of(request.environ).caller.name.partition(":")
    user = name if kind == "user" else ""
    alias = alias_of(repository)
    plain = pages.origin().startswith("http://")
    insecure = " --plain-http" if plain else ""
    has_oci = oci.has_name(repository, _ANY_CHART)
    address = pages.oci_url(repository)
    sender = "" if writable else f" --user {quote(user or SOMEBODY)}"
    return Commands(
        alias=alias,
        add=repo_add(alias, pages.repository_url(repository), None if readable else user),
        search=f"helm search repo {alias}/",
        reading_needs_login=not readable,
        publishing_needs_login=not writable,
        login=registry_login(pages.origin().partition("://")[2], user, plain_http=plain) if has_oci else "",
        pull=f"helm pull {address}/CHART --version VERSION{insecure}" if has_oci else "",
        push=f"helm push {package} {address}{insecure}" if has_oci else "",
        upload=f"curl{sender} --data-binary @{package} "
        + "/".join(filter(None, (pages.base_url(), "api", repository, "charts"))),
    )
