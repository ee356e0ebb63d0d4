r"""How a value of a chart is named: by its path, as `helm --set` takes it in a shell.

`image.tag`, `servers[0].name`, and where a key has characters of Helm's own, `nodeSelector."kubernetes\.io/os"`. The
escapes are those of Helm's `strvals`, the quotes are the shell's.
"""

import re
from collections.abc import Iterable
from typing import Final

Key = str | int
"""A key of a mapping, or the place in a list."""

_OF_HELM: Final = re.compile(r"[\\=\[,.]")
"""What ends a key in `--set`, and the backslash by which it does not."""
_PLAIN: Final = re.compile(r"[A-Za-z0-9_@%+:/-]+")
"""What no shell takes for something else."""
_IN_DOUBLE_QUOTES: Final = re.compile(r"(?:[^\\$`\"!]|\\[^\\$`\"!\n])+")
"""What stands for itself between double quotes, a backslash before most characters too."""


def path_of(keys: Iterable[Key]) -> str:
    """Return the path of a value. No two values of one chart have the same."""
    path = ""
    for key in keys:
        path = extended(path, key)
    return path


def extended(path: str, key: Key) -> str:
    """Return the path of what lies below another one."""
    if isinstance(key, int):
        return f"{path}[{key}]"
    return f"{path}.{_segment(key)}" if path else _segment(key)


def _segment(key: str) -> str:
    if _PLAIN.fullmatch(key):
        return key
    escaped = _OF_HELM.sub(r"\\\g<0>", key)
    if _IN_DOUBLE_QUOTES.fullmatch(escaped):
        return f'"{escaped}"'
    return "'" + escaped.replace("'", "'\\''") + "'"
