"""Asking an issuer for its keys, over a real web server that answers as it likes."""

import json
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest

from chartrepo.access.issuer_web import MAX_ANSWER, IssuerError, fetch_keys
from chartrepo.access.issuers import KeySource
from tests.support import web
from tests.support.issuers import DISCOVERY, KEYS, Key, LocalIssuer, key_set, running
from tests.support.web import Answer


@pytest.fixture
def issuer() -> Iterator[LocalIssuer]:
    with running() as made:
        yield made


def fetched(issuer: LocalIssuer, /, **changes: Any) -> list[str | None]:
    """The ids of the keys that the issuer has."""
    source = KeySource(**{"issuer": issuer.url, "url": issuer.url, **changes})
    return [key.id for key in fetch_keys(source).keys]


def refused(issuer: LocalIssuer, /, **changes: Any) -> str:
    with pytest.raises(IssuerError) as refusal:
        fetched(issuer, **changes)
    return str(refusal.value)


def discover(issuer: LocalIssuer, /, **document: Any) -> None:
    issuer.web.answers[DISCOVERY] = Answer(json.dumps({"issuer": issuer.url, **document}).encode())


def test_its_document_says_where_they_are(issuer: LocalIssuer) -> None:
    assert fetched(issuer) == ["one"]
    assert fetched(issuer, url=f"{issuer.url}/") == ["one"]
    assert issuer.web.paths() == [DISCOVERY, KEYS] * 2
    assert issuer.web.credentials() == [None] * 4


@pytest.mark.parametrize("said", ["https://evil.example", "", None, ["x"]])
def test_a_document_of_another_issuer_is_not_believed(issuer: LocalIssuer, said: Any) -> None:
    discover(issuer, issuer=said, jwks_uri=f"{issuer.url}{KEYS}")
    assert "set issuer to what it says, if it is the right one" in refused(issuer)
    discover(issuer, issuer=f"{issuer.url}/", jwks_uri=f"{issuer.url}{KEYS}")
    assert "and not of" in refused(issuer)
    assert issuer.web.paths() == [DISCOVERY] * 2


def test_an_issuer_may_be_called_otherwise_than_where_it_is(issuer: LocalIssuer) -> None:
    discover(issuer, issuer="https://cluster.local", jwks_uri=f"{issuer.url}{KEYS}")
    assert fetched(issuer, issuer="https://cluster.local") == ["one"]


@pytest.mark.parametrize(
    "address",
    [None, 1, "", "keys", "http://keys.example/keys", "ftp://keys.example", "file:///etc/passwd", "https://", "https://a:b@c/",
     "http://[", "http://169.254.169.254/latest"],
)  # fmt: skip
def test_keys_are_nowhere_but_at_a_safe_address(issuer: LocalIssuer, address: Any) -> None:
    discover(issuer, jwks_uri=address)
    assert "jwks_uri" in refused(issuer)
    assert issuer.web.paths() == [DISCOVERY]


@pytest.mark.parametrize("path", [DISCOVERY, KEYS])
@pytest.mark.parametrize("status", [301, 302, 307, 308, 404, 500, 204])
def test_no_redirect_is_followed_and_no_error_read(issuer: LocalIssuer, path: str, status: int) -> None:
    issuer.web.answers[path] = Answer(key_set(Key("evil")), status, (("Location", f"{issuer.url}/evil"),))
    issuer.web.answers["/evil"] = Answer(key_set(Key("evil")))
    assert f"{path} answers {status}" in refused(issuer)
    assert "/evil" not in issuer.web.paths()


@pytest.mark.parametrize("path", [DISCOVERY, KEYS])
@pytest.mark.parametrize(
    "body", [b"", b"[", b"[]", b"<html>", b"\xff", b"[" * 100_000, b'{"keys": 1}', b'{"keys": []}']
)
def test_what_is_no_answer_is_told(issuer: LocalIssuer, path: str, body: bytes) -> None:
    issuer.web.answers[path] = Answer(body)
    assert refused(issuer).startswith(issuer.url)


@pytest.mark.parametrize("path", [DISCOVERY, KEYS])
def test_an_answer_is_bounded_and_has_to_be_whole(issuer: LocalIssuer, path: str) -> None:
    issuer.web.answers[path] = Answer(b" " * (MAX_ANSWER + 1))
    assert f"answers more than {MAX_ANSWER} bytes" in refused(issuer)
    issuer.web.answers[path] = Answer(key_set(Key()), cut=10)
    assert "the transfer broke" in refused(issuer)


def test_one_that_drips_is_given_up(issuer: LocalIssuer, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("chartrepo.access.issuer_web.DEADLINE", -1.0)
    assert "takes longer than" in refused(issuer)


def test_one_that_is_not_there_is_told(issuer: LocalIssuer) -> None:
    with web.running() as gone:
        url = gone.url
    assert f"{url}{DISCOVERY} does not answer" in refused(issuer, issuer=url, url=url)


class TestClusters:
    def test_the_token_is_read_each_time_and_goes_to_the_issuer_alone(
        self, issuer: LocalIssuer, tmp_path: Path
    ) -> None:
        file = tmp_path / "token"
        # A cluster names an address of its own, which a token must not be sent to.
        discover(issuer, jwks_uri=f"https://172.18.0.2:6443{KEYS}")
        for text in ("first", "second"):
            file.write_text(f"{text}\n")
            assert fetched(issuer, token_file=file) == ["one"]
        assert issuer.web.credentials() == ["Bearer first"] * 2 + ["Bearer second"] * 2

    @pytest.mark.parametrize("data", [None, b"", b"\n", b"a\nb", b"\xff"])
    def test_a_file_without_a_token_is_told(self, issuer: LocalIssuer, tmp_path: Path, data: bytes | None) -> None:
        file = tmp_path / "token"
        if data is not None:
            file.write_bytes(data)
        assert f"token_file: {file} " in refused(issuer, token_file=file)
        assert issuer.web.paths() == []

    def test_certificates_that_are_not_there_are_told(self, issuer: LocalIssuer, tmp_path: Path) -> None:
        url = "https://127.0.0.1:1"
        assert "does not answer" in refused(issuer, issuer=url, url=url, ca_file=tmp_path / "ca.crt")
