"""What the server says when it starts."""

from pathlib import Path

import pytest

from chartrepo.configuration import load
from chartrepo.serve.greeting import found_in, greeting
from tests.support.packages import package
from tests.support.repositories import Shop


def test_what_was_found_is_said_in_words(tmp_path: Path) -> None:
    shop = Shop(tmp_path)
    shop.build()
    shop.publish()
    shop.publish(package(version="2.0.0"))
    shop.publish(package("web"), repository="team")
    shop.put("bad-1.0.0.tgz", b"rubbish")
    shop.sync()

    assert found_in(shop.catalog) == (
        "found 3 versions of 2 charts in 2 repositories, and 1 package set aside (see chartrepo check)"
    )


def said(listening: str = "127.0.0.1:8080", *, admin_url: str | None = None, **flags: str) -> dict[str, str]:
    """The lines of a greeting, by what stands in their first column."""
    settings = load({}, flags, Path.read_text).settings
    url = "http://localhost:8080" if listening.startswith("0.0.0.0") else "http://127.0.0.1:8080"
    text = greeting(settings, url=url, listening=listening, storage="folder /x", admin_url=admin_url, safe=True)
    first, *lines = text.splitlines()
    assert all(line[:2] == "  " and line[2] != " " and line[12] != " " for line in lines), text
    return {"first": first, **{line[2:12].strip(): line[12:] for line in lines}}


def test_where_it_listens_is_said_where_the_address_does_not_tell() -> None:
    assert "listening" not in said()
    assert said("0.0.0.0:8080", host="0.0.0.0")["listening"] == "0.0.0.0:8080"
    behind = said(chart_url="https://charts.example.com")
    assert behind["first"] == "chartrepo serves https://charts.example.com/"
    assert behind["listening"] == "127.0.0.1:8080"


def test_the_admin_listener_has_a_line_like_the_others() -> None:
    assert said(admin_url="http://127.0.0.1:9090")["admin"] == "http://127.0.0.1:9090/ (health and metrics)"


def test_the_catalog_is_shown_as_the_file_that_is_there(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.chdir(tmp_path)
    assert said()["catalog"] == f"file {tmp_path}/data/.chartrepo/catalog-v4.sqlite"
    assert said(catalog="sqlite:////srv/c.db")["catalog"] == "file /srv/c-v4.db"
    assert said(catalog="postgresql://me:secret@db/x")["catalog"] == "postgresql://me:***@db/x"


@pytest.mark.parametrize(("user", "typed"), [("ci", "ci"), ("o'brien x", "'o'\"'\"'brien x'")])
def test_the_line_to_type_names_the_user_as_a_shell_reads_it(user: str, typed: str) -> None:
    login = {"basic_auth_user": user, "basic_auth_password": "secret"}
    command = "helm repo add my-charts http://127.0.0.1:8080"
    assert said(**login)["add it"] == f"{command} --username {typed} --password ..."
    assert said(**login, auth_anonymous_get="true")["add it"] == command


def test_the_line_to_type_shows_what_lets_a_client_in() -> None:
    gated = said(tls_cert="cert", tls_key="key", tls_client_ca="ca")
    assert gated["add it"].endswith(" --cert-file ... --key-file ...")


def test_a_redirect_that_cannot_be_is_warned_of() -> None:
    assert said(storage_redirect="true")["warning"].startswith("storage_redirect does nothing: only a bucket")
    for fitting in ({"storage_redirect": "true", "storage": "s3://charts"}, {}):
        assert "warning" not in said(**fitting)


def test_who_may_write_is_said_by_how_they_are_known() -> None:
    assert said(permissions="rules.yaml")["writing"] == (
        "whom the issuers in rules.yaml make known, as far as the rules allow"
    )
    assert said(admin_password="x", permissions="rules.yaml")["writing"] == (
        "user 'admin', with a password, as far as the rules allow"
    )
    bearer = {"bearer_auth": "true", "auth_cert_path": "server.pem"}
    assert said(**bearer)["writing"] == "who has a token under the key of server.pem"
    assert said(**bearer, admin_password="x")["writing"] == (
        "user 'admin', with a password, or who has a token under the key of server.pem"
    )
    assert said(**bearer)["reading"].startswith("who has a token under the key of server.pem (")
    assert said(**bearer, auth_anonymous_get="true")["reading"] == "everybody on this machine"


def test_bearer_tokens_for_anybody_are_warned_of() -> None:
    bearer = {"bearer_auth": "true", "auth_cert_path": "server.pem"}
    assert "set auth_audience and auth_issuer" in said(**bearer)["warning"]
    assert "warning" in said(**bearer, auth_issuer="us")
    assert "warning" not in said(**bearer, auth_issuer="us", auth_audience="charts")
