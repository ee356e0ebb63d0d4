"""The tabs of a chart's page, asked without a socket: what each shows, and what nobody gets to see."""

import json
import re
from html import unescape
from pathlib import Path
from typing import Any
from urllib.parse import quote

import pytest

from tests.support.oci_contents import Bundle, Content, artifact
from tests.support.packages import chart_yaml, package
from tests.support.pushes import find, push_bundle
from tests.support.repositories import Shop, provenance
from tests.support.rich_chart import CRD, rich_chart
from tests.support.site import Site

TABS = ("values", "templates", "crds", "dependencies", "images", "changelog", "attachments", "files", "versions")
NAMED_CRDS = chart_yaml("crds", "0.0.0")


def text(page: str) -> str:
    """What a page says, without its markup."""
    return " ".join(unescape(re.sub(r"<[^>]+>", " ", page.partition("<main")[2])).split())


@pytest.fixture
def shown(shop: Shop, site: Site) -> Site:
    shop.publish(rich_chart(), repository="team")
    return site


@pytest.mark.parametrize("tab", TABS)
@pytest.mark.parametrize("chart", ["team/web", "team/web@1.0.0"])
def test_each_tab_is_there_of_the_newest_and_of_a_named_version(shown: Site, tab: str, chart: str) -> None:
    answer = shown.get(f"/ui/{tab}/{chart}")
    assert answer.status_code == 200
    assert 'aria-current="page"' in answer.text
    assert "style=" not in answer.text
    assert shown.get(f"/ui/{tab}/{chart}x").status_code == 404


@pytest.mark.parametrize("tab", TABS)
def test_a_chart_with_next_to_nothing_has_them_too(shop: Shop, site: Site, tab: str) -> None:
    shop.publish(package("bare", files={"values.yaml": ""}))
    assert site.get(f"/ui/{tab}/bare").status_code == 200


@pytest.mark.parametrize("tab", TABS)
def test_who_may_not_read_a_chart_sees_none_of_it(shop: Shop, tab: str) -> None:
    shop.publish(rich_chart(), repository="team")
    closed = Site(shop, basic_auth_user="me", basic_auth_password="secret")
    assert closed.get(f"/ui/{tab}/team/web").status_code == 401
    assert closed.by("me", "secret").get(f"/ui/{tab}/team/web").status_code == 200


# ---- values


def test_values_have_their_paths_comments_defaults_and_rules(shown: Site) -> None:
    page = shown.get("/ui/values/team/web").text
    said = text(page)
    assert "replicas integer Default 1 How many there are Schema integer required at least 1" in said
    assert 'nodeSelector."kubernetes\\.io/os" string Default "linux"' in said
    assert "servers[0].name" in said
    assert 'extra Only in values.schema.json Schema one of "x"' in said
    assert 'id="v-image.tag"' in page
    assert 'href="#v-image.tag"' in page


def test_values_are_found_by_words(shown: Site) -> None:
    said = text(shown.get("/ui/values/team/web?q=MANY+repl").text)
    assert "1 value of 10" in said
    assert "image.tag" not in said
    assert "No value has these words" in text(shown.get("/ui/values/team/web?q=nonesuch").text)


def test_values_are_shown_as_they_are_written(shown: Site) -> None:
    assert "# -- How many there are" in text(shown.get("/ui/values/team/web?view=file").text)
    assert "required" in text(shown.get("/ui/values/team/web?view=schema").text)


def test_many_values_are_on_several_pages_and_templates_link_the_right_one(shop: Shop, site: Site) -> None:
    many = "".join(f"key{number}: {number}\n" for number in range(2_500))
    files = {"values.yaml": many, "templates/a.yaml": "x: {{ .Values.key2400 }}{{ .Values.nothing }}\n"}
    shop.publish(package("many", files=files))
    pages = [site.get(f"/ui/values/many?page={page}").text for page in (1, 2, 3, 9)]
    assert ["key2400" in page for page in pages] == [False, False, True, True]
    assert 'href="/ui/values/many?page=3#v-key2400"' in site.get("/ui/templates/many?path=templates/a.yaml").text


def test_what_cannot_be_taken_apart_is_said(shop: Shop, site: Site) -> None:
    many = "".join(f"k{number}: 1\n" for number in range(30_000))
    shop.publish(package("deep", files={"values.yaml": many, "values.schema.json": "{"}))
    said = text(site.get("/ui/values/deep").text)
    assert "values.yaml holds more values than are shown one by one" in said
    assert "values.schema.json is not JSON" in said
    assert site.get("/ui/templates/deep").status_code == 200


# ---- templates and files


def test_templates_are_listed_by_what_they_are_for(shown: Site) -> None:
    page = shown.get("/ui/templates/team/web").text
    assert re.findall(r"<h2>(\w+)</h2>", page) == ["Resources", "Tests", "Helpers"]
    said = text(page)
    assert "web.yaml Deployment" in said
    assert "tests/a.yaml Pod (test)" in said


def test_what_a_template_takes_is_linked_to_the_value(shown: Site) -> None:
    page = shown.get("/ui/templates/team/web@1.0.0?path=templates/web.yaml").text
    assert '<a class=nv href="/ui/values/team/web@1.0.0#v-replicas">.Values.replicas</a>' in page
    assert '<a class=nv href="/ui/values/team/web@1.0.0#v-servers">.Values.servers.first</a>' in page
    assert "<a id=L2 href=#L2>2</a>" in page


def test_every_file_can_be_looked_at(shown: Site) -> None:
    said = text(shown.get("/ui/files/team/web").text)
    assert "10 files" in said or "9 files" in said
    assert "Download the package" in said
    assert "# Changes" in text(shown.get("/ui/files/team/web?path=CHANGELOG.md").text)
    assert "This file is no text" in text(shown.get("/ui/files/team/web?path=logo.png").text)
    for path in ("/etc/passwd", "../x", "nothing", "%00", ""):
        assert shown.get(f"/ui/files/team/web?path={path}").status_code == 404
    assert shown.get("/ui/files/team/web?folder=no/").status_code == 404


def test_of_many_files_one_folder_is_shown_at_a_time(shop: Shop, site: Site) -> None:
    files: dict[str, bytes | str] = {f"files/d{number % 7}/f{number}.txt": "x\n" for number in range(9_990)}
    shop.publish(package("full", files=files))
    page = site.get("/ui/files/full").text
    assert len(page) < 20_000
    assert "9,993 files" in text(page)
    assert "d3/" in text(site.get("/ui/files/full?folder=files/").text)
    deep = site.get("/ui/files/full?folder=files/d3/").text
    assert "f3.txt" in text(deep)
    assert len(deep) < 200_000
    assert "f3.txt" in text(site.get("/ui/files/full?path=files/d3/f3.txt").text)


# ---- definitions, dependencies, images, changes


def test_definitions_are_listed_and_read(shown: Site) -> None:
    said = text(shown.get("/ui/crds/team/web").text)
    assert "1 custom resource definition" in said
    assert "Widget A widget Turns 1 example example.com v1 Cluster crds/widget.yaml" in said
    one = text(shown.get("/ui/crds/team/web?path=crds/widget.yaml").text)
    assert "size string How large" in one
    assert "Example: w Widget apiVersion : example.com/v1" in one
    assert "cannot be read" in text(shown.get("/ui/crds/team/web?path=values.yaml").text)


@pytest.mark.parametrize("path", ["crds/large.yaml", "templates/crds/large.yaml", "charts/crds/templates/large.yaml"])
def test_definitions_that_are_too_large_are_named(shop: Shop, site: Site, path: str) -> None:
    shop.publish(
        package("big", files={"charts/crds/Chart.yaml": NAMED_CRDS, "crds/w.yaml": CRD, path: CRD + "#" * 1024 * 1024})
    )
    said = text(site.get("/ui/crds/big").text)
    assert "1 custom resource definition" in said
    assert f"Too large to be read here {path} 1.0 MiB" in said


def test_an_example_that_an_alias_makes_large_is_not_written_out(shop: Shop, site: Site) -> None:
    example = "- {kind: Widget, a: &a '" + "x" * 50_000 + "', b: [" + "*a, " * 1_500 + "]}"
    shop.publish(package("big", files={"crds/w.yaml": CRD}, annotations={"artifacthub.io/crdsExamples": example}))
    page = site.get("/ui/crds/big?path=crds/w.yaml").text
    assert len(page) < 20_000
    assert "too large to be shown" in text(page)


def test_dependencies_are_linked_where_they_are_here_and_may_be_read(shop: Shop, site: Site) -> None:
    for version in ("1.0.0", "1.2.0", "2.0.0"):
        shop.publish(package("base", version), repository="team")
    dependencies = [
        {"name": "base", "version": "^1", "repository": "http://localhost/team", "condition": "base.enabled"},
        {"name": "base", "version": "9.x", "repository": "oci://localhost/team", "alias": "other"},
        {"name": "base", "version": "1.0.0", "repository": "file://../base", "alias": "near", "tags": ["db"]},
        {"name": "base", "version": "1", "repository": "https://elsewhere.example.com/team", "alias": "far"},
        {"name": "gone", "version": "1", "repository": "http://localhost/team"},
    ]
    lock = "dependencies: [{name: base, repository: 'http://localhost/team', version: 1.0.0}]\n"
    shop.publish(package("web", dependencies=dependencies, files={"Chart.lock": lock}), repository="team")
    page = site.get("/ui/dependencies/team/web").text
    rows = [text(f"<main {row}") for row in page.split("<tr>")[2:]]
    assert rows[0].startswith("base ^1 1.0.0 locked 1.2.0 newest here that fits missing in the package team here")
    assert "base.enabled" in rows[0]
    assert 'href="/ui/charts/team/base@1.2.0"' in page
    assert "nothing here fits" in rows[1]
    assert "as other" in rows[1]
    assert "tags db" in rows[2]
    assert "here" not in rows[3].replace("elsewhere", "").replace("there", "")
    assert "not known here" in rows[4]


def test_a_chart_that_helm_refuses_to_install_says_so(shop: Shop, site: Site) -> None:
    dependencies = [{"name": name, "version": "1.x", "repository": "https://example.com"} for name in ("redis", "base")]
    whole = {
        "charts/base/Chart.yaml": chart_yaml("base", "1.0.0"),
        "charts/redis/Chart.yaml": chart_yaml("redis", "1.0.0"),
    }
    shop.publish(package("web", "1.0.0", dependencies=dependencies))
    shop.publish(package("web", "1.1.0", dependencies=dependencies, files=whole))

    page = text(site.get("/ui/charts/web@1.0.0").text)
    assert "Helm refuses to install this version: redis , base are named in Chart.yaml and missing" in page
    assert text(site.get("/ui/dependencies/web@1.0.0").text).count("missing in the package") == 3
    for tab in ("charts", "dependencies"):
        assert "Helm refuses" not in site.get(f"/ui/{tab}/web@1.1.0").text


def test_a_dependency_that_one_may_not_read_is_as_one_that_is_not_here(shop: Shop, tmp_path: Path) -> None:
    rules = tmp_path / "permissions.yaml"
    rules.write_text("permissions:\n  - {who: [anonymous], may: [read], on: ['open/**']}\n")
    shop.publish(package("secret"), repository="closed")
    dependencies = [{"name": "secret", "version": "1.x", "repository": "http://localhost/closed"}]
    shop.publish(package("web", dependencies=dependencies), repository="open")
    site = Site(shop, admin_password="secret", permissions=rules)
    page = site.get("/ui/dependencies/open/web").text
    assert "not known here" in text(page)
    assert "/ui/charts/closed" not in page
    assert site.get("/ui/values/closed/secret").status_code == 401


def test_images_are_told_with_where_they_are_from(shown: Site) -> None:
    said = text(shown.get("/ui/images/team/web").text)
    assert "nginx:1.27 not scanned web linux/amd64" in said
    assert "Found in the values" in said
    assert 'href="/ui/values/team/web#v-image"' in shown.get("/ui/images/team/web").text


def test_an_image_is_linked_to_the_page_of_values_that_it_is_on(shop: Shop, site: Site) -> None:
    many = "".join(f"key{number}: {number}\n" for number in range(2_500))
    shop.publish(package("many", files={"values.yaml": f"{many}main:\n  image: nginx:1.27\n"}))
    assert 'href="/ui/values/many?page=3#v-main.image"' in site.get("/ui/images/many").text
    assert 'id="v-main.image"' in site.get("/ui/values/many?page=3").text


def test_what_changed_is_told_of_all_versions(shop: Shop, shown: Site) -> None:
    old = {"artifacthub.io/changes": "- Only words\n- kind: security\n  description: Locks\n"}
    shop.publish(package("web", "0.9.0", annotations=old), repository="team")
    shop.publish(package("web", "0.8.0"), repository="team")
    page = shown.get("/ui/changelog/team/web").text
    said = text(page)
    assert said.index("1.0.0") < said.index("0.9.0") < said.index("0.8.0")
    assert "added A door ( issue 1 )" in said
    assert "Only words security Locks" in said
    assert '<a href="https://example.com/1" rel="nofollow noopener noreferrer">issue 1</a>' in page
    assert "CHANGELOG.md" in said


def test_the_changelog_reads_some_versions_at_a_time(shop: Shop, site: Site) -> None:
    for number in range(45):
        shop.publish(package("web", f"1.0.{number}", annotations={"artifacthub.io/changes": f"- change {number}"}))
    pages = [text(site.get(f"/ui/changelog/web?page={page}").text) for page in (1, 2, 3, 99)]
    assert "change 44" in pages[0]
    assert "1 of 3" in pages[0]
    assert "change 24" in pages[1]
    assert "change 4" in pages[2]
    assert "change 0" in pages[3]


# ---- versions


def test_versions_are_listed_and_can_be_compared(shop: Shop, site: Site) -> None:
    for number in range(60):
        shop.publish(package("web", f"1.0.{number}", appVersion=f"v{number}"), repository="team")
    shop.publish(package("web", "2.0.0-rc.1", deprecated=True), repository="team")
    first, second = (site.get(f"/ui/versions/team/web?page={page}").text for page in (1, 2))
    assert "2.0.0-rc.1 prerelease deprecated" in text(first)
    assert "1.0.59 newest v59" in text(first)
    assert "1.0.9 v9" not in text(first)
    assert "1.0.9 v9" in text(second)
    assert '<form action="/ui/compare/team/web">' in first
    assert 'name="from" value="1.0.59"' in first
    assert 'name="to" value="2.0.0-rc.1"' in first
    assert 'href="/ui/feed/charts/team/web"' in first


# ---- attachments


def attached(site: Site, digest: str, artifact_type: str, **fields: Any) -> Bundle:
    subject = {"mediaType": "application/vnd.oci.image.manifest.v1+json", "digest": digest, "size": 1}
    made = artifact(artifact_type, subject=subject, **fields)
    push_bundle(site, "team/web", made)
    return made


def test_what_refers_to_a_version_is_told_in_words(shop: Shop, shown: Site) -> None:
    digest = find(shown, "team/web", "1.0.0")
    sbom = attached(shown, digest, "application/spdx+json", annotations={"org.opencontainers.image.title": "sbom.json"})
    built = attached(
        shown, digest, "application/vnd.in-toto+json", annotations={"predicateType": "https://slsa.dev/provenance/v1"}
    )
    signature = artifact("application/vnd.dev.cosign.simplesigning.v1+json", layer=Content(b"{}"))
    push_bundle(shown, "team/web", signature, f"{digest.replace(':', '-')}.sig")
    said = text(shown.get("/ui/attachments/team/web").text)
    assert "SBOM (SPDX, JSON) Title sbom.json" in said
    assert f"oras pull --plain-http localhost/team/web@{sbom.digest}" in said
    assert "Attestation: build provenance (SLSA 1) (in-toto)" in said
    assert built.digest in said
    assert "Signatures (cosign)" in said
    assert f"cosign verify --key cosign.pub --allow-http-registry localhost/team/web@{digest}" in said
    shop.publish(rich_chart("2.0.0"), repository="team")
    assert "Nothing refers to this version" in text(shown.get("/ui/attachments/team/web").text)
    assert "SBOM" in text(shown.get("/ui/attachments/team/web@1.0.0").text)


def test_a_provenance_file_is_one(shop: Shop, site: Site) -> None:
    data = package()
    shop.publish(data, provenance(data))
    said = text(site.get("/ui/attachments/app").text)
    assert "Provenance file" in said
    assert "helm pull app --repo http://localhost --version 1.0.0 --verify" in said


def test_a_chart_without_a_name_in_oci_has_none(shop: Shop, site: Site) -> None:
    shop.publish(package("Capital"))
    assert "Nothing refers to this version" in text(site.get("/ui/attachments/Capital").text)


# ---- hostile charts

SCRIPT = "<script>alert(1)</script><img src=x onerror=alert(1)>"


@pytest.mark.parametrize("tab", TABS)
def test_nothing_of_a_package_becomes_markup(shop: Shop, site: Site, tab: str) -> None:
    name = f"templates/{SCRIPT.replace('/', '')}.yaml"
    files: dict[str, bytes | str] = {
        "values.yaml": f"'{SCRIPT}': \"{SCRIPT}\" # {SCRIPT}\nimage: {{repository: '{SCRIPT}', tag: '1'}}\n",
        "values.schema.json": json.dumps({"properties": {SCRIPT: {"description": SCRIPT, "enum": [SCRIPT]}}}),
        name: f"kind: Pod\n{SCRIPT}\n{{{{ .Values.a }}}}\n",
        "crds/x.yaml": CRD.replace("Widget", f"'{SCRIPT}'").replace("How large", f"'{SCRIPT}'"),
        "evil\u202egnp.exe": "x",
        "a.md": SCRIPT,
        "b.sh": SCRIPT,
    }
    bad_link = "links: [{name: x, url: 'javascript:alert(1)'}]"
    annotations = {
        "artifacthub.io/changes": f"- kind: added\n  description: '{SCRIPT}'\n  {bad_link}\n",
        "artifacthub.io/images": f"- {{name: '{SCRIPT}', image: '{SCRIPT}'}}\n",
        "artifacthub.io/crds": f"- {{kind: '{SCRIPT}', version: '{SCRIPT}', name: x, description: '{SCRIPT}'}}\n",
        "artifacthub.io/crdsExamples": f"- {{kind: '{SCRIPT}', x: '{SCRIPT}'}}\n",
    }
    dependencies = [
        {"name": SCRIPT.replace("/", ""), "version": SCRIPT, "repository": "javascript:alert(1)", "tags": [SCRIPT]}
    ]
    shop.publish(
        package(
            "evil",
            files=files,
            annotations=annotations,
            dependencies=dependencies,
            description=SCRIPT,
            appVersion=SCRIPT,
        )
    )
    looked_at = ("a.md", "b.sh", "crds/x.yaml", "values.yaml", "Chart.yaml", quote(name))
    paths = ["", *(f"?path={each}" for each in looked_at), "?view=file", "?view=schema", f"?q={SCRIPT}"]
    for path in [
        *paths,
        "?view=file",
        "?view=schema",
        f"?q={SCRIPT}",
        "?path=templates/%3Cscript%3Ealert(1)%3Cscript%3E%3Cimg src=x onerror=alert(1)%3E.yaml",
    ]:
        answer = site.get(f"/ui/{tab}/evil{path}")
        assert answer.status_code in {200, 404}
        assert "<script>" not in answer.text
        assert "<img src=x" not in answer.text
        assert 'href="javascript:' not in answer.text
        assert "\u202e" not in answer.text


@pytest.mark.parametrize(
    "values",
    [
        "a: " + "x" * 1_000_000,
        "# " + "x" * 1_000_000,
        "a: 1\n" * 40_000,
        "".join(f"k{number}: 1\n" for number in range(19_000)),
        "'" + "k" * 1_000 + "':\n" + "".join(f"  k{number}: 1\n" for number in range(3_900)),
        "a: |\n" + "  {{ .Values.a }}\n" * 50_000,
    ],
    ids=["a long value", "a long comment", "one key often", "many keys", "a long key", "a long text"],
)
def test_a_page_stays_small_whatever_is_in_the_package(shop: Shop, site: Site, values: str) -> None:
    files: dict[str, bytes | str] = {
        "values.yaml": values,
        "templates/a.yaml": values,
        "crds/a.yaml": CRD + values,
        "values.schema.json": json.dumps({"properties": {f"p{number}": {} for number in range(5_000)}}),
    }
    shop.publish(package("large", files=files))
    pages = [
        *TABS,
        *(f"values/large?{each}" for each in ("q=k1", "view=file", "view=schema", "page=2")),
        *(f"files/large?path={each}" for each in files),
        "templates/large?path=values.yaml",
        "crds/large?path=crds/a.yaml",
    ]
    for page in pages:
        answer = site.get(f"/ui/{page}" if "/" in page else f"/ui/{page}/large")
        assert answer.status_code == 200, page
        assert len(answer.data) < 700_000, page


def test_numbers_of_pages_that_are_none_are_the_first(shown: Site) -> None:
    for page in ("0", "-1", "x", "9" * 40, "%D9%A1", ""):
        assert shown.get(f"/ui/versions/team/web?page={page}").status_code == 200
