"""A small OCI registry on the loopback: lists in pages, tokens, redirected blobs, faults, and pushes by a real helm."""

import base64
import json
import re
from collections.abc import Callable, Iterator, Sequence
from contextlib import contextmanager
from hashlib import sha256
from typing import Any, Final
from urllib.parse import parse_qs, urlsplit

from tests.support.web import Answer, Asked, Web, serving

CONFIG: Final = "application/vnd.cncf.helm.config.v1+json"
CONTENT: Final = "application/vnd.cncf.helm.chart.content.v1.tar+gzip"
PROVENANCE: Final = "application/vnd.cncf.helm.chart.provenance.v1.prov"
MANIFEST: Final = "application/vnd.oci.image.manifest.v1+json"

CREATED: Final = "2020-09-13T12:26:40Z"


class Registry(Web):
    """A registry that answers rightly but for what a test asks of it.

    Attributes:
        page: how many names it gives at a time.
        listed: whether it has a `_catalog`.
        harbor: whether it has Harbor's API.
        scheme: how it wants to be asked: `Basic`, `Bearer`, or nothing.
        user: name and password that it knows; nobody may read without.
        realm: where it sends those who need a token.
        faults: what it answers first, by path with query.
        elsewhere: the server that it redirects to for blobs.
        manifests: by repository, and tag or digest.
        blobs: by digest.
    """

    def __init__(self) -> None:
        super().__init__()
        self.host = self.url.removeprefix("http://")
        self.page = 1000
        self.listed = True
        self.harbor = False
        self.scheme = ""
        self.user = ("", "")
        self.realm = f"{self.url}/token"
        self.faults: dict[str, list[Answer]] = {}
        self.elsewhere: Web | None = None
        self.manifests: dict[str, dict[str, bytes]] = {}
        self.blobs: dict[str, bytes] = {}
        self._tokens: dict[str, str] = {}
        self._given = 0

    def push(
        self, repository: str, data: bytes, *tags: str, signature: bytes | None = None, **annotations: object
    ) -> None:
        """Have a chart; its tag is 1.0.0 unless told otherwise."""
        layers = [self._blob(CONTENT, data)]
        if signature is not None:
            layers.append(self._blob(PROVENANCE, signature))
        said = {f"org.opencontainers.image.{name}": value for name, value in annotations.items()}
        self.push_manifest(repository, self._blob(CONFIG, b"{}"), layers, said, tags=tags or ("1.0.0",))

    def push_manifest(
        self,
        repository: str,
        config: dict[str, Any],
        layers: Sequence[dict[str, Any]] = (),
        annotations: dict[str, Any] | None = None,
        *,
        tags: Sequence[str] = ("1.0.0",),
    ) -> None:
        manifest = {"schemaVersion": 2, "config": config, "layers": layers, "annotations": annotations or {}}
        for tag in tags:
            self.manifests.setdefault(repository, {})[tag] = json.dumps(manifest).encode()

    def push_image(self, repository: str, *tags: str) -> None:
        self.push_manifest(repository, self._blob("application/vnd.oci.image.config.v1+json", b"{}"), tags=tags)

    def forget_tokens(self) -> None:
        """Let every token that was given expire."""
        self._tokens.clear()

    def respond(self, asked: Asked) -> Answer:
        if self.faults.get(asked.path):
            return self.faults[asked.path].pop(0)
        parts = urlsplit(asked.path)
        query = {name: values[0] for name, values in parse_qs(parts.query).items()}
        if parts.path == "/token":
            return self._give_token(asked, query)
        if parts.path.startswith("/api/v2.0/"):
            return self._harbor(asked, parts.path, query)
        denied = self._denied(asked, parts.path)
        if denied is not None:
            return denied
        for pattern, answer in self._routes():
            found = re.fullmatch(pattern, parts.path)
            if found is not None:
                return answer(asked, query, *found.groups())
        return super().respond(asked)

    def _routes(self) -> Iterator[tuple[str, Callable[..., Answer]]]:
        yield "/v2/", lambda *_: Answer(b"{}")
        yield "/v2/_catalog", self._catalog
        yield "/v2/(.+)/tags/list", self._tags
        yield "/v2/(.+)/manifests/([^/]+)", self._manifest
        yield "/v2/(.+)/blobs/uploads/", self._upload
        yield "/v2/(.+)/blobs/([^/]+)", self._bytes

    # ---- reading

    def _catalog(self, _asked: Asked, query: dict[str, str]) -> Answer:
        if not self.listed:
            return Answer(status=403)
        return self._listing("/v2/_catalog", "repositories", sorted(self.manifests), query)

    def _tags(self, _asked: Asked, query: dict[str, str], repository: str) -> Answer:
        if repository not in self.manifests:
            return Answer(status=404)
        tags = sorted(name for name in self.manifests[repository] if not name.startswith("sha256:"))
        return self._listing(f"/v2/{repository}/tags/list", "tags", tags, query)

    def _listing(self, path: str, field: str, names: list[str], query: dict[str, str]) -> Answer:
        left = [name for name in names if name > query.get("last", "")]
        shown = left[: min(self.page, int(query.get("n", self.page)))]
        more = [("Link", f'<{path}?last={shown[-1]}&n={self.page}>; rel="next"')] if len(shown) < len(left) else []
        return Answer(json.dumps({field: shown or None}).encode(), headers=tuple(more))

    def _manifest(self, asked: Asked, _query: dict[str, str], repository: str, tag: str) -> Answer:
        if asked.method == "PUT":
            self.manifests.setdefault(repository, {})[tag] = asked.body
            return Answer(status=201, headers=(("Docker-Content-Digest", _digest(asked.body)),))
        data = self.manifests.get(repository, {}).get(tag)
        if data is None:
            return Answer(status=404)
        return Answer(data, headers=(("Content-Type", MANIFEST), ("Docker-Content-Digest", _digest(data))))

    def _upload(self, asked: Asked, query: dict[str, str], _repository: str) -> Answer:
        if asked.method == "PUT":
            self.blobs[query["digest"]] = asked.body
            return Answer(status=201, headers=(("Docker-Content-Digest", query["digest"]),))
        return Answer(status=202, headers=(("Location", asked.path),))

    def _bytes(self, asked: Asked, _query: dict[str, str], _repository: str, digest: str) -> Answer:
        if digest not in self.blobs:
            return Answer(status=404)
        if self.elsewhere is not None and asked.method == "GET":
            self.elsewhere.answers[f"/{digest}"] = Answer(self.blobs[digest])
            return Answer(status=307, headers=(("Location", f"{self.elsewhere.url}/{digest}"),))
        return Answer(self.blobs[digest])

    def _harbor(self, asked: Asked, path: str, query: dict[str, str]) -> Answer:
        found = re.fullmatch("/api/v2.0/projects/([^/]+)/repositories", path)
        if not self.harbor or found is None:
            return Answer(status=404)
        if any(self.user) and asked.headers.get("authorization") != self._basic():
            return Answer(status=401)
        names = [name for name in sorted(self.manifests) if name.startswith(f"{found[1]}/")]
        start = (int(query["page"]) - 1) * self.page
        return Answer(json.dumps([{"name": name} for name in names[start : start + self.page]]).encode())

    # ---- who may

    def _denied(self, asked: Asked, path: str) -> Answer | None:
        if not self.scheme:
            return None
        given = asked.headers.get("authorization", "")
        if self.scheme == "Basic":
            challenge = 'Basic realm="the registry"'
            good = given == self._basic()
        else:
            found = re.fullmatch("/v2/(.+)/(tags|manifests|blobs)/.*", path)
            scope = "registry:catalog:*" if "_catalog" in path else "repository:user/image:pull"  # as GHCR's example
            scope = f"repository:{found[1]}:pull" if found else scope
            challenge = f'Bearer realm="{self.realm}",service="here",scope="{scope}"'
            allowed = self._tokens.get(given.removeprefix("Bearer "))
            good = allowed is not None and allowed == scope
        return None if good else Answer(status=401, headers=(("WWW-Authenticate", challenge),))

    def _give_token(self, asked: Asked, query: dict[str, str]) -> Answer:
        if any(self.user) and asked.headers.get("authorization") != self._basic():
            return Answer(status=401)
        self._given += 1
        token = f"token-{self._given}"
        self._tokens[token] = query.get("scope", "") if query.get("service") == "here" else "nothing"
        return Answer(json.dumps({"access_token": token, "expires_in": 60}).encode())

    def _basic(self) -> str:
        return "Basic " + base64.b64encode(":".join(self.user).encode()).decode()

    # ---- writing

    def _blob(self, kind: str, data: bytes) -> dict[str, Any]:
        self.blobs[_digest(data)] = data
        return {"mediaType": kind, "digest": _digest(data), "size": len(data)}


def _digest(data: bytes) -> str:
    return f"sha256:{sha256(data).hexdigest()}"


@contextmanager
def running() -> Iterator[Registry]:
    """An empty registry."""
    registry = Registry()
    with serving(registry):
        yield registry
