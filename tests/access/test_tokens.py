"""Tokens in a storage: made, listed, revoked, and known to several processes over it."""

import json
import threading
from pathlib import Path
from typing import Any, Final

import pytest

from chartrepo import layout
from chartrepo.access import Administrator, Directory, Tokens
from chartrepo.access.tokens import LOOKS, MOST, NOTED_EVERY, parse_lifetime
from chartrepo.core import tokens as texts
from chartrepo.core.errors import TokenExists, TokenInvalid, TokenUnknown
from chartrepo.core.permissions import Action
from storage.base import ANYWAY, NotFound, Unavailable
from storage.local import LocalStorage
from storage.memory import MemoryStorage
from storage.options import S3Options
from storage.url import open_storage
from tests.support.faults import Call, FaultyStorage
from tests.support.repositories import NOW, Clock
from tests.support.s3server import REGION, S3

DOWN: Final = Unavailable("the storage does not answer")


@pytest.fixture(params=["memory", "local"])
def storage(request: pytest.FixtureRequest, tmp_path: Path) -> FaultyStorage:
    return FaultyStorage(MemoryStorage() if request.param == "memory" else LocalStorage(tmp_path, private=True))


@pytest.fixture
def clock() -> Clock:
    return Clock(1000.0)


@pytest.fixture
def now() -> Clock:
    return Clock()


@pytest.fixture
def made(storage: FaultyStorage, clock: Clock, now: Clock) -> Tokens:
    return Tokens(storage, clock=clock, now=now)


@pytest.fixture
def other(storage: FaultyStorage, clock: Clock, now: Clock) -> Tokens:
    """Those of another process, perhaps of another replica."""
    return Tokens(storage, clock=clock, now=now)


def create(made: Tokens, name: str = "ci", *allow: str, lifetime: float | None = 3600) -> str:
    return made.create(name, allow or ("publish:team/**",), lifetime=lifetime, made_by="user:admin")[0]


def name_of(made: Tokens, text: str) -> str | None:
    token = made.identify(text)
    return token.name if token is not None else None


class TestMaking:
    def test_a_token_is_known_at_once_and_everywhere(self, made: Tokens, other: Tokens) -> None:
        text = create(made)
        assert name_of(made, text) == name_of(other, text) == "ci"

    def test_neither_text_nor_secret_is_kept(self, made: Tokens, storage: FaultyStorage) -> None:
        text = create(made)
        made.identify(text)
        for info in storage.list():
            with storage.open(info.key) as file:
                data = file.read()
            assert text.encode() not in data
            assert text[14:44].encode() not in data

    def test_no_two_are_alike(self, made: Tokens) -> None:
        found = {create(made, f"ci-{number}") for number in range(20)}
        assert len({text[4:14] for text in found} | {text[14:44] for text in found}) == 40

    def test_a_name_is_taken_until_it_expires_or_is_revoked(self, made: Tokens, now: Clock) -> None:
        first = create(made)
        with pytest.raises(TokenExists, match="there is a token ci already: revoke it, or choose another name"):
            create(made)
        assert name_of(made, first) == "ci"
        now.now += 3600
        second = create(made)
        assert name_of(made, first) is None
        made.revoke("ci")
        third = create(made)
        assert [name_of(made, text) for text in (first, second, third)] == [None, None, "ci"]

    def test_of_two_of_one_name_made_at_once_at_most_one_stays(
        self, made: Tokens, other: Tokens, storage: FaultyStorage
    ) -> None:
        barrier = threading.Barrier(2)
        put = storage.put

        def both_looked(*arguments: Any, **options: Any) -> Any:
            barrier.wait(10)  # each has seen that the name is free
            return put(*arguments, **options)

        storage.put = both_looked  # type: ignore[method-assign]
        texts: list[str] = []

        def make(where: Tokens) -> None:
            try:
                texts.append(create(where))
            except TokenExists:
                return

        threads = [threading.Thread(target=make, args=[each]) for each in (made, other)]
        for thread in threads:
            thread.start()
        for thread in threads:
            thread.join()
        storage.put = put  # type: ignore[method-assign]
        assert len(texts) == len(made.listing().tokens) <= 1
        assert all(name_of(made, text) == "ci" for text in texts)

    @pytest.mark.parametrize(
        ("name", "allow", "problem"),
        [
            ("CI", ["read:**"], "name: 'CI' names no token"),
            ("ci", ["read"], "allow: 'read' is no ACTION:PATTERN"),
            ("ci", ["read:api/web"], "allow: no repository begins with 'api'"),
        ],
    )
    def test_what_is_wrong_is_said_and_nothing_is_made(
        self, made: Tokens, storage: FaultyStorage, name: str, allow: list[str], problem: str
    ) -> None:
        with pytest.raises(TokenInvalid, match=problem.replace("(", r"\(")):
            made.create(name, allow, lifetime=None, made_by="")
        assert list(storage.list()) == []

    def test_what_failed_stands_in_nobody_s_way(self, made: Tokens, storage: FaultyStorage) -> None:
        storage.fail("put", DOWN, when="after")
        with pytest.raises(Unavailable):
            create(made)
        create(made)
        assert len(made.listing().tokens) == 1

    @pytest.mark.parametrize(
        ("text", "seconds"), [("90d", 90 * 86400), ("12h", 12 * 3600), ("60s", 60), ("never", None)]
    )
    def test_lifetimes_are_read(self, text: str, seconds: float | None) -> None:
        assert parse_lifetime(text) == seconds

    @pytest.mark.parametrize("text", ["", "0s", "59s", "-1d", "soon", "NEVER", "4000d", "90 days"])
    def test_other_lifetimes_are_refused(self, text: str) -> None:
        with pytest.raises(TokenInvalid, match="is not never, nor a duration such as"):
            parse_lifetime(text)

    def test_days_are_not_taken_for_seconds(self) -> None:
        with pytest.raises(TokenInvalid, match="'90' has no unit: write 90d for days"):
            parse_lifetime("90")


class TestWhoAsks:
    def test_a_wrong_secret_is_nobody_s(self, made: Tokens) -> None:
        text = create(made)
        wrong = texts.compose(text[4:14], text[14:44][::-1])
        assert texts.id_in(wrong) is not None
        assert made.identify(wrong) is None
        assert name_of(made, text) == "ci"

    def test_an_expired_one_is_refused_in_its_second_even_where_it_is_remembered(
        self, made: Tokens, now: Clock
    ) -> None:
        text = create(made)
        now.now = NOW + 3599.9
        assert name_of(made, text) == "ci"
        now.now = NOW + 3600
        assert made.identify(text) is None

    def test_one_that_never_expires_does_not(self, made: Tokens, now: Clock) -> None:
        text = create(made, lifetime=None)
        now.now *= 100
        assert name_of(made, text) == "ci"

    def test_garbage_costs_no_look_at_the_storage(self, made: Tokens, storage: FaultyStorage) -> None:
        text = create(made)
        storage.calls.clear()
        for wrong in ("", "crt_", "password", text[:-1], f"{text[:-1]}é", text[:20] + "_" + text[21:]):
            assert made.identify(wrong) is None
        assert storage.calls == []

    def test_what_is_not_there_is_looked_for_once_in_a_while(
        self, made: Tokens, storage: FaultyStorage, clock: Clock
    ) -> None:
        text = texts.compose("0" * 10, "0" * 30)
        for _ in range(3):
            assert made.identify(text) is None
        assert len(storage.calls) == 1
        clock.now += LOOKS
        assert made.identify(text) is None
        assert len(storage.calls) == 2

    def test_a_token_that_is_asked_for_all_the_time_is_looked_at_every_few_seconds(
        self, made: Tokens, storage: FaultyStorage, clock: Clock
    ) -> None:
        text = create(made)
        storage.calls.clear()
        for _ in range(100):
            clock.now += 0.25
            assert name_of(made, text) == "ci"
        assert [call.operation for call in storage.calls].count("open") == 5

    def test_only_so_many_are_remembered(self, made: Tokens, storage: FaultyStorage) -> None:
        text = create(made)
        storage.calls.clear()
        for number in range(MOST + 10):
            made.identify(texts.compose(f"{number:010}", "0" * 30))
            assert name_of(made, text) == "ci"
        assert len(made._known) == MOST
        # The one that is used is not forgotten for others.
        assert storage.calls.count(Call("open", layout.token_key(text[4:14]))) == 1

    def test_a_storage_that_does_not_answer_lets_nobody_in_who_was_not_just_seen(
        self, made: Tokens, other: Tokens, storage: FaultyStorage, clock: Clock
    ) -> None:
        text = create(made)
        made.identify(text)
        storage.fail("open", DOWN, times=None)
        clock.now += LOOKS - 0.1
        assert name_of(made, text) == "ci"
        with pytest.raises(Unavailable):
            other.identify(text)
        clock.now += 0.1
        with pytest.raises(Unavailable):
            made.identify(text)
        storage.heal()
        assert name_of(made, text) == name_of(other, text) == "ci"


class TestRevoking:
    def test_it_holds_in_another_process_within_ten_seconds(self, made: Tokens, other: Tokens, clock: Clock) -> None:
        text = create(made)
        assert name_of(other, text) == "ci"
        made.revoke("ci")
        assert made.identify(text) is None  # at once here
        assert name_of(other, text) == "ci"  # remembered
        clock.now += LOOKS
        assert LOOKS < 10
        assert other.identify(text) is None

    def test_a_look_that_takes_long_does_not_make_it_hold_later(
        self, made: Tokens, other: Tokens, storage: FaultyStorage, clock: Clock
    ) -> None:
        text = create(made)
        opened = storage.open

        def slowly(*arguments: Any, **options: Any) -> Any:
            found = opened(*arguments, **options)
            clock.now += 4
            return found

        storage.open = slowly  # type: ignore[method-assign]
        began = clock.now
        assert name_of(other, text) == "ci"
        storage.open = opened  # type: ignore[method-assign]
        made.revoke("ci")
        clock.now = began + LOOKS
        assert other.identify(text) is None

    def test_nothing_is_left_of_it(self, made: Tokens, storage: FaultyStorage) -> None:
        made.identify(create(made))
        assert len(list(storage.list())) == 2
        made.revoke("ci")
        assert list(storage.list()) == []

    def test_one_can_be_named_by_its_id(self, made: Tokens, now: Clock) -> None:
        first = create(made)
        now.now += 3600
        second = create(made)
        assert made.revoke(first[4:14]) == [first[4:14]]
        assert name_of(made, second) == "ci"

    def test_all_of_a_name_go(self, made: Tokens, now: Clock) -> None:
        first = create(made)
        now.now += 3600
        second = create(made)
        assert sorted(made.revoke("ci")) == sorted([first[4:14], second[4:14]])
        assert made.listing().tokens == ()

    @pytest.mark.parametrize("name", ["di", "", "../x", "0" * 10, "ci/", "C" * 1000])
    def test_one_that_is_not_there_is_said_so(self, made: Tokens, name: str) -> None:
        create(made)
        with pytest.raises(TokenUnknown, match="there is no token"):
            made.revoke(name)
        assert len(made.listing().tokens) == 1

    def test_writing_down_the_last_use_brings_none_back(
        self, made: Tokens, other: Tokens, storage: FaultyStorage, clock: Clock
    ) -> None:
        text = create(made)
        other.identify(text)
        other._known[text[4:14]].noted = float("-inf")
        other._note_use(other._known[text[4:14]], text[4:14])
        made.revoke("ci")
        other._known[text[4:14]].noted = float("-inf")
        other._note_use(other._known[text[4:14]], text[4:14])  # of a request that was under way
        assert [info.key for info in storage.list()] == [layout.token_used_key(text[4:14])]
        clock.now += LOOKS
        assert other.identify(text) is None
        assert made.listing().tokens == ()
        create(made)

    def test_a_failure_is_told_and_can_be_repeated(self, made: Tokens, storage: FaultyStorage) -> None:
        text = create(made)
        storage.fail("delete", DOWN)
        with pytest.raises(Unavailable):
            made.revoke("ci")
        assert name_of(made, text) == "ci"
        made.revoke("ci")
        assert made.identify(text) is None

    def test_who_is_slower_to_revoke_is_content(self, made: Tokens, storage: FaultyStorage) -> None:
        create(made)
        storage.fail("delete", NotFound("it is gone"), when="after")
        made.revoke("ci")


class TestListing:
    def test_all_are_listed_by_name_with_what_may_be_shown(self, made: Tokens, now: Clock) -> None:
        create(made, "web", "read:**", lifetime=None)
        create(made, "ci", lifetime=60)
        now.now += 60
        ci, web = (each.as_json(now()) for each in made.listing().tokens)
        assert ci == {
            "id": ci["id"],
            "name": "ci",
            "allow": ["publish:team/**"],
            "created": "2023-11-14T22:13:20Z",
            "expires": "2023-11-14T22:14:20Z",
            "expired": True,
            "last_used": None,
            "made_by": "user:admin",
        }
        assert (web["name"], web["expires"], web["expired"]) == ("web", None, False)

    def test_the_last_use_is_known_within_the_hour(
        self, made: Tokens, storage: FaultyStorage, clock: Clock, now: Clock
    ) -> None:
        text = create(made, lifetime=None)

        def used() -> int | None:
            return made.listing().tokens[0].used

        assert used() is None
        made.identify(text)
        assert used() == NOW
        storage.calls.clear()
        for _ in range(int(NOTED_EVERY / 60) - 1):
            clock.now += 60
            now.now += 60
            made.identify(text)
        assert used() == NOW
        assert "put" not in [call.operation for call in storage.calls]
        clock.now += 60
        now.now += 60
        made.identify(text)
        assert used() == NOW + NOTED_EVERY

    def test_a_use_that_cannot_be_written_down_is_one_all_the_same(
        self, made: Tokens, storage: FaultyStorage, clock: Clock
    ) -> None:
        text = create(made)
        storage.fail("put", DOWN, times=None)
        assert name_of(made, text) == "ci"
        clock.now += LOOKS
        storage.calls.clear()
        assert name_of(made, text) == "ci"
        assert "put" not in [call.operation for call in storage.calls]  # not tried for each request either

    def test_a_token_that_is_remembered_waits_for_no_note_either(
        self, made: Tokens, storage: FaultyStorage, clock: Clock
    ) -> None:
        text = create(made, lifetime=None)
        made.identify(text)
        clock.now += NOTED_EVERY - 1
        made.identify(text)  # looked at, and too early for a note
        clock.now += 1
        storage.calls.clear()
        assert name_of(made, text) == "ci"
        assert storage.calls == []

    def test_a_wrong_secret_is_no_use(self, made: Tokens) -> None:
        text = create(made)
        made.identify(texts.compose(text[4:14], "0" * 30))
        assert made.listing().tokens[0].used is None

    def test_what_else_lies_there_is_passed_over(self, made: Tokens, storage: FaultyStorage) -> None:
        create(made)
        for key in ("tokens/README", "tokens/short.json", "tokens/0123456789.json.bak", "tokens/a/0123456789.json"):
            storage.put(key, b"?", condition=ANYWAY)
        assert [each.token.name for each in made.listing().tokens] == ["ci"]
        assert made.listing().spoilt == ()


class TestRecordsThatHandsSpoilt:
    @pytest.fixture
    def spoilt(self, made: Tokens, storage: FaultyStorage) -> str:
        """The text of a token whose record is cut off."""
        text = create(made, "spoilt")
        key = layout.token_key(text[4:14])
        with storage.open(key) as file:
            data = file.read()
        storage.put(key, data[:-10], condition=ANYWAY)
        return text

    def test_it_is_refused_with_one_warning_and_others_go_on(
        self, made: Tokens, spoilt: str, clock: Clock, caplog: pytest.LogCaptureFixture
    ) -> None:
        good = create(made)
        caplog.clear()
        for _ in range(3):
            clock.now += LOOKS
            assert made.identify(spoilt) is None
            assert name_of(made, good) == "ci"
        assert len(caplog.messages) <= 1

    def test_the_warning_names_the_object_the_fault_and_the_remedy(
        self, other: Tokens, spoilt: str, caplog: pytest.LogCaptureFixture
    ) -> None:
        caplog.clear()
        other.identify(spoilt)
        (warning,) = caplog.messages
        assert warning == (
            f"the token in tokens/{spoilt[4:14]}.json is refused: the record is no JSON; "
            "revoke it by its id, and make a new one"
        )

    def test_it_is_listed_and_can_be_revoked(self, made: Tokens, spoilt: str) -> None:
        create(made)
        found = made.listing()
        assert [(each.id, each.problem) for each in found.spoilt] == [(spoilt[4:14], "the record is no JSON")]
        assert [each.token.name for each in found.tokens] == ["ci"]
        made.revoke(spoilt[4:14])
        assert made.listing().spoilt == ()

    def test_a_record_under_another_s_id_opens_nothing(self, made: Tokens, storage: FaultyStorage) -> None:
        text = create(made)
        with storage.open(layout.token_key(text[4:14])) as file:
            data = file.read()
        copied = texts.compose("0" * 10, text[14:44])
        storage.put(layout.token_key("0" * 10), data, condition=ANYWAY)
        assert made.identify(copied) is None
        (spoilt,) = made.listing().spoilt
        assert spoilt.problem == f"id: the record is that of '{text[4:14]}'"

    def test_a_record_that_is_put_right_counts_again(self, made: Tokens, storage: FaultyStorage, clock: Clock) -> None:
        text = create(made)
        with storage.open(layout.token_key(text[4:14])) as file:
            record = json.loads(file.read())
        for allow, expected in ((["read"], None), (["read:**"], "ci")):
            data = json.dumps({**record, "allow": allow}).encode()
            storage.put(layout.token_key(text[4:14]), data, condition=ANYWAY)
            clock.now += LOOKS
            assert name_of(made, text) == expected


class TestInADirectory:
    def test_a_token_made_anew_has_its_new_rights_and_no_others(self, made: Tokens) -> None:
        directory = Directory(administrators=(Administrator("admin", "x"),), tokens=made, anonymous_read=False)
        for allow, may in (("read:a", (True, False)), ("read:b", (False, True))):
            caller = directory.identify_token(create(made, "ci", allow))
            assert caller is not None
            rights = directory.rights(caller)
            assert (rights.may(Action.READ, "", "a"), rights.may(Action.READ, "", "b")) == may
            made.revoke("ci")

    def test_none_counts_where_nobody_else_is_known(self, made: Tokens) -> None:
        text = create(made, "ci", "admin:**")
        directory = Directory(tokens=made)
        assert directory.tokens is None
        assert not directory.has_credentials
        assert directory.identify_token(text) is None


def test_replicas_on_a_bucket_share_them(best_s3: S3) -> None:
    location = f"s3://{best_s3.new_bucket()}/prod"
    one, other = (
        Tokens(open_storage(location, S3Options(endpoint=best_s3.endpoint_url, region=REGION)).state) for _ in range(2)
    )
    text = create(one)
    assert name_of(other, text) == "ci"
    (listed,) = one.listing().tokens
    assert listed.used is not None
    assert listed.used >= listed.token.created
    with pytest.raises(TokenExists):
        create(other)
    other.revoke("ci")
    new = Tokens(open_storage(location, S3Options(endpoint=best_s3.endpoint_url, region=REGION)).state)
    assert new.identify(text) is None
    assert one.listing().tokens == ()
