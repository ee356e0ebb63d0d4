"""The application of the listener for health and metrics alone."""

from collections.abc import Callable, Mapping

from flask import Flask, Response
from werkzeug.exceptions import HTTPException

from chartrepo.catalog import Catalog
from chartrepo.core.errors import ChartrepoError
from chartrepo.http.api import respond
from chartrepo.http.errors import NoSuchPath, answer
from chartrepo.http.front import Wsgi
from chartrepo.http.ops import Ops
from chartrepo.metrics import Unmeasured


def create_admin_app(
    catalog: Catalog,
    metrics: Unmeasured,
    *,
    ask_workers: Callable[[], None],
    files: Callable[[], Mapping[str, bool]] = dict,
) -> Wsgi:
    """Return the WSGI application of the listener.

    Args:
        catalog: asked whether it is complete, and for the figures of the metrics.
        metrics: what a scrape is answered from.
        ask_workers: returns when a worker has answered; raises `OSError` where none does.
        files: tells which of the files about access and policies can be used.
    """
    ops = Ops(catalog, metrics, files=files)
    app = Flask("chartrepo.admin", static_folder=None)
    app.config["PROVIDE_AUTOMATIC_OPTIONS"] = False

    def livez() -> Response:
        """Answer as the workers do: the process that runs this says nothing of them."""
        try:
            ask_workers()
        except OSError as error:
            return Response(f"the workers do not answer: {error}\n", status=503, mimetype="text/plain")
        return Response("ok\n", mimetype="text/plain")

    for path, view in (("/livez", livez), ("/readyz", ops.readyz), ("/health", ops.health), ("/metrics", ops.metrics)):
        app.add_url_rule(path, view.__name__, view, methods=["GET"])

    @app.errorhandler(HTTPException)
    def no_such_path(_error: HTTPException) -> Response:
        return respond(answer(NoSuchPath()))

    @app.errorhandler(ChartrepoError)
    def refuse(error: ChartrepoError) -> Response:
        return respond(answer(error))

    return app
