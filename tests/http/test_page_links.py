"""Addresses of pages: built in one place, and read back."""

import pytest
from hypothesis import given
from hypothesis import strategies as st

from chartrepo.http.errors import NoSuchPath
from chartrepo.http.pages.links import ChartPath, Links, chart_path

LINKS = Links("/base")


@pytest.mark.parametrize(
    ("rest", "named"),
    [
        ("web", [ChartPath("", "web", None)]),
        ("team/app/web", [ChartPath("team/app", "web", None)]),
        ("team/web@1.2.3", [ChartPath("team", "web", "1.2.3"), ChartPath("team", "web@1.2.3", None)]),
        (
            "web@v1.0.0-rc.1+build",
            [ChartPath("", "web", "v1.0.0-rc.1+build"), ChartPath("", "web@v1.0.0-rc.1+build", None)],
        ),
        ("we@b@1.0.0", [ChartPath("", "we@b", "1.0.0"), ChartPath("", "we@b@1.0.0", None)]),
        ("web@latest", [ChartPath("", "web@latest", None)]),
        ("@1.0.0", [ChartPath("", "@1.0.0", None)]),
        ("charts/charts", [ChartPath("charts", "charts", None)]),
    ],
)
def test_an_address_names_a_chart_and_its_version(rest: str, named: list[ChartPath]) -> None:
    assert chart_path(rest) == named


@pytest.mark.parametrize("rest", ["", "team/", "a b/web", "../web", "team//web", "-/web", "ui/web", "api/web@1.0.0"])
def test_an_address_that_can_name_no_chart_is_no_page(rest: str) -> None:
    with pytest.raises(NoSuchPath):
        chart_path(rest)


def test_the_kind_of_page_comes_first() -> None:
    assert LINKS.home == "/base/ui/"
    assert LINKS.chart("team/app", "web", "1.0.0+b") == "/base/ui/charts/team/app/web@1.0.0+b"
    assert LINKS.chart("", "web", tab="values", q="a b") == "/base/ui/values/web?q=a+b"
    assert LINKS.repository("") == "/base/ui/repositories/"
    assert LINKS.repository("team/app", page=2) == "/base/ui/repositories/team/app?page=2"
    assert LINKS.page("compare", "web", to="2.0.0", **{"from": "1.0.0"}) == "/base/ui/compare/web?to=2.0.0&from=1.0.0"
    assert LINKS.package("team", "web-1.0.0.tgz") == "/base/ui/packages/team/charts/web-1.0.0.tgz"
    assert LINKS.index("") == "/base/index.yaml"
    assert LINKS.index("team") == "/base/team/index.yaml"
    assert LINKS.api("team/charts/web", limit=None) == "/base/api/team/charts/web"


@given(st.text(min_size=1, max_size=40).filter(lambda text: "/" not in text))
def test_no_name_of_a_chart_gets_out_of_its_place_in_an_address(chart: str) -> None:
    try:
        address = LINKS.chart("team", chart, "1.0.0")
    except UnicodeEncodeError:
        return  # such a text is no name, see catalog.rows.is_text
    rest = address.removeprefix("/base/ui/charts/team/")
    assert rest.endswith("@1.0.0")
    assert set(rest) <= set("ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz0123456789-._~+%@")
