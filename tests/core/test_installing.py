"""How charts are installed: commands that a shell reads as they are meant, and YAML that says what it should."""

import shlex

import yaml

from chartrepo.core.installing import Offer, release_name, ways

WEB = Offer(
    "web",
    "1.2.3+build.4",
    "app",
    "https://charts.example.com/team/app",
    "oci://charts.example.com/team/app/web",
    "1.2.3_build.4",
)


def texts(offer: Offer) -> dict[str, str]:
    return {way.key: way.text for way in ways(offer)}


def test_commands_of_helm() -> None:
    found = texts(WEB)
    assert found["helm"].splitlines() == [
        "helm repo add app https://charts.example.com/team/app",
        "helm install web app/web --version 1.2.3+build.4",
    ]
    assert found["oci"] == "helm install web oci://charts.example.com/team/app/web --version 1.2.3+build.4"


def test_a_login_where_reading_needs_one() -> None:
    found = texts(Offer("web", "1.0.0", "app", "http://h:1/app", "oci://h:1/app/web", "1.0.0", user="ada"))
    assert "--username ada --password-stdin" in found["helm"]
    assert found["oci"].splitlines()[0] == "helm registry login h:1 --username ada --plain-http"
    assert found["oci"].endswith("--plain-http")
    source, _ = yaml.safe_load_all(found["flux-oci"])
    assert source["spec"]["secretRef"] == {"name": "app-login"}
    assert source["spec"]["insecure"] is True


def test_yaml_says_what_it_should() -> None:
    found = texts(WEB)
    assert yaml.safe_load(found["dependency"]) == {
        "dependencies": [
            {"name": "web", "version": "1.2.3+build.4", "repository": "https://charts.example.com/team/app"}
        ]
    }
    source = yaml.safe_load(found["argo"])["spec"]["source"]
    assert source["chart"] == "web"
    assert source["targetRevision"] == "1.2.3+build.4"
    repository, release = yaml.safe_load_all(found["flux"])
    assert repository["spec"]["url"] == "https://charts.example.com/team/app"
    assert release["spec"]["chart"]["spec"]["version"] == "1.2.3+build.4"
    oci, release = yaml.safe_load_all(found["flux-oci"])
    assert oci["spec"]["ref"] == {"tag": "1.2.3_build.4"}
    assert release["spec"]["chartRef"] == {"kind": "OCIRepository", "name": "web"}


def test_names_that_mean_something_else_are_quoted() -> None:
    odd = Offer("a b; rm -rf $HOME", "1.10", "null", "https://charts.example.com")
    found = texts(odd)
    assert shlex.split(found["helm"].splitlines()[1])[3] == "null/a b; rm -rf $HOME"
    (dependency,) = yaml.safe_load(found["dependency"])["dependencies"]
    assert (dependency["name"], dependency["version"]) == ("a b; rm -rf $HOME", "1.10")
    assert set(found) == {"helm", "dependency", "argo", "flux"}


def test_libraries_are_for_other_charts() -> None:
    assert list(texts(Offer("lib", "1.0.0", "app", "https://x", is_library=True))) == ["dependency"]


def test_names_of_releases() -> None:
    assert release_name("My_Chart.x") == "my-chart-x"
    assert release_name("___") == "release"
    assert len(release_name("a" * 100)) == 53
