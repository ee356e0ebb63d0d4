"""What every storage driver must do. Each driver's test module makes a class of this one and says where it stores."""

import io
import threading
import time
from collections.abc import Callable
from concurrent.futures import ThreadPoolExecutor
from typing import BinaryIO, TypeVar

import pytest

from storage.base import (
    ABSENT,
    ANYWAY,
    LAST_SECOND,
    AlreadyExists,
    Changed,
    InvalidKey,
    Matching,
    NotFound,
    State,
    Storage,
    StorageError,
    Unavailable,
)

MIB = 1 << 20
LONG = 12 * MIB + 1
"""Bytes of a stream that an S3 storage sends in parts, once a test has made those as small as S3 allows."""

ODD_KEYS = [
    "app-1.0.0+build.5.tgz",
    "app-1.0.0%2Bbuild.tgz",
    "100%.tgz",
    "with space/and  two.tgz",
    " leading and trailing ",
    "quotes'\"`.tgz",
    "angle<b>&amp;.tgz",
    "question?versions=1#fragment",
    "semicolon;comma,equals=at@colon:dollar$.tgz",
    "back\\slash.tgz",
    "square[1]{curly}(round)*~!^|.tgz",
    "grüße/日本語-🚀.tgz",
    ".hidden",
    "...",
    "..data/app.tgz",
    "a/.b/..c",
    "chartrepo/app.tgz",
    "x" * 200 + ".tgz",
    "/".join(["deep"] * 40),
]

BAD_KEYS = [
    "",
    "/",
    "/etc/passwd",
    "..",
    "../outside",
    "a/../b",
    "a/..",
    ".",
    "./a",
    "a//b",
    "a/",
    "nul\0byte",
    "half a surrogate \ud800",
    ".chartrepo/secret",
    ".chartrepo-0.tmp",
    "team/.chartrepo/secret",
    "x" * 901,
]


class BrokenSourceError(Exception):
    """What `broken_after` fails with."""


class Stream:
    """Something that can be read once, cannot seek, and may give less than it is asked for."""

    def __init__(self, content: bytes, *, piece: int = MIB, then: BaseException | None = None) -> None:
        """Give `content`, at most `piece` bytes at once, and raise `then` where it would end."""
        self._file = io.BytesIO(content)
        self._piece = piece
        self._then = then

    def read(self, size: int, /) -> bytes:
        assert 0 < size <= MIB, "a stream is to be read in pieces"
        data = self._file.read(min(size, self._piece))
        if not data and self._then is not None:
            raise self._then
        return data


class StorageContract:
    """The rules of `storage.base`, as tests. A driver's class gives the fixture `storage`, and may give `replica`."""

    reads_meanwhile = True
    """Whether an object is whole for those who read it while others write it, which is so of real storages."""

    @pytest.fixture
    def storage(self) -> Storage:
        raise NotImplementedError

    @pytest.fixture
    def replica(self, storage: Storage) -> Storage:
        """A second driver over the same objects, as another process would have it."""
        return storage

    # Writing and reading

    @pytest.mark.parametrize("size", [0, 1, 700, MIB, MIB + 1])
    def test_what_was_put_is_read(self, storage: Storage, size: int) -> None:
        content = noise(size)
        put = storage.put("team/app-1.0.0.tgz", content, condition=ABSENT, published=1_600_000_000)
        with storage.open("team/app-1.0.0.tgz") as reader:
            assert reader.read() == content
            assert reader.info == put
        assert (put.key, put.size, put.published) == ("team/app-1.0.0.tgz", size, 1_600_000_000)

    def test_what_need_not_outlive_a_power_cut_is_there_all_the_same(self, storage: Storage, replica: Storage) -> None:
        storage.put("new/folder/a", b"one", condition=ANYWAY, durable=False)
        storage.put("new/folder/a", b"two", condition=ANYWAY, durable=False)
        with replica.open("new/folder/a") as reader:
            assert reader.read() == b"two"

    def test_another_driver_sees_what_was_put(self, storage: Storage, replica: Storage) -> None:
        put = storage.put("app.tgz", b"bytes", condition=ABSENT)
        assert replica.stat("app.tgz") == put
        assert read(replica, "app.tgz") == b"bytes"

    def test_stat_open_and_list_agree(self, storage: Storage) -> None:
        put = storage.put("a/b.tgz", b"bytes", condition=ABSENT, published=12)
        assert storage.stat("a/b.tgz") == put
        with storage.open("a/b.tgz") as reader:
            assert reader.info == put
        (listed,) = storage.list()
        assert (listed.key, listed.size, listed.state) == (put.key, put.size, put.state)
        assert listed.published in {12, None}

    def test_a_file_is_read_from_where_it_stands(self, storage: Storage) -> None:
        file = io.BytesIO(b"not this, but this")
        file.seek(len(b"not this, "))
        assert storage.put("k", file, condition=ABSENT).size == len(b"but this")
        assert read(storage, "k") == b"but this"

    def test_a_large_file_passes_whole_and_from_where_it_stands(self, storage: Storage) -> None:
        content = noise(20 * MIB)
        file = io.BytesIO(content)
        file.seek(3)
        info = storage.put("large", file, condition=ABSENT)
        assert info.size == 20 * MIB - 3
        assert read(storage, "large") == content[3:]

    def test_an_object_can_be_read_in_pieces(self, storage: Storage) -> None:
        content = noise(3 * MIB)
        storage.put("k", content, condition=ABSENT)
        pieces = []
        with storage.open("k") as reader:
            while piece := reader.read(100_000):
                assert len(piece) <= 100_000
                pieces.append(piece)
            assert reader.read(1) == b""
            assert reader.read() == b""
        assert b"".join(pieces) == content

    def test_the_rest_can_be_read_after_a_piece(self, storage: Storage) -> None:
        storage.put("k", b"0123456789", condition=ABSENT)
        with storage.open("k") as reader:
            assert reader.read(0) == b""
            assert reader.read(3) == b"012"
            assert reader.read() == b"3456789"

    def test_a_reader_may_be_closed_twice_and_early(self, storage: Storage) -> None:
        storage.put("k", noise(2 * MIB), condition=ABSENT)
        reader = storage.open("k")
        reader.read(10)
        reader.close()
        reader.close()

    @pytest.mark.parametrize(
        ("start", "length", "expected"),
        [
            (0, None, b"0123456789"),
            (0, 4, b"0123"),
            (3, 4, b"3456"),
            (9, 1, b"9"),
            (9, None, b"9"),
            (4, 100, b"456789"),
            (0, 100, b"0123456789"),
            (5, 0, b""),
            (10, None, b""),
            (10, 1, b""),
            (11, 5, b""),
        ],
    )
    def test_a_range_is_read(self, storage: Storage, start: int, length: int | None, expected: bytes) -> None:
        put = storage.put("k", b"0123456789", condition=ABSENT, published=9)
        with storage.open("k", state=put.state, start=start, length=length) as reader:
            assert reader.info == put
            assert reader.read() == expected
            assert reader.read() == b""

    def test_a_range_of_nothing_is_nothing(self, storage: Storage) -> None:
        storage.put("empty", b"", condition=ABSENT)
        with storage.open("empty", start=0, length=10) as reader:
            assert reader.info.size == 0
            assert reader.read() == b""

    def test_a_range_of_another_state_is_refused(self, storage: Storage) -> None:
        put = storage.put("k", b"0123456789", condition=ABSENT)
        storage.put("k", b"abc", condition=ANYWAY)
        for start, length in [(1, 1), (0, 0), (100, 1)]:
            with pytest.raises(Changed):
                storage.open("k", state=put.state, start=start, length=length)

    def test_what_is_not_there_is_not_found(self, storage: Storage) -> None:
        storage.put("folder/app.tgz", b"bytes", condition=ABSENT)
        for key in ["nothing", "folder/nothing", "nowhere/at/all", "folder"]:
            with pytest.raises(NotFound, match=key):
                storage.open(key)
            with pytest.raises(NotFound, match=key):
                storage.open(key, start=1, length=1)
            with pytest.raises(NotFound, match=key):
                storage.stat(key)
            with pytest.raises(NotFound, match=key):
                storage.delete(key)

    def test_an_object_is_opened_in_the_state_asked_for_only(self, storage: Storage) -> None:
        first = storage.put("k", b"first", condition=ABSENT)
        with storage.open("k", state=first.state) as reader:
            assert reader.read() == b"first"
        storage.put("k", b"other", condition=ANYWAY)
        with pytest.raises(Changed, match="k"):
            storage.open("k", state=first.state)

    def test_a_reader_never_mixes_two_states(self, storage: Storage, replica: Storage) -> None:
        old, new = b"o" * (8 * MIB), b"n" * (8 * MIB)
        storage.put("k", old, condition=ABSENT)
        with storage.open("k") as reader:
            content = reader.read(1000)
            replica.put("k", new, condition=ANYWAY)
            try:
                content += reader.read()
            except Unavailable:
                return
        assert content == old

    # Streams

    @pytest.mark.parametrize("size", [0, 1, MIB, 5 * MIB - 1, 5 * MIB, 5 * MIB + 1, 10 * MIB, LONG])
    @pytest.mark.parametrize("piece", [MIB, 300_007], ids=["full pieces", "short pieces"])
    def test_a_stream_that_can_be_read_once_passes_whole(self, storage: Storage, size: int, piece: int) -> None:
        content = noise(size)
        put = storage.put("team/k", Stream(content, piece=piece), condition=ABSENT, published=12)
        assert (put.key, put.size, put.published) == ("team/k", size, 12)
        assert storage.stat("team/k") == put
        assert read(storage, "team/k") == content

    @pytest.mark.parametrize("size", [3, LONG])
    def test_conditions_hold_for_streams(self, storage: Storage, size: int) -> None:
        first = storage.put("k", Stream(noise(size)), condition=ABSENT)
        with pytest.raises(AlreadyExists, match="k"):
            storage.put("k", Stream(b"x" * size), condition=ABSENT)
        second = storage.put("k", Stream(b"y" * size), condition=Matching(first.state))
        with pytest.raises(Changed, match="k"):
            storage.put("k", Stream(b"z" * size), condition=Matching(first.state))
        with pytest.raises(Changed, match="none"):
            storage.put("none", Stream(b"z" * size), condition=Matching(first.state))
        assert storage.stat("k") == second
        assert read(storage, "k") == b"y" * size
        storage.put("k", Stream(b"a" * size), condition=ANYWAY)
        assert read(storage, "k") == b"a" * size
        assert listed(storage) == {"k"}

    @pytest.mark.parametrize("kind", [BrokenSourceError, ConnectionResetError, NotFound, KeyboardInterrupt])
    @pytest.mark.parametrize("size", [0, 3, LONG])
    def test_what_a_stream_fails_with_passes_as_it_is_and_nothing_is_left(
        self, storage: Storage, size: int, kind: type[BaseException]
    ) -> None:
        error = kind("the client went away")
        with pytest.raises(kind) as caught:
            storage.put("k", Stream(noise(size), then=error), condition=ABSENT)
        assert caught.value is error
        assert listed(storage) == set()
        put = storage.put("k", b"whole", condition=ABSENT)
        with pytest.raises(kind):
            storage.put("k", Stream(noise(size), then=error), condition=ANYWAY)
        assert storage.stat("k") == put

    def test_a_reader_is_a_stream(self, storage: Storage) -> None:
        storage.put("k", noise(LONG), condition=ABSENT)
        with storage.open("k") as reader:
            storage.put("again", reader, condition=ABSENT)
        assert read(storage, "again") == noise(LONG)

    # Conditions

    def test_a_taken_key_is_not_created_again(self, storage: Storage) -> None:
        first = storage.put("k", b"first", condition=ABSENT)
        with pytest.raises(AlreadyExists, match="k"):
            storage.put("k", b"second", condition=ABSENT)
        assert storage.stat("k") == first
        assert read(storage, "k") == b"first"

    def test_even_the_same_bytes_are_not_created_twice(self, storage: Storage) -> None:
        storage.put("k", b"same", condition=ABSENT, published=1)
        with pytest.raises(AlreadyExists):
            storage.put("k", b"same", condition=ABSENT, published=1)

    def test_a_deleted_key_can_be_created_again(self, storage: Storage) -> None:
        storage.put("k", b"first", condition=ABSENT)
        storage.delete("k")
        storage.put("k", b"second", condition=ABSENT)
        assert read(storage, "k") == b"second"

    def test_only_the_named_state_is_replaced(self, storage: Storage) -> None:
        first = storage.put("k", b"first", condition=ABSENT)
        second = storage.put("k", b"second", condition=Matching(first.state))
        with pytest.raises(Changed, match="k"):
            storage.put("k", b"third", condition=Matching(first.state))
        assert storage.stat("k") == second
        assert read(storage, "k") == b"second"

    def test_what_is_gone_is_not_replaced(self, storage: Storage) -> None:
        first = storage.put("k", b"first", condition=ABSENT)
        storage.delete("k")
        with pytest.raises(Changed):
            storage.put("k", b"second", condition=Matching(first.state))
        with pytest.raises(NotFound):
            storage.stat("k")

    def test_a_state_that_never_was_matches_nothing(self, storage: Storage) -> None:
        storage.put("k", b"first", condition=ABSENT)
        with pytest.raises(Changed):
            storage.put("k", b"second", condition=Matching(State("never")))

    def test_anyway_writes_over_anything_and_nothing(self, storage: Storage) -> None:
        storage.put("k", b"first", condition=ANYWAY)
        storage.put("k", b"second", condition=ANYWAY)
        assert read(storage, "k") == b"second"

    def test_the_state_tells_other_bytes_of_the_same_size_and_second(self, storage: Storage) -> None:
        states = {
            storage.put("k", b"%4d" % number, condition=ANYWAY, published=1_700_000_000).state for number in range(20)
        }
        assert len(states) == 20
        assert storage.stat("k").state in states

    def test_the_state_of_an_untouched_object_stays(self, storage: Storage, replica: Storage) -> None:
        put = storage.put("k", b"bytes", condition=ABSENT)
        storage.put("other", b"bytes", condition=ABSENT)
        assert storage.stat("k").state == replica.stat("k").state == put.state

    def test_a_failing_source_leaves_nothing(self, storage: Storage) -> None:
        with pytest.raises((BrokenSourceError, Unavailable)):
            storage.put("k", broken_after(3 * MIB), condition=ABSENT)
        with pytest.raises(NotFound):
            storage.stat("k")
        assert list(storage.list()) == []

    # Time of publication

    @pytest.mark.parametrize("moment", [0, 1, 999_999_999, 1_700_000_001, 4_102_444_800])
    def test_the_time_of_publication_is_kept_to_the_second(self, storage: Storage, moment: int) -> None:
        storage.put("k", b"bytes", condition=ABSENT, published=moment)
        assert storage.stat("k").published == moment

    @pytest.mark.parametrize("moment", [-(10**12), -1, LAST_SECOND + 1, 10**12])
    def test_a_time_of_publication_that_no_calendar_has_is_brought_into_it(self, storage: Storage, moment: int) -> None:
        storage.put("k", b"bytes", condition=ABSENT, published=moment)
        storage.put("k", b"other", condition=ANYWAY, published=moment)
        published = storage.stat("k").published
        assert published is not None
        assert 0 <= published <= LAST_SECOND
        assert (published > 0) == (moment > 0)

    def test_without_one_the_time_of_publication_is_now(self, storage: Storage) -> None:
        before = int(time.time())
        published = storage.put("k", b"bytes", condition=ABSENT).published
        assert published is not None
        assert before <= published <= time.time()

    def test_a_replacement_has_a_time_of_its_own(self, storage: Storage) -> None:
        first = storage.put("k", b"first", condition=ABSENT, published=100)
        storage.put("k", b"second", condition=Matching(first.state), published=50)
        assert storage.stat("k").published == 50

    # Copying

    @pytest.fixture
    def origin(self, storage: Storage) -> Storage:
        """Another storage of the same location, empty."""
        return storage

    @pytest.mark.parametrize("size", [0, 1, LONG])
    def test_a_copy_is_what_its_source_is(self, storage: Storage, origin: Storage, replica: Storage, size: int) -> None:
        put = origin.put("uploads/one", noise(size), condition=ABSENT, published=1_500_000_000)
        copied = storage.copy("blobs/two", "uploads/one", origin=origin)
        assert (copied.key, copied.size, copied.published) == ("blobs/two", size, 1_500_000_000)
        assert storage.stat("blobs/two") == replica.stat("blobs/two") == copied
        assert read(replica, "blobs/two") == noise(size)
        assert origin.stat("uploads/one") == put

    def test_without_an_origin_the_source_lies_in_the_same_storage(self, storage: Storage) -> None:
        storage.put("one", b"bytes", condition=ABSENT, published=9)
        copied = storage.copy("a/two", "one")
        assert storage.stat("a/two") == copied
        assert listed(storage) == {"one", "a/two"}

    def test_a_copy_outlives_its_source_whatever_becomes_of_that(self, storage: Storage, origin: Storage) -> None:
        origin.put("one", b"bytes", condition=ABSENT)
        copies = [storage.copy(key, "one", origin=origin) for key in ("two", "three")]
        origin.put("one", b"others", condition=ANYWAY)
        assert storage.stat("two") == copies[0]
        origin.delete("one")
        storage.delete("three")
        assert storage.stat("two") == copies[0]
        assert read(storage, "two") == b"bytes"

    def test_a_copy_can_be_replaced_and_its_source_stays(self, storage: Storage, origin: Storage) -> None:
        put = origin.put("one", b"bytes", condition=ABSENT)
        copied = storage.copy("two", "one", origin=origin)
        storage.put("two", b"other", condition=Matching(copied.state))
        storage.delete("two", state=storage.stat("two").state)
        assert origin.stat("one") == put
        assert read(origin, "one") == b"bytes"

    def test_nothing_is_copied_over_a_taken_key(self, storage: Storage, origin: Storage) -> None:
        origin.put("one", b"bytes", condition=ABSENT)
        taken = storage.put("taken", b"others", condition=ABSENT)
        with pytest.raises(AlreadyExists, match="taken"):
            storage.copy("taken", "one", origin=origin)
        assert storage.stat("taken") == taken
        storage.copy("two", "one", origin=origin)
        with pytest.raises(AlreadyExists, match="two"):
            storage.copy("two", "one", origin=origin)
        with pytest.raises(AlreadyExists, match="one"):
            origin.copy("one", "one")
        assert read(origin, "one") == b"bytes"

    def test_what_is_not_there_is_not_copied(self, storage: Storage, origin: Storage) -> None:
        origin.put("folder/one", b"bytes", condition=ABSENT)
        for source in ["none", "folder/none", "nowhere/at/all", "folder"]:
            with pytest.raises(NotFound, match=source):
                storage.copy("k", source, origin=origin)
        assert "k" not in listed(storage)

    @pytest.mark.parametrize("key", ODD_KEYS, ids=ascii)
    def test_an_odd_key_can_be_copied_and_copied_to(self, storage: Storage, origin: Storage, key: str) -> None:
        origin.put(key, b"odd", condition=ABSENT)
        storage.copy("plain", key, origin=origin)
        storage.copy(f"odd/{key}", "plain")
        assert read(storage, f"odd/{key}") == b"odd"

    @pytest.mark.parametrize("key", BAD_KEYS, ids=ascii)
    def test_nothing_is_copied_from_or_to_where_no_key_leads(self, storage: Storage, origin: Storage, key: str) -> None:
        origin.put("one", b"bytes", condition=ABSENT)
        for call in (lambda: storage.copy(key, "one", origin=origin), lambda: storage.copy("k", key, origin=origin)):
            with pytest.raises(InvalidKey):
                call()

    def test_of_racing_copies_and_writes_each_is_whole(
        self, storage: Storage, origin: Storage, replica: Storage
    ) -> None:
        origin.put("one", b"bytes" * MIB, condition=ABSENT)

        def copy(racer: int) -> None:
            try:
                if racer % 2:
                    (storage, replica)[racer // 2 % 2].copy("k", "one", origin=origin)
                else:
                    storage.put("k", b"bytes" * MIB, condition=ABSENT)
            except AlreadyExists:
                if self.reads_meanwhile:
                    assert read(replica, "k") == b"bytes" * MIB

        at_once(copy, 8)
        assert read(storage, "k") == b"bytes" * MIB

    # Deleting

    def test_a_deleted_object_is_gone(self, storage: Storage, replica: Storage) -> None:
        storage.put("a/k", b"bytes", condition=ABSENT)
        storage.put("a/other", b"bytes", condition=ABSENT)
        storage.delete("a/k")
        with pytest.raises(NotFound):
            replica.open("a/k")
        assert [info.key for info in replica.list()] == ["a/other"]

    def test_only_the_named_state_is_deleted(self, storage: Storage) -> None:
        first = storage.put("k", b"first", condition=ABSENT)
        second = storage.put("k", b"other", condition=ANYWAY)
        with pytest.raises(Changed, match="k"):
            storage.delete("k", state=first.state)
        assert read(storage, "k") == b"other"
        storage.delete("k", state=second.state)
        with pytest.raises(NotFound):
            storage.delete("k", state=second.state)

    # Keys

    @pytest.mark.parametrize("key", ODD_KEYS, ids=ascii)
    def test_an_odd_key_is_a_key_like_others(self, storage: Storage, key: str) -> None:
        storage.put(key, b"odd", condition=ABSENT)
        assert storage.stat(key).key == key
        assert read(storage, key) == b"odd"
        assert [info.key for info in storage.list()] == [key]
        assert [info.key for info in storage.list(key)] == [key]
        storage.delete(key)
        assert list(storage.list()) == []

    def test_odd_keys_do_not_get_into_each_others_way(self, storage: Storage) -> None:
        for key in ODD_KEYS:
            storage.put(key, key.encode(), condition=ABSENT)
        assert {info.key for info in storage.list()} == set(ODD_KEYS)
        assert all(read(storage, key) == key.encode() for key in ODD_KEYS)

    @pytest.mark.parametrize("key", BAD_KEYS, ids=ascii)
    def test_a_key_that_would_leave_the_root_or_reach_private_things_is_refused(
        self, storage: Storage, key: str
    ) -> None:
        calls: list[Callable[[], object]] = [
            lambda: storage.put(key, b"", condition=ANYWAY),
            lambda: storage.open(key),
            lambda: storage.stat(key),
            lambda: storage.delete(key),
        ]
        for call in calls:
            with pytest.raises(InvalidKey):
                call()

    def test_messages_are_one_line_however_odd_the_key(self, storage: Storage) -> None:
        for key in ["line\nbreak", "escape\x1b[31m", "x" * 150]:
            with pytest.raises(NotFound) as caught:
                storage.stat(key)
            assert str(caught.value).isprintable()
        with pytest.raises(InvalidKey) as refused:
            storage.stat("y" * 10_000 + "\n")
        assert str(refused.value).isprintable()
        assert len(str(refused.value)) < 600

    # Listing

    def test_nothing_is_listed_where_nothing_is(self, storage: Storage) -> None:
        assert list(storage.list()) == []
        assert list(storage.list("team/")) == []

    def test_a_listing_goes_to_any_depth_and_begins_with_the_prefix(self, storage: Storage) -> None:
        everything = {"app.tgz", "team/app.tgz", "team/apple.tgz", "team/a/pp.tgz", "team-b/app.tgz", "teams"}
        for key in everything:
            storage.put(key, b"", condition=ABSENT)
        assert listed(storage) == everything
        assert listed(storage, "team/") == {"team/app.tgz", "team/apple.tgz", "team/a/pp.tgz"}
        assert listed(storage, "team/app") == {"team/app.tgz", "team/apple.tgz"}
        assert listed(storage, "team/a") == {"team/app.tgz", "team/apple.tgz", "team/a/pp.tgz"}
        assert listed(storage, "team") == everything - {"app.tgz"}
        assert listed(storage, "team/app.tgz") == {"team/app.tgz"}
        assert listed(storage, "app.tgz/") == set()
        assert listed(storage, "nothing/here/") == set()

    @pytest.mark.parametrize("prefix", ["../", "/", "/etc/", "a/../", "a//", ".chartrepo/"])
    def test_no_prefix_leaves_the_root(self, storage: Storage, prefix: str) -> None:
        with pytest.raises(InvalidKey):
            list(storage.list(prefix))

    def test_a_listing_has_no_end_of_pages(self, storage: Storage) -> None:
        names = {f"many/app-{number}.0.0.tgz" for number in range(1_050)}
        with ThreadPoolExecutor(8) as pool:
            for _ in pool.map(lambda name: storage.put(name, b"", condition=ABSENT), names):
                pass
        assert listed(storage) == names
        assert len(list(storage.list("many/"))) == 1_050

    def test_a_listing_may_be_left_early(self, storage: Storage) -> None:
        for number in range(5):
            storage.put(f"k{number}", b"", condition=ABSENT)
        assert next(storage.list()).key.startswith("k")

    # Races

    def test_of_racing_creates_exactly_one_wins(self, storage: Storage, replica: Storage) -> None:
        for turn in range(10):
            key = f"race-{turn}"

            def create(racer: int, key: str = key) -> bytes | None:
                content = b"racer %d" % racer
                try:
                    (storage, replica)[racer % 2].put(key, content, condition=ABSENT)
                except AlreadyExists:
                    return None
                return content

            (winner,) = [content for content in at_once(create, 8) if content is not None]
            assert read(storage, key) == winner

    def test_of_racing_replacements_exactly_one_wins(self, storage: Storage, replica: Storage) -> None:
        before = storage.put("k", b"before", condition=ABSENT)
        for turn in range(10):
            state = before.state

            def replace(racer: int, state: State = state, turn: int = turn) -> bytes | None:
                content = b"turn %d of %d" % (turn, racer)
                try:
                    (storage, replica)[racer % 2].put("k", content, condition=Matching(state), published=7)
                except Changed:
                    return None
                return content

            (winner,) = [content for content in at_once(replace, 8) if content is not None]
            assert read(storage, "k") == winner
            before = storage.stat("k")

    # Around it

    def test_a_check_finds_that_conditions_hold_and_leaves_nothing_behind(self, storage: Storage) -> None:
        abilities = storage.check()
        assert abilities.conditional_writes
        assert abilities.description
        assert list(storage.list()) == []
        storage.put("k", b"bytes", condition=ABSENT)
        assert storage.check() == abilities
        assert listed(storage) == {"k"}

    def test_checks_at_once_do_not_disturb_each_other(self, storage: Storage, replica: Storage) -> None:
        assert all(at_once(lambda racer: (storage, replica)[racer % 2].check().conditional_writes, 6))

    def test_a_check_for_reading_writes_nothing_and_promises_nothing(self, storage: Storage) -> None:
        assert not storage.check(writable=False).conditional_writes

    def test_living_objects_are_no_leftovers(self, storage: Storage) -> None:
        storage.put("k", b"bytes", condition=ABSENT, published=1)
        assert storage.remove_leftovers() == 0
        assert read(storage, "k") == b"bytes"

    def test_every_error_is_a_storage_error_with_a_sentence(self, storage: Storage) -> None:
        storage.put("k", b"", condition=ABSENT)
        calls: list[Callable[[], object]] = [
            lambda: storage.stat("none"),
            lambda: storage.put("k", b"", condition=ABSENT),
            lambda: storage.put("k", b"", condition=Matching(State("x"))),
            lambda: storage.stat(".."),
        ]
        for call in calls:
            with pytest.raises(StorageError) as caught:
                call()
            assert " " in str(caught.value)
            assert caught.value.__cause__ is None
            assert caught.value.__suppress_context__ or caught.value.__context__ is None


class DecisiveDeletes:
    """Where a deletion and a replacement in the same moment exclude each other. Few S3 services do that."""

    def test_of_a_replacement_and_a_deletion_that_race_one_wins(self, storage: Storage, replica: Storage) -> None:
        for turn in range(10):
            state = storage.put("k", b"before", condition=ABSENT).state

            def act(racer: int, state: State = state) -> bool:
                try:
                    if racer % 2:
                        replica.put("k", b"after", condition=Matching(state))
                    else:
                        storage.delete("k", state=state)
                except (Changed, NotFound):
                    return False
                return True

            deleted, replaced = at_once(act, 2)
            assert deleted != replaced, turn
            assert listed(storage) == ({"k"} if replaced else set())
            if replaced:
                storage.delete("k")


def broken_after(size: int) -> BinaryIO:
    """A file that says it is twice as long as what it gives before it breaks."""

    class Broken(io.BytesIO):
        def read(self, wanted: int | None = -1, /) -> bytes:
            if wanted is None or wanted < 0 or self.tell() + wanted > size:
                raise BrokenSourceError("the source broke")
            return super().read(wanted)

    return Broken(b"x" * (2 * size))


def noise(size: int) -> bytes:
    """Bytes that repeat with a period that is no power of two, so that no lost or doubled block goes unseen."""
    period = bytes(range(251))
    return (period * (size // len(period) + 1))[:size]


def read(storage: Storage, key: str) -> bytes:
    with storage.open(key) as reader:
        return reader.read()


def listed(storage: Storage, prefix: str = "") -> set[str]:
    found = [info.key for info in storage.list(prefix)]
    assert len(found) == len(set(found)), "a key was listed twice"
    return set(found)


Result = TypeVar("Result")


def at_once(act: Callable[[int], Result], racers: int) -> list[Result]:
    """Call `act` with 0, 1, ... at the same moment, each in a thread, and give what they returned, in that order."""
    barrier = threading.Barrier(racers)

    def start(racer: int) -> Result:
        barrier.wait()
        return act(racer)

    with ThreadPoolExecutor(racers) as pool:
        return list(pool.map(start, range(racers)))
