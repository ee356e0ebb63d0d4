"""Where a request comes from, and who may say so."""

import pytest

from chartrepo.http.addresses import caller_address
from chartrepo.kinds import NETWORKS


@pytest.mark.parametrize(
    ("peer", "forwarded", "expected"),
    [
        ("192.0.2.1", "", "192.0.2.1"),
        ("192.0.2.1", "198.51.100.7", "192.0.2.1"),  # whoever asks directly is believed nothing
        ("10.0.0.1", "", "10.0.0.1"),
        ("10.0.0.1", "198.51.100.7", "198.51.100.7"),
        ("10.0.0.1", "203.0.113.9, 198.51.100.7", "198.51.100.7"),  # the first one was made up
        ("10.0.0.1", "198.51.100.7, 10.9.9.9", "198.51.100.7"),
        ("10.0.0.1", "198.51.100.7:1234", "198.51.100.7"),
        ("::1", "[2001:db8::7]:1234", "2001:db8::7"),
        ("::1", "2001:db8::7", "2001:db8::7"),
        ("::ffff:10.0.0.1", "198.51.100.7", "198.51.100.7"),
        ("10.0.0.1", "unknown", "10.0.0.1"),
        ("10.0.0.1", "198.51.100.7, unknown, 10.0.0.2", "10.0.0.2"),
        ("10.0.0.1", ", ".join(["10.0.0.2"] * 1000), "10.0.0.2"),
        ("", "198.51.100.7", ""),
    ],
)
def test_proxies_that_are_trusted_say_where_a_request_comes_from(peer: str, forwarded: str, expected: str) -> None:
    trusted = NETWORKS.parse("10.0.0.0/8, ::1")
    assert caller_address({"REMOTE_ADDR": peer, "HTTP_X_FORWARDED_FOR": forwarded}, trusted) == expected


def test_nobody_is_trusted_unless_it_is_said() -> None:
    assert caller_address({"REMOTE_ADDR": "10.0.0.1", "HTTP_X_FORWARDED_FOR": "198.51.100.7"}, ()) == "10.0.0.1"
