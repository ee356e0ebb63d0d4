"""Who may do what, by the rules."""

import random
from itertools import product
from typing import Any

import pytest
import yaml

from chartrepo.core.errors import PermissionsInvalid
from chartrepo.core.patterns import Pattern
from chartrepo.core.permissions import ANONYMOUS, MAX_ENTRIES, MAX_RULES, Action, Caller, Extent, Permissions, Rights

READ, PUBLISH, OVERWRITE, DELETE, ADMIN = Action
ADA = Caller("user:ada", frozenset({"web", "staff"}))
BOB = Caller("user:bob")
CI = Caller("token:ci")

RULES = """
- {who: anonymous, may: read, on: "public/**"}
- {who: authenticated, may: [read], on: ["**"]}
- {who: "group:web", may: [publish, delete], on: ["web/**", "shared/web-*"]}
- {who: ["token:ci", "user:bob"], may: [publish], on: ["**/app"]}
- {who: ["user:root"], may: [admin], on: ["**"]}
"""


def permissions(text: str) -> Permissions:
    return Permissions.parse(yaml.safe_load(text))


def rights(*patterns: str, may: str = "read") -> Rights:
    return Permissions.parse([{"who": "anonymous", "may": may, "on": list(patterns)}]).rights(ANONYMOUS)


def refused(value: object) -> tuple[str, ...]:
    with pytest.raises(PermissionsInvalid) as refusal:
        Permissions.parse(value)
    assert str(refusal.value) == "\n".join(refusal.value.problems)
    assert str(refusal.value).count("\n") == len(refusal.value.problems) - 1
    return refusal.value.problems


def rule(**fields: Any) -> dict[str, Any]:
    return {"who": ["anonymous"], "may": ["read"], "on": ["**"], **fields}


class TestCallers:
    @pytest.mark.parametrize(
        ("caller", "identities"),
        [
            (ANONYMOUS, {"anonymous"}),
            (BOB, {"user:bob", "user:*", "authenticated"}),
            (CI, {"token:ci", "authenticated"}),
            (ADA, {"user:ada", "user:*", "authenticated", "group:web", "group:staff"}),
            (Caller("github:acme/web"), {"github:acme/web", "authenticated"}),
        ],
    )
    def test_a_caller_is_named_by_these_texts(self, caller: Caller, identities: set[str]) -> None:
        assert caller.identities == identities


class TestDeciding:
    @pytest.mark.parametrize(
        ("caller", "action", "repository", "chart", "number"),
        [
            (ANONYMOUS, READ, "public", "web", 1),
            (ANONYMOUS, READ, "", "public", None),
            (ANONYMOUS, READ, "web", "app", None),
            (ANONYMOUS, PUBLISH, "public", "web", None),
            (BOB, READ, "public/a", "web", 1),
            (BOB, READ, "web", "app", 2),
            (BOB, PUBLISH, "web", "app", 4),
            (BOB, PUBLISH, "", "app", 4),
            (BOB, PUBLISH, "web", "other", None),
            (BOB, OVERWRITE, "web", "app", None),
            (CI, PUBLISH, "web", "app", 4),
            (Caller("token:CI"), PUBLISH, "web", "app", None),
            (Caller("user:ci"), PUBLISH, "web", "app", None),
            (ADA, PUBLISH, "web", "app", 3),
            (ADA, PUBLISH, "shared", "web-a", 3),
            (ADA, DELETE, "shared", "app", None),
            (ADA, ADMIN, "web", "app", None),
            (Caller("user:web"), DELETE, "web", "app", None),
            (Caller("user:root"), DELETE, "a/b", "c", 5),
            (Caller("user:root"), READ, "a/b", "c", 2),
            (Caller("user:root"), ADMIN, "", "c", 5),
        ],
    )
    def test_the_first_rule_that_allows_it_decides_and_without_one_nobody_may(
        self, caller: Caller, action: Action, repository: str, chart: str, number: int | None
    ) -> None:
        found = permissions(RULES)
        assert found.rule_for(caller, action, repository, chart) == (found.rules[number - 1] if number else None)
        assert found.rights(caller).may(action, repository, chart) == (number is not None)

    @pytest.mark.parametrize("action", Action)
    def test_admin_is_every_action_and_no_other_action_is_another(self, action: Action) -> None:
        for given in Action:
            assert rights("**", may=given.value).may(action, "a", "b") == (given in {action, ADMIN})

    def test_admin_reaches_no_further_than_its_patterns(self) -> None:
        assert rights("team/**", may="admin").extent(READ, "other") == Extent.NONE

    def test_without_rules_nobody_may_do_anything(self) -> None:
        found = Permissions.parse([])
        assert found.rule_for(ADA, READ, "", "web") is None
        assert not any(found.rights(ADA).anywhere(action) for action in Action)

    def test_the_order_of_the_rules_changes_no_decision(self) -> None:
        chosen = random.Random(3)
        rules = yaml.safe_load(RULES)
        callers = (ANONYMOUS, ADA, BOB, CI, Caller("user:root"))
        asked = [*product(callers, Action, ("", "public", "web", "shared", "a/b"), ("app", "web-a", "public"))]

        def decisions(of: Permissions) -> list[bool]:
            return [of.rights(caller).may(action, *names) for caller, action, *names in asked]

        expected = decisions(Permissions.parse(rules))
        assert {True, False} == set(expected)
        for _ in range(10):
            chosen.shuffle(rules)
            assert decisions(Permissions.parse(rules)) == expected

    def test_rights_say_what_the_rules_say(self) -> None:
        chosen = random.Random(4)
        patterns = ("**", "a/**", "**/a", "*", "*/*", "a/b", "a/*b", "b*/**", "a")
        names = ("a", "b", "user:a", "token:b")
        seen = set()
        for _ in range(200):
            given = [
                {
                    "who": chosen.choices(("anonymous", "authenticated", "user:a", "token:b", "group:g"), k=2),
                    "may": chosen.choices([action.value for action in Action], k=2),
                    "on": chosen.choices(patterns, k=2),
                }
                for _ in range(chosen.randint(0, 3))
            ]
            found = Permissions.parse(given)
            for caller in (
                ANONYMOUS,
                *(Caller(name, frozenset("g" if chosen.random() < 0.5 else "")) for name in names),
            ):
                prepared = found.rights(caller)
                for action, repository, chart in product(Action, ("", "a", "b", "a/b"), ("a", "b", "cb")):
                    may = prepared.may(action, repository, chart)
                    assert may == (found.rule_for(caller, action, repository, chart) is not None)
                    seen.add(may)
        assert seen == {True, False}


class TestTheMissingRule:
    @pytest.mark.parametrize(
        ("caller", "action", "repository", "chart", "written"),
        [
            (ANONYMOUS, READ, "team", "日本", '{who: [anonymous], may: [read], on: ["team/日本"]}'),
            (ANONYMOUS, READ, "team", "web", '{who: [anonymous], may: [read], on: ["team/web"]}'),
            (ADA, PUBLISH, "", "web", '{who: [user:ada], may: [publish], on: ["web"]}'),
            (CI, DELETE, "a/b", "", '{who: [token:ci], may: [delete], on: ["a/b/*"]}'),
            (Caller("user:a b"), ADMIN, "a", "b\n", '{who: ["user:a b"], may: [admin], on: ["a/*"]}'),
        ],
    )
    def test_it_is_for_the_caller_the_action_and_the_chart_alone(
        self, caller: Caller, action: Action, repository: str, chart: str, written: str
    ) -> None:
        assert str(permissions(RULES).missing_rule(caller, action, repository, chart)) == written

    @pytest.mark.parametrize("chart", ["web", "My Chart", "a*b", '"', "\\", "#", "**", "{a}"])
    def test_once_it_is_added_the_caller_may(self, chart: str) -> None:
        missing = Permissions.parse([]).missing_rule(BOB, DELETE, "team", chart)
        added = permissions(f"- {missing}")
        assert added.rules == (missing,)
        assert added.rule_for(BOB, DELETE, "team", chart) == missing
        assert added.rule_for(BOB, READ, "team", chart) is None
        assert added.rule_for(ADA, DELETE, "team", chart) is None
        assert added.rule_for(BOB, DELETE, "team/a", chart) is None


class TestExtent:
    @pytest.mark.parametrize(
        ("patterns", "repository", "extent"),
        [
            (["**"], "a/b", Extent.ALL),
            (["a/b/*"], "a/b", Extent.ALL),
            (["a/**"], "a/b", Extent.ALL),
            (["*/*"], "a", Extent.ALL),
            (["*/*"], "a/b", Extent.NONE),
            (["**/*"], "", Extent.ALL),
            (["*"], "", Extent.ALL),
            (["a/web", "a/*"], "a", Extent.ALL),
            (["a/web", "b/*"], "a", Extent.SOME),
            (["a/w*", "a/*w"], "a", Extent.SOME),
            (["**/web"], "", Extent.SOME),
            (["a/**/web"], "a/b", Extent.SOME),
            (["a/web"], "", Extent.NONE),
            (["a/**"], "", Extent.NONE),
            (["a/b/**"], "a", Extent.NONE),
            (["web"], "web", Extent.NONE),
        ],
    )
    def test_it_tells_how_much_of_a_repository(self, patterns: list[str], repository: str, extent: Extent) -> None:
        found = rights(*patterns)
        assert found.extent(READ, repository) == extent
        assert found.extent(PUBLISH, repository) == Extent.NONE

    def test_it_is_what_asking_about_every_chart_tells(self) -> None:
        chosen = random.Random(5)
        parts = ("a", "b", "*", "a*", "*b", "**", "**")
        charts = ["".join(name) for length in (1, 2, 3) for name in product("abx", repeat=length)]
        seen = []
        for _ in range(300):
            patterns = ["/".join(chosen.choices(parts, k=chosen.randint(1, 3))) for _ in range(chosen.randint(1, 3))]
            found = rights(*patterns)
            for repository in ("", "a", "b", "ab", "a/b", "b/a", "a/a/b"):
                answers = {found.may(READ, repository, chart) for chart in charts}
                seen.append(Extent.SOME if len(answers) == 2 else Extent.ALL if answers == {True} else Extent.NONE)
                assert found.extent(READ, repository) == seen[-1], (patterns, repository)
        assert min(seen.count(extent) for extent in Extent) > 100

    @pytest.mark.parametrize(
        ("patterns", "everywhere"),
        [(["**"], True), (["a", "**/*"], True), (["*/**"], False), (["**/a", "*"], False)],
    )
    def test_everywhere_is_one_pattern_for_all(self, patterns: list[str], everywhere: bool) -> None:
        assert rights(*patterns).everywhere(READ) == everywhere
        assert rights(*patterns).anywhere(READ)
        assert not rights(*patterns).everywhere(PUBLISH)
        assert not rights(*patterns).anywhere(PUBLISH)


class TestFingerprints:
    def test_callers_with_the_same_patterns_have_the_same_whatever_their_rules_are(self) -> None:
        one = permissions(
            "- {who: 'user:ada', may: read, on: ['a/**', 'b/*']}\n"
            "- {who: 'group:g', may: admin, on: ['b/*']}\n"
            "- {who: 'user:bob', may: [read, publish], on: 'a/**/*'}\n"
        )
        ada, bob = one.rights(Caller("user:ada")), one.rights(Caller("user:bob", frozenset({"g"})))
        assert ada.fingerprint(READ) == bob.fingerprint(READ)
        assert ada.fingerprint(PUBLISH) != bob.fingerprint(PUBLISH)

    @pytest.mark.parametrize(
        ("one", "other"),
        [(["a/**"], ["a/*"]), (["a"], ["a", "b"]), (["**"], ["*"]), (["a/b"], ["a", "b"])],
    )
    def test_other_patterns_give_another(self, one: list[str], other: list[str]) -> None:
        assert rights(*one).fingerprint(READ) != rights(*other).fingerprint(READ)

    def test_what_may_everything_needs_no_other_pattern(self) -> None:
        assert rights("a/*", "**").fingerprint(READ) == rights("**/*").fingerprint(READ)

    def test_the_order_changes_nothing(self) -> None:
        assert rights("a", "b/*", "c").fingerprint(READ) == rights("c", "a", "b/*").fingerprint(READ)


class TestReading:
    def test_one_text_stands_for_a_list_and_what_is_there_twice_is_there_once(self) -> None:
        one = Permissions.parse([{"who": "anonymous", "may": "read", "on": "**"}])
        other = Permissions.parse([rule(who=["anonymous"] * 2, may=["read"] * 2, on=["**"] * 2)])
        assert one.rules == other.rules
        assert one.rules[0].on == (Pattern.parse("**"),)

    def test_on_is_read_as_yaml_gives_it_with_quotes_and_without(self) -> None:
        with_quotes = '- {who: anonymous, may: read, "on": "**"}'
        without = "- {who: anonymous, may: read, on: '**'}"
        assert list(yaml.safe_load(without)[0]) == ["who", "may", True]
        assert permissions(with_quotes).rules == permissions(without).rules

    @pytest.mark.parametrize(
        "who",
        [
            "anonymous",
            "authenticated",
            "user:ada",
            "group:web team",
            "token:a:b",
            "github:acme/web:ref:refs/heads/main",
            "gitlab:*",
            "kubernetes:system:serviceaccount:ci:pusher",
            "user:a, b]",
            "user:#1",
            'user:"',
            "user:a:",
            "user:ö",
        ],
    )
    def test_a_rule_is_the_same_once_written_and_read_again(self, who: str) -> None:
        (first,) = Permissions.parse(
            [
                rule(
                    who=[who, "user:x"],
                    may=["admin", "read"],
                    on=["**/a", "true", "1.0", "a: b", '"', "\\", "日本", "😀"],
                )
            ]
        ).rules
        assert permissions(f"- {first}").rules == (first,)
        assert str(permissions(f"- {first}").rules[0]) == str(first)

    def test_a_rule_is_written_as_one_would(self) -> None:
        assert [str(each) for each in permissions(RULES).rules] == [
            '{who: [anonymous], may: [read], on: ["public/**"]}',
            '{who: [authenticated], may: [read], on: ["**"]}',
            '{who: [group:web], may: [publish, delete], on: ["web/**", "shared/web-*"]}',
            '{who: [token:ci, user:bob], may: [publish], on: ["**/app"]}',
            '{who: [user:root], may: [admin], on: ["**"]}',
        ]

    @pytest.mark.parametrize("value", [None, "read", {}, {"who": "anonymous"}, 1])
    def test_what_is_no_list_is_refused_with_what_a_rule_looks_like(self, value: object) -> None:
        (problem,) = refused(value)
        assert problem.startswith("permissions: is no list of rules: write each as '- {who: [authenticated], ")

    @pytest.mark.parametrize(
        ("given", "problem"),
        [
            ("read", ": is no mapping: write {who: [...], may: [...], on: [...]}"),
            ({**rule(), "action": "read"}, ": there is no field 'action': a rule has who, may and on"),
            ({**rule(), True: "**"}, ": there is no field 'True': a rule has"),
            ({"may": "read", "on": "**"}, ", who: is missing or empty: write at least one text"),
            (rule(who=[]), ", who: is missing or empty"),
            (rule(may=None), ", may: is missing or empty"),
            (rule(may=["push"]), ", may: there is no action 'push': write read, publish, overwrite, delete or admin"),
            (rule(may="*"), ", may: there is no action '*': write read"),
            (rule(may=["READ"]), ", may: there is no action 'READ'"),
            (rule(who="*"), ", who: '*' names nobody: write anonymous for everybody, or authenticated"),
            (rule(who="user:*"), ", who: 'user:*' names nobody: write anonymous"),
            (rule(who="ada"), ", who: 'ada' names no caller: write anonymous, authenticated, user:NAME, group:NAME"),
            (rule(who="User:ada"), ", who: 'User:ada' names no caller"),
            (rule(who="user:"), ", who: 'user:' names no caller"),
            (rule(who="user"), ", who: 'user' names no caller"),
            (rule(who="anonymous:x"), ", who: 'anonymous:x' names no caller"),
            (rule(who="user: ada"), ", who: 'user: ada' has blanks around the name"),
            (rule(who="user:a\nb"), ", who: 'user:a\\nb' has blanks around the name, or characters that cannot"),
            (rule(who="user:" + "a" * 508), "... is longer than 512 characters"),
            (rule(who=[1]), ", who: '1' is no text: put it in quotes"),
            (rule(who={"user": "ada"}), ", who: name the issuer, as {issuer: github, repository: acme/web}"),
            (rule(on=[True]), ", on: 'True' is no text: put it in quotes"),
            (rule(on=["a//b"]), ", on: 'a//b' has an empty part"),
            (rule(on=["a"] * (MAX_ENTRIES + 1)), ", on: has 101 entries, and 100 are the most"),
        ],
    )
    def test_what_is_wrong_in_a_rule_is_told_with_its_number_its_field_and_the_remedy(
        self, given: object, problem: str
    ) -> None:
        (found,) = refused([rule(), rule(), given])
        assert found.startswith("permissions, rule 3")
        assert problem in found
        assert len(found) < 300

    def test_all_that_is_wrong_is_told_at_once(self) -> None:
        problems = refused(
            [rule(who=["*", "ada"], may=["push", "read"], on=["/a**"]), rule(), {"who": "anonymous", "x": 1}, None]
        )
        assert [problem.partition(": ")[0].removeprefix("permissions, ") for problem in problems] == [
            "rule 1, who",
            "rule 1, who",
            "rule 1, may",
            "rule 1, on",
            "rule 1, on",
            "rule 3",
            "rule 3, may",
            "rule 3, on",
            "rule 4",
        ]

    def test_as_much_is_read_as_the_bounds_say_and_no_more(self) -> None:
        full = rule(who=[f"user:{number}" for number in range(MAX_ENTRIES)])
        assert len(Permissions.parse([full] * MAX_RULES).rules) == MAX_RULES
        (problem,) = refused([full] * (MAX_RULES + 1))
        assert problem.startswith("permissions: there are 1,001 rules, and 1,000 are the most")


class TestWhatNeverMatches:
    def test_rules_that_all_do_something_are_passed(self) -> None:
        assert permissions(RULES).never_match(users={"bob", "root"}, groups={"web"}) == []

    def test_users_and_groups_that_are_not_there_are_told_where_those_that_are_are_known(self) -> None:
        found = permissions(RULES)
        assert found.never_match() == []
        assert found.never_match(users=["bob"]) == [
            "permissions, rule 5, who: no htpasswd file has the user 'root': add it to one, or take it out of the rule"
        ]
        assert found.never_match(groups=[]) == [
            "permissions, rule 3, who: nobody is in the group 'web': put somebody in, or take it out of the rule"
        ]

    def test_a_pattern_that_no_name_fits_is_told(self) -> None:
        (problem,) = Permissions.parse([rule(on=["api/web", "team/**"])]).never_match()
        assert problem == (
            "permissions, rule 1, on: 'api/web' matches nothing: no repository begins with 'api', where the server "
            "answers itself"
        )

    @pytest.mark.parametrize(
        ("wide", "narrow"),
        [
            (rule(), rule(who="user:ada")),
            (rule(), rule(who="authenticated")),
            (rule(who="authenticated"), rule(who=["group:web", "token:a"])),
            (rule(may="admin"), rule(may=["delete", "read"])),
            (rule(on=["a/**", "b/*"]), rule(on=["b/web", "a/*", "a/b/c"])),
            (rule(who=["user:a", "user:b"], may=["read", "publish"]), rule(who="user:b", may="publish", on="x")),
        ],
    )
    def test_a_rule_that_adds_nothing_to_another_is_told_in_whatever_order_they_are(
        self, wide: dict[str, Any], narrow: dict[str, Any]
    ) -> None:
        said = "gives the same or more to the same callers or more: leave this one out"
        assert Permissions.parse([wide, narrow]).never_match() == [f"permissions, rule 2: rule 1 {said}"]
        assert Permissions.parse([narrow, wide]).never_match() == [f"permissions, rule 1: rule 2 {said}"]

    @pytest.mark.parametrize(
        ("one", "other"),
        [
            (rule(who="authenticated"), rule(who="anonymous", on="a")),
            (rule(who="user:a"), rule(who=["user:a", "user:b"], on="a")),
            (rule(may="read"), rule(may="admin", on="a")),
            (rule(may=["read", "publish", "overwrite", "delete"]), rule(may="admin", on="a")),
            (rule(on="a/*"), rule(on=["a/web", "b"], who="user:a")),
        ],
    )
    def test_a_rule_that_adds_something_is_not(self, one: dict[str, Any], other: dict[str, Any]) -> None:
        assert Permissions.parse([one, other]).never_match() == []

    def test_of_rules_that_say_the_same_the_first_is_kept(self) -> None:
        problems = Permissions.parse([rule(on="a/**"), rule(on="a/**/*"), rule(on="a/**")]).never_match()
        assert [problem.partition(" gives")[0] for problem in problems] == [
            "permissions, rule 2: rule 1",
            "permissions, rule 3: rule 1",
        ]
