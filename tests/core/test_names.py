"""Which texts can name a repository."""

import pytest

from chartrepo.core.errors import InvalidName
from chartrepo.core.names import MAX_LENGTH, RESERVED_FIRST_SEGMENTS, check_repository, is_part


@pytest.mark.parametrize(
    "text",
    [
        "",
        "team",
        "team/app",
        "charts",
        "team/charts",
        "charts/charts",
        "a/b/c/d/e/f",
        "Team",
        "1",
        "a.b_c-d",
        "a__b",
        "a--b",
    ],
)
def test_segments_as_oci_has_them_name_a_repository_with_capitals_too(text: str) -> None:
    assert check_repository(text) == text


@pytest.mark.parametrize(
    "text",
    [
        "/",
        "/a",
        "a/",
        "a//b",
        ".",
        "..",
        "a/..",
        "../a",
        ".a",
        "a.",
        "-a",
        "a-",
        "a..b",
        "a b",
        "ä",
        "a\n",
        "a\0",
        "a%2f",
        "a\\b",
    ],
)
def test_nothing_else_does_and_the_message_shows_it_on_one_line(text: str) -> None:
    with pytest.raises(InvalidName) as refusal:
        check_repository(text)
    assert repr(text) in str(refusal.value)
    assert "\n" not in str(refusal.value)


@pytest.mark.parametrize("segment", sorted(RESERVED_FIRST_SEGMENTS))
def test_the_server_s_own_segments_are_taken_in_the_first_place_only(segment: str) -> None:
    for text in (segment, f"{segment}/app"):
        with pytest.raises(InvalidName, match=f"at /{segment} itself"):
            check_repository(text)
    assert check_repository(f"team/{segment}") == f"team/{segment}"


def test_a_name_that_is_too_long_is_refused_and_cut_in_the_message() -> None:
    assert check_repository("a" * MAX_LENGTH)
    with pytest.raises(InvalidName) as refusal:
        check_repository("a" * 10_000)
    assert len(str(refusal.value)) < 500


@pytest.mark.parametrize(
    ("text", "part"),
    [("team", True), ("api", True), ("A.b_c--d", True), ("", False), ("a/b", False), ("a..b", False), ("a\n", False)],
)
def test_a_part_is_what_can_stand_between_slashes(text: str, part: bool) -> None:
    assert is_part(text) == part
