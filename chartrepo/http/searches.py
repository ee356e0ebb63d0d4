"""What an address says is looked for: the same parameters for the page and for the API."""

from enum import Enum
from typing import Final, TypeVar

from flask import request

from chartrepo.core.permissions import Action
from chartrepo.http.auth import visitor_of
from chartrepo.http.errors import BadRequest
from chartrepo.searching import LARGEST_PAGE, PAGE, Deprecated, Query, Readable, Sort

_MOST_VALUES: Final = 50
"""Of one kind of filter."""
_MOST_DIGITS: Final = 9
_YES: Final = frozenset({"1", "true", "on", "yes"})
_NO: Final = frozenset({"", "0", "false", "off", "no"})

_Value = TypeVar("_Value", bound=Enum)


def query_of_request(*, sized: bool = False) -> Query:
    """Return what the query string of the request asks for.

    Args:
        sized: whether it may say how many results a page has.

    Raises:
        BadRequest: a parameter has a value that it cannot have. What is looked for can be anything.
    """
    return Query(
        text=request.args.get("q", ""),
        repositories=_values("repository"),
        keywords=_values("keyword"),
        types=_values("type"),
        licences=_values("license"),
        signed=_flag("signed"),
        images=_flag("images"),
        crds=_flag("crds"),
        deprecated=_one_of("deprecated", Deprecated, Deprecated.HIDDEN),
        sort=_one_of("sort", Sort, Sort.RELEVANCE),
        page=_number("page", 1),
        size=min(_number("size", PAGE), LARGEST_PAGE) if sized else PAGE,
        exact=_flag("exact"),
    )


def pairs_of(query: Query) -> list[tuple[str, str]]:
    """Return the parameters that ask for a query, without those that say what is so anyway."""
    pairs = [("q", query.text)] if query.text else []
    for name, values in (
        ("repository", query.repositories),
        ("keyword", query.keywords),
        ("type", query.types),
        ("license", query.licences),
    ):
        pairs += [(name, value) for value in values]
    pairs += [(name, "1") for name in ("signed", "images", "crds", "exact") if getattr(query, name)]
    if query.deprecated is not Deprecated.HIDDEN:
        pairs.append(("deprecated", query.deprecated.value))
    if query.sort is not Sort.RELEVANCE:
        pairs.append(("sort", query.sort.value))
    if query.page > 1:
        pairs.append(("page", str(query.page)))
    return pairs


def readable_by_caller() -> Readable | None:
    """Return what tells whether the caller may read a chart; None where it may read all."""
    visitor = visitor_of(request.environ)
    if visitor.reads_everything:
        return None
    return lambda repository, chart: visitor.may(Action.READ, repository, chart)


def _values(name: str) -> tuple[str, ...]:
    return tuple(dict.fromkeys(request.args.getlist(name)[:_MOST_VALUES]))


def _flag(name: str) -> bool:
    text = request.args.get(name, "").lower()
    if text not in _YES | _NO:
        raise BadRequest(f"{name} is neither true nor false")
    return text in _YES


def _one_of(name: str, kind: type[_Value], default: _Value) -> _Value:
    text = request.args.get(name, "")
    if not text:
        return default
    try:
        return kind(text)
    except ValueError:
        known = ", ".join(str(each.value) for each in kind)
        raise BadRequest(f"{name} is none of {known}") from None


def _number(name: str, default: int) -> int:
    text = request.args.get(name, "")
    if not text:
        return default
    if not (text.isascii() and text.isdigit() and len(text) <= _MOST_DIGITS and int(text)):
        raise BadRequest(f"{name} is no whole number from 1 on")
    return int(text)
