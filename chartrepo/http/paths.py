"""Which repository and which thing a path names.

Repositories have any depth and may contain a segment called `charts`, so paths are read from the right:
`<repository>/index.yaml`, `<repository>/charts/<file>`, and `api/<repository>/charts/...` split at the last `charts`.
"""

from enum import Enum
from typing import NamedTuple

from chartrepo import layout
from chartrepo.core.errors import InvalidName
from chartrepo.core.names import check_repository
from chartrepo.http.errors import NoSuchPath


class Resource(Enum):
    """What the hot reads are for. The value is the route as metrics and logs name it."""

    INDEX = "/{repository}/index.yaml"
    PACKAGE = "/{repository}/charts/{file}.tgz"
    PROVENANCE = "/{repository}/charts/{file}.tgz.prov"


class Classic(NamedTuple):
    """A file of the classic repository. `file` is empty for the index, and the package's name for its provenance."""

    resource: Resource
    repository: str
    file: str


class Api(NamedTuple):
    """A path of ChartMuseum's API: what stands after the last `charts`."""

    repository: str
    rest: tuple[str, ...]


def decode(path: str) -> str:
    """Return a WSGI path, which has a character for each byte, as text.

    Raises:
        NoSuchPath: it is not UTF-8, or has characters that no name has.
    """
    if not path.isascii():
        try:
            path = path.encode("latin-1").decode("utf-8")
        except UnicodeDecodeError:
            raise NoSuchPath from None
    if not path.isprintable():
        raise NoSuchPath
    return path


def classic(path: str) -> Classic | None:
    """Return what a path (decoded, with its leading `/`) names in the classic repository; None for any other."""
    if path.endswith("/index.yaml"):
        return _in_folder(Resource.INDEX, path[:-11], "")
    head, _, file = path.rpartition("/")
    if not head.endswith("/charts"):
        return None
    if layout.is_package(file):
        return _in_folder(Resource.PACKAGE, head[:-7], file)
    if layout.is_provenance(file):
        return _in_folder(Resource.PROVENANCE, head[:-7], layout.package_of(file))
    return None


def _in_folder(resource: Resource, folder: str, file: str) -> Classic | None:
    if folder == "/":
        return None  # two slashes name nothing
    try:
        return Classic(resource, check_repository(folder[1:]), file)
    except InvalidName:
        return None


def api(path: str) -> Api:
    """Return what a path below `/api/` names: `team/app/charts/web/1.0.0` is `1.0.0` of `web` in `team/app`.

    Raises:
        NoSuchPath: it has no `charts`, or what stands before it cannot be a repository.
    """
    repository, rest = _split(path)
    try:
        return Api(check_repository(repository), rest)
    except InvalidName:
        raise NoSuchPath from None


def api_upload(path: str) -> str:
    """Return where a path below `/api/` sends packages to, which may be nothing that can be a repository.

    Raises:
        NoSuchPath: packages are not sent to such a path.
    """
    repository, rest = _split(path)
    if rest:
        raise NoSuchPath
    return repository


def api_provenance(path: str) -> str | None:
    """Return where a path below `/api/` sends provenance to, as `api_upload`; None for any other path."""
    if path == "prov":
        return ""
    return path.removesuffix("/prov") if path.endswith("/prov") else None


def _split(path: str) -> Api:
    segments = path.split("/")
    for position in range(len(segments) - 1, -1, -1):
        if segments[position] == "charts":
            return Api("/".join(segments[:position]), tuple(segments[position + 1 :]))
    raise NoSuchPath
