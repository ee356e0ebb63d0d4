"""What the server says when it starts."""

from pathlib import Path

from chartrepo.serve.greeting import found_in
from tests.support.packages import package
from tests.support.repositories import Shop


def test_what_was_found_is_said_in_words(tmp_path: Path) -> None:
    shop = Shop(tmp_path)
    shop.build()
    shop.publish()
    shop.publish(package(version="2.0.0"))
    shop.publish(package("web"), repository="team")
    shop.put("bad-1.0.0.tgz", b"rubbish")
    shop.sync()

    assert found_in(shop.catalog) == (
        "found 3 versions of 2 charts in 2 repositories, and 1 package set aside (see chartrepo check)"
    )
