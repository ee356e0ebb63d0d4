"""Tokens of Markdown, and HTML in Markdown, as the HTML that a page is to have; it is cleaned after this.

Headings go on where the page's own end, and can be linked to. Pictures from elsewhere are links. Tables and code can be
scrolled by keyboard.
"""

import re
from collections.abc import Callable, Mapping, Sequence
from html import escape, unescape
from typing import Any, Final, NamedTuple
from urllib.parse import unquote

from markdown_it.renderer import RendererHTML
from markdown_it.token import Token
from markdown_it.utils import OptionsDict

from chartrepo.markup.bounds import Progress, progress_of
from chartrepo.markup.highlighting import highlighted

Tokens = Sequence[Token]


class PageRenderer(RendererHTML):
    """Renders tokens for a page."""

    def render(self, tokens: Tokens, options: OptionsDict, env: Any) -> str:
        """Return the HTML of blocks."""
        return "".join(self._each(tokens, options, env))

    renderInline = render  # noqa: N815 - as the parser's own is called

    def _each(self, tokens: Tokens, options: OptionsDict, env: Any) -> list[str]:
        found = []
        progress = progress_of(env)
        for index, token in enumerate(tokens):
            kind = token.type
            if kind in _FIXED:
                found.append(_FIXED[kind])
            elif kind in _BY_ITSELF:
                found.append(_BY_ITSELF[kind](token))
            elif kind == "inline":
                found += self._each(token.children or (), options, env)
            elif kind in _IN_ITS_PLACE:
                found.append(_IN_ITS_PLACE[kind](_Place(tokens, index, progress)))
            elif kind in self.rules:
                found.append(self.rules[kind](tokens, index, options, env))
            else:
                found.append(self.renderToken(tokens, index, options, env))
        return found


class _Place(NamedTuple):
    """A token among others."""

    tokens: Tokens
    number: int
    progress: Progress

    @property
    def token(self) -> Token:
        return self.tokens[self.number]

    @property
    def after(self) -> Token:
        return self.tokens[self.number + 1]

    @property
    def before(self) -> Token:
        return self.tokens[self.number - 1]


# ---- tokens that are rendered by themselves


def _text(token: Token) -> str:
    return escape(token.content, quote=False)


def _code_inline(token: Token) -> str:
    return f"<code>{escape(token.content, quote=False)}</code>"


def _code_block(token: Token) -> str:
    return _code(escape(token.content, quote=False))


def _td_open(token: Token) -> str:
    return f"<td{_alignment(token)}>"


def _list_item_open(token: Token) -> str:
    done = token.meta.get("checked")
    if done is None:
        return "<li>"
    said, sign = ("Done", "☑") if done else ("To do", "☐")
    return f'<li class="task"><span role="img" aria-label="{said}">{sign}</span> '


def _alignment(token: Token) -> str:
    style = token.attrs.get("style")
    return f' align="{str(style).rpartition(":")[2]}"' if style else ""


def _code(inside: str) -> str:
    return f'<pre role="group" tabindex="0" aria-label="Code"><code>{inside}</code></pre>\n'


# ---- tokens that are rendered by what is beside them, or came before


def _heading_open(at: _Place) -> str:
    level = at.progress.level(int(at.token.tag[1]))
    anchor = at.progress.anchor = at.progress.new_anchor(_title(at.after))
    return f'<h{level} id="{escape(anchor)}">' if anchor else f"<h{level}>"


def _heading_close(at: _Place) -> str:
    end = f"</h{at.progress.same_level()}>\n"
    anchor = at.progress.anchor
    if not anchor:
        return end
    said = escape(f"Link to {_title(at.before)}")
    return f' <a class="anchor" href="#{escape(anchor)}" aria-label="{said}">#</a>{end}'


def _title(inside: Token) -> str:
    """The text of a heading, without what is around it or between."""
    return "".join(each.content for each in inside.children or () if each.type in _TEXTS).strip()


_TEXTS: Final = frozenset({"code_inline", "text", "text_special"})


def _th_open(at: _Place) -> str:
    return f"<{_header(at.after)}{_alignment(at.token)}>"


def _th_close(at: _Place) -> str:
    return f"</{_header(at.before)}>\n"


def _header(inside: Token) -> str:
    """The tag of a cell in the head of a table: one without a text heads nothing."""
    return "th" if inside.content else "td"


def _fence(at: _Place) -> str:
    code = at.token.content
    language = _LANGUAGE.match(at.token.info)
    if language is None or not at.progress.highlights(code):
        return _code(escape(code, quote=False))
    return _code(highlighted(code, language[0]))


_LANGUAGE: Final = re.compile(r"[\w-]+")


def _link_open(at: _Place) -> str:
    at.progress.links += 1
    attributes = "".join(f' {name}="{escape(str(value))}"' for name, value in at.token.attrs.items())
    return f"<a{attributes}>"


def _link_close(at: _Place) -> str:
    at.progress.links -= 1
    return "</a>"


def _image(at: _Place) -> str:
    alternative = "".join(_all_texts(at.token.children or ()))
    return _picture(str(at.token.attrs.get("src", "")), alternative, at.progress)


def _all_texts(tokens: Tokens) -> list[str]:
    """The texts in what stands for a picture, those of pictures in it too."""
    found = []
    for token in tokens:
        if token.type in _TEXTS:
            found.append(token.content)
        elif token.children:
            found += _all_texts(token.children)
    return found


def _picture(source: str, alternative: str, progress: Progress, attributes: str = "") -> str:
    """A picture of the package; in place of one from elsewhere a link, or inside of a link its text."""
    said = escape(alternative)
    if progress.is_own(source):
        return f'<img src="{escape(source)}" alt="{said}"{attributes} loading="lazy">'
    name = said or escape(unquote(source.partition("?")[0].rpartition("/")[2])[:_LONGEST_NAME]) or "picture"
    return name if progress.links > 0 else f'<a class="picture" href="{escape(source)}">{name}</a>'


_LONGEST_NAME: Final = 100


# ---- HTML in Markdown


def _html(at: _Place) -> str:
    """HTML as somebody wrote it, with the same made of headings, pictures and tables as of those in Markdown."""
    at.progress.spend()
    return _TAG.sub(lambda found: _tag(found, at.progress), at.token.content)


_TAG: Final = re.compile(r"<(/?)([A-Za-z][A-Za-z0-9]*)((?:\s|/)[^<>]*)?>")


def _tag(found: re.Match[str], progress: Progress) -> str:
    name, closes, attributes = found[2].lower(), bool(found[1]), found[3] or ""
    progress.spend_tag(name, closes=closes)
    if name in _HEADINGS:
        return f"</h{progress.same_level()}>" if closes else f"<h{progress.level(int(name[1]))}{attributes}>"
    if name == "img":
        return _html_picture(attributes, progress)
    if name == "a":
        progress.links = max(0, progress.links + (-1 if closes else 1))
        return "</a>" if closes else f"<a{_NAME.sub(' id=', attributes)}>"
    if name == "table":
        return "</table></div>" if closes else f"{_TABLE}<table>"
    return found[0]


def _html_picture(attributes: str, progress: Progress) -> str:
    written = {each[1].lower(): unescape(each[2].strip("\"'")) for each in _ATTRIBUTE.finditer(attributes)}
    kept = "".join(f' {name}="{escape(written[name])}"' for name in _KEPT if name in written)
    return _picture(written.get("src", ""), written.get("alt", ""), progress, kept)


_HEADINGS: Final = frozenset({"h1", "h2", "h3", "h4", "h5", "h6"})
_ATTRIBUTE: Final = re.compile(r"""([A-Za-z][\w-]*)\s*=\s*("[^"]*"|'[^']*'|[^\s"'>]+)""")
_NAME: Final = re.compile(r"\sname\s*=", re.IGNORECASE)
"""What a place to link to was written with before there was `id`."""
_KEPT: Final = ("align", "height", "title", "width")

# ---- which is rendered how

_TABLE: Final = '<div class="table" role="group" tabindex="0" aria-label="Table">'
_FIXED: Final = {
    "blockquote_close": "</blockquote>\n",
    "blockquote_open": "<blockquote>\n",
    "list_item_close": "</li>\n",
    "table_close": "</table></div>\n",
    "table_open": f"{_TABLE}<table>\n",
    "tbody_close": "</tbody>\n",
    "tbody_open": "<tbody>\n",
    "td_close": "</td>\n",
    "thead_close": "</thead>\n",
    "thead_open": "<thead>\n",
    "tr_close": "</tr>\n",
    "tr_open": "<tr>\n",
}
"""Tokens that are always the same."""
_BY_ITSELF: Final[Mapping[str, Callable[[Token], str]]] = {
    "code_block": _code_block,
    "code_inline": _code_inline,
    "list_item_open": _list_item_open,
    "td_open": _td_open,
    "text": _text,
    "text_special": _text,
}
_IN_ITS_PLACE: Final[Mapping[str, Callable[[_Place], str]]] = {
    "fence": _fence,
    "heading_close": _heading_close,
    "heading_open": _heading_open,
    "html_block": _html,
    "html_inline": _html,
    "image": _image,
    "link_close": _link_close,
    "link_open": _link_open,
    "th_close": _th_close,
    "th_open": _th_open,
}
