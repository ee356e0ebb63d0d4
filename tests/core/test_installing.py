"""The ways to install a version of a chart, written out."""

import shlex
from dataclasses import replace

import pytest
import yaml

from chartrepo.core.installing import ASKS, Goal, Way, ways

GOAL = Goal(
    repository="team/app",
    repository_url="https://charts.example.com/team/app",
    oci_url="oci://charts.example.com/team/app/web",
    chart="web",
    version="1.2.3+build.1",
    library=False,
    user="",
    log_in=False,
    plain_http=False,
)


def by_key(goal: Goal) -> dict[str, Way]:
    return {way.key: way for way in ways(goal)}


def texts(way: Way) -> list[str]:
    return [step.text for step in way.steps]


def test_the_most_usual_way_comes_first() -> None:
    assert [way.key for way in ways(GOAL)] == ["helm", "oci", "dependency", "argocd", "flux", "flux-oci"]


def test_helm_installs_from_a_repository_or_a_registry() -> None:
    assert texts(by_key(GOAL)["helm"]) == [
        "helm repo add app https://charts.example.com/team/app",
        "helm install my-web app/web --version 1.2.3+build.1",
    ]
    assert texts(by_key(GOAL)["oci"]) == [
        "helm install my-web oci://charts.example.com/team/app/web --version 1.2.3+build.1"
    ]


def test_without_tls_registry_clients_are_told_so() -> None:
    plain = by_key(replace(GOAL, plain_http=True))
    assert texts(plain["oci"])[0].endswith(" --plain-http")
    assert yaml.safe_load(texts(plain["flux-oci"])[0].split("---")[0])["spec"]["insecure"] is True


def test_what_takes_a_credential_says_how_to_log_in() -> None:
    closed = by_key(replace(GOAL, log_in=True, user="ada"))
    assert texts(closed["helm"])[0].endswith(" --username ada")
    assert texts(closed["oci"])[0] == "helm registry login charts.example.com --username ada"
    secret = yaml.safe_load(texts(closed["argocd"])[1])
    assert (secret["kind"], secret["stringData"]["username"]) == ("Secret", "ada")
    assert yaml.safe_load(texts(closed["flux"])[0].split("---")[0])["spec"]["secretRef"]["name"] == "app-credential"
    assert "--docker-server=charts.example.com" in texts(closed["flux-oci"])[1]


def test_what_asks_for_a_password_is_copied_alone() -> None:
    """A line below it would be taken for the password."""
    for way in ways(replace(GOAL, log_in=True)):
        asking = [step for step in way.steps if "helm " in step.text and "--username" in step.text]
        assert all("\n" not in step.text and step.before == ASKS for step in asking)


def test_a_library_is_only_depended_upon() -> None:
    assert list(by_key(replace(GOAL, library=True))) == ["dependency"]


def test_a_chart_without_an_oci_form_has_no_oci_commands() -> None:
    assert list(by_key(replace(GOAL, oci_url=""))) == ["helm", "dependency", "argocd", "flux"]


def test_manifests_are_yaml_that_names_what_is_installed() -> None:
    found = by_key(GOAL)
    application = yaml.safe_load(texts(found["argocd"])[0])
    assert application["spec"]["source"] == {
        "repoURL": "https://charts.example.com/team/app",
        "chart": "web",
        "targetRevision": "1.2.3+build.1",
    }
    source, release = yaml.safe_load_all(texts(found["flux"])[0])
    assert release["spec"]["chart"]["spec"]["sourceRef"] == {
        "kind": source["kind"],
        "name": source["metadata"]["name"],
    }
    source, release = yaml.safe_load_all(texts(found["flux-oci"])[0])
    assert source["spec"]["ref"]["tag"] == "1.2.3_build.1"
    assert release["spec"]["chartRef"]["name"] == source["metadata"]["name"]
    (dependency,) = yaml.safe_load(texts(found["dependency"])[0])["dependencies"]
    assert dependency == {"name": "web", "version": "1.2.3+build.1", "repository": GOAL.repository_url}


@pytest.mark.parametrize("version", ["1.10", "1", "v2", "1.2.3-0x1", "0.0.0-1e5"])
def test_a_version_stays_a_text(version: str) -> None:
    found = by_key(replace(GOAL, version=version))
    assert yaml.safe_load(texts(found["argocd"])[0])["spec"]["source"]["targetRevision"] == version
    assert yaml.safe_load(texts(found["dependency"])[0])["dependencies"][0]["version"] == version


@pytest.mark.parametrize("chart", ["we b", "$(id)", "`id`", "a;b", "Web_App", "'", "--help", "é"])
def test_no_name_is_more_than_a_word_to_a_shell(chart: str) -> None:
    found = by_key(replace(GOAL, chart=chart))
    words = shlex.split(texts(found["helm"])[1])
    assert words[:2] == ["helm", "install"]
    assert words[3:] == [f"app/{chart}", "--version", GOAL.version]
    assert words[2].isascii()
    assert words[2] == words[2].lower()
    for way in found.values():
        for step in way.steps:
            if step.language == "yaml":
                assert all(isinstance(document, dict) for document in yaml.safe_load_all(step.text))


def test_the_name_of_a_release_is_one_that_helm_takes() -> None:
    long = by_key(replace(GOAL, chart="x" * 80))
    assert len(shlex.split(texts(long["helm"])[1])[2]) == 53
    assert shlex.split(texts(by_key(replace(GOAL, chart="__"))["helm"])[1])[2] == "my-chart"
