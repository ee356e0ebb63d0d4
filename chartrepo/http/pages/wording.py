"""How pages say times: as people do, with the exact value where one asks for it."""

from datetime import UTC, datetime
from typing import Final

from markupsafe import Markup

from chartrepo.wording import counted

_STEPS: Final = (
    (60, 1, "second"),
    (3_600, 60, "minute"),
    (86_400, 3_600, "hour"),
    (30 * 86_400, 86_400, "day"),
    (365 * 86_400, 30 * 86_400, "month"),
)
_YEAR: Final = 365 * 86_400
_A_MOMENT: Final = 10


def ago(seconds: float, now: float) -> str:
    """Return how long something is past, as `3 days ago`; what is to come as `in 3 days`."""
    past = now - seconds
    away = abs(past)
    if away < _A_MOMENT:
        return "just now"
    for below, unit, name in _STEPS:
        if away < below:
            said = counted(int(away // unit), name)
            break
    else:
        said = counted(int(away // _YEAR), "year")
    return f"{said} ago" if past > 0 else f"in {said}"


def exact(seconds: float) -> str:
    """Return a time with its day and minute, as `30 November 2026, 04:12 UTC`."""
    moment = datetime.fromtimestamp(seconds, UTC)
    return f"{moment.day} {moment:%B %Y, %H:%M} UTC"


def time_tag(seconds: float, now: float) -> Markup:
    """Return a time as people say it, with the exact one on hover and for machines."""
    machine = datetime.fromtimestamp(seconds, UTC).strftime("%Y-%m-%dT%H:%M:%SZ")
    return Markup('<time datetime="{}" title="{}">{}</time>').format(machine, exact(seconds), ago(seconds, now))
