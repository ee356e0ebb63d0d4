"""moto's S3 server, with one write at a time. Run as a program, it serves on a free port.

By itself moto looks whether a condition holds and writes afterwards, each request in a thread of its own, so that of
two racing PUTs with `If-None-Match: *` both may win now and then. S3 lets one win.
"""

import io
import threading
from collections.abc import Iterable
from typing import TYPE_CHECKING, Any, Final

from moto.moto_server.werkzeug_app import DomainDispatcherApplication, MotoRequestHandler, create_backend_app
from werkzeug.serving import run_simple

if TYPE_CHECKING:
    from _typeshed.wsgi import StartResponse, WSGIApplication

_READS: Final = frozenset({"GET", "HEAD"})


class OneWriteAtATime:
    """A WSGI application that hands writes to another, each when the one before is done and its own body is here."""

    def __init__(self, application: "WSGIApplication") -> None:
        self._application = application
        self._lock = threading.Lock()

    def __call__(self, environ: dict[str, Any], start_response: "StartResponse") -> Iterable[bytes]:
        if environ["REQUEST_METHOD"] in _READS:
            return self._application(environ, start_response)
        body = environ["wsgi.input"].read(int(environ.get("CONTENT_LENGTH") or 0))
        environ["wsgi.input"] = io.BytesIO(body)
        with self._lock:
            return list(self._application(environ, start_response))


if __name__ == "__main__":
    moto = OneWriteAtATime(DomainDispatcherApplication(create_backend_app))
    run_simple("127.0.0.1", 0, moto, threaded=True, request_handler=MotoRequestHandler)
