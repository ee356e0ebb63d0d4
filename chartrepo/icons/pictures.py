"""A small PNG of our own making, out of whatever somebody says is a picture."""

import io
import warnings
from typing import Final

from PIL import Image

SIDE: Final = 128
"""Pixels of the longer side at most."""
_FORMATS: Final = ("PNG", "JPEG", "GIF", "WEBP", "ICO")
"""Never SVG, which is a document, nor what else Pillow reads and hardly anybody has tried with hostile bytes."""
_MOST_PIXELS: Final = 4 * 1024 * 1024
_LONGEST_SIDE: Final = 16 * 1024

# Formats with pictures inside are looked at by Pillow itself, which refuses twice this number.
Image.MAX_IMAGE_PIXELS = _MOST_PIXELS // 2
warnings.simplefilter("ignore", Image.DecompressionBombWarning)


class NoPictureError(Exception):
    """The bytes are no picture that can be shown; the message says why."""


def small_png(data: bytes) -> bytes:
    """Return the picture as a PNG of at most 128 by 128 pixels, with nothing of the original but what it shows.

    Raises:
        NoPictureError: it is none of the formats that are taken, is broken, or has too many pixels.
    """
    try:
        with Image.open(io.BytesIO(data), formats=_FORMATS) as picture:
            _check_size(picture.size)
            picture.thumbnail((SIDE, SIDE))
            plain = picture.convert("RGBA")
        clean = Image.new("RGBA", plain.size)
        clean.paste(plain)
        out = io.BytesIO()
        clean.save(out, "PNG")
    except NoPictureError:
        raise
    except Exception as error:  # noqa: BLE001 - decoders raise all kinds of things at hostile bytes
        raise NoPictureError(f"it is no picture that can be read: {error}") from None
    return out.getvalue()


def _check_size(size: tuple[int, int]) -> None:
    """Check what the header says, before a pixel is decoded."""
    width, height = size
    if not (0 < width <= _LONGEST_SIDE and 0 < height <= _LONGEST_SIDE) or width * height > _MOST_PIXELS:
        raise NoPictureError(f"it has {width} by {height} pixels, and at most {_MOST_PIXELS} are taken")
