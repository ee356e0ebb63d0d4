"""Connections under gunicorn that are encrypted, and behave like those that are not.

The worker watches sockets, receives what has come, and sends as far as that goes, without ever waiting for a client. An
encrypted socket of Python's differs from a plain one in each of these, and here no longer does. What remains for the
worker is the handshake, which comes first, and what was decrypted and is not yet received, of which no poller tells.
"""

import contextlib
import errno
import socket
import ssl
from collections.abc import Iterable, Iterator
from selectors import EVENT_READ, EVENT_WRITE
from typing import Any, Final

from chartrepo.serve.listener import SILENCE_SECONDS

_RECORD: Final = 16 * 1024
"""Bytes that are encrypted at a time: the most that TLS has for one record."""
_AT_ONCE: Final = 512 * 1024
"""Bytes after which sending without waiting ends where a client takes them as fast as they are encrypted."""
_SPEAK_TLS: Final = b"this port speaks HTTPS: ask it with https://\n"
_PLAIN_REFUSED: Final = (
    b"HTTP/1.1 400 Bad Request\r\nConnection: close\r\nContent-Type: text/plain\r\nContent-Length: %d\r\n\r\n%b"
    % (len(_SPEAK_TLS), _SPEAK_TLS)
)


class TlsSocket(ssl.SSLSocket):
    """An encrypted connection with the manners of a plain one.

    It never waits longer than `SILENCE_SECONDS` for one record: the system's limit, which plain sockets have from their
    listener, makes OpenSSL only try again.
    """

    _begun: bytes = b""
    _ahead: int = 0
    _deaf: bool = False

    def settimeout(self, seconds: float | None) -> None:
        """Set how long to wait, as for any socket; None is for as long as plain sockets here bear silence."""
        super().settimeout(SILENCE_SECONDS if seconds is None else seconds)

    def setblocking(self, flag: bool) -> None:  # noqa: FBT001 - Python's
        """Wait, or do not; see `settimeout`."""
        self.settimeout(None if flag else 0)

    def shake_hands(self) -> int:
        """Take the handshake on, without waiting; return the event to wait for before the next call, 0 when it is done.

        Raises:
            OSError: it failed. Who asked in plain HTTP has been told.
        """
        try:
            self.do_handshake()
        except ssl.SSLWantReadError:
            return EVENT_READ
        except ssl.SSLWantWriteError:
            return EVENT_WRITE
        except ssl.SSLError as error:
            if error.reason == "HTTP_REQUEST":
                socket.socket.send(self, _PLAIN_REFUSED)
            raise
        return 0

    def recv(self, buflen: int = 1024, flags: int = 0) -> bytes:
        """Receive what has come, as a plain socket does; nothing at the end."""
        with _as_plain():
            return b"" if self._deaf else super().recv(buflen, flags)

    def recv_into(self, buffer: Any, nbytes: int | None = None, flags: int = 0) -> int:
        """Receive into a buffer; return how many bytes, 0 at the end."""
        with _as_plain():
            return 0 if self._deaf else super().recv_into(buffer, nbytes, flags)

    def send(self, data: Any, _flags: int = 0) -> int:
        """Send one record at most; return how many bytes of `data` are gone."""
        with _as_plain():
            return self._send_record(memoryview(data).cast("B"))

    def sendall(self, data: Any, _flags: int = 0) -> None:
        """Send all of it. Each record may wait anew: a client that is slow, and not silent, gets its answer."""
        left = memoryview(data).cast("B")
        try:
            while left:
                left = left[self.send(left) :]
        except TimeoutError:
            raise BrokenPipeError(errno.EPIPE, "the client takes nothing of its answer") from None

    def sendmsg(self, buffers: Iterable[bytes], *_others: Any) -> int:  # type: ignore[override]  # Python's never returns
        """Send without waiting, as far as that goes, in as few records as possible; return how many bytes are gone.

        Raises:
            BlockingIOError: none are.
        """
        sent = 0
        for record in _records(buffers):
            try:
                with _as_plain():
                    sent += self._send_record(record)
            except BlockingIOError:
                if not sent:
                    raise
                break
            if sent >= _AT_ONCE:
                break
        return sent

    def _send_record(self, data: memoryview) -> int:
        """Send up to a record; where it cannot go now, remember it.

        OpenSSL has encrypted it by then, and wants to see the same bytes again, and no fewer. Whoever calls gives them
        again too, but may have divided them in another way.
        """
        if self._ahead:
            count = min(self._ahead, len(data))
            self._ahead -= count
            return count
        record = self._begun or data[:_RECORD]
        try:
            super().send(record)
        except (ssl.SSLWantReadError, ssl.SSLWantWriteError, TimeoutError):
            self._begun = bytes(record)
            raise
        self._begun = b""
        self._ahead = max(len(record) - len(data), 0)
        return min(len(record), len(data))

    def shutdown(self, how: int) -> None:
        """End one direction or both, and where it is ours say so in TLS too (close_notify), without waiting.

        Python's own would from here on send and receive without encryption, and OpenSSL sends nothing any more once it
        has met an end of what it receives. So of the other direction only our side knows that it is over, and an answer
        can follow. What comes after our own end is received as it is, to be passed over.
        """
        self._deaf = how == socket.SHUT_RD
        if not self._deaf:
            self._say_goodbye()
            super().shutdown(how)

    def close(self) -> None:
        """Close the connection, and say so where that is possible."""
        if self.fileno() >= 0:
            self._say_goodbye()
        super().close()

    def _say_goodbye(self) -> None:
        with contextlib.suppress(OSError, ValueError):  # the other side need not hear it
            self.settimeout(0)
            self.unwrap()


def encrypted(client: socket.socket, context: ssl.SSLContext) -> TlsSocket:
    """Return a connection that begins with a handshake, which is still to be made; the plain one is used up.

    Raises:
        OSError: it is gone already.
    """
    context.sslsocket_class = TlsSocket
    try:
        made = context.wrap_socket(client, server_side=True, do_handshake_on_connect=False)
    except BaseException:
        client.close()
        raise
    assert isinstance(made, TlsSocket)  # noqa: S101 - for the type checker
    return made


def holds_more(client: socket.socket) -> bool:
    """Return whether there is something to receive of which a poller does not tell: it has been decrypted already."""
    return isinstance(client, TlsSocket) and client.pending() > 0


def told(error: OSError) -> str:
    """Return in words why a handshake failed; empty where the client merely left, as probes of a port do."""
    if not isinstance(error, ssl.SSLError) or isinstance(error, ssl.SSLEOFError):
        return ""
    detail = f" ({error.verify_message})" if isinstance(error, ssl.SSLCertVerificationError) else ""
    return f"{(error.reason or str(error)).replace('_', ' ').lower()}{detail}"


@contextlib.contextmanager
def _as_plain() -> Iterator[None]:
    """Raise what a plain socket would."""
    try:
        yield
    except (ssl.SSLWantReadError, ssl.SSLWantWriteError):
        raise BlockingIOError(errno.EAGAIN, "the connection is not ready") from None
    except ssl.SSLError as error:
        raise ConnectionResetError(errno.ECONNRESET, f"the client broke TLS: {error.reason}") from error


def _records(buffers: Iterable[bytes]) -> Iterator[memoryview]:
    """Divide buffers into records: short ones are put together, long ones are not copied."""
    short = b""
    for buffer in buffers:
        left = memoryview(buffer).cast("B")
        if short or len(left) < _RECORD:
            missing = _RECORD - len(short)
            short, left = short + left[:missing], left[missing:]
            if len(short) < _RECORD:
                continue
            yield memoryview(short)
        while len(left) >= _RECORD:
            yield left[:_RECORD]
            left = left[_RECORD:]
        short = bytes(left)
    if short:
        yield memoryview(short)
