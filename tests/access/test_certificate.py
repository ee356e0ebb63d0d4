"""The files of TLS: which are taken, which are refused and in what words, and what holds while they are renewed."""

import contextlib
import logging
import shutil
import ssl
from collections.abc import Callable
from pathlib import Path

import pytest
import trustme
from cryptography.hazmat.primitives.serialization import (
    BestAvailableEncryption,
    Encoding,
    PrivateFormat,
    load_pem_private_key,
)

from chartrepo.access import Certificate, as_files, watch_certificate
from chartrepo.core.errors import AccessMisconfigured
from chartrepo.watched import Watched
from tests.support.certificates import Authority
from tests.support.repositories import Clock


@pytest.fixture(scope="module")
def made(tmp_path_factory: pytest.TempPathFactory) -> Authority:
    return Authority(tmp_path_factory.mktemp("made"))


@pytest.fixture
def clock() -> Clock:
    return Clock(now=1000.0)


@pytest.fixture
def files(made: Authority, tmp_path: Path) -> Path:
    """A folder with `cert`, `key` and `ca`."""
    for source, name in ((made.server.cert, "cert"), (made.server.key, "key"), (made.ca, "ca")):
        shutil.copy(source, tmp_path / name)
    return tmp_path


@pytest.fixture
def watched(files: Path, clock: Clock) -> Watched[Certificate]:
    watched = watch_certificate(files / "cert", files / "key", files / "ca", clock=clock)
    watched.check()
    return watched


def refusal(files: Path) -> str:
    with pytest.raises(AccessMisconfigured) as caught:
        watch_certificate(files / "cert", files / "key", files / "ca").check()
    return str(caught.value)


def served_to(server: ssl.SSLContext, client: ssl.SSLContext) -> bytes:
    """Which certificate a client gets to see that comes now; raises what either side does."""
    up, down = ssl.MemoryBIO(), ssl.MemoryBIO()
    there = server.wrap_bio(up, down, server_side=True)
    here = client.wrap_bio(down, up, server_hostname="localhost")
    for side in (here, there, here, there):
        with contextlib.suppress(ssl.SSLWantReadError):
            side.do_handshake()
    seen = here.getpeercert(binary_form=True)
    assert seen is not None
    return seen


def test_what_fits_is_served_to_whoever_shows_a_certificate(watched: Watched[Certificate], made: Authority) -> None:
    assert served_to(watched.value.context, made.context(known=True))
    with pytest.raises(ssl.SSLError, match="PEER_DID_NOT_RETURN_A_CERTIFICATE"):
        served_to(watched.value.context, made.context())


def test_whoever_shows_one_of_another_ca_is_refused(
    watched: Watched[Certificate], made: Authority, tmp_path: Path
) -> None:
    (tmp_path / "other").mkdir()
    other = Authority(tmp_path / "other")
    stranger = made.context()
    stranger.load_cert_chain(other.client.cert, other.client.key)
    with pytest.raises(ssl.SSLCertVerificationError):
        served_to(watched.value.context, stranger)


def test_without_a_client_ca_nobody_is_asked(files: Path, made: Authority) -> None:
    watched = watch_certificate(files / "cert", files / "key")
    watched.check()
    assert served_to(watched.value.context, made.context())


def test_old_tls_and_renegotiation_are_refused(watched: Watched[Certificate]) -> None:
    context = watched.value.context
    assert context.minimum_version == ssl.TLSVersion.TLSv1_2
    assert context.options & ssl.OP_NO_RENEGOTIATION


@pytest.mark.parametrize(
    ("name", "spoil", "why"),
    [
        ("cert", lambda _: b"rubbish", "cert holds no certificate in PEM form"),
        ("key", lambda _: b"", "key holds no private key in PEM form"),
        ("ca", lambda _: b"", "ca holds no certificate in PEM form"),
        ("cert", lambda data: data[:200] + b"!" + data[201:], "cert and .*key cannot be used"),
        ("ca", lambda data: data[:200] + b"!" + data[201:], "ca cannot be used"),
        ("key", lambda _: trustme.CA().issue_cert("x").private_key_pem.bytes(), "key does not go with the first"),
    ],
    ids=["no certificate", "no key", "no CA", "broken certificate", "broken CA", "another key"],
)
def test_what_cannot_be_used_is_refused_with_its_name(
    files: Path, name: str, spoil: Callable[[bytes], bytes], why: str
) -> None:
    file = files / name
    file.write_bytes(spoil(file.read_bytes()))
    with pytest.raises(AccessMisconfigured, match=why):
        watch_certificate(files / "cert", files / "key", files / "ca").check()


def test_an_encrypted_key_is_refused_and_nobody_is_asked_for_its_passphrase(files: Path) -> None:
    key = load_pem_private_key((files / "key").read_bytes(), None)
    encrypted = key.private_bytes(Encoding.PEM, PrivateFormat.PKCS8, BestAvailableEncryption(b"secret"))
    (files / "key").write_bytes(encrypted)
    assert "key is encrypted" in refusal(files)


@pytest.mark.parametrize("name", ["cert", "key", "ca"])
def test_a_file_that_is_not_there_is_named(files: Path, name: str) -> None:
    (files / name).unlink()
    assert refusal(files).startswith(f"{files / name} is not there: ")


@pytest.mark.parametrize(("days", "warned"), [(-1, True), (30, False)])
def test_one_that_has_expired_is_served_with_a_warning(
    files: Path, made: Authority, caplog: pytest.LogCaptureFixture, days: int, warned: bool
) -> None:
    for name, data in zip(("cert", "key"), made.issue(days=days), strict=True):
        (files / name).write_bytes(data)
    watch_certificate(files / "cert", files / "key", files / "ca").check()
    assert ("certificate has expired" in caplog.text) == warned


def test_a_new_pair_holds_once_both_of_it_are_there(
    files: Path, watched: Watched[Certificate], clock: Clock, made: Authority, caplog: pytest.LogCaptureFixture
) -> None:
    before = watched.value
    chain, key = made.issue()
    (files / "cert").write_bytes(chain)
    clock.now += 2
    with caplog.at_level(logging.INFO):
        assert watched.value is before
        assert "does not go with" in str(watched.problem)
        (files / "key").write_bytes(key)
        clock.now += 2
        assert watched.value.chain == chain
    assert watched.problem is None
    assert [record.levelname for record in caplog.records] == ["WARNING", "INFO"]
    assert served_to(watched.value.context, made.context(known=True)) != served_to(
        before.context, made.context(known=True)
    )


def test_links_that_are_swapped_are_followed(made: Authority, tmp_path: Path, clock: Clock) -> None:
    """As Kubernetes does it: all names lead through one link, and that is replaced."""
    for folder in ("old", "new"):
        (tmp_path / folder).mkdir()
        for name, data in zip(("cert", "key"), made.issue(), strict=True):
            (tmp_path / folder / name).write_bytes(data)
    (tmp_path / "data").symlink_to("old")
    watched = watch_certificate(tmp_path / "data" / "cert", tmp_path / "data" / "key", clock=clock)
    watched.check()
    (tmp_path / "swap").symlink_to("new")
    (tmp_path / "swap").rename(tmp_path / "data")
    clock.now += 2
    assert watched.value.chain == (tmp_path / "new" / "cert").read_bytes()


@pytest.mark.parametrize("name", ["cert", "key", "ca"])
def test_what_is_lost_or_half_written_leaves_in_force_what_was_read_last(
    files: Path, watched: Watched[Certificate], clock: Clock, name: str
) -> None:
    before, data = watched.value, (files / name).read_bytes()
    for spoilt in (None, data[: len(data) // 2], b""):
        if spoilt is None:
            (files / name).unlink()
        else:
            (files / name).write_bytes(spoilt)
        clock.now += 2
        assert watched.value is before
        assert str(files / name) in str(watched.problem)
    (files / name).write_bytes(data)
    clock.now += 2
    assert watched.problem is None


def test_a_new_client_ca_lets_in_other_clients(
    files: Path, watched: Watched[Certificate], clock: Clock, made: Authority
) -> None:
    trustme.CA().cert_pem.write_to_path(files / "ca")
    clock.now += 2
    with pytest.raises(ssl.SSLCertVerificationError):
        served_to(watched.value.context, made.context(known=True))


def test_bytes_that_are_shown_as_files_are_gone_afterwards() -> None:
    with as_files(b"one", b"two") as paths:
        assert [Path(path).read_bytes() for path in paths] == [b"one", b"two"]
    assert not any(Path(path).exists() for path in paths)


def test_neither_key_nor_certificate_shows_where_it_is_printed(watched: Watched[Certificate]) -> None:
    assert "BEGIN" not in repr(watched.value)
