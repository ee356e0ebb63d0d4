"""Logs: one record a line, on standard error, as readable text or as JSON.

Whatever a record says, it stays one line: control characters and line ends are escaped in every value, so that a
hostile path or chart name can neither split a line nor pass for another one.
"""

import itertools
import json
import logging
import logging.config
import os
import re
import sys
import time
from collections.abc import Callable
from contextvars import ContextVar
from functools import lru_cache
from json.encoder import encode_basestring_ascii as _json_text
from typing import Any, Final, Literal

Format = Literal["text", "json"]
Level = Literal["debug", "info", "warning", "error"]

request_id: ContextVar[str] = ContextVar("request_id", default="")
"""The request that the current thread or task works for; every record made meanwhile bears it."""

_STDERR: Final = 2
_SANE_ID: Final = re.compile(r"[A-Za-z0-9._-]{1,64}")
_UNFIT: Final = re.compile(r"[\x00-\x1f\x7f-\x9f\u2028\u2029\u202a-\u202e\u2066-\u2069\ud800-\udfff]")
"""Control characters, line and paragraph separators, what turns the writing direction, and bytes that are not UTF-8."""
_NEEDS_QUOTES: Final = re.compile(r"[\s\"=\\]|^$")
_OWN_FIELDS: Final = frozenset(vars(logging.makeLogRecord({}))) | {"message", "asctime", "taskName", "color_message"}
_COLOURS: Final = {"WARNING": "\x1b[33m", "ERROR": "\x1b[31m", "CRITICAL": "\x1b[31m"}
_PLAIN: Final = "\x1b[0m"


class _Ids:
    """Makes ids that are unlike any other: random to begin with, then counted, which asks the system for nothing."""

    def __init__(self) -> None:
        self._begin()
        os.register_at_fork(after_in_child=self._begin)

    def _begin(self) -> None:
        self._prefix = os.urandom(5).hex()
        self._numbers = itertools.count(1)

    def next(self) -> str:
        return f"{self._prefix}{next(self._numbers):06x}"


_ids: Final = _Ids()


def request_id_from(header: str | None) -> str:
    """The id of a request: the client's own `X-Request-Id` when it is sane, else a new one, unlike any other."""
    if header is not None and _SANE_ID.fullmatch(header):
        return header
    return _ids.next()


def escape(text: str) -> str:
    r"""The text with all that could break a line or upset a terminal written as `\n`, `\x1b` or `\u2028`."""
    return _UNFIT.sub(_escaped, text)


def _escaped(match: re.Match[str]) -> str:
    return match[0].encode("unicode_escape").decode("ascii")


def configuration(style: Format, level: Level, *, colour: bool = False) -> dict[str, Any]:
    """What `logging.config.dictConfig` is given, in every process. gunicorn and granian take it as theirs.

    The servers' own loggers lose their handlers and pass their records up, so that all lines have one form.
    """
    formatter: dict[str, Any] = {"()": JsonFormatter} if style == "json" else {"()": TextFormatter, "colour": colour}
    return {
        "version": 1,
        "disable_existing_loggers": False,
        "formatters": {"line": formatter},
        "handlers": {"stderr": {"class": "logging.StreamHandler", "formatter": "line", "stream": "ext://sys.stderr"}},
        "root": {"handlers": ["stderr"], "level": level.upper()},
        "loggers": {
            # Of which level their records are is set where they are started.
            **{name: {"handlers": [], "propagate": True} for name in ("gunicorn.error", "_granian")},
            # These tell of each request they make; only their complaints are of interest.
            **{name: {"level": "WARNING"} for name in ("botocore", "boto3", "s3transfer", "urllib3", "sqlalchemy")},
        },
    }


def configure(style: Format, level: Level) -> None:
    """Set up logging for this process: all records of `level` and above to standard error, warnings among them."""
    colour = sys.stderr.isatty() and "NO_COLOR" not in os.environ
    logging.config.dictConfig(configuration(style, level, colour=colour))
    logging.captureWarnings(capture=True)


def _fields(record: logging.LogRecord) -> dict[str, Any]:
    """What the caller gave as `extra`, and the request's id."""
    fields = {name: value for name, value in vars(record).items() if name not in _OWN_FIELDS}
    current = request_id.get()
    if current:
        fields.setdefault("request_id", current)
    return fields


def _timestamp(seconds: float) -> str:
    """RFC 3339 in UTC, with milliseconds."""
    whole = int(seconds)
    return f"{time.strftime('%Y-%m-%dT%H:%M:%S', time.gmtime(whole))}.{int((seconds - whole) * 1000):03d}Z"


class JsonFormatter(logging.Formatter):
    """One JSON object a line: time, level, logger, message, what was given as `extra`, and the traceback if any."""

    def format(self, record: logging.LogRecord) -> str:
        """The record as one line of ASCII."""
        line: dict[str, Any] = {
            "time": _timestamp(record.created),
            "level": record.levelname.lower(),
            "logger": record.name,
            "message": record.getMessage(),
        }
        for name, value in _fields(record).items():
            line.setdefault(name, value)
        if record.exc_info:
            line["exception"] = self.formatException(record.exc_info)
        return json.dumps(line, default=str)


class TextFormatter(logging.Formatter):
    """Time, level, message, then `name=value` for each `extra`; a traceback follows on lines that begin with `|`."""

    def __init__(self, *, colour: bool = False) -> None:
        super().__init__()
        self._colour = colour

    def format(self, record: logging.LogRecord) -> str:
        """The record as one line; more only for a traceback."""
        level = f"{record.levelname:<8}"
        if self._colour and record.levelname in _COLOURS:
            level = f"{_COLOURS[record.levelname]}{level}{_PLAIN}"
        parts = [escape(record.getMessage()), *(_pair(name, value) for name, value in _fields(record).items())]
        line = f"{_timestamp(record.created)} {level} {'  '.join(parts)}"
        if record.exc_info:
            trace = self.formatException(record.exc_info).split("\n")
            line = "\n".join([line, *(f"    | {escape(each)}" for each in trace)])
        return line


def _pair(name: str, value: object) -> str:
    text = str(value)
    shown = json.dumps(text, ensure_ascii=False) if _NEEDS_QUOTES.search(text) else text
    return f"{escape(name)}={escape(shown)}"


class AccessLog:
    """Writes a line for each request. It is on the path of every one, so it formats by hand and writes once.

    Args:
        style: text or JSON, as the other lines.
        descriptor: the file descriptor to write to; standard error by default.
        clock: seconds since the epoch.
    """

    _LONGEST = 1024
    """Characters of a path that are kept; with the rest a line stays below 4 KiB, which pipes take in one piece."""

    def __init__(self, style: Format, *, descriptor: int = _STDERR, clock: Callable[[], float] = time.time) -> None:
        self._line = self._json if style == "json" else self._text
        self._descriptor = descriptor
        self._clock = clock
        self._second = (0, "")

    def __call__(
        self,
        *,
        method: str,
        path: str,
        status: int,
        size: int,
        seconds: float,
        client: str,
        agent: str,
        request: str,
    ) -> None:
        """Log one request.

        Args:
            method: as the client sent it.
            path: with the query, as the client sent it.
            status: of the answer.
            size: bytes of the answer's body.
            seconds: from the request's arrival to the answer's last byte.
            client: its address.
            agent: its User-Agent.
            request: the request's id, as from `request_id_from`.
        """
        line = self._line(method, path, status, size, seconds * 1000, client, agent, request)
        try:
            os.write(self._descriptor, line.encode("ascii"))
        except OSError:
            # The reader of the log is gone, or its pipe is full. That is no reason to fail a request.
            return

    def _now(self) -> str:
        seconds = self._clock()
        whole = int(seconds)
        known, text = self._second
        if known != whole:
            text = time.strftime("%Y-%m-%dT%H:%M:%S", time.gmtime(whole))
            # One assignment of one pair: threads may race here, but never see the text of another second.
            self._second = (whole, text)
        return f"{text}.{int((seconds - whole) * 1000):03d}Z"

    def _json(  # noqa: PLR0917 - by position, which is quicker, and this is called for every request
        self, method: str, path: str, status: int, size: int, took: float, client: str, agent: str, request: str
    ) -> str:
        return (
            f'{{"time": "{self._now()}", "level": "info", "logger": "access", "message": "request", '
            f'"method": {_json_name(method)}, "path": {_bounded(_json_text, path, self._LONGEST)}, '
            f'"status": {status}, "bytes": {size}, "duration_ms": {took:.3f}, '
            f'"client": {_json_name(client)}, "user_agent": {_json_name(agent)}, '
            f'"request_id": {_bounded(_json_text, request, 64)}}}\n'
        )

    def _text(  # noqa: PLR0917 - by position, which is quicker, and this is called for every request
        self, method: str, path: str, status: int, size: int, took: float, client: str, agent: str, request: str
    ) -> str:
        return (
            f"{self._now()} INFO     {_word_name(method):<6} {status} {_bounded(_word, path, self._LONGEST)}  "
            f"bytes={size}  ms={took:.1f}  client={_word_name(client)}  "
            f"agent={_json_name(agent)}  request_id={_bounded(_word, request, 64)}\n"
        )


def access_log(style: Format, level: Level) -> AccessLog | None:
    """Return what writes a line for each request; None where its level, which is info, is not logged."""
    return AccessLog(style) if level in {"debug", "info"} else None


def _bounded(encode: Callable[[str], str], text: str, longest: int) -> str:
    """`text` encoded, and cut where the result would be longer than a few times `longest`."""
    if len(text) > longest:
        text = text[:longest] + "..."
    encoded = encode(text)
    # Only a hostile text grows much in encoding: one character to as many as twelve.
    return encoded if len(encoded) <= longest + 8 else encode(text[: longest // 12])


def _word(text: str) -> str:
    """The text in ASCII without a blank in it, so that it ends where it seems to."""
    if text and text.isascii() and text.isprintable() and " " not in text and "\\" not in text:
        return text
    return text.encode("unicode_escape").decode("ascii").replace(" ", "\\x20") or "-"


@lru_cache(maxsize=256)
def _word_name(text: str) -> str:
    """A word that comes back all day, such as a client's address."""
    return _bounded(_word, text, 64)


@lru_cache(maxsize=256)
def _json_name(text: str) -> str:
    """A text that comes back all day, such as what a client calls itself."""
    return _bounded(_json_text, text, 256)
