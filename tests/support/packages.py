"""Chart packages for tests: sound ones in one call, and every odd one a tar or gzip writer would refuse to make.

``package("app", "1.0.0")`` is what most tests want. ``archive`` takes entries one by one and writes their headers by
hand, so that links, devices, lying sizes and broken checksums come out as asked. Same arguments, same bytes.
"""

import io
import json
import struct
import zlib
from collections.abc import Iterable, Mapping
from dataclasses import dataclass
from typing import Final

BLOCK: Final = 512
END: Final = bytes(2 * BLOCK)


@dataclass(frozen=True)
class Entry:
    """One tar entry. `size` and `checksum` are the true ones unless said otherwise; `kind` is the type flag."""

    path: str | bytes
    data: bytes = b""
    kind: bytes = b"0"
    link: str = ""
    size: int | bytes | None = None
    checksum: int | None = None
    magic: bytes = b"ustar\x0000"
    prefix: bytes = b""


@dataclass(frozen=True)
class Link:
    """Stands in place of a file's bytes: a symbolic link."""

    target: str


@dataclass(frozen=True)
class Raw:
    """Bytes put into the tar as they are."""

    data: bytes


Item = Entry | Raw | tuple[str, bytes | str | Link]


def package(
    name: object = "app",
    version: object = "1.0.0",
    *,
    folder: str | None = None,
    files: Mapping[str, bytes | str] | None = None,
    **metadata: object,
) -> bytes:
    """A sound chart package: Chart.yaml, values.yaml, one template, and `files` by path inside the chart.

    `metadata` is what else Chart.yaml says, by Helm's names: ``appVersion="2.0"``, ``dependencies=[...]``.
    """
    root = folder or str(name)
    contents: dict[str, bytes | str] = {
        "Chart.yaml": chart_yaml(name, version, **metadata),
        "values.yaml": "replicas: 1\n",
        "templates/configmap.yaml": "apiVersion: v1\nkind: ConfigMap\nmetadata: {name: '{{ .Release.Name }}'}\n",
    }
    contents |= files or {}
    return archive([(f"{root}/{path}", data) for path, data in contents.items()])


def chart_yaml(name: object = "app", version: object = "1.0.0", **metadata: object) -> str:
    """The text of a Chart.yaml. A key given as None is left out, ``apiVersion=None`` too."""
    fields = {"apiVersion": "v2", "name": name, "version": version} | metadata
    return "".join(
        f"{key}: {json.dumps(value, ensure_ascii=False)}\n" for key, value in fields.items() if value is not None
    )


def archive(items: Iterable[Item], *, end: bytes = END) -> bytes:
    """A gzipped tar of these entries, in this order."""
    return gzipped(tar(items, end=end))


def tar(items: Iterable[Item], *, end: bytes = END) -> bytes:
    """The tar of these entries, without gzip."""
    out = io.BytesIO()
    for item in items:
        out.write(_block(item))
    return out.getvalue() + end


def gzipped(data: bytes, *, level: int = 6, crc: int | None = None) -> bytes:
    """`data` as one gzip member without name or time; `crc` replaces the right checksum."""
    deflate = zlib.compressobj(level, zlib.DEFLATED, -15)
    body = deflate.compress(data) + deflate.flush()
    checksum = zlib.crc32(data) if crc is None else crc
    return b"\x1f\x8b\x08\0\0\0\0\0\0\xff" + body + struct.pack("<II", checksum, len(data) & 0xFFFFFFFF)


def pax(records: Mapping[str, str | bytes], *, kind: bytes = b"x") -> Entry:
    """A pax header for the entry that follows it, or with kind ``g`` for all."""
    body = b""
    for key, value in records.items():
        tail = b" " + key.encode() + b"=" + (value.encode() if isinstance(value, str) else value) + b"\n"
        length = len(tail)
        while length != len(str(length)) + len(tail):
            length = len(str(length)) + len(tail)
        body += str(length).encode() + tail
    return Entry("pax_global_header" if kind == b"g" else "PaxHeaders.0/entry", body, kind=kind)


def gnu_long_name(path: str) -> Entry:
    """GNU's way to give the entry that follows it a name of any length."""
    return Entry("././@LongLink", path.encode() + b"\0", kind=b"L")


def base256(size: int) -> bytes:
    """A size as GNU tar writes what octal digits cannot hold; may be negative."""
    raw = bytearray(size.to_bytes(12, "big", signed=True))
    raw[0] |= 0x80
    return bytes(raw)


def _block(item: Item) -> bytes:
    if isinstance(item, Raw):
        return item.data
    if isinstance(item, Entry):
        return _header(item) + item.data + bytes(-len(item.data) % BLOCK)
    path, content = item
    if isinstance(content, Link):
        return _header(Entry(path, kind=b"2", link=content.target))
    data = content.encode() if isinstance(content, str) else content
    if path.endswith("/"):
        return _block(Entry(path, data, kind=b"5"))
    if len(path.encode()) > 100:
        return _block(gnu_long_name(path)) + _block(Entry(path[:100], data))
    return _block(Entry(path, data))


def _header(entry: Entry) -> bytes:
    path = entry.path if isinstance(entry.path, bytes) else entry.path.encode()
    size = len(entry.data) if entry.size is None else entry.size
    header = bytearray(BLOCK)
    struct.pack_into(
        "100s8s8s8s12s12s8sc100s8s32s32s8s8s155s",
        header,
        0,
        path[:100],
        b"0000644\0",
        b"0000000\0",
        b"0000000\0",
        size if isinstance(size, bytes) else b"%011o\0" % size,
        b"00000000000\0",
        b" " * 8,
        entry.kind,
        entry.link.encode(),
        entry.magic,
        b"",
        b"",
        b"",
        b"",
        entry.prefix,
    )
    checksum = sum(header) if entry.checksum is None else entry.checksum
    header[148:156] = b"%06o\0 " % checksum
    return bytes(header)
