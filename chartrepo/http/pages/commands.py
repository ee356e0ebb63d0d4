"""The commands by which people use a repository, for this server's own addresses."""

from dataclasses import dataclass
from typing import Final

from flask import request

from chartrepo.access import Directory
from chartrepo.core import oci
from chartrepo.core.permissions import ANONYMOUS, Action, Extent
from chartrepo.http.auth import visitor_of
from chartrepo.http.pages.rendering import Pages

_ANY_CHART: Final = "chart"
_SOMEBODY: Final = "YOUR-NAME"


@dataclass(frozen=True, slots=True)
class Commands:
    """How a repository is used.

    Attributes:
        add: that adds it to a Helm client.
        search: that lists what is in it then.
        login: that logs in to it as a registry; empty where none is needed to read, or it has no OCI name.
        pull: that gets a chart through OCI; empty where it has no OCI name.
        push: that publishes a package through OCI; empty where it has no OCI name.
        upload: that publishes a package with curl.
    """

    add: str
    search: str
    login: str
    pull: str
    push: str
    upload: str


def commands(pages: Pages, directory: Directory, repository: str) -> Commands:
    """Return how a repository is used by whoever asks.

    Args:
        pages: know by which address the server was reached.
        directory: knows what needs a credential.
        repository: its name.

    Raises:
        AccessMisconfigured: the file of rules never could be read.
    """
    alias = repository.rpartition("/")[2] or "charts"
    is_open = directory.rights(ANONYMOUS).extent(Action.READ, repository) is Extent.ALL
    kind, _, name = visitor_of(request.environ).caller.name.partition(":")
    name = name if kind == "user" and name.isalnum() else _SOMEBODY
    added = f"helm repo add {alias} {pages.repository_url(repository)}"
    host = pages.origin().partition("://")[2]
    plain = pages.origin().startswith("http://")
    insecure = " --plain-http" if plain else ""
    has_oci = oci.has_name(repository, _ANY_CHART)
    address = pages.oci_url(repository)
    path = f"api/{repository}/charts" if repository else "api/charts"
    return Commands(
        add=added if is_open else f"{added} --username {name} --password-stdin",
        search=f"helm search repo {alias}/",
        login=f"helm registry login {host} --username {name}{insecure}" if has_oci else "",
        pull=f"helm pull {address}/CHART --version VERSION{insecure}" if has_oci else "",
        push=f"helm push CHART-VERSION.tgz {address}{insecure}" if has_oci else "",
        upload=f"curl --user {name} --data-binary @CHART-VERSION.tgz {pages.base_url()}/{path}",
    )
