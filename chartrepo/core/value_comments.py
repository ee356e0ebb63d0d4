"""What comments in a values.yaml say of its values, in the forms that tools for charts read.

helm-docs takes what stands above a key behind `# --`, with the type in brackets and `# @default --` for a default that
is told in words. Bitnami's generator takes `## @param path [modifiers] description` from anywhere in the file. All else
is a sentence that somebody wrote above a key.
"""

import re
from collections.abc import Iterable, Mapping, Sequence
from typing import Final, NamedTuple

_PARAM: Final = re.compile(r"#+[ \t]*@(?:param|extra)[ \t]+(\S+)(?:[ \t]+\[([^\]]*)\])?(?:[ \t]+(.*))?")
_OLD_HELM_DOCS: Final = re.compile(r"#+[ \t]*([\w./\[\]\"-]+)[ \t]+--[ \t]+(.*)")
_HELM_DOCS: Final = re.compile(r"#+[ \t]*--(?:[ \t]+(.*))?$")
_HINT: Final = re.compile(r"\(([\w/ .-]{1,40})\)[ \t]*(.*)")
_DEFAULT: Final = re.compile(r"#+[ \t]*@default[ \t]+--[ \t]+(.*)")
_DIRECTIVE: Final = re.compile(r"#+[ \t]*@\w+")
_SCHEMA: Final = re.compile(r"#+[ \t]*@schema\b[ \t]*$")
_RULER: Final = re.compile(r"#[#=*~_ \t-]*")
_TYPES: Final = frozenset({"array", "object", "string", "number", "integer", "boolean", "nullable"})


class Comment(NamedTuple):
    """What is said of a value.

    Attributes:
        text: for people, lines as they were written.
        hint: the type, where the comment names it.
        default: the default in words, where the comment says it instead of the value.
    """

    text: str = ""
    hint: str = ""
    default: str = ""


NOTHING: Final = Comment()


def read_comment(lines: Sequence[str]) -> Comment:
    """Return what the comment that belongs to a value says; lines begin with `#`."""
    if not lines:
        return NOTHING
    marks = [number for number, line in enumerate(lines) if _HELM_DOCS.match(line)]
    hint = default = ""
    if marks:  # helm-docs drops what stands before its mark
        lines = lines[marks[-1] :]
    said: list[str] = []
    in_schema = False
    for line in lines:
        if _SCHEMA.match(line):
            in_schema = not in_schema
        elif in_schema:
            continue
        elif found := _DEFAULT.match(line):
            default = found[1].strip()
        elif not _DIRECTIVE.match(line):
            said.append("" if _RULER.fullmatch(line) else _bare(line))
    if marks and said:
        found = _HELM_DOCS.match(lines[0])
        said[0] = (found[1] or "").strip() if found else said[0]
        typed = _HINT.fullmatch(said[0])
        if typed:
            hint, said[0] = typed[1], typed[2]
    return Comment("\n".join(said).strip("\n"), hint, default)


def read_params(comments: Iterable[str]) -> Mapping[str, Comment]:
    """Return what comments anywhere in a file say of values by their paths, which are without escapes or quotes."""
    found: dict[str, Comment] = {}
    for line in comments:
        if param := _PARAM.fullmatch(line):
            words = [word.strip() for word in (param[2] or "").split(",")]
            found[param[1]] = Comment((param[3] or "").strip(), next((w for w in words if w in _TYPES), ""))
        elif "--" in line and (old := _OLD_HELM_DOCS.fullmatch(line)):
            found.setdefault(old[1].replace('"', ""), Comment(old[2].strip()))
    return found


def _bare(line: str) -> str:
    text = line.lstrip("#")
    return text[1:].rstrip() if text.startswith(" ") else text.strip()
