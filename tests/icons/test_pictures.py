"""Pictures of strangers become small PNGs of our own, or nothing, and cost little memory."""

import io
import random
import struct
import tracemalloc
import zlib
from contextlib import suppress

import pytest
from PIL import Image
from PIL.PngImagePlugin import PngInfo

from chartrepo.icons.pictures import NoPictureError, small_png
from tests.support.raster import SIGNATURE, bomb, chunk, colors, picture

RED = (192, 64, 32)
SVG = b'<svg xmlns="http://www.w3.org/2000/svg"><script>alert(1)</script></svg>'


@pytest.mark.parametrize("kind", ["PNG", "JPEG", "GIF", "WEBP", "ICO"])
def test_formats_that_are_taken(kind: str) -> None:
    size = (128, 128) if kind == "ICO" else (300, 200)
    found, color = colors(small_png(picture(kind, size)))
    assert found == ((128, 128) if kind == "ICO" else (128, 85))
    assert all(abs(one - other) < 12 for one, other in zip(color, RED, strict=True))


def test_a_small_picture_keeps_its_size_and_what_one_sees_through() -> None:
    out = io.BytesIO()
    Image.new("RGBA", (16, 8), (10, 20, 30, 40)).save(out, "PNG")
    with Image.open(io.BytesIO(small_png(out.getvalue()))) as made:
        assert (made.size, made.getpixel((3, 3))) == ((16, 8), (10, 20, 30, 40))


def test_nothing_else_of_the_original_is_left() -> None:
    info = PngInfo()
    info.add_text("Comment", "a secret")
    info.add_itxt("XML:com.adobe.xmp", "a secret")
    data = picture(pnginfo=info, icc_profile=b"a secret" * 100) + b"<script>a secret</script>"
    exif = Image.Exif()
    exif[0x010E] = "a secret"
    for original in (data, picture("JPEG", exif=exif, comment=b"a secret")):
        assert b"a secret" in original
        made = small_png(original)
        assert b"a secret" not in made
        with Image.open(io.BytesIO(made)) as opened:
            opened.load()
            assert opened.info == {}


@pytest.mark.parametrize(
    "data",
    [
        b"",
        SVG,
        b"<html>",
        b"%PDF-1.7",
        picture("BMP"),
        picture("TIFF"),
        picture("PPM"),
        picture()[:200],
        picture("JPEG")[:100],
        picture("GIF")[:20],
        SIGNATURE,
        SIGNATURE + chunk(b"IHDR", b"\0" * 13),
    ],
)
def test_what_is_no_picture_or_none_that_is_taken(data: bytes) -> None:
    with pytest.raises(NoPictureError):
        small_png(data)


def ico_of(inner: bytes) -> bytes:
    """An icon file that says 16 by 16, of whatever is in it."""
    return struct.pack("<HHH", 0, 1, 1) + struct.pack("<BBBBHHII", 16, 16, 0, 0, 1, 32, len(inner), 22) + inner


@pytest.mark.parametrize(
    "data",
    [
        bomb(50_000, 50_000),
        bomb(2049, 2049),
        bomb(1_000_000, 1),
        bomb(2**31 - 1, 2**31 - 1),
        ico_of(bomb(50_000, 50_000)),
        b"GIF89a"
        + struct.pack("<HH", 65535, 65535)
        + b"\x80\0\0"
        + b"\0" * 6
        + b",\0\0\0\0\xff\xff\xff\xff\0\x02\x02L\x01\0;",
        SIGNATURE
        + chunk(b"IHDR", struct.pack(">IIBBBBB", 8, 8, 8, 0, 0, 0, 0))
        + chunk(b"iCCP", b"p\0\0" + zlib.compress(b"\0" * 200_000_000)),
        SIGNATURE
        + chunk(b"IHDR", struct.pack(">IIBBBBB", 8, 8, 8, 0, 0, 0, 0))
        + chunk(b"zTXt", b"p\0\0" + zlib.compress(b"\0" * 200_000_000)) * 5,
    ],
    ids=["pixels", "one too many", "a long line", "huge", "inside an ico", "gif", "profile", "text"],
)
def test_bombs_do_not_go_off(data: bytes) -> None:
    assert len(data) < 2**20
    tracemalloc.start()
    try:
        with pytest.raises(NoPictureError):
            small_png(data)
        assert tracemalloc.get_traced_memory()[1] < 64 * 2**20
    finally:
        tracemalloc.stop()


def test_broken_bytes_raise_nothing_else() -> None:
    chance = random.Random(7)
    for kind in ("PNG", "JPEG", "GIF", "WEBP", "ICO"):
        original = picture(kind, (64, 64))
        for _ in range(150):
            data = bytearray(original)
            for _ in range(chance.randint(1, 8)):
                data[chance.randrange(len(data))] = chance.randrange(256)
            with suppress(NoPictureError):
                assert small_png(bytes(data)).startswith(SIGNATURE)
