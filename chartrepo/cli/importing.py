"""`chartrepo import`: from what was typed to what is printed."""

import json
from collections.abc import Iterator
from contextlib import closing, contextmanager
from dataclasses import KW_ONLY, dataclass, field, replace

from chartrepo import assembly
from chartrepo.cli.console import progress, remark, say, say_rows, watched
from chartrepo.core.messages import shown
from chartrepo.core.names import check_repository
from chartrepo.importing import Report, Result, import_packages
from chartrepo.maintenance import at_work, build_if_needed
from chartrepo.remote import Remote
from chartrepo.remote_oci import RemoteOci
from chartrepo.repository import Repositories
from chartrepo.settings import Settings
from chartrepo.sources import Item, Source, SourceError, Stored
from chartrepo.wording import counted
from storage.url import open_storage


@dataclass(frozen=True, slots=True)
class Origin:
    """Where an import comes from, as it was typed. What is empty is as the settings say, or not needed.

    Attributes:
        text: a folder, `s3://bucket/prefix`, or an address.
        username: for an address.
        password: that goes with it.
        plain_http: whether an OCI registry is asked without encryption.
        endpoint: of the S3 service.
        region: of the bucket.
        profile: name of the AWS profile to read the bucket with.
    """

    text: str
    _: KW_ONLY
    username: str = ""
    password: str = field(default="", repr=False)
    plain_http: bool = False
    endpoint: str = ""
    region: str = ""
    profile: str = ""


def run_import(settings: Settings, origin: Origin, *, to: str, jobs: int, as_json: bool) -> int:
    """Import what `origin` has into the repository `to`, and print what became of it.

    Returns:
        The exit status: 0 when all is there now, 1 when something was refused or failed.

    Raises:
        KeyboardInterrupt: it was stopped; what became of it till then is printed.
        ChartrepoError, StorageError: it could not be done, or not to its end; the message is for people.
    """
    check_repository(to)
    with _opened(settings, origin, jobs) as source:
        remark(f"Listing {origin.text} ...")
        items = source.items()
        if isinstance(source, RemoteOci) and source.others:
            remark(f"Passed over, being no charts but images, signatures and the like: {counted(source.others, 'tag')}")
        with at_work(settings) as repositories:
            _build_if_needed(settings, repositories)
            report = Report()
            complete = False
            try:
                _import(items, source, repositories, report, settings=settings, to=to, jobs=jobs)
                complete = True
            finally:
                _tell(report, origin, total=len(items), complete=complete, as_json=as_json)
    return 1 if report.problems else 0


@contextmanager
def _opened(settings: Settings, origin: Origin, jobs: int) -> Iterator[Source]:
    scheme, separator, _ = origin.text.partition("://")
    scheme = scheme.lower() if separator else ""
    if scheme in ("http", "https"):
        remote = Remote(origin.text, username=origin.username, password=origin.password, connections=jobs)
        with closing(remote):
            yield remote
        return
    if scheme == "oci":
        registry = RemoteOci(
            origin.text,
            username=origin.username,
            password=origin.password,
            plain_http=origin.plain_http,
            connections=jobs,
            progress=progress,
        )
        with closing(registry):
            yield registry
        return
    if scheme not in ("", "s3"):
        raise SourceError(
            f"{shown(origin.text)} is nothing to import from: name a folder, s3://bucket/prefix or an address that "
            "starts with oci://, http:// or https://"
        )
    options = assembly.s3_options(settings)
    options = replace(
        options,
        endpoint=origin.endpoint or options.endpoint,
        region=origin.region or options.region,
        profile=origin.profile or None,
        pool_size=jobs,
    )
    storage = open_storage(origin.text, options).packages
    storage.check(writable=False)
    yield Stored(storage, near=not scheme)


def _build_if_needed(settings: Settings, repositories: Repositories) -> None:
    if repositories.catalog.needs_rebuild:
        remark("There is no catalog yet. It is built first, out of the packages that are in storage.")
        build_if_needed(
            repositories,
            watched(assembly.reader(settings, repositories.policing, tell_failures=True), "Building the catalog"),
        )


def _import(
    items: list[Item],
    source: Source,
    repositories: Repositories,
    report: Report,
    *,
    settings: Settings,
    to: str,
    jobs: int,
) -> None:
    outcomes = import_packages(items, source, repositories, to=to, jobs=jobs, spool=assembly.uploads(settings))
    with closing(outcomes), progress("Importing", len(items)) as step:
        for outcome in outcomes:
            report.add(outcome)
            step()


def _tell(report: Report, origin: Origin, *, total: int, complete: bool, as_json: bool) -> None:
    if as_json:
        document = {
            "source": origin.text,
            "packages": total,
            **{result.name.lower(): report.counts[result] for result in Result},
            "complete": complete,
            "problems": [{"file": place, "reason": reason} for place, reason in report.problems],
            "warnings": [{"file": place, "warning": warning} for place, warning in report.warnings],
        }
        say(json.dumps(document))
        return
    say_rows("Imported, with something odd about it:", report.warnings)
    say_rows("Not imported:", report.problems)
    parts = [f"{report.counts[result]:,} {result.value}" for result in Result]
    say(f"{counted(total, 'package')}: {', '.join(parts)}")
    if not complete:
        remark("The import is not complete. Run the same command again to go on: what is there is passed over.")
