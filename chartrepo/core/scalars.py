"""What a YAML scalar means to go-yaml v2, and what text Helm puts into a field of text for it.

YAML 1.1 with differences: `y` and `n` are booleans, `0o14` and `014` are twelve, `08` is a float, dates and `1:30` are
texts. The rules are those of go-yaml's `resolve` and of sigs.k8s.io/yaml's conversion to JSON.
"""

import base64
import binascii
import math
import re
import struct
from collections.abc import Mapping
from dataclasses import dataclass
from datetime import date
from typing import Final

from chartrepo.core.messages import shown


class InvalidYamlError(ValueError):
    """A text that Helm does not read, or that is larger than allowed. The message names the line where it is known."""


@dataclass(frozen=True, slots=True)
class Scalar:
    """A scalar that is not a text.

    Attributes:
        value: what go-yaml makes of it.
        text: what was written.
    """

    value: bool | int | float | None
    text: str


def read_scalar(text: str, tag: str | None, *, plain: bool) -> str | Scalar:
    """Read a scalar.

    Args:
        text: without quotes, and with escapes replaced.
        tag: in its long form, where one is written.
        plain: whether it stands without quotes.

    Raises:
        InvalidYamlError: the text does not fit the tag.
    """
    if tag is None:
        if not plain or (text and text[0] not in _MAY_BE_NO_TEXT):
            return text
        _, value = _resolve(text, "")
    elif tag == _BINARY:
        return _decoded(text)
    elif tag not in _CHECKED_TAGS:
        return text
    else:
        value = _fitted(text, tag)
    return text if isinstance(value, str) else Scalar(value, text)


def text_of(scalar: Scalar) -> str:
    """The text that Helm puts into a field of text where this scalar was written; for null the empty one.

    Floats go through 32 bits: 1.10 is "1.1", 1234567.8 is "1.2345678e+06".
    """
    value = scalar.value
    if value is None:
        return ""
    if isinstance(value, bool):
        return "true" if value else "false"
    return str(value) if isinstance(value, int) else _shortest(value)


def text_of_key(scalar: Scalar) -> str | None:
    """The JSON name of a key that this scalar was written for; None where it can be none."""
    value = scalar.value
    if value is None or (isinstance(value, int) and value not in _INT64):
        return None
    text = text_of(scalar)
    return _ODD_KEYS.get(text, text)


def is_json(scalar: Scalar) -> bool:
    """Whether JSON has such a value. It has no infinities and no NaN, so that Helm fails on them."""
    return not isinstance(scalar.value, float) or math.isfinite(scalar.value)


_ODD_KEYS: Final = {"NaN": ".nan", "+Inf": ".inf", "-Inf": "-.inf"}

_TAG: Final = "tag:yaml.org,2002:"
_TEXT, _BOOL, _INT, _FLOAT, _NULL, _TIME, _BINARY = (
    _TAG + name for name in ("str", "bool", "int", "float", "null", "timestamp", "binary")
)
_CHECKED_TAGS: Final = frozenset((_BOOL, _INT, _FLOAT, _NULL, _TIME))

MERGE_TAG: Final = _TAG + "merge"

_Meaning = bool | int | float | str | None

# go-yaml looks at the first character before anything else.
_MAY_BE_NO_TEXT: Final = frozenset("yYnNtTfFoO~+-.0123456789")
_NUMERIC: Final = frozenset("+-0123456789")
_WORDS: Final[Mapping[str, tuple[str, _Meaning]]] = {
    **dict.fromkeys(("y", "Y", "yes", "Yes", "YES", "true", "True", "TRUE", "on", "On", "ON"), (_BOOL, True)),
    **dict.fromkeys(("n", "N", "no", "No", "NO", "false", "False", "FALSE", "off", "Off", "OFF"), (_BOOL, False)),
    **dict.fromkeys(("", "~", "null", "Null", "NULL"), (_NULL, None)),
    **dict.fromkeys((".nan", ".NaN", ".NAN"), (_FLOAT, math.nan)),
    **dict.fromkeys((".inf", ".Inf", ".INF", "+.inf", "+.Inf", "+.INF"), (_FLOAT, math.inf)),
    **dict.fromkeys(("-.inf", "-.Inf", "-.INF"), (_FLOAT, -math.inf)),
}
_INTEGER: Final = re.compile(
    r"([-+]?)(?:0[xX](?P<hex>[0-9a-fA-F]+)|0[bB](?P<bin>[01]+)|0[oO]?(?P<oct>[0-7]+)|(?P<dec>0|[1-9][0-9]*))"
)
_BASES: Final = {"hex": 16, "bin": 2, "oct": 8, "dec": 10}
_LONGEST_INTEGER: Final = 64
"""Digits. More do not fit into 64 bits in any base, and Python refuses to read thousands of them."""
_SIGNED_BINARY: Final = re.compile(r"0b([-+][01]{1,64})")
_DECIMAL: Final = re.compile(r"[-+]?(\.[0-9]+|[0-9]+(\.[0-9]*)?)([eE][-+]?[0-9]+)?")
_POINT_FIRST: Final = re.compile(r"\.[0-9]+([eE][-+]?[0-9]+)?")
_HOUR: Final = r"(?:2[0-3]|[01]?[0-9])(?::[0-5]?[0-9]){2}(?:[.,][0-9]+)?"
_MOMENT: Final = re.compile(
    rf"([0-9]{{4}})-([0-9]{{1,2}})-([0-9]{{1,2}})(?:[Tt]{_HOUR}(?:Z|[-+][0-9]{{2}}:[0-9]{{2}})| {_HOUR})?"
)
_INT64: Final = range(-(2**63), 2**63)
_UINT64: Final = range(2**64)


def _resolve(text: str, tag: str) -> tuple[str, _Meaning]:
    """The tag and value of a plain scalar. Only what is tagged as a time is one; else it is a text."""
    first = text[:1]
    if first and first not in _MAY_BE_NO_TEXT:
        return _TEXT, text
    if text in _WORDS:
        return _WORDS[text]
    if first in _NUMERIC:
        return (_TIME, text) if tag == _TIME and _is_moment(text) else _number(text)
    return _float(text, _POINT_FIRST) or (_TEXT, text)


def _number(text: str) -> tuple[str, _Meaning]:
    plain = text.replace("_", "")
    integer = _integer(plain)
    if integer is not None:
        return _INT, integer
    odd = _SIGNED_BINARY.fullmatch(plain)  # Go strips the 0b itself where its number parser failed
    if odd and int(odd[1], 2) in _INT64:
        return _INT, int(odd[1], 2)
    return _float(plain, _DECIMAL) or (_TEXT, text)


def _integer(plain: str) -> int | None:
    found = _INTEGER.fullmatch(plain)
    if not found or found.lastgroup is None:
        return None
    digits = found[found.lastgroup].lstrip("0") or "0"
    if len(digits) > _LONGEST_INTEGER:
        return None
    value = int(found[1] + digits, _BASES[found.lastgroup])
    return value if value in _INT64 or (value in _UINT64 and not found[1]) else None


def _float(plain: str, pattern: re.Pattern[str]) -> tuple[str, float] | None:
    if not pattern.fullmatch(plain):
        return None
    value = float(plain)
    return None if math.isinf(value) else (_FLOAT, value)


def _is_moment(text: str) -> bool:
    found = _MOMENT.fullmatch(text)
    if not found:
        return False
    try:
        date(int(found[1]), int(found[2]), int(found[3]))
    except ValueError:
        return False
    return True


def _fitted(text: str, tag: str) -> _Meaning:
    kind, value = _resolve(text, tag)
    if tag == _FLOAT and kind == _INT and isinstance(value, int) and value in _INT64:
        return float(value)
    if kind != tag:
        raise InvalidYamlError(f"{shown(text)} is not of the type !!{tag.removeprefix(_TAG)}")
    return value


def _decoded(text: str) -> str:
    try:
        data = base64.b64decode(text.translate(_LINE_ENDS), validate=True)
    except (binascii.Error, ValueError):
        raise InvalidYamlError(f"{shown(text)} is not base64, as !!binary asks for") from None
    return _UNDECODED.sub("\ufffd", data.decode("utf-8", "surrogateescape"))  # one for each byte, as Go does


_UNDECODED: Final = re.compile("[\udc80-\udcff]")
_LINE_ENDS: Final = {ord("\r"): None, ord("\n"): None}


def _shortest(value: float) -> str:
    """Go's ``FormatFloat(value, 'g', -1, 32)``: the fewest digits that name the same 32-bit float."""
    narrow = _narrowed(value)
    if not math.isfinite(narrow):
        return "NaN" if math.isnan(narrow) else "+Inf" if narrow > 0 else "-Inf"
    texts = (f"{narrow:.{digits}e}" for digits in range(_MOST_DIGITS))
    mantissa, _, exponent = next(text for text in texts if _narrowed(float(text)) == narrow).partition("e")
    power = int(exponent)
    if power in _WRITTEN_PLAINLY:
        digits = len(mantissa.lstrip("-").replace(".", ""))
        return f"{narrow:.{max(0, digits - 1 - power)}f}"
    return f"{mantissa}e{power:+03d}"


_MOST_DIGITS: Final = 9
"""So many name any 32-bit float."""
_WRITTEN_PLAINLY: Final = range(-4, 6)
"""Powers of ten that Go writes without an exponent."""


def _narrowed(value: float) -> float:
    try:
        return float(struct.unpack("<f", struct.pack("<f", value))[0])
    except OverflowError:
        return math.copysign(math.inf, value)
