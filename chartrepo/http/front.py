"""The outermost WSGI callable: what every request passes, whichever part answers it.

It gives the request its id, takes off the context path, sends the two hot reads to `Classic`, all of OCI to `OciReads`
and `Oci`, and the rest to Flask, turns errors into answers, and tells log and metrics what became of it.
"""

import io
import logging
import time
from collections.abc import Callable, Iterable, Iterator
from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass, field
from http import HTTPStatus
from typing import Any, Final, Protocol

from chartrepo import logs
from chartrepo.core.errors import ChartrepoError, FileNotFound
from chartrepo.core.permissions import Action
from chartrepo.http import challenges, oci_errors
from chartrepo.http.addresses import Addresses
from chartrepo.http.answers import STATUS_LINES, TEXT, Answer, Headers, json_answer
from chartrepo.http.auditing import REASON, UNFORESEEN, Auditor
from chartrepo.http.auth import VISITOR, Authorizer, Visitor
from chartrepo.http.bodies import Body, OnThisThread, Place, Places, announced_length, has_body
from chartrepo.http.browsers import Browsers
from chartrepo.http.challenges import TokenService
from chartrepo.http.errors import NoSuchPath, Unauthorized, answer
from chartrepo.http.helm import Classic
from chartrepo.http.kept import Kept, KeptAnswers, Shows, is_plain
from chartrepo.http.oci import LOGIN, Oci
from chartrepo.http.oci_paths import Endpoint, is_oci, takes_blob, target
from chartrepo.http.oci_reads import OciReads
from chartrepo.http.pages.links import PACKAGES, is_page
from chartrepo.http.paths import Classic as Target
from chartrepo.http.paths import Resource, classic, decode
from chartrepo.metrics import Unmeasured
from chartrepo.pulls import Uncounted
from storage.base import InvalidKey, StorageError

log = logging.getLogger(__name__)

Environ = dict[str, Any]
StartResponse = Callable[[str, Headers], object]
Wsgi = Callable[[Environ, Callable[..., Any]], Iterable[bytes]]

ROUTE: Final = "chartrepo.route"
"""Key of the environment under which Flask leaves the template of the route that answered."""
AT_HAND: Final = "chartrepo.at_hand"
"""Key of the environment under which a web server leaves what `Front.at_hand` gave it."""
_LIVE: Final = Kept("/livez", Answer(200, [TEXT], [b"ok\n"], 3), None)
"""All that is asked by it is whether the process answers, so nothing stands between."""
_KEPT: Final = 16 * 2**20
"""Bytes of answers that a worker keeps."""
_BODIES_AT_ONCE: Final = 256
"""Reads of bodies that may wait for their clients: more than requests, since a read can outlive its own."""
_BLOB_PACE: Final = 128 * 1024
"""Bytes a second at which a blob, of whatever size, is not too slow."""
_AT_THE_ROOT: Final = frozenset({"/", "/livez", "/readyz", "/health"})
"""Answered at the root of the host too, whatever the context path: load balancers know no other."""


class Access(Protocol):
    """Writes a line of the access log; see `chartrepo.logs.AccessLog`."""

    def __call__(
        self, *, method: str, path: str, status: int, size: int, seconds: float, client: str, agent: str, request: str
    ) -> None:
        """Write one line."""
        ...


@dataclass(slots=True)
class _Exchange:
    """One request and what becomes of it.

    Attributes:
        environ: as WSGI has it.
        path: as it came.
        request_id: what log and answer name it by.
        started: when, by `time.perf_counter`.
        route: the template of its path, for log and metrics.
        status: of the answer.
        size: of the answer, in bytes.
        body: that came with it; None for none.
        ended: what is to be done when it was answered.
        say: turns an error into an answer.
    """

    environ: Environ
    path: str
    request_id: str
    started: float
    route: str | None = None
    status: int = 500
    size: int = 0
    body: Body | None = None
    ended: list[Callable[[], None]] = field(default_factory=list)
    say: Callable[[ChartrepoError | StorageError], Answer] = answer


class Front:
    """WSGI application of the whole server.

    Args:
        reads: answers the hot reads of the classic repository.
        oci_reads: answers those of OCI.
        oci: answers all the rest of OCI, but for the token.
        flask: answers all the rest.
        authorizer: asked before what needs no Flask, which asks by itself.
        auditor: told of what was asked of OCI; Flask tells by itself.
        addresses: tell where a request comes from, and which address a client knows this server by.
        context_path: empty, or as `/charts`.
        max_body: bytes of a request's body.
        max_blob: bytes of a body that is an OCI blob; None for any number.
        body_seconds: how long a body may take; a blob takes longer where it keeps coming.
        threads: requests that this process answers at a time.
        browsers: what those are told.
        metrics: told of each request.
        pulls: told of each package that is given to somebody.
        access: told of each request; None to log none.
    """

    def __init__(
        self,
        reads: Classic,
        oci_reads: OciReads,
        oci: Oci,
        flask: Wsgi,
        *,
        authorizer: Authorizer,
        auditor: Auditor,
        addresses: Addresses,
        context_path: str,
        token_service: TokenService | None,
        max_body: int,
        max_blob: int | None,
        body_seconds: float,
        threads: int,
        browsers: Browsers,
        metrics: Unmeasured,
        pulls: Uncounted,
        access: Access | None,
    ) -> None:
        self._read: dict[Resource, Callable[..., Answer]] = {
            Resource.INDEX: reads.index,
            Resource.PACKAGE: reads.package,
            Resource.PROVENANCE: reads.provenance,
        }
        self._reads = reads
        self._oci_reads = oci_reads
        self._oci = oci
        self._flask = flask
        self._authorizer = authorizer
        self._auditor = auditor
        self._addresses = addresses
        self._context_path = context_path
        self._token_service = token_service
        self._max_body = max_body
        self._max_blob = max_blob
        self._body_seconds = body_seconds
        self._browsers = browsers
        self._metrics = metrics
        self._count_pull = pulls.count
        self._access = access
        self._kept = KeptAnswers(_KEPT, reads.variant)
        self._live_at = frozenset({"/livez", f"{context_path}/livez"})
        self._readers = ThreadPoolExecutor(_BODIES_AT_ONCE, thread_name_prefix="body")
        self._places = Places(threads)

    def __call__(self, environ: Environ, start_response: Callable[..., Any]) -> Iterable[bytes]:
        """Answer one request, as WSGI has it."""
        request_id = logs.request_id_from(environ.get("HTTP_X_REQUEST_ID"))
        kept: Kept | None = environ.pop(AT_HAND, None) or self.at_hand(environ)
        if kept is not None:
            exchange = _Exchange(environ, environ["PATH_INFO"], request_id, time.perf_counter(), kept.route)
            return self._send(exchange, kept.answer, start_response)
        exchange = _Exchange(environ, environ["PATH_INFO"], request_id, time.perf_counter())
        token = logs.request_id.set(request_id)
        try:
            found = self._answer(exchange)
            if found is not None:
                if exchange.say is oci_errors.answer:
                    self._auditor.ended(environ, found.status)
                return self._send(exchange, found, start_response)
            return self._pass_on(exchange, start_response)
        finally:
            logs.request_id.reset(token)

    def at_hand(self, environ: Environ) -> Kept | None:
        """Return the answer to a request where that waits for nothing, to be put into `environ` under `AT_HAND`.

        Of the environment only what the request itself says is looked at, and `REMOTE_ADDR`. Where it would have to be
        waited for who asks, nothing is at hand.
        """
        if not is_plain(environ):
            return None
        if environ["PATH_INFO"] in self._live_at:
            return _LIVE
        kept = self._kept.get(environ["PATH_INFO"], environ)
        return kept if kept is not None and self._may_have(environ, kept) else None

    def _may_have(self, environ: Environ, kept: Kept) -> bool:
        if kept.shows is None:
            return True
        try:
            visitor = self._authorizer.visitor_at_hand(environ)
        except ChartrepoError:
            return False  # it is asked again, and answered as any other
        return visitor is not None and visitor.reads_all(*kept.shows)

    # ---- what needs no Flask

    def _answer(self, exchange: _Exchange) -> Answer | None:
        """Answer a hot read, what is asked of OCI, or a path outside of all that is served; None for all else."""
        try:
            return self._find(exchange)
        except (FileNotFound, InvalidKey):
            return exchange.say(FileNotFound("object not found"))
        except (ChartrepoError, StorageError) as error:
            exchange.environ[REASON] = str(error)
            return exchange.say(error)
        except Exception:
            log.exception("a request failed in a way that nobody foresaw")
            exchange.environ[REASON] = UNFORESEEN
            return internal_error(exchange.request_id, oci=exchange.say is oci_errors.answer)

    def _find(self, exchange: _Exchange) -> Answer | None:
        environ = exchange.environ
        preflight = self._browsers.preflight(environ)
        if preflight is not None:
            return preflight
        if is_oci(environ["PATH_INFO"]):
            exchange.say = oci_errors.answer
        path = decode(environ["PATH_INFO"])
        if is_oci(path):
            return self._find_oci(exchange, path)
        path = self._below_context(path)
        environ["PATH_INFO"] = path.encode().decode("latin-1")
        if environ["REQUEST_METHOD"] not in {"GET", "HEAD"}:
            return None
        if path == _LIVE.route:
            exchange.route = _LIVE.route
            return _LIVE.answer
        if path.startswith(PACKAGES):
            return self._find_download(exchange, path.removeprefix(PACKAGES))
        target = classic(path)
        return self._find_classic(exchange, target, self._authorizer.visitor) if target is not None else None

    def _find_download(self, exchange: _Exchange, path: str) -> Answer | None:
        """Answer a package to somebody who looks at pages; None where a page has to say why not."""
        target = classic(path)
        if target is None or target.resource is Resource.INDEX:
            return None
        try:
            return self._find_classic(exchange, target, self._authorizer.visitor_of_page)
        except ChartrepoError:
            return None

    def _find_classic(self, exchange: _Exchange, target: Target, find: Callable[[Environ], Visitor]) -> Answer:
        environ = exchange.environ
        exchange.route = route = target.resource.value
        visitor = find(environ)
        readable = visitor.readable(target.repository)
        of_index = target.resource is Resource.INDEX
        # An index of some charts is the same for all who read the same; other answers show one chart, or none.
        reader = readable.key if of_index and readable is not None else ""
        if reader and is_plain(environ):
            kept = self._kept.get(exchange.path, environ, reader=reader)
            if kept is not None:
                return kept.answer
        try:
            found = self._read[target.resource](environ, target.repository, target.file, readable)
        except FileNotFound:
            withheld = self._withheld(environ, target, visitor)
            if withheld is not None:
                return withheld
            if readable is None or visitor.is_known:
                raise
            raise Unauthorized("unauthorized") from None  # as for what is there and may not be seen
        if of_index or readable is None or found.chart is not None:
            shows = Shows(target.repository, found.chart)
            self._kept.keep(exchange.path, environ, Kept(route, found, shows), reader=reader)
        return found

    def _withheld(self, environ: Environ, target: Target, visitor: Visitor) -> Answer | None:
        """Answer a package that is there and that readers do not see, where this visitor may; None for all else."""

        def sees(chart: str) -> bool:
            return all(visitor.may(action, target.repository, chart) for action in (Action.READ, Action.PUBLISH))

        if target.resource is not Resource.PACKAGE:
            return None
        try:
            return self._reads.withheld(environ, target.repository, target.file, sees)
        except FileNotFound:
            return None

    def _find_oci(self, exchange: _Exchange, path: str) -> Answer | None:
        environ = exchange.environ
        environ["PATH_INFO"] = path.encode().decode("latin-1")
        if path == challenges.TOKEN_PATH:
            return None
        self._take_in(exchange)
        if path in LOGIN:
            self._authorizer.check_login(environ)
        visitor = environ[VISITOR] = self._authorizer.visitor(environ)
        found = target(path)
        if found is None:
            return oci_errors.say(404, "UNSUPPORTED", "the OCI distribution API has no such path")
        exchange.route = found.endpoint.value
        if environ["REQUEST_METHOD"] in {"GET", "HEAD"} and found.endpoint in {Endpoint.BLOB, Endpoint.MANIFEST}:
            name, reply = self._oci_reads.answer(environ, found, visitor)
            self._kept.keep(exchange.path, environ, Kept(exchange.route, reply, Shows(name.repository, name.chart)))
        else:
            reply = self._oci.answer(environ, found, visitor)
        visitor.check_asked(reply.status)
        return reply

    def _below_context(self, path: str) -> str:
        """Return a path without the context path in front.

        Raises:
            NoSuchPath: it is not below it.
        """
        context = self._context_path
        if path.startswith(context + "/"):
            below = path[len(context) :]
            if is_oci(below):
                raise NoSuchPath  # which is at the root of the host, and nowhere else
            return below
        if path == context or path in _AT_THE_ROOT:
            return path if path in _AT_THE_ROOT else "/"
        raise NoSuchPath

    def _send(self, exchange: _Exchange, reply: Answer, start_response: Callable[..., Any]) -> Iterable[bytes]:
        exchange.status = reply.status
        exchange.size = reply.length
        body: Iterable[bytes] = reply.body
        if exchange.environ["REQUEST_METHOD"] == "HEAD":
            _close(body)
            body = ()
        elif reply.pull is not None:
            self._count_pull(reply.pull)
        headers = self._completed(exchange, reply.headers)
        if reply.status != 304:  # noqa: PLR2004 - Not Modified has no body, and its length would be another's
            headers.append(("Content-Length", str(reply.length)))
        start_response(STATUS_LINES[reply.status], headers)
        if isinstance(body, list | tuple) and exchange.body is None and not reply.afterwards:
            self._tell(exchange)
            return body
        return self._told(exchange, body, reply.afterwards)

    def _told(
        self, exchange: _Exchange, body: Iterable[bytes], afterwards: Iterable[Callable[[], None]] = ()
    ) -> Iterable[bytes]:
        def ended() -> None:
            for work in (*exchange.ended, lambda: self._tell(exchange), *afterwards):
                work()

        return _Told(body, ended, exchange.body)

    def _completed(self, exchange: _Exchange, headers: Headers) -> Headers:
        """Return the headers of an answer with those that all answers have."""
        return [
            *self._challenged(exchange, headers),
            *self._browsers.headers(exchange.environ, headers),
            ("X-Request-Id", exchange.request_id),
        ]

    def _challenged(self, exchange: _Exchange, headers: Headers) -> Headers:
        """Return the headers of an answer; those of a 401 with the challenge that belongs there."""
        environ = exchange.environ
        path = environ["PATH_INFO"]
        if exchange.status != HTTPStatus.UNAUTHORIZED or path == challenges.TOKEN_PATH or is_page(path):
            return headers
        if not is_oci(path):
            return self._classically_challenged(environ, headers)
        own = challenges.challenge(
            self._addresses.origin(environ),
            path,
            environ["REQUEST_METHOD"],
            brought=bool(environ.get("HTTP_AUTHORIZATION")),
        )
        return [*(each for each in headers if each[0] != own[0]), own]

    def _classically_challenged(self, environ: Environ, headers: Headers) -> Headers:
        if self._token_service is None:
            return headers
        path = environ["PATH_INFO"].encode("latin-1", "replace").decode(errors="replace")
        own = self._token_service.challenge(path, environ["REQUEST_METHOD"])
        return [own, *(each for each in headers if not self._token_service.alone or each[0] != own[0])]

    # ---- all the rest

    def _pass_on(self, exchange: _Exchange, start_response: Callable[..., Any]) -> Iterable[bytes]:
        environ = exchange.environ
        self._take_in(exchange)

        def started(status: str, headers: Headers, exc_info: object = None) -> object:
            exchange.status = int(status[:3])
            status = STATUS_LINES[exchange.status]
            exchange.route = environ.get(ROUTE)
            headers = self._completed(exchange, headers)
            exchange.size = next((int(value) for name, value in headers if name.lower() == "content-length"), 0)
            return start_response(status, headers, exc_info) if exc_info else start_response(status, headers)

        return self._told(exchange, self._flask(environ, started))

    # ---- bodies

    def _take_in(self, exchange: _Exchange) -> None:
        """See that the body of a request is bounded, and that where there is none, it is empty."""
        environ = exchange.environ
        if not has_body(environ):
            environ["wsgi.input"] = io.BytesIO()
            return
        place = Place(self._places)
        exchange.ended.append(place.leave)
        exchange.body = environ["wsgi.input"] = self._body(environ, place)
        environ["wsgi.input_terminated"] = True

    def _body(self, environ: Environ, place: Place) -> Body:
        connection = environ.get("gunicorn.socket")
        blob = takes_blob(environ["PATH_INFO"])
        return Body(
            environ["wsgi.input"],
            OnThisThread() if connection is None else self._readers,
            place=place,
            limit=self._max_blob if blob else self._max_body,
            setting="max_blob_size" if blob else "max_upload_size",
            announced=announced_length(environ),
            seconds=self._body_seconds,
            pace=_BLOB_PACE if blob else None,
            connection=connection,
        )

    def _tell(self, exchange: _Exchange) -> None:
        environ = exchange.environ
        seconds = time.perf_counter() - exchange.started
        method = environ["REQUEST_METHOD"]
        self._metrics.request(exchange.route, method, exchange.status, seconds)
        if self._access is not None:
            self._access(
                method=method,
                path=environ.get("RAW_URI") or _with_query(exchange.path, environ),
                status=exchange.status,
                size=exchange.size,
                seconds=seconds,
                client=self._addresses.caller(environ),
                agent=environ.get("HTTP_USER_AGENT", ""),
                request=exchange.request_id,
            )


class _Told:
    """The body of an answer. It says when it has been sent, or given up.

    Before it ends it reads the rest of the request's body, up to a bound: servers close a connection on which something
    is left to read, and a client that is still sending then sees a broken pipe instead of its answer.
    """

    def __init__(self, body: Iterable[bytes], told: Callable[[], None], request_body: Body | None = None) -> None:
        self._body = body
        self._told = told
        self._request_body = request_body

    def __iter__(self) -> Iterator[bytes]:
        yield from self._body
        if self._request_body is not None:
            self._request_body.drain()

    def close(self) -> None:
        try:
            _close(self._body)
        finally:
            self._told()


def _with_query(path: str, environ: Environ) -> str:
    query = environ.get("QUERY_STRING")
    return f"{path}?{query}" if query else path


def _close(body: Iterable[bytes]) -> None:
    close = getattr(body, "close", None)
    if close is not None:
        close()


def internal_error(request_id: str, *, oci: bool) -> Answer:
    """Return the answer to a request that failed in a way nobody foresaw; the log has the rest."""
    message = f"internal error: look for request {request_id} in the server's log"
    return oci_errors.say(500, "UNKNOWN", message) if oci else json_answer(500, {"error": message})
