"""Logging in: the file as it is now, and how often a password is really computed."""

import logging
import os
import threading
from collections.abc import Callable, Iterator
from concurrent.futures import Future, ThreadPoolExecutor
from pathlib import Path
from typing import Any, Final

import argon2
import bcrypt
import pytest
from argon2.exceptions import VerificationError

from chartrepo.access import Htpasswd, checks, htpasswd
from chartrepo.core.errors import AccessMisconfigured, PasswordUnchecked, UsersInvalid
from tests.support.repositories import Clock

TOO_LONG: Final = "x" * 1025
SECOND: Final = 1_000_000_000


def bcrypt_of(password: str, cost: int = 4) -> str:
    return bcrypt.hashpw(password.encode(), bcrypt.gensalt(cost)).decode()


def argon2_of(password: str, memory: int = 8) -> str:
    return argon2.PasswordHasher(time_cost=1, memory_cost=memory, parallelism=1).hash(password)


@pytest.fixture
def clock() -> Clock:
    return Clock(now=1000.0)


@pytest.fixture
def file(tmp_path: Path) -> Path:
    return tmp_path / "users"


@pytest.fixture
def users(file: Path, clock: Clock) -> Htpasswd:
    """One user, ci, whose password is secret."""
    write(file, ci=bcrypt_of("secret"))
    return Htpasswd(file, clock=clock)


@pytest.fixture
def computed(monkeypatch: pytest.MonkeyPatch) -> list[str]:
    """The hashes that a password was checked against, in order."""
    seen: list[str] = []
    checkpw, verify = bcrypt.checkpw, argon2.PasswordHasher.verify

    def watched_checkpw(password: bytes, stored: bytes) -> bool:
        seen.append(stored.decode())
        return checkpw(password, stored)

    def watched_verify(hasher: argon2.PasswordHasher, stored: str, password: bytes) -> bool:
        seen.append(stored)
        return verify(hasher, stored, password)

    monkeypatch.setattr(bcrypt, "checkpw", watched_checkpw)
    monkeypatch.setattr(argon2.PasswordHasher, "verify", watched_verify)
    return seen


_times: Final[Iterator[int]] = iter(range(SECOND, 1_000_000 * SECOND, SECOND))


def write(file: Path, **hashes: str) -> None:
    """Write a file whose time is another one each time, however fast the test is."""
    file.write_text("".join(f"{name}:{text}\n" for name, text in hashes.items()))
    moment = next(_times)
    os.utime(file, ns=(moment, moment))


def warnings(caplog: pytest.LogCaptureFixture) -> list[str]:
    return [record.getMessage() for record in caplog.records if record.levelno == logging.WARNING]


class TestLoggingIn:
    @pytest.mark.parametrize("of", [bcrypt_of, argon2_of])
    def test_a_user_logs_in_with_the_own_password_alone(
        self, file: Path, clock: Clock, of: Callable[[str], str]
    ) -> None:
        write(file, ci=of("secret"), jo=of("hunter2"))
        users = Htpasswd(file, clock=clock)
        assert users.names == {"ci", "jo"}
        assert users.verify("ci", "secret")
        assert users.verify("jo", "hunter2")
        tries = [("ci", "hunter2"), ("jo", "secret"), ("CI", "secret"), ("", "secret"), ("ci", ""), ("x", "")]
        assert [users.verify(*each) for each in tries] == [False] * 6

    @pytest.mark.parametrize("password", ["wrong", "", TOO_LONG, "secret\0", "sec\0ret", "\udcff"])
    @pytest.mark.parametrize("name", ["ci", "jo", "", "a\0b", "n" * 10_000, "\udcff"])
    def test_every_failure_takes_the_same_work(
        self, users: Htpasswd, computed: list[str], name: str, password: str
    ) -> None:
        assert not users.verify(name, password)
        assert [stored[:7] for stored in computed] == ["$2b$04$"]

    def test_an_unknown_user_takes_the_work_of_the_most_costly_hash(
        self, file: Path, clock: Clock, computed: list[str]
    ) -> None:
        write(file, a=bcrypt_of("secret"), b=argon2_of("secret", memory=4096), c=bcrypt_of("secret", cost=5))
        assert not Htpasswd(file, clock=clock).verify("nobody", "secret")
        assert [stored.startswith("$argon2id$v=19$m=4096,t=1,p=1$") for stored in computed] == [True]

    @pytest.mark.parametrize(("length", "right"), [(72, True), (1024, True), (1025, False)])
    def test_a_long_password_goes_with_the_hash_that_htpasswd_made_of_its_beginning(
        self, file: Path, clock: Clock, length: int, right: bool
    ) -> None:
        write(file, ci=bcrypt_of("x" * 72))
        assert Htpasswd(file, clock=clock).verify("ci", "x" * length) is right

    @pytest.mark.parametrize(("password", "right"), [("x" * 1024, True), (TOO_LONG, False), ("a\0b", False)])
    def test_what_can_be_no_password_is_wrong_even_where_the_hash_is_of_it(
        self, file: Path, clock: Clock, password: str, right: bool
    ) -> None:
        write(file, ci=argon2_of(password))
        assert Htpasswd(file, clock=clock).verify("ci", password) is right

    def test_nobody_logs_in_where_there_never_was_a_file(self, file: Path, clock: Clock) -> None:
        users = Htpasswd(file, clock=clock)
        assert not users.verify("ci", "secret")
        assert users.names == frozenset()
        assert users.file.problem is not None


class TestRemembering:
    def test_a_right_password_is_computed_once_a_minute(
        self, users: Htpasswd, clock: Clock, computed: list[str]
    ) -> None:
        for seconds, count in [(0, 1), (30, 1), (29, 1), (1, 2), (59, 2)]:
            clock.now += seconds
            assert users.verify("ci", "secret")
            assert len(computed) == count

    def test_a_wrong_password_is_computed_each_time(self, users: Htpasswd, computed: list[str]) -> None:
        assert [users.verify("ci", "wrong"), users.verify("ci", "wrong")] == [False, False]
        assert len(computed) == 2

    def test_one_right_password_does_not_make_another_one_right(self, users: Htpasswd) -> None:
        assert users.verify("ci", "secret")
        assert not users.verify("ci", "secret2")
        assert not users.verify("c", "isecret")

    def test_a_changed_password_is_forgotten_at_once(self, users: Htpasswd, file: Path, clock: Clock) -> None:
        assert users.verify("ci", "secret")
        write(file, ci=bcrypt_of("other"))
        clock.now += 1
        assert not users.verify("ci", "secret")
        assert users.verify("ci", "other")

    def test_a_user_who_was_removed_is_forgotten_at_once(self, users: Htpasswd, file: Path, clock: Clock) -> None:
        assert users.verify("ci", "secret")
        write(file, jo=bcrypt_of("secret"))
        clock.now += 1
        assert not users.verify("ci", "secret")

    def test_a_renewed_hash_is_computed_anew(
        self, users: Htpasswd, file: Path, clock: Clock, computed: list[str]
    ) -> None:
        users.verify("ci", "secret")
        write(file, ci=bcrypt_of("secret"))
        clock.now += 1
        assert users.verify("ci", "secret")
        assert len(computed) == 2

    def test_the_one_that_was_used_longest_ago_is_forgotten_where_there_are_many(
        self, file: Path, clock: Clock, computed: list[str], monkeypatch: pytest.MonkeyPatch
    ) -> None:
        monkeypatch.setattr(checks, "MOST", 2)
        write(file, a=bcrypt_of("a"), b=bcrypt_of("b"), c=bcrypt_of("c"))
        users = Htpasswd(file, clock=clock)
        again = [(name, users.verify(name, name), len(computed)) for name in "abacab"]
        assert again == [(name, True, count) for name, count in zip("abacab", (1, 2, 2, 3, 3, 4), strict=True)]

    @pytest.mark.parametrize(("name", "password"), [("ci", "secret"), ("ci", "wrong"), ("nobody", "secret")])
    def test_callers_who_ask_the_same_at_once_wait_for_one_computation(
        self, users: Htpasswd, monkeypatch: pytest.MonkeyPatch, name: str, password: str
    ) -> None:
        waiting = threading.Semaphore(0)
        computed: list[bytes] = []
        checkpw = bcrypt.checkpw

        class Watched(Future[bool]):
            def result(self, timeout: float | None = None) -> bool:
                waiting.release()
                return super().result(timeout)

        def slow(given: bytes, stored: bytes) -> bool:
            computed.append(stored)
            assert all(waiting.acquire(timeout=30) for _ in range(7)), "the others do not wait"
            return checkpw(given, stored)

        monkeypatch.setattr(checks, "Future", Watched)
        monkeypatch.setattr(bcrypt, "checkpw", slow)
        with ThreadPoolExecutor(8) as pool:
            answers = list(pool.map(lambda _: users.verify(name, password), range(8)))
        assert answers == [(name, password) == ("ci", "secret")] * 8
        assert len(computed) == 1

    def test_what_could_not_be_computed_is_computed_the_next_time(
        self, file: Path, clock: Clock, monkeypatch: pytest.MonkeyPatch
    ) -> None:
        write(file, ci=argon2_of("secret"))
        users = Htpasswd(file, clock=clock)

        def fails(*_: object) -> bool:
            raise VerificationError("Memory allocation error")

        with monkeypatch.context() as patch:
            patch.setattr(argon2.PasswordHasher, "verify", fails)
            for _ in range(2):
                with pytest.raises(PasswordUnchecked):
                    users.verify("ci", "secret")
        assert users.verify("ci", "secret")


def _rewritten(file: Path) -> None:
    """Other bytes, as many as before, in the same file."""
    text = file.read_text()
    inode = file.stat().st_ino
    file.write_text(text.replace("ci:", "jo:"))
    assert file.stat().st_ino == inode
    os.utime(file, ns=(5, 5))


def _longer(file: Path) -> None:
    """Of the same time and inode."""
    before = file.stat()
    file.write_text(file.read_text().replace("ci:", "# renamed\njo:"))
    os.utime(file, ns=(before.st_mtime_ns, before.st_mtime_ns))


def _replaced(file: Path) -> None:
    """By a file of the same time and size."""
    before = file.stat()
    other = file.with_name("other")
    other.write_text(file.read_text().replace("ci:", "jo:"))
    os.utime(other, ns=(before.st_mtime_ns, before.st_mtime_ns))
    other.replace(file)


def _piped(file: Path) -> None:
    file.unlink()
    os.mkfifo(file)


SPOILED: Final = [
    pytest.param(lambda file: file.write_text("ci:secret\n"), "line 1: the password is plain text", id="wrong"),
    pytest.param(lambda file: file.write_text(""), "there are no users in it", id="empty"),
    pytest.param(lambda file: file.unlink(), "is not there: make it with `htpasswd -c -B -C 12 ", id="vanished"),
    pytest.param(lambda file: file.write_bytes(b"#" * (1024 * 1024 + 1)), "is larger than 1.0 MiB", id="large"),
    pytest.param(lambda file: file.unlink() or file.mkdir(), "is not a file", id="folder"),
    pytest.param(_piped, "is not a file", id="pipe"),
]


class TestReadingAgain:
    @pytest.mark.parametrize("change", [_rewritten, _longer, _replaced])
    def test_a_change_is_seen_within_a_second(
        self, users: Htpasswd, file: Path, clock: Clock, change: Callable[[Path], None]
    ) -> None:
        assert users.names == {"ci"}
        change(file)
        clock.now += 0.9
        assert users.names == {"ci"}
        clock.now += 0.1
        assert users.names == {"jo"}
        assert users.verify("jo", "secret")

    def test_a_file_that_did_not_change_is_not_read(
        self, users: Htpasswd, clock: Clock, monkeypatch: pytest.MonkeyPatch
    ) -> None:
        assert users.names == {"ci"}

        def fails(*_: object) -> None:
            raise AssertionError("it was read")

        monkeypatch.setattr(htpasswd, "parse", fails)
        clock.now += 1
        assert users.names == {"ci"}

    def test_a_link_that_is_turned_to_another_file_is_a_change(self, tmp_path: Path, clock: Clock) -> None:
        """As Kubernetes renews a secret in a volume."""
        link = tmp_path / "users"
        for name in ("one", "two"):
            write(tmp_path / name, **{name: bcrypt_of("secret")})
        link.symlink_to("one")
        users = Htpasswd(link, clock=clock)
        assert users.names == {"one"}
        (tmp_path / "new").symlink_to("two")
        (tmp_path / "new").replace(link)
        clock.now += 1
        assert users.names == {"two"}

    @pytest.mark.parametrize(("spoil", "problem"), SPOILED)
    def test_the_users_read_last_stay_while_the_file_is_bad(
        self, users: Htpasswd, file: Path, clock: Clock, spoil: Callable[[Path], Any], problem: str
    ) -> None:
        assert users.file.problem is None
        spoil(file)
        for _ in range(3):
            clock.now += 1
            assert users.verify("ci", "secret")
            assert problem in (users.file.problem or "")
        other = file.with_name("other")
        write(other, jo=bcrypt_of("secret"))
        if file.is_dir():
            file.rmdir()
        other.replace(file)
        clock.now += 1
        assert users.file.problem is None
        assert users.names == {"jo"}

    @pytest.mark.parametrize(("spoil", "problem"), SPOILED)
    def test_each_state_of_a_bad_file_is_told_once(
        self, file: Path, clock: Clock, caplog: pytest.LogCaptureFixture, spoil: Callable[[Path], Any], problem: str
    ) -> None:
        write(file, ci=bcrypt_of("secret"))
        users = Htpasswd(file, clock=clock)
        assert users.names == {"ci"}
        for change in (spoil, lambda _: None, lambda _: None):
            change(file)
            clock.now += 1
            assert users.names == {"ci"}
        (warning,) = warnings(caplog)
        assert problem in warning
        assert warning.endswith("; what was read last stays in force")

    def test_another_state_of_a_bad_file_is_told_though_it_is_as_bad(
        self, users: Htpasswd, file: Path, clock: Clock, caplog: pytest.LogCaptureFixture
    ) -> None:
        for count, text in enumerate(("ci:one", "ci:two", "ci:one"), start=1):
            write(file, ci=text)
            clock.now += 1
            assert users.file.problem is not None
            assert len(warnings(caplog)) == count

    def test_a_file_that_comes_back_as_it_was_is_right_again(self, users: Htpasswd, file: Path, clock: Clock) -> None:
        away = file.with_name("away")
        assert users.names == {"ci"}
        file.rename(away)
        clock.now += 1
        assert users.file.problem is not None
        away.rename(file)
        clock.now += 1
        assert users.file.problem is None

    def test_a_file_that_may_be_read_again_is_read_though_it_is_the_same(
        self, users: Htpasswd, clock: Clock, monkeypatch: pytest.MonkeyPatch, caplog: pytest.LogCaptureFixture
    ) -> None:
        def fails(*_: object) -> None:
            raise PermissionError(13, "Permission denied")

        with monkeypatch.context() as patch:
            patch.setattr(Path, "open", fails)
            assert "cannot be read: Permission denied: let the user" in (users.file.problem or "")
            clock.now += 1
            assert users.names == frozenset()
        assert [text.endswith("; nothing of it is in force") for text in warnings(caplog)] == [True]
        clock.now += 1
        assert users.file.problem is None
        assert users.names == {"ci"}


class TestStarting:
    def test_a_start_reads_at_once(self, users: Htpasswd, file: Path) -> None:
        assert users.names == {"ci"}
        write(file, jo=bcrypt_of("secret"))
        users.file.check()
        assert users.names == {"jo"}

    def test_a_start_is_told_all_that_is_wrong(
        self, file: Path, clock: Clock, caplog: pytest.LogCaptureFixture
    ) -> None:
        file.write_text("a:secret\nb\n")
        users = Htpasswd(file, clock=clock)
        for _ in range(2):
            with pytest.raises(UsersInvalid) as refused:
                users.file.check()
            assert len(refused.value.problems) == 2
        assert warnings(caplog) == []

    def test_a_start_without_the_file_is_told_how_to_make_it(self, file: Path, clock: Clock) -> None:
        with pytest.raises(
            AccessMisconfigured, match=f"^{file} is not there: make it with `htpasswd -c -B -C 12 {file} NAME`$"
        ):
            Htpasswd(file, clock=clock).file.check()
