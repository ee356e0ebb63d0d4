"""What a client is told that has to show a credential: where it gets a token, and for what.

A client of ChartMuseum with bearer tokens is told of the service that makes them, and a client of a registry of ours.

One challenge and no more, as clients take the first that they understand, and some of them only one. It is Bearer also
where everybody may read: `helm registry login` would else call a wrong password a success, since all that it sees is
whether it is let in.
"""

from dataclasses import dataclass
from typing import Final

from chartrepo.access import chartmuseum
from chartrepo.core.oci import is_name
from chartrepo.http.errors import NoSuchPath
from chartrepo.http.oci_paths import Endpoint, target
from chartrepo.http.paths import api, api_provenance, classic

TOKEN_PATH: Final = "/v2/token"  # noqa: S105 - no secret
_WRITES: Final = frozenset({"POST", "PUT", "PATCH"})
_SERVICE: Final = "chartrepo"
_READS: Final = frozenset({"GET", "HEAD"})
_API: Final = "/api/"


@dataclass(frozen=True, slots=True)
class TokenService:
    """Who makes ChartMuseum's bearer tokens.

    Attributes:
        realm: its address; empty where it is not told.
        service: what this server is called there; empty where it is not told.
        alone: whether there is no other credential.
    """

    realm: str
    service: str
    alone: bool

    def challenge(self, path: str, method: str) -> tuple[str, str]:
        """Return the header of a 401 outside `/v2/`, as ChartMuseum writes it.

        Args:
            path: of the request, decoded and below the context path.
            method: of the request.
        """
        repository = _repository(path)
        action = "pull" if method in _READS else "push"
        scope = f"artifact-repository:{repository or chartmuseum.ROOT}:{action}" if repository is not None else ""
        return _header({"realm": self.realm, "service": self.service, "scope": scope})


def challenge(origin: str, path: str, method: str, *, brought: bool) -> tuple[str, str]:
    """Return the header of a 401 below `/v2/`.

    Args:
        origin: scheme and host of this server, as the caller knows it; empty where that is not known.
        path: of the request, decoded.
        method: of the request.
        brought: whether it came with a credential, which then does not hold.
    """
    said = {"realm": f"{origin}{TOKEN_PATH}", "service": _SERVICE, "scope": _scope(path, method)}
    if brought:
        said["error"] = "invalid_token"
    return _header(said)


def _header(said: dict[str, str]) -> tuple[str, str]:
    return "WWW-Authenticate", "Bearer " + ",".join(f'{name}="{value}"' for name, value in said.items() if value)


def _repository(path: str) -> str | None:
    """Which repository a path of the classic side or the API is about; None for none."""
    found = classic(path)
    if found is not None:
        return found.repository
    try:
        if not path.startswith(_API):
            return None
        below = path[len(_API) :]
        of_provenance = api_provenance(below)
        return api(f"{of_provenance}/charts".lstrip("/") if of_provenance is not None else below).repository
    except NoSuchPath:
        return None


def _scope(path: str, method: str) -> str:
    found = target(path)
    if found is None or found.endpoint is Endpoint.BASE:
        return ""
    if found.endpoint is Endpoint.CATALOG:
        return "registry:catalog:*"
    actions = "delete" if method == "DELETE" else "pull,push" if method in _WRITES else "pull"
    return f"repository:{found.name}:{actions}" if is_name(found.name) else ""  # it may be anything at all
