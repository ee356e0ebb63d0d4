"""Health, readiness, version, metrics, the welcome, and the listener that has them for itself."""

import ipaddress
from html import unescape
from pathlib import Path

import pytest
from werkzeug.test import Client

from chartrepo.core.errors import CatalogUnavailable
from chartrepo.http.admin import create_admin_app
from chartrepo.metrics import Metrics
from chartrepo.version import __version__
from tests.support.packages import package
from tests.support.repositories import Shop
from tests.support.site import Ledger, Site


class TestProbes:
    def test_health_and_info_are_those_of_chartmuseum(self, site: Site) -> None:
        assert site.get("/health").json == {"healthy": True}
        assert site.get("/info").json == {"version": __version__}

    def test_it_is_ready_when_the_catalog_is_complete(self, tmp_path: Path) -> None:
        shop = Shop(tmp_path)
        site = Site(shop)
        building = site.get("/readyz")
        assert (building.status_code, building.headers["Retry-After"]) == (503, "2")
        assert site.get("/livez").status_code == 200
        shop.build()
        assert site.get("/readyz").status_code == 200

    def test_it_is_not_ready_while_the_catalog_is_away(self, site: Site, monkeypatch: pytest.MonkeyPatch) -> None:
        def away(*_: object) -> None:
            raise CatalogUnavailable("the database is away")

        monkeypatch.setattr(type(site.shop.catalog), "mark", away)
        assert site.get("/readyz").status_code == 503
        assert site.get("/livez").status_code == 200

    @pytest.mark.parametrize("path", ["/readyz", "/index.yaml", "/api/charts", "upload"])
    def test_what_the_database_says_is_logged_once_and_told_to_nobody(
        self, site: Site, path: str, monkeypatch: pytest.MonkeyPatch, caplog: pytest.LogCaptureFixture
    ) -> None:
        def away(*_: object, **__: object) -> None:
            raise CatalogUnavailable("the database is away", detail="db:5432 refuses")

        for name in ("mark", "changes", "exclusive"):
            monkeypatch.setattr(type(site.shop.catalog), name, away)
        answer = site.get(path) if path != "upload" else site.upload(package())
        assert answer.status_code == 503
        assert "5432" not in answer.text
        assert [record.message for record in caplog.records] == ["db:5432 refuses"]


class TestWelcome:
    def test_it_gives_the_line_to_paste(self, site: Site) -> None:
        answer = site.get("/", Host="charts.example.com:8080")
        assert answer.status_code == 200
        assert answer.mimetype == "text/html"
        assert "helm repo add my-charts http://charts.example.com:8080\n" in unescape(answer.text)

    def test_the_line_has_the_context_path(self, shop: Shop) -> None:
        site = Site(shop, context_path="/charts")
        for path in ("/", "/charts", "/charts/"):
            assert "helm repo add my-charts http://localhost/charts\n" in unescape(site.get(path).text)

    @pytest.mark.parametrize("host", ["a b", "<script>", "x/y", ""])
    def test_of_a_host_that_cannot_be_one_the_line_has_nothing(self, shop: Shop, host: str) -> None:
        site = Site(shop, context_path="/charts")
        answer = site.get("/", Host=host)
        assert "helm repo add my-charts http://<address of this server>/charts\n" in unescape(answer.text)

    def test_the_line_has_the_external_address_and_what_trusted_proxies_say(self, shop: Shop) -> None:
        site = Site(shop, external_url="https://charts.example.com", context_path="/charts")
        assert "helm repo add my-charts https://charts.example.com/charts\n" in unescape(site.get("/").text)
        site = Site(shop, trusted_proxies=(ipaddress.ip_network("127.0.0.0/8"),))
        forwarded = {"X-Forwarded-Host": "shop.example", "X-Forwarded-Proto": "https"}
        for peer, expected in (("127.0.0.1", "https://shop.example"), ("192.0.2.1", "http://localhost")):
            text = site.ask("GET", "/", headers=forwarded, environ_overrides={"REMOTE_ADDR": peer}).text
            assert f"helm repo add my-charts {expected}\n" in unescape(text)

    def test_the_line_has_the_public_address_where_one_is_set(self, shop: Shop) -> None:
        site = Site(shop, chart_url="https://charts.example.com", context_path="/charts")
        assert "helm repo add my-charts https://charts.example.com/charts\n" in site.get("/").text


class TestArtifactHub:
    def test_its_file_says_whose_repository_this_is(self, shop: Shop) -> None:
        answer = Site(shop, artifacthub_repository_id="0f-1").get("/artifacthub-repo.yml")
        assert (answer.data, answer.mimetype) == (b'repositoryID: "0f-1"\n', "application/x-yaml")

    def test_without_a_setting_there_is_none(self, site: Site) -> None:
        assert site.get("/artifacthub-repo.yml").json == {"error": "not found"}


class TestMetrics:
    def test_they_can_be_switched_off(self, site: Site) -> None:
        assert site.get("/metrics").status_code == 404  # what the tests count with is not for Prometheus

    def test_a_scrape_of_the_admin_listener_has_the_catalog_s_figures(self, shop: Shop, tmp_path: Path) -> None:
        shop.publish(package())
        shop.publish(package(), repository="team")
        shop.put("team/broken-1.0.0.tgz", b"nonsense")
        shop.sync()
        folder = tmp_path / "metrics"
        client = Client(create_admin_app(shop.catalog, Metrics(folder), ask_workers=lambda: None))
        answer = client.get("/metrics")
        assert answer.status_code == 200
        assert 'chartrepo_chart_versions{repository="team"} 1.0' in answer.text
        assert 'chartrepo_packages_set_aside{repository="team"} 1.0' in answer.text
        assert 'chartrepo_packages_set_aside{repository=""} 0.0' in answer.text


class TestAdminListener:
    @staticmethod
    def client(shop: Shop, *, alive: bool = True) -> Client:
        def ask_workers() -> None:
            if not alive:
                raise ConnectionRefusedError("connection refused")

        return Client(create_admin_app(shop.catalog, Ledger(), ask_workers=ask_workers))

    def test_it_has_the_probes_and_nothing_else(self, shop: Shop) -> None:
        client = self.client(shop)
        for path in ("/livez", "/readyz", "/health"):
            assert client.get(path).status_code == 200
        for path in ("/", "/index.yaml", "/api/charts", "/metrics"):
            answer = client.get(path)
            assert (answer.status_code, answer.json) == (404, {"error": "not found"})
        assert client.post("/health").status_code == 404

    def test_it_lives_only_while_the_workers_do(self, shop: Shop) -> None:
        answer = self.client(shop, alive=False).get("/livez")
        assert answer.status_code == 503
        assert "connection refused" in answer.text

    def test_it_is_ready_when_the_catalog_is(self, tmp_path: Path) -> None:
        assert self.client(Shop(tmp_path)).get("/readyz").status_code == 503
