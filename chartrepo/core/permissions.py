"""Who may do what: the rules under `permissions:`, and what they let a caller do.

A rule lets those it names take some actions on some charts. Nothing else is allowed, and no rule takes away what
another gives, so that their order does not matter. What a rule gives to `anonymous` it gives to everybody: what needs
no credential is nobody's privilege. And `admin` on a chart is every other action on it as well.

A rule is written as `{who: [group:web, token:ci], may: [read, publish], on: ["web/**"]}`; one text may stand alone for
a list. `chartrepo.core.patterns` tells what can stand behind `on`, `chartrepo.core.demands` and
`chartrepo.core.workloads` what can stand behind `who` for callers that an issuer makes known.
"""

import json
import re
from collections.abc import Callable, Collection, Iterable, Iterator, Mapping
from dataclasses import dataclass, field
from enum import Enum
from functools import cached_property
from hashlib import sha256
from typing import Any, Final, TypeVar

from chartrepo.core import workloads
from chartrepo.core.demands import Demand
from chartrepo.core.errors import PermissionsInvalid
from chartrepo.core.messages import shown
from chartrepo.core.patterns import EVERYTHING, Pattern, nearest
from chartrepo.core.workloads import ISSUER_NAME, MAX_NAME, RESERVED, Short

ANYBODY: Final = "anonymous"
"""How a rule names everybody, known or not."""
KNOWN: Final = "authenticated"
"""How a rule names everybody who has shown a credential, but for callers of issuers that anybody can come from."""
USERS: Final = "user:*"
"""How settings name all who have logged in with a password. No rule of a file can, for others are known too."""

MAX_RULES: Final = 1_000
MAX_ENTRIES: Final = 100
"""Of each list in a rule."""

_KINDS: Final = ("user", "group", "token")
_CALLERS: Final = f"{ANYBODY}, {KNOWN}, user:NAME, group:NAME, token:NAME, or of an issuer, as github:... or sso:NAME"
_NEEDS_NO_QUOTES: Final = re.compile(rf"{ANYBODY}|{KNOWN}|{ISSUER_NAME.pattern}:(?:[A-Za-z0-9_./@:+-]*[A-Za-z0-9_])")

_T = TypeVar("_T")


class Action(Enum):
    """What a caller wants to do. The value is how a rule names it."""

    READ = "read"
    PUBLISH = "publish"
    OVERWRITE = "overwrite"
    DELETE = "delete"
    ADMIN = "admin"


_ACTIONS: Final = {action.value: action for action in Action}


class Extent(Enum):
    """On how much of a repository a caller may do something."""

    ALL = "all"
    """On every chart, whatever it is called."""
    SOME = "some"
    """It depends on the chart, of which there may be none."""
    NONE = "none"
    """On no chart, whatever it is called."""


@dataclass(frozen=True, slots=True)
class Caller:
    """Who asks.

    Attributes:
        name: `anonymous`, or with a kind in front: `user:ada`, `token:ci`, `github:acme/web/...`.
        groups: that the caller is in, without `group:`.
        own: rules that the caller brings along, as a token does. They name this caller alone, and no file has them.
        meets: what rules have in place of a caller, and is so of this one, as `Permissions.met_by` has it.
        stranger: whether `authenticated` does not mean this one, though a credential was shown.
        owner: who made the token that this one is, for himself. It may do what its `own` rules say as far as the owner
            may, and what everybody may; no rule can name it.
    """

    name: str
    groups: frozenset[str] = frozenset()
    # Not in the hash, which is needed for each request: callers of one name mostly bring the same.
    own: tuple["Rule", ...] = field(default=(), hash=False)
    meets: frozenset[str] = frozenset()
    stranger: bool = False
    owner: "Caller | None" = field(default=None, hash=False)

    @property
    def identities(self) -> frozenset[str]:
        """The texts by which a rule names this caller, beside the `anonymous` that names everybody."""
        known = () if self.name == ANYBODY or self.stranger else (KNOWN,)
        users = (USERS,) if self.name.startswith("user:") else ()
        return frozenset((self.name, *known, *users, *(f"group:{group}" for group in self.groups), *self.meets))


ANONYMOUS: Final = Caller(ANYBODY)
"""Who has shown no credential."""


@dataclass(frozen=True, slots=True)
class Rule:
    """Lets some callers take some actions on some charts.

    Attributes:
        who: the callers, as `Caller.identities` has them; demands as their text.
        may: the actions.
        on: the charts.
    """

    who: tuple[str, ...]
    may: tuple[Action, ...]
    on: tuple[Pattern, ...]

    def __str__(self) -> str:
        """This as one would write it into the file, on one line."""
        who = ", ".join(text if _is_plain(text) else _quoted(text) for text in self.who)
        may = ", ".join(action.value for action in self.may)
        on = ", ".join(_quoted(str(pattern)) for pattern in self.on)
        return f"{{who: [{who}], may: [{may}], on: [{on}]}}"

    def allows(self, action: Action) -> bool:
        """Return whether this is for an action."""
        return action in self.may or Action.ADMIN in self.may

    def covers(self, other: "Rule") -> bool:
        """Return whether this gives all that another rule gives, to all that it gives it to."""
        return (
            all(self.allows(action) for action in other.may)
            and all(self._names_all(who) for who in other.who)
            and all(any(mine.covers(pattern) for mine in self.on) for pattern in other.on)
        )

    def _names_all(self, who: str) -> bool:
        return who in self.who or ANYBODY in self.who or (KNOWN in self.who and _is_ours(who))


class Permissions:
    """All rules there are.

    Args:
        rules: in the order of the file.
        demands: what stands in their `who` and is no name, by its text there.

    Attributes:
        rules: as given.
        demands: as given.
    """

    def __init__(self, rules: Iterable[Rule], demands: Mapping[str, Demand | Short] | None = None) -> None:
        self.rules = tuple(rules)
        self.demands = demands or {}
        self._naming: dict[str, set[int]] = {}
        for number, rule in enumerate(self.rules):
            for who in rule.who:
                self._naming.setdefault(who, set()).add(number)

    @classmethod
    def parse(cls, value: object, issuers: Mapping[str, str] | None = None) -> "Permissions":
        """Read what stands under `permissions:`.

        Args:
            value: as YAML gives it: lists, mappings and scalars.
            issuers: the kind of each issuer, by its name; empty for those of none.

        Raises:
            PermissionsInvalid: something in it cannot be read; it tells of everything that cannot.
        """
        if not isinstance(value, list):
            raise PermissionsInvalid(
                "permissions: is no list of rules: write each as '- {who: [authenticated], may: [read], on: [\"**\"]}'"
                ", or [] where nobody may do anything"
            )
        if len(value) > MAX_RULES:
            raise PermissionsInvalid(
                f"permissions: there are {len(value):,} rules, and {MAX_RULES:,} are the most: name several callers, "
                "actions or patterns in one"
            )
        problems: list[str] = []
        callers = _Callers(issuers or {})
        rules = [_read_rule(_place(number), given, callers, problems) for number, given in enumerate(value)]
        if problems:
            raise PermissionsInvalid(*problems)
        return cls(rules, callers.demands)

    def met_by(self, issuer: str, name: str, claims: Mapping[str, Any]) -> frozenset[str]:
        """Return which demands of the rules are met, as their texts.

        Args:
            issuer: the name of the one that made the claims.
            name: of the caller, as `workloads.name_of` has it.
            claims: what the issuer says of the caller.
        """
        return frozenset(
            text
            for text, demand in self.demands.items()
            if (demand.matches(name) if isinstance(demand, Short) else demand.matches(issuer, claims))
        )

    def rights(self, caller: Caller) -> "Rights":
        """Return what a caller may do, to be asked about many charts."""
        if caller.owner is None:
            return Rights(self._naming_one(caller))
        return CappedRights((*self._naming_one(ANONYMOUS), *caller.own), self.rights(caller.owner))

    def rule_for(self, caller: Caller, action: Action, repository: str, chart: str) -> Rule | None:
        """Return the first rule that lets a caller do something with a chart, its own last; None where none does.

        Where the caller has an owner, it is the one that lets the owner.
        """
        if caller.owner is not None:
            allowed = self.rights(caller).may(action, repository, chart)
            return self.rule_for(caller.owner, action, repository, chart) if allowed else None
        for rule in self._naming_one(caller):
            if rule.allows(action) and any(pattern.matches(repository, chart) for pattern in rule.on):
                return rule
        return None

    def rule_everywhere(self, caller: Caller, action: Action) -> Rule | None:
        """Return the first rule that lets a caller do something with everything, as `rule_for` does."""
        if caller.owner is not None:
            return self.rule_everywhere(caller.owner, action) if self.rights(caller).everywhere(action) else None
        for rule in self._naming_one(caller):
            if rule.allows(action) and any(pattern.canonical == EVERYTHING for pattern in rule.on):
                return rule
        return None

    def _naming_one(self, caller: Caller) -> tuple[Rule, ...]:
        """The rules that are for a caller, in their order, its own last."""
        numbers = set[int]().union(*(self._naming.get(who, ()) for who in (ANYBODY, *caller.identities)))
        return (*(self.rules[number] for number in sorted(numbers)), *caller.own)

    def missing_rule(self, caller: Caller, action: Action, repository: str, chart: str) -> Rule:
        """Return the least rule that would let a caller do something with a chart.

        Args:
            caller: who wants to.
            action: what is wanted.
            repository: a name that `check_repository` took.
            chart: may be anything; where it is empty, or can stand in no pattern, the rule is for the repository.
        """
        return Rule(((caller.owner or caller).name,), (action,), (nearest(repository, chart),))

    def never_match(
        self,
        users: Collection[str] | None = None,
        groups: Collection[str] | None = None,
        issuers: Mapping[str, str] | None = None,
    ) -> list[str]:
        """Tell of what stands in the rules and does nothing, in sentences.

        Args:
            users: that there are, without `user:`; None where that is not known.
            groups: that somebody is in, without `group:`; None where that is not known.
            issuers: as for `parse`; None where that is not known.
        """
        return [
            f"{_place(number)}{problem}"
            for number, rule in enumerate(self.rules)
            for problem in (
                *_absent(rule, users, groups),
                *(self._unmet(rule, issuers) if issuers is not None else ()),
                *_unreachable(rule),
                *self._idle(number),
            )
        ]

    def _unmet(self, rule: Rule, issuers: Mapping[str, str]) -> Iterator[str]:
        for who in rule.who:
            demand = self.demands.get(who)
            issuer = demand.issuer if isinstance(demand, Demand) else who.partition(":")[0]
            if not isinstance(demand, Demand) and (who in (ANYBODY, KNOWN) or issuer in _KINDS):
                continue
            if issuer not in issuers:
                yield f", who: no issuer is called {shown(issuer)}: write it under issuers, or take it out of the rule"
            elif isinstance(demand, Demand):
                for name in workloads.unknown_claims(demand, issuers[issuer]):
                    yield f", who: no token of {issuer} has a claim {shown(name)}: nobody meets {demand}"

    def _idle(self, number: int) -> Iterator[str]:
        rule = self.rules[number]
        for other, wider in enumerate(self.rules):
            # Of two that say the same the first is not to blame, or both would be taken out.
            if other != number and wider.covers(rule) and (other < number or not rule.covers(wider)):
                yield f": rule {other + 1} gives the same or more to the same callers or more: leave this one out"
                return


class Rights:
    """What one caller may do.

    Args:
        rules: all that name the caller.
    """

    def __init__(self, rules: Iterable[Rule]) -> None:
        self._rules = tuple(rules)
        self._grants: dict[Action, _Grant] = {}

    def may(self, action: Action, repository: str, chart: str) -> bool:
        """Return whether the caller may do something with a chart, whether or not there is such a chart."""
        return any(pattern.matches(repository, chart) for pattern in self._grant(action).near(repository))

    def extent(self, action: Action, repository: str) -> Extent:
        """Return on how much of a repository the caller may do something, whatever is in it now."""
        reaching = [pattern for pattern in self._grant(action).near(repository) if pattern.reaches(repository)]
        if not reaching:
            return Extent.NONE
        return Extent.ALL if any(pattern.fills(repository) for pattern in reaching) else Extent.SOME

    def everywhere(self, action: Action) -> bool:
        """Return whether one pattern lets the caller do something with all charts of all repositories."""
        return EVERYTHING in self._grant(action).patterns

    def anywhere(self, action: Action) -> bool:
        """Return whether the caller may do something with any chart at all, if it has the right name."""
        return bool(self._grant(action).patterns)

    def fingerprint(self, action: Action) -> str:
        """Return a text that is the same for callers who may do something by the same patterns, in whatever order."""
        return self._grant(action).fingerprint

    def covers(self, action: Action, pattern: Pattern) -> bool:
        """Return whether one pattern lets the caller do something with all charts that another one is for."""
        return any(mine.covers(pattern) for mine in self._grant(action).patterns.values())

    def patterns(self, action: Action) -> list[str]:
        """Return by which patterns the caller may do something, as they were written."""
        return sorted(str(pattern) for pattern in self._grant(action).patterns.values())

    def _grant(self, action: Action) -> "_Grant":
        """Made when it is first asked for: most requests ask for one action."""
        if action not in self._grants:
            self._grants[action] = _Grant(pattern for rule in self._rules if rule.allows(action) for pattern in rule.on)
        return self._grants[action]


class CappedRights(Rights):
    """What one caller may do who may do nothing that another may not.

    Args:
        rules: all that let the caller.
        cap: the rights of the other.
    """

    def __init__(self, rules: Iterable[Rule], cap: Rights) -> None:
        super().__init__(rules)
        self._cap = cap

    def may(self, action: Action, repository: str, chart: str) -> bool:
        """Return whether both may do something with a chart."""
        return super().may(action, repository, chart) and self._cap.may(action, repository, chart)

    def extent(self, action: Action, repository: str) -> Extent:
        """Return on how much of a repository both may do something."""
        own, cap = super().extent(action, repository), self._cap.extent(action, repository)
        if Extent.NONE in (own, cap):
            return Extent.NONE
        return own if cap is Extent.ALL else cap if own is Extent.ALL else Extent.SOME

    def everywhere(self, action: Action) -> bool:
        """Return whether both may do something with everything."""
        return super().everywhere(action) and self._cap.everywhere(action)

    def anywhere(self, action: Action) -> bool:
        """Return whether each of both may do something with any chart, which may be two."""
        return super().anywhere(action) and self._cap.anywhere(action)

    def fingerprint(self, action: Action) -> str:
        """Return a text that is the same for callers who may do something by the same patterns, and have such a cap."""
        return sha256(f"{super().fingerprint(action)} {self._cap.fingerprint(action)}".encode()).hexdigest()

    def covers(self, action: Action, pattern: Pattern) -> bool:
        """Return whether both may do something with all charts that a pattern is for."""
        return super().covers(action, pattern) and self._cap.covers(action, pattern)

    def patterns(self, action: Action) -> list[str]:
        """Return those of the caller's patterns that the other covers."""
        return [text for text in super().patterns(action) if self._cap.covers(action, Pattern.parse(text))]


@dataclass(frozen=True, slots=True)
class Readable:
    """Tells by its name whether a caller may read a chart of one repository.

    Attributes:
        rights: of the caller.
        repository: as `team/app`; empty for the root repository.
    """

    rights: Rights
    repository: str

    def __call__(self, chart: str) -> bool:
        """Return whether a chart may be read."""
        return self.rights.may(Action.READ, self.repository, chart)

    @property
    def key(self) -> str:
        """The same for all who may read the same charts, by the same patterns."""
        return self.rights.fingerprint(Action.READ)


def check_caller(text: str) -> str:
    """Return `text` if a rule can name callers by it.

    Raises:
        PermissionsInvalid: it cannot; the message says what may stand there.
    """
    kind, _, name = text.partition(":")
    if text == "*" or (name == "*" and kind in _KINDS):
        raise PermissionsInvalid(
            f"{shown(text)} names nobody: write {ANYBODY} for everybody, or {KNOWN} for everybody with a credential"
        )
    if len(text) > MAX_NAME:
        raise PermissionsInvalid(f"{shown(text)} is longer than {MAX_NAME} characters: no caller has such a name")
    if not text.isprintable() or name != name.strip():
        raise PermissionsInvalid(f"{shown(text)} has blanks around the name, or characters that cannot be seen")
    if text in (ANYBODY, KNOWN) or (name and (kind in _KINDS or is_issuer_name(kind))):
        return text
    raise PermissionsInvalid(f"{shown(text)} names no caller: write {_CALLERS}")


def is_issuer_name(text: str) -> bool:
    """Return whether an issuer can be called so."""
    return ISSUER_NAME.fullmatch(text) is not None and text not in RESERVED


def parse_action(text: str) -> Action:
    """Return the action that a rule names so.

    Raises:
        PermissionsInvalid: there is none.
    """
    if text not in _ACTIONS:
        *most, last = _ACTIONS
        raise PermissionsInvalid(f"there is no action {shown(text)}: write {', '.join(most)} or {last}")
    return _ACTIONS[text]


class _Grant:
    """Patterns for one action, found by the repository so that most need not be tried.

    Attributes:
        patterns: by their canonical text; the one for everything is alone.
    """

    def __init__(self, patterns: Iterable[Pattern]) -> None:
        self.patterns = {pattern.canonical: pattern for pattern in patterns}
        if EVERYTHING in self.patterns:
            self.patterns = {EVERYTHING: self.patterns[EVERYTHING]}
        self._by_folder: dict[str | None, list[Pattern]] = {}
        for pattern in self.patterns.values():
            self._by_folder.setdefault(pattern.folder, []).append(pattern)

    @cached_property
    def fingerprint(self) -> str:
        """The same for grants of the same patterns."""
        return sha256("\n".join(sorted(self.patterns)).encode()).hexdigest()

    def near(self, repository: str) -> Iterator[Pattern]:
        """All patterns that may reach a repository."""
        yield from self._by_folder.get(None, ())
        yield from self._by_folder.get(repository.partition("/")[0], ())


def _place(number: int) -> str:
    return f"permissions, rule {number + 1}"


def _is_plain(text: str) -> bool:
    """Whether a text of `who` can be written into a list of YAML as it is. Demands are, and nothing else begins so."""
    return text.startswith("{") or _NEEDS_NO_QUOTES.fullmatch(text) is not None


def _is_ours(who: str) -> bool:
    """Whether all whom this names are meant by `authenticated`, whatever their issuer says of itself."""
    kind, _, name = who.partition(":")
    return who == KNOWN or kind in ("user", "token") or (kind == "group" and ":" not in name)


def _quoted(text: str) -> str:
    """`text` in the quotes of YAML, which takes those of JSON."""
    return json.dumps(text, ensure_ascii=not text.isprintable())


def _absent(rule: Rule, users: Collection[str] | None, groups: Collection[str] | None) -> Iterator[str]:
    for who in rule.who:
        kind, _, name = who.partition(":")
        if kind == "user" and users is not None and name not in users:
            yield f", who: no htpasswd file has the user {shown(name)}: add it to one, or take it out of the rule"
        if kind == "group" and groups is not None and name not in groups:
            yield f", who: nobody is in the group {shown(name)}: put somebody in, or take it out of the rule"


def _unreachable(rule: Rule) -> Iterator[str]:
    for pattern in rule.on:
        obstacle = pattern.obstacle()
        if obstacle is not None:
            yield f", on: {shown(str(pattern))} matches nothing: {obstacle}"


class _Callers:
    """Reads what stands under `who`, and keeps what of it is no name.

    Args:
        issuers: the kind of each issuer, by its name.
    """

    def __init__(self, issuers: Mapping[str, str]) -> None:
        self._issuers = issuers
        self.demands: dict[str, Demand | Short] = {}

    def read(self, entry: object) -> str:
        """Return the text of an entry.

        Raises:
            PermissionsInvalid: it names nobody.
        """
        if isinstance(entry, dict):
            demand = Demand.parse(entry)
            kind = self._issuers.get(demand.issuer)
            if kind is not None:
                workloads.check_demand(demand, kind)
            self.demands[str(demand)] = demand
            return str(demand)
        text = check_caller(_text(entry))
        kind = self._issuers.get(text.partition(":")[0])
        if kind is not None:
            workloads.check_short(text, kind)
            if "*" in text:
                self.demands[text] = Short(text)
        return text


def _read_rule(place: str, given: object, callers: _Callers, problems: list[str]) -> Rule:
    """The rule, of which what cannot be read is left out and told of in `problems`."""
    if not isinstance(given, dict):
        problems.append(f"{place}: is no mapping: write {{who: [...], may: [...], on: [...]}}")
        return Rule((), (), ())
    # YAML 1.1 takes an `on` without quotes for a yes, and so do most libraries.
    fields = {"on" if key is True and "on" not in given else key: value for key, value in given.items()}
    problems += (
        f"{place}: there is no field {shown(str(key))}: a rule has who, may and on"
        for key in fields
        if key not in ("who", "may", "on")
    )
    return Rule(
        _read(f"{place}, who", fields.get("who"), callers.read, problems),
        _read(f"{place}, may", fields.get("may"), lambda entry: parse_action(_text(entry)), problems),
        _read(f"{place}, on", fields.get("on"), lambda entry: Pattern.parse(_text(entry)), problems),
    )


def _text(entry: object) -> str:
    if not isinstance(entry, str):
        raise PermissionsInvalid(f"{shown(str(entry))} is no text: put it in quotes if it is meant as one")
    return entry


def _read(place: str, given: Any, read: Callable[[object], _T], problems: list[str]) -> tuple[_T, ...]:
    entries = given if isinstance(given, list) else [given]
    if given is None or not entries:
        problems.append(f"{place}: is missing or empty: write at least one text, or leave the rule out")
        return ()
    if len(entries) > MAX_ENTRIES:
        problems.append(f"{place}: has {len(entries):,} entries, and {MAX_ENTRIES} are the most: make two rules of it")
        return ()
    found: dict[_T, None] = {}  # in order, each once
    for entry in entries:
        try:
            found[read(entry)] = None
        except PermissionsInvalid as error:
            problems += (f"{place}: {problem}" for problem in error.problems)
    return tuple(found)
