"""Which addresses of charts a page may link to."""

import pytest

from chartrepo.core import weblinks


@pytest.mark.parametrize(
    "address",
    [
        "https://example.com",
        "http://example.com:8080/a?b=c#d",
        "HTTPS://EXAMPLE.COM/",
        "https://user@example.com/x",
        "https://[::1]/x",
        "https://bücher.example/ä",
        "mailto:ada@example.com?subject=Hello",
    ],
)
def test_ordinary_addresses_are_linked_to(address: str) -> None:
    assert weblinks.checked(f" {address}\n") == address


@pytest.mark.parametrize(
    "address",
    [
        "",
        "javascript:alert(1)",
        "JaVaScRiPt:alert(1)",
        "java\tscript:alert(1)",
        "\x01javascript:alert(1)",
        "data:text/html,<script>alert(1)</script>",
        "vbscript:x",
        "file:///etc/passwd",
        "ftp://example.com",
        "//example.com/x",
        "/ui/delete/x",
        "relative",
        "https:",
        "https:///x",
        "https:/\\example.com",
        "https://exa mple.com",
        "https://example.com\\@other.example",
        "https://[::1",
        "https://example.com:port/",
        "https://example.com/\u202etxt",
        "https://example.com/\u200b",
        "https://@/",
        "mailto:",
        "mailto:nobody",
        "https://example.com/" + "a" * weblinks.LONGEST,
    ],
)
def test_all_else_is_not(address: str) -> None:
    assert weblinks.checked(address) is None


def test_mail_addresses_are_no_way_to_say_more() -> None:
    assert weblinks.mail_to("ada+charts@example.com") == "mailto:ada+charts@example.com"
    assert weblinks.mail_to("ada@example.com?bcc=eve@example.com") is None
    assert weblinks.mail_to("ada") is None
