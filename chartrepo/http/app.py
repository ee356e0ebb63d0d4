"""The application factory: the views, put together over collaborators that are passed in."""

import logging
from collections.abc import Callable
from dataclasses import dataclass
from pathlib import Path

from flask import Flask, Response, request
from werkzeug.exceptions import HTTPException, MethodNotAllowed, NotFound

from chartrepo import logs
from chartrepo.core.errors import ChartrepoError
from chartrepo.http import oci_errors, ops
from chartrepo.http.answers import json_answer
from chartrepo.http.api import Api, Conflict, respond, upload_result
from chartrepo.http.auth import Action, Authorizer
from chartrepo.http.errors import Forbidden, NoSuchPath, Unauthorized, answer
from chartrepo.http.front import ROUTE, Access, Front, internal_error
from chartrepo.http.helm import Classic, Options
from chartrepo.http.oci import LOGIN, Oci
from chartrepo.http.oci_paths import is_oci
from chartrepo.http.oci_reads import OciReads
from chartrepo.http.uploads import Spool, request_class
from chartrepo.indexes import Indexes
from chartrepo.metrics import Unmeasured
from chartrepo.registry import Registry
from chartrepo.repository import Repositories
from chartrepo.settings import Settings
from chartrepo.sync import Report
from storage.base import StorageError

log = logging.getLogger(__name__)


@dataclass(frozen=True, slots=True)
class Services:
    """What the views work with.

    Attributes:
        repositories: the use cases.
        registry: those of the OCI side.
        indexes: what this process has rendered.
        sync: brings the catalog in line with the storage, and reports.
        uploads: folder where uploads wait.
        metrics: where requests are counted.
        access: writes the access log; None for none.
        public_url: the address this server is known under; empty for the one it is asked under.
    """

    repositories: Repositories
    registry: Registry
    indexes: Indexes
    sync: Callable[[], Report]
    uploads: Path
    metrics: Unmeasured
    access: Access | None
    public_url: str


def create_app(settings: Settings, services: Services) -> Front:
    """Return the WSGI application of the whole server."""
    authorizer = Authorizer(
        user=settings.basic_auth_user,
        password=settings.basic_auth_password,
        anonymous_read=settings.auth_anonymous_get,
        open_writes=settings.open_writes,
    )
    options = Options(
        index_format=settings.index_format,
        private=authorizer.reading_is_private,
        immutable=settings.allow_overwrite == "never" and not settings.allow_delete,
        redirect_expires=int(settings.redirect_expires) if settings.storage_redirect else None,
    )
    registry = services.registry
    return Front(
        Classic(services.repositories, services.indexes, options),
        OciReads(registry.blobs, registry.manifests, prefix=settings.oci_prefix, private=options.private),
        _flask(settings, services, authorizer),
        authorizer,
        context_path=settings.context_path,
        max_body=settings.max_upload_size,
        max_blob=settings.max_blob_size,
        body_seconds=settings.upload_timeout,
        threads=settings.threads,
        metrics=services.metrics,
        access=services.access,
    )


def _flask(settings: Settings, services: Services, authorizer: Authorizer) -> Flask:
    app = Flask("chartrepo", static_folder=None)
    spool = Spool(services.uploads)
    app.request_class = request_class(spool)
    app.config["PROVIDE_AUTOMATIC_OPTIONS"] = False
    app.url_map.merge_slashes = False
    Api(
        services.repositories,
        services.indexes,
        spool,
        services.metrics,
        sync=services.sync,
        allow_delete=settings.allow_delete,
    ).register(app)
    Oci(
        services.registry,
        services.metrics,
        prefix=settings.oci_prefix,
        allow_delete=settings.allow_delete,
    ).register(app)
    ops.Ops(
        services.repositories.catalog,
        services.metrics if settings.admin_port is None else None,
        public_url=services.public_url,
        context_path=settings.context_path,
        artifacthub_id=settings.artifacthub_repository_id,
    ).register(app)

    @app.before_request
    def authorize() -> None:
        """Ask for every route that is not open by name, so that a new one cannot be forgotten."""
        if request.url_rule is None:
            return  # there is nothing to guard
        if not request.url_rule.arguments:
            request.environ[ROUTE] = request.url_rule.rule
        if request.endpoint in ops.OPEN:
            return
        if request.endpoint in LOGIN:
            authorizer.check_login(request.environ)
        try:
            authorizer.check(request.environ, Action.READ if request.method in {"GET", "HEAD"} else Action.WRITE)
        except (Unauthorized, Forbidden) as error:
            if request.endpoint == Api.publish.__name__:
                services.metrics.upload(upload_result(answer(error).status))
            raise

    _answer_errors(app)
    return app


def _answer_errors(app: Flask) -> None:
    def say(error: ChartrepoError | StorageError) -> Response:
        return respond(oci_errors.answer(error) if is_oci(request.path) else answer(error))

    @app.errorhandler(Conflict)
    def conflict(error: Conflict) -> Response:
        return respond(json_answer(409, {"error": str(error), "detail": error.detail}))

    @app.errorhandler(ChartrepoError)
    @app.errorhandler(StorageError)
    def refuse(error: ChartrepoError | StorageError) -> Response:
        return say(error)

    @app.errorhandler(HTTPException)
    def http_error(error: HTTPException) -> Response:
        """Answer what Flask found out. A path that knows the method not is not there, as ChartMuseum has it."""
        if isinstance(error, NotFound | MethodNotAllowed):
            return say(NoSuchPath())
        return respond(json_answer(error.code or 500, {"error": error.description or error.name}))

    @app.errorhandler(Exception)
    def unforeseen(error: Exception) -> Response:
        log.error("a request failed in a way that nobody foresaw", exc_info=error)
        return respond(internal_error(logs.request_id.get(), oci=is_oci(request.path)))
