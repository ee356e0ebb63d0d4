"""Where a chart says that its icon is."""

import base64

import pytest

from chartrepo.core.icons import MOST_BYTES, Embedded, Inside, Remote, Source, source_of

TEXT = base64.b64encode(b"a picture").decode()


@pytest.mark.parametrize(
    ("icon", "expected"),
    [
        ("https://example.com/icon.png", Remote("https://example.com/icon.png")),
        ("  http://example.com/icon?x=1 ", Remote("http://example.com/icon?x=1")),
        ("HTTPS://example.com/icon.png", Remote("HTTPS://example.com/icon.png")),
        ("icon.png", Inside("icon.png")),
        ("./files/icon.png", Inside("files/icon.png")),
        ("files/../icon.png", Inside("icon.png")),
        (f"data:image/png;base64,{TEXT}", Embedded(b"a picture")),
        (f"DATA:image/JPEG;base64,{TEXT}", Embedded(b"a picture")),
    ],
)
def test_what_can_be_shown(icon: str, expected: Source) -> None:
    assert source_of(icon) == expected


@pytest.mark.parametrize(
    "icon",
    [
        None,
        "",
        7,
        [],
        "https://example.com/icon.svg",
        "https://example.com/icon.SVG?x=1",
        "icon.svg",
        f"data:image/svg+xml;base64,{TEXT}",
        f"data:text/html;base64,{TEXT}",
        "data:image/png,raw",
        "data:image/png;base64,%%%",
        "data:image/png;base64," + "A" * (2 * MOST_BYTES),
        "javascript:alert(1)",
        "file:///etc/passwd",
        "ftp://example.com/icon.png",
        "https://",
        "https://[::1/icon.png",
        "//example.com/icon.png",
        "/etc/passwd",
        "../../etc/passwd",
        "a/../../b.png",
        "a\\..\\b.png",
        ".",
        "a" * 300,
        "https://example.com/" + "a" * 3000,
    ],
)
def test_what_never_is(icon: object) -> None:
    assert source_of(icon) is None
