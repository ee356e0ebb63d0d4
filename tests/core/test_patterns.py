"""Which charts a pattern is for."""

import random
from collections.abc import Iterable, Iterator, Sequence
from itertools import product

import pytest

from chartrepo.core.errors import PermissionsInvalid
from chartrepo.core.patterns import EVERYTHING, MAX_LENGTH, Pattern, nearest

PARTS = ("a", "b", "*", "a*", "*b", "a*b", "**", "**")


def matched(text: str, paths: Iterable[str]) -> list[str]:
    pattern = Pattern.parse(text)
    return [path for path in paths if pattern.matches(path.rpartition("/")[0], path.rpartition("/")[2])]


def naive(parts: Sequence[str], names: Sequence[str]) -> bool:
    """The rules as they are told, tried in every way."""
    if not parts:
        return not names
    first, *others = parts
    if first == "**":
        least = 1 if not others else 0  # a path ends in a chart
        return any(naive(others, names[taken:]) for taken in range(least, len(names) + 1))
    return bool(names) and naive_part(first, names[0]) and naive(others, names[1:])


def naive_part(part: str, name: str) -> bool:
    if not part:
        return not name
    if part[0] == "*":
        return any(naive_part(part[1:], name[taken:]) for taken in range(len(name) + 1))
    return name[:1] == part[0] and naive_part(part[1:], name[1:])


def some_patterns(seed: int, number: int) -> Iterator[str]:
    chosen = random.Random(seed)
    while number:
        text = "/".join(chosen.choices(PARTS, k=chosen.randint(1, 4)))
        if text.split("/").count("**") <= 3:
            number -= 1
            yield text


NAMES = ("a", "b", "ab", "ba", "aab")
PATHS = tuple("/".join(names) for length in (1, 2, 3, 4) for names in product(NAMES, repeat=length))


class TestMatching:
    @pytest.mark.parametrize(
        ("pattern", "paths", "others"),
        [
            ("**", ["web", "team/web", "a/b/c/web"], []),
            ("web", ["web"], ["team/web", "web/web", "webs", "Web"]),
            ("*", ["web"], ["team/web"]),
            ("web-*", ["web-", "web-a", "web-a-b"], ["web", "my-web-a", "web-a/b"]),
            ("*-web-*", ["-web-", "a-web-web-b"], ["web", "a-web", "web-b"]),
            ("*ab*ab*", ["abab", "xabxabx"], ["ab", "aab", "xabx"]),
            ("a*a", ["aa", "aba"], ["a", "ab"]),
            ("a*bc*c", ["abcc", "axbcxc"], ["abc", "acbc"]),
            ("team/**", ["team/web", "team/a/web"], ["team", "teams/web", "a/team/web"]),
            ("team/*", ["team/web"], ["team", "team/a/web"]),
            ("team/**/**", ["team/web", "team/a/web"], ["team"]),
            ("**/web", ["web", "team/web", "a/b/web"], ["web/a", "my-web"]),
            ("**/*", ["web", "a/b/web"], []),
            ("*/**", ["team/web", "a/b/web"], ["web"]),
            ("a/**/z", ["a/z", "a/b/z", "a/z/z"], ["a", "z", "a/b", "b/a/z"]),
            ("**/a/**", ["a/web", "b/a/web", "b/a/c/web", "a/a"], ["a", "b/a", "web"]),
            ("*/*/web", ["a/b/web"], ["web", "a/web", "a/b/c/web"]),
            ("a.b+[c]?", ["a.b+[c]?"], ["axb+c", "a.b+[c]"]),
        ],
    )
    def test_a_pattern_is_for_these_charts_and_not_for_those(
        self, pattern: str, paths: list[str], others: list[str]
    ) -> None:
        assert matched(pattern, (*paths, *others)) == paths

    @pytest.mark.parametrize(("repository", "chart"), [("team", ""), ("", ""), ("", "team/web"), ("team", "/")])
    def test_what_can_name_no_chart_is_matched_by_nothing(self, repository: str, chart: str) -> None:
        assert not Pattern.parse("**").matches(repository, chart)
        assert not Pattern.parse("team/*").matches(repository, chart)
        assert not Pattern.parse("*").matches(repository, chart)

    def test_it_matches_what_the_rules_tried_in_every_way_match(self) -> None:
        found = 0
        for text in some_patterns(seed=1, number=150):
            expected = [path for path in PATHS if naive(text.split("/"), path.split("/"))]
            assert matched(text, PATHS) == expected, text
            found += len(expected)
        assert found > 1_000

    def test_a_hostile_name_and_a_hostile_pattern_end(self) -> None:
        """Tried in every way this takes longer than the universe is old."""
        pattern = Pattern.parse("**/" + "*a" * 50 + "*b/**/" + "*a" * 50 + "*b/**/c")
        assert not pattern.matches("/".join(["a" * 1_000] * 100), "c")
        assert pattern.matches("/".join(["a" * 1_000, "a" * 999 + "b", "a" * 99 + "b"]), "c")


class TestRepositories:
    @pytest.mark.parametrize(
        ("pattern", "fills", "reaches", "misses"),
        [
            ("**", ["", "team", "a/b"], [], []),
            ("**/*", ["", "team", "a/b"], [], []),
            ("*", [""], [], ["team"]),
            ("*/*", ["team"], [], ["", "a/b"]),
            ("*/**", ["team", "a/b"], [], [""]),
            ("team/*", ["team"], [], ["", "team/a", "teams"]),
            ("team/**", ["team", "team/a"], [], ["", "a/team"]),
            ("a/**", ["a", "a/b", "a/b/c"], [], ["b/a"]),
            ("**/web", [], ["", "team", "a/b"], []),
            ("web", [], [""], ["web", "team"]),
            ("team/web-*", [], ["team"], ["", "team/web-1"]),
            ("a/**/b/*", ["a/b", "a/c/b", "a/b/b"], [], ["a", "a/b/c"]),
            ("team/*/web", [], ["team/a"], ["team", "team/a/b"]),
        ],
    )
    def test_a_pattern_fills_reaches_or_misses_a_repository(
        self, pattern: str, fills: list[str], reaches: list[str], misses: list[str]
    ) -> None:
        parsed, all_of_them = Pattern.parse(pattern), (*fills, *reaches, *misses)
        assert [repository for repository in all_of_them if parsed.fills(repository)] == fills
        assert [repository for repository in all_of_them if parsed.reaches(repository)] == fills + reaches

    @pytest.mark.parametrize(
        ("pattern", "folder"),
        [("web", ""), ("*", ""), ("team/*", "team"), ("team/a/**", "team"), ("**", None), ("t*/a", None)],
    )
    def test_a_pattern_is_found_by_where_its_repositories_begin(self, pattern: str, folder: str | None) -> None:
        assert Pattern.parse(pattern).folder == folder


class TestCovering:
    @pytest.mark.parametrize(
        ("wide", "narrow"),
        [
            ("**", "team/web-*"),
            ("**/*", "**"),
            ("**", "**/*"),
            ("team/**", "team/**/*"),
            ("team/**", "team/a/**"),
            ("team/*/**", "team/**/*/*"),
            ("**/*", "*/**/web"),
            ("**/web", "team/**/web"),
            ("web-*", "web-a*"),
            ("*-*", "*a-b*"),
            ("*", "*-*"),
            ("a/**/*/z", "a/**/b*/**/z"),
        ],
    )
    def test_a_pattern_covers_another(self, wide: str, narrow: str) -> None:
        assert Pattern.parse(wide).covers(Pattern.parse(narrow))

    @pytest.mark.parametrize(
        ("one", "other"),
        [
            ("*", "**"),
            ("team/**", "**"),
            ("team/**", "team"),
            ("*/**", "**/web"),
            ("web-a*", "web-*"),
            ("a*a", "a*"),
            ("a/**/b/**/c", "a/**/c"),
            ("a/*/**/z", "a/**/z"),
            ("a", "b"),
        ],
    )
    def test_a_pattern_does_not_cover_another(self, one: str, other: str) -> None:
        assert not Pattern.parse(one).covers(Pattern.parse(other))

    def test_what_covers_another_matches_all_that_it_matches_and_what_does_not_lacks_something(self) -> None:
        """A path of letters that stand in no pattern is the hardest, so that these tell all there is to tell."""
        names = ("a", "b", "x", "ax", "xb", "axb")
        paths = ["/".join(path) for length in range(1, 6) for path in product(names, repeat=length)]
        patterns = sorted({text for text in some_patterns(seed=2, number=100) if text.count("/") < 3})[:40]
        theirs = {text: {*matched(text, paths)} for text in patterns}
        covered = 0
        for one, other in product(patterns, repeat=2):
            covers = Pattern.parse(one).covers(Pattern.parse(other))
            assert covers == (theirs[one] >= theirs[other]), (one, other)
            covered += covers
        assert len(patterns) < covered < len(patterns) ** 2

    @pytest.mark.parametrize("text", ["**", "**/**", "**/*", "**/**/*"])
    def test_everything_is_known_however_it_is_written(self, text: str) -> None:
        assert Pattern.parse(text).canonical == EVERYTHING

    @pytest.mark.parametrize("text", ["*", "*/**", "**/web", "**/*/*", "team/**"])
    def test_less_is_not_everything(self, text: str) -> None:
        assert Pattern.parse(text).canonical != EVERYTHING


class TestReading:
    @pytest.mark.parametrize(
        ("text", "problem"),
        [
            ("", "'' is empty: write"),
            ("/", "'/' has an empty part: write one '/' between two parts"),
            ("/a", "has an empty part"),
            ("a/", "has an empty part"),
            ("a//b", "has an empty part"),
            (".", "has a part '.' or '..'"),
            ("a/../b", "has a part '.' or '..'"),
            ("a**", "has '**' beside other characters: give '**' a part of its own"),
            ("a/***", "has '**' beside other characters"),
            ("**/a/**/b/**/c/**", "has more than 3 parts '**'"),
            ("a\n", "'a\\n' has a character that cannot be seen"),
            ("a\u202eb", "has a character that cannot be seen"),
            ("a" * (MAX_LENGTH + 1), "... is longer than 256 characters"),
        ],
    )
    def test_what_is_no_pattern_is_refused_with_the_remedy_on_one_line(self, text: str, problem: str) -> None:
        with pytest.raises(PermissionsInvalid) as refusal:
            Pattern.parse(text)
        (found,) = refusal.value.problems
        assert problem in found
        assert "\n" not in found
        assert len(found) < 300

    def test_all_that_is_wrong_is_told(self) -> None:
        with pytest.raises(PermissionsInvalid) as refusal:
            Pattern.parse("/../a**\0")
        assert len(refusal.value.problems) == 4

    @pytest.mark.parametrize("text", ["**/a/**/b/**", "a" * MAX_LENGTH, "...", "My Chart", "日本/*"])
    def test_all_else_is_one_and_shown_as_it_was_written(self, text: str) -> None:
        assert str(Pattern.parse(text)) == text


class TestNames:
    @pytest.mark.parametrize(
        ("text", "obstacle"),
        [
            ("a b/web", "no repository has a part 'a b'"),
            ("team/-*/web", "no repository has a part '-*'"),
            ("a..*/web", "no repository has a part 'a..*'"),
            ("*_/**", "no repository has a part '*_'"),
            ("team/ä/**", "no repository has a part 'ä'"),
            ("api/**", "no repository begins with 'api'"),
            ("v2/web", "no repository begins with 'v2'"),
        ],
    )
    def test_a_pattern_for_repositories_that_cannot_be_says_why(self, text: str, obstacle: str) -> None:
        found = Pattern.parse(text).obstacle()
        assert found is not None
        assert found.startswith(obstacle)

    @pytest.mark.parametrize(
        "text",
        ["**", "api", "a b", "Team/My Chart", "**/api/*", "team/api/*", "ap*/web", "a-*-b/*", "*_*/web", "*.*/x"],
    )
    def test_a_pattern_for_charts_that_can_be_has_no_obstacle(self, text: str) -> None:
        assert Pattern.parse(text).obstacle() is None

    @pytest.mark.parametrize(
        ("repository", "chart", "pattern"),
        [
            ("", "web", "web"),
            ("team/app", "web", "team/app/web"),
            ("team", "a b", "team/a b"),
            ("team", "", "team/*"),
            ("", "", "*"),
            ("team", "**", "team/*"),
            ("team", "a**b", "team/*"),
            ("team", "a/b", "team/*"),
            ("team", "..", "team/*"),
            ("team", "a\nb", "team/*"),
            ("team", "a" * 300, "team/*"),
        ],
    )
    def test_the_nearest_pattern_is_for_the_chart_or_else_for_its_repository(
        self, repository: str, chart: str, pattern: str
    ) -> None:
        assert str(nearest(repository, chart)) == pattern
