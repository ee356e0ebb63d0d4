"""Log lines: what is in them, and that nothing breaks or forges one."""

import io
import json
import logging
import os
import sys
import warnings
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from chartrepo import logs

log = logging.getLogger("chartrepo.somewhere")
HOSTILE = "x\n2026-01-01T00:00:00.000Z ERROR    forged\r\x1b[31m\x85\u2028\u202e\x00\udc80"


@pytest.fixture
def lines(monkeypatch: pytest.MonkeyPatch) -> Iterator[Callable[[logs.Format], Callable[[], list[str]]]]:
    """Configures logging in a form, and gives a function that tells the lines written since."""
    root = logging.getLogger()
    handlers, level = list(root.handlers), root.level

    def configure(style: logs.Format) -> Callable[[], list[str]]:
        stream = io.StringIO()
        monkeypatch.setattr(sys, "stderr", stream)
        logs.configure(style, "info")
        return lambda: stream.getvalue().split("\n")[:-1]

    token = logs.request_id.set("")
    yield configure
    logs.request_id.reset(token)
    logging.captureWarnings(capture=False)
    root.handlers[:] = handlers
    root.setLevel(level)


class TestText:
    def test_a_record_is_time_level_message_and_fields(self, lines: Any) -> None:
        written = lines("text")
        log.info("read %s packages", 3, extra={"repository": "team/app", "note": "two words", "empty": ""})
        (line,) = written()
        time, rest = line.split(" ", 1)
        assert time.endswith("Z")
        assert rest == 'INFO     read 3 packages  repository=team/app  note="two words"  empty=""'

    def test_a_record_bears_the_request_it_was_made_in(self, lines: Any) -> None:
        written = lines("text")
        logs.request_id.set("abc-1")
        log.warning("slow")
        assert written()[0].endswith("WARNING  slow  request_id=abc-1")

    def test_a_hostile_value_stays_on_its_line(self, lines: Any) -> None:
        written = lines("text")
        log.info("refused %s", HOSTILE, extra={"name_of_chart": HOSTILE})
        (line,) = written()
        assert line.isprintable()
        assert line.count("\\n2026-01-01") == 2

    def test_a_value_cannot_pass_for_another_field(self, lines: Any) -> None:
        written = lines("text")
        log.info("refused", extra={"chart": 'x"  request_id=forged'})
        assert written()[0].endswith('chart="x\\"  request_id=forged"')

    def test_a_traceback_follows_on_lines_that_are_no_records(self, lines: Any) -> None:
        written = lines("text")
        try:
            int(HOSTILE)
        except ValueError:
            log.exception("failed")
        first, *rest = written()
        assert first.endswith("ERROR    failed")
        assert all(line.startswith("    | ") and line.isprintable() for line in rest)
        assert any("ValueError" in line for line in rest)

    def test_colours_are_for_terminals_only(self) -> None:
        record = logging.makeLogRecord({"levelname": "ERROR", "msg": "x"})
        assert "\x1b" not in logs.TextFormatter().format(record)
        assert "\x1b[31mERROR" in logs.TextFormatter(colour=True).format(record)


class TestJson:
    def test_a_record_is_one_object(self, lines: Any) -> None:
        written = lines("json")
        logs.request_id.set("abc-1")
        log.info("read %s", HOSTILE, extra={"repository": "team/app", "path": Path("/x")})
        (line,) = written()
        assert line.isascii()
        found = json.loads(line)
        assert found.pop("time").endswith("Z")
        assert found == {
            "level": "info",
            "logger": "chartrepo.somewhere",
            "message": f"read {HOSTILE}",
            "repository": "team/app",
            "path": "/x",
            "request_id": "abc-1",
        }

    def test_a_field_cannot_take_the_place_of_level_or_time(self, lines: Any) -> None:
        written = lines("json")
        log.error("x", extra={"level": "debug", "time": "never"})
        found = json.loads(written()[0])
        assert found["level"] == "error"
        assert found["time"] != "never"

    def test_a_traceback_is_a_field(self, lines: Any) -> None:
        written = lines("json")
        try:
            int("why")
        except ValueError:
            log.exception("failed")
        (line,) = written()
        assert json.loads(line)["exception"].endswith("ValueError: invalid literal for int() with base 10: 'why'")


class TestConfiguration:
    def test_less_than_the_level_is_not_logged(self, lines: Any) -> None:
        written = lines("text")
        log.debug("detail")
        assert written() == []

    def test_warnings_are_logged(self, lines: Any) -> None:
        written = lines("text")
        with warnings.catch_warnings():
            warnings.simplefilter("always")
            logging.captureWarnings(capture=True)
            warnings.warn("old", DeprecationWarning, stacklevel=1)
        assert "DeprecationWarning: old" in written()[0]

    @pytest.mark.parametrize("name", ["gunicorn.error", "_granian"])
    def test_the_servers_own_records_have_our_form(self, lines: Any, name: str) -> None:
        logging.getLogger(name).addHandler(logging.StreamHandler(io.StringIO()))
        written = lines("json")
        logging.getLogger(name).info("booted")
        assert [json.loads(line)["message"] for line in written()] == ["booted"]

    def test_libraries_that_tell_of_every_call_are_kept_quiet(self, lines: Any) -> None:
        written = lines("text")
        logging.getLogger("botocore.endpoint").info("sending")
        assert written() == []


class TestRequestId:
    @pytest.mark.parametrize("header", ["a", "A1._-z", "0" * 64])
    def test_a_sane_one_of_the_client_is_kept(self, header: str) -> None:
        assert logs.request_id_from(header) == header

    @pytest.mark.parametrize("header", [None, "", "a b", "a\n", "é", "0" * 65, "<script>"])
    def test_otherwise_one_is_made(self, header: str | None) -> None:
        made = logs.request_id_from(header)
        assert made != header
        assert logs.request_id_from(made) == made

    def test_no_two_are_alike(self) -> None:
        assert len({logs.request_id_from(None) for _ in range(1000)}) == 1000


@pytest.fixture
def access(tmp_path: Path) -> Iterator[Callable[..., str]]:
    """Logs a request in a form, and gives what was written."""
    file = os.open(tmp_path / "log", os.O_RDWR | os.O_CREAT)

    def call(style: logs.Format, **changed: Any) -> str:
        os.ftruncate(file, 0)
        os.lseek(file, 0, os.SEEK_SET)
        facts: dict[str, Any] = {
            "method": "GET",
            "path": "/index.yaml",
            "status": 200,
            "size": 1234,
            "seconds": 0.0012,
            "client": "127.0.0.1",
            "agent": "Helm/3.17.3",
            "request": "abc",
        }
        logs.AccessLog(style, descriptor=file, clock=lambda: 1_700_000_000.25)(**{**facts, **changed})
        return (tmp_path / "log").read_text(encoding="ascii")

    yield call
    os.close(file)


class TestAccessLog:
    def test_a_line_of_text_tells_the_request(self, access: Any) -> None:
        assert access("text") == (
            "2023-11-14T22:13:20.250Z INFO     GET    200 /index.yaml  bytes=1234  ms=1.2  client=127.0.0.1  "
            'agent="Helm/3.17.3"  request_id=abc\n'
        )

    def test_a_line_of_json_tells_the_request(self, access: Any) -> None:
        assert json.loads(access("json")) == {
            "time": "2023-11-14T22:13:20.250Z",
            "level": "info",
            "logger": "access",
            "message": "request",
            "method": "GET",
            "path": "/index.yaml",
            "status": 200,
            "bytes": 1234,
            "duration_ms": 1.2,
            "client": "127.0.0.1",
            "user_agent": "Helm/3.17.3",
            "request_id": "abc",
        }

    @given(method=st.text(), path=st.text(), agent=st.text(), client=st.text())
    def test_whatever_a_client_sends_a_request_is_one_line(
        self, method: str, path: str, agent: str, client: str
    ) -> None:
        for style in ("text", "json"):
            reader, writer = os.pipe()
            with os.fdopen(reader, encoding="ascii") as file:
                write = logs.AccessLog("json" if style == "json" else "text", descriptor=writer)
                write(
                    method=method,
                    path=path,
                    status=404,
                    size=0,
                    seconds=0.0,
                    client=client,
                    agent=agent,
                    request="abc",
                )
                os.close(writer)
                text = file.read()
            assert text.endswith("\n")
            assert text[:-1].isprintable()
            assert json.loads(text)["status"] == 404 if style == "json" else text.count(" request_id=") >= 1

    def test_a_value_cannot_pass_for_another_field(self, access: Any) -> None:
        line = access("text", path="/x  client=forged", agent='" request_id=forged')
        assert line.count("  client=") == 1
        assert '\\" request_id=forged"  request_id=abc' in line

    @pytest.mark.parametrize("style", ["text", "json"])
    @pytest.mark.parametrize("unit", ["x", "\n", "é", "\U0001f4a9", '"'])
    def test_the_longest_line_goes_through_a_pipe_in_one_piece(self, access: Any, style: str, unit: str) -> None:
        line = access(style, path="/" + unit * 100_000, agent=unit * 100_000, method=unit * 99, client=unit * 999)
        assert len(line) <= 4096
        assert line.endswith("\n")

    @pytest.mark.parametrize(
        ("level", "written"), [("debug", True), ("info", True), ("warning", False), ("error", False)]
    )
    def test_lines_are_of_level_info(self, level: logs.Level, *, written: bool) -> None:
        assert (logs.access_log("text", level) is not None) == written

    def test_a_log_that_nobody_reads_any_more_fails_no_request(self) -> None:
        reader, writer = os.pipe()
        os.close(reader)
        logs.AccessLog("text", descriptor=writer)(
            method="GET", path="/", status=200, size=0, seconds=0, client="-", agent="-", request="a"
        )
        os.close(writer)
