"""The page and the JSON that compare two versions: what they answer, to whom, and how much of it."""

import gzip
import html
import re
from hashlib import sha256
from typing import Any

import bcrypt
import pytest

from tests.support.packages import package
from tests.support.repositories import Shop
from tests.support.site import Site

OLD = "replicaCount: 1\nimage: {tag: 'a'}\ngone: 5\n"
NEW = "replicaCount: 2\nimage: {tag: 'b'}\nnew: {x: 1, z: 2}\n"
TEMPLATE = "".join(f"line: {number}\n" for number in range(100))


@pytest.fixture
def site(shop: Shop) -> Site:
    return Site(shop)


def publish(site: Site, version: str, *, repository: str = "team/app", name: str = "web", **others: Any) -> bytes:
    data = package(name, version, **others)
    folder = f"{repository}/" if repository else ""
    answer = site.upload(data, f"/api/{folder}charts")
    assert answer.status_code == 201, answer.text
    return data


def two(site: Site, **others: Any) -> None:
    """Two versions that differ in this and that."""
    dependency = {"name": "redis", "repository": "https://charts.example.com"}
    publish(
        site,
        "1.0.0",
        files={"values.yaml": OLD, "templates/a.yaml": TEMPLATE, "README.md": "# One\n"},
        dependencies=[{**dependency, "version": "18.x.x"}],
        **others,
    )
    publish(
        site,
        "1.1.0",
        files={
            "values.yaml": NEW,
            "templates/a.yaml": TEMPLATE.replace("line: 50\n", "line: fifty\n").replace("line: 70\n", "  line:  70\n"),
            "README.md": "# Two\n",
        },
        dependencies=[{**dependency, "version": "19.x.x"}],
        **others,
    )


PAGE = "/ui/compare/team/app/web"
BOTH = f"{PAGE}?from=1.0.0&to=1.1.0"


def text_of(page: str) -> str:
    """What is to be read on a page."""
    return " ".join(html.unescape(re.sub(r"<[^>]*>", " ", page)).split())


class TestAddress:
    def test_it_names_both_versions_and_says_what_it_shows(self, site: Site) -> None:
        two(site)
        answer = site.get(BOTH)
        assert (answer.status_code, answer.mimetype) == (200, "text/html")
        assert "<title>web 1.0.0 to 1.1.0 ·" in answer.text

    def test_without_versions_it_leads_to_the_newest_and_the_one_before(self, site: Site) -> None:
        two(site)
        publish(site, "1.2.0-rc.1")
        answer = site.get(PAGE)
        assert (answer.status_code, answer.headers["Location"]) == (302, f"{PAGE}?from=1.0.0&to=1.1.0")
        assert answer.headers["Cache-Control"] == "no-store"

    @pytest.mark.parametrize(
        ("asked", "shown"),
        [
            ("@1.1.0", "?from=1.0.0&to=1.1.0"),
            ("?to=1.0.0", "?from=0.9.0&to=1.0.0"),
            ("?from=0.9.0", "?from=0.9.0&to=1.1.0"),
            ("?view=inline&space=hide", "?from=1.0.0&to=1.1.0&view=inline&space=hide"),
        ],
    )
    def test_what_it_leaves_out_is_filled_in(self, site: Site, asked: str, shown: str) -> None:
        two(site)
        publish(site, "0.9.0")
        assert site.get(PAGE + asked).headers["Location"] == PAGE + shown

    def test_before_a_prerelease_comes_whatever_comes_before(self, site: Site) -> None:
        for version in ("1.0.0", "1.1.0-rc.1", "1.1.0-rc.2"):
            publish(site, version)
        assert site.get(f"{PAGE}?to=1.1.0-rc.2").headers["Location"].endswith("?from=1.1.0-rc.1&to=1.1.0-rc.2")

    def test_of_one_version_it_says_that_there_is_nothing_to_compare(self, site: Site) -> None:
        publish(site, "1.0.0")
        answer = site.get(PAGE)
        assert answer.status_code == 200
        assert "There is one version of web, 1.0.0" in text_of(answer.text)

    def test_a_version_that_is_not_there_is_told_with_those_that_are(self, site: Site) -> None:
        two(site)
        answer = site.get(f"{PAGE}?from=9.9.9&to=%3Cb%3E")
        assert answer.status_code == 404
        assert "web has no version 9.9.9" in text_of(answer.text)
        assert "web has no version <b>" in text_of(answer.text)
        assert answer.text.count("<option") == 4

    def test_below_a_context_path(self, shop: Shop) -> None:
        site = Site(shop, context_path="/charts")
        data = package("web", "1.0.0"), package("web", "1.1.0")
        for each in data:
            assert site.upload(each, "/charts/api/charts").status_code == 201
        assert site.get("/charts/ui/compare/web").headers["Location"] == "/charts/ui/compare/web?from=1.0.0&to=1.1.0"
        page = site.get("/charts/ui/compare/web?from=1.0.0&to=1.1.0")
        assert 'action="/charts/ui/compare/web"' in page.text

    def test_versions_with_a_plus_are_written_so_that_they_are_found_again(self, site: Site) -> None:
        publish(site, "1.0.0+one", repository="", name="web")
        publish(site, "1.1.0+two", repository="", name="web")
        address = site.get("/ui/compare/web").headers["Location"]
        assert address == "/ui/compare/web?from=1.0.0%2Bone&to=1.1.0%2Btwo"
        assert site.get(address).status_code == 200


class TestPage:
    def test_it_begins_with_what_differs_in_words(self, site: Site) -> None:
        two(site)
        (said,) = re.findall(r"<p>(<strong>May break.*)</p>", site.get(BOTH).text)
        assert re.sub(r"<[^>]*>", "", said) == (
            "May break what works: 1 value removed: gone; dependency redis 18.x.x to 19.x.x (major). "
            "Also: 2 values added: new; 2 defaults changed: replicaCount 1 to 2, image.tag a to b; "
            "1 template changed; README changed."
        )

    def test_each_part_is_counted_and_can_be_gone_to(self, site: Site) -> None:
        two(site)
        page = site.get(BOTH).text
        anchors = re.findall(r'class="badge" href="#([\w-]+)">([^<]+)<', page)
        assert anchors == [
            ("values", "Values 5"),
            ("dependencies", "Dependencies 1"),
            ("chart-yaml", "Chart.yaml 1"),
            ("templates", "Templates 1"),
            ("readme", "README 1"),
        ]
        for anchor, _ in anchors:
            assert f'id="{anchor}"' in page

    def test_what_became_of_a_line_is_told_by_a_sign_and_a_word(self, site: Site) -> None:
        two(site)
        page = site.get(f"{BOTH}&view=inline").text
        assert (
            '<div class="dl del"><span class="dn" data-n="51"></span>'
            '<span class="ds">-<span class="hidden">removed </span></span>'
            "<code>line: <mark>50</mark></code></div>" in page
        )
        assert '<span class="hidden">added </span></span><code>line: <mark>fifty</mark></code>' in page

    def test_inline_each_unchanged_line_is_there_once_and_side_by_side_twice(self, site: Site) -> None:
        two(site)
        assert site.get(f"{BOTH}&view=inline").text.count("<code>line: 49</code>") == 1
        assert site.get(f"{BOTH}&view=side").text.count("<code>line: 49</code>") == 2

    def test_white_space_is_hidden_where_that_is_asked_for(self, site: Site) -> None:
        two(site)
        assert "<code><mark>  </mark>line:" in site.get(f"{BOTH}&view=inline").text
        hidden = site.get(f"{BOTH}&view=inline&space=hide").text
        assert "<code>  line:  70</code>" not in hidden.split('class="dl ins"')[-1]
        assert hidden.count('class="dl del"') == site.get(f"{BOTH}&view=inline").text.count('class="dl del"') - 1

    def test_lines_far_from_what_differs_are_folded_or_counted(self, site: Site) -> None:
        two(site)
        page = site.get(BOTH).text
        assert "<summary>13 unchanged lines</summary>" in page
        assert '<p class="dfold">47 unchanged lines</p>' in page
        assert "<code>line: 3</code>" not in page

    def test_of_a_long_file_so_much_is_shown_and_alone_more_of_it(self, site: Site) -> None:
        publish(site, "1.0.0", files={"templates/long.yaml": "old\n" * 1_000})
        publish(site, "1.1.0", files={"templates/long.yaml": "".join(f"new {n}\n" for n in range(1_000))})
        page = site.get(BOTH).text
        assert page.count('class="dl ') <= 320
        assert re.search(r"1,7\d\d more lines differ", text_of(page))
        alone = html.unescape(re.search(r'href="([^"]*file=[^"]*)"', page)[1])  # type: ignore[index] # it is there
        assert site.get(alone).text.count('class="dl ') == 2_000

    def test_a_file_that_does_not_differ_cannot_be_shown_alone(self, site: Site) -> None:
        two(site)
        assert site.get(f"{BOTH}&file=templates/configmap.yaml").status_code == 404

    def test_both_can_be_changed_round(self, site: Site) -> None:
        two(site)
        swapped = html.unescape(re.search(r'href="([^"]*)">Swap', site.get(BOTH).text)[1])  # type: ignore[index] # it is there
        assert swapped == f"{PAGE}?from=1.1.0&to=1.0.0"
        assert "This goes back: 1.1.0 is newer than 1.0.0." in text_of(site.get(swapped).text)

    def test_the_same_version_differs_in_nothing(self, site: Site) -> None:
        two(site)
        page = site.get(f"{PAGE}?from=1.0.0&to=1.0.0")
        assert "Both are the same package, byte for byte." in text_of(page.text)

    def test_with_many_versions_a_field_offers_some_and_takes_all(self, shop: Shop) -> None:
        site = Site(shop)
        for number in range(230):
            publish(site, f"1.0.{number}", repository="")
        page = site.get("/ui/compare/web?from=1.0.3&to=1.0.229")
        assert page.status_code == 200
        assert page.text.count("<option") == 200
        assert 'value="1.0.3" list="versions"' in page.text

    def test_it_is_small_on_the_wire(self, site: Site) -> None:
        old = {
            f"templates/{n}.yaml": "".join(f"a{n} {sha256(b'%d' % i).hexdigest()}\n" for i in range(500))
            for n in range(30)
        }
        publish(site, "1.0.0", files=old)
        publish(site, "1.1.0", files={path: text.replace("a", "bc") for path, text in old.items()})
        page = site.get(BOTH, Accept_Encoding="gzip")
        assert len(page.data) < 60 * 1024, len(page.data)
        assert gzip.decompress(page.data).count(b'class="dl ') <= 3_000


HOSTILE = "<script>alert(1)</script><img src=x onerror=alert(1)>\"'{{7*7}}"


class TestHostile:
    def test_nothing_out_of_a_chart_becomes_markup(self, site: Site) -> None:
        def files(text: str) -> dict[str, bytes | str]:
            return {
                "values.yaml": f"'{HOSTILE.replace(chr(39), '')}': '{text}'\nb: |\n  {HOSTILE}{text}\n  x\n",
                f'templates/{text}<b>&".yaml': HOSTILE,
                "templates/a.yaml": f"{HOSTILE}\n{text}{HOSTILE}\n",
                "README.md": f"# {HOSTILE}{text}\n",
                f"x<script>{text}": "x",
                "crds/a.yaml": f"kind: CustomResourceDefinition\nmetadata: {{name: '<b>{text}'}}\n",
            }

        for version, text in (("1.0.0", "one"), ("1.1.0", "two")):
            publish(
                site,
                version,
                files=files(text),
                annotations={HOSTILE: text},
                home=HOSTILE + text,
                keywords=[HOSTILE + text],
            )
        for view in ("", "&view=side", "&view=inline", "&space=hide"):
            page = site.get(BOTH + view).text
            assert re.findall(r'<script(?! type="module" src="/static/)', page) == []
            assert "<img src=x" not in page
            assert "onerror=alert(1)>" not in page
            assert "<b>" not in page
            assert "49" not in re.findall(r"\{\{7\*7\}\}|49(?=\b)", page)
        assert "style=" not in site.get(BOTH).text

    def test_what_turns_the_writing_round_is_made_visible(self, site: Site) -> None:
        for version, text in (("1.0.0", "a"), ("1.1.0", "b")):
            publish(
                site,
                version,
                files={
                    "templates/\u202egpj.yaml": f"if \u2066admin\u2069 {text}\n",
                    "templates/x.yaml": f"\x1b[2J\0{text}",
                },
            )
        page = site.get(BOTH).text
        for character in "\u202e\u2066\u2069\x1b\0":
            assert character not in page
        assert "⟨U+202E⟩gpj.yaml" in page
        assert "if ⟨U+2066⟩admin" in page

    def test_binary_and_large_files_are_told_by_their_size(self, site: Site) -> None:
        for version, text in (("1.0.0", b"\0a"), ("1.1.0", b"\0bc")):
            publish(
                site, version, files={"templates/x.bin": text, "templates/big.yaml": text[1:] * 900_000, "many": text}
            )
        page = text_of(site.get(BOTH).text)
        assert "It is no text: 2 bytes to 3 bytes." in page
        assert "It is too large to be shown line by line: 878.9 KiB to 1.7 MiB." in page

    def test_lines_without_end(self, site: Site) -> None:
        for version, text in (("1.0.0", "a"), ("1.1.0", "b")):
            publish(site, version, files={"templates/x.yaml": "x" * 500_000 + text + "y" * 100_000})
        answer = site.get(BOTH)
        assert len(answer.data) < 40_000
        assert "<mark>b</mark>" in answer.text


class TestWhoMayRead:
    def test_what_one_may_not_read_is_not_there(self, shop: Shop) -> None:
        two(Site(shop))
        closed = Site(shop, basic_auth_user="me", basic_auth_password="secret")
        assert closed.get(BOTH).status_code == 401
        assert closed.get("/api/team/app/charts/web/compare").status_code == 401
        assert "1.1.0" not in closed.get(PAGE).text
        assert closed.get("/ui/compare/nothing").status_code == 401
        mine = closed.by("me", "secret")
        assert mine.get(BOTH).status_code == 200
        assert mine.get("/api/team/app/charts/web/compare").status_code == 200
        assert mine.get("/ui/compare/nothing?from=1.0.0&to=1.1.0").status_code == 404

    def test_a_chart_that_one_may_not_read_looks_as_one_that_is_not_there(self, shop: Shop) -> None:
        open_site = Site(shop)
        two(open_site)
        publish(open_site, "1.0.0", name="mine")
        users, rules = shop.folder / "users", shop.folder / "rules.yaml"
        users.write_bytes(b"ada:" + bcrypt.hashpw(b"pw", bcrypt.gensalt(4)) + b"\n")
        rules.write_text('permissions: [{who: ["user:ada"], may: [read], on: ["team/app/mine"]}]\n')
        closed = Site(shop, htpasswd=users, permissions=rules).by("ada", "pw")
        assert closed.get("/ui/compare/team/app/mine").status_code == 200
        for path in ("/ui/compare/team/app/{}?from=1.0.0&to=1.1.0", "/api/team/app/charts/{}/compare"):
            hidden, missing = closed.get(path.format("web")), closed.get(path.format("nothing"))
            assert (hidden.status_code, missing.status_code) == (404, 404)
            assert hidden.text == missing.text


class TestJson:
    API = "/api/team/app/charts/web/compare"

    def test_it_tells_all_that_differs(self, site: Site) -> None:
        two(site)
        told = site.get(f"{self.API}?from=1.0.0&to=1.1.0").json
        assert told is not None
        assert (told["repository"], told["name"]) == ("team/app", "web")
        assert (told["from"]["version"], told["to"]["version"], told["step"], told["back"], told["same"]) == (
            "1.0.0", "1.1.0", "minor", False, False
        )  # fmt: skip
        assert told["breaking"] == ["1 value removed: `gone`", "dependency redis 18.x.x to 19.x.x (major)"]
        assert [(each["change"], each["path"], each["part_of"]) for each in told["values"]] == [
            ("removed", "gone", "gone"),
            ("default", "replicaCount", "replicaCount"),
            ("default", "image.tag", "image.tag"),
            ("added", "new.x", "new"),
            ("added", "new.z", "new"),
        ]
        assert told["values"][1]["from"] == {"value": 1, "type": "integer", "comment": "", "line": 1}
        (template,) = told["templates"]
        assert (template["path"], template["lines_added"], template["lines_removed"]) == ("templates/a.yaml", 2, 2)
        assert template["hunks"][0]["lines"][3:5] == ["-line: 50\n", "+line: fifty\n"]
        assert told["dependencies"][0]["step"] == "major"

    def test_hunks_make_the_new_file_of_the_old_one(self, site: Site) -> None:
        two(site)
        (template,) = site.get(self.API).json["templates"]  # type: ignore[index] # it is JSON
        lines = TEMPLATE.splitlines(keepends=True)
        for hunk in reversed(template["hunks"]):
            begin = hunk["from_line"] - 1
            lines[begin : begin + hunk["from_count"]] = [each[1:] for each in hunk["lines"] if each[0] != "-"]
        assert "".join(lines) == TEMPLATE.replace("line: 50\n", "line: fifty\n").replace("line: 70\n", "  line:  70\n")

    @pytest.mark.parametrize(
        ("query", "versions"),
        [
            ("", ("1.0.0", "1.1.0")),
            ("?from=1.0.0&to=latest", ("1.0.0", "1.1.0")),
            ("?from=~1.0&to=^1", ("1.0.0", "1.1.0")),
            ("?from=1.1.0&to=1.0.0", ("1.1.0", "1.0.0")),
        ],
    )
    def test_versions_are_found_as_elsewhere_in_the_api(
        self, site: Site, query: str, versions: tuple[str, str]
    ) -> None:
        two(site)
        told = site.get(self.API + query).json
        assert told is not None
        assert (told["from"]["version"], told["to"]["version"]) == versions

    @pytest.mark.parametrize("query", ["?from=9.9.9", "?to=no%20version", "?to=%00", "?from=^9&to=1.0.0", "?to=1.0.0"])
    def test_a_version_that_is_not_there_is_none(self, site: Site, query: str) -> None:
        two(site)
        answer = site.get(self.API + query)
        assert answer.status_code == 404
        assert answer.json is not None
        assert "error" in answer.json

    def test_a_chart_that_is_not_there_is_none_and_one_called_compare_is_one(self, site: Site) -> None:
        assert site.get("/api/charts/nothing/compare").status_code == 404
        publish(site, "1.0.0", repository="", name="compare")
        answer = site.get("/api/charts/compare")
        assert answer.json is not None
        assert answer.json[0]["name"] == "compare"

    def test_white_space_counts_unless_it_is_hidden(self, site: Site) -> None:
        two(site)
        (template,) = site.get(f"{self.API}?space=hide").json["templates"]  # type: ignore[index] # it is JSON
        assert template["lines_removed"] == 1


def test_a_comparison_is_made_once(site: Site, monkeypatch: pytest.MonkeyPatch) -> None:
    two(site)
    made = []
    from chartrepo import differences  # noqa: PLC0415 - to be looked into

    real = differences.compare
    monkeypatch.setattr(differences, "compare", lambda *sides: made.append(sides) or real(*sides))
    for view in ("", "&view=side", "&view=inline&space=hide"):
        assert site.get(BOTH + view).status_code == 200
    assert len(made) == 1
