"""On which kind of file system a folder lies."""

import re
from pathlib import Path
from typing import Final

_MOUNTS: Final = Path("/proc/mounts")
_NETWORK: Final = frozenset(
    {
        "9p",
        "afs",
        "beegfs",
        "ceph",
        "cifs",
        "coda",
        "gfs2",
        "glusterfs",
        "gpfs",
        "lustre",
        "ncpfs",
        "nfs",
        "nfs4",
        "ocfs2",
        "orangefs",
        "smb3",
        "smbfs",
    }
)
_NETWORK_THROUGH_FUSE: Final = frozenset(
    {
        "blobfuse",
        "ceph",
        "gcsfuse",
        "geesefs",
        "glusterfs",
        "goofys",
        "juicefs",
        "mount-s3",
        "rclone",
        "s3backer",
        "s3fs",
        "seaweedfs",
        "sshfs",
    }
)


def network_file_system(folder: Path, mounts: str | None = None) -> str | None:
    """Return the type of the network file system that `folder` lies on, such as `nfs4`; None where it is a local one.

    Args:
        folder: need not be there yet; then its nearest parent counts.
        mounts: text as in /proc/mounts; read from there when None. Where there is no such file every folder is local.
    """
    if mounts is None:
        try:
            mounts = _MOUNTS.read_text("utf-8", "surrogateescape")
        except OSError:
            return None
    best: tuple[int, str] = (-1, "")
    resolved = folder.resolve()
    for line in mounts.splitlines():
        _, point, kind, *_ = line.split(" ")
        place = Path(_unescaped(point))
        # Of two mounts on one place the later one is seen.
        if resolved.is_relative_to(place) and len(place.parts) >= best[0]:
            best = (len(place.parts), kind)
    kind = best[1]
    is_network = kind in _NETWORK or kind.removeprefix("fuse.") in _NETWORK_THROUGH_FUSE
    return kind if is_network else None


def _unescaped(point: str) -> str:
    return re.sub(r"\\([0-7]{3})", lambda octal: chr(int(octal[1], 8)), point)
