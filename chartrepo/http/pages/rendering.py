"""How pages are made: out of a template, for whoever asks, with the headers that keep what is on them in its box."""

import gzip
import time
from collections.abc import Callable, Iterable
from dataclasses import dataclass
from typing import Any, Final

from flask import Flask, Response, render_template, request
from jinja2 import StrictUndefined

from chartrepo.http.addresses import Addresses
from chartrepo.http.auth import VISITOR, Visitor, is_signed_in
from chartrepo.http.pages.assets import Assets
from chartrepo.http.pages.links import SIGN_IN, Links
from chartrepo.http.pages.notices import notice_of
from chartrepo.http.pages.wording import exact, time_tag
from chartrepo.version import __version__
from chartrepo.wording import counted, shown_size

POLICY: Final = "; ".join(
    (
        "default-src 'none'",
        "style-src 'self'",
        "script-src 'self'",
        "img-src 'self'",
        "connect-src 'self'",
        "form-action 'self'",
        "base-uri 'none'",
        "frame-ancestors 'none'",
    )
)
"""What a page may load and do. Nothing in it comes from elsewhere, and no script or style stands in the page itself."""
_WORTH_ZIPPING: Final = 1024
_FAST: Final = 4


@dataclass(frozen=True, slots=True)
class Person:
    """Who looks at a page, as the page shows it.

    Attributes:
        name: as `user:ada`; empty for nobody in particular.
        publishes: whether there is anything that this one may publish.
        administers: whether this one may do everything.
        sign_in: where to sign in, and come back; empty where nobody can, or this one has.
        signed_in: whether this one can sign out.
    """

    name: str
    publishes: bool
    administers: bool
    sign_in: str = ""
    signed_in: bool = False


class Pages:
    """Makes pages.

    Args:
        links: builds addresses.
        assets: the files that pages are made with.
        addresses: tell by which address a caller reached this server.
        context_path: under which everything is served.
        oci_prefix: what stands before the names of repositories in OCI.
        public_url: the address that the settings say, with the context path; empty for the one that is asked under.
        can_sign_in: tells whether there is anybody who could.
    """

    def __init__(
        self,
        links: Links,
        assets: Assets,
        *,
        addresses: Addresses,
        context_path: str,
        oci_prefix: str,
        public_url: str,
        can_sign_in: Callable[[], bool],
        now: Callable[[], float] = time.time,
    ) -> None:
        self.links = links
        self._assets = assets
        self._addresses = addresses
        self._context_path = context_path
        self._oci_prefix = oci_prefix
        self._public_url = public_url
        self._can_sign_in = can_sign_in
        self._now = now

    def set_up(self, app: Flask) -> None:
        """Have the templates of an application know what all pages use."""
        app.jinja_env.undefined = StrictUndefined
        app.jinja_env.trim_blocks = app.jinja_env.lstrip_blocks = True
        app.jinja_env.globals |= {
            "asset": self._assets.url,
            "counted": counted,
            "exact": exact,
            "links": self.links,
            "shown_size": shown_size,
            "software_version": __version__,
        }

    def render(
        self, template: str, *, status: int = 200, headers: Iterable[tuple[str, str]] = (), **values: Any
    ) -> Response:
        """Return a page.

        Args:
            template: name of its file.
            status: of the answer.
            headers: beside those that all pages have.
            values: for the template. It also knows `person`, `time_tag(seconds)`, and what `set_up` gives it.
        """
        now = self._now()
        text = render_template(
            template,
            notice=notice_of(request.args),
            person=self.person(),
            time_tag=lambda seconds: time_tag(seconds, now),
            **values,
        )
        return self._page(text.encode("utf-8", "replace"), status, headers)

    def person(self) -> Person:
        """Return who asks."""
        environ = request.environ
        visitor: Visitor | None = environ.get(VISITOR)
        if visitor is not None and visitor.is_known:
            return Person(
                visitor.caller.name,
                publishes=visitor.publishes_somewhere,
                administers=visitor.administers,
                signed_in=is_signed_in(environ),
            )
        back = self.links.here(environ) if request.method == "GET" else None
        return Person(
            "",
            publishes=visitor is not None and visitor.publishes_somewhere,
            administers=visitor is not None and visitor.administers,
            sign_in=self.links.page(SIGN_IN, next=back) if self._can_sign_in() else "",
        )

    def repository_url(self, repository: str) -> str:
        """Return what `helm repo add` is told for a repository."""
        return "/".join(filter(None, (self.base_url(), repository)))

    def oci_url(self, repository: str, chart: str = "") -> str:
        """Return what `helm pull` is told for a chart, or `helm push` for a repository, without a tag."""
        host = self.origin().partition("://")[2]
        return "/".join(filter(None, (f"oci://{host}", self._oci_prefix.strip("/"), repository, chart)))

    def base_url(self) -> str:
        """Return the address of this server with the context path."""
        return self._public_url or f"{self.origin()}{self._context_path}"

    def origin(self) -> str:
        """Return scheme and host by which the caller reached this server."""
        return self._addresses.origin(request.environ) or f"{request.scheme}://charts.example.com"

    @staticmethod
    def _page(data: bytes, status: int, headers: Iterable[tuple[str, str]]) -> Response:
        # A page is for whoever asks: what it shows, and whether there is anything at all, goes by rights.
        all_headers = [
            ("Cache-Control", "private, no-cache"),
            ("Vary", "Accept-Encoding, Cookie, Authorization"),
            ("Content-Security-Policy", POLICY),
            *headers,
        ]
        if len(data) > _WORTH_ZIPPING and request.accept_encodings.quality("gzip") > 0:
            data = gzip.compress(data, _FAST, mtime=0)
            all_headers.append(("Content-Encoding", "gzip"))
        return Response(data, status, all_headers, mimetype="text/html")
