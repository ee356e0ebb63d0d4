"""What rules say holds for every caller, every chart and every protocol: the cells of one large table, each tried.

What a cell should be is worked out here from the rules by a few lines that share nothing with the server.
"""

import gzip
import ipaddress
import itertools
import logging
import re
from collections.abc import Callable, Iterator
from fnmatch import fnmatchcase
from pathlib import Path
from typing import Any, Final

import bcrypt
import pytest
import yaml

from chartrepo import layout
from chartrepo.core.tokens import Token, compose, digest
from storage.base import ABSENT
from tests.support.forms import send, submit
from tests.support.issuers import AUDIENCE, GITHUB, WORKFLOW, Issuer, Key, key_set
from tests.support.oci_contents import digest_of
from tests.support.packages import package
from tests.support.pushes import manifest_of, push, put_manifest
from tests.support.repositories import Shop, provenance
from tests.support.site import Site

PASSWORD: Final = "pässword"
RULES: Final[list[tuple[list[str], list[str], list[str]]]] = [
    (["anonymous"], ["read"], ["public/**"]),
    (["user:reader"], ["read"], ["team/**"]),
    (["user:writer"], ["read", "publish"], ["team/*"]),
    (["group:platform"], ["read", "publish", "overwrite", "delete"], ["team/**"]),
    (["user:blind"], ["publish"], ["team/web"]),
    (["user:narrow"], ["read"], ["team/web"]),
    (["user:sweeper"], ["read", "delete"], ["**/web"]),
    (["authenticated"], ["read"], ["shared/web"]),
    (["token:ci"], ["delete"], ["team/*"]),
    ([f"github:{WORKFLOW}"], ["read", "publish"], ["team/web"]),
    (["{issuer: github, environment: production, repository: acme/web}"], ["overwrite"], ["team/*"]),
    (["sso:ada", "group:sso:web"], ["read", "delete"], ["team/**"]),
]
TEXT: Final = compose("0123456789", "abcdefghijABCDEFGHIJ0123456789")
"""Of the token ci."""
ALLOW: Final = ("read:team/**", "publish:team/*")
"""What it may do by itself."""
PROXIES: Final = (ipaddress.ip_network("10.0.0.0/8"),)
GROUPS: Final = {"platform": ["lead"]}
USERS: Final = ("reader", "writer", "lead", "blind", "narrow", "sweeper", "stranger")
TOKENS: Final = ("token as Bearer", "token as password")
ISSUERS: Final = {name: Issuer(f"https://{name}.example", Key(name)) for name in ("github", "sso")}
IDENTITIES: Final[dict[str, tuple[str, dict[str, Any], set[str]]]] = {
    "workflow": ("github", {**GITHUB}, {RULES[-3][0][0], RULES[-2][0][0]}),
    "workflow of others": ("github", {**GITHUB, "repository": "evil/web", "repository_owner": "evil"}, set()),
    "sso user": ("sso", {"sub": "ada"}, {"authenticated", "sso:ada"}),
    "sso member": ("sso", {"sub": "lead", "groups": ["web", "platform"]}, {"authenticated", "group:sso:web"}),
}
"""What an issuer says of callers, and what rules call them: none is a user, or in a group, of the same name."""
BROUGHT: Final = {
    "workflow as password": "workflow",
    "workflow exchanged": "workflow",
    **{f"{name} as Bearer": name for name in IDENTITIES},
}
CALLERS: Final = ("anonymous", *USERS, *TOKENS, *BROUGHT, "admin")
CHARTS: Final = (
    ("", "web"),
    ("public", "web"),
    ("team", "web"),
    ("team", "secret"),
    ("team/deep", "web"),
    ("shared", "web"),
)
ACTIONS: Final = ("read", "publish", "overwrite", "delete")


def may(caller: str, action: str, repository: str, chart: str) -> bool:
    """Whether the rules let a caller do this."""
    if caller == "admin":
        return True
    name = "token:ci" if caller in TOKENS else f"user:{caller}"
    names = {"anonymous"} if caller == "anonymous" else {"anonymous", "authenticated", name}
    if caller in BROUGHT:
        names = {"anonymous", *IDENTITIES[BROUGHT[caller]][2]}
    own = [([name], [each.partition(":")[0]], [each.partition(":")[2]]) for each in ALLOW if caller in TOKENS]
    names |= {f"group:{group}" for group, users in GROUPS.items() if caller in users}
    path = f"{repository}/{chart}".strip("/")
    return any(
        names & set(who) and action in what and any(_matches(pattern, path) for pattern in on)
        for who, what, on in [*RULES, *own]
    )


def _matches(pattern: str, path: str) -> bool:
    if pattern.startswith("**/"):
        return path.rpartition("/")[2] == pattern[3:]
    if pattern.endswith("/**"):
        return path.startswith(pattern[:-2])
    return path.count("/") == pattern.count("/") and fnmatchcase(path, pattern)


@pytest.fixture(scope="module")
def guarded(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Site]:
    """A server with all charts in version 1.0.0, each with its provenance, and these users and rules."""
    folder = tmp_path_factory.mktemp("guarded")
    shop = Shop(folder)
    shop.build()
    for repository, chart in CHARTS:
        data = package(chart, home=f"https://{repository or 'root'}.example")
        shop.publish(data, signed(data, chart), repository=repository)
    hashed = bcrypt.hashpw(PASSWORD.encode(), bcrypt.gensalt(4)).decode()
    (folder / "users").write_text("".join(f"{user}:{hashed}\n" for user in USERS))
    for name, issuer in ISSUERS.items():
        (folder / f"{name}.json").write_bytes(key_set(issuer.key))
    write_rules(folder / "rules.yaml", RULES, issuers=True)
    token = Token("0123456789", "ci", digest(TEXT), ALLOW, 1_700_000_000, None, "tests")
    shop.state.put(layout.token_key(token.id), token.to_json(), condition=ABSENT)
    yield Site(shop, admin_password=PASSWORD, htpasswd=folder / "users", permissions=folder / "rules.yaml")
    shop.close()


def write_rules(path: Path, rules: list[tuple[list[str], list[str], list[str]]], *, issuers: bool = False) -> None:
    """Write a file of rules, with groups, and with issuers whose keys lie beside it."""
    listed = [
        {"who": [yaml.safe_load(each) if each.startswith("{") else each for each in who], "may": what, "on": on}
        for who, what, on in rules
    ]
    table = {
        name: {"issuer": issuer.url, "jwks_file": f"{name}.json", "audience": AUDIENCE}
        for name, issuer in ISSUERS.items()
    }
    table["sso"] |= {"groups": "groups", "authenticated": True}
    path.write_text(yaml.safe_dump({"permissions": listed, "groups": GROUPS, "issuers": table if issuers else {}}))


def signed(data: bytes, chart: str, version: str = "1.0.0") -> bytes:
    """The provenance of a package."""
    return provenance(data, f"{chart}-{version}.tgz", name=chart, version=version)


def by(site: Site, caller: str) -> Site:
    """A site as a caller asks it."""
    if caller in TOKENS:
        return site.bearing(TEXT) if caller == TOKENS[0] else site.by("whoever", TEXT)
    if caller in BROUGHT:
        issuer, claims, _ = IDENTITIES[BROUGHT[caller]]
        text = ISSUERS[issuer].token(claims)
        if caller.endswith("password"):
            return site.by("whoever", text)
        if caller.endswith("exchanged"):
            text = site.bearing(text).ask("POST", "/api/token").get_json()["token"]
        return site.bearing(text)
    return site if caller == "anonymous" else site.by(caller, PASSWORD)


def refused(caller: str, action: str, repository: str, chart: str) -> int:
    """The status that a caller gets who may not do something."""
    if caller == "anonymous":
        return 401
    return 403 if action != "read" and may(caller, "read", repository, chart) else 404


# ---- reading one chart

_READS: Final[dict[str, Callable[[str, str, bytes], str]]] = {
    "package": lambda repository, chart, _: f"{_at(repository)}/charts/{chart}-1.0.0.tgz",
    "provenance": lambda repository, chart, _: f"{_at(repository)}/charts/{chart}-1.0.0.tgz.prov",
    "versions": lambda repository, chart, _: f"/api{_at(repository)}/charts/{chart}",
    "version": lambda repository, chart, _: f"/api{_at(repository)}/charts/{chart}/1.0.0",
    "values": lambda repository, chart, _: f"/api{_at(repository)}/charts/{chart}/1.0.0/values",
    "templates": lambda repository, chart, _: f"/api{_at(repository)}/charts/{chart}/1.0.0/templates",
    "manifest": lambda repository, chart, _: f"/v2{_at(repository)}/{chart}/manifests/1.0.0",
    "blob": lambda repository, chart, data: f"/v2{_at(repository)}/{chart}/blobs/{digest_of(data)}",
    "tags": lambda repository, chart, _: f"/v2{_at(repository)}/{chart}/tags/list",
}


def _at(repository: str) -> str:
    return f"/{repository}" if repository else ""


@pytest.mark.parametrize("what", _READS)
@pytest.mark.parametrize("caller", CALLERS)
def test_a_chart_is_read_by_whom_the_rules_let(guarded: Site, caller: str, what: str) -> None:
    site = by(guarded, caller)
    methods = ("GET",) if what == "tags" else ("GET", "HEAD", "GET")
    for (repository, chart), method in itertools.product(CHARTS, methods):
        data = package(chart, home=f"https://{repository or 'root'}.example")
        answer = site.ask(method, _READS[what](repository, chart, data))
        expected = 200 if may(caller, "read", repository, chart) else refused(caller, "read", repository, chart)
        assert answer.status_code == expected, f"{method} {repository}/{chart}"


@pytest.mark.parametrize("what", _READS)
@pytest.mark.parametrize("caller", CALLERS)
def test_what_may_not_be_read_is_answered_as_what_is_not_there(guarded: Site, caller: str, what: str) -> None:
    site = by(guarded, caller)
    for repository, chart in CHARTS:
        if may(caller, "read", repository, chart):
            continue
        there = site.get(
            _READS[what](repository, chart, package(chart, home=f"https://{repository or 'root'}.example"))
        )
        gone = site.get(_READS[what](repository, "nothing", b"nothing"))
        if may(caller, "read", repository, "nothing"):
            continue  # the rules tell the two apart
        shown, other = (
            answer.get_data(as_text=True).replace(name, "NAME").replace(digest_of(data), "DIGEST")
            for answer, name, data in (
                (there, chart, package(chart, home=f"https://{repository or 'root'}.example")),
                (gone, "nothing", b"nothing"),
            )
        )
        assert (there.status_code, shown) == (gone.status_code, other), f"{repository}/{chart}"


# ---- lists


@pytest.mark.parametrize("caller", CALLERS)
def test_lists_hold_what_may_be_read_and_nothing_else(guarded: Site, caller: str) -> None:
    site = by(guarded, caller)
    for repository in sorted({repository for repository, _ in CHARTS}):
        readable = sorted(name for place, name in CHARTS if place == repository and may(caller, "read", place, name))
        for agent in ("Helm/3.17.3", "curl"):
            for _ in range(2):
                index = site.ask("GET", f"{_at(repository)}/index.yaml", headers={"User-Agent": agent})
                if not readable and caller == "anonymous":
                    assert index.status_code == 401
                    continue
                assert index.status_code == 200
                assert sorted(yaml.safe_load(index.data)["entries"]) == readable
        listed = site.get(f"/api{_at(repository)}/charts")
        assert listed.status_code == (200 if readable or caller != "anonymous" else 401)
        if listed.status_code == 200:
            assert sorted(listed.get_json()) == readable

    if caller == "anonymous":  # clients of registries send a credential only when they are asked for one
        assert site.get("/v2/_catalog").status_code == 401
        site = site.bearing(site.get("/v2/token").get_json()["token"])
    named = site.get("/v2/_catalog").get_json()["repositories"]
    assert named == sorted(f"{place}/{name}".strip("/") for place, name in CHARTS if may(caller, "read", place, name))
    sums = {
        each["name"]: (each["charts"], each["versions"])
        for each in site.get("/api/repositories").get_json()["repositories"]
    }
    assert {name: charts for name, (charts, _) in sums.items()} == {
        repository: count
        for repository in {place for place, _ in CHARTS}
        if (count := sum(may(caller, "read", place, name) for place, name in CHARTS if place == repository))
    }


@pytest.mark.parametrize("caller", CALLERS)
def test_audit_records_are_for_whom_they_are(guarded: Site, caller: str) -> None:
    refusal = 401 if caller == "anonymous" else 403
    assert by(guarded, caller).get("/api/audit").status_code == (200 if caller == "admin" else refusal)


@pytest.mark.parametrize("caller", CALLERS)
def test_metrics_and_sync_are_for_whom_they_are(guarded: Site, caller: str) -> None:
    site = by(guarded, caller)
    refusal = 401 if caller == "anonymous" else 404
    assert site.ask("POST", "/api/sync").status_code == (
        200 if caller == "admin" else 401 if caller == "anonymous" else 403
    )
    assert site.get("/metrics").status_code in ((200, 404) if caller == "admin" else (refusal,))


# ---- writing

_numbers = itertools.count(2)


def fresh() -> str:
    """A version that nobody has published."""
    return f"{next(_numbers)}.0.0"


def _post(site: Site, repository: str, chart: str, version: str, **changes: str) -> int:
    return site.upload(package(chart, version, **changes), f"/api{_at(repository)}/charts").status_code


def _post_form(site: Site, repository: str, chart: str, version: str) -> int:
    return site.send_form(f"/api{_at(repository)}/charts", chart=package(chart, version)).status_code


def _push(site: Site, repository: str, chart: str, version: str) -> int:
    name, data = f"{repository}/{chart}".strip("/"), package(chart, version)
    begun = site.ask("POST", f"/v2/{name}/blobs/uploads/?digest={digest_of(data)}", data=data)
    if begun.status_code != 201:
        return begun.status_code
    return push(site, name, data, version).status_code


@pytest.mark.parametrize("publish", [_post, _post_form, _push])
@pytest.mark.parametrize("caller", CALLERS)
def test_a_chart_is_published_by_whom_the_rules_let(
    guarded: Site, caller: str, publish: Callable[[Site, str, str, str], int]
) -> None:
    for repository, chart in CHARTS:
        version = fresh()
        status = publish(by(guarded, caller), repository, chart, version)
        if may(caller, "publish", repository, chart):
            assert status == 201
        elif publish is _push or caller == "anonymous":
            assert status == refused(caller, "publish", repository, chart)
        else:  # which chart it is shows only when the package was read, so that it is the repository that counts
            readable = any(may(caller, "read", repository, name) for _, name in CHARTS)
            assert status == refused(caller, "publish", repository, chart) or (status == 403 and readable)
        there = guarded.by("admin", PASSWORD).get(f"/api{_at(repository)}/charts/{chart}/{version}").status_code
        assert there == (200 if may(caller, "publish", repository, chart) else 404)


@pytest.mark.parametrize("caller", CALLERS)
def test_a_version_is_replaced_by_whom_the_rules_let(guarded: Site, caller: str) -> None:
    admin = guarded.by("admin", PASSWORD)
    for repository, chart in CHARTS:
        version = fresh()
        assert _post(admin, repository, chart, version) == 201
        answer = by(guarded, caller).upload(
            package(chart, version, appVersion="new"), f"/api{_at(repository)}/charts?force"
        )
        allowed = may(caller, "publish", repository, chart) and may(caller, "overwrite", repository, chart)
        assert (answer.status_code == 201) == allowed
        assert answer.status_code in {201, 401, 403, 404}
        entry = admin.get(f"/api{_at(repository)}/charts/{chart}/{version}").get_json()
        assert (entry.get("appVersion") == "new") == allowed


def test_a_push_replaces_nothing_without_the_right_even_where_overwriting_is_always(shop: Shop, tmp_path: Path) -> None:
    write_rules(tmp_path / "rules.yaml", [(["anonymous"], ["read", "publish"], ["**"])])
    site = Site(shop, admin_password="secret", permissions=tmp_path / "rules.yaml", allow_overwrite="always")
    assert push(site, "web", package("web"), "1.0.0").status_code == 201
    assert push(site, "web", package("web", appVersion="2"), "1.0.0").status_code == 409
    assert site.upload(package("web", appVersion="2")).status_code == 409
    assert push(site.by("admin", "secret"), "web", package("web", appVersion="2"), "1.0.0").status_code == 201


_DELETIONS: Final[dict[str, Callable[[str, str, str], str]]] = {
    "version": lambda repository, chart, version: f"/api{_at(repository)}/charts/{chart}/{version}",
    "tag": lambda repository, chart, version: f"/v2{_at(repository)}/{chart}/manifests/{version}",
}


@pytest.mark.parametrize("what", _DELETIONS)
@pytest.mark.parametrize("caller", CALLERS)
def test_a_version_is_deleted_by_whom_the_rules_let(guarded: Site, caller: str, what: str) -> None:
    admin = guarded.by("admin", PASSWORD)
    for repository, chart in CHARTS:
        version = fresh()
        assert _post(admin, repository, chart, version) == 201
        status = by(guarded, caller).delete(_DELETIONS[what](repository, chart, version)).status_code
        allowed = may(caller, "delete", repository, chart)
        assert status == ((200, 202)[what == "tag"] if allowed else refused(caller, "delete", repository, chart))
        there = admin.get(f"/api{_at(repository)}/charts/{chart}/{version}").status_code
        assert there == (404 if allowed else 200)


@pytest.mark.parametrize("caller", CALLERS)
def test_provenance_is_published_by_whom_the_rules_let(guarded: Site, caller: str) -> None:
    for repository, chart in CHARTS:
        version = fresh()
        data = signed(package(chart, version), chart, version)
        status = by(guarded, caller).upload(data, f"/api{_at(repository)}/prov").status_code
        assert (status == 201) == may(caller, "publish", repository, chart)
        assert status in {201, 401, 403, 404}


@pytest.mark.parametrize("caller", CALLERS)
def test_a_blob_is_mounted_from_where_the_caller_reads(guarded: Site, caller: str) -> None:
    site = by(guarded, caller)
    for (repository, chart), number in itertools.product(CHARTS, range(2)):
        name, data = f"{repository}/{chart}".strip("/"), package(chart, home=f"https://{repository or 'root'}.example")
        source = f"&from={name}" if number else ""
        target = f"team/{'web' if caller == 'blind' else f'mount-{next(_numbers)}'}"
        answer = site.ask("POST", f"/v2/{target}/blobs/uploads/?mount={digest_of(data)}{source}")
        if not may(caller, "publish", *target.split("/")):
            assert answer.status_code in {401, 403, 404}
        elif may(caller, "read", repository, chart):
            assert answer.status_code == 201
        else:
            assert answer.status_code == 202 or target == name


# ---- pages

_PAGES_OF_CHARTS: Final[dict[str, tuple[str, Callable[[str, str], str]]]] = {
    "delete a version": ("delete", lambda repository, chart: f"/ui/delete{_at(repository)}/{chart}@1.0.0"),
    "delete a chart": ("delete", lambda repository, chart: f"/ui/delete{_at(repository)}/{chart}"),
}


@pytest.mark.parametrize("what", _PAGES_OF_CHARTS)
@pytest.mark.parametrize("caller", CALLERS)
def test_a_page_that_changes_a_chart_is_for_whom_the_rules_let(guarded: Site, caller: str, what: str) -> None:
    site, (action, path) = by(guarded, caller), _PAGES_OF_CHARTS[what]
    for repository, chart in CHARTS:
        expected = 200 if may(caller, action, repository, chart) else refused(caller, action, repository, chart)
        assert site.get(path(repository, chart)).status_code == expected, f"{repository}/{chart}"


@pytest.mark.parametrize("caller", CALLERS)
def test_the_pages_of_repositories_hold_what_may_be_read_and_nothing_else(guarded: Site, caller: str) -> None:
    site = by(guarded, caller)
    for repository in sorted({repository for repository, _ in CHARTS}):
        readable = sorted(name for place, name in CHARTS if place == repository and may(caller, "read", place, name))
        answer = site.get(f"/ui/repositories/{repository}")
        assert answer.status_code in ((200,) if readable else (401,) if caller == "anonymous" else (200, 404))
        start = "/ui/charts/" + (f"{repository}/" if repository else "")
        shown = re.findall(rf'href="{start}([^"@/]+)"', answer.text)
        assert shown == (readable if answer.status_code == 200 else [])
        assert ("set aside" in answer.text.lower()) is False
    listed = re.findall(r'class="row-name"><a href="/ui/repositories/([^"]*)"', site.get("/ui/repositories").text)
    assert listed == sorted({place for place, name in CHARTS if may(caller, "read", place, name)})


@pytest.mark.parametrize("caller", CALLERS)
def test_the_page_that_publishes_is_for_whom_the_rules_let(guarded: Site, caller: str) -> None:
    site = by(guarded, caller)
    names = {name for _, name in CHARTS} | {"anything"}
    for repository in sorted({repository for repository, _ in CHARTS}):
        allowed = any(may(caller, "publish", repository, name) for name in names)
        status = site.get(f"/ui/publish/{repository}" if repository else "/ui/publish").status_code
        if repository:
            assert (status == 200) == allowed
        else:  # where to is said in the form
            assert (status == 200) == any(may(caller, "publish", place, name) for place, _ in CHARTS for name in names)
        assert status in {200, 401, 403, 404}


@pytest.mark.parametrize("caller", CALLERS)
def test_a_chart_is_published_and_deleted_in_a_browser_by_whom_the_rules_let(guarded: Site, caller: str) -> None:
    admin, site = guarded.by("admin", PASSWORD), by(guarded, caller)
    for repository, chart in CHARTS:
        version = fresh()
        place = f"/ui/publish/{repository}"
        status = send(site, place, chart=package(chart, version)).status_code
        allowed = may(caller, "publish", repository, chart)
        assert status == 201 if allowed else status in {401, 403, 404}
        entry = f"/api{_at(repository)}/charts/{chart}/{version}"
        assert admin.get(entry).status_code == (200 if allowed else 404)
        tried = site.upload(package(chart, version), f"/api{_at(repository)}/charts?dry_run").status_code
        assert tried == 409 if allowed else tried in {401, 403, 404}
        if not allowed:
            assert _post(admin, repository, chart, version) == 201
        status = submit(site, f"/ui/delete{_at(repository)}/{chart}@{version}", confirm=chart).status_code
        allowed = may(caller, "delete", repository, chart)
        assert status == (303 if allowed else refused(caller, "delete", repository, chart))
        assert admin.get(entry).status_code == (404 if allowed else 200)


@pytest.mark.parametrize("caller", CALLERS)
def test_the_status_is_for_whom_it_is(guarded: Site, caller: str) -> None:
    refusal = 401 if caller == "anonymous" else 403
    site = by(guarded, caller)
    assert site.get("/ui/status").status_code == (200 if caller == "admin" else refusal)
    assert submit(site, "/ui/status").status_code == (303 if caller == "admin" else refusal)


# ---- callers


def test_a_wrong_credential_is_refused_everywhere(guarded: Site) -> None:
    paths = ("/public/index.yaml", "/index.yaml", "/api/charts", "/v2/", "/v2/public/web/tags/list", "/metrics")
    for user, password in (("reader", "wrong"), ("nobody", PASSWORD), ("admin", ""), ("", PASSWORD)):
        site = guarded.by(user, password)
        for path in paths:
            address = {"REMOTE_ADDR": f"192.0.2.{next(_numbers) % 250}"}  # from one many failures are slowed
            assert site.ask("GET", path, environ_overrides=address).status_code == 401
        for path in ("/health", "/readyz", "/info", "/livez"):
            assert site.get(path).status_code == 200


def test_who_guesses_has_to_wait_and_locks_nobody_out(shop: Shop, tmp_path: Path) -> None:
    write_rules(tmp_path / "rules.yaml", [])
    site = Site(shop, admin_password="secret", permissions=tmp_path / "rules.yaml", trusted_proxies=PROXIES)

    def login(password: str, address: str) -> tuple[int, str | None]:
        behind = {"REMOTE_ADDR": "10.0.0.1", "HTTP_X_FORWARDED_FOR": address}
        answer = site.by("admin", password).ask("GET", "/index.yaml", environ_overrides=behind)
        return answer.status_code, answer.headers.get("Retry-After")

    assert login("secret", "192.0.2.1") == (200, None)
    assert [login(f"guess {number}", "192.0.2.2")[0] for number in range(12)] == [401] * 10 + [429] * 2
    status, wait = login("secret", "192.0.2.2")  # the right one is not looked at either
    assert status == 429
    assert 0 < int(wait or "") <= 6
    assert login("secret", "192.0.2.1") == (200, None)


def test_a_login_is_asked_for_where_everybody_may_read(guarded: Site) -> None:
    answer = guarded.get("/v2/")
    assert answer.status_code == 401
    assert len(answer.headers.getlist("WWW-Authenticate")) == 1
    assert guarded.by("stranger", PASSWORD).get("/v2/").status_code == 200


def test_what_is_kept_for_one_is_not_given_to_another(guarded: Site) -> None:
    paths = ["/team/charts/secret-1.0.0.tgz", "/team/index.yaml", "/v2/team/secret/manifests/1.0.0"]
    for path in paths:
        for _ in range(3):
            assert guarded.by("lead", PASSWORD).get(path).status_code == 200
            assert guarded.get(path).status_code == 401
            narrow = guarded.by("narrow", PASSWORD).get(path)
            assert (narrow.status_code, b"secret" in narrow.data) == (
                (200, False) if "index" in path else (404, "v2" in path)
            )


def test_a_body_is_not_read_of_whom_may_not_send_it(guarded: Site) -> None:
    data = b"x" * 1000
    for path in ("/api/team/charts", "/api/team/prov"):
        assert guarded.upload(data, path).status_code == 401
        assert guarded.by("reader", PASSWORD).upload(data, path).status_code == 403
        assert guarded.by("stranger", PASSWORD).upload(data, path).status_code == 404


def test_a_refusal_names_the_caller_and_the_action(guarded: Site) -> None:
    error = guarded.by("reader", PASSWORD).delete("/api/team/charts/web/1.0.0").get_json()["error"]
    assert "user:reader may not delete" in error
    manifest = manifest_of(package("web"))
    said = put_manifest(guarded.by("reader", PASSWORD), "team/web", manifest, "1.0.0").get_json()["errors"][0]
    assert said["code"] == "DENIED"
    assert "user:reader may not publish" in said["message"]


def test_changed_rules_hold_without_a_start_and_bad_ones_do_not(
    shop: Shop, tmp_path: Path, caplog: pytest.LogCaptureFixture, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr("chartrepo.watched._LOOKS", 0.0)
    rules = tmp_path / "rules.yaml"
    write_rules(rules, [])
    site = Site(shop, admin_password="secret", permissions=rules)
    shop.publish(package())
    assert site.get("/index.yaml").status_code == 401
    write_rules(rules, [(["anonymous"], ["read"], ["**"])])
    assert site.get("/index.yaml").status_code == 200
    rules.write_text("permissions: [")
    assert site.get("/index.yaml").status_code == 200
    assert "what was read last stays in force" in caplog.text
    rules.unlink()
    assert site.get("/index.yaml").status_code == 200
    write_rules(rules, [])
    assert site.get("/index.yaml").status_code == 401


def test_what_a_reader_of_some_charts_is_given_from_memory_is_still_right(shop: Shop, tmp_path: Path) -> None:
    write_rules(tmp_path / "rules.yaml", [(["anonymous"], ["read"], ["web*"])])
    site = Site(shop, admin_password="secret", permissions=tmp_path / "rules.yaml")
    admin = site.by("admin", "secret")
    for chart in ("web", "db"):
        shop.publish(package(chart))
    shop.clock.now += 10
    for _ in range(3):
        assert list(yaml.safe_load(site.get("/index.yaml").data)["entries"]) == ["web"]
        packed = site.ask("GET", "/index.yaml", headers={"Accept-Encoding": "gzip"})
        assert list(yaml.safe_load(gzip.decompress(packed.data))["entries"]) == ["web"]
        assert site.get("/charts/web-1.0.0.tgz").status_code == 200
        assert site.get("/charts/db-1.0.0.tgz").status_code == 401
        assert admin.get("/charts/db-1.0.0.tgz").status_code == 200
        assert list(yaml.safe_load(admin.get("/index.yaml").data)["entries"]) == ["db", "web"]
    shop.publish(package("web-2"))
    assert list(yaml.safe_load(site.get("/index.yaml").data)["entries"]) == ["web", "web-2"]
    assert site.get("/charts/db-1.0.0.tgz").status_code == 401
    admin.delete("/api/charts/web/1.0.0")
    assert site.get("/charts/web-1.0.0.tgz").status_code == 401
    assert list(yaml.safe_load(site.get("/index.yaml").data)["entries"]) == ["web-2"]


def test_an_index_of_some_charts_tells_nothing_of_the_others(shop: Shop, tmp_path: Path) -> None:
    write_rules(tmp_path / "rules.yaml", [(["user:admin"], ["read"], ["x"]), (["anonymous"], ["read"], ["**/web"])])
    site = Site(shop, admin_password="secret", permissions=tmp_path / "rules.yaml")
    shop.publish(package("web"), repository="team")

    def seen() -> list[object]:
        answers = [
            site.ask(
                "GET", f"/{repository}/index.yaml{query}", headers={"User-Agent": agent, "Accept-Encoding": coding}
            )
            for repository in ("team", "secret", "nowhere")
            for query in ("", "?versions=1", "?charts=*")
            for agent in ("Helm/3.17.3", "curl")
            for coding in ("gzip", "")
        ]
        assert all("Last-Modified" not in answer.headers for answer in answers)
        told: list[object] = [(answer.status_code, answer.headers.get("ETag"), answer.data) for answer in answers]
        return [*told, site.get("/api/repositories").get_json()]

    before = seen()
    shop.clock.now += 100
    for repository in ("team", "secret"):
        shop.publish(package("hidden"), repository=repository)
    assert seen() == before
    since = {"If-Modified-Since": "Fri, 01 Jan 2100 00:00:00 GMT"}
    assert site.ask("GET", "/team/index.yaml", headers=since).status_code == 200
    shop.clock.now += 100
    shop.publish(package("web", "2.0.0"), repository="team")
    assert seen() != before


# ---- what could tell of hidden charts, or of credentials


def test_no_address_in_a_bucket_is_told_of_what_may_not_be_read(shop: Shop, monkeypatch: pytest.MonkeyPatch) -> None:
    shop.publish(package("secret"), repository="team")
    monkeypatch.setattr(shop.inner, "url", lambda key, **_: f"https://bucket.example/{key}?signed")
    (shop.folder / "rules.yaml").write_text("permissions: []")
    site = Site(shop, admin_password=PASSWORD, permissions=shop.folder / "rules.yaml", storage_redirect=True)
    path = "/team/charts/secret-1.0.0.tgz"
    assert site.by("admin", PASSWORD).get(path).status_code == 302
    for method in ("GET", "HEAD"):
        answer = site.ask(method, path)
        assert answer.status_code == 401
        assert "Location" not in answer.headers


def test_nobody_learns_from_an_answer_which_names_there_are(guarded: Site) -> None:
    wrong = {
        name: guarded.by(name, "not the pässword").get("/v2/", X_Request_Id="same")
        for name in ("admin", "reader", "nobody", "token:ci")
    }
    tokens = {
        text: guarded.bearing(text).get("/v2/", X_Request_Id="same")
        for text in (compose("0123456789", "x" * 30), compose("9876543210", "x" * 30), "crt_garbage", "garbage")
    }
    for answers in (wrong, tokens):
        seen = {(answer.status_code, answer.text, tuple(answer.headers)) for answer in answers.values()}
        assert len(seen) == 1, seen
        assert {status for status, *_ in seen} == {401}


def test_no_credential_is_written_into_a_log(guarded: Site, caplog: pytest.LogCaptureFixture) -> None:
    caplog.set_level(logging.DEBUG)
    for caller in CALLERS:
        for path in ("/index.yaml", "/v2/token", "/api/tokens", "/team/charts/secret-1.0.0.tgz"):
            by(guarded, caller).get(path)
        by(guarded, caller).upload(b"no package", "/api/team/charts")
    guarded.by("reader", "a wrong pässword").get("/index.yaml")
    written = caplog.text + repr(guarded.lines)
    assert "/v2/token" in written
    for secret in (PASSWORD, "a wrong p", TEXT, TEXT[14:44], "Authorization", "Bearer "):
        assert secret not in written
