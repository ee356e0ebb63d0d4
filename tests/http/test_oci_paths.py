"""Which endpoint of OCI a path names."""

import pytest

from chartrepo.http.oci_paths import Endpoint, Target, is_oci, takes_blob, target

DIGEST = "sha256:" + "ab" * 32


@pytest.mark.parametrize(
    ("path", "named"),
    [
        ("/v2", Target(Endpoint.BASE, "", "")),
        ("/v2/", Target(Endpoint.BASE, "", "")),
        ("/v2/_catalog", Target(Endpoint.CATALOG, "", "")),
        (f"/v2/web/blobs/{DIGEST}", Target(Endpoint.BLOB, "web", DIGEST)),
        ("/v2/team/app/web/manifests/1.0.0_a", Target(Endpoint.MANIFEST, "team/app/web", "1.0.0_a")),
        ("/v2/team/web/tags/list", Target(Endpoint.TAGS, "team/web", "")),
        (f"/v2/web/referrers/{DIGEST}", Target(Endpoint.REFERRERS, "web", DIGEST)),
        ("/v2/web/blobs/uploads/", Target(Endpoint.NEW_UPLOAD, "web", "")),
        ("/v2/web/blobs/uploads", Target(Endpoint.NEW_UPLOAD, "web", "")),
        ("/v2/web/blobs/uploads/8c1b", Target(Endpoint.UPLOAD, "web", "8c1b")),
        # Names may have parts that are called as endpoints are.
        ("/v2/blobs/uploads/blobs/uploads/", Target(Endpoint.NEW_UPLOAD, "blobs/uploads", "")),
        ("/v2/manifests/blobs/manifests/x", Target(Endpoint.MANIFEST, "manifests/blobs", "x")),
        ("/v2/tags/list/tags/list", Target(Endpoint.TAGS, "tags/list", "")),
        ("/v2/web", None),
        ("/v2/web/manifests/", None),
        ("/v2/web/manifests/a/b", None),
        ("/v2//manifests/a/", None),
        ("/v2/web/tags", None),
    ],
)
def test_paths_are_read_from_the_right(path: str, named: Target | None) -> None:
    assert is_oci(path)
    assert target(path) == named


@pytest.mark.parametrize("path", ["/", "/v2x/", "/charts/v2/", "/index.yaml"])
def test_the_rest_is_not_oci(path: str) -> None:
    assert not is_oci(path)


@pytest.mark.parametrize(
    ("path", "takes"),
    [
        ("/v2/web/blobs/uploads", True),
        ("/v2/web/blobs/uploads/", True),
        ("/v2/team/app/web/blobs/uploads/8c1b", True),
        ("/v2/web/blobs/sha256:8c1b", False),
        ("/v2/web/manifests/1.0.0", False),
        ("/v2/web/blobs/uploadsx", False),
        ("/api/v2/web/blobs/uploads/charts", False),
    ],
)
def test_blobs_are_sent_to_uploads(path: str, takes: bool) -> None:
    assert takes_blob(path) == takes
