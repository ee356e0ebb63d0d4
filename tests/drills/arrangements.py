"""Servers that share a storage, in all the ways in which they may: threads, workers, processes and replicas."""

from collections.abc import Iterator, Sequence
from contextlib import ExitStack, contextmanager
from pathlib import Path
from typing import Final, NamedTuple

from tests.drills.places import Bucket, Folder, Kind, Place, s3_server
from tests.support import s3server
from tests.support.postgres import Postgres
from tests.support.server import running

ARRANGEMENTS: Final = ("threads", "workers", "processes", "replicas-postgres", "replicas-bucket")


class Servers(NamedTuple):
    """What takes part in a race.

    Attributes:
        bases: the addresses of all servers.
        place: the storage that they share.
        one_catalog: whether they share a catalog too: then all see an acknowledged write at once, and else as soon as
            they look at the storage.
    """

    bases: Sequence[str]
    place: Place
    one_catalog: bool


@contextmanager
def arranged(arrangement: str, folder: Path, *, s3: s3server.S3 | None = None, database: str = "") -> Iterator[Servers]:
    """Run the servers of an arrangement; `folder` takes their files.

    Args:
        arrangement: one of `ARRANGEMENTS`.
        folder: empty.
        s3: for replicas, which share a bucket.
        database: the address of an empty one, for those that share a catalog as well.
    """
    place: Place = Folder(folder / "data") if s3 is None else Bucket(s3)
    common = ["--open-writes", *place.arguments]
    each: list[list[str]] = {
        "threads": [["--workers", "1", "--threads", "8"]],
        "workers": [["--workers", "4"]],
        "processes": [["--workers", "2"]] * 2,
        "replicas-postgres": [["--workers", "2", "--catalog", database]] * 2,
        "replicas-bucket": [["--workers", "2"]] * 2,
    }[arrangement]
    with ExitStack() as stack:
        bases: list[str] = []
        for number, own in enumerate(each):
            # Replicas are on machines of their own; processes on one folder share what lies in it.
            home = folder / f"server-{number}"
            home.mkdir()
            state = ["--state-dir", str(home / "state")] if s3 is not None else []
            server = stack.enter_context(running(home, *common, *own, *state, storage=place.url, env=place.env))
            bases.append(server.url)
        yield Servers(bases, place, one_catalog=arrangement != "replicas-bucket")


@contextmanager
def prepared(arrangement: str, kind: Kind, folder: Path) -> Iterator[Servers]:
    """Run what an arrangement needs, and its servers; `folder` takes all files."""
    with ExitStack() as stack:
        s3 = database = None
        if arrangement.startswith("replicas"):
            s3 = stack.enter_context(s3_server(kind, folder))
        if arrangement == "replicas-postgres":
            postgres = Postgres()
            stack.callback(postgres.remove)
            postgres.start()
            database = stack.enter_context(postgres.database())
        yield stack.enter_context(arranged(arrangement, folder, s3=s3, database=database or ""))
