"""Which file systems a SQLite catalog may lie on."""

from pathlib import Path

import pytest

from chartrepo.catalog import filesystems, open_catalog
from chartrepo.catalog.filesystems import network_file_system
from chartrepo.core.errors import CatalogMisconfigured

MOUNTS = """\
/dev/vda / ext4 rw 0 0
server:/export /srv/nfs nfs4 rw 0 0
/dev/vdb /srv/nfs/local xfs rw 0 0
bucket /srv/my\\040bucket fuse.s3fs rw 0 0
overlay /srv/over overlay rw 0 0
server:/other /srv/over nfs rw 0 0
none /srv/host fuse.lxcfs rw 0 0
"""


@pytest.mark.parametrize(
    ("folder", "kind"),
    [
        ("/srv", None),
        ("/srv/nfs", "nfs4"),
        ("/srv/nfs/deep/not/there", "nfs4"),
        ("/srv/nfs/local/x", None),
        ("/srv/nfs2", None),
        ("/srv/my bucket/x", "fuse.s3fs"),
        ("/srv/over", "nfs"),
        ("/srv/host", None),
    ],
)
def test_the_nearest_mount_tells_the_kind(folder: str, kind: str | None) -> None:
    assert network_file_system(Path(folder), MOUNTS) == kind


def test_a_link_to_a_network_file_system_is_one(tmp_path: Path) -> None:
    (tmp_path / "remote").mkdir()
    (tmp_path / "link").symlink_to(tmp_path / "remote")
    mounts = f"{MOUNTS}server:/x {tmp_path}/remote cifs rw 0 0\n"
    assert network_file_system(tmp_path / "link" / "x", mounts) == "cifs"


def test_where_mounts_cannot_be_read_every_folder_is_local(monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> None:
    monkeypatch.setattr(filesystems, "_MOUNTS", tmp_path / "none")
    assert network_file_system(tmp_path) is None


def test_a_catalog_on_a_network_file_system_is_refused(monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> None:
    mounts = tmp_path / "mounts"
    mounts.write_text(f"server:/x {tmp_path}/remote nfs rw 0 0\n")
    monkeypatch.setattr(filesystems, "_MOUNTS", mounts)
    with pytest.raises(CatalogMisconfigured, match=r"network file system \(nfs\).*postgresql://"):
        open_catalog(f"sqlite:///{tmp_path}/remote/c.sqlite3", lock_dir=tmp_path, storage_id="s")
    open_catalog(f"sqlite:///{tmp_path}/local/c.sqlite3", lock_dir=tmp_path, storage_id="s").close()
