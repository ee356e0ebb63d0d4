"""The listener for health and metrics alone, in a process of its own, so that busy workers do not keep it waiting."""

import socket
import socketserver
import urllib.request
from typing import Any, Final
from wsgiref.simple_server import WSGIRequestHandler, WSGIServer

from chartrepo import assembly
from chartrepo.http.admin import create_admin_app
from chartrepo.http.front import Wsgi
from chartrepo.settings import Settings

_PATIENCE: Final = 5.0

_DIRECT: Final = urllib.request.build_opener(urllib.request.ProxyHandler({}))
"""Asks without a proxy, whatever the environment says: ours are on this machine."""


class _Server(socketserver.ThreadingMixIn, WSGIServer):
    daemon_threads = True


class _Handler(WSGIRequestHandler):
    timeout = _PATIENCE

    def log_message(self, *_arguments: Any) -> None:
        """Say nothing: probes come every few seconds."""


def run_admin(settings: Settings, ground: assembly.Ground, listener: socket.socket | None, main_url: str) -> None:
    """Serve health and metrics on `listener` until the process is ended; `main_url` is where the workers answer."""
    if listener is None:
        raise ValueError("there is no listener to serve on")
    host, port = listener.getsockname()[:2]
    server = _Server((host, port), _Handler, bind_and_activate=False)
    server.socket.close()
    server.socket = listener
    server.server_name, server.server_port = host, port
    server.setup_environ()
    server.set_app(_application(settings, ground, main_url))
    server.serve_forever()


def _application(settings: Settings, ground: assembly.Ground, main_url: str) -> Wsgi:
    def ask_workers() -> None:
        with _DIRECT.open(f"{main_url}/livez", timeout=_PATIENCE):
            pass

    directory = assembly.directory(settings)
    policing = assembly.policing(settings)
    return create_admin_app(
        assembly.catalog(settings, ground),
        assembly.metrics(ground),
        ask_workers=ask_workers,
        files=lambda: {**directory.files(), **policing.files()},
    )
