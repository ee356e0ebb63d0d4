"""A credential that was right is believed for a moment, from the same address alone."""

import pytest

from chartrepo.core.permissions import Caller
from chartrepo.http import believed
from chartrepo.http.believed import Believed
from tests.support.repositories import Clock

ADA = Caller("user:ada")


def test_for_a_second_it_is_not_looked_at_again() -> None:
    clock = Clock(now=10.0)
    known = Believed(clock)
    known.remember("Basic x", "192.0.2.1", ADA)
    assert known.caller("Basic x", "192.0.2.1") is ADA
    clock.now += 0.9
    assert known.caller("Basic x", "192.0.2.1") is ADA
    clock.now += 0.1
    assert known.caller("Basic x", "192.0.2.1") is None


def test_others_are_not_believed_with_it() -> None:
    known = Believed(Clock(now=10.0))
    known.remember("Basic x", "192.0.2.1", ADA)
    for credential, address in (("Basic y", "192.0.2.1"), ("Basic x", "192.0.2.2"), ("", "192.0.2.1"), ("\udcff", "")):
        assert known.caller(credential, address) is None


def test_only_so_many_are_kept(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(believed, "_MOST", 3)
    known = Believed(Clock(now=10.0))
    for number in range(4):
        known.remember(f"Basic {number}", "192.0.2.1", ADA)
    assert [known.caller(f"Basic {number}", "192.0.2.1") for number in range(4)] == [None, None, None, ADA]
