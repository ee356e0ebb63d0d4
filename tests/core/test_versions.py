"""Versions and ranges mean what they mean in Helm. The same is asked of the real helm in tests/e2e."""

import pytest
import semver
from hypothesis import given
from hypothesis import strategies as st

from chartrepo.core.errors import InvalidConstraint, InvalidVersion
from chartrepo.core.versions import Constraint, check, is_stable, newest, parse, resolve, sort_key

LARGEST = 2**64 - 1

numbers = st.one_of(st.integers(0, 12), st.integers(0, LARGEST))
words = st.from_regex(r"[0-9]{0,2}[A-Za-z-][0-9A-Za-z-]{0,3}", fullmatch=True)
prereleases = st.lists(st.one_of(numbers.map(str), words), min_size=1, max_size=4).map(".".join)
builds = st.lists(st.from_regex(r"[0-9A-Za-z-]{1,4}", fullmatch=True), min_size=1, max_size=3).map(".".join)
strict = st.builds(semver.Version, numbers, numbers, numbers, st.none() | prereleases, st.none() | builds)


class TestWhatAVersionIs:
    @pytest.mark.parametrize(
        "text",
        [
            "1.2.3",
            "v1.2.3",
            "1.2",
            "1",
            "v0",
            "01.2.3",
            "1.2.3+build",
            "1.2.3+001.-",
            "1.2.3-rc.1",
            "1-rc.1+x",
            "1.2.3-0",
            "1.2.3-01a.--.-1",
            f"{LARGEST}.{LARGEST}.{LARGEST}",
            "00000000000000000000000000000001.2.3",
            "1.2.3-99999999999999999999999",
            "1.2.3-" + "a" * 250,
        ],
    )
    def test_helm_reads_it(self, text: str) -> None:
        check(text)

    @pytest.mark.parametrize(
        "text",
        [
            "",
            "v",
            "V1.2.3",
            "vv1",
            "1.2.3.4",
            "latest",
            "1.2.3 ",
            " 1.2.3",
            "1.2.3\n",
            "1.",
            ".1",
            "1..2",
            "1.2.3-",
            "1.2.3-a..b",
            "1.2.3-a.",
            "1.2.3+",
            "1.2.3+a+b",
            "1.2.3+a_b",
            "1.2.3-a_b",
            "1.2.x",
            "-1.2.3",
            "+1",
            "1,2,3",
            "\u0661.\u0662.\u0663",
            "1.2.3-\u00e9",
            "\ud800",
        ],
    )
    def test_helm_does_not_read_it(self, text: str) -> None:
        with pytest.raises(InvalidVersion, match=r"is not a semantic version: use three numbers, as 1\.2\.3"):
            check(text)

    def test_the_refusal_quotes_the_text_and_says_what_to_write(self) -> None:
        with pytest.raises(InvalidVersion) as refusal:
            check("1.2.3.4")
        assert str(refusal.value) == ("'1.2.3.4' is not a semantic version: use three numbers, as 1.2.3 or 1.2.3-rc.1")

    @pytest.mark.parametrize("text", ["1.2.3-01", "1.2.3-rc.00+build", "1-a.007.b", "v1.2-0123456789"])
    def test_a_number_in_a_prerelease_must_not_begin_with_a_zero(self, text: str) -> None:
        with pytest.raises(InvalidVersion, match=r"the prerelease number 0\d+ must not begin with a zero"):
            check(text)

    @pytest.mark.parametrize("text", [f"{LARGEST + 1}.0.0", f"1.{LARGEST + 1}", f"v1.2.{LARGEST}0", "9" * 250])
    def test_a_number_that_64_bits_do_not_hold_is_refused(self, text: str) -> None:
        with pytest.raises(InvalidVersion, match=f"no number in it may be larger than {LARGEST}"):
            check(text)

    def test_257_bytes_are_one_too_many(self) -> None:
        with pytest.raises(InvalidVersion, match="longer than the 256 bytes that a version may have: shorten it"):
            check("1.2.3-" + "a" * 251)

    @given(st.text(max_size=400))
    def test_a_refusal_is_one_short_printable_line(self, text: str) -> None:
        with pytest.raises(InvalidVersion) as refusal:
            check(f"{text}!")
        assert str(refusal.value).isprintable()
        assert len(str(refusal.value)) < 1000

    @given(st.text(alphabet="v01.-+aZ_ ", max_size=12))
    def test_all_functions_agree_on_what_a_version_is(self, text: str) -> None:
        verdicts = set()
        for function in (check, parse, is_stable, sort_key):
            try:
                function(text)
            except InvalidVersion:
                verdicts.add("refused")
            else:
                verdicts.add("read")
        assert len(verdicts) == 1

    @given(strict)
    def test_every_strict_version_that_is_not_too_long_is_one(self, version: semver.Version) -> None:
        assert parse(str(version)) == version
        assert parse(str(version)).build == version.build
        assert is_stable(str(version)) == (version.prerelease is None)

    def test_what_is_not_written_is_zero(self) -> None:
        assert str(parse("v1")) == "1.0.0"
        assert str(parse("01.02-rc.1+b-1.2")) == "1.2.0-rc.1+b-1.2"


class TestOrder:
    @given(strict, strict)
    def test_keys_are_ordered_as_the_versions_are(self, one: semver.Version, other: semver.Version) -> None:
        keys = sort_key(str(one)), sort_key(str(other))
        assert (keys[0] > keys[1]) - (keys[0] < keys[1]) == one.compare(other)

    @given(st.lists(numbers, min_size=3, max_size=3), st.lists(prereleases, min_size=2, max_size=2), builds)
    def test_neighbours_are_ordered_as_the_versions_are(self, core: list[int], pair: list[str], build: str) -> None:
        release = ".".join(map(str, core))
        versions = [release, *(f"{release}-{prerelease}+{build}" for prerelease in pair)]
        assert sorted(versions, key=sort_key) == sorted(versions, key=semver.Version.parse)

    def test_the_order_of_the_specification(self) -> None:
        rising = """
            0.0.0-0 0.9.0 0.10.0 1.0.0-alpha 1.0.0-alpha.1 1.0.0-alpha.beta 1.0.0-beta 1.0.0-beta.2 1.0.0-beta.11
            1.0.0-rc.1 1.0.0 1.0.1-0 1.0.1 2 10
        """
        keys = [sort_key(version) for version in rising.split()]
        assert keys == sorted(set(keys))

    @given(strict, builds, st.integers(0, 3))
    def test_the_way_of_writing_and_build_metadata_do_not_count(
        self, version: semver.Version, build: str, zeros: int
    ) -> None:
        plain = str(version.replace(build=None))
        assert sort_key(f"v{'0' * zeros}{plain}+{build}") == sort_key(plain)

    def test_missing_numbers_count_as_zero(self) -> None:
        assert sort_key("1") == sort_key("1.0") == sort_key("1.0.0")
        assert sort_key("1-rc.1") == sort_key("1.0.0-rc.1")

    def test_a_prerelease_number_beyond_64_bits_sorts_as_text(self) -> None:
        rising = ["1.0.0-2", f"1.0.0-{LARGEST}", "1.0.0-10000000000000000000000", f"1.0.0-{LARGEST + 1}", "1.0.0-a"]
        keys = [sort_key(version) for version in rising]
        assert keys == sorted(set(keys))

    @given(strict)
    def test_keys_are_short_and_readable(self, version: semver.Version) -> None:
        key = sort_key(str(version))
        assert len(key) <= 2 * len(str(version)) + 8
        assert key.decode("ascii").isprintable()


RANGES = [
    # range, what it allows, what it does not
    ("*", "0.0.0 1.2.3 99.0.0 1.2.3+build", "1.2.3-rc.1 0.0.0-0"),
    ("x.5.3", "7.0.0", "7.0.0-0"),
    (">0.0.0-0", "0.0.0 0.0.0-1 1.2.3-rc.1", "0.0.0-0"),
    ("1.2.3", "1.2.3 v1.2.3 1.2.3+build", "1.2.4 1.2.3-rc.1"),
    ("=1.2.3+other", "1.2.3 1.2.3+build", "1.2.4"),
    ("= v1.2", "1.2.0 1.2.9", "1.3.0 1.1.9"),
    ("1.2.x", "1.2.0 1.2.9", "1.3.0"),
    ("1.x.3", "1.0.0 1.9.9", "2.0.0"),
    ("1.X", "1.0.0 1.9.9", "2.0.0 0.9.0"),
    ("1", "1.0.0 1.9.9", "2.0.0"),
    ("!=1.2.3", "1.2.4", "1.2.3 1.2.3+build 1.2.4-rc.1"),
    ("!=1.2.x", "1.3.0 2.2.0", "1.2.0 1.2.9"),
    ("!=1.2.x-rc.1", "1.2.0 1.2.0-rc.2 1.3.0", "1.2.0-rc.1 1.2.9-rc.1"),
    ("!=1.x", "2.0.0", "1.0.0 1.9.9"),
    ("!=*", "0.0.1 1.0.0", "0.0.0"),
    (">1.2.3", "1.2.4 2.0.0", "1.2.3 1.2.2 1.3.0-rc.1"),
    (">1.2", "1.3.0 2.0.0", "1.2.9"),
    (">1", "2.0.0", "1.9.9"),
    (">*", "0.0.1", "0.0.0"),
    (">=1.2", "1.2.0 1.3.0", "1.1.9"),
    ("=>1.2.3-rc.1", "1.2.3-rc.1 1.2.3-rc.2 1.2.3 2.0.0-a", "1.2.3-alpha"),
    ("<1.2", "1.1.9", "1.2.0 1.2.1"),
    ("<=1.2.3", "1.2.3 0.1.0", "1.2.4"),
    ("=<1.2", "1.2.9 1.1.0 0.9.0", "1.3.0 2.0.0"),
    ("<=1", "1.9.9 0.1.0", "2.0.0"),
    ("<=*", "0.0.9", "0.1.0 1.0.0"),
    ("~1.2.3", "1.2.3 1.2.9", "1.3.0 1.2.2"),
    ("~>1.2", "1.2.0 1.2.9", "1.3.0"),
    ("~1", "1.0.0 1.9.9", "2.0.0"),
    ("~1.2.3-beta.2", "1.2.3-beta.3 1.2.3 1.2.4-a", "1.2.3-beta.1 1.3.0"),
    ("~0.0.0", "0.0.0 5.1.0", "5.1.0-rc.1"),
    ("~*", "5.1.0", "5.1.0-rc.1"),
    ("^1.2.3", "1.2.3 1.9.9", "2.0.0 1.2.2"),
    ("^1.2", "1.2.0 1.9.9", "2.0.0 1.1.9"),
    ("^0.2.3", "0.2.3 0.2.9", "0.3.0 1.2.3"),
    ("^0.2", "0.2.0 0.2.9", "0.3.0"),
    ("^0.0.3", "0.0.3", "0.0.4 0.1.0"),
    ("^0.0", "0.0.0 0.0.9", "0.1.0"),
    ("^0", "0.0.0 0.9.9", "1.0.0"),
    ("^1.2.3-beta.2", "1.2.3-beta.2 1.9.0-a 1.2.3", "1.2.3-beta.1 2.0.0"),
    (">=1.2 <2", "1.2.0 1.9.9", "2.0.0 1.1.0"),
    (">=1.2,<2", "1.2.0 1.9.9", "2.0.0 1.1.0"),
    (" >= 1.2 , < 2 ", "1.2.0 1.9.9", "2.0.0 1.1.0"),
    ("1.2 - 1.4", "1.2.0 1.4.9", "1.1.9 1.5.0"),
    ("1.2.0 - 1.4.5", "1.2.0 1.4.5", "1.4.6"),
    ("1.2 - 1.4 || 3 - 4", "1.3.0 3.1.0 4.9.0", "2.0.0 5.0.0"),
    ("^1.2 || ^3.1", "1.2.0 3.9.0", "2.0.0 3.0.0"),
    ("<1||>=2.0.0-0", "0.9.0 2.0.0-rc.1 3.0.0", "1.0.0 0.9.0-rc.1"),
]


class TestRanges:
    @pytest.mark.parametrize(("text", "inside", "outside"), RANGES, ids=[text for text, _, _ in RANGES])
    def test_a_range_allows_what_it_allows_in_helm(self, text: str, inside: str, outside: str) -> None:
        constraint = Constraint(text)
        assert [version for version in f"{inside} {outside}".split() if constraint.allows(version)] == inside.split()

    def test_one_bound_with_a_prerelease_lets_them_into_its_alternative_alone(self) -> None:
        constraint = Constraint(">=1.0.0-0 <2 || >=3")
        assert constraint.allows("1.5.0-rc.1")
        assert not constraint.allows("3.5.0-rc.1")

    @pytest.mark.parametrize(
        "text",
        [
            "",
            " ",
            "latest",
            "^^1",
            "==1",
            ">",
            "1.2.3.4",
            "1.2.3-01",
            "1.2-01",
            "1|2",
            "xx",
            "1.xx",
            "1 |2",
            "1 ||",
            "|| 1",
            "1 || || 2",
            "1,,2",
            ",1",
            "1\v2",
            f"^{LARGEST + 1}",
            ">=1 <",
            "1.2.3-a_b",
            "\u0661",
            "\ud800",
        ],
    )
    def test_what_helm_does_not_read_is_refused(self, text: str) -> None:
        with pytest.raises(InvalidConstraint, match="is not a version range: write one as") as refusal:
            Constraint(text)
        assert repr(text) in str(refusal.value)

    @pytest.mark.parametrize("tail", ["!", "-", ",", "|"])
    def test_a_text_made_to_be_slow_is_refused_like_any_other(self, tail: str) -> None:
        with pytest.raises(InvalidConstraint):
            Constraint("1          " * 46 + tail)

    def test_a_range_may_have_512_bytes(self) -> None:
        assert Constraint("1" + " " * 511).allows("1.2.3")
        with pytest.raises(InvalidConstraint, match="longer than the 512 bytes that a range may have: shorten it"):
            Constraint("1" + " " * 512)

    def test_a_range_may_have_32_alternatives(self) -> None:
        assert Constraint("||".join(["1"] * 32)).allows("1.2.3")
        with pytest.raises(InvalidConstraint, match="more than 32 alternatives: ask for fewer"):
            Constraint("||".join(["1"] * 33))

    @given(st.text(alphabet="01xX*v.-+a|<>=!~^, \t", max_size=30))
    def test_any_text_is_a_range_or_refused(self, text: str) -> None:
        try:
            constraint = Constraint(text)
        except InvalidConstraint:
            return
        assert constraint.allows("1.1.0") in {True, False}

    def test_only_versions_are_compared(self) -> None:
        with pytest.raises(InvalidVersion):
            Constraint("*").allows("latest")

    def test_a_range_shows_itself(self) -> None:
        assert repr(Constraint("^1.2")) == "Constraint('^1.2')"


class TestChoosing:
    def test_the_newest_is_the_highest_that_is_allowed(self) -> None:
        assert newest(["1.9.0", "1.10.0", "2.0.0", "1.11.0-rc.1"], Constraint("^1")) == "1.10.0"

    def test_of_equal_ones_the_first_is_newest(self) -> None:
        assert newest(["1.0.0", "1.0.1+b", "1.0.1+a"], Constraint("*")) == "1.0.1+b"

    def test_there_may_be_no_newest(self) -> None:
        assert newest(["1.0.0-rc.1"], Constraint("*")) is None
        assert newest([], Constraint("*")) is None

    def test_no_wish_is_the_newest_stable_version(self) -> None:
        assert resolve(["1.0.0", "1.1.0", "2.0.0-rc.1"], "") == "1.1.0"

    def test_a_version_that_is_there_literally_is_meant(self) -> None:
        versions = ["1.2.9", "1.2", "1.2.0+b", "1.3.0-rc.1"]
        assert resolve(versions, "1.2") == "1.2"
        assert resolve(versions, "1.2.0+b") == "1.2.0+b"
        assert resolve(versions, "1.3.0-rc.1") == "1.3.0-rc.1"

    def test_any_other_wish_is_a_range(self) -> None:
        versions = ["1.2.9", "1.2.1", "2.0.0"]
        assert resolve(versions, "1.2") == "1.2.9"
        assert resolve(versions, "v1.2.1+x") == "1.2.1"
        assert resolve(versions, "3") is None

    def test_a_wish_that_is_neither_is_refused(self) -> None:
        with pytest.raises(InvalidConstraint):
            resolve(["1.0.0"], "newest")
