"""The listener for health and metrics alone, in a process of its own, so that busy workers do not keep it waiting."""

import socket
import socketserver
import ssl
import urllib.request
from functools import partial
from typing import Any, Final
from urllib.parse import urlsplit
from wsgiref.simple_server import WSGIRequestHandler, WSGIServer

from chartrepo import assembly
from chartrepo.access import Certificate
from chartrepo.http.admin import create_admin_app
from chartrepo.http.front import Wsgi
from chartrepo.settings import Settings
from chartrepo.watched import Watched

_PATIENCE: Final = 5.0

_ASKED_FOR_CERTIFICATE: Final = "TLSV13_ALERT_CERTIFICATE_REQUIRED"

_ANY: Final = ssl.SSLContext(ssl.PROTOCOL_TLS_CLIENT)
"""Takes any certificate: the workers are on this machine, and theirs names addresses that others know them by."""
_ANY.check_hostname = False
_ANY.verify_mode = ssl.CERT_NONE

_DIRECT: Final = urllib.request.build_opener(urllib.request.ProxyHandler({}), urllib.request.HTTPSHandler(context=_ANY))
"""Asks without a proxy, whatever the environment says: ours are on this machine."""


class _Server(socketserver.ThreadingMixIn, WSGIServer):
    daemon_threads = True


class _Handler(WSGIRequestHandler):
    timeout = _PATIENCE

    def log_message(self, *_arguments: Any) -> None:
        """Say nothing: probes come every few seconds."""


def run_admin(
    settings: Settings,
    ground: assembly.Ground,
    listener: socket.socket | None,
    main_url: str,
    certificate: Watched[Certificate] | None = None,
) -> None:
    """Serve health and metrics until the process is ended.

    Args:
        settings: of the server.
        ground: what was found out about the storage.
        listener: where, in plain HTTP; it has to be there.
        main_url: where the workers answer.
        certificate: of whose files the metrics tell too.
    """
    if listener is None:
        raise ValueError("there is no listener to serve on")
    host, port = listener.getsockname()[:2]
    server = _Server((host, port), _Handler, bind_and_activate=False)
    server.socket.close()
    server.socket = listener
    server.server_name, server.server_port = host, port
    server.setup_environ()
    server.set_app(_application(settings, ground, main_url, certificate))
    server.serve_forever()


def ask_workers(main_url: str, *, gate: bool) -> None:
    """Return when a worker has answered.

    Args:
        main_url: where the workers answer.
        gate: whether they let in only clients with a certificate. None is at hand here that the right CA signed, and
            that they ask for one is an answer too.

    Raises:
        OSError: none answers.
    """
    if gate:
        _knock(main_url)
    else:
        with _DIRECT.open(f"{main_url}/livez", timeout=_PATIENCE):
            pass


def _knock(main_url: str) -> None:
    """Come without a certificate, and say nothing: whoever is refused in the middle of a request might not see why."""
    asked = urlsplit(main_url)
    with (
        socket.create_connection((str(asked.hostname), asked.port or 443), timeout=_PATIENCE) as plain,
        _ANY.wrap_socket(plain) as client,
    ):
        try:
            client.recv(1)
        except ssl.SSLError as error:
            if error.reason == _ASKED_FOR_CERTIFICATE:
                return
            raise
    raise ConnectionError("a client without a certificate was not asked for one")


def _application(
    settings: Settings, ground: assembly.Ground, main_url: str, certificate: Watched[Certificate] | None
) -> Wsgi:
    directory = assembly.directory(settings, certificate=certificate)
    policing = assembly.policing(settings)
    return create_admin_app(
        assembly.catalog(settings, ground),
        assembly.metrics(ground),
        ask_workers=partial(ask_workers, main_url, gate=settings.tls_client_ca is not None),
        files=lambda: {**directory.files(), **policing.files()},
    )
