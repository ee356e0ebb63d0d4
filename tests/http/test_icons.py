"""Icons of charts at their addresses: for whoever may read the chart, and of our own making."""

import base64
from collections.abc import Iterator
from pathlib import Path

import bcrypt
import pytest

from tests.icons import internet as internets
from tests.icons.internet import Internet, answer
from tests.support.packages import package
from tests.support.raster import colors, picture
from tests.support.repositories import Shop
from tests.support.site import Site

URL = "http://icons.example/icon.png"
HERE = "203.0.113.1"
GREEN, BLUE = picture(color="#00ff00"), picture("GIF", color="#0000ff")


@pytest.fixture
def internet() -> Iterator[Internet]:
    with internets.running() as found:
        found.names["icons.example"] = [[HERE]]
        found.pages[f"{HERE} /icon.png"] = answer(picture())
        yield found


def embedded(data: bytes) -> str:
    return f"data:image/png;base64,{base64.b64encode(data).decode()}"


def test_what_is_inside_of_a_package_is_shown_in_any_case(site: Site) -> None:
    assert site.upload(package(icon="files/icon.png", files={"files/icon.png": GREEN})).status_code == 201
    assert site.upload(package(version="2.0.0", icon=embedded(BLUE))).status_code == 201
    for version, color in (("1.0.0", (0, 255, 0)), ("2.0.0", (0, 0, 255))):
        found = site.get(f"/ui/icons/app@{version}")
        assert (found.status_code, found.content_type) == (200, "image/png")
        assert colors(found.data) == ((128, 85), color)
        assert found.headers["Cache-Control"] == "private, max-age=3600"
        assert "default-src 'none'" in found.headers["Content-Security-Policy"]
        assert site.get(f"/ui/icons/app@{version}", If_None_Match=found.headers["ETag"]).status_code == 304
    assert site.get("/ui/icons/app").data == site.get("/ui/icons/app@2.0.0").data


def test_one_from_elsewhere_is_shown_where_that_is_wanted(shop: Shop, site: Site, internet: Internet) -> None:
    assert site.upload(package(icon=URL)).status_code == 201
    off = site.get("/ui/icons/app")
    assert (off.content_type, b">A</text>" in off.data) == ("image/svg+xml; charset=utf-8", True)
    assert internet.asked == []
    fetching = Site(shop, web=internet.web())
    found = fetching.get("/ui/icons/app")
    assert (found.content_type, colors(found.data)[0]) == ("image/png", (128, 85))


@pytest.mark.parametrize(
    "icon", ["icon.svg", "https://icons.example/icon.svg", "icon.txt", "missing.png", "../x.png", None]
)
def test_a_chart_without_one_has_its_initial(site: Site, icon: str | None) -> None:
    files = {"icon.svg": "<svg onload='alert(1)'/>", "icon.txt": "<svg onload='alert(1)'/>"}
    assert site.upload(package(icon=icon, files=files)).status_code == 201
    found = site.get("/ui/icons/app")
    assert (found.status_code, b">A</text>" in found.data, b"alert" in found.data) == (200, True, False)


def test_of_what_one_may_not_read_there_is_none(shop: Shop, tmp_path: Path, internet: Internet) -> None:
    (tmp_path / "rules.yaml").write_text("permissions:\n  - {who: ['user:ada'], may: [read], on: ['seen']}\n")
    (tmp_path / "users").write_text(f"ada:{bcrypt.hashpw(b'pw', bcrypt.gensalt(5)).decode()}\n")
    settings = {"admin_password": "secret", "htpasswd": tmp_path / "users", "permissions": tmp_path / "rules.yaml"}
    site = Site(shop, web=internet.web(), **settings)
    admin, ada = site.by("admin", "secret"), site.by("ada", "pw")
    for name in ("seen", "hidden"):
        assert admin.upload(package(name, icon=URL)).status_code == 201
    for who, statuses in ((site, [401, 401, 401]), (ada, [200, 404, 404]), (admin, [200, 200, 404])):
        paths = ("/ui/icons/seen", "/ui/icons/hidden", "/ui/icons/none@1.0.0")
        assert [who.get(path).status_code for path in paths] == statuses
    assert internet.asked == [f"{HERE} /icon.png"]


def test_one_that_somebody_is_getting_is_not_kept_by_browsers(shop: Shop, internet: Internet) -> None:
    site = Site(shop, web=internet.web())
    site.upload(package(icon=URL))
    (shop.folder / "icons").write_text("no lock can be had")
    assert site.get("/ui/icons/app").headers["Cache-Control"] == "no-store"
