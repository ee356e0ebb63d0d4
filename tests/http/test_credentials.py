"""What a header says about who asks."""

import base64

import pytest

from chartrepo.core.tokens import compose
from chartrepo.http.credentials import Bearer, Password, read_credential

TEXT = compose("0123456789", "abcdefghijABCDEFGHIJ0123456789")


def basic(text: str) -> str:
    return base64.b64encode(text.encode()).decode()


@pytest.mark.parametrize(
    ("header", "credential"),
    [
        (f"Basic {basic('ada:pass:wörd')}", Password("ada", "pass:wörd")),
        (f"bAsIc  {basic('ada:')} ", Password("ada", "")),
        (f"Basic {basic(':secret')}", Password("", "secret")),
        (f"Basic {basic(f'x:{TEXT}')}", Bearer(TEXT)),
        (f"Basic {basic('x:crt_')}", Bearer("crt_")),
        (f"Basic {basic(f':{TEXT}')}", Password("", TEXT)),
        (f"Basic {basic(f'{TEXT}:')}", Password(TEXT, "")),
        (f"Bearer {TEXT}", Bearer(TEXT)),
        (f"bearer  {TEXT} ", Bearer(TEXT)),
        ("Bearer crt_wrong", Bearer("crt_wrong")),
        ("Bearer eyJhbGciOi", None),
        (f"Bearer {basic('ada:secret')}", None),
        ("Bearer", None),
        ("", None),
        ("Basic", None),
        ("Basic ***", None),
        ("Basic \xff\xfe", None),
        (f"Basic {basic('ada')}", None),
        (f"Digest {basic('ada:secret')}", None),
        (TEXT, None),
    ],
)
def test_a_header_says(header: str, credential: Password | Bearer | None) -> None:
    assert read_credential(header) == credential


@pytest.mark.parametrize(
    ("text", "name"), [(TEXT, "crt_0123456789"), (TEXT[:-1], "crt_"), ("crt_", "crt_"), ("crt_wrong", "crt_")]
)
def test_failures_of_a_token_are_counted_by_its_id_where_it_has_one(text: str, name: str) -> None:
    assert Bearer(text).name == name
