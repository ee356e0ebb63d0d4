"""Tokens for a registry: how it asks for them, and where a password goes for one."""

import json
import threading
from collections.abc import Iterator
from concurrent.futures import ThreadPoolExecutor
from typing import Final

import pytest

from chartrepo import fetching
from chartrepo.fetching import AnswerError, Credential, DeniedError, Fetcher, Origin, PassingError
from chartrepo.remote_tokens import Challenge, Tokens, challenge
from chartrepo.sources import SourceError
from tests.support import web
from tests.support.web import Answer, Web

PLAIN: Final = Origin("http", "registry.example", 80)
ENCRYPTED: Final = Origin("https", "registry.example", 443)
SCOPE: Final = "repository:a/b:pull"


@pytest.fixture
def service() -> Iterator[Web]:
    """What gives tokens."""
    with web.running() as running:
        yield running


@pytest.fixture
def fetcher(monkeypatch: pytest.MonkeyPatch) -> Iterator[Fetcher]:
    monkeypatch.setattr(fetching, "_FIRST_PAUSE", 0.0)
    monkeypatch.setenv("no_proxy", "*")
    fetcher = Fetcher()
    yield fetcher
    fetcher.close()


def tokens(fetcher: Fetcher, registry: Origin = PLAIN, *, username: str = "", password: str = "") -> Tokens:
    return Tokens(fetcher, registry, username=username, password=password)


def another(tokens: Tokens, *challenges: str, refused: Credential | None = None) -> str | None:
    found = tokens.another(SCOPE, refused, challenges)
    return found.header if found else None


@pytest.mark.parametrize(
    ("headers", "wanted"),
    [
        (["Basic realm=x"], Challenge("basic", "x", "", "")),
        (['bearer realm="https://x/y",service="z"'], Challenge("bearer", "https://x/y", "z", "")),
        (
            ['Bearer realm = "https://x" , scope="repository:a:pull,push repository:b:pull", error="invalid_token"'],
            Challenge("bearer", "https://x", "", "repository:a:pull,push repository:b:pull"),
        ),
        (['Basic realm="a", Bearer realm="b"'], Challenge("bearer", "b", "", "")),
        (['Basic realm="a"', 'Bearer realm="b"'], Challenge("bearer", "b", "", "")),
        ([r'Bearer realm="a\"b"'], Challenge("bearer", 'a"b', "", "")),
        (["Negotiate", "Basic"], Challenge("basic", "", "", "")),
        (["Negotiate"], None),
        ([], None),
        (["a" * 1_000_000], None),
        (['"' * 1_000_000], None),
    ],
)
def test_challenges_are_read_in_every_form(headers: list[str], wanted: Challenge | None) -> None:
    assert challenge(headers) == wanted


@pytest.mark.parametrize("name", ["token", "access_token"])
def test_a_token_has_two_names(service: Web, fetcher: Fetcher, name: str) -> None:
    service.answers["/t?account=x&service=s&scope=repository%3Aa%2Fb%3Apull"] = Answer(
        json.dumps({name: "abc"}).encode()
    )
    header = another(tokens(fetcher), f'Bearer realm="{service.url}/t?account=x",service="s"')
    assert header == "Bearer abc"


@pytest.mark.parametrize(
    "body", [b"", b"[]", b"{}", b'{"token": 5}', b'{"token": "a\\r\\nb"}', b'{"token": ""}', "{'token': 'ä'}".encode()]
)
def test_what_is_no_token_is_told(service: Web, fetcher: Fetcher, body: bytes) -> None:
    service.answers[f"/?scope={SCOPE.replace(':', '%3A').replace('/', '%2F')}"] = Answer(body)
    with pytest.raises(SourceError, match="holds no token"):
        another(tokens(fetcher), f'Bearer realm="{service.url}/"')


@pytest.mark.parametrize(
    ("status", "error"), [(401, DeniedError), (403, DeniedError), (404, AnswerError), (500, PassingError)]
)
def test_a_service_that_gives_none_is_told(
    service: Web, fetcher: Fetcher, status: int, error: type[SourceError]
) -> None:
    service.answers["/?scope=x"] = Answer(status=status)
    with pytest.raises(error, match=f"for a token, at '{service.url}/'[,:] the server answers {status}") as refused:
        another(tokens(fetcher, username="ci", password="secret"), f'Bearer realm="{service.url}/?",scope="x"')
    assert "secret" not in str(refused.value)


def test_a_password_goes_nowhere_in_plain_text_where_the_registry_is_encrypted(service: Web, fetcher: Fetcher) -> None:
    with pytest.raises(SourceError, match="over plain http, where others could read"):
        another(tokens(fetcher, ENCRYPTED, username="ci", password="secret"), f'Bearer realm="{service.url}/t"')
    assert service.asked == []


def test_a_password_does_not_follow_a_redirect_to_another_host(service: Web, fetcher: Fetcher) -> None:
    with web.running() as thief:
        service.answers["/t?scope=x"] = Answer(status=302, headers=(("Location", f"{thief.url}/t"),))
        thief.answers["/t"] = Answer(b'{"token": "abc"}')
        another(tokens(fetcher, username="ci", password="x"), f'Bearer realm="{service.url}/t",scope="x"')
        assert [given is not None for given in (*service.credentials(), *thief.credentials())] == [True, False]


@pytest.mark.parametrize("realm", ["", "token", "file:///etc/passwd", "http://["])
def test_a_realm_that_leads_nowhere_is_told(fetcher: Fetcher, realm: str) -> None:
    with pytest.raises(SourceError, match="is no address"):
        another(tokens(fetcher), f'Bearer realm="{realm}"')


def test_a_password_that_was_refused_is_not_sent_again(fetcher: Fetcher) -> None:
    held = tokens(fetcher, username="ci", password="x")
    refused = held.credential(SCOPE)
    assert refused is not None
    assert another(held, "Basic realm=x", refused=refused) is None
    assert another(held, "Basic realm=x") == refused.header
    assert another(held, "Negotiate") is None


def test_threads_that_need_the_same_token_ask_once(service: Web, fetcher: Fetcher) -> None:
    service.answers["/t?scope=x"] = [Answer(b'{"token": "one"}'), Answer(b'{"token": "two"}')]
    held = tokens(fetcher)
    together = threading.Barrier(4)

    def ask(_: int) -> str | None:
        together.wait()
        return another(held, f'Bearer realm="{service.url}/t",scope="x"')

    with ThreadPoolExecutor(4) as pool:
        assert set(pool.map(ask, range(4))) == {"Bearer one"}
