"""The whole WSGI application over a `Shop`, and a client that asks it without a socket."""

import base64
import io
from collections.abc import Mapping
from copy import copy
from dataclasses import dataclass, field, replace
from pathlib import Path
from typing import Any

from werkzeug.test import Client, TestResponse

from chartrepo import assembly
from chartrepo.access import SigningKeys
from chartrepo.audit import Audit, Journal, Records, Spool, Unaudited
from chartrepo.catalog import PullView
from chartrepo.configuration import load
from chartrepo.http.app import Services, create_app
from chartrepo.icons import Icons, KeptIcons, PublicWeb
from chartrepo.metrics import Unmeasured, UploadResult
from chartrepo.pulls import Counting, Gathering, Uncounted
from chartrepo.pulls import Ledger as PullLedger
from chartrepo.repository import Overwrite
from chartrepo.sync import Report, sync_now
from tests.support import documented
from tests.support.repositories import Shop

Headers = Mapping[str, str]

OPEN: dict[str, Any] = {"open_writes": True}
CREDENTIALS = {"basic_auth_user", "admin_password", "htpasswd", "permissions", "bearer_auth"}
GROUND = assembly.Ground("the storage", "tests", conditional_writes=True, writes_are_safe=True)


@dataclass
class Line:
    """A line of the access log."""

    method: str
    path: str
    status: int
    size: int
    agent: str
    request: str


@dataclass
class Ledger(Unmeasured):
    """Remembers what the metrics are told."""

    requests: list[tuple[str | None, str, int]] = field(default_factory=list)
    uploads: list[str] = field(default_factory=list)
    lost: int = 0

    def request(self, route: str | None, method: str, status: int, seconds: float) -> None:
        self.requests.append((route, method, status))

    def upload(self, result: UploadResult) -> None:
        self.uploads.append(result)

    def audit_lost(self) -> None:
        self.lost += 1


class Site:
    """A server without a socket, read by everybody and written to by programs of this machine unless told otherwise.

    Attributes:
        shop: what it works with.
        app: the WSGI application.
        ledger: what the metrics were told.
        lines: the access log.
        spool: where audit records wait.
        gathering: takes counts of pulls to where they are shown.
    """

    def __init__(self, shop: Shop, *, web: PublicWeb | None = None, **settings: Any) -> None:
        self.shop = shop
        defaults = load({}, {}, Path.read_text).settings
        changes = settings if settings.keys() & CREDENTIALS else {**OPEN, **settings}
        self.settings = replace(defaults, state_dir=shop.folder, **changes)
        shop.overwrite = Overwrite(self.settings.allow_overwrite)
        self.ledger = Ledger()
        self.lines: list[Line] = []
        self.spool = Spool(shop.folder / "audit-spool")
        counts, view = shop.folder / "pull-counts", PullView(shop.folder / "pull-counts")
        pulls = PullLedger(shop.state)
        self.gathering = Gathering(counts, pulls, view, own=pulls, is_there=lambda _: True)
        uploads = shop.folder / "uploads"
        uploads.mkdir(exist_ok=True)
        registry = assembly.registry(self.settings, GROUND, shop.repositories, shop.state)
        repositories = replace(shop.repositories, companion=registry.manifests)

        def sync() -> Report:
            return sync_now(repositories, self.ledger)

        self.app = create_app(
            self.settings,
            Services(
                repositories=repositories,
                registry=registry,
                indexes=assembly.indexes(self.settings, shop.catalog, metrics=self.ledger),
                sync=sync,
                uploads=uploads,
                metrics=self.ledger,
                access=self._log,
                public_url=assembly.public_url(self.settings),
                directory=assembly.directory(self.settings, shop.state, SigningKeys((shop.state,))),
                audit=Audit(self.spool, lost=self.ledger.audit_lost, clock=shop.clock)
                if self.settings.audit
                else Unaudited(),
                records=Records(Journal(shop.state), self.spool, now=shop.clock) if self.settings.audit else None,
                standing=assembly.standing(self.settings, GROUND, self.ledger),
                counting=Counting(counts, clock=shop.clock) if self.settings.pulls else Uncounted(),
                pulls=view if self.settings.pulls else None,
                icons=Icons(KeptIcons(shop.folder / "icons"), web),
            ),
        )
        self._client = Client(self.app, use_cookies=False)
        self.always: dict[str, str] = {}

    def by(self, user: str, password: str) -> "Site":
        """The same site, as a user asks it."""
        there = copy(self)
        there.always = {"Authorization": f"Basic {base64.b64encode(f'{user}:{password}'.encode()).decode()}"}
        return there

    def bearing(self, text: str) -> "Site":
        """The same site, as who has a token asks it."""
        there = copy(self)
        there.always = {"Authorization": f"Bearer {text}"}
        return there

    def _log(
        self, *, method: str, path: str, status: int, size: int, seconds: float, client: str, agent: str, request: str
    ) -> None:
        self.lines.append(Line(method, path, status, size, agent, request))

    def ask(self, method: str, path: str, *, headers: Headers | None = None, **options: Any) -> TestResponse:
        """Send one request, and read its answer to the end. It has to be one that the API's document knows."""
        response = self._client.open(path, method=method, headers={**self.always, **(headers or {})}, **options)
        response.get_data()
        response.close()
        documented.check(self.ledger.requests[-1][0], method, response)
        return response

    def get(self, path: str, **headers: str) -> TestResponse:
        """GET, with headers given as `If_None_Match="..."`."""
        return self.ask("GET", path, headers={name.replace("_", "-"): value for name, value in headers.items()})

    def head(self, path: str, **headers: str) -> TestResponse:
        return self.ask("HEAD", path, headers={name.replace("_", "-"): value for name, value in headers.items()})

    def delete(self, path: str) -> TestResponse:
        return self.ask("DELETE", path)

    def upload(self, data: bytes, path: str = "/api/charts", *, headers: Headers | None = None) -> TestResponse:
        """POST raw bytes."""
        return self.ask("POST", path, data=data, headers=headers)

    def send_form(self, path: str = "/api/charts", **fields: bytes | str) -> TestResponse:
        """POST a form: bytes become files, whose names are full paths as cm-push sends them."""
        parts = {
            name: (io.BytesIO(value), f"/home/me/{name}.tgz") if isinstance(value, bytes) else value
            for name, value in fields.items()
        }
        return self.ask("POST", path, data=parts, content_type="multipart/form-data")
