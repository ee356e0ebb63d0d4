"""Bodies of requests: bounded in size and time, and never taken for whole when they are not."""

import io
import socket
import threading
from collections.abc import Iterator
from concurrent.futures import FIRST_COMPLETED, Executor, ThreadPoolExecutor, wait
from typing import Any

import pytest

from chartrepo.core.errors import BodyTooLarge
from chartrepo.http import bodies
from chartrepo.http.bodies import Body, OnThisThread, Place, Places, announced_length, has_body
from chartrepo.http.errors import BadRequest, BodyTooSlow, TooManyBodies


class Clock:
    now = 0.0

    def __call__(self) -> float:
        return self.now


@pytest.fixture
def readers() -> Iterator[ThreadPoolExecutor]:
    with ThreadPoolExecutor(2) as pool:
        yield pool


class Stalled(io.RawIOBase):
    """A client that sends a little and then nothing, until the test lets it go."""

    def __init__(self) -> None:
        self.sent = [b"a little"]
        self.released = threading.Event()

    def read(self, size: int = -1) -> bytes:
        if self.sent:
            return self.sent.pop()
        self.released.wait(30)
        return b""


def body(readers: Executor, data: bytes, *, limit: int = 100, announced: int | None = None, seconds: float = 5) -> Body:
    return Body(io.BytesIO(data), readers, limit=limit, announced=announced, seconds=seconds)


class TestSize:
    def test_all_of_it_can_be_read(self, readers: ThreadPoolExecutor) -> None:
        for announced in (None, 100):
            taken = body(readers, bytes(100), announced=announced)
            assert (taken.read(), taken.read(), taken.read(5)) == (bytes(100), b"", b"")

    def test_it_can_be_read_in_pieces(self, readers: ThreadPoolExecutor) -> None:
        taken = body(readers, b"abcdef", announced=6)
        assert [taken.read(4), taken.read(0), taken.read(4), taken.read(4)] == [b"abcd", b"", b"ef", b""]

    def test_a_server_is_asked_for_no_more_than_was_announced(self, readers: ThreadPoolExecutor) -> None:
        asked: list[int | None] = []

        class Counting(io.BytesIO):
            def read(self, size: int | None = -1, /) -> bytes:
                asked.append(size)
                return super().read(size)

        taken = Body(Counting(bytes(10)), readers, limit=None, announced=10, seconds=5)
        assert (taken.read(4), taken.read(2**22)) == (bytes(4), bytes(6))
        assert asked == [4, 6]  # gunicorn's worker makes room for as much as it is asked for

    def test_one_that_says_it_is_too_large_is_not_read_at_all(self, readers: ThreadPoolExecutor) -> None:
        source = io.BytesIO(bytes(1000))
        with pytest.raises(BodyTooLarge, match=r"100 bytes: raise max_upload_size"):
            Body(source, readers, limit=100, announced=101, seconds=5).read(10)
        assert source.tell() == 0

    def test_one_that_turns_out_too_large_is_read_no_further(self, readers: ThreadPoolExecutor) -> None:
        source = io.BytesIO(bytes(1000))
        taken = Body(source, readers, limit=100, announced=None, seconds=5)
        assert taken.read(60) == bytes(60)
        with pytest.raises(BodyTooLarge):
            taken.read(60)
        assert source.tell() == 120

    def test_one_without_a_limit_may_have_any(self, readers: ThreadPoolExecutor) -> None:
        for announced in (None, 300_000):
            taken = Body(io.BytesIO(bytes(300_000)), readers, limit=None, announced=announced, seconds=5)
            assert taken.read() == bytes(300_000)

    def test_the_refusal_names_the_setting_that_is_the_limit(self, readers: ThreadPoolExecutor) -> None:
        taken = Body(io.BytesIO(), readers, limit=100, setting="max_blob_size", announced=101, seconds=5)
        with pytest.raises(BodyTooLarge, match="larger than 100 bytes: raise max_blob_size to allow it"):
            taken.read(1)


class TestAnEarlyEnd:
    def test_it_is_not_taken_for_the_whole(self, readers: ThreadPoolExecutor) -> None:
        taken = body(readers, b"half", announced=8)
        assert taken.read(4) == b"half"
        with pytest.raises(BadRequest, match=r"after 4 of 8 bytes"):
            taken.read(4)

    def test_what_the_server_makes_of_it_is_a_bad_request(self, readers: ThreadPoolExecutor) -> None:
        class Broken:
            def read(self, _size: int) -> bytes:
                raise OSError("invalid chunk size")

        with pytest.raises(BadRequest, match=r"broke off"):
            Body(Broken(), readers, limit=100, announced=None, seconds=5).read(10)  # type: ignore[arg-type]

    def test_chunks_that_are_none_are_a_bad_request_also_where_nobody_reads_them(
        self, readers: ThreadPoolExecutor
    ) -> None:
        class InvalidChunkSize(Exception):
            pass

        class Malformed:
            def read(self, _size: int) -> bytes:
                raise InvalidChunkSize

        taken = Body(Malformed(), readers, limit=100, announced=None, seconds=5)  # type: ignore[arg-type]
        with pytest.raises(BadRequest, match=r"not in chunks as its Transfer-Encoding says: send it anew"):
            taken.read(10)
        assert taken.read(10) == b""
        Body(Malformed(), readers, limit=100, announced=None, seconds=5).drain()  # type: ignore[arg-type]


class TestTime:
    def test_a_client_that_stalls_is_not_waited_for(self, readers: ThreadPoolExecutor) -> None:
        source = Stalled()
        taken = Body(source, readers, limit=100, announced=50, seconds=0.05)  # type: ignore[arg-type]
        assert taken.read(8) == b"a little"
        with pytest.raises(BodyTooSlow, match=r"within 0.05 seconds: raise upload_timeout"):
            taken.read(42)
        assert taken.read(42) == b""
        source.released.set()

    def test_a_read_that_still_waits_is_ended_where_the_connection_is_known(self, readers: ThreadPoolExecutor) -> None:
        ours, theirs = socket.socketpair()
        with ours, theirs, ours.makefile("rb") as source:
            taken = Body(source, readers, limit=100, announced=50, seconds=0.05, connection=ours)
            with pytest.raises(BodyTooSlow):
                taken.read(50)
            readers.shutdown(wait=True)  # would not come back while the read waits

    def test_a_source_that_ends_its_waits_is_read_without_another_thread(self) -> None:
        class Stalling:
            seconds = 0.0

            def read_within(self, size: int, seconds: float) -> bytes:
                self.seconds = seconds
                if size > 4:
                    raise TimeoutError
                return bytes(size)

        source, clock = Stalling(), Clock()
        nobody: Any = None
        taken = Body(source, nobody, limit=100, announced=50, seconds=10, clock=clock)  # type: ignore[arg-type]
        clock.now = 3.0
        assert (taken.read(4), source.seconds) == (bytes(4), 7.0)
        with pytest.raises(BodyTooSlow):
            taken.read(5)

    def test_a_drip_is_not_enough(self, readers: ThreadPoolExecutor) -> None:
        clock = Clock()
        taken = Body(io.BytesIO(bytes(100)), readers, limit=100, announced=100, seconds=10, clock=clock)
        for clock.now in (3.0, 6.0, 9.0):
            taken.read(1)
        clock.now = 10.0
        with pytest.raises(BodyTooSlow):
            taken.read(1)

    def test_one_that_keeps_the_pace_may_go_on(self, readers: ThreadPoolExecutor) -> None:
        clock, data = Clock(), io.BytesIO(bytes(8192))
        taken = Body(data, readers, limit=None, announced=None, seconds=10, pace=1024, clock=clock)
        for clock.now in (0.5, 10.5, 11.5, 12.5):  # a kibibyte came before each but the first
            assert len(taken.read(1024)) == 1024
        clock.now = 14.0
        with pytest.raises(BodyTooSlow, match="10 seconds longer than it does at 1 KiB a second: raise upload_timeout"):
            taken.read(1024)


class TestTheRest:
    def test_it_is_read_after_an_early_answer(self, readers: ThreadPoolExecutor) -> None:
        for announced in (None, 300_000):
            source = io.BytesIO(bytes(300_000))
            Body(source, readers, limit=100, announced=announced, seconds=5).drain()
            assert source.read() == b""

    def test_but_not_without_end(self, readers: ThreadPoolExecutor) -> None:
        class Endless:
            given = 0

            def read(self, size: int) -> bytes:
                self.given += size
                return bytes(size)

        source = Endless()
        Body(source, readers, limit=100, announced=None, seconds=5).drain()  # type: ignore[arg-type]
        assert source.given == 64 * 2**20

    def test_and_nothing_of_one_that_was_given_up(self, readers: ThreadPoolExecutor) -> None:
        source = Stalled()
        taken = Body(source, readers, limit=100, announced=50, seconds=0.05)  # type: ignore[arg-type]
        taken.read(8)
        with pytest.raises(BodyTooSlow):
            taken.read(42)
        taken.drain()
        source.released.set()


@pytest.mark.parametrize(
    ("environ", "length", "has"),
    [
        ({}, None, False),
        ({"CONTENT_LENGTH": ""}, None, False),
        ({"CONTENT_LENGTH": "0"}, 0, False),
        ({"CONTENT_LENGTH": "12"}, 12, True),
        ({"CONTENT_LENGTH": "-1"}, None, False),
        ({"CONTENT_LENGTH": "٣"}, None, False),
        ({"HTTP_TRANSFER_ENCODING": "chunked"}, None, True),
        ({"HTTP_TRANSFER_ENCODING": "gzip, Chunked"}, None, True),
    ],
)
def test_headers_say_whether_a_body_comes(environ: dict[str, str], length: int | None, has: bool) -> None:
    assert (announced_length(environ), has_body(environ)) == (length, has)


class TestPlaces:
    """As many bodies are read as there are places, whoever runs the reads."""

    @pytest.fixture(autouse=True)
    def hurry(self, monkeypatch: pytest.MonkeyPatch) -> None:
        monkeypatch.setattr(bodies, "_A_MOMENT", 0.01)

    @staticmethod
    def body(place: Place, data: bytes = b"abc") -> Body:
        return Body(io.BytesIO(data), OnThisThread(), place=place, limit=None, announced=len(data), seconds=5)

    @pytest.mark.parametrize(("threads", "bodies_at_once"), [(1, 1), (2, 1), (3, 1), (4, 2), (8, 4)])
    def test_they_are_half_of_the_threads(self, threads: int, bodies_at_once: int) -> None:
        places = Places(threads)
        assert [places.take(wait=False) for _ in range(bodies_at_once + 1)] == [True] * bodies_at_once + [False]

    def test_a_body_without_one_is_not_read(self) -> None:
        places = Places(2)
        first, second = Place(places), Place(places)
        self.body(first).read(1)
        with pytest.raises(TooManyBodies, match="try again soon"):
            self.body(second).read(1)

        first.leave()
        assert self.body(second).read(1) == b"a"

    def test_half_of_the_others_wait_for_their_turn_and_the_rest_is_refused(self) -> None:
        places = Places(8)
        held = [Place(places) for _ in range(4)]
        assert all(place.take() for place in held)
        with ThreadPoolExecutor(3) as pool:
            reads = {pool.submit(self.body(Place(places)).read, 1) for _ in range(3)}
            refused, waiting = wait(reads, return_when=FIRST_COMPLETED)
            assert [type(read.exception()) for read in refused] == [TooManyBodies]

            for place in held:
                place.leave()
            assert [read.result(5) for read in waiting] == [b"a", b"a"]

    def test_a_turn_that_does_not_come_is_waited_for_no_longer(self, monkeypatch: pytest.MonkeyPatch) -> None:
        monkeypatch.setattr(bodies, "_TURN_WITHIN", 0.01)
        places = Places(4)
        assert places.take(wait=True)
        assert places.take(wait=True)
        with pytest.raises(TooManyBodies, match="try again soon"):
            self.body(Place(places)).read(1)
        monkeypatch.setattr(bodies, "_TURN_WITHIN", 30)
        with ThreadPoolExecutor(1) as pool:
            read = pool.submit(self.body(Place(places)).read, 1)
            with pytest.raises(TimeoutError):
                read.result(0.1)
            places.leave()
            assert read.result(5) == b"a"

    def test_the_wait_for_it_is_none_of_the_client_s_time(self) -> None:
        clock = Clock()

        class Later(Places):
            def take(self, *, wait: bool) -> bool:
                clock.now += 20.0
                return super().take(wait=wait)

        taken = Body(
            io.BytesIO(b"abc"), OnThisThread(), place=Place(Later(1)), limit=None, announced=3, seconds=5, clock=clock
        )
        assert [taken.read(1), clock.now] == [b"a", 20.0]
        clock.now = 25.0
        with pytest.raises(BodyTooSlow):
            taken.read(1)

    def test_it_is_left_at_the_end_of_the_body(self) -> None:
        places = Places(1)
        body = self.body(Place(places), b"abcdef")
        assert [body.read(4), body.read(4), body.read(4)] == [b"abcd", b"ef", b""]
        assert places.take(wait=False)

    def test_it_is_given_back_once(self) -> None:
        places = Places(1)
        place = Place(places)
        self.body(place).read(1)
        place.leave()
        place.leave()
        assert places.take(wait=False)
        assert not places.take(wait=False)

    def test_after_a_refusal_nothing_is_read_where_there_is_none(self) -> None:
        places = Places(1)
        self.body(Place(places)).read(1)
        refused = io.BytesIO(b"abc")
        Body(refused, OnThisThread(), place=Place(places), limit=None, announced=3, seconds=5).drain()
        assert refused.tell() == 0

    def test_after_a_refusal_the_rest_is_read_in_one(self) -> None:
        places = Places(1)
        refused = io.BytesIO(b"abc")
        Body(refused, OnThisThread(), place=Place(places), limit=None, announced=3, seconds=5).drain()
        assert refused.tell() == 3
        assert places.take(wait=False)


def test_a_read_on_the_request_s_own_thread_tells_what_broke() -> None:
    class Broken:
        def read(self, _size: int) -> bytes:
            raise OSError

    with pytest.raises(BadRequest):
        Body(Broken(), OnThisThread(), limit=9, announced=None, seconds=5).read(1)  # type: ignore[arg-type]
