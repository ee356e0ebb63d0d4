"""Each change and each refused try leaves one record: who, by which rule, what, from where, and how it ended."""

import ipaddress
import json
from pathlib import Path
from typing import Any, Final

import bcrypt
import pytest

from chartrepo import layout
from chartrepo.audit import Journal
from chartrepo.audit.floods import FREE
from chartrepo.core.audit import MAX_LINE
from chartrepo.core.tokens import compose
from storage.base import Unavailable
from tests.http.test_permissions import signed, write_rules
from tests.support.oci_contents import artifact, digest_of
from tests.support.packages import package
from tests.support.pushes import manifest_of, push, push_bundle, put_blob, put_manifest
from tests.support.repositories import Shop
from tests.support.site import Site

PATH: Final = "/api/audit"
WEB: Final = package("web")
NEW: Final = package("web", appVersion="2")
RULES: Final[list[tuple[list[str], list[str], list[str]]]] = [
    (["anonymous"], ["read"], ["public/**"]),
    (["user:ada"], ["read", "publish", "delete"], ["team/**"]),
    (["user:grace"], ["read"], ["team/**"]),
    (["user:grace"], ["publish", "overwrite"], ["team/web"]),
]
BY_RULE_2: Final = 'rule 2: {who: [user:ada], may: [read, publish, delete], on: ["team/**"]}'
BY_RULE_4: Final = 'rule 4: {who: [user:grace], may: [publish, overwrite], on: ["team/web"]}'
BY_SETTINGS: Final = 'settings: {who: [user:admin], may: [admin], on: ["**"]}'
PROXIES: Final = (ipaddress.ip_network("10.0.0.0/8"),)
ID: Final = {"X-Request-Id": "request-1"}
BEHIND: Final = {"REMOTE_ADDR": "10.0.0.1", "HTTP_X_FORWARDED_FOR": "192.0.2.7"}


@pytest.fixture
def site(shop: Shop, tmp_path: Path) -> Site:
    hashed = bcrypt.hashpw(b"secret", bcrypt.gensalt(4)).decode()
    (tmp_path / "users").write_text(f"ada:{hashed}\ngrace:{hashed}\n")
    write_rules(tmp_path / "rules.yaml", RULES)
    return Site(
        shop,
        admin_password="secret",
        htpasswd=tmp_path / "users",
        permissions=tmp_path / "rules.yaml",
        trusted_proxies=PROXIES,
    )


@pytest.fixture
def ada(site: Site) -> Site:
    return site.by("ada", "secret")


@pytest.fixture
def grace(site: Site) -> Site:
    return site.by("grace", "secret")


@pytest.fixture
def admin(site: Site) -> Site:
    return site.by("admin", "secret")


def recorded(site: Site) -> list[dict[str, Any]]:
    """What was recorded since this was asked last, in the order of its making, without what is random."""
    found = []
    for batch in site.spool.batches():
        found += [json.loads(line) for line in batch.read_bytes().splitlines()]
        batch.unlink()
    for each in found:
        assert each.pop("id")
        assert each.pop("time").startswith("2023-11-14T22:")
        assert each.pop("request", "") or each["caller"]
    return found


def only(site: Site) -> dict[str, Any]:
    (record,) = recorded(site)
    return record


def base(action: str, outcome: str, caller: str, protocol: str = "api", **more: Any) -> dict[str, Any]:
    return {
        "action": action,
        "outcome": outcome,
        "caller": caller,
        "protocol": protocol,
        **more,
    }


def of_web(data: bytes = WEB, version: str = "1.0.0", repository: str = "team") -> dict[str, Any]:
    return {"repository": repository, "chart": "web", "version": version, "kind": "package", "digest": digest_of(data)}


class TestPublishing:
    def test_an_upload_says_who_what_where_when_and_by_which_rule(self, ada: Site) -> None:
        answer = ada.ask("POST", "/api/team/charts", data=WEB, headers=ID, environ_overrides=BEHIND)
        assert answer.status_code == 201
        (line,) = filter(None, ada.spool.lines())
        record = json.loads(line)
        assert len(record.pop("id")) == 16
        assert record == {
            **base("publish", "done", "user:ada"),
            **of_web(),
            "time": "2023-11-14T22:13:20.000000Z",
            "rule": BY_RULE_2,
            "address": "192.0.2.7",
            "request": "request-1",
        }

    def test_a_form_is_one_publication(self, ada: Site) -> None:
        assert ada.send_form("/api/team/charts", chart=WEB, prov=signed(WEB, "web")).status_code == 201
        assert only(ada) == base("publish", "done", "user:ada", rule=BY_RULE_2, **of_web())

    def test_provenance_that_comes_alone_is_one(self, ada: Site) -> None:
        prov = signed(WEB, "web")
        expected = base("publish", "done", "user:ada", rule=BY_RULE_2, **of_web(prov) | {"kind": "provenance"})
        assert ada.upload(prov, "/api/team/prov").status_code == 201
        assert only(ada) == expected
        ada.upload(WEB, "/api/team/charts")
        recorded(ada)
        assert ada.send_form("/api/team/charts", prov=prov).status_code == 409
        assert only(ada)["outcome"] == "refused"

    def test_a_push_leaves_one_whatever_came_before_it(self, ada: Site) -> None:
        assert push(ada, "team/web", WEB, "1.0.0").status_code == 201
        assert only(ada) == base("publish", "done", "user:ada", "oci", rule=BY_RULE_2, **of_web())

    def test_a_push_of_what_is_there_says_that_nothing_changed(self, ada: Site) -> None:
        for _ in range(2):
            push(ada, "team/web", WEB, "1.0.0")
        assert [each["outcome"] for each in recorded(ada)] == ["done", "unchanged"]

    def test_an_artifact_is_named_by_its_tag_and_manifest(self, ada: Site) -> None:
        push(ada, "team/web", WEB, "1.0.0")
        recorded(ada)
        manifest = manifest_of(WEB, created="later")
        assert put_manifest(ada, "team/web", manifest, "stable").status_code == 201
        named = {"repository": "team", "chart": "web", "kind": "manifest", "digest": manifest.digest}
        assert only(ada) == base("publish", "done", "user:ada", "oci", rule=BY_RULE_2, version="stable", **named)
        about = artifact(subject=manifest.described())
        push_bundle(ada, "team/web", about)
        assert only(ada)["digest"] == about.digest

    def test_a_version_that_is_replaced_is_named_by_both_digests(self, grace: Site) -> None:
        grace.upload(WEB, "/api/team/charts")
        recorded(grace)
        assert grace.upload(NEW, "/api/team/charts?force").status_code == 201
        replaced = {"rule": BY_RULE_4, "replaced": digest_of(WEB)}
        assert only(grace) == base("overwrite", "done", "user:grace", **replaced, **of_web(NEW))
        assert grace.upload(NEW, "/api/team/charts?force").status_code == 201
        assert only(grace)["outcome"] == "unchanged"

    def test_a_push_can_replace_as_well(self, shop: Shop) -> None:
        site = Site(shop, allow_overwrite="always")
        push(site, "web", WEB, "1.0.0")
        recorded(site)
        assert push(site, "web", NEW, "1.0.0").status_code == 201
        assert only(site) == base(
            "overwrite",
            "done",
            "anonymous",
            "oci",
            rule='settings: {who: [anonymous], may: [admin], on: ["**"]}',
            replaced=digest_of(WEB),
            **of_web(NEW, repository=""),
        )

    def test_a_token_may_by_what_it_says_itself(self, admin: Site, site: Site) -> None:
        text = admin.ask("POST", "/api/tokens", json={"name": "ci", "allow": ["publish:ci/**"]}).get_json()["token"]
        recorded(admin)
        assert site.bearing(text).upload(WEB, "/api/ci/charts").status_code == 201
        record = only(site)
        assert record["caller"] == "token:ci"
        assert record["rule"] == 'the token\'s own: {who: [token:ci], may: [publish], on: ["ci/**"]}'


class TestDeleting:
    @pytest.fixture(autouse=True)
    def _published(self, ada: Site) -> None:
        assert push(ada, "team/web", WEB, "1.0.0").status_code == 201
        assert ada.upload(package("web", "2.0.0"), "/api/team/charts").status_code == 201
        recorded(ada)

    def test_a_version_is_named_by_what_it_was(self, ada: Site) -> None:
        assert ada.delete("/api/team/charts/web/1.0.0").status_code == 200
        assert only(ada) == base("delete", "done", "user:ada", rule=BY_RULE_2, **of_web())

    def test_all_versions_leave_one_each(self, ada: Site) -> None:
        assert ada.delete("/api/team/charts/web?all_versions=true").status_code == 200
        records = recorded(ada)
        assert sorted((each["action"], each["version"], each["digest"]) for each in records) == [
            ("delete", "1.0.0", digest_of(WEB)),
            ("delete", "2.0.0", digest_of(package("web", "2.0.0"))),
        ]

    def test_what_was_deleted_before_a_failure_is_told(self, ada: Site, shop: Shop) -> None:
        shop.storage.fail("delete", Unavailable("the storage does not answer"), skip=1)
        assert ada.delete("/api/team/charts/web?all_versions=true").status_code == 503
        done, failed = recorded(ada)
        assert (done["outcome"], done["version"] in {"1.0.0", "2.0.0"}) == ("done", True)
        assert failed == base(
            "delete",
            "failed",
            "user:ada",
            rule=BY_RULE_2,
            repository="team",
            chart="web",
            kind="package",
            detail="the storage does not answer",
        )

    @pytest.mark.parametrize("reference", ["1.0.0", manifest_of(WEB).digest])
    def test_a_version_that_goes_by_tag_or_manifest_is_named_by_its_package(self, ada: Site, reference: str) -> None:
        assert ada.delete(f"/v2/team/web/manifests/{reference}").status_code == 202
        assert only(ada) == base("delete", "done", "user:ada", "oci", rule=BY_RULE_2, **of_web())

    def test_a_tag_a_manifest_and_a_blob_are_named_by_themselves(self, ada: Site) -> None:
        manifest = manifest_of(WEB, created="later")
        blob = put_blob(ada, "team/web", b"blob")
        put_manifest(ada, "team/web", manifest, "stable")
        recorded(ada)
        named = {"repository": "team", "chart": "web", "rule": BY_RULE_2}
        for path, what in (
            ("manifests/stable", {"kind": "manifest", "version": "stable"}),
            (f"manifests/{manifest.digest}", {"kind": "manifest", "digest": manifest.digest}),
            (f"blobs/{blob}", {"kind": "blob", "digest": blob}),
        ):
            assert ada.delete(f"/v2/team/web/{path}").status_code == 202
            assert only(ada) == base("delete", "done", "user:ada", "oci", **named, **what)

    def test_what_is_not_there_is_a_refused_try(self, ada: Site) -> None:
        assert ada.delete("/api/team/charts/web/3.0.0").status_code == 404
        assert only(ada) == base(
            "delete",
            "refused",
            "user:ada",
            rule=BY_RULE_2,
            repository="team",
            chart="web",
            version="3.0.0",
            detail="object not found",
        )


class TestRefusals:
    def test_what_a_caller_may_not_says_why(self, grace: Site) -> None:
        for path, protocol in (("/api/team/charts/web/1.0.0", "api"), ("/v2/team/web/manifests/1.0.0", "oci")):
            assert grace.delete(path).status_code == 403
            record = only(grace)
            assert record.pop("detail").startswith("user:grace may not delete here: a rule of permissions has to allow")
            assert record == base("delete", "refused", "user:grace", protocol, repository="team", chart="web")

    def test_so_does_what_a_caller_may_not_even_see(self, grace: Site) -> None:
        assert grace.upload(WEB, "/api/secret/charts").status_code == 404
        assert only(grace) == base("publish", "refused", "user:grace", repository="secret", detail="not found")
        assert grace.ask("POST", "/v2/secret/web/blobs/uploads/").status_code == 404
        record = only(grace)
        assert (record["action"], record["protocol"], record["repository"], record["chart"]) == (
            "publish",
            "oci",
            "secret",
            "web",
        )

    def test_a_version_that_is_there_is_one(self, ada: Site) -> None:
        ada.upload(WEB, "/api/team/charts")
        recorded(ada)
        assert ada.upload(NEW, "/api/team/charts").status_code == 409
        record = only(ada)
        assert record == base(
            "publish", "refused", "user:ada", rule=BY_RULE_2, detail="web-1.0.0.tgz already exists", **of_web(NEW)
        )
        assert ada.upload(NEW, "/api/team/charts?force").status_code == 403
        assert (only(ada)["action"], recorded(ada)) == ("overwrite", [])

    def test_so_is_a_package_that_breaks_a_rule(self, ada: Site) -> None:
        assert ada.upload(b"no gzip", "/api/team/charts").status_code == 400
        record = only(ada)
        assert record.pop("detail").startswith("the package is not a gzip file")
        assert record == base("publish", "refused", "user:ada", repository="team", kind="package")
        assert push(ada, "team/web", b"no gzip", "1.0.0").status_code == 400
        assert "is not a gzip file" in only(ada)["detail"]

    def test_a_server_that_takes_no_writes_refuses_them(self, shop: Shop) -> None:
        site = Site(shop, open_writes=False)
        assert site.upload(WEB).status_code == 403
        record = only(site)
        assert record.pop("detail").startswith("this server is read-only")
        assert record == base("publish", "refused", "anonymous", repository="")

    def test_what_failed_may_have_happened(self, ada: Site, shop: Shop) -> None:
        shop.storage.fail("put", Unavailable("the storage does not answer"))
        assert ada.upload(WEB, "/api/team/charts").status_code == 503
        assert only(ada) == base(
            "publish", "failed", "user:ada", rule=BY_RULE_2, detail="the storage does not answer", **of_web()
        )

    def test_a_change_without_a_credential_is_one(self, site: Site) -> None:
        assert site.upload(WEB, "/api/public/charts").status_code == 401
        assert only(site) == base("publish", "refused", "anonymous", repository="public", detail="unauthorized")

    def test_also_where_nothing_is_open(self, shop: Shop, tmp_path: Path) -> None:
        write_rules(tmp_path / "rules.yaml", [])
        site = Site(shop, admin_password="secret", permissions=tmp_path / "rules.yaml")
        assert site.upload(WEB, "/api/team/charts").status_code == 401
        assert site.delete("/api/team/charts/web/1.0.0").status_code == 401
        assert [(each["action"], each["detail"]) for each in recorded(site)] == [
            ("publish", "POST /api/team/charts: unauthorized"),
            ("delete", "DELETE /api/team/charts/web/1.0.0: unauthorized"),
        ]

    def test_asking_where_to_log_in_is_none(self, site: Site, shop: Shop, tmp_path: Path) -> None:
        write_rules(tmp_path / "none.yaml", [])
        for each in (site, Site(shop, admin_password="secret", permissions=tmp_path / "none.yaml")):
            for path in ("/v2/", "/v2/team/web/manifests/1.0.0", "/team/index.yaml", "/api/team/charts"):
                assert each.get(path).status_code == 401
            assert each.ask("POST", "/v2/team/web/blobs/uploads/").status_code == 401
            assert each.ask("PUT", "/v2/team/web/manifests/1.0.0", data=b"{}").status_code == 401
            assert recorded(each) == []

    def test_reading_is_none(self, ada: Site, grace: Site, site: Site) -> None:
        push(ada, "team/web", WEB, "1.0.0")
        recorded(ada)
        for each in (ada, grace, site):
            for path in (
                "/team/index.yaml",
                "/team/charts/web-1.0.0.tgz",
                "/secret/charts/web-1.0.0.tgz",
                "/api/team/charts",
                "/api/repositories",
                "/v2/team/web/manifests/1.0.0",
                f"/v2/team/web/blobs/{digest_of(WEB)}",
                "/v2/team/web/tags/list",
                "/metrics",
                "/health",
                "/nowhere/at/all",
            ):
                each.get(path)
        assert recorded(site) == []

    def test_what_only_administrators_may_is_one(self, grace: Site, admin: Site) -> None:
        for method, path in (("GET", PATH), ("GET", "/api/tokens"), ("POST", "/api/sync")):
            assert grace.ask(method, path).status_code == 403
            record = only(grace)
            assert record.pop("detail").startswith("user:grace may not admin here")
            assert record == base("admin", "refused", "user:grace")
            assert admin.ask(method, path).status_code == 200
            assert recorded(admin) == []


class TestCredentials:
    @pytest.mark.parametrize("path", ["/team/index.yaml", "/api/team/charts", "/v2/", "/v2/team/web/manifests/1.0.0"])
    def test_a_wrong_password_names_the_user_and_nobody_else(self, site: Site, path: str) -> None:
        why = "the password is wrong, or there is no such user"
        protocol = "oci" if path.startswith("/v2/") else "api"
        assert site.by("ada", "wr\u00f6ng").get(path).status_code == 401
        assert only(site) == base("log-in", "refused", "anonymous", protocol, claims="user:ada", detail=why)
        assert site.by("my-password", "x").get(path).status_code == 401
        assert only(site) == base("log-in", "refused", "anonymous", protocol, detail=why)

    def test_a_wrong_one_where_registries_log_in_is_one_too(self, site: Site) -> None:
        assert site.by("ada", "wrong").get("/v2/token").status_code == 401
        assert only(site)["claims"] == "user:ada"

    def test_a_token_that_was_revoked_names_its_id(self, site: Site) -> None:
        text = compose("0123456789", "a" * 30)
        for each in (site.bearing(text), site.by("x", text)):
            assert each.upload(WEB, "/api/team/charts").status_code == 401
            assert only(site) == base(
                "log-in",
                "refused",
                "anonymous",
                claims="token:0123456789",
                detail="the token is wrong, was revoked, or has expired",
            )

    def test_what_is_no_credential_of_ours_is_one(self, site: Site) -> None:
        assert site.bearing("garbage").get("/team/index.yaml").status_code == 401
        assert only(site)["detail"] == "the credential is of no kind that this server takes"

    def test_a_token_of_an_issuer_that_is_not_believed_says_why(self, site: Site) -> None:
        assert site.bearing("eyJhbGciOiJub25lIn0.e30.").get("/team/index.yaml").status_code == 401
        assert only(site)["detail"] == "the token is signed by 'none', which is not taken"

    def test_whoever_guesses_is_told_of_and_fills_no_disk(self, site: Site) -> None:
        for number in range(1000):
            site.by("ada", f"guess {number}").get("/team/index.yaml")
        records = recorded(site)
        assert [each.get("count", 1) for each in records] == [1] * FREE + [100, 1000]
        assert {each["detail"].partition(":")[0] for each in records} == {
            "the password is wrong, or there is no such user",
            "too many wrong passwords came from this address, or for this user",
        }

    def test_whoever_has_many_addresses_of_one_network_is_one(self, site: Site) -> None:
        for number in range(FREE + 10):
            behind = {"REMOTE_ADDR": "10.0.0.1", "HTTP_X_FORWARDED_FOR": f"2001:db8::{number:x}"}
            site.ask("DELETE", "/api/team/charts/web/1.0.0", environ_overrides=behind)
        records = recorded(site)
        assert len(records) == FREE
        assert records[1]["address"] == "2001:db8::1"

    def test_a_credential_that_is_right_is_none(self, ada: Site) -> None:
        assert ada.get("/v2/token").status_code == 200
        assert recorded(ada) == []


class TestTokens:
    def test_who_made_one_and_what_it_may(self, admin: Site) -> None:
        made = admin.ask("POST", "/api/tokens", json={"name": "ci", "allow": ["publish:team/**"]}).get_json()
        record = only(admin)
        assert record.pop("detail").startswith("may publish:team/**, until 20")
        named = {"kind": "token", "token": "ci", "token_id": made["id"], "rule": BY_SETTINGS}
        assert record == base("create-token", "done", "user:admin", **named)
        assert admin.delete("/api/tokens/ci").status_code == 200
        assert only(admin) == base("revoke-token", "done", "user:admin", **named)

    def test_its_text_is_nowhere(self, admin: Site, site: Site) -> None:
        text = admin.ask("POST", "/api/tokens", json={"name": "ci", "allow": ["publish:team/web"]}).get_json()["token"]
        site.bearing(text).delete("/api/team/charts/web/1.0.0")
        site.bearing(text).upload(WEB, f"/api/{text}/charts")
        site.bearing(text).delete(f"/api/team/charts/web/{text}")
        admin.delete(f"/api/tokens/{text}")
        lines = b"".join(site.spool.lines())
        assert text[14:44].encode() not in lines
        assert lines.count(b"crt_***") >= 1

    def test_a_refusal_is_one(self, admin: Site, grace: Site) -> None:
        assert admin.ask("POST", "/api/tokens", json={"name": "C I"}).status_code == 400
        record = only(admin)
        assert (record["action"], record["outcome"], record["token"]) == ("create-token", "refused", "C I")
        assert admin.delete("/api/tokens/ci").status_code == 404
        assert (record["outcome"], only(admin)["action"]) == ("refused", "revoke-token")


class TestHostileInput:
    NAMES: Final = ('x"}%0a{"action":"publish"', "%0d%0a%00%1b[2J", "%e2%80%a8%c2%85", "%ff%fe", "x" * 4000, "a%2fb")

    @pytest.mark.parametrize("name", NAMES)
    def test_a_name_splits_no_line(self, ada: Site, name: str) -> None:
        ada.delete(f"/api/team/charts/{name}/{name}")
        ada.delete(f"/api/{name}/charts/web/1.0.0")
        ada.delete(f"/v2/team/web/manifests/{name}")
        ada.ask("PUT", f"/v2/team/web/manifests/{name}", data=b"{}")
        ada.upload(package("web", "1.0.0", description='"}\n{"'), "/api/team/charts")
        ada.get(PATH)
        data = b"".join(batch.read_bytes() for batch in ada.spool.batches())
        assert data.isascii()
        for line in data.splitlines(keepends=True):
            assert len(line) <= MAX_LINE
            assert json.loads(line)["caller"] == "user:ada"
            assert "id" in json.loads(line)

    def test_neither_does_an_address_nor_a_user(self, site: Site) -> None:
        behind = {"REMOTE_ADDR": "10.0.0.1", "HTTP_X_FORWARDED_FOR": '"}\n{"x'}
        site.by('a"}\n{"', "x").ask("GET", "/team/index.yaml", environ_overrides=behind)
        assert only(site)["address"] == "10.0.0.1"


class TestAsking:
    @pytest.fixture(autouse=True)
    def _some(self, ada: Site, grace: Site, shop: Shop) -> None:
        """A record each minute: three publications and a refusal, two of them in the storage."""
        for version in ("1.0.0", "2.0.0"):
            ada.upload(package("web", version), "/api/team/charts")
            shop.clock.now += 60
        Journal(shop.state).take_in(ada.spool)
        ada.upload(package("web", "3.0.0"), "/api/team/charts")
        shop.clock.now += 60
        grace.delete("/api/team/charts/web/1.0.0")
        shop.clock.now += 60

    def test_the_newest_is_first_and_what_still_waits_is_there(self, admin: Site) -> None:
        answer = admin.get(PATH)
        assert answer.status_code == 200
        assert answer.headers["Content-Type"] == "application/json; charset=utf-8"
        assert answer.headers["Cache-Control"] == "no-store"
        found = answer.get_json()
        assert [each.get("version") for each in found["records"]] == [None, "3.0.0", "2.0.0", "1.0.0"]
        assert found["next"] is None

    def test_pages_go_on_where_the_last_one_ended(self, admin: Site) -> None:
        seen, cursor = [], ""
        for _ in range(4):
            page = admin.get(f"{PATH}?limit=1&cursor={cursor}").get_json()
            seen += [each.get("version") for each in page["records"]]
            cursor = page["next"]
        assert seen == [None, "3.0.0", "2.0.0", "1.0.0"]
        assert admin.get(f"{PATH}?limit=1&cursor={cursor}").get_json() == {"records": [], "next": None}

    @pytest.mark.parametrize(
        ("query", "count"),
        [
            ("caller=user:ada", 3),
            ("caller=user:grace&outcome=refused", 1),
            ("action=delete", 1),
            ("repository=team&chart=web", 4),
            ("repository=", 0),
            ("since=3m", 3),
            ("since=2023-11-14T22:14:20Z&until=2023-11-14T22:15:20Z", 1),
            ("since=2023-11-15", 0),
            ("limit=2", 2),
        ],
    )
    def test_less_can_be_asked_for(self, admin: Site, query: str, count: int) -> None:
        assert len(admin.get(f"{PATH}?{query}").get_json()["records"]) == count

    @pytest.mark.parametrize(
        ("query", "problem"),
        [
            ("limit=0", "limit: '0' is no number from 1 to 1,000"),
            ("limit=1001", "limit: '1001' is no number"),
            ("limit=%D9%A7", "limit:"),
            ("since=soon", "'soon' is no moment"),
            ("cursor=x", "cursor: 'x' is none"),
            ("action=read", "action: there is no 'read'"),
            ("who=ada", "there is no 'who' to ask for"),
        ],
    )
    def test_what_makes_no_sense_is_said(self, admin: Site, query: str, problem: str) -> None:
        answer = admin.get(f"{PATH}?{query}")
        assert answer.status_code == 400
        assert problem in answer.get_json()["error"]

    def test_it_is_for_whoever_may_do_everything(self, site: Site, ada: Site) -> None:
        assert site.get(PATH).status_code == 401
        assert ada.get(PATH).status_code == 403
        assert site.by("admin", "wrong").get(PATH).status_code == 401

    def test_a_replica_sees_what_others_took_to_the_storage(self, shop: Shop, tmp_path: Path) -> None:
        folder = tmp_path / "other"
        folder.mkdir()
        there = Shop(folder, shop.inner, shop.state, clock=shop.clock)
        there.build()
        other = Site(there, admin_password="secret").by("admin", "secret")
        assert [each["version"] for each in other.get(PATH).get_json()["records"]] == ["2.0.0", "1.0.0"]
        other.upload(package("web", "4.0.0"), "/api/team/charts")
        assert len(other.get(PATH).get_json()["records"]) == 3

    def test_neither_a_lost_catalog_nor_a_sync_has_a_part_in_it(self, admin: Site, shop: Shop, tmp_path: Path) -> None:
        before = sorted((info.key, info.state) for info in shop.state.list(layout.AUDIT_PREFIX))
        shop.close()
        for file in tmp_path.glob("catalog*"):
            file.unlink()
        anew = Shop(tmp_path, shop.inner, shop.state, clock=shop.clock)
        anew.build()
        there = Site(anew, admin_password="secret").by("admin", "secret")
        assert there.ask("POST", "/api/sync").status_code == 200
        assert sorted((info.key, info.state) for info in shop.state.list(layout.AUDIT_PREFIX)) == before
        assert len(before) == 1
        assert len(there.get(PATH).get_json()["records"]) == 4

    def test_a_storage_that_does_not_answer_is_said_to_be_so(
        self, admin: Site, monkeypatch: pytest.MonkeyPatch
    ) -> None:
        def fail(_prefix: str) -> None:
            raise Unavailable("the storage does not answer")

        monkeypatch.setattr(admin.shop.state, "list", fail)
        assert admin.get(PATH).status_code == 503


def test_a_server_that_keeps_none_says_so(shop: Shop) -> None:
    site = Site(shop, admin_password="secret", audit=False).by("admin", "secret")
    assert site.upload(WEB).status_code == 201
    assert site.by("admin", "wrong").get("/index.yaml").status_code == 401
    assert list(site.spool.lines()) == []
    answer = site.get(PATH)
    assert answer.status_code == 403
    assert "set audit to true" in answer.get_json()["error"]


def test_a_full_disk_keeps_nobody_from_publishing_and_the_log_has_the_record(
    shop: Shop, tmp_path: Path, caplog: pytest.LogCaptureFixture
) -> None:
    site = Site(shop, admin_password="secret").by("admin", "secret")
    (tmp_path / "audit-spool").write_text("where a folder should be")
    assert site.upload(WEB).status_code == 201
    assert "an audit record could not be kept (Not a directory)" in caplog.text
    assert f'"digest":"{digest_of(WEB)}"' in caplog.text
    assert site.ledger.lost == 1
