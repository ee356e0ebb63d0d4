"""`chartrepo reindex`, `check`, `index` and `catalog prune`: from what was typed to what is printed."""

import json
from dataclasses import asdict
from pathlib import Path

from chartrepo import assembly, layout, static_index
from chartrepo.checking import Report, check
from chartrepo.cli.console import progress, remark, say, say_rows, watched
from chartrepo.core.errors import ChartrepoError
from chartrepo.core.index import Form
from chartrepo.maintenance import at_work, collect_garbage, looking, reindex
from chartrepo.settings import Settings
from chartrepo.wording import counted, shown_size


def run_reindex(settings: Settings) -> None:
    """Read every package again, put the catalog right, and print what came of it.

    Raises:
        ChartrepoError, StorageError: it could not be done, or not to its end; the message is for people.
    """
    with at_work(settings) as repositories:
        done = reindex(repositories, watched(assembly.reader(settings, repositories.policing), "Reading"))
    if done.changed is None:
        said = "the catalog was built"
    else:
        said = f"{done.changed:,} put right in the catalog" if done.changed else "the catalog was right"
    aside = f", {done.set_aside:,} set aside (chartrepo check tells why)" if done.set_aside else ""
    say(f"{counted(done.packages, 'package')} read: {said}{aside}")


def run_gc(settings: Settings, *, dry_run: bool, grace: float, untagged: bool, as_json: bool) -> None:
    """Remove what came through OCI and nothing needs, and print what came of it.

    Raises:
        ChartrepoError, StorageError: it could not be done, or not to its end; the message is for people.
    """
    with at_work(settings) as repositories:
        reader = assembly.reader(settings, repositories.policing)
        done = collect_garbage(repositories, reader, grace=grace, untagged=untagged, dry_run=dry_run)
    if as_json:
        say(json.dumps(asdict(done)))
        return
    would = "would be " if dry_run else ""
    say(
        f"{would}removed: {counted(done.blobs, 'blob')}, {counted(done.manifests, 'manifest')} and "
        f"{counted(done.tags, 'tag')}, {shown_size(done.freed)} in all"
    )
    if done.condemned:
        say(
            f"{would}condemned: {counted(done.condemned, 'blob')} of {shown_size(done.condemned_bytes)}, "
            "removed by the next gc after the grace unless something needs them by then"
        )
    if done.spared:
        say(f"{would}spared: {counted(done.spared, 'condemned blob')} that something needs again")


def run_check(settings: Settings, *, policies: bool, as_json: bool) -> int:
    """Read every package, compare, and print the findings.

    Args:
        settings: where packages and catalog are.
        policies: whether what breaks a policy is one.
        as_json: print them for programs.

    Returns:
        The exit status: 0 when all is well, 1 when something was found.

    Raises:
        ChartrepoError, StorageError: it could not be done; the message is for people.
    """
    if policies and settings.policies is None:
        raise ChartrepoError("there are no policies to check: name a file of them with the setting policies")
    with looking(settings) as (packages, catalog, policing):
        reader = watched(assembly.reader(settings, policing, tell_failures=True), "Reading")
        report = check(packages, catalog, reader, policing if policies else None)
    if as_json:
        say(json.dumps(_as_json(report)))
    else:
        _tell(report)
    return 0 if report.sound else 1


def _as_json(report: Report) -> dict[str, object]:
    return {
        "packages": report.packages,
        "compared_with_catalog": report.compared,
        "sound": report.sound,
        "findings": [
            {"kind": each.kind.value, "file": each.key, "message": each.message, "harmless": each.harmless}
            for each in report.findings
        ],
    }


def _tell(report: Report) -> None:
    faults = [(each.kind.value, each.key, each.message) for each in report.findings if not each.harmless]
    others = [(each.kind.value, each.key, each.message) for each in report.findings if each.harmless]
    say_rows("Good to know:", others)
    say_rows("Found:", faults)
    compared = "" if report.compared else "; there is no catalog to compare them with, a server builds it at its start"
    verdict = counted(len(faults), "fault") if faults else "all is well"
    say(f"{counted(report.packages, 'package')} read: {verdict}{compared}")


def run_index(folder: Path, *, url: str, merge: Path | None, as_json: bool) -> None:
    """Write the index of a folder, and print what is in it.

    Raises:
        ChartrepoError: the index to merge is none; nothing was written.
        OSError: something cannot be read or written.
    """
    files = static_index.packages(folder)
    found: list[static_index.Found] = []
    left_out: list[static_index.LeftOut] = []
    with progress("Reading", len(files)) as step:
        for each in static_index.read(folder, files):
            if isinstance(each, static_index.Found):
                found.append(each)
            else:
                left_out.append(each)
            step()
    merged = merge.read_bytes() if merge is not None and merge.exists() else None
    form = Form.JSON if as_json else Form.YAML
    try:
        document = static_index.render(found, url=url, form=form, merged=merged)
    except ChartrepoError as error:
        raise ChartrepoError(f"{merge}: {error}") from None
    target = folder / layout.INDEX_FILE
    static_index.write(target, document)
    for each in left_out:
        remark(f"left out: {each.path}: {each.reason}")
    charts = len({package.metadata["name"] for package in found})
    say(f"{target}: {counted(len(found), 'version')} of {counted(charts, 'chart')}")


def run_prune(settings: Settings) -> None:
    """Drop what other releases left of their catalogs, and print what that was.

    Raises:
        ChartrepoError, StorageError: it could not be done; the message is for people.
    """
    with looking(settings) as (_, catalog, _):
        dropped = catalog.prune()
    for name in dropped:
        say(f"dropped {name}")
    if not dropped:
        say("there is nothing to drop")
