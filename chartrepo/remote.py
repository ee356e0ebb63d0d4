"""The packages of another repository, over HTTP, as Helm would fetch them.

The credential goes to the repository's own scheme, host and port and to nobody else, whatever its index or a redirect
says.
"""

from io import BytesIO
from typing import BinaryIO, Final
from urllib.parse import urljoin, urlsplit, urlunsplit

from chartrepo import layout
from chartrepo.core import provenance
from chartrepo.core.errors import ChartrepoError
from chartrepo.core.foreign_index import Release, releases
from chartrepo.core.messages import shown, shown_path
from chartrepo.fetching import (
    Credential,
    DeniedError,
    Fetcher,
    MissingError,
    basic,
    check_no_credential,
    origin,
    remedy,
    split,
    told,
)
from chartrepo.sources import MAX_PACKAGE, Item, SourceError

MAX_INDEX: Final = 512 * 1024 * 1024
"""In bytes, unpacked. 100,000 versions take about 100 MiB."""


class Remote:
    """A chart repository at an address; a `Source`.

    Args:
        url: as `helm repo add` takes it. A query is kept on all that is fetched, as Helm does.
        username: of the credential; empty for none.
        password: that goes with it.
        connections: how many to keep open.

    Raises:
        SourceError: that is no such address.
    """

    def __init__(self, url: str, *, username: str = "", password: str = "", connections: int = 8) -> None:
        parts = split(url)
        check_no_credential(parts)
        self._base = parts._replace(path=parts.path.rstrip("/").removesuffix(f"/{layout.INDEX_FILE}"), fragment="")
        self._own = origin(parts)
        self._credential = Credential(self._own, basic(username, password)) if username or password else None
        self._fetcher = Fetcher(connections=connections)

    def items(self) -> list[Item]:
        """See `Source`."""
        address = urlunsplit(self._base._replace(path=f"{self._base.path}/{layout.INDEX_FILE}"))
        index = BytesIO()
        try:
            self._get(address, index, limit=MAX_INDEX, packed=True)
            found = releases(index.getvalue())
        except ChartrepoError as error:
            raise SourceError(f"{told(address)}: {error}") from None
        return list(dict.fromkeys(map(self._item, found)))

    def digest(self, item: Item) -> str:
        """See `Source`."""
        return item.digest

    def fetch(self, item: Item, into: BinaryIO) -> int | None:
        """See `Source`."""
        if not item.address:
            raise SourceError("the index gives no address for it")
        self._get(item.address, into, limit=MAX_PACKAGE)
        return item.published

    def fetch_provenance(self, item: Item) -> bytes | None:
        """See `Source`."""
        parts = urlsplit(item.address)
        signature = BytesIO()
        try:
            self._get(urlunsplit(parts._replace(path=f"{parts.path}.prov")), signature, limit=provenance.MAX_BYTES)
        except MissingError:
            return None
        return signature.getvalue()

    def stop(self) -> None:
        """See `Source`."""
        self._fetcher.stop()

    def close(self) -> None:
        """Close all connections."""
        self._fetcher.close()

    def _item(self, release: Release) -> Item:
        file = layout.package_file(release.name, release.version)
        address = self._resolve(release.url) if release.url else ""
        return Item(
            place=told(address) or file,
            address=address,
            repository="",
            file=file,
            published=release.created,
            digest=release.digest,
            warning=_warning(release),
        )

    def _resolve(self, reference: str) -> str:
        """Return the address of a chart as Helm makes it: below the repository's, with the repository's query."""
        try:
            if urlsplit(reference).scheme:
                return reference
            base = urlunsplit(self._base._replace(path=f"{self._base.path}/", query=""))
            return urlunsplit(urlsplit(urljoin(base, reference))._replace(query=self._base.query))
        except ValueError:
            return reference

    def _get(self, address: str, into: BinaryIO, *, limit: int, packed: bool = False) -> None:
        """Write what is at an address into a file, as `Fetcher.get` does."""
        try:
            self._fetcher.get(address, into, limit=limit, packed=packed, credential=self._credential)
        except DeniedError as error:
            if error.origin != self._own:
                raise SourceError(f"{error.said}; the credential is only for the repository's own host") from None
            raise SourceError(f"{error.said}: {remedy(credential=self._credential is not None)}") from None


def _warning(release: Release) -> str:
    if not release.not_a_time:
        return ""
    return (
        f"{shown_path(release.name)} {shown_path(release.version)} counts as published now, for the index says that "
        f"it was created {shown(release.not_a_time)}, which is no time such as 2026-01-02T03:04:05Z"
    )
