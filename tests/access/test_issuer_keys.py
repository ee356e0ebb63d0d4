"""The keys of an issuer are asked for when they are needed, not more often, and are never lost."""

import logging
import threading
from collections.abc import Iterator
from pathlib import Path
from queue import SimpleQueue

import pytest

from chartrepo.access.issuer_keys import FRESH, SOONEST, WAITING, FetchedKeys, Keyrings
from chartrepo.access.issuer_web import IssuerError
from chartrepo.access.issuers import Issuer, KeySource
from chartrepo.access.jwks import KeySet, parse_keys
from chartrepo.core.errors import AccessMisconfigured, KeysUnavailable
from tests.support.issuers import Key, key_set
from tests.support.processes import eventually
from tests.support.repositories import Clock

ISSUER = Issuer("github", "github", ("charts",), KeySource("https://github.example", "https://github.example"))
ONE, TWO = Key("one"), Key("two")


class Source:
    """Answers for an issuer.

    Attributes:
        keys: that it has.
        problem: what is wrong with it.
        asked: how often it was asked.
        gate: is set where it answers at once.
    """

    def __init__(self) -> None:
        self.keys = [ONE]
        self.problem: Exception | None = None
        self.asked = 0
        self.gate = threading.Event()
        self.gate.set()

    def __call__(self, source: KeySource) -> KeySet:
        assert source is ISSUER.source
        self.asked += 1
        self.gate.wait()
        if self.problem is not None:
            raise self.problem
        return parse_keys(key_set(*self.keys))


@pytest.fixture
def source() -> Iterator[Source]:
    made = Source()
    yield made
    made.gate.set()


@pytest.fixture
def clock() -> Clock:
    return Clock()


@pytest.fixture
def told() -> list[tuple[str, bool]]:
    return []


@pytest.fixture
def keys(source: Source, clock: Clock, told: list[tuple[str, bool]]) -> FetchedKeys:
    return FetchedKeys(ISSUER, told=lambda *each: told.append(each), clock=clock, fetch=source)


def knows(keys: FetchedKeys, key: Key) -> bool:
    return keys.find(key.id, "ES256") is not None


def test_they_are_asked_for_once_and_kept(keys: FetchedKeys, source: Source, clock: Clock) -> None:
    for _ in range(5):
        assert knows(keys, ONE)
        clock.now += FRESH / 10
    assert source.asked == 1


def test_keys_that_are_old_are_renewed_and_nobody_waits_for_it(keys: FetchedKeys, source: Source, clock: Clock) -> None:
    assert knows(keys, ONE)
    source.keys = [TWO]
    source.gate.clear()
    clock.now += FRESH
    assert knows(keys, ONE)
    source.gate.set()
    eventually(lambda: not _known(keys, ONE), what="the old key is forgotten")
    assert (knows(keys, TWO), source.asked) == (True, 2)


def _known(keys: FetchedKeys, key: Key) -> bool:
    """Whether a key is known now, without asking for any."""
    return keys._known(key.id, "ES256") is not None


def test_a_key_that_is_not_known_is_looked_for_once_in_a_while(keys: FetchedKeys, source: Source, clock: Clock) -> None:
    assert knows(keys, ONE)
    clock.now += SOONEST
    for _ in range(100):
        assert not knows(keys, TWO)
    assert source.asked == 2
    source.keys = [ONE, TWO]
    assert not knows(keys, TWO)
    clock.now += SOONEST
    assert knows(keys, TWO)
    assert source.asked == 3


def test_an_outage_takes_no_keys_away_and_is_told_once(
    keys: FetchedKeys, source: Source, clock: Clock, told: list[tuple[str, bool]], caplog: pytest.LogCaptureFixture
) -> None:
    caplog.set_level(logging.INFO)
    assert knows(keys, ONE)
    source.problem = IssuerError("https://github.example answers 500")
    for number in range(3):
        clock.now += FRESH + SOONEST
        assert knows(keys, ONE)
        eventually(lambda wanted=number + 2: len(told) == wanted, what="the try ends")
    assert told == [("github", True), *[("github", False)] * 3]
    assert [record.getMessage() for record in caplog.records] == [
        "issuer github: https://github.example answers 500; those it had stay good"
    ]
    clock.now += SOONEST
    with pytest.raises(KeysUnavailable):  # it may be a new one
        knows(keys, TWO)
    source.problem = None
    clock.now += SOONEST
    assert not knows(keys, TWO)
    eventually(lambda: len(caplog.records) == 2, what="the end of it is told")
    assert caplog.records[1].getMessage() == "issuer github: its keys can be had again"


@pytest.mark.parametrize("problem", [IssuerError("it is not there"), MemoryError("what nobody foresaw")])
def test_without_any_nobody_can_tell(
    keys: FetchedKeys, source: Source, clock: Clock, problem: Exception, caplog: pytest.LogCaptureFixture
) -> None:
    source.problem = problem
    for _ in range(10):
        with pytest.raises(KeysUnavailable, match="the keys of the issuer github cannot be had now"):
            knows(keys, ONE)
    assert source.asked == 1
    source.problem = None
    clock.now += SOONEST
    assert knows(keys, ONE)


class Waiters:
    """Threads that look for a key, and how each ended."""

    def __init__(self, keys: FetchedKeys, number: int) -> None:
        self.ends: SimpleQueue[str] = SimpleQueue()
        self.threads = [threading.Thread(target=self._look, args=(keys,)) for _ in range(number)]
        for thread in self.threads:
            thread.start()

    def _look(self, keys: FetchedKeys) -> None:
        try:
            self.ends.put("found" if knows(keys, ONE) else "not found")
        except KeysUnavailable:
            self.ends.put("nobody knows")

    def join(self) -> None:
        for thread in self.threads:
            thread.join()


def test_all_wait_for_one_try_and_only_a_few_do(keys: FetchedKeys, source: Source) -> None:
    source.gate.clear()
    waiters = Waiters(keys, WAITING + 3)
    assert [waiters.ends.get(timeout=60) for _ in range(3)] == ["nobody knows"] * 3
    source.gate.set()
    waiters.join()
    assert sorted(waiters.ends.get() for _ in range(WAITING)) == ["found"] * WAITING
    assert source.asked == 1


def test_who_waits_lets_go_of_an_issuer_that_hangs(
    keys: FetchedKeys, source: Source, clock: Clock, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr("chartrepo.access.issuer_keys.DEADLINE", 0.0)
    source.gate.clear()
    for _ in range(3):
        with pytest.raises(KeysUnavailable):
            knows(keys, ONE)
    assert source.asked == 1
    source.gate.set()
    eventually(lambda: _known(keys, ONE), what="the keys that came late are taken")


def test_where_no_thread_can_be_had_nobody_waits_for_it(
    keys: FetchedKeys, source: Source, clock: Clock, monkeypatch: pytest.MonkeyPatch, caplog: pytest.LogCaptureFixture
) -> None:
    def refuse(_thread: threading.Thread) -> None:
        raise RuntimeError("can't start new thread")

    with monkeypatch.context() as patched:
        patched.setattr(threading.Thread, "start", refuse)
        for _ in range(3):
            with pytest.raises(KeysUnavailable):
                knows(keys, ONE)
    assert caplog.text.count("its keys cannot be asked for") == 1
    clock.now += SOONEST
    assert knows(keys, ONE)


class TestFiles:
    @pytest.fixture
    def issuer(self, tmp_path: Path) -> Issuer:
        return Issuer("partner", "", ("charts",), KeySource("https://p.example", jwks_file=tmp_path / "keys.json"))

    @pytest.fixture
    def keyrings(self, clock: Clock) -> Keyrings:
        return Keyrings(told=lambda *_: None, clock=clock)

    def test_a_file_is_read_again_when_it_changes_and_never_half(
        self, keyrings: Keyrings, issuer: Issuer, clock: Clock, tmp_path: Path
    ) -> None:
        file = tmp_path / "keys.json"
        file.write_bytes(key_set(ONE))
        keys = keyrings.of(issuer)
        assert keys.find("one", "ES256") is not None
        assert keyrings.files([issuer, ISSUER]) == {"issuers.partner.jwks_file": True}
        file.write_text("{")
        clock.now += 10
        assert keys.find("one", "ES256") is not None
        assert keyrings.files([issuer]) == {"issuers.partner.jwks_file": False}
        file.write_bytes(key_set(TWO))
        clock.now += 10
        assert (keys.find("one", "ES256"), keys.find("two", "ES256") is not None) == (None, True)

    def test_one_that_is_not_there_is_refused_at_a_start(self, keyrings: Keyrings, issuer: Issuer) -> None:
        with pytest.raises(AccessMisconfigured, match=r"keys\.json is not there: put the issuer's JSON Web Key Set"):
            keyrings.check([issuer])
        with pytest.raises(KeysUnavailable):
            keyrings.of(issuer).find("one", "ES256")

    def test_keys_are_kept_while_the_table_changes_around_them(self, keyrings: Keyrings, issuer: Issuer) -> None:
        first, second = keyrings.of(issuer), keyrings.of(ISSUER)
        keyrings.keep([issuer])
        assert keyrings.of(issuer) is first
        assert keyrings.of(ISSUER) is not second
