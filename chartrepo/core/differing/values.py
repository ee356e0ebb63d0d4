"""What differs between the default values of two versions, by key path."""

from collections import defaultdict
from collections.abc import Callable, Hashable, Iterable, Iterator, Sequence
from dataclasses import dataclass, field, replace
from enum import Enum
from typing import Any, Final, NamedTuple

from chartrepo.core.value_paths import Key
from chartrepo.core.values_tree import Entry, as_text


class What(Enum):
    """What became of a value; whoever relies on the values finds the first ones first."""

    REMOVED = "removed"
    MOVED = "moved"
    TYPE = "type"
    DEFAULT = "default"
    ADDED = "added"
    COMMENT = "comment"


class Valued(NamedTuple):
    """A value as one version has it.

    Attributes:
        value: as JSON has it; of a mapping or a list, all that is in it.
        kind: in the words of JSON Schema.
        comment: what the chart says of it.
        line: on which its key stands.
    """

    value: Any
    kind: str
    comment: str
    line: int

    @property
    def text(self) -> str:
        """The value on one line, as JSON."""
        return as_text(self.value)


@dataclass(frozen=True, slots=True)
class ValueChange:
    """A difference.

    Attributes:
        path: of the value, as `helm --set` takes it; of what is no more, where it was.
        what: became of it.
        old: as it was; None where it was not there.
        new: as it is; None where it is no more.
        root: path of the outermost mapping or list that came or went with it; else the path itself.
        moved_from: where it was, if it moved; else empty.
        moved_root: as `root`, of where it was.
        also_said: whether its comment changed as well.
        values: how many values it stands for; more than one only where a whole mapping or list moved or changed.
    """

    path: str
    what: What
    old: Valued | None
    new: Valued | None
    root: str
    moved_from: str = ""
    moved_root: str = ""
    also_said: bool = False
    values: int = 1


def compare_values(old: Sequence[Entry], new: Sequence[Entry]) -> list[ValueChange]:
    """Return what differs between two outlines, in the order of `What` and then of the files."""
    numbers = _Numbers()
    found = _Comparison()
    found.mapping(_tree(old, numbers), _tree(new, numbers))
    moved = _moved(found.gone, found.come)
    taken = {id(node) for pair in moved for each in pair for node in each.all()}
    changes = [_move(*pair) for pair in moved]
    changes += [
        ValueChange(node.path, What.REMOVED, node.valued, None, root.path)
        for root in found.gone
        for node in root.leaves(taken)
    ]
    changes += [
        ValueChange(node.path, What.ADDED, None, node.valued, root.path)
        for root in found.come
        for node in root.leaves(taken)
    ]
    order = list(What)
    return sorted([*changes, *found.changes], key=lambda change: order.index(change.what))


@dataclass(eq=False, slots=True)
class _Node:
    """A key of an outline, with those below it.

    Attributes:
        entry: the key; None for the whole file.
        below: what is in it.
        number: the same for all that hold the same, whatever their keys and comments.
        size: how many values it holds.
        parent: what it is in.
        root: the outermost that came or went with it, once that is known.
    """

    entry: Entry | None
    below: dict[Key, "_Node"] = field(default_factory=dict)
    number: int = -1
    size: int = 1
    parent: "_Node | None" = None
    root: "_Node | None" = None

    @property
    def path(self) -> str:
        return self.entry.path if self.entry is not None else ""

    @property
    def key(self) -> Key:
        return self.entry.keys[-1] if self.entry is not None else ""

    @property
    def kind(self) -> str:
        return self.entry.kind if self.entry is not None else "object"

    @property
    def comment(self) -> str:
        return self.entry.comment.text if self.entry is not None else ""

    @property
    def value(self) -> Any:
        if not self.below:
            return self.entry.value if self.entry is not None else {}
        if self.kind == "array":
            return [node.value for node in self.below.values()]
        return {str(key): node.value for key, node in self.below.items()}

    @property
    def valued(self) -> Valued:
        return Valued(self.value, self.kind, self.comment, self.entry.line if self.entry is not None else 1)

    def all(self) -> Iterator["_Node"]:
        """Give it and all that is below it."""
        waiting = [self]
        while waiting:
            node = waiting.pop()
            yield node
            waiting += node.below.values()

    def leaves(self, without: set[int]) -> Iterator["_Node"]:
        """Give the values that it holds, in order, but for what is left out."""
        waiting = [self]
        while waiting:
            node = waiting.pop()
            if id(node) in without:
                continue
            if not node.below:
                yield node
            waiting += reversed(node.below.values())


class _Numbers:
    """Gives the same number to what is the same."""

    def __init__(self) -> None:
        self._known: dict[Hashable, int] = {}

    def of(self, node: _Node) -> int:
        what: Hashable
        if not node.below:
            what = (node.kind, as_text(node.value))
        elif node.kind == "array":
            what = tuple(each.number for each in node.below.values())
        else:
            what = frozenset((key, each.number) for key, each in node.below.items())
        return self._known.setdefault(what, len(self._known))


def _tree(outline: Sequence[Entry], numbers: _Numbers) -> _Node:
    root = _Node(None)
    known: dict[tuple[Key, ...], _Node] = {(): root}
    nodes = [root]
    for entry in outline:
        parent = known[entry.keys[:-1]]
        node = _Node(entry, parent=parent)
        parent.below[entry.keys[-1]] = node
        nodes.append(node)
        if entry.opens:
            known[entry.keys] = node
    for node in reversed(nodes):  # what is below comes first
        node.size = sum(each.size for each in node.below.values()) or 1
        node.number = numbers.of(node)
    return root


class _Comparison:
    """Goes through two trees at once.

    Attributes:
        changes: what both have, and otherwise.
        gone: the outermost of what the old one alone has.
        come: the outermost of what the new one alone has.
    """

    def __init__(self) -> None:
        self.changes: list[ValueChange] = []
        self.gone: list[_Node] = []
        self.come: list[_Node] = []

    def mapping(self, old: _Node, new: _Node) -> None:
        """Compare what is in two mappings, or in two lists as long as each other, or one of which goes on."""
        for key, node in old.below.items():
            if key not in new.below:
                _set_root(node)
                self.gone.append(node)
        for key, node in new.below.items():
            before = old.below.get(key)
            if before is None:
                _set_root(node)
                self.come.append(node)
            else:
                self._both(before, node)

    def _both(self, old: _Node, new: _Node) -> None:
        if old.number == new.number and old.kind == new.kind:
            self._comments(old, new)
            return
        if old.kind == new.kind and _go_together(old, new):
            self._comment(old, new)
            self.mapping(old, new)
            return
        # Nothing became something, or the other way round: that is another default, and no other type.
        what = What.DEFAULT if old.kind == new.kind or "null" in {old.kind, new.kind} else What.TYPE
        if {old.kind, new.kind} == {"integer", "number"}:
            what = What.DEFAULT
        self.changes.append(
            ValueChange(
                new.path,
                what,
                old.valued,
                new.valued,
                new.path,
                also_said=_words(old.comment) != _words(new.comment),
            )
        )

    def _comments(self, old: _Node, new: _Node) -> None:
        waiting = [(old, new)]
        while waiting:
            before, after = waiting.pop()
            self._comment(before, after)
            waiting += [(before.below[key], node) for key, node in reversed(after.below.items()) if key in before.below]

    def _comment(self, old: _Node, new: _Node) -> None:
        if _words(old.comment) != _words(new.comment):
            self.changes.append(ValueChange(new.path, What.COMMENT, old.valued, new.valued, new.path, also_said=True))


def _words(comment: str) -> list[str]:
    """Return what a comment says; where its lines end means nothing."""
    return comment.split()


def _set_root(root: _Node) -> None:
    for node in root.all():
        node.root = root


def _go_together(old: _Node, new: _Node) -> bool:
    """Return whether two mappings or lists are compared by what is in them, and not as a whole."""
    if old.kind == "object":
        return True
    if old.kind != "array" or not old.below or not new.below:
        return False
    if len(old.below) == len(new.below):
        return True
    pairs = zip(old.below.values(), new.below.values(), strict=False)
    return all(before.number == after.number for before, after in pairs)


_MEANS_LITTLE: Final = frozenset({"true", "false", "null", '""', "[]", "{}"})
"""Values that are everywhere: that they are here and were there says nothing."""
_LONG_ENOUGH: Final = 6
"""Characters of a value by which alone it is known again under another name."""


def _moved(gone: Iterable[_Node], come: Iterable[_Node]) -> list[tuple[_Node, _Node]]:
    """Return what went at one place and came at another, from where and to where."""
    old = [node for root in gone for node in root.all()]
    new = [node for root in come for node in root.all()]
    taken: set[int] = set()
    found: list[tuple[_Node, _Node]] = []

    def pair(those: Callable[[_Node], bool], by: Callable[[_Node], Hashable]) -> None:
        waiting = _once(filter(those, new), by)
        candidates = sorted(_once(filter(those, old), by).items(), key=lambda each: -each[1].size)
        for what, before in candidates:
            after = waiting.get(what)
            if after is None or id(before) in taken or id(after) in taken:
                continue
            found.append((before, after))
            taken.update(id(node) for each in (before, after) for node in each.all())

    pair(lambda node: node.size > 1, lambda node: node.number)
    pair(_is_telling, lambda node: (node.key, node.number))
    pair(
        lambda node: _is_telling(node) and len(as_text(node.value)) >= _LONG_ENOUGH,
        lambda node: (node.parent.path if node.parent is not None else "", node.number),
    )
    places = {id(node): place for place, node in enumerate(new)}
    return sorted(found, key=lambda each: places[id(each[1])])


def _is_telling(node: _Node) -> bool:
    return not node.below and as_text(node.value) not in _MEANS_LITTLE


def _once(nodes: Iterable[_Node], by: Callable[[_Node], Hashable]) -> dict[Hashable, _Node]:
    """Return the nodes that are the only ones of their kind."""
    groups: dict[Hashable, list[_Node]] = defaultdict(list)
    for node in nodes:
        groups[by(node)].append(node)
    return {what: group[0] for what, group in groups.items() if len(group) == 1}


def _move(old: _Node, new: _Node) -> ValueChange:
    change = ValueChange(new.path, What.MOVED, old.valued, new.valued, (new.root or new).path)
    return replace(change, moved_from=old.path, moved_root=(old.root or old).path, values=new.size)
