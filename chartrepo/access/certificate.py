"""The certificate that the server is known by, and those that let clients in, as their files are now."""

import contextlib
import logging
import os
import re
import ssl
import sys
import tempfile
import time
from collections.abc import Callable, Iterator
from dataclasses import dataclass, field
from pathlib import Path
from typing import Final, NoReturn

from chartrepo.core.errors import AccessMisconfigured
from chartrepo.watched import Named, Watched

log = logging.getLogger(__name__)

PROTOCOLS: Final = ("http/1.1",)
"""What a client that asks is told to be spoken here (ALPN)."""
_CERTIFICATE: Final = re.compile(rb"-----BEGIN CERTIFICATE-----.+?-----END CERTIFICATE-----", re.DOTALL)
_KEY: Final = re.compile(rb"-----BEGIN ([A-Z]+ )*PRIVATE KEY-----")


@dataclass(frozen=True, slots=True)
class Certificate:
    """Files that were read together and fit together.

    Attributes:
        chain: the server's certificate and those behind it, PEM.
        key: the private key that goes with it, PEM.
        client_ca: certificates, PEM, of which one has to have signed a client's; None where clients need none.
        context: all of these, for Python's ssl. TLS 1.2 is the least it speaks.
    """

    chain: bytes = field(repr=False)
    key: bytes = field(repr=False)
    client_ca: bytes | None = field(repr=False)
    context: ssl.SSLContext


def watch_certificate(
    cert: Path, key: Path, client_ca: Path | None = None, *, clock: Callable[[], float] = time.monotonic
) -> Watched[Certificate]:
    """Return what reads the files now, and together whenever one of them changes.

    Whoever renews them may write one after the other: until they fit, what was read last stays in force.

    Args:
        cert: the server's certificate and those behind it, PEM.
        key: the key that goes with it, PEM.
        client_ca: certificates that sign those of clients, PEM; None where clients need none.
        clock: tells seconds.
    """
    beside = Named()
    remedy = "tls_cert, tls_key and tls_client_ca name PEM files"

    def parse(chain: bytes) -> Certificate:
        private = beside.read(key, remedy=remedy)
        cas = beside.read(client_ca, remedy=remedy) if client_ca is not None else None
        _check_form(cert, chain, key, private)
        if client_ca is not None and not _CERTIFICATE.search(cas or b""):
            raise AccessMisconfigured(f"{client_ca} holds no certificate in PEM form: name a CA's in tls_client_ca")
        with as_files(chain, private, *([cas] if cas is not None else [])) as paths:
            context = _context(cert, key, client_ca, paths)
        try:
            flaw = _flaw(context, chain)
        except ssl.SSLError as error:
            raise AccessMisconfigured(f"no client can use {cert} with {key}: {_told(error)}: make them anew") from None
        if flaw is not None:
            log.warning("clients will refuse the certificate in %s: %s", cert, flaw)
        return Certificate(chain, private, cas, context)

    return Watched(cert, parse, named=beside, clock=clock, remedy=remedy)


def _check_form(cert: Path, chain: bytes, key: Path, private: bytes) -> None:
    """Refuse what OpenSSL would in words that are for nobody."""
    if not _CERTIFICATE.search(chain):
        raise AccessMisconfigured(
            f"{cert} holds no certificate in PEM form: name the server's own, with those that signed it, in tls_cert"
        )
    if not _KEY.search(private):
        raise AccessMisconfigured(f"{key} holds no private key in PEM form: name the one of {cert} in tls_key")


def _context(cert: Path, key: Path, client_ca: Path | None, paths: list[str]) -> ssl.SSLContext:
    """Return what speaks TLS; `paths` are where the bytes of the files are to be read."""

    def encrypted() -> NoReturn:
        raise AccessMisconfigured(
            f"{key} is encrypted, and nobody can be asked: write it without, as `openssl pkey -in {key}` does"
        )

    context = ssl.create_default_context(ssl.Purpose.CLIENT_AUTH)
    context.minimum_version = ssl.TLSVersion.TLSv1_2
    context.options |= ssl.OP_NO_RENEGOTIATION
    context.set_alpn_protocols(list(PROTOCOLS))
    try:
        context.load_cert_chain(paths[0], paths[1], password=encrypted)
    except ssl.SSLError as error:
        if error.reason == "KEY_VALUES_MISMATCH":
            raise AccessMisconfigured(
                f"the key in {key} does not go with the first certificate in {cert}: name those that were made together"
            ) from None
        raise AccessMisconfigured(f"{cert} and {key} cannot be used: {_told(error)}: make them anew") from None
    if client_ca is not None:
        try:
            context.load_verify_locations(paths[2])
        except ssl.SSLError as error:
            raise AccessMisconfigured(f"{client_ca} cannot be used: {_told(error)}: write it anew") from None
        context.verify_mode = ssl.CERT_REQUIRED
        context.verify_flags |= ssl.VERIFY_X509_PARTIAL_CHAIN  # a CA below another one may be named alone
    return context


def _told(error: ssl.SSLError) -> str:
    return (error.reason or str(error)).replace("_", " ").lower()


def _flaw(context: ssl.SSLContext, chain: bytes) -> str | None:
    """Return why every client will refuse the certificate, as OpenSSL tells it: it has expired, or is for another use.

    A client that trusts this very certificate asks, in memory, so that nothing else can be the matter.

    Raises:
        ssl.SSLError: they find no way to talk, as with a key on a curve that TLS does not have.
    """
    first = _CERTIFICATE.search(chain)
    trusting = ssl.SSLContext(ssl.PROTOCOL_TLS_CLIENT)
    trusting.check_hostname = False
    trusting.verify_flags |= ssl.VERIFY_X509_PARTIAL_CHAIN
    trusting.load_verify_locations(cadata=first[0].decode("ascii", "replace") if first else "")
    up, down = ssl.MemoryBIO(), ssl.MemoryBIO()
    client = trusting.wrap_bio(down, up)
    server = context.wrap_bio(up, down, server_side=True)
    for side in (client, server, client):
        try:
            side.do_handshake()
        except ssl.SSLWantReadError:
            continue
        except ssl.SSLCertVerificationError as error:
            return error.verify_message
    return None


@contextlib.contextmanager
def as_files(*contents: bytes) -> Iterator[list[str]]:
    """Show bytes under paths, to this process and to those that it forks, as long as the context lasts.

    Libraries take certificates by path alone, and what lies there may be another pair a moment after it was read.
    """
    with contextlib.ExitStack() as stack:
        if sys.platform == "linux":  # in memory: a key is not to lie on one more disk
            numbers = [os.memfd_create("chartrepo-tls") for _ in contents]
            for number in numbers:
                stack.callback(os.close, number)
            paths = [f"/proc/self/fd/{number}" for number in numbers]
        else:
            folder = stack.enter_context(tempfile.TemporaryDirectory())
            paths = [str(Path(folder) / str(number)) for number in range(len(contents))]
        for path, content in zip(paths, contents, strict=True):
            Path(path).write_bytes(content)
        yield paths
