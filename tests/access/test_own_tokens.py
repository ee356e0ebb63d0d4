"""Tokens that users make for themselves: never more than their owner may, and nobody to the rules."""

from collections.abc import Sequence
from pathlib import Path
from typing import Any

import pytest

from chartrepo.access import Administrator, Directory, Htpasswd, Tokens, own_tokens, watch_rules
from chartrepo.access.tokens import LOOKS, MOST_OWN
from chartrepo.core.errors import TokenExists, TokenInvalid, TokenUnknown
from chartrepo.core.permissions import Action, Caller, CappedRights, Extent, Permissions, Rights
from chartrepo.core.tokens import Token
from storage.memory import MemoryStorage
from tests.http.test_permissions import write_rules
from tests.support.repositories import Clock
from tests.support.users import users

RULES: list[tuple[list[str], list[str], list[str]]] = [
    (["user:ada"], ["read", "publish"], ["team/**"]),
    (["user:grace"], ["admin"], ["**"]),
    (["anonymous"], ["read"], ["open/*"]),
    (["token:ci"], ["publish", "delete"], ["ci/**"]),
    (["authenticated"], ["read"], ["known/*"]),
]


@pytest.fixture
def clock() -> Clock:
    return Clock(now=1_000_000.0)


@pytest.fixture
def tokens(clock: Clock) -> Tokens:
    return Tokens(MemoryStorage(), clock=clock, now=clock)


@pytest.fixture
def directory(tmp_path: Path, tokens: Tokens) -> Directory:
    write_rules(tmp_path / "rules.yaml", RULES)
    return Directory(
        administrators=(Administrator("admin", "secret"),),
        users=Htpasswd(users(tmp_path, ada="pass", grace="pass")),
        rules=watch_rules(tmp_path / "rules.yaml"),
        tokens=tokens,
        anonymous_read=False,
    )


def make(
    directory: Directory, user: str = "ada", name: str = "laptop", actions: Sequence[str] = ("read",), **more: Any
) -> tuple[str, Token]:
    caller = directory.user(user)
    given: dict[str, Any] = {"on": ["team/**"], "lasts": "90d", **more}
    assert directory.tokens is not None
    return own_tokens.make(directory.tokens, caller, directory.rights(caller), name=name, actions=actions, **given)


def known(directory: Directory, text: str) -> Caller:
    caller = directory.identify_token(text)
    assert caller is not None
    return caller


class TestWhatItMay:
    def test_it_may_what_was_chosen_and_what_everybody_may(self, directory: Directory) -> None:
        text, token = make(directory, on=["team/web"])
        caller = known(directory, text)
        rights = directory.rights(caller)
        assert (token.owner, token.label, caller.name) == ("user:ada", "user:ada/laptop", "token:user:ada/laptop")
        assert rights.may(Action.READ, "team", "web")
        assert rights.may(Action.READ, "open", "x")
        assert not rights.may(Action.READ, "team", "other")
        assert not rights.may(Action.PUBLISH, "team", "web")

    def test_it_may_not_what_the_rules_give_to_a_token_of_its_name(self, directory: Directory) -> None:
        for name in ("ci", "laptop"):
            text, _ = make(directory, name=name)
            rights = directory.rights(known(directory, text))
            assert not rights.may(Action.PUBLISH, "ci", "web")
            assert not rights.may(Action.DELETE, "ci", "web")
            assert not rights.may(Action.READ, "known", "web"), "rules for authenticated are for its owner"

    def test_no_rule_can_name_it(self, directory: Directory, tmp_path: Path) -> None:
        text, _ = make(directory)
        named = (["token:user:ada/laptop", "token:laptop"], ["admin"], ["**"])
        write_rules(tmp_path / "rules.yaml", [*RULES, named])
        directory.check()
        assert not directory.rights(known(directory, text)).may(Action.PUBLISH, "team", "web")

    def test_what_the_owner_loses_it_loses_at_once(self, directory: Directory, tmp_path: Path) -> None:
        text, _ = make(directory, actions=["read", "publish"])
        assert directory.rights(known(directory, text)).may(Action.PUBLISH, "team", "web")
        write_rules(tmp_path / "rules.yaml", [(["user:ada"], ["read"], ["team/web"])])
        directory.check()
        rights = directory.rights(known(directory, text))
        assert rights.may(Action.READ, "team", "web")
        assert not rights.may(Action.READ, "team", "other")
        assert not rights.may(Action.PUBLISH, "team", "web")

    def test_what_the_owner_gets_it_does_not_get(self, directory: Directory, tmp_path: Path) -> None:
        text, _ = make(directory)
        write_rules(tmp_path / "rules.yaml", [(["user:ada"], ["admin"], ["**"])])
        directory.check()
        rights = directory.rights(known(directory, text))
        assert rights.may(Action.READ, "team", "web")
        assert not rights.may(Action.PUBLISH, "team", "web")
        assert not rights.may(Action.READ, "other", "web")

    def test_it_ends_with_the_owner(self, directory: Directory, tmp_path: Path, clock: Clock) -> None:
        text, token = make(directory)
        users(tmp_path, grace="pass")
        directory.check()
        assert directory.identify_token(text) is None
        assert directory.bearer(token) is None
        users(tmp_path, grace="pass", ada="another")
        directory.check()
        clock.now += LOOKS
        assert directory.identify_token(text) is not None, "another password changes nothing of it"

    def test_the_audit_says_by_which_rule_of_the_owner(self, directory: Directory) -> None:
        text, _ = make(directory, actions=["publish"])
        caller = known(directory, text)
        assert directory.reason(caller, Action.PUBLISH, "team", "web").startswith("rule 1: ")
        assert directory.reason(caller, Action.READ, "team", "web") == ""
        assert directory.reason(caller, Action.READ, "open", "web").startswith("rule 3: ")


class TestMaking:
    @pytest.mark.parametrize(
        ("change", "message"),
        [
            ({"on": ["**"]}, "you may not read all of '\\*\\*': you may read known/\\*, open/\\*, team/\\*\\*"),
            ({"on": ["ci/web"]}, "you may not read all of 'ci/web'"),
            ({"actions": ["delete"]}, "you may not delete at all"),
            ({"actions": ["admin"]}, "choose what the token is for"),
            ({"actions": ["read", "fly"]}, "choose what the token is for"),
            ({"actions": []}, "choose what the token is for"),
            ({"on": []}, "choose on which charts"),
            ({"on": ["te am"]}, "te am"),
            ({"on": ["team/web"] * 2 + [f"team/{number}" for number in range(101)]}, "100 are the most"),
            ({"lasts": "never"}, "within a year"),
            ({"lasts": "3000d"}, "within a year"),
            ({"lasts": "90"}, "write 90d"),
            ({"name": "user:x"}, "names no token"),
            ({"name": "a/b"}, "names no token"),
            ({"name": ""}, "names no token"),
        ],
    )
    def test_what_cannot_be_is_refused_with_a_reason(
        self, directory: Directory, change: dict[str, Any], message: str
    ) -> None:
        with pytest.raises(TokenInvalid, match=message):
            make(directory, **change)

    @pytest.mark.parametrize("name", ["token:ci", "sso:ada", "bearer", "anonymous", "github:a/b", "token:user:ada/x"])
    def test_only_users_make_any(self, directory: Directory, name: str) -> None:
        caller = Caller(name)
        assert directory.tokens is not None
        with pytest.raises(TokenInvalid, match="only who has a password"):
            own_tokens.make(
                directory.tokens, caller, directory.rights(caller), name="x", actions=["read"], on=["**"], lasts="1d"
            )

    def test_two_people_can_take_one_name_and_one_cannot_twice(self, directory: Directory) -> None:
        make(directory)
        make(directory, "grace")
        assert directory.tokens is not None
        directory.tokens.create("laptop", ["read:**"], lifetime=None, made_by="x")
        with pytest.raises(TokenExists):
            make(directory)

    def test_they_are_not_many(self, directory: Directory) -> None:
        for number in range(MOST_OWN):
            make(directory, name=f"t{number}")
        with pytest.raises(TokenInvalid, match="which are the most"):
            make(directory, name="one-more")
        make(directory, "grace", name="one-more")

    def test_what_may_be_chosen_is_offered(self, directory: Directory) -> None:
        ada, grace = (directory.rights(directory.user(name)) for name in ("ada", "grace"))
        assert own_tokens.offered(ada) == [Action.READ, Action.PUBLISH]
        assert own_tokens.suggested(ada) == ["known/*", "open/*", "team/**"]
        assert own_tokens.offered(grace) == list(own_tokens.ACTIONS)
        assert own_tokens.suggested(grace) == ["**"]


class TestLookingAfterThem:
    def test_one_sees_and_revokes_ones_own_alone(self, directory: Directory, tokens: Tokens) -> None:
        text, mine = make(directory)
        _, other = make(directory, "grace")
        assert [each.token for each in tokens.own("user:ada").tokens] == [mine]
        with pytest.raises(TokenUnknown, match="you have no token"):
            tokens.revoke_own("user:ada", other.id)
        with pytest.raises(TokenUnknown):
            tokens.revoke_own("user:ada", "../x")
        assert tokens.revoke_own("user:ada", mine.id) == mine
        assert directory.identify_token(text) is None
        assert tokens.own("user:ada").tokens == ()
        assert [each.token for each in tokens.listing().tokens] == [other]

    def test_an_administrator_revokes_by_label_or_id_and_never_ones_own_by_the_bare_name(
        self, directory: Directory, tokens: Tokens
    ) -> None:
        _, mine = make(directory, name="ci")
        _, bare = tokens.create("ci", [], lifetime=None, made_by="x")
        assert tokens.revoke("ci") == [bare.id]
        assert tokens.revoke("user:ada/ci") == [mine.id]
        _, again = make(directory, name="ci")
        assert tokens.revoke(again.id) == [again.id]
        assert tokens.own("user:ada").tokens == ()
        with pytest.raises(TokenUnknown):
            tokens.revoke("user:ada/ci")

    def test_it_is_found_by_its_label(self, directory: Directory, tokens: Tokens) -> None:
        _, mine = make(directory, name="ci")
        assert tokens.find("ci") is None
        assert tokens.find("user:ada/ci") == mine


class TestTheRecord:
    def test_it_says_whose_it_is(self, directory: Directory) -> None:
        _, token = make(directory)
        assert Token.from_json(token.to_json()) == token

    @pytest.mark.parametrize(
        ("owner", "allow"),
        [
            ("sso:ada", ["read:**"]),
            ("ada", ["read:**"]),
            ("user:" + "x" * 600, ["read:**"]),
            ("user:ada", ["admin:**"]),
        ],
    )
    def test_hands_cannot_make_one_that_may_more(self, owner: str, allow: list[str]) -> None:
        with pytest.raises(TokenInvalid):
            Token("A" * 10, "x", "0" * 64, tuple(allow), 1, None, "", owner)


def test_a_cap_holds_in_every_question() -> None:
    own = Permissions.parse([{"who": "user:x", "may": ["read", "publish"], "on": ["team/**", "solo/a"]}])
    for on, extents in (
        (["**"], [Extent.ALL, Extent.SOME, Extent.NONE]),
        (["team/w*"], [Extent.SOME, Extent.NONE, Extent.NONE]),
        (["solo/*"], [Extent.NONE, Extent.SOME, Extent.NONE]),
    ):
        cap = Rights(Permissions.parse([{"who": "user:y", "may": "read", "on": on}]).rules)
        capped = CappedRights(own.rules, cap)
        assert [capped.extent(Action.READ, name) for name in ("team", "solo", "other")] == extents
        assert not capped.everywhere(Action.READ)
        assert capped.anywhere(Action.READ)
        assert not capped.anywhere(Action.PUBLISH)
        assert capped.patterns(Action.PUBLISH) == []
        for repository in ("team", "solo", "other"):
            for chart in ("web", "a", "x"):
                both = Rights(own.rules).may(Action.READ, repository, chart) and cap.may(Action.READ, repository, chart)
                assert capped.may(Action.READ, repository, chart) is both
    narrow, wide = (
        CappedRights(own.rules, Rights(Permissions.parse([{"who": "user:y", "may": "read", "on": on}]).rules))
        for on in ("team/web", "**")
    )
    assert narrow.fingerprint(Action.READ) != wide.fingerprint(Action.READ)
