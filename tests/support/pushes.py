"""Pushes to a `Site` and pulls from it, step by step as helm makes them."""

import json
from collections.abc import Mapping
from typing import Any, NamedTuple

from werkzeug.test import TestResponse

from chartrepo.core import oci
from tests.support.oci_contents import Bundle, Content, digest_of
from tests.support.packages import package
from tests.support.site import Site

APP = package()
"""The package of `app` 1.0.0."""
NEWER = package(values="changed: true\n")
"""Another one."""


class Said(NamedTuple):
    """How a request was answered: the status and, where it is an error of the specification, its code."""

    status: int
    code: str = ""


class Pulled(NamedTuple):
    """What `helm pull --prov` gets, and the digest of the manifest that told of it."""

    package: bytes
    provenance: bytes | None
    digest: str


def said(answer: TestResponse) -> Said:
    errors = (answer.get_json(silent=True) or {}).get("errors")
    return Said(answer.status_code, errors[0]["code"] if errors else "")


def json_of(answer: TestResponse) -> Any:
    """What an answer says in JSON."""
    return answer.get_json()


def message(answer: TestResponse) -> str:
    """The sentence of an error."""
    return str(json_of(answer)["errors"][0]["message"])


def put_blob(site: Site, name: str, data: bytes) -> str:
    """Send a blob in one request, and give its digest."""
    digest = digest_of(data)
    answer = site.ask("POST", f"/v2/{name}/blobs/uploads/?digest={digest}", data=data)
    assert answer.status_code == 201, answer.data
    return digest


def manifest_of(
    data: bytes, signature: bytes | None = None, *, created: str = "", config: bytes = b"{}", **fields: Any
) -> Content:
    """The manifest of a chart, as `helm push` makes it: another one for each `created`."""
    layers = [Content(data, oci.HELM_CHART)] + ([Content(signature, oci.HELM_PROVENANCE)] if signature else [])
    document = {
        "schemaVersion": 2,
        "config": Content(config, oci.HELM_CONFIG).described(),
        "layers": [layer.described() for layer in sorted(layers, key=lambda layer: layer.digest)],
        **({"annotations": {"org.opencontainers.image.created": created}} if created else {}),
        **fields,
    }
    return Content(json.dumps(document).encode(), oci.IMAGE_MANIFEST)


def put_manifest(site: Site, name: str, manifest: Content, reference: str = "") -> TestResponse:
    """PUT a manifest; by its digest, unless told otherwise."""
    path = f"/v2/{name}/manifests/{reference or manifest.digest}"
    return site.ask("PUT", path, data=manifest.data, headers={"Content-Type": manifest.media_type})


def push(
    site: Site, name: str, data: bytes, *tags: str, signature: bytes | None = None, created: str = ""
) -> TestResponse:
    """Push a chart as helm does: blobs, the manifest by its digest, and by each tag. Gives the last answer."""
    manifest = send_parts(site, name, data, signature=signature, created=created)
    answer = put_manifest(site, name, manifest)
    for tag in tags:
        if answer.status_code == 201:
            answer = put_manifest(site, name, manifest, tag)
    return answer


def send_parts(site: Site, name: str, data: bytes, *, signature: bytes | None = None, created: str = "") -> Content:
    """Send the blobs of a chart that are not there yet, and give the manifest that goes with them."""
    for blob in (b"{}", data, *([signature] if signature else [])):
        if site.head(f"/v2/{name}/blobs/{digest_of(blob)}").status_code == 404:
            put_blob(site, name, blob)
    return manifest_of(data, signature, created=created)


def push_bundle(site: Site, name: str, bundle: Bundle, *tags: str) -> None:
    """Push an artifact with all that it needs."""
    for content in bundle.all_blobs():
        put_blob(site, name, content.data)
    for content in bundle.all_manifests():
        assert put_manifest(site, name, content).status_code == 201
    for tag in tags:
        assert put_manifest(site, name, bundle.manifest, tag).status_code == 201


def find(site: Site, name: str, reference: str) -> str:
    """The digest of the manifest that a reference gives, the same by HEAD and GET; empty where there is none."""
    path = f"/v2/{name}/manifests/{reference}"
    head, got = site.head(path), site.get(path)
    assert head.status_code == got.status_code
    if got.status_code == 404:
        return ""
    assert got.status_code == 200, got.data
    assert head.headers["Docker-Content-Digest"] == got.headers["Docker-Content-Digest"]
    algorithm = got.headers["Docker-Content-Digest"].partition(":")[0]
    assert got.headers["Docker-Content-Digest"] == digest_of(got.data, algorithm)
    assert head.headers["Content-Length"] == str(len(got.data))
    return str(got.headers["Docker-Content-Digest"])


def blob(site: Site, name: str, digest: str) -> bytes | None:
    """A blob, the same by HEAD and GET; None where there is none."""
    path = f"/v2/{name}/blobs/{digest}"
    head, got = site.head(path), site.get(path)
    assert head.status_code == got.status_code
    if got.status_code == 404:
        return None
    assert got.status_code == 200, got.data
    assert head.headers["Content-Length"] == str(len(got.data))
    data: bytes = got.data
    assert digest_of(data) == digest
    return data


def pull(site: Site, name: str, reference: str) -> Pulled:
    """Pull a chart with all that its manifest names; what is missing fails the test."""
    digest = find(site, name, reference)
    assert digest, f"{name} has no {reference}"
    document = json_of(site.get(f"/v2/{name}/manifests/{digest}"))
    parts: dict[str, bytes] = {}
    for described in (document["config"], *document["layers"]):
        data = blob(site, name, described["digest"])
        assert data is not None, described
        assert len(data) == described["size"]
        parts[described["mediaType"]] = data
    return Pulled(parts[oci.HELM_CHART], parts.get(oci.HELM_PROVENANCE), digest)


def tags(site: Site, name: str) -> list[str] | None:
    """All tags; None where the name is unknown."""
    answer = site.get(f"/v2/{name}/tags/list")
    if said(answer) == (404, "NAME_UNKNOWN"):
        return None
    found: list[str] = json_of(answer)["tags"]
    return found


def names(site: Site) -> list[str]:
    """All names that the catalog of the OCI side lists."""
    found: list[str] = json_of(site.get("/v2/_catalog"))["repositories"]
    return found


def referrers(site: Site, name: str, digest: str) -> Mapping[str, dict[str, Any]]:
    """The descriptors of what is about a manifest, by digest."""
    document = json_of(site.get(f"/v2/{name}/referrers/{digest}"))
    return {each["digest"]: each for each in document["manifests"]}
