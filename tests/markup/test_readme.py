"""READMEs as HTML: what GitHub shows is shown, and nothing else happens, whatever they say."""

import re
import resource
from html.parser import HTMLParser
from typing import Final

import pytest

from chartrepo.core.weblinks import checked
from chartrepo.markup.bounds import LARGEST, MOST_LINES
from chartrepo.markup.readme import Places, Readme, ReadmeCache, render
from tests.support import tricks

FILES: Final = {"README.md", "docs/use.md", "logo.png", "docs/a b.svg", "values.yaml", "x"}
PLACES: Final = Places(
    "README.md", FILES, lambda path: f"/ui/files/c?path={path}", lambda path: f"/ui/raw/c?path={path}"
)
_ALLOWED: Final = {
    "a",
    "abbr",
    "b",
    "blockquote",
    "br",
    "caption",
    "code",
    "col",
    "colgroup",
    "dd",
    "del",
    "details",
    "div",
    "dl",
    "dt",
    "em",
    "figcaption",
    "figure",
    "h3",
    "h4",
    "h5",
    "h6",
    "hr",
    "i",
    "img",
    "ins",
    "kbd",
    "li",
    "mark",
    "ol",
    "p",
    "pre",
    "q",
    "s",
    "samp",
    "small",
    "span",
    "strike",
    "strong",
    "sub",
    "summary",
    "sup",
    "table",
    "tbody",
    "td",
    "tfoot",
    "th",
    "thead",
    "tr",
    "tt",
    "ul",
    "var",
    "wbr",
}
_ATTRIBUTES: Final = {
    "align",
    "alt",
    "aria-label",
    "class",
    "colspan",
    "height",
    "href",
    "id",
    "loading",
    "open",
    "rel",
    "role",
    "rowspan",
    "span",
    "src",
    "start",
    "tabindex",
    "title",
    "width",
}
_OWN: Final = ("#readme-", "/ui/files/c?path=", "/ui/raw/c?path=")


class _Reader(HTMLParser):
    """Reads HTML as a strict browser does, and remembers what is in it."""

    def __init__(self) -> None:
        super().__init__(convert_charrefs=True)
        self.tags: list[tuple[str, dict[str, str]]] = []
        self.open: list[str] = []
        self.text = ""
        self.odd: list[str] = []

    def handle_starttag(self, tag: str, attrs: list[tuple[str, str | None]]) -> None:
        self.tags.append((tag, {name: value or "" for name, value in attrs}))
        if tag not in {"br", "col", "hr", "img", "wbr"}:
            self.open.append(tag)

    def handle_endtag(self, tag: str) -> None:
        if not self.open or self.open.pop() != tag:
            self.odd.append(f"</{tag}>")

    def handle_data(self, data: str) -> None:
        self.text += data

    def handle_comment(self, data: str) -> None:
        self.odd.append(f"<!--{data}")

    def handle_decl(self, decl: str) -> None:
        self.odd.append(f"<!{decl}")

    unknown_decl = handle_decl

    def handle_pi(self, data: str) -> None:
        self.odd.append(f"<?{data}")


def read(html: str) -> _Reader:
    reader = _Reader()
    reader.feed(html)
    reader.close()
    return reader


def shown(text: str) -> str:
    return render(text, PLACES).html


def faults(html: str) -> list[str]:
    """What is in HTML that must not be."""
    found = read(html)
    wrong = [*found.odd, *(f"open: {tag}" for tag in found.open)]
    for tag, attributes in found.tags:
        wrong += [f"<{tag}>"] if tag not in _ALLOWED else []
        wrong += [f"{tag} {name}" for name in attributes if name not in _ATTRIBUTES]
        for name in ("href", "src"):
            value = attributes.get(name)
            if value is not None and not value.startswith(_OWN) and (name == "src" or checked(value) is None):
                wrong.append(f"{tag} {name}={value}")
        if "id" in attributes and not attributes["id"].startswith("readme-"):
            wrong.append(f"id={attributes['id']}")
        if tag == "a" and set(attributes.get("rel", "").split()) != {"nofollow", "noopener", "noreferrer"}:
            wrong.append("rel")
    return wrong


class TestWhatIsHostile:
    @pytest.mark.parametrize("name", tricks.READMES)
    def test_nothing_that_runs_or_loads_is_left(self, name: str) -> None:
        text = tricks.READMES[name]
        assert faults(shown(text)) == []
        assert faults(shown(f"# Before\n\n{text}\n\nafter **this**")) == []

    def test_all_of_them_at_once(self) -> None:
        assert len(tricks.READMES) >= 40
        assert faults(shown("\n\n".join(tricks.READMES.values()))) == []

    @pytest.mark.parametrize("name", tricks.LARGE)
    def test_what_is_large_is_shown_within_bounds(self, name: str) -> None:
        made = render(tricks.LARGE[name], PLACES)
        assert len(made.html) < 4 * 1024 * 1024
        assert faults(made.html) == []

    def test_memory_stays_flat(self) -> None:
        worst = [tricks.LARGE[name] for name in ("a long table", "headings", "angles and letters", "HTML in HTML")]
        for text in worst:
            render(text, PLACES)
        before = resource.getrusage(resource.RUSAGE_SELF).ru_maxrss
        for text in worst:
            render(text, PLACES)
        assert resource.getrusage(resource.RUSAGE_SELF).ru_maxrss - before < 16 * 1024

    def test_what_is_too_much_is_shown_as_it_is_written(self) -> None:
        made = render("<div>" * 1_000 + "*a*", PLACES)
        assert made.is_plain
        assert read(made.html).text == "<div>" * 1_000 + "*a*"

    def test_more_entities_than_anybody_writes_are_not_cleaned_one_by_one(self) -> None:
        assert render("&lt; " * 50_000, PLACES).is_plain
        assert not render("&lt; " * 500, PLACES).is_plain

    def test_what_is_too_long_is_cut_between_lines(self) -> None:
        made = render("word word\n" * (LARGEST // 10 + 100), PLACES)
        assert made.is_cut
        assert read(made.html).text.strip().endswith("word word")
        assert render("a\n" * (MOST_LINES + 5), PLACES).is_cut
        assert not render("a\n" * 100, PLACES).is_cut
        assert render("a" * (LARGEST + 1), PLACES).is_cut

    def test_deep_nesting_leaves_the_rest_alone(self) -> None:
        found = read(shown(">" * 10_000 + " deep\n\nThe end"))
        assert "The end" in found.text
        assert found.tags.count(("blockquote", {})) < 50


class TestWhatGitHubShows:
    def test_tables(self) -> None:
        html = shown("| Key | | Default |\n|:--|---|--:|\n| `a.b` | text \\| more | **1** |\n")
        assert '<th align="left">Key</th>' in html
        assert '<td></td>\n<th align="right">Default</th>' in html
        assert "<td>text | more</td>" in html
        assert '<div class="table" role="group" tabindex="0" aria-label="Table"><table>' in html

    def test_task_lists_strikethrough_and_addresses(self) -> None:
        found = read(
            shown("- [ ] one\n- [x] two ~~three~~\n\nSee https://example.com/a_b. Or www.example.com, me@example.com")
        )
        assert [each["aria-label"] for tag, each in found.tags if tag == "span"] == ["To do", "Done"]
        assert ("s", {}) in found.tags or ("del", {}) in found.tags
        assert [each["href"] for tag, each in found.tags if tag == "a"] == [
            "https://example.com/a_b",
            "http://www.example.com",
            "mailto:me@example.com",
        ]

    def test_names_of_files_and_keys_are_no_addresses(self) -> None:
        assert "<a" not in shown("See README.md, values.yaml, image.registry and a_b_c and kube-prometheus.io")
        assert shown("a_b_c `x` w: y\nnext") == "<p>a_b_c <code>x</code> w: y\nnext</p>\n"

    def test_code_is_highlighted_by_its_language(self) -> None:
        html = shown("```yaml\na: '<b>'\n```\n\n```none\na: 1\n```\n\n    indented\n")
        assert '<span class="nt">a</span>' in html
        assert "&lt;b&gt;" in html
        assert html.count("<pre ") == 3
        assert "<code>a: 1\n</code>" in html

    def test_code_spans_as_the_parser_reads_them(self) -> None:
        html = shown("a ` b ` c `` d ` e `` `f`")
        assert html == "<p>a <code>b</code> c <code>d ` e</code> <code>f</code></p>\n"
        assert shown("`  ` and ` a`") == "<p><code>  </code> and <code> a</code></p>\n"
        assert shown("a  \nb\\\nc\n d") == "<p>a<br>\nb<br>\nc\nd</p>\n"

    def test_alerts_and_footnotes(self) -> None:
        html = shown("> [!WARNING]\n> Take care\n\nText[^1]\n\n[^1]: A note\n")
        assert '<div class="markdown-alert-warning">' in html
        assert "A note" in html
        assert 'href="#readme-fn1"' in html
        assert 'id="readme-fn1"' in html

    def test_comments_are_dropped(self) -> None:
        assert shown("a <!-- hidden --> b\n\n<!-- also\nhidden -->\n\nc").replace("\n", "") == "<p>a  b</p><p>c</p>"

    def test_harmless_html_stays(self) -> None:
        html = shown('<p align="center"><img src="logo.png" width="120" height="40"><br><kbd>Esc</kbd></p>')
        assert html.strip() == (
            '<p align="center"><img src="/ui/raw/c?path=logo.png" alt="" height="40" width="120" loading="lazy"><br>'
            "<kbd>Esc</kbd></p>"
        )
        assert "<details>" in shown("<details><summary>More</summary>\n\n**text**\n\n</details>")


class TestHeadings:
    def levels(self, text: str) -> list[str]:
        return [tag for tag, _ in read(shown(text)).tags if re.fullmatch("h[1-6]", tag)]

    def test_they_go_on_below_the_pages_own_and_leave_none_out(self) -> None:
        assert self.levels("# a\n## b\n#### c\n## d\n# e") == ["h3", "h4", "h5", "h4", "h3"]
        assert self.levels("### a\n# b\n### c") == ["h3", "h3", "h4"]
        assert self.levels("# a\n## b\n### c\n#### d\n##### e\n###### f") == ["h3", "h4", "h5", "h6", "h6", "h6"]
        assert self.levels("<h1>a</h1>\n\n### b\n\nc\n===\n") == ["h3", "h4", "h3"]

    def test_they_are_linked_to_as_on_github(self) -> None:
        html = shown(
            "# Getting `started` & more!\n\n# A\n\n# A\n\n[up](#getting-started--more)\n\n# Größe\n\n[g](#größe)"
        )
        assert 'id="readme-getting-started--more"' in html
        assert 'href="#readme-getting-started--more" aria-label="Link to Getting started &amp; more!"' in html
        assert 'href="#readme-getting-started--more" rel="nofollow noopener noreferrer">up</a>' in html
        assert 'id="readme-a"' in html
        assert 'id="readme-a-1"' in html
        assert 'id="readme-größe"' in html
        assert 'href="#readme-gr%C3%B6%C3%9Fe"' in html

    def test_old_anchors_too(self) -> None:
        html = shown('<a name="old"></a>\n\n[to](#old)')
        assert '<a id="readme-old"' in html
        assert 'href="#readme-old"' in html


class TestLinksAndPictures:
    def hrefs(self, text: str) -> list[str | None]:
        return [each.get("href") for tag, each in read(shown(text)).tags if tag == "a"]

    def test_links_into_the_package_lead_to_its_files(self) -> None:
        text = "[a](docs/use.md) [b](./docs/../docs/use.md#part) [c](/values.yaml) [d](docs/a%20b.svg) [e](README.md#x)"
        assert self.hrefs(text) == [
            "/ui/files/c?path=docs/use.md",
            "/ui/files/c?path=docs/use.md",
            "/ui/files/c?path=values.yaml",
            "/ui/files/c?path=docs/a b.svg",
            "#readme-x",
        ]

    def test_links_to_what_is_not_there_are_no_links(self) -> None:
        assert self.hrefs("[a](gone.md) [b](../../other/README.md) [c](docs/) [d](#)") == [None] * 4

    def test_links_elsewhere_stay(self) -> None:
        assert self.hrefs("[a](https://example.com/x?y=1#z) [b](//example.com/) <https://example.org>") == [
            "https://example.com/x?y=1#z",
            "https://example.com/",
            "https://example.org",
        ]

    def test_pictures_of_the_package_are_shown(self) -> None:
        assert '<img src="/ui/raw/c?path=logo.png" alt="The logo" loading="lazy">' in shown("![The logo](./logo.png)")
        assert 'src="/ui/raw/c?path=docs/a b.svg"' in shown("![](docs/a%20b.svg)")
        assert "<img" not in shown("![](values.yaml) ![](gone.png)")

    def test_pictures_from_elsewhere_are_links_with_what_they_show(self) -> None:
        text = "![Build](https://ci.invalid/b.svg) ![](https://ci.invalid/%3Cb%3E.svg?x) "
        html = shown(f"{text} <img src='http://a.invalid/c.png' alt='C'>")
        assert '<a class="picture" href="https://ci.invalid/b.svg" rel="nofollow noopener noreferrer">Build</a>' in html
        assert ">&lt;b&gt;.svg</a>" in html
        assert ">C</a>" in html

    def test_in_a_link_only_what_they_show_is_left(self) -> None:
        html = shown(
            "[![Build](https://ci.invalid/b.svg)](https://ci.invalid/run)\n\n<a href='x'><img src='//y/z.png'></a>"
        )
        assert '<a href="https://ci.invalid/run" rel="nofollow noopener noreferrer">Build</a>' in html
        assert html.count("<a ") == 2
        assert ">z.png</a>" in html


class TestCache:
    def get(self, cache: ReadmeCache, key: str, text: str) -> Readme:
        return cache.get((key,), text, PLACES)

    def test_it_keeps_what_was_made_last_and_no_more(self) -> None:
        cache = ReadmeCache(most=60)
        first = self.get(cache, "a", "text " * 8)
        assert self.get(cache, "a", "other") is first
        self.get(cache, "b", "more " * 8)
        assert self.get(cache, "a", "other").html == "<p>other</p>\n"

    def test_what_is_larger_than_all_is_not_kept(self) -> None:
        cache = ReadmeCache(most=10)
        self.get(cache, "a", "text " * 8)
        assert self.get(cache, "a", "x").html == "<p>x</p>\n"
