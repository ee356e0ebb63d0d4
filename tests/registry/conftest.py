"""Fixtures of the tests of the OCI side."""

from pathlib import Path

import pytest

from tests.support.repositories import Shop
from tests.support.site import Site


@pytest.fixture
def shop(tmp_path: Path) -> Shop:
    shop = Shop(tmp_path)
    shop.build()
    return shop


@pytest.fixture
def site(shop: Shop) -> Site:
    return Site(shop)
