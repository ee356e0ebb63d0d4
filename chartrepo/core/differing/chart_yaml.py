"""What differs between what two versions say of themselves in Chart.yaml."""

from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass
from typing import Any, Final

from chartrepo.core.differing.steps import Move, Room, between, between_ranges, room
from chartrepo.core.values_tree import as_text

_TOLD_ELSEWHERE: Final = frozenset({"version", "dependencies"})
_OF_ITEMS: Final = frozenset({"keywords", "sources", "maintainers"})
"""Fields that are lists, of which each item comes or goes by itself."""


@dataclass(frozen=True, slots=True)
class FieldChange:
    """A field that differs.

    Attributes:
        field: its name; of an annotation `annotations.NAME`.
        old: what it said; empty where it was not there.
        new: what it says; empty where it is no more.
        move: how far it is from one to the other, where they are versions.
        room: what became of a range of versions of Kubernetes.
    """

    field: str
    old: str
    new: str
    move: Move | None = None
    room: Room | None = None


def compare_fields(old: Mapping[str, Any], new: Mapping[str, Any]) -> list[FieldChange]:
    """Return the fields that differ, but for the version and the dependencies: those have places of their own."""
    found = []
    for name in dict.fromkeys([*old, *new]):
        before, after = old.get(name), new.get(name)
        if name in _TOLD_ELSEWHERE or before == after:
            continue
        if name == "annotations":
            found += list(_annotations(before or {}, after or {}))
        elif name in _OF_ITEMS:
            found += list(_items(name, before or [], after or []))
        else:
            found.append(_field(name, _text(before), _text(after)))
    return found


def _field(name: str, old: str, new: str) -> FieldChange:
    if name == "appVersion":
        return FieldChange(name, old, new, move=between(old, new))
    if name == "kubeVersion":
        return FieldChange(name, old, new, room=room(old, new))
    return FieldChange(name, old, new)


def _annotations(old: Mapping[str, str], new: Mapping[str, str]) -> Iterator[FieldChange]:
    for name in sorted(old.keys() | new.keys()):
        if old.get(name) != new.get(name):
            yield FieldChange(f"annotations.{name}", _text(old.get(name)), _text(new.get(name)))


def _items(name: str, old: Sequence[Any], new: Sequence[Any]) -> Iterator[FieldChange]:
    before, after = ([_item(each) for each in items] for items in (old, new))
    gone = [each for each in before if each not in set(after)]
    come = [each for each in after if each not in set(before)]
    yield from (FieldChange(name, each, "") for each in gone)
    yield from (FieldChange(name, "", each) for each in come)
    if not gone and not come:  # the same in another order
        yield FieldChange(name, ", ".join(before), ", ".join(after))


def _item(value: Any) -> str:
    if isinstance(value, Mapping):
        name, mail, url = (str(value.get(field) or "") for field in ("name", "email", "url"))
        return " ".join(filter(None, (name, f"<{mail}>" if mail else "", url)))
    return _text(value)


def _text(value: Any) -> str:
    if value is None:
        return ""
    return value if isinstance(value, str) else as_text(value)


@dataclass(frozen=True, slots=True)
class DependencyChange:
    """A dependency that differs.

    Attributes:
        name: of the chart; where it has an alias, that in brackets behind it.
        old: the range it had; None where it was not there.
        new: the range it has; None where it is no more.
        old_locked: the version that Chart.lock said; empty for none.
        new_locked: the version that it says.
        move: how far it is from the old range to the new one, or from the old version in the lock where they are alike.
        fields: what else of it differs: `repository`, `condition`, `tags`...
    """

    name: str
    old: str | None
    new: str | None
    old_locked: str = ""
    new_locked: str = ""
    move: Move | None = None
    fields: tuple[FieldChange, ...] = ()

    @property
    def by_lock(self) -> bool:
        """Whether it is Chart.lock alone that differs."""
        return self.old == self.new and self.old_locked != self.new_locked


Lock = Mapping[str, str]
"""The versions that a Chart.lock says, by the names of charts."""
_WHAT_ELSE: Final = ("repository", "condition", "tags", "enabled", "import-values")


def compare_dependencies(
    old: Sequence[Mapping[str, Any]], new: Sequence[Mapping[str, Any]], old_lock: Lock, new_lock: Lock
) -> list[DependencyChange]:
    """Return the dependencies that differ, in the order of the new version and then of the old one.

    Args:
        old: as Chart.yaml says them, of the one version.
        new: of the other.
        old_lock: what the one's Chart.lock says.
        new_lock: what the other's says.
    """
    before, after = _by_name(old), _by_name(new)
    found = []
    for name in dict.fromkeys([*after, *before]):
        one, other = before.get(name), after.get(name)
        change = _dependency(name, one, other, old_lock, new_lock)
        if one is None or other is None or change.old != change.new or change.fields or change.by_lock:
            found.append(change)
    return found


def _by_name(dependencies: Sequence[Mapping[str, Any]]) -> dict[str, Mapping[str, Any]]:
    found = {}
    for each in dependencies:
        name, alias = str(each.get("name", "")), str(each.get("alias", ""))
        found[f"{name} ({alias})" if alias and alias != name else name] = each
    return found


def _dependency(
    name: str, old: Mapping[str, Any] | None, new: Mapping[str, Any] | None, old_lock: Lock, new_lock: Lock
) -> DependencyChange:
    before, after = _range(old), _range(new)
    chart = str((new or old or {}).get("name", ""))
    locked = old_lock.get(chart, "") if old is not None else ""
    now_locked = new_lock.get(chart, "") if new is not None else ""
    if old is None or new is None:
        return DependencyChange(name, before, after, locked, now_locked)
    fields = tuple(
        FieldChange(field, _text(old.get(field)), _text(new.get(field)))
        for field in _WHAT_ELSE
        if old.get(field) != new.get(field)
    )
    if before != after:
        move = between_ranges(before or "", after or "")
    else:
        move = between(locked, now_locked) if locked != now_locked else None
    return DependencyChange(name, before, after, locked, now_locked, move, fields)


def _range(dependency: Mapping[str, Any] | None) -> str | None:
    return str(dependency.get("version", "")) if dependency is not None else None
