"""The listening socket, bound before anything else is started, so that a port in use is one clear line."""

import errno
import socket
import struct
from typing import Final

from storage.base import Misconfigured

_BACKLOG: Final = 1024
SILENCE_SECONDS: Final = 30
"""How long a client may send nothing in the middle of a request, or take nothing of its answer."""


def listen(host: str, port: int, *, settings: str = "") -> socket.socket:
    """Bind and listen.

    Args:
        host: a name or an address.
        port: 0 for any.
        settings: what the names of the settings for the two begin with.

    Raises:
        Misconfigured: the address is taken, or not of this machine, or not ours to take.
    """
    try:
        family, kind, protocol, _, address = socket.getaddrinfo(host, port, type=socket.SOCK_STREAM)[0]
        listener = socket.socket(family, kind, protocol)
    except OSError as error:
        raise Misconfigured(f"{settings}host {host!r} is no address to listen on: {error.strerror or error}") from None
    try:
        listener.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)
        listener.setsockopt(socket.IPPROTO_TCP, socket.TCP_NODELAY, 1)
        # Accepted sockets inherit these. Without them a client that stops in the middle holds a thread for ever.
        patience = struct.pack("ll", SILENCE_SECONDS, 0)
        listener.setsockopt(socket.SOL_SOCKET, socket.SO_RCVTIMEO, patience)
        listener.setsockopt(socket.SOL_SOCKET, socket.SO_SNDTIMEO, patience)
        listener.bind(address)
        listener.listen(_BACKLOG)
    except OSError as error:
        listener.close()
        raise Misconfigured(_why(error, host, port, f"--{settings.replace('_', '-')}")) from None
    return listener


def address(listener: socket.socket) -> str:
    """Return what a listener is bound to, as `0.0.0.0:8080` or `[::]:8080`."""
    host, port = listener.getsockname()[:2]
    return f"{f'[{host}]' if ':' in host else host}:{port}"


def url(listener: socket.socket, context_path: str, *, scheme: str = "http") -> str:
    """Return the address that a listener is reached under from this machine."""
    host, port = listener.getsockname()[:2]
    if host in {"0.0.0.0", "::"}:  # noqa: S104 - to be told apart, not bound
        host = "localhost"
    return f"{scheme}://{f'[{host}]' if ':' in host else host}:{port}{context_path}"


def _why(error: OSError, host: str, port: int, flag: str) -> str:
    match error.errno:
        case errno.EADDRINUSE:
            return f"port {port} on {host} is in use: stop what listens there, or choose another one with {flag}port"
        case errno.EACCES:
            return f"port {port} needs rights that this process has not: choose one above 1023 with {flag}port"
        case errno.EADDRNOTAVAIL:
            return f"{host} is no address of this machine: choose another one with {flag}host"
    return f"cannot listen on {host} port {port}: {error.strerror}"
