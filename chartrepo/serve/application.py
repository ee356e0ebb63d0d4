"""What a worker of either web server runs, and what is to be done after one died."""

from chartrepo import assembly, logs
from chartrepo.access import Certificate
from chartrepo.http.app import Services, create_app
from chartrepo.http.front import Front
from chartrepo.metrics import worker_died
from chartrepo.serve.wishes import Wishes
from chartrepo.settings import Settings
from chartrepo.sync import Report, sync_now
from chartrepo.watched import Watched


def make_app(settings: Settings, ground: assembly.Ground, certificate: Watched[Certificate] | None = None) -> Front:
    """Return the application of one worker process, whose metrics tell of the files of `certificate` too."""
    metrics = assembly.metrics(ground)
    metrics.worker_started()
    found = assembly.storages(settings, ground, observe=metrics.storage_call)
    repositories, registry = assembly.both_sides(settings, ground, found)

    def sync() -> Report:
        report = sync_now(repositories, metrics)
        assembly.sync_notes(settings).done(report)
        return report

    return create_app(
        settings,
        Services(
            repositories=repositories,
            registry=registry,
            indexes=assembly.indexes(settings, repositories.catalog, metrics=metrics),
            sync=sync,
            uploads=assembly.uploads(settings),
            metrics=metrics,
            access=logs.access_log(settings.log_format, settings.log_level) if settings.access_log else None,
            public_url=assembly.public_url(settings),
            directory=assembly.directory(
                settings,
                found.state,
                assembly.signing_keys(settings, found),
                metrics=metrics,
                certificate=certificate,
            ),
            audit=assembly.audit(settings, metrics),
            records=assembly.records(settings, found),
            standing=assembly.standing(settings, ground, metrics),
            counting=assembly.counting(settings),
            pulls=assembly.pull_view(settings),
            icons=assembly.icons(settings),
        ),
    )


def after_death(ground: assembly.Ground, wishes: Wishes, pid: int | None) -> None:
    """Look at the storage again: the worker may have died between storing a package and writing the catalog."""
    wishes.sync()
    if ground.counts is not None and pid is not None:
        worker_died(ground.counts, pid)
