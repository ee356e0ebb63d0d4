"""What a client of a registry is told that has to show a credential: where it gets a token, and for what.

One challenge and no more, as clients take the first that they understand, and some of them only one. It is Bearer also
where everybody may read: `helm registry login` would else call a wrong password a success, since all that it sees is
whether it is let in.
"""

from typing import Final

from chartrepo.core.oci import is_name
from chartrepo.http.oci_paths import Endpoint, target

TOKEN_PATH: Final = "/v2/token"  # noqa: S105 - no secret
_WRITES: Final = frozenset({"POST", "PUT", "PATCH"})
_SERVICE: Final = "chartrepo"


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
    return "WWW-Authenticate", "Bearer " + ",".join(f'{name}="{value}"' for name, value in said.items() if value)


def _scope(path: str, method: str) -> str:
    found = target(path)
    if found is None or found.endpoint is Endpoint.BASE:
        return ""
    if found.endpoint is Endpoint.CATALOG:
        return "registry:catalog:*"
    actions = "delete" if method == "DELETE" else "pull,push" if method in _WRITES else "pull"
    return f"repository:{found.name}:{actions}" if is_name(found.name) else ""  # it may be anything at all
