"""Where a request comes from, and who may say so."""

import ipaddress

import pytest

from chartrepo.http.addresses import Addresses, caller_address
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


@pytest.mark.parametrize(
    ("peer", "headers", "expected"),
    [
        ("192.0.2.1", {"HTTP_HOST": "charts.example.com"}, "http://charts.example.com"),
        ("192.0.2.1", {"HTTP_HOST": "[::1]:8080", "wsgi.url_scheme": "https"}, "https://[::1]:8080"),
        ("192.0.2.1", {"HTTP_HOST": "a", "HTTP_X_FORWARDED_HOST": "evil", "HTTP_X_FORWARDED_PROTO": "ftp"}, "http://a"),
        ("10.0.0.1", {"HTTP_HOST": "a", "HTTP_X_FORWARDED_HOST": "b", "HTTP_X_FORWARDED_PROTO": "https"}, "https://b"),
        ("10.0.0.1", {"HTTP_HOST": "a", "HTTP_X_FORWARDED_HOST": "evil, b"}, "http://b"),
        ("10.0.0.1", {"HTTP_HOST": "a", "HTTP_X_FORWARDED_PROTO": "https"}, "https://a"),
        ("10.0.0.1", {"HTTP_HOST": "a", "HTTP_X_FORWARDED_PROTO": "javascript"}, ""),
        ("192.0.2.1", {"HTTP_HOST": 'a"b'}, ""),
        ("192.0.2.1", {}, ""),
    ],
)
def test_where_a_request_went_is_said_by_trusted_proxies_or_the_client(
    peer: str, headers: dict[str, str], expected: str
) -> None:
    trusted = (ipaddress.ip_network("10.0.0.0/8"),)
    assert Addresses(trusted).origin({"REMOTE_ADDR": peer, **headers}) == expected
    assert Addresses(trusted, "https://x").origin({"REMOTE_ADDR": peer, **headers}) == "https://x"
