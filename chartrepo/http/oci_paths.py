"""What a path below `/v2/` names: the endpoints of the OCI distribution specification."""

import re
from enum import Enum
from typing import Final, NamedTuple

ROOT: Final = "/v2/"
"""Always at the root of the host: clients build their addresses so."""


class Endpoint(Enum):
    """The things that are answered at. The value is the route as metrics and logs name it."""

    BASE = "/v2/"
    CATALOG = "/v2/_catalog"
    BLOB = "/v2/{name}/blobs/{digest}"
    MANIFEST = "/v2/{name}/manifests/{reference}"
    NEW_UPLOAD = "/v2/{name}/blobs/uploads/"
    UPLOAD = "/v2/{name}/blobs/uploads/{uuid}"
    TAGS = "/v2/{name}/tags/list"
    REFERRERS = "/v2/{name}/referrers/{digest}"


class Target(NamedTuple):
    """What a path names.

    Attributes:
        endpoint: the kind of thing.
        name: of the OCI repository, as it came; it may be none.
        rest: the digest, tag or upload; empty where the endpoint has none.
    """

    endpoint: Endpoint
    name: str
    rest: str


# A name may have parts that are called as the endpoints are, so each is looked for at the end.
_ENDPOINTS: Final = (
    (Endpoint.NEW_UPLOAD, re.compile(r"/v2/(.+)/blobs/uploads()/?")),
    (Endpoint.UPLOAD, re.compile(r"/v2/(.+)/blobs/uploads/([^/]+)")),
    (Endpoint.TAGS, re.compile(r"/v2/(.+)/tags/list()")),
    (Endpoint.REFERRERS, re.compile(r"/v2/(.+)/referrers/([^/]+)")),
)
_HOT: Final = re.compile(r"/v2/(.+)/(blobs|manifests)/([^/]+)")


def is_oci(path: str) -> bool:
    """Return whether a path belongs to the OCI side."""
    return path.startswith(ROOT) or path == "/v2"


def target(path: str) -> Target | None:
    """Return what a path for which `is_oci` names; None for nothing."""
    if path in ("/v2", ROOT):
        return Target(Endpoint.BASE, "", "")
    if path == Endpoint.CATALOG.value:
        return Target(Endpoint.CATALOG, "", "")
    found = _HOT.fullmatch(path)
    if found is not None and found[3] != "uploads":
        return Target(Endpoint.BLOB if found[2] == "blobs" else Endpoint.MANIFEST, found[1], found[3])
    for endpoint, pattern in _ENDPOINTS:
        found = pattern.fullmatch(path)
        if found is not None:
            return Target(endpoint, found[1], found[2])
    return None


def takes_blob(path: str) -> bool:
    """Return whether a path (decoded, with its leading `/`) is where clients send a blob, or a part of one."""
    found = target(path) if is_oci(path) else None
    return found is not None and found.endpoint in {Endpoint.NEW_UPLOAD, Endpoint.UPLOAD}
