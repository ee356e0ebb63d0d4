"""How pages say times."""

import pytest

from chartrepo.http.pages.wording import ago, exact, time_tag

NOW = 1_800_000_000
HOUR, DAY = 3_600, 86_400


@pytest.mark.parametrize(
    ("seconds", "said"),
    [
        (0, "just now"),
        (9, "just now"),
        (10, "10 seconds ago"),
        (60, "1 minute ago"),
        (2 * HOUR - 1, "1 hour ago"),
        (DAY, "1 day ago"),
        (29 * DAY, "29 days ago"),
        (30 * DAY, "1 month ago"),
        (364 * DAY, "12 months ago"),
        (365 * DAY, "1 year ago"),
        (-5 * DAY, "in 5 days"),
    ],
)
def test_times_are_told_as_people_say_them(seconds: int, said: str) -> None:
    assert ago(NOW - seconds, NOW) == said


def test_the_exact_time_is_there_for_who_wants_it() -> None:
    assert exact(NOW) == "15 January 2027, 08:00 UTC"
    assert time_tag(NOW, NOW) == (
        '<time datetime="2027-01-15T08:00:00Z" title="15 January 2027, 08:00 UTC">just now</time>'
    )
