"""Registry tokens say who somebody is for five minutes, as long as what was shown for them holds."""

import pytest

from chartrepo.access.keys import SigningKeys
from chartrepo.access.registry_tokens import LIFETIME, MAX_TEXT, PREFIX, REFRESH_LIFETIME, Login, RegistryTokens
from storage.memory import MemoryStorage
from tests.support.repositories import Clock


@pytest.fixture
def clock() -> Clock:
    return Clock(now=1_000_000.0)


@pytest.fixture
def secrets() -> dict[str, str]:
    return {"user:ada": "hash", "": ""}


@pytest.fixture
def keys(clock: Clock) -> SigningKeys:
    return SigningKeys((MemoryStorage(),), clock=clock, now=clock)


@pytest.fixture
def tokens(clock: Clock, keys: SigningKeys, secrets: dict[str, str]) -> RegistryTokens:
    return RegistryTokens(keys, secrets.get, now=clock)


ADA = Login("user:ada", "hash")


def subject(tokens: RegistryTokens, text: str) -> str | None:
    """Whose token this is."""
    shown = tokens.shown(text)
    return shown.subject if shown is not None else None


def test_one_says_who_it_was_made_for_until_it_expires(tokens: RegistryTokens, clock: Clock) -> None:
    issued = tokens.issue(ADA)
    assert (issued.expires_in, issued.issued, issued.refresh) == (LIFETIME, 1_000_000, None)
    assert LIFETIME >= 300
    clock.now += LIFETIME - 1
    assert subject(tokens, issued.text) == "user:ada"
    clock.now += 1
    assert subject(tokens, issued.text) is None


def test_anonymous_has_one_too(tokens: RegistryTokens) -> None:
    assert subject(tokens, tokens.issue(Login("", "")).text) == ""


@pytest.mark.parametrize("secret", ["another", None])
def test_it_ends_with_what_was_shown_for_it(
    tokens: RegistryTokens, secrets: dict[str, str], secret: str | None
) -> None:
    issued = tokens.issue(ADA, refresh=True)
    if secret is None:
        del secrets["user:ada"]
    else:
        secrets["user:ada"] = secret
    assert subject(tokens, issued.text) is None
    assert issued.refresh is not None
    assert tokens.renew(issued.refresh) is None


def test_it_ends_with_the_key_that_signed_it(tokens: RegistryTokens, keys: SigningKeys, clock: Clock) -> None:
    text = tokens.issue(ADA).text
    clock.now += 1
    keys.rotate(forget=False)
    assert subject(tokens, text) == "user:ada"
    keys.rotate(forget=True)
    assert subject(tokens, text) is None


def test_new_ones_are_got_by_the_other_text_and_by_no_other(tokens: RegistryTokens, clock: Clock) -> None:
    issued = tokens.issue(ADA, refresh=True)
    assert issued.refresh is not None
    assert tokens.renew(issued.text) is None
    assert subject(tokens, issued.refresh) is None
    clock.now += REFRESH_LIFETIME - 1
    renewed = tokens.renew(issued.refresh)
    assert renewed is not None
    assert subject(tokens, renewed.text) == "user:ada"
    clock.now += 1
    assert tokens.renew(issued.refresh) is None


def test_what_was_changed_is_believed_in_no_place(tokens: RegistryTokens) -> None:
    text = tokens.issue(ADA).text
    for at in range(len(text)):
        changed = text[:at] + ("A" if text[at] != "A" else "B") + text[at + 1 :]
        assert subject(tokens, changed) is None, at


def test_a_signature_is_written_in_one_way(tokens: RegistryTokens) -> None:
    letters = "ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz0123456789-_"
    text = tokens.issue(ADA).text
    assert [last for last in letters if subject(tokens, text[:-1] + last)] == [text[-1]]


def test_other_servers_tokens_are_not_believed(tokens: RegistryTokens, clock: Clock, secrets: dict[str, str]) -> None:
    other = RegistryTokens(SigningKeys((MemoryStorage(),), clock=clock, now=clock), secrets.get, now=clock)
    assert subject(tokens, other.issue(ADA).text) is None


@pytest.mark.parametrize("text", ["", PREFIX, f"{PREFIX}.", f"{PREFIX}x.y.z", "\udcff", PREFIX + "\udcff", "x" * 9999])
def test_garbage_is_believed_in_no_form(tokens: RegistryTokens, text: str) -> None:
    tokens.issue(ADA)
    assert subject(tokens, text) is None
    assert tokens.renew(text) is None


def test_a_huge_one_is_not_looked_at(tokens: RegistryTokens) -> None:
    assert subject(tokens, tokens.issue(ADA).text + "A" * MAX_TEXT) is None


def test_what_was_shown_does_not_stand_in_it(tokens: RegistryTokens) -> None:
    assert tokens.issue(Login("user:ada", "one")).text != tokens.issue(Login("user:ada", "two")).text
    assert "hash" not in tokens.issue(ADA).text
