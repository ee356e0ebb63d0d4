"""The listener for health and metrics alone, in a process of its own, so that busy workers do not keep it waiting."""

import socket
import socketserver
import urllib.error
import urllib.request
from collections.abc import Callable, Iterable
from typing import Any, Final
from wsgiref.simple_server import WSGIRequestHandler, WSGIServer

from flask import Flask, Response

from chartrepo import assembly
from chartrepo.core.errors import ChartrepoError
from chartrepo.http.api import respond
from chartrepo.http.errors import answer
from chartrepo.http.ops import Ops
from chartrepo.metrics import Metrics, Unmeasured
from chartrepo.settings import Settings

_PATIENCE: Final = 5.0


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
    server.set_app(admin_app(settings, ground, main_url))
    server.serve_forever()


def admin_app(settings: Settings, ground: assembly.Ground, main_url: str) -> Callable[..., Iterable[bytes]]:
    """Return the WSGI application of the listener."""
    metrics = Metrics(assembly.metrics_dir(settings)) if settings.metrics else Unmeasured()
    ops = Ops(assembly.catalog(settings, ground), metrics, public_url=main_url, artifacthub_id="")
    app = Flask("chartrepo.admin", static_folder=None)

    def livez() -> Response:
        """Answer as the workers do: this process alone says nothing of them."""
        try:
            with urllib.request.urlopen(f"{main_url}/livez", timeout=_PATIENCE) as response:  # noqa: S310 - our own
                return Response(response.read(), status=response.status, mimetype="text/plain")
        except (urllib.error.URLError, OSError) as error:
            return Response(f"the workers do not answer: {error}\n", status=503, mimetype="text/plain")

    for path, view in (("/livez", livez), ("/readyz", ops.readyz), ("/health", ops.health), ("/metrics", ops.metrics)):
        app.add_url_rule(path, view.__name__, view, methods=["GET"])

    @app.errorhandler(ChartrepoError)
    def refuse(error: ChartrepoError) -> Response:
        return respond(answer(error))

    return app
