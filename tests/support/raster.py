"""Pictures for tests, good ones and hostile ones."""

import io
import struct
import zlib

from PIL import Image

SIGNATURE = b"\x89PNG\r\n\x1a\n"


def picture(kind: str = "PNG", size: tuple[int, int] = (300, 200), color: str = "#c04020", **options: object) -> bytes:
    """A picture of one color."""
    out = io.BytesIO()
    Image.new("RGB", size, color).save(out, kind, **options)
    return out.getvalue()


def chunk(kind: bytes, data: bytes) -> bytes:
    """A part of a PNG."""
    return struct.pack(">I", len(data)) + kind + data + struct.pack(">I", zlib.crc32(kind + data))


def bomb(width: int, height: int) -> bytes:
    """A PNG of a few kilobytes that says that it has so many pixels, and has many of them."""
    header = struct.pack(">IIBBBBB", width, height, 8, 0, 0, 0, 0)
    return SIGNATURE + chunk(b"IHDR", header) + chunk(b"IDAT", zlib.compress(b"\0" * 10_000_000)) + chunk(b"IEND", b"")


def colors(png: bytes) -> tuple[tuple[int, int], tuple[int, ...]]:
    """The size of a PNG, and the color in the middle of it."""
    with Image.open(io.BytesIO(png), formats=("PNG",)) as opened:
        width, height = opened.size
        middle = opened.convert("RGB").getpixel((width // 2, height // 2))
        assert isinstance(middle, tuple)
        return (width, height), tuple(map(int, middle))
