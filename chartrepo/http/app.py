"""The application factory: the views, put together over collaborators that are passed in."""

import logging
import re
from collections.abc import Callable
from dataclasses import dataclass
from pathlib import Path
from typing import Final

from flask import Flask, Response, request
from werkzeug.exceptions import HTTPException, MethodNotAllowed, NotFound

from chartrepo import logs
from chartrepo.access import Directory
from chartrepo.audit import Records, Unaudited
from chartrepo.catalog import PullView
from chartrepo.contents import ContentsCache
from chartrepo.core.errors import ChartrepoError
from chartrepo.differences import Differences
from chartrepo.http import exchange, oci_errors, oci_token, openapi, ops
from chartrepo.http.addresses import Addresses, origin
from chartrepo.http.answers import json_answer
from chartrepo.http.api import Api, is_dry_run, respond
from chartrepo.http.audit import AuditApi
from chartrepo.http.auditing import REASON, UNFORESEEN, Auditor
from chartrepo.http.auth import VISITOR, Authorizer, Visitor
from chartrepo.http.browsers import Browsers
from chartrepo.http.challenges import TokenService
from chartrepo.http.cookies import Cookies
from chartrepo.http.deleting import Deleting
from chartrepo.http.errors import NoSuchPath, Unauthorized, answer, upload_result
from chartrepo.http.exchange import Exchange
from chartrepo.http.front import ROUTE, Access, Front, internal_error
from chartrepo.http.helm import Classic, Options
from chartrepo.http.hub import HubSearch
from chartrepo.http.oci import Oci
from chartrepo.http.oci_paths import is_oci
from chartrepo.http.oci_reads import OciReads
from chartrepo.http.oci_token import OciToken
from chartrepo.http.openapi import OpenApi
from chartrepo.http.pages import api_page, assets, downloads, issuer_sign_in, sign_in
from chartrepo.http.pages.api_page import ApiPage
from chartrepo.http.pages.artifacts import ArtifactPages
from chartrepo.http.pages.assets import Assets
from chartrepo.http.pages.chart_tabs import ChartTabs
from chartrepo.http.pages.compare import ComparePage
from chartrepo.http.pages.delete import DeletePages
from chartrepo.http.pages.errors import ErrorPages
from chartrepo.http.pages.feeds import Feeds
from chartrepo.http.pages.form_checks import FormChecks
from chartrepo.http.pages.home import HomePage
from chartrepo.http.pages.icons import IconPages
from chartrepo.http.pages.issuer_sign_in import IssuerPages
from chartrepo.http.pages.links import Links, is_for_people, is_page
from chartrepo.http.pages.overview import OverviewTab
from chartrepo.http.pages.own_tokens import OwnTokens
from chartrepo.http.pages.publish import PublishPages
from chartrepo.http.pages.pulls import PullsShown
from chartrepo.http.pages.rendering import Pages
from chartrepo.http.pages.repositories import RepositoryPages
from chartrepo.http.pages.search import SearchPage
from chartrepo.http.pages.sign_in import SignIn
from chartrepo.http.pages.site import Site
from chartrepo.http.pages.status import StatusPage
from chartrepo.http.publishing import Conflict, Publishing
from chartrepo.http.search import SearchApi
from chartrepo.http.tokens import TokensApi
from chartrepo.http.uploads import Spool, request_class
from chartrepo.icons import Icons
from chartrepo.indexes import Indexes
from chartrepo.metrics import Unmeasured
from chartrepo.publishers import Publishers
from chartrepo.pulls import Uncounted
from chartrepo.registry import Registry
from chartrepo.repository import Repositories
from chartrepo.searching import Search
from chartrepo.settings import Settings
from chartrepo.standing import Standing
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
        directory: who is known, and who may do what.
        audit: takes the records of what is changed, or tried to be.
        records: gives them to whoever may see them; None where none are kept.
        standing: what is known of the server itself.
        counting: counts the pulls of this process.
        pulls: tells of those of all; None where none are counted.
        icons: makes the icons of charts.
    """

    repositories: Repositories
    registry: Registry
    indexes: Indexes
    sync: Callable[[], Report]
    uploads: Path
    metrics: Unmeasured
    access: Access | None
    public_url: str
    directory: Directory
    audit: Unaudited
    records: Records | None
    standing: Standing
    counting: Uncounted
    pulls: PullView | None
    icons: Icons


def create_app(settings: Settings, services: Services) -> Front:
    """Return the WSGI application of the whole server."""
    addresses = Addresses(settings.trusted_proxies, origin(settings.external_url or settings.chart_url))
    auditor = Auditor(services.audit, services.directory, addresses)
    cookies = Cookies(addresses, settings.context_path)
    authorizer = Authorizer(
        services.directory,
        open_writes=settings.open_writes,
        addresses=addresses,
        cookies=cookies,
        wrong=auditor.wrong_credential,
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
        Oci(registry, services.metrics, prefix=settings.oci_prefix, allow_delete=settings.allow_delete),
        _flask(settings, services, authorizer, auditor, cookies),
        authorizer=authorizer,
        auditor=auditor,
        addresses=addresses,
        context_path=settings.context_path,
        token_service=TokenService(
            settings.auth_realm, settings.auth_service, alone=not services.directory.has_passwords
        )
        if settings.bearer_auth
        else None,
        max_body=settings.max_upload_size,
        max_blob=settings.max_blob_size,
        body_seconds=settings.upload_timeout,
        threads=settings.threads,
        browsers=Browsers(external_url=settings.external_url, origins=settings.cors_allow_origin),
        metrics=services.metrics,
        pulls=services.counting,
        access=services.access,
    )


def _flask(settings: Settings, services: Services, authorizer: Authorizer, auditor: Auditor, cookies: Cookies) -> Flask:
    app = Flask("chartrepo", static_folder=None, template_folder="http/templates")
    spool = Spool(services.uploads)
    app.request_class = request_class(spool)
    app.config["PROVIDE_AUTOMATIC_OPTIONS"] = False
    app.url_map.merge_slashes = False
    site = _site(settings, services, auditor)
    shared = _Shared(
        site,
        Publishing(services.repositories, spool, services.metrics),
        Deleting(services.repositories, auditor, settings.allow_delete),
        Differences(services.repositories.catalog.browsing, site.contents),
        Publishers(services.records),
        Search(services.repositories.catalog),
    )
    _add_api(app, settings, services, shared, authorizer=authorizer, auditor=auditor)
    _add_pages(app, settings, services, shared, authorizer=authorizer)
    forms = _sign_in(app, site, services.directory, authorizer=authorizer, auditor=auditor, cookies=cookies)

    auditor.register(app)
    app.before_request(_send_people_to(site))
    _ask_who_calls(app, authorizer, services.metrics)
    _check_forms(app, forms)
    _check_that_views_ask(app)
    _answer_errors(app, site)
    return app


@dataclass(frozen=True, slots=True)
class _Shared:
    """What the API and the pages both work with."""

    site: Site
    publishing: Publishing
    deleting: Deleting
    comparing: Differences
    publishers: Publishers
    search: Search


def _add_api(
    app: Flask, settings: Settings, services: Services, shared: _Shared, *, authorizer: Authorizer, auditor: Auditor
) -> None:
    Api(
        services.repositories,
        services.indexes,
        shared.publishing,
        sync=services.sync,
        deleting=shared.deleting,
        comparing=shared.comparing,
        publishers=shared.publishers,
        pulls=services.pulls,
    ).register(app)
    TokensApi(services.directory).register(app)
    AuditApi(services.records).register(app)
    if services.directory.registry_tokens is not None:
        OciToken(authorizer, services.directory.registry_tokens).register(app)
        Exchange(authorizer, auditor, services.directory.registry_tokens).register(app)
    SearchApi(shared.search, shared.site.links).register(app)
    HubSearch(shared.site, shared.search).register(app)
    OpenApi(shared.site.pages.base_url).register(app)
    ops.Ops(
        services.repositories.catalog,
        services.metrics if settings.admin_port is None else None,
        public_url=services.public_url,
        context_path=settings.context_path,
        artifacthub_id=settings.artifacthub_repository_id,
        files=lambda: {**services.directory.files(), **services.repositories.policing.files()},
        addresses=auditor.addresses,
    ).register(app)


def _add_pages(app: Flask, settings: Settings, services: Services, shared: _Shared, *, authorizer: Authorizer) -> None:
    site, directory = shared.site, services.directory
    site.register(app)
    HomePage(site, shared.search, directory, has_credentials=lambda: directory.has_credentials).register(app)
    SearchPage(site, shared.search).register(app)
    OverviewTab(site, directory, shared.publishers).register(app)
    ChartTabs(site, services.registry).register(app)
    ComparePage(site, shared.comparing).register(app)
    IconPages(site, services.icons).register(app)
    PullsShown(services.pulls).register(app)
    Feeds(site, shared.publishers).register(app)
    downloads.register(app)
    PublishPages(site, shared.publishing, settings.allow_overwrite).register(app)
    DeletePages(site, shared.deleting).register(app)
    RepositoryPages(site, directory, settings.allow_overwrite, settings.allow_delete).register(app)
    ArtifactPages(site, services.registry, settings.allow_delete).register(app)
    StatusPage(site, services.standing, directory, services.records, services.sync).register(app)
    OwnTokens(site, directory).register(app)
    ApiPage(site, authorizer).register(app)


def _sign_in(
    app: Flask, site: Site, directory: Directory, *, authorizer: Authorizer, auditor: Auditor, cookies: Cookies
) -> FormChecks:
    """Add the pages by which people become known, and return what checks forms by who they are."""
    sessions, issuers = directory.sessions, directory.issuer_sign_in
    if sessions is None or issuers is None:
        raise ValueError("the directory of a server has keys and a place for what has ended")
    signing_in = SignIn(site, directory, sessions, authorizer=authorizer, auditor=auditor, cookies=cookies)
    signing_in.register(app)
    IssuerPages(
        site, directory, issuers, sign_in=signing_in, authorizer=authorizer, auditor=auditor, cookies=cookies
    ).register(app)
    forms = FormChecks(authorizer, sessions, cookies, auditor.addresses)
    forms.register(app)
    return forms


def _site(settings: Settings, services: Services, auditor: Auditor) -> Site:
    links = Links(settings.context_path)
    files = Assets(links)
    pages = Pages(
        links,
        files,
        addresses=auditor.addresses,
        context_path=settings.context_path,
        oci_prefix=settings.oci_prefix,
        public_url=services.public_url,
        can_sign_in=lambda: services.directory.has_credentials,
    )
    errors = ErrorPages(pages, can_sign_in=lambda: services.directory.has_credentials)
    contents = ContentsCache(services.repositories)
    return Site(pages, links, files, errors, services.repositories, contents)


def _send_people_to(site: Site) -> Callable[[], Response | None]:
    def send_people_to_pages() -> Response | None:
        """Send browsers from the root to the pages, before anybody is asked for a credential."""
        return site.page_instead() if request.path == "/" else None

    return send_people_to_pages


_OPEN: Final = (
    ops.OPEN
    | sign_in.OPEN
    | issuer_sign_in.OPEN
    | {oci_token.ENDPOINT, exchange.ENDPOINT, openapi.ENDPOINT, api_page.ENDPOINT, assets.ENDPOINT, "ui"}
)
"""Endpoints that are for everybody, or that ask by themselves."""


def _ask_who_calls(app: Flask, authorizer: Authorizer, metrics: Unmeasured) -> None:
    @app.before_request
    def find_visitor() -> None:
        """Find out who asks, for every route that is not open by name. What it may do each view asks."""
        rule, page = request.url_rule, is_page(request.path)
        if rule is None:
            if page:  # there is nothing to guard, and the page that says so knows who reads it
                request.environ[VISITOR] = authorizer.visitor_of_open_page(request.environ)
            return
        _note_route(rule.rule, parameters=bool(rule.arguments))
        if rule.endpoint in _OPEN:
            return
        try:
            visitor = (authorizer.visitor_of_page if page else authorizer.visitor)(request.environ)
        except Unauthorized as error:
            if rule.endpoint == Api.publish.__name__ and not is_dry_run():
                metrics.upload(upload_result(answer(error).status))
            raise
        request.environ[VISITOR] = visitor
        ops.NEEDS.get(rule.endpoint, Visitor.needs_to_be_asked)(visitor)


def _check_forms(app: Flask, forms: FormChecks) -> None:
    @app.before_request
    def check_form() -> None:
        """See that what is sent to a page comes from a page of ours, before any view runs."""
        rule = request.url_rule
        if rule is not None and is_page(request.path):
            if rule.endpoint in _OPEN:  # a stranger's form has a name and a password, and no package
                request.max_content_length = _SMALL_FORM
            forms.check(request.environ)


def _check_that_views_ask(app: Flask) -> None:
    @app.after_request
    def check_asked(response: Response) -> Response:
        """Send nothing that a view made without asking whether the caller may have it."""
        visitor: Visitor | None = request.environ.get(VISITOR)
        if visitor is not None:
            visitor.check_asked(response.status_code)
        return response


def _note_route(rule: str, *, parameters: bool) -> None:
    """Leave for log and metrics which route answers, unless it is one of the API whose view knows better."""
    if not parameters:
        request.environ[ROUTE] = rule
    elif is_page(rule):
        request.environ[ROUTE] = _ARGUMENT.sub(r"{\1}", rule)


_SMALL_FORM: Final = 64 * 1024
"""Bytes."""
_ARGUMENT: Final = re.compile(r"<(?:\w+:)?(\w+)>")
"""Of a rule of Flask's."""


def _answer_errors(app: Flask, site: Site) -> None:
    def say(error: ChartrepoError | StorageError) -> Response:
        request.environ[REASON] = str(error)
        if is_for_people(request.path):
            return site.errors.say(error)
        return respond(oci_errors.answer(error) if is_oci(request.path) else answer(error))

    @app.errorhandler(Conflict)
    def conflict(error: Conflict) -> Response:
        request.environ[REASON] = error.detail
        return respond(json_answer(409, {"error": str(error), "detail": error.detail}))

    @app.errorhandler(ChartrepoError)
    @app.errorhandler(StorageError)
    def refuse(error: ChartrepoError | StorageError) -> Response:
        return say(error)

    @app.errorhandler(HTTPException)
    def http_error(error: HTTPException) -> Response:
        """Answer what Flask found out. A path that knows the method not is not there, as ChartMuseum has it."""
        if isinstance(error, NotFound | MethodNotAllowed):
            return site.page_instead() or say(NoSuchPath())
        request.environ[REASON] = error.description or error.name
        if is_for_people(request.path):
            return site.errors.page(error.code or 500, error.description or error.name)
        return respond(json_answer(error.code or 500, {"error": error.description or error.name}))

    @app.errorhandler(Exception)
    def unforeseen(error: Exception) -> Response:
        log.error("a request failed in a way that nobody foresaw", exc_info=error)
        request.environ[REASON] = UNFORESEEN
        if is_for_people(request.path):
            return site.errors.unforeseen(logs.request_id.get())
        return respond(internal_error(logs.request_id.get(), oci=is_oci(request.path)))
