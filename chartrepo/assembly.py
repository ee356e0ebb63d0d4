"""Putting the parts together, out of the settings. Each process makes its own."""

import contextlib
import logging
import os
import secrets
import time
from dataclasses import dataclass, replace
from functools import partial
from pathlib import Path
from typing import Final

from chartrepo import layout, metrics_runs
from chartrepo.access import (
    ADMIN,
    Administrator,
    BearerAuth,
    Certificate,
    ChartMuseumTokens,
    Directory,
    EndedSessions,
    Htpasswd,
    SigningKeys,
    Tokens,
    watch_certificate,
    watch_rules,
)
from chartrepo.audit import Audit, Journal, Records, Spool, Unaudited
from chartrepo.catalog import Catalog, PullView, open_catalog
from chartrepo.catalog.filesystems import network_file_system
from chartrepo.catalog.folders import make_private
from chartrepo.core.errors import AccessMisconfigured, CatalogClosed, CatalogMisconfigured, CatalogUnavailable
from chartrepo.core.index import Form
from chartrepo.core.pulls import Pull
from chartrepo.deletions import Deletions
from chartrepo.icons import Icons, KeptIcons, PublicWeb
from chartrepo.indexes import Indexes
from chartrepo.kinds import Bucket, Folder
from chartrepo.metrics import Metrics, Unmeasured
from chartrepo.outcomes import ReadMany
from chartrepo.policies import watch_policies
from chartrepo.policing import Policing
from chartrepo.pulls import Counting, Gathering, Ledger, Uncounted
from chartrepo.reading import read_many
from chartrepo.registry import Allowed, Blobs, Discovery, Manifests, Registry, Uploads
from chartrepo.repository import Overwrite, Repositories
from chartrepo.settings import Settings
from chartrepo.standing import Standing
from chartrepo.sync_notes import SyncNotes
from chartrepo.trust.accepted import Acceptances
from chartrepo.trust.attestations import known_referrers, listed_referrers
from chartrepo.trust.judge import Trust
from chartrepo.waiting import waiting_file
from chartrepo.watched import Watched
from storage.base import ABSENT, Abilities, Misconfigured, NotFound, Storage, StorageError, Unavailable
from storage.local import LocalStorage
from storage.observed import Observe
from storage.options import S3Options
from storage.url import Storages, open_storage

log = logging.getLogger(__name__)

_ID_BYTES: Final = 16
_FOR_READING_TOO: Final = frozenset({"admin_password", "htpasswd", "permissions"})
"""Settings that are also for reading: what cannot be written to is served all the same."""
_LETS_WRITE: Final = ("basic_auth_user", "admin_password", "htpasswd", "open_writes", "bearer_auth", "permissions")
_ANSWERED: Final = "the service answered"
"""What the sentence of an S3 driver's error has in it where the service is there, but cannot."""

_READS_FROM_A_BUCKET: Final = 4
"""Reads under way in a process, to overlap the time that the bucket takes to answer."""


def storages(settings: Settings, ground: "Ground | None" = None, *, observe: Observe | None = None) -> Storages:
    """Return the drivers for where packages lie and for the server's own state beside them.

    Args:
        settings: where and how.
        ground: what was found out about the storage; without it, its conditions are trusted.
        observe: told of each call.

    Raises:
        Misconfigured: they can never work.
    """
    return open_storage(
        str(settings.storage),
        s3_options(settings),
        observe=observe,
        conditional_writes=ground is None or ground.conditional_writes,
        marked=ground is not None and ground.marked,
    )


def s3_options(settings: Settings) -> S3Options:
    """Return how to reach S3."""
    return S3Options(
        endpoint=settings.s3_endpoint or None,
        region=settings.s3_region or None,
        addressing=settings.s3_addressing,
        encryption=settings.s3_sse,
        kms_key=settings.s3_sse_kms_key or None,
        connect_timeout=settings.s3_connect_timeout,
        read_timeout=settings.s3_read_timeout,
        pool_size=max(settings.threads, 10),
    )


@dataclass(frozen=True, slots=True)
class Ground:
    """What was found out once, before any other process was started.

    Attributes:
        storage_id: names the storage, whatever it is called from here; a catalog belongs to one.
        description: where packages lie, for people.
        conditional_writes: whether the storage honours conditions.
        writes_are_safe: whether two writers are kept apart, by conditions or by the set-up.
        marked: whether the storage can be told from an empty folder on which nothing is mounted.
        counts: the folder that the processes of this run count in; None where nothing is counted.
    """

    storage_id: str
    description: str
    conditional_writes: bool
    writes_are_safe: bool
    marked: bool = False
    counts: Path | None = None


def writing_asked_by(settings: Settings) -> str:
    """Return the name of the setting by which somebody may write over the network; empty where nobody may."""
    return next((name for name in _LETS_WRITE if getattr(settings, name)), "")


def prepare(settings: Settings, *, writable: bool, asked_by: str = "") -> Ground:
    """Find out whether storage and state can be used, and make what is missing.

    Args:
        settings: where they are.
        writable: whether the storage is to be written to.
        asked_by: the setting without which it would not be; empty where it is in any case.

    Raises:
        Misconfigured, CatalogMisconfigured: they never can; the message says why and what to do.
        Unavailable: the storage does not answer now.
    """
    found = storages(settings)
    if isinstance(settings.storage, Folder):
        with contextlib.suppress(OSError):  # what is wrong with it, the check tells
            settings.storage.path.mkdir(parents=True, exist_ok=True)
    abilities = _checked(found.packages, settings, writable=writable, asked_by=asked_by)
    for folder in (settings.state_dir, uploads(settings)):
        try:
            make_private(folder)
        except OSError as error:
            raise Misconfigured(
                f"the folder {str(folder)!r} for the server's state cannot be made ({error.strerror}): "
                "set state_dir to a folder that it may write"
            ) from None
    if writable:
        _make_state_beside_packages(found)
    safe = abilities.conditional_writes or not _has_strangers(settings)
    identifier = _storage_id(found.state, settings.state_dir, fresh=secrets.token_hex(_ID_BYTES))
    return Ground(identifier, abilities.description, abilities.conditional_writes, safe, abilities.marked)


def _has_strangers(settings: Settings) -> bool:
    """Return whether servers may write to the storage that do not share its catalog."""
    return not (settings.single_writer or settings.catalog.startswith("postgresql"))


def _checked(packages: Storage, settings: Settings, *, writable: bool, asked_by: str = "") -> Abilities:
    """Return what the storage can do, and say of one that can only be read who wants more of it."""
    try:
        return packages.check(writable=writable)
    except Misconfigured as error:
        refused = error
    except Unavailable as error:
        if isinstance(settings.storage, Folder) or _ANSWERED in str(error):
            raise
        # At a start it is more often a wrong address than an outage, and how boto3 tells it is not for everybody.
        where = settings.s3_endpoint or "the address of AWS, or what AWS's own settings name instead"
        raise Unavailable(
            f"cannot use {settings.storage}: no S3 service answers at {where}: "
            "check s3_endpoint, and whether the service runs and can be reached from here"
        ) from None
    if asked_by in _FOR_READING_TOO and _can_be_read(packages):
        log.warning("%s; packages are served, and nobody can write, whatever rules say", refused)
        return packages.check(writable=False)
    if asked_by and _can_be_read(packages):
        raise Misconfigured(
            f"{refused}; it is to be written to because {asked_by} is set, and is served read-only without that"
        )
    raise refused


def _can_be_read(packages: Storage) -> bool:
    try:
        packages.check(writable=False)
    except Unavailable:
        return False
    return True


def look(settings: Settings) -> Ground:
    """Find out whether the storage can be read, and change nothing.

    Raises:
        Misconfigured: it never can; the message says why and what to do.
        Unavailable: it does not answer now.
    """
    found = storages(settings)
    abilities = _checked(found.packages, settings, writable=False)
    known = _known_storage_id(found.state, LocalStorage(settings.state_dir, private=True)) or str(settings.storage)
    return Ground(known, abilities.description, abilities.conditional_writes, writes_are_safe=False)


def keep_storage_id(settings: Settings, ground: Ground) -> None:
    """Write the storage's id down again, where somebody removed it with all the state.

    Without it the next start would take a catalog that is built now for that of another storage.
    """
    with contextlib.suppress(OSError):  # the id may lie beside the packages
        make_private(settings.state_dir)
    found = storages(settings, ground)
    if writing_asked_by(settings):
        _make_state_beside_packages(found)
    _storage_id(found.state, settings.state_dir, fresh=ground.storage_id)


def _make_state_beside_packages(found: Storages) -> None:
    """Make the folder for what all servers of a storage share, wherever the state of this one is."""
    if found.folder is not None:
        with contextlib.suppress(OSError):  # it may be read-only
            make_private(found.folder)


def _storage_id(state: Storage, folder: Path, *, fresh: str) -> str:
    """Return the random id that lies in the storage itself, so that a copy or a move of it keeps its catalog.

    Where there is none yet it is `fresh`. Where nothing may be written beside the packages, it lies in the server's own
    folder, and is taken over into the storage as soon as that can be written.
    """
    places: tuple[Storage, Storage] = (state, LocalStorage(folder, private=True))
    identifier = _known_storage_id(*places) or fresh
    for place in places:
        with contextlib.suppress(StorageError):
            place.put(layout.STORAGE_ID_KEY, identifier.encode(), condition=ABSENT)
            return identifier
        written = _known_storage_id(place)
        if written is not None:
            return written  # it was there, or another server was quicker
    return identifier


def _known_storage_id(*places: Storage) -> str | None:
    for place in places:
        with contextlib.suppress(NotFound, Unavailable), place.open(layout.STORAGE_ID_KEY) as file:
            return file.read().decode("ascii", "replace").strip()
    return None


def uploads(settings: Settings) -> Path:
    """Return the folder in which uploads wait."""
    return settings.state_dir / "uploads"


def begin_counting(settings: Settings, ground: Ground) -> Ground:
    """Return the ground with a folder for what this run of the server counts, unless the settings say not to.

    Raises:
        OSError: the folder cannot be made.
    """
    return replace(ground, counts=metrics_runs.begin(settings.state_dir / "metrics")) if settings.metrics else ground


def metrics(ground: Ground) -> Unmeasured:
    """Return what this process counts with; one to a process."""
    return Metrics(ground.counts) if ground.counts is not None else Unmeasured()


def sync_notes(settings: Settings) -> SyncNotes:
    """Return where it is noted how syncs went."""
    return SyncNotes(settings.state_dir, time.time)


def standing(settings: Settings, ground: Ground, metrics: Unmeasured) -> Standing:
    """Return what is known of this server outside of its storage and catalog."""
    return Standing(
        settings,
        storage=ground.description,
        conditional_writes=ground.conditional_writes,
        writes_are_safe=ground.writes_are_safe,
        workers=metrics.workers,
        notes=sync_notes(settings),
    )


def catalog(settings: Settings, ground: Ground) -> Catalog:
    """Return the catalog of this storage.

    Raises:
        CatalogMisconfigured: it can never work.
    """
    return open_catalog(settings.catalog, lock_dir=settings.state_dir / "locks", storage_id=ground.storage_id)


def certificate(settings: Settings) -> Watched[Certificate] | None:
    """Return what the server is known by, with nothing read yet; None where it speaks plain HTTP.

    Raises:
        Misconfigured: a part of it is named without the rest.
    """
    for needed, other in (("tls_key", "tls_cert"), ("tls_cert", "tls_key"), ("tls_cert", "tls_client_ca")):
        if getattr(settings, other) is not None and getattr(settings, needed) is None:
            raise Misconfigured(f"{other} is set and {needed} is not: HTTPS needs tls_cert and tls_key")
    if settings.tls_cert is None or settings.tls_key is None:
        return None
    return watch_certificate(settings.tls_cert, settings.tls_key, settings.tls_client_ca)


def directory(
    settings: Settings,
    state: Storage | None = None,
    keys: SigningKeys | None = None,
    *,
    metrics: Unmeasured | None = None,
    certificate: Watched[Certificate] | None = None,
) -> Directory:
    """Return who is known, and who may do what.

    Args:
        settings: which say so, or where it is said.
        state: where tokens lie, and what tells of ended sessions; without it there are none of both.
        keys: that sign registry tokens and sessions; without them there are none.
        metrics: count how issuers are asked for their keys.
        certificate: of which its `files` tell too.
    """
    administrators = ((ADMIN, settings.admin_password), (settings.basic_auth_user, settings.basic_auth_password))
    closed = settings.basic_auth_user or settings.permissions or settings.bearer_auth
    anonymous_read = settings.auth_anonymous_get or not closed
    cert_path = settings.auth_cert_path if settings.bearer_auth else None
    return Directory(
        administrators=tuple(Administrator(name, password) for name, password in administrators if name and password),
        users=Htpasswd(settings.htpasswd) if settings.htpasswd is not None else None,
        rules=watch_rules(settings.permissions) if settings.permissions is not None else None,
        tokens=Tokens(state) if state is not None else None,
        keys=keys,
        ended=EndedSessions(state) if state is not None else None,
        session_lifetime=settings.session_expires,
        bearer=ChartMuseumTokens(BearerAuth(cert_path, settings.auth_issuer, settings.auth_audience))
        if cert_path is not None
        else None,
        told=(metrics or Unmeasured()).issuer_keys,
        anonymous_read=anonymous_read,
        open_writes=settings.open_writes,
        certificate=certificate,
    )


def policing(settings: Settings, found: Storages | None = None, catalog: Catalog | None = None) -> Policing:
    """Return the policies that charts are held to.

    Args:
        settings: which name the file.
        found: where packages lie, and where deletions and signatures are remembered; without it nothing is judged.
        catalog: of the packages, to be kept in line; without it, policies are only tried, and nothing is remembered.
    """
    if settings.policies is None:
        return Policing()
    file = watch_policies(settings.policies)
    if found is None:
        return Policing(file)
    referrers = (
        known_referrers(lambda: catalog.artifacts, found.packages)
        if catalog is not None
        else listed_referrers(found.packages)
    )
    acceptances = Acceptances(found.state, only_look=catalog is None)
    return Policing(file, Deletions(found.state), Trust(acceptances, found.packages, referrers))


def check_files(settings: Settings, certificate: Watched[Certificate] | None = None) -> None:
    """Refuse files about access and policies that cannot be used, and rules for callers of whom none can be known.

    Args:
        settings: which name them.
        certificate: of the server; None for none.

    Raises:
        AccessMisconfigured: it tells of all that is wrong with all of them.
    """
    problems: list[str] = []
    for check in (partial(_check_access, settings, certificate), policing(settings).check):
        try:
            check()
        except AccessMisconfigured as error:
            problems += error.problems
    if problems:
        raise AccessMisconfigured(*problems)


def _check_access(settings: Settings, certificate: Watched[Certificate] | None) -> None:
    found = directory(settings, certificate=certificate)
    found.check()
    if settings.permissions and not found.has_credentials:
        raise AccessMisconfigured(
            "permissions has rules for callers, of whom none can be known: set htpasswd, admin_password or "
            f"basic_auth_user too, or write issuers into {settings.permissions}"
        )


def tokens(settings: Settings, ground: Ground | None = None) -> Tokens | None:
    """Return the tokens beside the packages, where no server has to run; None where nothing was ever kept there.

    Raises:
        Misconfigured: there never can be any.
    """
    found = storages(settings, ground)
    return Tokens(found.state) if found.folder is None or found.folder.is_dir() else None


def signing_keys(settings: Settings, found: Storages) -> SigningKeys:
    """Return the keys that sign, in the state beside the packages; where that cannot be, in the server's own."""
    own = LocalStorage(settings.state_dir, private=True)
    there = found.folder is None or found.folder.is_dir()
    return SigningKeys((found.state, own) if there else (own,))


def audit_spool(settings: Settings) -> Spool:
    """Return where audit records wait for their way to the storage."""
    return Spool(settings.state_dir / "audit-spool")


def audit(settings: Settings, measured: Unmeasured | None = None) -> Unaudited:
    """Return what takes the audit records of this process; without `measured` it is none of a server."""
    if not settings.audit:
        return Unaudited()
    if measured is None:
        return Audit(audit_spool(settings))
    return Audit(audit_spool(settings), stdout=settings.audit_stdout, lost=measured.audit_lost)


def journal(settings: Settings, found: Storages) -> Journal:
    """Return the audit records in the state beside the packages; where nothing can be written, in the server's own."""
    return Journal(_written_to(settings, found))


def _written_to(settings: Settings, found: Storages) -> Storage:
    """Return the state beside the packages; where nothing can be written there, the server's own."""
    writable = found.folder is None or os.access(found.folder, os.W_OK)
    return found.state if writable else LocalStorage(settings.state_dir, private=True)


def records(settings: Settings, found: Storages) -> Records | None:
    """Return the audit records that somebody may see; None where none are kept."""
    return Records(journal(settings, found), audit_spool(settings)) if settings.audit else None


def _pull_counts(settings: Settings) -> Path:
    return settings.state_dir / "pull-counts"


def counting(settings: Settings) -> Uncounted:
    """Return what counts the pulls of this process."""
    return Counting(_pull_counts(settings)) if settings.pulls else Uncounted()


def pull_view(settings: Settings) -> PullView | None:
    """Return what tells how often charts were pulled; None where that is not counted."""
    return PullView(_pull_counts(settings)) if settings.pulls else None


def gathering(settings: Settings, found: Storages, catalog: Catalog) -> Gathering | None:
    """Return what takes counts of pulls to the storage; None where none are counted."""
    view = pull_view(settings)
    if view is None:
        return None

    def is_there(pull: Pull) -> bool:
        return catalog.browsing.version(pull.repository, pull.chart, pull.version) is not None

    return Gathering(
        _pull_counts(settings),
        Ledger(_written_to(settings, found)),
        view,
        own=Ledger(LocalStorage(settings.state_dir, private=True)),
        is_there=is_there,
    )


def icons(settings: Settings) -> Icons:
    """Return what makes the icons of charts."""
    return Icons(KeptIcons(settings.state_dir / "icons"), PublicWeb() if settings.icons == "fetch" else None)


def check_catalog(settings: Settings, ground: Ground) -> None:
    """Refuse a catalog that can never work. One that does not answer now is waited for.

    Raises:
        CatalogMisconfigured: with what to do.
    """
    with contextlib.closing(catalog(settings, ground)) as found:
        try:
            _ = found.complete
        except CatalogClosed as error:
            raise CatalogMisconfigured(error.detail) from None
        except CatalogUnavailable:
            return


def repositories(settings: Settings, ground: Ground, found: Storages | None = None) -> Repositories:
    """Return the use cases over this storage, whose drivers may be there already, and its catalog."""
    found = found or storages(settings, ground)
    known = catalog(settings, ground)
    return Repositories(
        packages=found.packages,
        catalog=known,
        overwrite=Overwrite(settings.allow_overwrite),
        writes_are_safe=ground.writes_are_safe,
        look=None if _may_hang(settings) else found.look,
        strangers=_has_strangers(settings),
        policing=policing(settings, found, known),
    )


def registry(settings: Settings, ground: Ground, repositories: Repositories, state: Storage) -> Registry:
    """Return the use cases of the OCI side, over the same packages.

    Args:
        settings: where and how.
        ground: what was found out about the storage.
        repositories: the packages.
        state: the storage of the server's own state beside them.
    """
    blobs = Blobs(repositories)
    return Registry(
        blobs=blobs,
        uploads=Uploads(
            state,
            blobs,
            key=ground.storage_id.encode(),
            lifetime=settings.oci_upload_expires,
            limit=settings.max_blob_size,
        ),
        manifests=Manifests(
            repositories,
            blobs,
            allowed=Allowed(settings.oci_artifacts),
            max_package=settings.max_upload_size,
            new_file=lambda: waiting_file(uploads(settings)),
        ),
        discovery=Discovery(repositories.catalog),
    )


def both_sides(settings: Settings, ground: Ground, found: Storages) -> tuple[Repositories, Registry]:
    """Return the use cases of the classic side and those of OCI, which is told of what happens to packages there."""
    packages = repositories(settings, ground, found)
    pushed = registry(settings, ground, packages, found.state)
    return replace(packages, companion=pushed.manifests), pushed


def _may_hang(settings: Settings) -> bool:
    """Whether packages lie where a look may wait for another machine, or tell what was true a while ago."""
    return not isinstance(settings.storage, Folder) or network_file_system(settings.storage.path) is not None


def reader(
    settings: Settings, policing: Policing, ground: Ground | None = None, *, tell_failures: bool = False
) -> ReadMany:
    """Return what reads many packages of this storage at once, and holds them to the policies.

    See `chartrepo.reading.read_many`.
    """
    threads = _READS_FROM_A_BUCKET if isinstance(settings.storage, Bucket) else 1
    return policing.reading(
        lambda tasks: read_many(
            lambda: storages(settings, ground).packages, tasks, threads=threads, tell_failures=tell_failures
        )
    )


def indexes(settings: Settings, catalog: Catalog, *, metrics: Unmeasured) -> Indexes:
    """Return the indexes of this process."""

    def rendered(form: Form, seconds: float) -> None:
        metrics.index_render("yaml" if form is Form.YAML else "json", seconds)

    def absolute(repository: str) -> str:
        return "/".join(filter(None, [public_url(settings), repository, "charts/"]))

    if not settings.chart_url:
        return Indexes(catalog, context_path=settings.context_path, rendered=rendered)
    return Indexes(catalog, url_prefix=absolute, context_path=settings.context_path, rendered=rendered)


def public_url(settings: Settings) -> str:
    """Return the address that the settings say this server is reached under, with the context path; empty for none."""
    return f"{settings.chart_url.rstrip('/')}{settings.context_path}" if settings.chart_url else ""
