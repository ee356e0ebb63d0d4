r"""The repository index: entries made once, joined into whole documents in two forms.

A version's entry is rendered when it is published (`entry`), without its `urls`, since those depend on where the server
is reached. A chart's entries are joined into a `Block`; a document is a header, the blocks in the order of their names,
and a footer. Nothing here is rendered twice for a change elsewhere.

Both forms are read by Helm. The YAML one quotes every string, because Helm's reader takes an unquoted `1.10`, `y` or
`08` for something else and then refuses the whole index. The JSON one is YAML as well (no surrogate pairs, no `\/`),
and Helm reads it four to five times faster.
"""

import hashlib
import json
import re
from array import array
from collections.abc import Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass
from datetime import UTC, datetime
from enum import Enum
from functools import lru_cache
from typing import Any, Final, NamedTuple, Protocol
from urllib.parse import quote

_MAX_IMPLICIT_KEY: Final = 1000
"""YAML 1.1 ends an implicit key after 1,024 characters; quotes and a margin are counted in."""

_SAFE: Final = "+~"
"""Besides letters, digits and `._-`, what stands in an address as it is."""
_PLAIN_FILE: Final = re.compile("[A-Za-z0-9._+~-]+")

_PLAIN_KEY: Final = re.compile("[A-Za-z][A-Za-z-]{2,99}")
_NOT_PLAIN: Final = frozenset({"yes", "off", "true", "false", "null"})

_ENCODER: Final = json.JSONEncoder(ensure_ascii=False, separators=(",", ":"))
"""`json.dumps` would make one for each text."""
_NOT_RAW_IN_YAML: Final = re.compile("[\x7f-\x9f\u2028\u2029\ufeff\ufffe\uffff]")
"""What JSON takes raw but YAML does not, or takes for a line break."""


_CREATED: Final = re.compile(rb'created"?: ?"([0-9]{4}-[0-9]{2}-[0-9]{2}T[0-9]{2}:[0-9]{2}:[0-9]{2}Z)"')


class Form(Enum):
    """The two ways an index is written, with their media types."""

    YAML = "application/x-yaml"
    JSON = "application/json"


class Entry(NamedTuple):
    """A version's index entry, in both forms. Without `urls` the JSON has no end yet, so that they can be added."""

    yaml: str
    json: str


class Listed(Protocol):
    """A version as a block lists it."""

    @property
    def file(self) -> str:
        """Name of its package file."""
        ...

    @property
    def text(self) -> str:
        """Its entry without `urls`, in the block's form."""
        ...

    @property
    def stable(self) -> bool:
        """Whether it is no prerelease."""
        ...


def timestamp(seconds: int) -> str:
    """Return seconds since the epoch as RFC 3339 in UTC, which is all that Helm reads: `2026-01-31T12:00:00Z`."""
    return datetime.fromtimestamp(seconds, UTC).replace(tzinfo=None).isoformat() + "Z"


def entry(metadata: Mapping[str, Any], *, created: int, digest: str) -> Entry:
    """Render a version's index entry.

    Args:
        metadata: as `ChartVersion.metadata` has it: JSON values under Helm's names, empty ones left out.
        created: time of publication, seconds since the epoch.
        digest: SHA-256 of the package in hex.
    """
    whole = whole_entry({**metadata, "created": timestamp(created), "digest": digest})
    return Entry(yaml=whole.yaml, json=whole.json[:-1])


def whole_entry(fields: Mapping[str, Any]) -> Entry:
    """Render an index entry that has all its fields, `urls` among them."""
    yaml = "".join(_yaml_fields(fields, indent="    "))
    return Entry(yaml="  - " + yaml[4:], json=_json(fields))


def entry_with_urls(entry_json: str, file: str, *, url_prefix: str) -> str:
    """Return a version's whole entry as JSON, out of what `entry` made of it."""
    return f'{entry_json},"urls":[{_url(url_prefix, file)}]}}'


def _url(prefix: str, file: str) -> str:
    return f'{_opened(prefix)}{file if _PLAIN_FILE.fullmatch(file) else quote(file, safe=_SAFE)}"'


@lru_cache(maxsize=64)
def _opened(prefix: str) -> str:
    """Return a text in JSON that goes on."""
    return _json(prefix)[:-1]


def _json(value: object) -> str:
    text = _ENCODER.encode(value)
    return _NOT_RAW_IN_YAML.sub(_escape, text)


def _escape(match: re.Match[str]) -> str:
    return f"\\u{ord(match[0]):04x}"


def _yaml_fields(fields: Mapping[str, Any], indent: str) -> Iterator[str]:
    """Yield lines of a block mapping. Keys are Helm's own names, except in annotations and below import-values."""
    for key, value in fields.items():
        yield f"{indent}{_yaml_key(key, indent)}"
        yield from _yaml_value(value, indent)


def _yaml_key(key: str, indent: str) -> str:
    """Return a key with its colon, plain where that can be read in one way only."""
    if _PLAIN_KEY.fullmatch(key) and key.lower() not in _NOT_PLAIN:
        return f"{key}:"
    quoted = _json(key)
    return f"{quoted}:" if len(quoted) < _MAX_IMPLICIT_KEY else f"? {quoted}\n{indent}:"


def _yaml_value(value: object, indent: str) -> Iterator[str]:
    match value:
        case dict() if value:
            yield "\n"
            yield from _yaml_fields(value, indent + "  ")
        case list() if value:
            yield "\n"
            for item in value:
                if isinstance(item, dict) and item:
                    lines = "".join(_yaml_fields(item, indent + "  "))
                    yield f"{indent}- {lines[len(indent) + 2 :]}"
                else:
                    yield f"{indent}- {_json(item)}\n"
        case _:
            yield f" {_json(value)}\n"


@dataclass(frozen=True, slots=True)
class Block:
    """All versions of one chart as an index lists them, newest first.

    Attributes:
        data: the chart's part of the document, in one form.
        starts: where in `data` each entry starts; one more says where the last one ends.
        newest_stable: which entry is the newest without a prerelease; None where there is none.
        digest: SHA-256 of `data`.
    """

    data: bytes
    starts: "array[int]"
    newest_stable: int | None
    digest: bytes

    def newest(self, count: int) -> bytes:
        """Return the part with only the newest `count` versions and, wherever it stands, the newest stable one."""
        last = len(self.starts) - 1
        if count >= last:
            return self.data
        head = self.data[: self.starts[count]]
        tail = self.data[self.starts[last] :]
        if self.newest_stable is None or self.newest_stable < count:
            return head.removesuffix(b",") + tail
        kept = self.data[self.starts[self.newest_stable] : self.starts[self.newest_stable + 1]]
        return head + kept.removesuffix(b",") + tail


def block(form: Form, name: str, versions: Sequence[Listed], *, url_prefix: str) -> Block:
    """Render a chart's part of an index.

    Args:
        form: how.
        name: of the chart.
        versions: newest first, at least one.
        url_prefix: what to put before the file name: `charts/`, or an absolute address that ends so.
    """
    if form is Form.YAML:
        opening = f"  {_yaml_key(name, '  ')}\n"
        texts = [f"{v.text}    urls:\n    - {_url(url_prefix, v.file)}\n" for v in versions]
        closing = ""
    else:
        opening = f"{_json(name)}:["
        texts = [entry_with_urls(v.text, v.file, url_prefix=url_prefix) + "," for v in versions]
        texts[-1] = texts[-1][:-1]
        closing = "]"
    encoded = [text.encode() for text in texts]
    start = len(opening.encode())
    starts = array("I", [start])
    for piece in encoded:
        start += len(piece)
        starts.append(start)
    data = b"".join([opening.encode(), *encoded, closing.encode()])
    stable = next((position for position, version in enumerate(versions) if version.stable), None)
    return Block(data, starts, stable, hashlib.sha256(data).digest())


def newest_created(blocks: Iterable[bytes]) -> int:
    """Return the latest time that is called `created` in some blocks, in seconds since the epoch; 0 for none.

    A chart can call something else so; then it is that chart which seems younger than it is.
    """
    found = max((max(_CREATED.findall(data), default=b"") for data in blocks), default=b"")
    return int(datetime.fromisoformat(found.decode()).timestamp()) if found else 0


def chart(form: Form, name: str, entries: Sequence[str]) -> bytes:
    """Render a chart's part of an index out of whole entries, newest first, at least one."""
    if form is Form.YAML:
        return f"  {_yaml_key(name, '  ')}\n{''.join(entries)}".encode()
    return f"{_json(name)}:[{','.join(entries)}]".encode()


@dataclass(frozen=True, slots=True)
class Frame:
    """What stands around the blocks of a document."""

    header: bytes
    separator: bytes
    footer: bytes

    def document(self, parts: Iterable[bytes]) -> Iterator[bytes]:
        """Yield the whole document, a piece at a time, around the charts' parts."""
        yield self.header
        first = True
        for part in parts:
            if not first and self.separator:
                yield self.separator
            first = False
            yield part
        yield self.footer


def frame(form: Form, *, generated: int, context_path: str, empty: bool) -> Frame:
    """Return what stands around the blocks.

    Args:
        form: how.
        generated: time of the repository's last change, seconds since the epoch.
        context_path: where the server's own API starts, for cm-push; empty at the root of the host.
        empty: whether no block will stand in it.
    """
    when = timestamp(generated)
    if form is Form.YAML:
        info = f"serverInfo:\n  contextPath: {_json(context_path)}\n" if context_path else ""
        entries = "entries: {}\n" if empty else "entries:\n"
        return Frame(f'apiVersion: v1\ngenerated: "{when}"\n{info}{entries}'.encode(), b"", b"")
    info = f'"serverInfo":{_json({"contextPath": context_path})},' if context_path else ""
    return Frame(f'{{"apiVersion":"v1","generated":"{when}",{info}"entries":{{'.encode(), b",", b"}}\n")
