"""Which repository and which thing a path names."""

import pytest

from chartrepo.http.errors import NoSuchPath
from chartrepo.http.paths import Api, Classic, Resource, api, api_provenance, api_upload, classic, decode


@pytest.mark.parametrize(
    ("path", "named"),
    [
        ("/index.yaml", Classic(Resource.INDEX, "", "")),
        ("/team/app/index.yaml", Classic(Resource.INDEX, "team/app", "")),
        ("/charts/index.yaml", Classic(Resource.INDEX, "charts", "")),
        ("/charts/a-1.tgz", Classic(Resource.PACKAGE, "", "a-1.tgz")),
        ("/charts/charts/a-1.tgz", Classic(Resource.PACKAGE, "charts", "a-1.tgz")),
        ("/team/charts/a-1.tgz", Classic(Resource.PACKAGE, "team", "a-1.tgz")),
        ("/team/charts/a-1.tgz.prov", Classic(Resource.PROVENANCE, "team", "a-1.tgz")),
        ("/team/a-1.tgz", None),
        ("/charts/a-1.tar", None),
        ("/api/index.yaml", None),
        ("/ui/charts/a-1.tgz", None),
        ("/a b/index.yaml", None),
        ("//index.yaml", None),
        ("//charts/a-1.tgz", None),
        ("//charts/charts/a-1.tgz", None),
        ("/xindex.yaml", None),
        ("/", None),
    ],
)
def test_the_classic_forms_are_read_from_the_right(path: str, named: Classic | None) -> None:
    assert classic(path) == named


@pytest.mark.parametrize(
    ("path", "named"),
    [
        ("charts", Api("", ())),
        ("charts/web", Api("", ("web",))),
        ("team/app/charts/web/1.0.0", Api("team/app", ("web", "1.0.0"))),
        ("charts/charts/web", Api("charts", ("web",))),
        ("team/charts/charts", Api("team/charts", ())),
        ("charts/", Api("", ("",))),
    ],
)
def test_the_api_is_split_at_the_last_charts(path: str, named: Api) -> None:
    assert api(path) == named


@pytest.mark.parametrize("path", ["", "team", "a b/charts", "team//charts", "v2/charts", "../charts"])
def test_what_names_no_repository_is_not_there(path: str) -> None:
    with pytest.raises(NoSuchPath):
        api(path)


def test_provenance_has_a_path_of_its_own() -> None:
    assert api_provenance("prov") == ""
    assert api_provenance("team/app/prov") == "team/app"
    assert api_provenance("team/charts") is None


def test_an_upload_goes_to_whatever_stands_before_the_last_charts() -> None:
    assert api_upload("charts") == ""
    assert api_upload("a b/charts/charts") == "a b/charts"
    for path in ("", "team", "charts/web", "charts/"):
        with pytest.raises(NoSuchPath):
            api_upload(path)


def test_wsgi_s_bytes_become_text() -> None:
    assert decode("/plain") == "/plain"
    assert decode("/ä🎉".encode().decode("latin-1")) == "/ä🎉"
    for path in ("/\xff", "/\x00", "/a\n", "/\u2028".encode().decode("latin-1"), "/\x7f"):
        with pytest.raises(NoSuchPath):
            decode(path)
