"""Records of audit: one line each, whatever is in them, without secrets."""

import json
from dataclasses import fields, replace
from typing import Final

import pytest

from chartrepo.core.audit import (
    MAX_LINE,
    Deed,
    Outcome,
    Position,
    Record,
    Wanted,
    cursor,
    parse_cursor,
    parse_moment,
    stamp,
    wanted,
)
from chartrepo.core.errors import AuditQueryInvalid
from chartrepo.core.tokens import compose

NOW: Final = 1_700_000_000.25
TIME: Final = "2023-11-14T22:13:20.250000Z"
RECORD: Final = Record(
    id="0123456789abcdef",
    time=TIME,
    action=Deed.PUBLISH,
    outcome=Outcome.DONE,
    caller="user:ada",
    protocol="api",
    repository="",
)
TOKEN: Final = compose("0123456789", "abcdefghijABCDEFGHIJ0123456789")
TEXTS: Final = [each.name for each in fields(Record) if each.name not in {"id", "time", "count"}]
HOSTILE: Final = [
    'x"}\n{"id":"0","caller":"user:ada"}',
    "\r\n\x00\x1b[2J\x7f\x85\u2028\u2029\u202e",
    "\ud800 and \udcff, which are no characters",
    "\\" * 1000,
    '"' * 1000,
    "\U0001f600" * 1_000_000,
    "\x00" * 1_000_000,
    "a" * 1_000_000,
]


class TestLines:
    def test_what_is_empty_is_left_out_but_the_name_of_the_root(self) -> None:
        assert RECORD.to_line() == (
            b'{"id":"0123456789abcdef","time":"2023-11-14T22:13:20.250000Z","action":"publish","outcome":"done",'
            b'"caller":"user:ada","protocol":"api","repository":""}\n'
        )
        assert b"repository" not in replace(RECORD, repository=None).to_line()

    def test_a_line_gives_its_record_again(self) -> None:
        full = replace(RECORD, **{name: f"a {name}" for name in TEXTS}, count=100)
        assert Record.from_line(full.to_line()) == full
        assert Record.from_line(RECORD.to_line()) == RECORD

    @pytest.mark.parametrize("text", HOSTILE, ids=range(len(HOSTILE)))
    def test_nothing_splits_a_line_or_makes_it_long(self, text: str) -> None:
        line = replace(RECORD, **dict.fromkeys(TEXTS, text), count=10**18).to_line()
        assert len(line) <= MAX_LINE
        assert line.isascii()
        assert line.splitlines(keepends=True) == [line]
        found = Record.from_line(line)
        assert found is not None
        assert (found.id, found.count) == (RECORD.id, 10**18)
        assert found.to_line() == line
        json.dumps(json.loads(line), ensure_ascii=False).encode()

    @pytest.mark.parametrize("text", HOSTILE, ids=range(len(HOSTILE)))
    def test_what_is_cut_shows_it_and_begins_as_it_did(self, text: str) -> None:
        found = Record.from_line(replace(RECORD, chart=text).to_line())
        assert found is not None
        begin = text.encode("utf-8", "backslashreplace").decode()
        assert found.chart == begin or (found.chart.endswith("...") and begin.startswith(found.chart[:-3]))
        assert len(found.chart) >= min(len(text), 20)

    @pytest.mark.parametrize("name", TEXTS)
    @pytest.mark.parametrize(
        ("text", "shown"),
        [
            (f"a {TOKEN} b", "a crt_*** b"),
            (f"{TOKEN}{TOKEN}", "crt_***"),
            ("crr_x1.eyJzdWIiOiJ1c2VyOmFkYSJ9.aFg-_w", "crr_***"),
            ("oci://ada:secret@host/x", "oci://***@host/x"),
            ("https://crt_short@host", "https://***@host"),
            ("'https://ada:sec'...", "'https://***@'..."),
            ("https://host:8080/a@b", "https://host:8080/a@b"),
            ("the chart crt_lib", "the chart crt_lib"),
        ],
    )
    def test_secrets_are_masked(self, name: str, text: str, shown: str) -> None:
        found = Record.from_line(replace(RECORD, **{name: text}).to_line())
        assert found is not None
        assert getattr(found, name) == shown

    @pytest.mark.parametrize("length", range(480, 520))
    def test_a_secret_that_is_cut_is_masked_too(self, length: int) -> None:
        line = replace(RECORD, detail="x" * length + TOKEN).to_line()
        assert TOKEN[4:6].encode() not in line.partition(b"detail")[2]

    @pytest.mark.parametrize(
        "line",
        [
            b"",
            b"\x00" * 100,
            b"{",
            b"[]",
            b"[" * 4000,
            b"{}",
            RECORD.to_line()[:-20],
            RECORD.to_line().replace(b'"publish"', b"1"),
            RECORD.to_line().replace(b"2023-11-14T", b"yesterday, "),
            RECORD.to_line().replace(b"0123456789abcdef", b"../../../../../x"),
            RECORD.to_line().replace(b'"api"', b'"api","count":true'),
            RECORD.to_line().replace(b'"api"', b'"api","detail":"' + b"x" * MAX_LINE + b'"'),
            b"\xff" + RECORD.to_line(),
        ],
    )
    def test_another_line_is_none(self, line: bytes) -> None:
        assert Record.from_line(line) is None

    def test_what_a_later_release_adds_is_passed_over(self) -> None:
        assert Record.from_line(RECORD.to_line().replace(b'"api"', b'"api","new":{"a":[1]}')) == RECORD


def test_moments_are_greater_as_texts_when_they_are_later() -> None:
    moments = [0, 0.000001, 1, 999_999_999.999999, NOW, NOW + 0.000001, 253_402_300_799]
    stamps = [stamp(moment) for moment in moments]
    assert stamps == sorted(set(stamps))
    assert stamp(NOW) == TIME


class TestAsking:
    def test_nothing_in_particular_is_the_last_month(self) -> None:
        assert wanted({}, NOW) == Wanted(since="2023-10-15T22:13:20.250000Z", until="2023-11-15T22:13:20.250000Z")

    @pytest.mark.parametrize(
        ("text", "moment"),
        [
            ("30m", "2023-11-14T21:43:20.250000Z"),
            ("12h", "2023-11-14T10:13:20.250000Z"),
            ("7d", "2023-11-07T22:13:20.250000Z"),
            ("2023-11-01", "2023-11-01T00:00:00.000000Z"),
            ("2023-11-01T12:30:00Z", "2023-11-01T12:30:00.000000Z"),
            ("2023-11-01T12:30:00.5+02:00", "2023-11-01T10:30:00.500000Z"),
            ("0001-01-01", "0001-01-01T00:00:00.000000Z"),
        ],
    )
    def test_moments_are_dates_times_and_spans(self, text: str, moment: str) -> None:
        assert parse_moment(text, NOW) == moment

    @pytest.mark.parametrize(
        "text", ["", "soon", "999999d", "7w", "7", "-7d", "2023-13-01", "\u0667d", "0001-01-01T00:00+09"]
    )
    def test_other_texts_are_none(self, text: str) -> None:
        with pytest.raises(AuditQueryInvalid, match="is no moment: write 2026-01-31"):
            parse_moment(text, NOW)

    def test_nobody_is_led_through_ages_without_records(self) -> None:
        found = wanted({"since": "0001-01-01", "until": "9999-12-31"}, NOW)
        assert (found.since[:4], found.until[:10]) == ("2013", "2023-11-15")

    @pytest.mark.parametrize(
        ("arguments", "takes"),
        [
            ({}, True),
            ({"caller": "user:ada"}, True),
            ({"caller": "user:ad"}, False),
            ({"repository": ""}, True),
            ({"repository": "team"}, False),
            ({"action": "publish", "outcome": "done"}, True),
            ({"action": "publish", "outcome": "refused"}, False),
            ({"chart": "web"}, False),
            ({"since": TIME}, True),
            ({"until": TIME}, False),
        ],
    )
    def test_a_record_is_taken_that_is_as_asked_for(self, arguments: dict[str, str], takes: bool) -> None:
        assert wanted(arguments, NOW).takes(RECORD) is takes

    @pytest.mark.parametrize(
        ("arguments", "problem"),
        [
            ({"action": "read"}, "action: there is no 'read': there are publish, overwrite"),
            ({"outcome": ""}, "outcome: there is no ''"),
            ({"user": "ada"}, "there is no 'user' to ask for: there are since, until, caller"),
        ],
    )
    def test_what_makes_no_sense_is_said(self, arguments: dict[str, str], problem: str) -> None:
        with pytest.raises(AuditQueryInvalid, match=problem):
            wanted(arguments, NOW)


class TestCursors:
    @pytest.mark.parametrize("position", [RECORD.position, Position("2023-11-14T24:00:00.000000Z", "")])
    def test_one_comes_back_as_it_was(self, position: Position) -> None:
        assert parse_cursor(cursor(position)) == position

    @pytest.mark.parametrize("text", ["", "x", TIME, f"{TIME}-x", f"{TIME}-0123456789ABCDEF", f"{TIME}-\n"])
    def test_another_is_none(self, text: str) -> None:
        with pytest.raises(AuditQueryInvalid, match=r"cursor: .* is none: send what was in next"):
            parse_cursor(text)
