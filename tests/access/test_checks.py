"""What is remembered of a right password says nothing of any other."""

import bcrypt

from chartrepo.access.checks import Checks
from chartrepo.access.hashes import like, parse_hash
from tests.support.repositories import Clock


def test_names_hashes_and_passwords_that_make_the_same_text_are_not_taken_for_each_other() -> None:
    nobody = like(parse_hash(bcrypt.hashpw(b"", bcrypt.gensalt(4)).decode()))
    password = f"x{nobody.text}y".encode()
    stored = parse_hash(bcrypt.hashpw(password, bcrypt.gensalt(4)).decode())
    checks = Checks(Clock())
    assert checks.matches("ci", stored, password, possible=True)
    assert not checks.matches(f"ci{stored.text}x", nobody, b"y", possible=False)
