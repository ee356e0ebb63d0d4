"""Certificates that a test makes for itself, in PEM files as people have them."""

import datetime as dt
import socket
import ssl
from dataclasses import dataclass
from pathlib import Path
from typing import Final

import trustme

NAMES: Final = ("localhost", "127.0.0.1")


def own_address() -> str:
    """An address of this machine that is not its loopback, where it has one. Nothing is sent to find out."""
    with socket.socket(socket.AF_INET, socket.SOCK_DGRAM) as asking:
        try:
            asking.connect(("192.0.2.1", 9))
        except OSError:
            return NAMES[1]
        return str(asking.getsockname()[0])


@dataclass(frozen=True)
class Pair:
    """Where a certificate and its key lie."""

    cert: Path
    key: Path

    def write(self, made: tuple[bytes, bytes]) -> None:
        """Put these into the files, whatever was there."""
        for file, data in zip((self.cert, self.key), made, strict=True):
            file.write_bytes(data)


class Authority:
    """A CA, with what a server that it vouches for needs.

    Attributes:
        ca: its certificate.
        server: the server's own.
        client: that of a client.
    """

    def __init__(self, folder: Path) -> None:
        self._made = trustme.CA()
        self.ca = folder / "ca.pem"
        self._made.cert_pem.write_to_path(self.ca)
        self.server = Pair(folder / "server.pem", folder / "server.key")
        self.server.write(self.issue())
        self.client = Pair(folder / "client.pem", folder / "client.key")
        self.client.write(_pem(self._made.issue_cert("client@example.com")))

    def issue(self, *, days: int = 30) -> tuple[bytes, bytes]:
        """Make another certificate for the server, and its key. It ends in so many days, or ended so many days ago."""
        now = dt.datetime.now(dt.UTC)
        names = {*NAMES, own_address()}
        begin, end = now - dt.timedelta(100), now + dt.timedelta(days)
        return _pem(self._made.issue_cert(*names, not_before=begin, not_after=end))

    @property
    def serving(self) -> list[str | Path]:
        """Flags of a server that speaks HTTPS."""
        return ["--tls-cert", self.server.cert, "--tls-key", self.server.key]

    @property
    def gated(self) -> list[str | Path]:
        """Flags of a server that wants to see a certificate of its clients too."""
        return [*self.serving, "--tls-client-ca", self.ca]

    def context(self, *, known: bool = False) -> ssl.SSLContext:
        """What a client speaks TLS by, that shows a certificate, or does not."""
        context = ssl.create_default_context(cafile=self.ca)
        if known:
            context.load_cert_chain(self.client.cert, self.client.key)
        return context


def _pem(made: trustme.LeafCert) -> tuple[bytes, bytes]:
    return b"".join(blob.bytes() for blob in made.cert_chain_pems), made.private_key_pem.bytes()
