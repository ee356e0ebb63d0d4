"""Sessions say who signed in, as long as what was shown for them holds, and until somebody signs out."""

import pytest

from chartrepo import layout
from chartrepo.access.ended_sessions import LOOKS, MOST, EndedSessions
from chartrepo.access.keys import SigningKeys
from chartrepo.access.registry_tokens import Login, RegistryTokens
from chartrepo.access.sessions import MAX_TEXT, VISIT_LIFETIME, Session, Sessions
from chartrepo.core.errors import IdentityRefused
from storage.base import ANYWAY, Unavailable
from storage.memory import MemoryStorage
from tests.support.faults import FaultyStorage
from tests.support.repositories import Clock

ADA = Login("user:ada", "hash")
HOUR = 3600


@pytest.fixture
def clock() -> Clock:
    return Clock(now=1_000_000.0)


@pytest.fixture
def secrets() -> dict[str, str]:
    return {"user:ada": "hash", "issuer:sso": "print"}


@pytest.fixture
def keys(clock: Clock) -> SigningKeys:
    return SigningKeys((MemoryStorage(),), clock=clock, now=clock)


@pytest.fixture
def state() -> FaultyStorage:
    return FaultyStorage(MemoryStorage())


@pytest.fixture
def ended(state: FaultyStorage, clock: Clock) -> EndedSessions:
    return EndedSessions(state, clock=clock, now=clock)


@pytest.fixture
def sessions(keys: SigningKeys, ended: EndedSessions, secrets: dict[str, str], clock: Clock) -> Sessions:
    return Sessions(keys, secrets.get, ended=ended, lifetime=HOUR, now=clock)


def subject(session: Session | None) -> str | None:
    return session.login.subject if session is not None else None


def test_one_says_who_signed_in_until_it_ends(sessions: Sessions, clock: Clock) -> None:
    text, opened = sessions.open(ADA)
    found = sessions.find(text)
    assert found == opened
    assert (opened.login, opened.ends) == (ADA, int(clock()) + HOUR)
    clock.now += HOUR - 1
    assert subject(sessions.find(text)) == "user:ada"
    clock.now += 1
    assert sessions.find(text) is None


def test_no_two_are_alike(sessions: Sessions) -> None:
    (one, first), (other, second) = sessions.open(ADA), sessions.open(ADA)
    assert one != other
    assert first.id != second.id
    assert first.form_secret != second.form_secret


def test_what_an_issuer_said_comes_back_and_a_login_that_ends_ends_the_session(
    sessions: Sessions, clock: Clock
) -> None:
    claims = {"sub": "4711", "groups": ["a", "b"]}
    text, session = sessions.open(Login("issuer:sso", "print", claims, int(clock()) + 60))
    assert session.ends == int(clock()) + 60
    found = sessions.find(text)
    assert found is not None
    assert found.login.claims == claims


def test_what_does_not_fit_into_a_cookie_is_refused(sessions: Sessions) -> None:
    many = [f"{number * 7919 % 100_003:x}-{number**3:x}" for number in range(800)]
    with pytest.raises(IdentityRefused, match="more of you than fits into a cookie"):
        sessions.open(Login("issuer:sso", "print", {"groups": many}))
    text, _ = sessions.open(Login("issuer:sso", "print", {"groups": [f"team-{number}" for number in range(200)]}))
    assert len(text) <= MAX_TEXT


@pytest.mark.parametrize("secret", [None, "another"])
def test_it_ends_with_the_password_or_the_user(sessions: Sessions, secrets: dict[str, str], secret: str | None) -> None:
    text, _ = sessions.open(ADA)
    del secrets["user:ada"]
    if secret is not None:
        secrets["user:ada"] = secret
    assert sessions.find(text) is None


def test_each_altered_letter_is_noticed(sessions: Sessions) -> None:
    text, _ = sessions.open(ADA)
    for place, letter in enumerate(text):
        other = "A" if letter != "A" else "B"
        assert sessions.find(text[:place] + other + text[place + 1 :]) is None, place
    for wrong in (
        "",
        ".",
        "x",
        text[:-1],
        text + "A",
        text + "=",
        text + " ",
        "." + text,
        text * 30,
        "\udcff",
        "é." + text,
    ):
        assert sessions.find(wrong) is None


def test_that_of_another_server_is_none(sessions: Sessions, ended: EndedSessions, clock: Clock) -> None:
    others = SigningKeys((MemoryStorage(),), clock=clock, now=clock)
    elsewhere = Sessions(others, {"user:ada": "hash"}.get, ended=ended, lifetime=HOUR, now=clock)
    assert sessions.find(elsewhere.open(ADA)[0]) is None


def test_keys_that_are_forgotten_end_it(sessions: Sessions, keys: SigningKeys) -> None:
    text, _ = sessions.open(ADA)
    keys.rotate(forget=False)
    assert subject(sessions.find(text)) == "user:ada"
    keys.rotate(forget=True)
    assert sessions.find(text) is None


def test_nothing_that_was_signed_for_another_use_is_one(sessions: Sessions, keys: SigningKeys, clock: Clock) -> None:
    tokens = RegistryTokens(keys, {"user:ada": "hash"}.get, now=clock)
    registry = tokens.issue(ADA).text.removeprefix("crr_")
    visit, _ = sessions.begin_visit()
    text, _ = sessions.open(ADA)
    assert sessions.find(registry) is None
    assert sessions.find(visit) is None
    assert sessions.visit(text) is None
    assert tokens.shown(f"crr_{text}") is None


def test_a_secret_of_forms_is_the_same_for_one_visit_and_ends_with_it(sessions: Sessions, clock: Clock) -> None:
    (one, secret), (other, another) = sessions.begin_visit(), sessions.begin_visit()
    assert sessions.visit(one) == secret
    assert sessions.visit(other) == another != secret
    assert len(secret) == 32
    clock.now += VISIT_LIFETIME
    assert sessions.visit(one) is None
    assert sessions.visit("") is None


def looked(state: FaultyStorage) -> int:
    """How often notes were looked for."""
    return [call.operation for call in state.calls].count("stat")


class TestSigningOut:
    def test_a_copy_ends_too_at_once_here_and_soon_elsewhere(
        self, sessions: Sessions, keys: SigningKeys, secrets: dict[str, str], state: FaultyStorage, clock: Clock
    ) -> None:
        replica = Sessions(
            keys, secrets.get, ended=EndedSessions(state, clock=clock, now=clock), lifetime=HOUR, now=clock
        )
        text, session = sessions.open(ADA)
        another, _ = sessions.open(ADA)
        assert subject(replica.find(text)) == "user:ada"
        sessions.end(session)
        assert sessions.find(text) is None
        clock.now += LOOKS
        assert replica.find(text) is None
        assert subject(replica.find(another)) == "user:ada"

    def test_it_holds_here_also_where_it_cannot_be_written_down(self, sessions: Sessions, state: FaultyStorage) -> None:
        text, session = sessions.open(ADA)
        state.fail("put", Unavailable("no answer"))
        with pytest.raises(Unavailable):
            sessions.end(session)
        assert sessions.find(text) is None

    def test_while_the_storage_is_silent_none_is_believed_that_was_not_looked_for(
        self, sessions: Sessions, state: FaultyStorage, clock: Clock
    ) -> None:
        text, _ = sessions.open(ADA)
        assert sessions.find(text) is not None
        state.fail("stat", Unavailable("no answer"))
        assert sessions.find(text) is not None
        clock.now += LOOKS
        with pytest.raises(Unavailable):
            sessions.find(text)

    def test_it_is_looked_for_once_in_a_while(self, sessions: Sessions, state: FaultyStorage, clock: Clock) -> None:
        text, _ = sessions.open(ADA)
        for _ in range(10):
            sessions.find(text)
        assert looked(state) == 1
        clock.now += LOOKS
        sessions.find(text)
        assert looked(state) == 2

    def test_notes_go_when_they_are_no_use_any_more(
        self, sessions: Sessions, state: FaultyStorage, clock: Clock
    ) -> None:
        for _ in range(3):
            sessions.end(sessions.open(ADA)[1])
        foreign = f"{layout.ENDED_SESSIONS_PREFIX}zz-by-hand"
        state.put(foreign, b"", condition=ANYWAY)
        clock.now += HOUR + 1
        _, last = sessions.open(ADA)
        sessions.end(last)
        assert {info.key for info in state.list(layout.ENDED_SESSIONS_PREFIX)} == {
            layout.ended_session_key(last.ends, last.id),
            foreign,
        }

    def test_what_a_process_knows_is_bounded(self, ended: EndedSessions) -> None:
        for number in range(MOST + 10):
            ended.has(f"{number:032x}", 1)
        assert len(ended._known) == MOST


@pytest.mark.parametrize(
    ("key", "end"),
    [
        (layout.ended_session_key(255, "a" * 32), 255),
        ("ended-sessions/0000000000ff-short", None),
        ("ended-sessions/x", None),
        ("tokens/0000000000ff", None),
    ],
)
def test_a_key_tells_when_a_session_ends(key: str, end: int | None) -> None:
    assert layout.end_of_session(key) == end
