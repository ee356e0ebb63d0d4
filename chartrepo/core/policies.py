"""What charts must be like: the policies under `policies:`, and what of them a chart breaks.

A policy asks something of the charts that its patterns match. All that match a chart hold, so that their order does not
matter, and none takes back what another asks. Each says from when on it holds (`since`): what was published before it
may break it. With `existing: hide` it holds for everything, whenever that was published.

A new kind of demand is a field of `Policy`, its reader in `_FIELDS`, and a rule in `_RULES`.
"""

import json
from collections.abc import Callable, Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass
from datetime import UTC, date, datetime
from enum import Enum
from itertools import islice
from typing import Any, Final, Generic, NamedTuple, Protocol, TypeVar

from chartrepo.core.chart import CHART_YAML, ChartVersion
from chartrepo.core.dependencies import Allowed
from chartrepo.core.errors import PermissionsInvalid, PoliciesInvalid
from chartrepo.core.messages import shown
from chartrepo.core.patterns import Pattern
from chartrepo.core.signers import CosignKeys, Demand, Keyring
from chartrepo.core.sizes import EXPECTED, parse_size, written_size
from chartrepo.core.versions import is_stable

MAX_POLICIES: Final = 1_000
MAX_ENTRIES: Final = 100
"""Of each list in a policy."""
MAX_SENTENCES: Final = 25
"""That a chart is told of each policy."""

_ANNOTATIONS: Final = "annotations."
_FIELDS_TO_REQUIRE: Final = (
    "home",
    "sources",
    "description",
    "keywords",
    "maintainers",
    "icon",
    "appVersion",
    "kubeVersion",
    "type",
    "annotations",
)
"""What Helm lets a Chart.yaml be without, and charts in general have."""

_T = TypeVar("_T")
_E = TypeVar("_E", bound=Enum)
_K = TypeVar("_K")


class VersionForm(Enum):
    """How versions must be written. The value is how a policy names it."""

    STABLE_ONLY = "stable-only"
    """No prerelease."""
    NO_LEADING_V = "no-leading-v"


class Existing(Enum):
    """What becomes of charts that were published before a policy holds. The value is how a policy names it."""

    SERVE = "serve"
    HIDE = "hide"


class Mode(Enum):
    """What is done about provenance. The value is how a policy names it."""

    IGNORE = "ignore"
    VERIFY = "verify"
    """A signature that is there has to hold."""
    REQUIRE = "require"
    """Besides, readers see a version only with one."""


class Schema(Protocol):
    """A JSON Schema."""

    def problems(self, metadata: Mapping[str, Any]) -> Iterable[str]:
        """Return what a chart's metadata breaks of it, a sentence each, which begins with the field."""
        ...


class Files(Protocol):
    """Reads the files that policies name."""

    @property
    def fingerprint(self) -> str:
        """The same for the same policies, and the same bytes of all files that were read for them."""
        ...

    def schema(self, name: str) -> Schema:
        """Return the JSON Schema in a file.

        Raises:
            PoliciesInvalid: it cannot be used.
        """
        ...

    def keyring(self, names: Sequence[str]) -> Keyring:
        """Return the keys of OpenPGP in some files, all together.

        Raises:
            PoliciesInvalid: one of them cannot be used.
        """
        ...

    def cosign_keys(self, names: Sequence[str]) -> CosignKeys:
        """Return the public keys in some files, all together.

        Raises:
            PoliciesInvalid: one of them cannot be used.
        """
        ...


class Keys(NamedTuple, Generic[_K]):
    """Keys, and the names of the files that they are in."""

    found: _K
    files: tuple[str, ...]


@dataclass(frozen=True, slots=True, kw_only=True)
class Policy:
    """What is asked of some charts. What has its default is not asked.

    Attributes:
        number: its place in the file, from 1.
        on: the charts.
        since: from when on it holds, in seconds since the epoch; None where it holds whenever a chart was published.
        versions: how versions must be written.
        required: fields of Chart.yaml that must hold something; `annotations.` stands before the name of an annotation.
        dependencies: where dependencies may come from; None for anywhere.
        largest: how many bytes a package may have; None for any number.
        schema: that Chart.yaml must follow, as Helm reads it; None for none.
        immutable: whether a version is never replaced, and never comes back once it was deleted.
        provenance: what is done about provenance.
        keyrings: that provenance files are verified with; None for none.
        cosign_keys: the same for signatures of cosign.
    """

    number: int
    on: tuple[Pattern, ...]
    since: int | None = None
    versions: tuple[VersionForm, ...] = ()
    required: tuple[str, ...] = ()
    dependencies: tuple[Allowed, ...] | None = None
    largest: int | None = None
    schema: Schema | None = None
    immutable: bool = False
    provenance: Mode = Mode.IGNORE
    keyrings: Keys[Keyring] | None = None
    cosign_keys: Keys[CosignKeys] | None = None

    def covering(self, repository: str, chart: str) -> Pattern | None:
        """Return the first pattern by which this is for a chart; None where none is."""
        return next((pattern for pattern in self.on if pattern.matches(repository, chart)), None)

    def holds_at(self, moment: int) -> bool:
        """Return whether this holds for what is published at `moment`, in seconds since the epoch."""
        return self.since is None or moment >= self.since

    def broken_by(self, chart: ChartVersion, size: int) -> Iterator[str]:
        """Give what a chart breaks of this, a sentence each: the file, the field, the value and the remedy.

        Args:
            chart: the version.
            size: of its package, in bytes.
        """
        for rule in _RULES:
            yield from rule(self, chart, size)


class Policies:
    """All policies there are.

    Attributes:
        policies: in the order of the file.
        source: how messages name the file.
        fingerprint: the same as long as the same is asked.
    """

    def __init__(self, policies: Iterable[Policy], *, source: str, fingerprint: str) -> None:
        self.policies = tuple(policies)
        self.source = source
        self.fingerprint = fingerprint

    @classmethod
    def parse(cls, value: object, files: Files, *, source: str) -> "Policies":
        """Read what stands under `policies:`.

        Args:
            value: as YAML gives it: lists, mappings, scalars and dates.
            files: read what it names.
            source: how messages are to name the file.

        Raises:
            PoliciesInvalid: something in it cannot be read; it tells of everything that cannot.
        """
        if not isinstance(value, list):
            raise PoliciesInvalid(
                'policies: is no list of policies: write each as \'- {on: ["**"], since: 2026-01-31, required: '
                "[icon]}', or [] for none"
            )
        if len(value) > MAX_POLICIES:
            raise PoliciesInvalid(
                f"policies: there are {len(value):,} policies, and {MAX_POLICIES:,} are the most: name several "
                "patterns in one"
            )
        problems: list[str] = []
        policies = [_read_policy(number, given, files, problems) for number, given in enumerate(value, 1)]
        if problems:
            raise PoliciesInvalid(*problems)
        return cls(policies, source=source, fingerprint=files.fingerprint)

    @property
    def makes_immutable(self) -> bool:
        """Whether any policy makes versions immutable."""
        return any(policy.immutable for policy in self.policies)

    @property
    def requires_provenance(self) -> bool:
        """Whether any policy requires provenance."""
        return any(policy.provenance is Mode.REQUIRE for policy in self.policies)

    def broken_by(self, repository: str, chart: ChartVersion, size: int, moment: int | None) -> tuple[str, ...]:
        """Return all that a chart breaks, in sentences. Behind those that the same policies ask, these are named.

        Args:
            repository: it is or would be in.
            chart: the version; by its name patterns match.
            size: of its package, in bytes.
            moment: when it was or would be published, in seconds since the epoch; None to ask all policies.
        """
        found: dict[str, list[tuple[Policy, Pattern]]] = {}
        for policy in self.policies:
            pattern = policy.covering(repository, chart.name)
            if pattern is not None and (moment is None or policy.holds_at(moment)):
                for sentence in _few(policy.broken_by(chart, size)):
                    found.setdefault(sentence, []).append((policy, pattern))
        by_policies: dict[tuple[tuple[Policy, Pattern], ...], list[str]] = {}
        for sentence, policies in found.items():
            by_policies.setdefault(tuple(policies), []).append(sentence)
        return tuple(
            sentence
            for policies, (*most, last) in by_policies.items()
            for sentence in (*most, f"{last} ({'all by ' if most else ''}{self._named(policies)})")
        )

    def demands(self, repository: str, chart: str, moment: int | None) -> tuple[Demand, ...]:
        """Return what is asked of the provenance of a chart, by each policy for itself.

        Args:
            repository: it is or would be in.
            chart: its name.
            moment: when it was or would be published, in seconds since the epoch; None to ask all policies.
        """
        return tuple(
            Demand(
                required=policy.provenance is Mode.REQUIRE,
                keyring=policy.keyrings.found if policy.keyrings is not None else None,
                cosign_keys=policy.cosign_keys.found if policy.cosign_keys is not None else None,
                files=tuple(file for keys in (policy.keyrings, policy.cosign_keys) if keys for file in keys.files),
                by=self._named([(policy, pattern)]),
            )
            for policy in self.policies
            if policy.provenance is not Mode.IGNORE and (moment is None or policy.holds_at(moment))
            for pattern in [policy.covering(repository, chart)]
            if pattern is not None
        )

    def immutable_since(self, repository: str, chart: str, moment: int) -> "Immutable | None":
        """Return by what the versions of a chart are immutable now; None where they are not.

        Args:
            repository: it is in.
            chart: its name.
            moment: now, in seconds since the epoch.
        """
        found = [
            (policy, pattern)
            for policy in self.policies
            if policy.immutable and policy.holds_at(moment)
            for pattern in [policy.covering(repository, chart)]
            if pattern is not None
        ]
        if not found:
            return None
        return Immutable(self._named(found), min(policy.since or 0 for policy, _ in found))

    def _named(self, policies: Iterable[tuple[Policy, Pattern]]) -> str:
        """How messages name policies: of their patterns only the one that matched, for the others name other charts."""
        told = [f"policy {policy.number}, on {json.dumps(str(pattern))}" for policy, pattern in policies]
        return f"{' and '.join(told)}, of {self.source}"


NO_POLICIES: Final = Policies((), source="", fingerprint="")


class Immutable(NamedTuple):
    """Why the versions of a chart are immutable.

    Attributes:
        by: the policies, as messages name them.
        since: since when a deletion is for good, in seconds since the epoch.
    """

    by: str
    since: int


def _few(sentences: Iterator[str]) -> list[str]:
    """The first of them: a chart can have a dependency for each few bytes of it."""
    some = list(islice(sentences, MAX_SENTENCES + 1))
    return some if len(some) <= MAX_SENTENCES else [*some[:MAX_SENTENCES], "and there is more"]


# ---- what a policy asks


def _check_versions(policy: Policy, chart: ChartVersion, _: int) -> Iterator[str]:
    version = chart.version
    if VersionForm.STABLE_ONLY in policy.versions and not is_stable(version):
        yield f"{CHART_YAML}: version {shown(version)} is a prerelease: write three numbers alone, as 1.2.3"
    if VersionForm.NO_LEADING_V in policy.versions and version.startswith("v"):
        without = version[1:].partition("-")[0] if VersionForm.STABLE_ONLY in policy.versions else version[1:]
        yield f"{CHART_YAML}: version {shown(version)} begins with 'v': write {shown(without)}"


def _check_required(policy: Policy, chart: ChartVersion, _: int) -> Iterator[str]:
    for field in policy.required:
        if field.startswith(_ANNOTATIONS):
            name = field.removeprefix(_ANNOTATIONS)
            if not chart.metadata.get("annotations", {}).get(name, "").strip():
                yield f"{CHART_YAML}: the annotation {shown(name)} is missing: write it below annotations"
        elif not _holds_something(chart.metadata.get(field)):
            yield f"{CHART_YAML}: {field} is missing: write it"


def _holds_something(value: object) -> bool:
    return bool(value.strip() if isinstance(value, str) else value)


def _check_dependencies(policy: Policy, chart: ChartVersion, _: int) -> Iterator[str]:
    if policy.dependencies is None:
        return
    for number, dependency in enumerate(chart.metadata.get("dependencies", ())):
        repository = dependency.get("repository", "")
        if not any(allowed.matches(repository) for allowed in policy.dependencies):
            origin = f"comes from {shown(repository)}" if repository else "names no repository"
            yield (
                f"{CHART_YAML}: dependencies[{number}] {shown(dependency.get('name', ''))} {origin}: "
                f"{_remedy(policy.dependencies)}"
            )


def _remedy(allowed: tuple[Allowed, ...]) -> str:
    if not allowed:
        return "leave it out, for no dependencies are allowed"
    return "take it from " + " or ".join(each.text or "the chart itself, without a repository" for each in allowed)


def _check_size(policy: Policy, _: ChartVersion, size: int) -> Iterator[str]:
    if policy.largest is not None and size > policy.largest:
        yield (
            f"the package has {size:,} bytes, and {written_size(policy.largest)} is the most: leave out what the "
            "chart does not need, with .helmignore"
        )


def _check_schema(policy: Policy, chart: ChartVersion, _: int) -> Iterator[str]:
    if policy.schema is not None:
        for problem in policy.schema.problems(chart.metadata):
            yield f"{CHART_YAML}: {problem}"


_RULES: Final[tuple[Callable[[Policy, ChartVersion, int], Iterator[str]], ...]] = (
    _check_versions,
    _check_required,
    _check_dependencies,
    _check_size,
    _check_schema,
)


# ---- how a policy is written


def _read_policy(number: int, given: object, files: Files, problems: list[str]) -> Policy:
    """The policy, of which what cannot be read is left out and told of in `problems`."""
    place = f"policies, policy {number}"
    if not isinstance(given, dict):
        problems.append(f"{place}: is no mapping: write {{on: [...], since: ..., required: [...]}}")
        return Policy(number=number, on=())
    # YAML 1.1 takes an `on` without quotes for a yes, and so do most libraries.
    fields = {"on" if key is True and "on" not in given else key: value for key, value in given.items()}
    read: dict[str, Any] = {}
    for key, value in fields.items():
        reader = _FIELDS.get(key) if isinstance(key, str) else None
        if reader is None:
            problems.append(f"{place}: there is no key {shown(str(key))}: a policy has {', '.join(_FIELDS)}")
            continue
        try:
            read[str(key)] = reader(value, files)
        except PoliciesInvalid as error:
            problems += (f"{place}, {key}: {problem}" for problem in error.problems)
            read[str(key)] = None
    problems += (f"{place}: {problem}" for problem in _incomplete(fields, hides=read.get("existing") is Existing.HIDE))
    read.pop("existing", None)
    return Policy(**{"on": (), **read, "number": number})


def _incomplete(fields: Mapping[Any, Any], *, hides: bool) -> Iterator[str]:
    if "on" not in fields:
        yield 'on is missing: write the charts that it is for, as on: ["team/**"]'
    if hides and "since" in fields:
        yield "since and existing: hide exclude each other: leave since out where it holds for all that is there"
    if not hides and "since" not in fields:
        yield (
            "since is missing: write the day from which it holds, as since: 2026-01-31, so that what was published "
            "before stays served; or existing: hide, so that it does not"
        )
    keys = fields.keys() & _KEYS
    if keys and "provenance" not in fields:
        yield f"{min(keys)} is for provenance, which is missing: write provenance: require, verify or ignore"
    if fields.get("provenance") in (Mode.VERIFY.value, Mode.REQUIRE.value) and not keys:
        yield "provenance needs keys to verify it with: write keyrings: [keys/team.asc], or cosign_keys: [keys/ci.pub]"
    if not fields.keys() & _DEMANDS:
        yield f"asks for nothing: write one of {', '.join(sorted(_DEMANDS))}, or leave it out"


def _texts(value: object) -> list[str]:
    entries = value if isinstance(value, list) else [value]
    if len(entries) > MAX_ENTRIES:
        raise PoliciesInvalid(f"has {len(entries):,} entries, and {MAX_ENTRIES} are the most: make two policies of it")
    texts = [entry for entry in entries if isinstance(entry, str)]
    wrong = [entry for entry in entries if not isinstance(entry, str)]
    if wrong:
        raise PoliciesInvalid(*(f"{shown(str(entry))} is no text: put it in quotes if it is one" for entry in wrong))
    return texts


def _some(value: object, read: Callable[[str], _T]) -> tuple[_T, ...]:
    """Read a list of texts, which has at least one."""
    if value is None or value == []:
        raise PoliciesInvalid("is empty: write at least one text, or leave it out")
    return _all(value, read)


def _all(value: object, read: Callable[[str], _T]) -> tuple[_T, ...]:
    """Read a list of texts, each once."""
    found: dict[_T, None] = {}
    problems: list[str] = []
    for text in _texts(value):
        try:
            found[read(text)] = None
        except (PoliciesInvalid, PermissionsInvalid) as error:
            problems += error.problems
    if problems:
        raise PoliciesInvalid(*problems)
    return tuple(found)


def _read_on(value: object, _: Files) -> tuple[Pattern, ...]:
    return _some(value, Pattern.parse)


def _read_since(value: object, _: Files) -> int:
    moment = value
    if isinstance(value, str):
        try:
            moment = datetime.fromisoformat(value)
        except ValueError:
            moment = None
    if isinstance(moment, date) and not isinstance(moment, datetime):
        moment = datetime(moment.year, moment.month, moment.day, tzinfo=UTC)
    if not isinstance(moment, datetime):
        raise PoliciesInvalid(
            f"{shown(str(value))} is no day: write one as 2026-01-31, which begins at midnight in UTC, or a time as "
            "2026-01-31T12:00:00Z"
        )
    return int((moment if moment.tzinfo is not None else moment.replace(tzinfo=UTC)).timestamp())


def _read_versions(value: object, _: Files) -> tuple[VersionForm, ...]:
    return _some(value, lambda text: _one_of(VersionForm, text))


def _one_of(kind: type[_E], text: str) -> _E:
    try:
        return kind(text)
    except ValueError:
        known = " or ".join(str(each.value) for each in kind)
        raise PoliciesInvalid(f"{shown(text)} is not known: write {known}") from None


def _read_required(value: object, _: Files) -> tuple[str, ...]:
    return _some(value, _required)


def _required(field: str) -> str:
    if field in _FIELDS_TO_REQUIRE or (field.startswith(_ANNOTATIONS) and field != _ANNOTATIONS):
        return field
    raise PoliciesInvalid(
        f"{shown(field)} is no field that can be required: write {', '.join(_FIELDS_TO_REQUIRE)}, or {_ANNOTATIONS}NAME"
    )


def _read_dependencies(value: object, _: Files) -> tuple[Allowed, ...]:
    if value is None:
        raise PoliciesInvalid("is empty: write repositories, or [] where no dependencies are allowed")
    return _all(value, Allowed.parse)


def _read_largest(value: object, _: Files) -> int:
    try:
        return parse_size("" if isinstance(value, bool) else str(value))
    except ValueError:
        raise PoliciesInvalid(f"{shown(str(value))} is not {EXPECTED}: write one") from None


def _read_schema(value: object, files: Files) -> Schema:
    if not isinstance(value, str) or not value:
        raise PoliciesInvalid("is no name of a file: write one, as chart.schema.json, relative to this file")
    return files.schema(value)


def _read_immutable(value: object, _: Files) -> bool:
    if not isinstance(value, bool):
        raise PoliciesInvalid(f"{shown(str(value))} is neither true nor false: write true, or leave it out")
    return value


def _read_provenance(value: object, _: Files) -> Mode:
    return _one_of(Mode, str(value))


def _read_keyrings(value: object, files: Files) -> Keys[Keyring]:
    names = _some(value, _file_name)
    return Keys(files.keyring(names), names)


def _read_cosign_keys(value: object, files: Files) -> Keys[CosignKeys]:
    names = _some(value, _file_name)
    return Keys(files.cosign_keys(names), names)


def _file_name(text: str) -> str:
    if not text:
        raise PoliciesInvalid("has a name of a file that is empty: write one, as keys/team.asc, relative to this file")
    return text


def _read_existing(value: object, _: Files) -> Existing:
    return _one_of(Existing, str(value))


_FIELDS: Final[Mapping[str, Callable[[Any, Files], Any]]] = {
    "on": _read_on,
    "since": _read_since,
    "existing": _read_existing,
    "versions": _read_versions,
    "required": _read_required,
    "dependencies": _read_dependencies,
    "largest": _read_largest,
    "schema": _read_schema,
    "immutable": _read_immutable,
    "provenance": _read_provenance,
    "keyrings": _read_keyrings,
    "cosign_keys": _read_cosign_keys,
}
_KEYS: Final = frozenset({"keyrings", "cosign_keys"})
_DEMANDS: Final = _FIELDS.keys() - {"on", "since", "existing"} - _KEYS
