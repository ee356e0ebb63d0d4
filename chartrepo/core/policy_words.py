"""What policies ask, in sentences for people who are about to publish."""

from collections.abc import Iterator
from typing import Final, NamedTuple

from chartrepo.core.policies import Mode, Policies, Policy, VersionForm
from chartrepo.core.sizes import written_size

_MOST_NAMED: Final = 20


class AskedHere(NamedTuple):
    """What one policy asks of charts of one repository.

    Attributes:
        sentences: what it asks.
        on: the patterns by which it is for charts there, as they are written.
        everywhere: whether one of them is for all charts there.
        since: from when on, in seconds since the epoch; None where it holds whenever a chart was published.
    """

    sentences: tuple[str, ...]
    on: tuple[str, ...]
    everywhere: bool
    since: int | None


def asked_in(policies: Policies, repository: str, *, names: bool) -> list[AskedHere]:
    """Return what policies ask of charts of a repository, in the order of the file.

    Args:
        policies: all there are.
        repository: its name.
        names: whether patterns that are for some charts alone are told, which name these.
    """
    found = []
    for policy in policies.policies:
        reaching = [pattern for pattern in policy.on if pattern.reaches(repository)]
        everywhere = any(pattern.fills(repository) for pattern in reaching)
        if not reaching or not (everywhere or names):
            continue
        told = tuple(str(pattern) for pattern in reaching if names or pattern.fills(repository))
        found.append(AskedHere(tuple(in_words(policy)), told, everywhere, policy.since))
    return found


def in_words(policy: Policy) -> Iterator[str]:
    """Give what a policy asks, a sentence each."""
    if VersionForm.STABLE_ONLY in policy.versions:
        yield "Versions are three numbers alone, as 1.2.3: no prereleases."
    if VersionForm.NO_LEADING_V in policy.versions:
        yield "Versions do not begin with a v."
    if policy.required:
        yield f"Chart.yaml has {_listed(policy.required)}."
    if policy.dependencies is not None:
        texts = tuple(each.text or "the chart itself" for each in policy.dependencies)
        yield f"Dependencies come from {_listed(texts, 'or')}." if texts else "A chart has no dependencies."
    if policy.largest is not None:
        yield f"A package has {written_size(policy.largest)} at most."
    if policy.schema is not None:
        yield "Chart.yaml follows a JSON Schema."
    if policy.immutable:
        yield "A version is never replaced, and one that was deleted does not come back."
    if policy.provenance is Mode.VERIFY:
        yield "A signature that is there has to be by a key that is trusted here."
    if policy.provenance is Mode.REQUIRE:
        yield "Readers see a version only once it is signed by a key that is trusted here."


def _listed(texts: tuple[str, ...], last: str = "and") -> str:
    some = texts[:_MOST_NAMED]
    if len(texts) > len(some):
        return f"{', '.join(some)} {last} {len(texts) - len(some)} others"
    *most, end = some
    return f"{', '.join(most)} {last} {end}" if most else end
