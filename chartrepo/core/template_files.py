"""What the files below templates/ are for, as far as their text tells without being rendered."""

import re
from typing import Final, NamedTuple

_KIND: Final = re.compile(r"^kind:[ \t]*[\"']?([A-Za-z][A-Za-z0-9]{0,80})[\"']?[ \t]*(?:#.*)?\r?$", re.MULTILINE)
_HOOK: Final = re.compile(r"helm\.sh/hook[\"']?[ \t]*:[ \t]*[\"']?([a-z, -]{1,200})")
_MOST_KINDS: Final = 6


class TemplateFile(NamedTuple):
    """A file below templates/.

    Attributes:
        path: in the chart.
        role: `notes`, `helpers`, `hook`, `test`, or empty for what makes resources.
        kinds: of the resources, in order, as they are written.
        hooks: when Helm runs it, as `pre-install`.
        more: how many more kinds there are.
    """

    path: str
    role: str
    kinds: tuple[str, ...] = ()
    hooks: tuple[str, ...] = ()
    more: int = 0


def is_template(path: str) -> bool:
    """Return whether Helm renders a file of a chart."""
    return path.startswith("templates/")


def template_file(path: str, text: str) -> TemplateFile:
    """Return what a file is for.

    Args:
        path: in the chart.
        text: what it holds.
    """
    name = path.rpartition("/")[2]
    if name == "NOTES.txt":
        return TemplateFile(path, "notes")
    kinds = tuple(dict.fromkeys(_KIND.findall(text)))
    hooks = tuple(dict.fromkeys(each.strip() for found in _HOOK.findall(text) for each in found.split(",")))
    hooks = tuple(each for each in hooks if each)
    if any(each in {"test", "test-success", "test-failure"} for each in hooks):
        role = "test"
    elif hooks:
        role = "hook"
    else:
        role = "helpers" if name.startswith("_") else ""
    return TemplateFile(path, role, kinds[:_MOST_KINDS], hooks[:_MOST_KINDS], max(0, len(kinds) - _MOST_KINDS))
