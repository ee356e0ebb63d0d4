"""What people write becomes a pair of drivers: packages, and the server's own state."""

import subprocess
import sys
from pathlib import Path

import pytest

from storage.base import ABSENT, Misconfigured
from storage.options import S3Options
from storage.url import open_storage
from tests.storage.contract import listed


def test_a_folder_holds_packages_and_a_private_folder(tmp_path: Path) -> None:
    storages = open_storage(str(tmp_path / "data"))
    assert not (tmp_path / "data").exists()
    storages.packages.check()
    storages.state.check()
    storages.packages.put("app.tgz", b"package", condition=ABSENT)
    storages.state.put("snapshot", b"private", condition=ABSENT)
    assert listed(storages.packages) == {"app.tgz"}
    assert listed(storages.state) == {"snapshot"}
    assert (tmp_path / "data/app.tgz").read_bytes() == b"package"
    assert (tmp_path / "data/.chartrepo/snapshot").read_bytes() == b"private"
    assert (tmp_path / "data/.chartrepo").stat().st_mode & 0o777 == 0o700
    assert storages.folder == tmp_path / "data/.chartrepo"


def test_a_folder_is_meant_from_where_we_are(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.chdir(tmp_path)
    for location in ("data", "./data/", "../" + tmp_path.name + "/data"):
        assert open_storage(location).folder == tmp_path / "data/.chartrepo"


def test_calls_to_both_are_told(tmp_path: Path) -> None:
    told = []
    storages = open_storage(str(tmp_path), observe=lambda operation, *_: told.append(operation))
    storages.packages.check()
    storages.state.check()
    assert told == ["check", "check"]


@pytest.mark.parametrize(
    ("location", "reason"),
    [
        ("", "use a folder or s3://bucket/prefix"),
        ("nul\0", "use a folder or s3://bucket/prefix"),
        ("gs://bucket", "'gs' is not known; use a folder or s3://bucket/prefix"),
        ("file:///data", "'file' is not known"),
        ("https://s3.test/bucket", "'https' is not known"),
        ("s3://", "names no bucket"),
        ("s3:///prefix", "names no bucket"),
        ("s3://buck et/prefix", "names no bucket"),
        ("s3://bucket/../other", "prefix that cannot be one"),
        ("s3://bucket/a//b", "prefix that cannot be one"),
        ("s3://bucket/.chartrepo/x", "prefix that cannot be one"),
    ],
)
def test_what_is_no_location_is_refused_with_what_to_write(location: str, reason: str) -> None:
    with pytest.raises(Misconfigured, match=reason) as caught:
        open_storage(location, S3Options())
    assert repr(location) in str(caught.value)


@pytest.mark.parametrize("location", ["s3://bucket", "S3://bucket/", "s3://bucket/prefix/"])
def test_a_bucket_is_not_asked_until_it_is_used(s3_credentials: None, location: str) -> None:
    assert open_storage(location, S3Options(endpoint="http://127.0.0.1:9")).folder is None


def test_boto3_is_only_loaded_for_a_bucket(tmp_path: Path) -> None:
    program = """
import sys
from storage.url import open_storage

storage = open_storage(sys.argv[1]).packages
storage.check()
print([name for name in ("boto3", "botocore", "urllib3") if name in sys.modules])
"""
    done = subprocess.run([sys.executable, "-c", program, str(tmp_path)], capture_output=True, text=True, check=True)
    assert done.stdout == "[]\n"
