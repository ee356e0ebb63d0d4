"""The kinds of value a setting can have: how each is read from text, and written back.

Every source of settings gives text (a flag, the environment, a scalar of the YAML file as it is written), so one reader
serves all. Nothing here touches the disk or the network: a path or a URL is only looked at.
"""

import ipaddress
import re
from collections.abc import Callable
from dataclasses import dataclass
from pathlib import Path
from typing import Generic, TypeVar
from urllib.parse import urlsplit

from chartrepo.core.sizes import EXPECTED, parse_size, written_size

T = TypeVar("T")
Word = TypeVar("Word", bound=str)


def _mask(_value: object) -> str:
    return "***"


@dataclass(frozen=True, slots=True)
class Kind(Generic[T]):
    """One kind of value.

    Attributes:
        expected: completes "... is not", as in "a whole number from 0 to 65535".
        metavar: stands for the value in a help text.
        parse: text to value; raises `ValueError` where the text is none of the kind.
        show: value to text; `parse(show(value)) == value`.
        hide: value to the text that may be shown of it when the setting is a secret.
        choices: all texts, where they can be counted.
    """

    expected: str
    metavar: str
    parse: Callable[[str], T]
    show: Callable[[T], str] = str
    hide: Callable[[T], str] = _mask
    choices: tuple[str, ...] = ()


@dataclass(frozen=True, slots=True)
class Folder:
    """Packages lie in a folder on disk."""

    path: Path

    def __str__(self) -> str:
        return _show_path(self.path)


@dataclass(frozen=True, slots=True)
class Bucket:
    """Packages lie in a bucket of an S3-compatible store.

    Attributes:
        name: of the bucket.
        prefix: what all keys begin with, without a slash at either end; empty for the whole bucket.
    """

    name: str
    prefix: str

    def __str__(self) -> str:
        return f"s3://{self.name}/{self.prefix}" if self.prefix else f"s3://{self.name}"


_TRUE = frozenset({"true", "yes", "on", "1"})
_FALSE = frozenset({"false", "no", "off", "0"})


def _parse_boolean(text: str) -> bool:
    word = text.lower()
    if word not in _TRUE | _FALSE:
        raise ValueError
    return word in _TRUE


BOOLEAN: Kind[bool] = Kind("true or false", "BOOLEAN", _parse_boolean, lambda value: "true" if value else "false")


def _whole_number(text: str) -> int:
    if not re.fullmatch(r"[0-9]{1,15}", text):
        raise ValueError
    return int(text)


def whole(low: int, high: int, metavar: str = "N") -> Kind[int]:
    """Whole numbers from `low` to `high`, both included."""

    def parse(text: str) -> int:
        number = _whole_number(text)
        if not low <= number <= high:
            raise ValueError
        return number

    return Kind(f"a whole number from {low} to {high}", metavar, parse)


PORT = whole(0, 65535, "PORT")


def optional(kind: Kind[T], word: str = "off") -> Kind[T | None]:
    """Values of `kind`, or `word` (and an empty text), which is read as None."""

    def parse(text: str) -> T | None:
        return None if text.lower() in {word, ""} else kind.parse(text)

    def show(value: T | None) -> str:
        return word if value is None else kind.show(value)

    if not kind.choices:
        return Kind(f"{kind.expected}, or {word}", kind.metavar, parse, show)
    choices = (word, *kind.choices)
    return Kind(_listed(choices), "|".join(choices), parse, show, choices=choices)


def _listed(choices: tuple[str, ...]) -> str:
    return f"{', '.join(choices[:-1])} or {choices[-1]}"


def one_of(*choices: Word) -> Kind[Word]:
    """Exactly one of these words, in any case."""
    by_word = {choice.lower(): choice for choice in choices}

    def parse(text: str) -> Word:
        if text.lower() not in by_word:
            raise ValueError
        return by_word[text.lower()]

    return Kind(_listed(choices), "|".join(choices), parse, choices=choices)


_SECONDS = {"ms": 0.001, "s": 1.0, "m": 60.0, "h": 3600.0, "d": 86400.0}


def _show_duration(seconds: float) -> str:
    # A minute and a day read better as 60s and 24h, an hour as 1h.
    for unit, least in (("d", 2), ("h", 1), ("m", 2)):
        count, rest = divmod(seconds, _SECONDS[unit])
        if count >= least and not rest:
            return f"{count:.0f}{unit}"
    return f"{seconds:g}s" if seconds >= 1 or not seconds else f"{seconds * 1000:g}ms"


def duration(low: float, high: float) -> Kind[float]:
    """Spans of time, in seconds, from `low` to `high`; a bare number counts seconds."""

    def parse(text: str) -> float:
        match = re.fullmatch(r"([0-9]{1,9}(?:\.[0-9]{1,6})?)(ms|s|m|h|d)?", text)
        if match is None:
            raise ValueError
        seconds = float(match[1]) * _SECONDS[match[2] or "s"]
        if not low <= seconds <= high:
            raise ValueError
        return seconds

    expected = f"a duration such as 500ms, 60s, 5m or 1h, from {_show_duration(low)} to {_show_duration(high)}"
    return Kind(expected, "DURATION", parse, _show_duration)


SIZE: Kind[int] = Kind(EXPECTED, "SIZE", parse_size, written_size)


def text_of(pattern: str, expected: str, metavar: str) -> Kind[str]:
    """Texts that match `pattern` as a whole."""

    def parse(text: str) -> str:
        if not re.fullmatch(pattern, text):
            raise ValueError
        return text

    return Kind(expected, metavar, parse)


def _parse_host(text: str) -> str:
    host = text[1:-1] if text.startswith("[") and text.endswith("]") else text
    if ":" in host:
        return str(ipaddress.IPv6Address(host))
    if not re.fullmatch(r"[A-Za-z0-9]([A-Za-z0-9._-]{0,253})", host):
        raise ValueError
    return host


HOST: Kind[str] = Kind("an address or host name such as 127.0.0.1, 0.0.0.0, :: or localhost", "HOST", _parse_host)


def is_loopback(host: str) -> bool:
    """Whether only this machine reaches a server that listens on `host`. Of names only localhost is trusted."""
    if host.lower() == "localhost":
        return True
    try:
        return ipaddress.ip_address(host).is_loopback
    except ValueError:
        return False


def _parse_path(text: str) -> Path:
    if not text:
        raise ValueError
    return Path(text)


def _show_path(path: Path) -> str:
    return str(path) if path.is_absolute() or path.parts[:1] == ("..",) else f"./{path}"


PATH: Kind[Path] = Kind("a folder", "DIR", _parse_path, _show_path)
Network = ipaddress.IPv4Network | ipaddress.IPv6Network


def _parse_networks(text: str) -> tuple[Network, ...]:
    return tuple(ipaddress.ip_network(part.strip()) for part in text.split(",") if part.strip())


NETWORKS: Kind[tuple[Network, ...]] = Kind(
    "addresses or networks such as 10.0.0.0/8,::1",
    "NETWORKS",
    _parse_networks,
    lambda networks: ",".join(map(str, networks)),
)
FILE: Kind[Path] = Kind("a file", "FILE", _parse_path, _show_path)

_SEGMENT = re.compile(r"[A-Za-z0-9._~-]+")


def _parse_context_path(text: str) -> str:
    segments = text.strip("/").split("/") if text.strip("/") else []
    if any(not _SEGMENT.fullmatch(segment) or not segment.strip(".") for segment in segments):
        raise ValueError
    return "".join(f"/{segment}" for segment in segments)


CONTEXT_PATH: Kind[str] = Kind("a path of letters, digits and . _ ~ - such as /charts", "PATH", _parse_context_path)


def _parse_url(text: str) -> str:
    if not text:
        return ""
    parts = urlsplit(text)
    plain = not (parts.query or parts.fragment or "@" in parts.netloc or re.search(r"[\s\"'<>\\]", text))
    if parts.scheme not in {"http", "https"} or not parts.hostname or not plain:
        raise ValueError
    parts.port  # noqa: B018 - the property is read because it raises ValueError for a port that is none
    return text.rstrip("/")


URL: Kind[str] = Kind("an http:// or https:// URL without user, query and fragment", "URL", _parse_url)


def _parse_storage(text: str) -> Folder | Bucket:
    scheme, separator, rest = text.partition("://")
    if not separator:
        return Folder(_parse_path(text))
    name, _, prefix = rest.partition("/")
    prefix = prefix.strip("/")
    segments = prefix.split("/") if prefix else []
    if scheme.lower() != "s3" or not re.fullmatch(r"[A-Za-z0-9][A-Za-z0-9._-]{1,254}", name):
        raise ValueError
    if any(not segment.strip(".") for segment in segments):
        raise ValueError
    return Bucket(name, prefix)


STORAGE: Kind[Folder | Bucket] = Kind("a folder, or a bucket as s3://bucket/prefix", "DIR|s3://...", _parse_storage)

_CATALOG_URL = re.compile(r"sqlite:///[^?#]+|postgresql://[^/?#]*(/[^?#]*)?(\?.*)?|postgresql://.+@.+", re.DOTALL)


def _parse_catalog(text: str) -> str:
    if not _CATALOG_URL.fullmatch(text):
        raise ValueError
    return text


def _hide_catalog(url: str) -> str:
    hidden = re.sub(r"^(postgresql://[^:@/?]*):.*@", r"\1:***@", url)
    return re.sub(r"([?&][a-z]*pass[a-z]*=)[^&]*", r"\1***", hidden)


CATALOG: Kind[str] = Kind(
    "sqlite:///FILE or postgresql://USER:PASSWORD@HOST/DATABASE", "URL", _parse_catalog, hide=_hide_catalog
)
