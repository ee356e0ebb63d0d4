"""A dry run: it says what an upload says, word for word, and leaves nothing behind."""

import sqlite3
from collections.abc import Callable, Mapping
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any, Final

import bcrypt
import pytest
from werkzeug.test import TestResponse

from storage.base import NoSpace, Unavailable
from storage.memory import MemoryStorage
from tests.http.test_permissions import signed, write_rules
from tests.support import signing
from tests.support.packages import package
from tests.support.repositories import Shop, provenance
from tests.support.site import Site

WEB: Final = package("web", appVersion="7", description="Serves pages.")
OTHER: Final = package("web", appVersion="8")
PRERELEASE: Final = package("web", "v1.0.0-rc")
ADA: Final = signing.key()
POLICIES: Final = """\
policies:
  - {on: ["team/**"], since: 2020-01-01, versions: [stable-only, no-leading-v], required: [icon]}
  - {on: ["final/**"], since: 2020-01-01, immutable: true}
  - {on: ["signed/**"], since: 2020-01-01, provenance: require, keyrings: [ada.asc]}
  - {on: ["checked/**"], since: 2020-01-01, provenance: verify, keyrings: [ada.asc], required: [icon]}
  - {on: ["later/**"], since: 2024-01-01, provenance: require, keyrings: [ada.asc]}
"""
RULES: Final[list[tuple[list[str], list[str], list[str]]]] = [
    (["user:ada"], ["read", "publish"], ["**"]),
    (["user:grace"], ["read"], ["**"]),
    (["user:grace"], ["publish"], ["team/db"]),
    (["user:blind"], ["publish"], ["team/db"]),
]
Prepare = Callable[[Shop], None]


def nothing(_: Shop) -> None:
    """The repository is empty."""


def there(repository: str = "", data: bytes = WEB) -> Prepare:
    """The package is there."""
    return lambda shop: void(shop.publish(data, repository=repository))


def void(_: object) -> None:
    pass


def lies(repository: str, data: bytes, *others: tuple[str, bytes], file: str = "web-1.0.0.tgz") -> Prepare:
    """Somebody has put the package into the storage by hand, or died after that."""

    def prepare(shop: Shop) -> None:
        prefix = f"{repository}/" if repository else ""
        shop.put(f"{prefix}{file}", data)
        for name, content in others:
            shop.put(f"{prefix}{name}", content)

    return prepare


def deleted(repository: str) -> Prepare:
    def prepare(shop: Shop) -> None:
        shop.publish(WEB, repository=repository)
        shop.repositories.delete(repository, "web", "1.0.0")

    return prepare


def before_the_policy(shop: Shop) -> None:
    """It is there, unsigned, and a policy that requires signatures holds since."""
    shop.publish(OTHER, repository="later")
    shop.clock.now = 1_800_000_000


def set_aside(shop: Shop) -> None:
    shop.put("web-1.0.0.tgz", b"no package")
    shop.repositories.refresh("", "web-1.0.0.tgz")


@dataclass(frozen=True)
class Case:
    """An upload.

    Attributes:
        prepare: what is there before.
        data: the package.
        prov: its provenance; None where it is sent as the body.
        repository: where to.
        query: of the address.
        by: who sends it.
        settings: of the server.
        outcome: what a dry run says would come of it; empty where it would be refused.
        safe: whether the storage keeps writers apart.
    """

    prepare: Prepare = nothing
    data: bytes = WEB
    prov: bytes | None = None
    repository: str = ""
    query: tuple[str, ...] = ()
    by: str = "admin"
    settings: Mapping[str, Any] = field(default_factory=dict)
    outcome: str = ""
    safe: bool = True


PROV: Final = signed(WEB, "web")
BY_ADA: Final = signing.provenance(ADA, WEB, "web")
CASES: Final[dict[str, Case]] = {
    # ---- what is taken
    "new": Case(outcome="created"),
    "new with provenance": Case(prov=PROV, outcome="created"),
    "deep": Case(repository="a/b/c", outcome="created"),
    "replaced": Case(there(data=OTHER), query=("force",), outcome="replaced"),
    "replaced always": Case(there(data=OTHER), settings={"allow_overwrite": "always"}, outcome="replaced"),
    "unchanged": Case(there(), query=("force",), outcome="unchanged"),
    "after a death": Case(lies("", WEB), outcome="created"),
    "after a death, with what was sent then": Case(
        lies("", WEB, ("web-1.0.0.tgz.prov", PROV)), prov=PROV, outcome="created"
    ),
    "instead of what is set aside": Case(set_aside, query=("force",), outcome="replaced"),
    "gone by hand": Case(
        lambda shop: (shop.publish(WEB), void(shop.inner.delete("web-1.0.0.tgz")))[1], data=OTHER, outcome="created"
    ),
    "withheld": Case(repository="signed", outcome="withheld"),
    "withheld, sent again": Case(there("signed"), repository="signed", outcome="withheld"),
    "signed": Case(repository="signed", prov=BY_ADA, outcome="created"),
    "signed at last": Case(there("signed"), repository="signed", prov=BY_ADA, outcome="created"),
    "signed before": Case(
        lambda shop: void(shop.repositories.publish_provenance("signed", BY_ADA)),
        repository="signed",
        outcome="created",
    ),
    "by who may publish": Case(by="ada", outcome="created"),
    # ---- what is refused
    "no package": Case(data=b"no package"),
    "an empty body": Case(data=b""),
    "several rules": Case(data=package("web", "1.2.3.4", apiVersion="v3")),
    "a name that is no name": Case(repository="Te am"),
    "reserved": Case(repository="v2"),
    "policies": Case(data=PRERELEASE, repository="team"),
    "no provenance at all": Case(prov=b"nothing of the kind"),
    "provenance of others": Case(prov=signed(OTHER, "web")),
    "provenance by nobody known": Case(prov=provenance(WEB, "web-1.0.0.tgz", name="web"), repository="checked"),
    "there": Case(there()),
    "there, in a form": Case(there(), prov=PROV),
    "there, as another": Case(there(data=OTHER)),
    "there, never replaced": Case(there(), query=("force",), settings={"allow_overwrite": "never"}),
    "there, unseen by the catalog": Case(lies("", OTHER)),
    "set aside": Case(set_aside),
    "set aside, never replaced": Case(set_aside, settings={"allow_overwrite": "never"}),
    "another provenance after a death": Case(lies("", WEB, ("web-1.0.0.tgz.prov", PROV)), prov=PROV + b"\n"),
    "immutable": Case(there("final"), repository="final", query=("force",)),
    "immutable, without force": Case(there("final"), repository="final"),
    "deleted for good": Case(deleted("final"), repository="final"),
    "another chart of that file name": Case(
        there(data=package("a-1", "2.0.0")), data=package("a", "1-2.0.0"), query=("force",)
    ),
    "it would be unseen": Case(before_the_policy, repository="later", query=("force",)),
    "a store that keeps nobody apart": Case(safe=False),
    "no right": Case(by="grace"),
    "no right to this chart": Case(repository="team", by="grace"),
    "no right, and nothing to read": Case(repository="team", by="blind"),
    "nobody": Case(by=""),
    "no right to replace": Case(there(), by="ada", query=("force",)),
    "no right to replace, and none wanted": Case(there(), by="ada"),
    "too large": Case(settings={"max_upload_size": 100}),
}
SEVERAL: Final = Case(
    there("checked", package("web", icon="https://example.com/icon.svg")),
    repository="checked",
    prov=signed(OTHER, "web"),
)


def opened(shop: Shop, case: Case) -> Site:
    """A site on which a case can be tried."""
    (shop.folder / "ada.asc").write_bytes(signing.public(ADA))
    hashed = bcrypt.hashpw(b"secret", bcrypt.gensalt(4)).decode()
    (shop.folder / "users").write_text("".join(f"{name}:{hashed}\n" for name in ("ada", "grace", "blind")))
    write_rules(shop.folder / "rules.yaml", RULES)
    shop.police(POLICIES)
    case.prepare(shop)
    shop.writes_are_safe = case.safe
    return Site(
        shop,
        admin_password="secret",
        htpasswd=shop.folder / "users",
        permissions=shop.folder / "rules.yaml",
        **case.settings,
    )


def sent(site: Site, case: Case, *, dry: bool) -> TestResponse:
    caller = site.by(case.by, "secret") if case.by else site
    query = "&".join((*case.query, *(("dry_run",) if dry else ())))
    path = f"/api/{case.repository}{'/' if case.repository else ''}charts{'?' if query else ''}{query}"
    if case.prov is None:
        return caller.upload(case.data, path)
    return caller.send_form(path, chart=case.data, prov=case.prov)


def all_there_is(shop: Shop) -> tuple[object, ...]:
    """Everything in the storage, in the server's own state, and in the tables of the catalog."""
    assert isinstance(shop.inner, MemoryStorage)
    assert isinstance(shop.state, MemoryStorage)
    with sqlite3.connect(shop.folder / "catalog.sqlite") as database:
        tables = [name for (name,) in database.execute("SELECT name FROM sqlite_master WHERE type = 'table'")]
        rows = {name: sorted(map(repr, database.execute(f'SELECT * FROM "{name}"'))) for name in sorted(tables)}
    return tuple(sorted((info.key, info.state) for info in place.list("")) for place in (shop.inner, shop.state)), rows


@pytest.mark.parametrize("name", CASES)
def test_a_dry_run_says_what_an_upload_says_and_writes_nothing(shop: Shop, name: str) -> None:
    case = CASES[name]
    site = opened(shop, case)
    before, lines = all_there_is(shop), list(site.spool.lines())

    dry = sent(site, case, dry=True)

    assert all_there_is(shop) == before
    assert site.ledger.uploads == []
    recorded = list(site.spool.lines()) != lines
    assert recorded == (case.safe and dry.status_code in {401, 403, 404})  # what the caller may not do at all
    real = sent(site, case, dry=False)
    said, told = dry.get_json(), real.get_json()
    if case.outcome:
        assert (dry.status_code, said["outcome"]) == (200, case.outcome)
        assert real.status_code == (202 if case.outcome == "withheld" else 201)
        assert said.get("withheld") == told.get("withheld")
        assert site.ledger.uploads == ["replaced" if case.outcome in {"replaced", "unchanged"} else "created"]
    else:
        problems = said.pop("problems", None)
        assert (dry.status_code, said) == (real.status_code, told)
        assert real.status_code >= 400
        if problems is not None:
            assert "; ".join(problems).startswith(told.get("detail", told["error"]))
        else:  # who asks, or where to, is refused before the package is looked at
            assert case.by != "admin" or case.repository in {"Te am", "v2"} or "max_upload_size" in case.settings


def test_it_says_what_would_be_published(shop: Shop) -> None:
    site = opened(shop, Case())
    said = sent(site, Case(repository="app"), dry=True).get_json()
    digest = sent(site, Case(repository="app"), dry=False)
    assert digest.status_code == 201
    entry = site.by("admin", "secret").get("/api/app/charts/web/1.0.0").get_json()
    assert said == {
        "dry_run": True,
        "outcome": "created",
        "repository": "app",
        "name": "web",
        "version": "1.0.0",
        "app_version": "7",
        "description": "Serves pages.",
        "digest": f"sha256:{entry['digest']}",
        "size": len(WEB),
        "missing_dependencies": [],
    }


def test_what_helm_would_refuse_to_install_is_told_and_taken(shop: Shop) -> None:
    site = opened(shop, Case())
    needy = package("web", dependencies=[{"name": "redis", "version": "1.x", "repository": "https://example.com"}])
    said = site.by("admin", "secret").upload(needy, "/api/app/charts?dry_run").get_json()
    assert (said["outcome"], said["missing_dependencies"]) == ("created", ["redis"])


def test_it_tells_of_all_that_is_wrong_at_once(shop: Shop) -> None:
    answer = sent(opened(shop, SEVERAL), SEVERAL, dry=True)
    said = answer.get_json()
    assert answer.status_code == 400
    assert said["error"] == 'Chart.yaml: icon is missing: write it (policy 4, on "checked/**", of policies.yaml)'
    assert len(said["problems"]) == 3
    assert "icon is missing" in said["problems"][0]
    assert "sha256" in said["problems"][1]
    assert said["problems"][2] == "web-1.0.0.tgz already exists"


@pytest.mark.parametrize("operation", ["open", "stat"])
@pytest.mark.parametrize("error", [Unavailable("the storage does not answer"), NoSpace("it is full")])
def test_a_storage_that_fails_is_told_as_by_an_upload(shop: Shop, operation: Any, error: Unavailable | NoSpace) -> None:
    case = Case(there(data=OTHER))
    site = opened(shop, case)
    before = all_there_is(shop)
    shop.storage.fail(operation, error, times=None)

    dry = sent(site, case, dry=True)
    real = sent(site, case, dry=False)

    shop.storage.heal()
    assert all_there_is(shop) == before
    assert dry.status_code == real.status_code
    assert dry.get_json()["error"] == real.get_json()["error"]


def test_what_is_refused_anyway_is_so_where_the_storage_fails(shop: Shop) -> None:
    case = Case(data=PRERELEASE, repository="team")
    site = opened(shop, case)
    shop.storage.fail("open", Unavailable("the storage does not answer"), times=None)

    assert sent(site, case, dry=True).get_json()["error"] == sent(site, case, dry=False).get_json()["error"]


def test_a_storage_is_not_written_to_by_a_dry_run(shop: Shop) -> None:
    for name, case in CASES.items():
        if not case.outcome:
            continue
        other = Shop(_folder(shop.folder / name.replace(" ", "-")))
        other.build()
        site = opened(other, case)
        other.storage.calls.clear()
        assert sent(site, case, dry=True).status_code == 200
        assert {call.operation for call in other.storage.calls} <= {"open", "stat"}, name


def _folder(path: Path) -> Path:
    path.mkdir()
    return path


def test_a_dry_run_waits_for_nobody_who_publishes(shop: Shop) -> None:
    site = opened(shop, Case())
    with shop.catalog.exclusive("", "web-1.0.0.tgz"):
        assert sent(site, Case(), dry=True).status_code == 200


def test_a_dry_run_of_a_provenance_file_is_refused_and_not_done(shop: Shop) -> None:
    site = opened(shop, Case(there()))
    before = all_there_is(shop)
    admin = site.by("admin", "secret")
    for answer in (
        admin.upload(PROV, "/api/prov?dry_run"),
        admin.send_form("/api/charts?dry_run", prov=PROV),
        admin.send_form("/api/charts?dry_run", other=PROV),
    ):
        assert (answer.status_code, "a dry run is of a package" in answer.get_json()["error"]) == (400, True)
    assert all_there_is(shop) == before


def test_what_is_accepted_in_a_dry_run_is_not_remembered(shop: Shop) -> None:
    case = CASES["signed"]
    site = opened(shop, case)
    assert sent(site, case, dry=True).get_json()["outcome"] == "created"
    assert list(shop.state.list("accepted/")) == []
    assert sent(site, case, dry=False).status_code == 201
    assert list(shop.state.list("accepted/")) != []
