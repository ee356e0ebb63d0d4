"""HTML made harmless, by a list of what may stay."""

import re
from collections.abc import Callable
from typing import Final

import nh3

from chartrepo.core.weblinks import SCHEMES
from chartrepo.markup.highlighting import CLASSES

Resolve = Callable[[str], str | None]
"""Returns what a page has for an address as it is written; None for nothing."""

PREFIX: Final = "readme-"
"""What every `id` begins with, so that none is the page's own, or a name that its scripts know."""

_HEADINGS: Final = ("h2", "h3", "h4", "h5", "h6")
_TAGS: Final = {
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
    "h2",
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
_WITH_CONTENT: Final = {
    "applet",
    "audio",
    "canvas",
    "embed",
    "frame",
    "frameset",
    "iframe",
    "math",
    "noembed",
    "noframes",
    "noscript",
    "object",
    "script",
    "select",
    "style",
    "svg",
    "template",
    "textarea",
    "title",
    "video",
    "xmp",
}
"""What goes with all that is in it."""
_ATTRIBUTES: Final = {
    "*": {"id"},
    "a": {"aria-label", "href", "title"},
    "abbr": {"title"},
    "col": {"span"},
    "details": {"open"},
    "div": {"align"},
    "img": {"align", "alt", "height", "src", "title", "width"},
    "ol": {"start"},
    "p": {"align"},
    "span": {"aria-label"},
    "td": {"align", "colspan", "rowspan"},
    "th": {"align", "colspan", "rowspan"},
    **{heading: {"align"} for heading in _HEADINGS},
}
_SCROLLED: Final = {"role": {"group"}, "tabindex": {"0"}, "aria-label": {"Code", "Table"}}
_VALUES: Final = {
    "div": _SCROLLED,
    "img": {"loading": {"lazy"}},
    "pre": _SCROLLED,
    "span": {"role": {"img"}},
}
_CLASSES: Final = {
    "a": {"anchor", "picture"},
    "div": {"table", *(f"markdown-alert-{kind}" for kind in ("note", "tip", "important", "warning", "caution"))},
    "li": {"task"},
    "p": {"markdown-alert-title"},
    "span": set(CLASSES),
}
_ID: Final = re.compile(r"[\w.:-]{1,120}")
_NUMBER: Final = re.compile(r"[0-9]{1,4}%?")
_ALIGNMENTS: Final = frozenset({"center", "left", "right"})


def clean(html: str, *, link: Resolve, picture: Resolve) -> str:
    """Return HTML that runs nothing and loads nothing but what it is given an address for.

    Args:
        html: anything at all.
        link: gives the address that a link leads to.
        picture: gives the address that a picture is loaded from.
    """

    def keep(tag: str, name: str, value: str) -> str | None:
        _ = tag
        if name == "href":
            return link(value)
        if name == "src":
            return picture(value)
        if name == "id":
            return f"{PREFIX}{value}" if _ID.fullmatch(value) else None
        if name in _MEASURES:
            return value if _NUMBER.fullmatch(value) else None
        if name == "align":
            return value if value in _ALIGNMENTS else None
        return value

    return nh3.clean(
        html,
        tags=_TAGS,
        clean_content_tags=_WITH_CONTENT,
        attributes=_ATTRIBUTES,
        tag_attribute_values=_VALUES,
        allowed_classes=_CLASSES,
        attribute_filter=keep,
        url_schemes=set(SCHEMES),
        link_rel="nofollow noopener noreferrer",
    )


_MEASURES: Final = frozenset({"colspan", "height", "rowspan", "span", "start", "width"})
