import math
import struct

import pytest
import yaml
from hypothesis import given
from hypothesis import strategies as st

from chartrepo.core.scalars import InvalidYamlError, Scalar, is_json, read_scalar, text_of, text_of_key
from tests.support.scalars import READ_AS

TAG = "tag:yaml.org,2002:"


def coerced(text: str) -> str:
    read = read_scalar(text, None, plain=True)
    return read if isinstance(read, str) else text_of(read)


@pytest.mark.parametrize(("text", "expected"), READ_AS.items())
def test_a_plain_scalar_in_a_field_of_text_reads_as_in_helm(text: str, expected: str) -> None:
    assert coerced(text) == expected


@pytest.mark.parametrize("text", ["yes", "1.10", "~", "0x10"])
def test_quotes_make_a_text_of_anything(text: str) -> None:
    assert read_scalar(text, None, plain=False) == text


@pytest.mark.parametrize("text", ["", "~", "null", "Null", "NULL"])
def test_null_is_the_empty_text(text: str) -> None:
    assert read_scalar(text, None, plain=True) == Scalar(None, text)
    assert coerced(text) == ""


@pytest.mark.parametrize(
    ("tag", "text", "expected"),
    [
        ("str", "1.10", "1.10"),
        ("int", "0x10", 16),
        ("float", "1", 1.0),
        ("float", "1.5", 1.5),
        ("bool", "on", True),
        ("null", "", None),
        ("timestamp", "2001-02-03", "2001-02-03"),
        ("timestamp", "2001-2-3 4:5:6.7", "2001-2-3 4:5:6.7"),
        ("binary", "aGVs\nbG8=", "hello"),
        ("binary", "//8=", "\ufffd\ufffd"),
        ("map", "x", "x"),
    ],
)
def test_a_tag_says_what_a_scalar_is(tag: str, text: str, expected: object) -> None:
    read = read_scalar(text, TAG + tag, plain=False)

    assert (read.value if isinstance(read, Scalar) else read) == expected


@pytest.mark.parametrize(
    ("tag", "text"),
    [
        ("int", "foo"),
        ("int", "1.5"),
        ("float", "foo"),
        ("float", "18446744073709551615"),
        ("bool", "1"),
        ("null", "x"),
        ("timestamp", "2001-02-30"),
        ("timestamp", "soon"),
        ("timestamp", "1"),
        ("binary", "a"),
    ],
)
def test_a_tag_that_does_not_fit_is_refused(tag: str, text: str) -> None:
    with pytest.raises(InvalidYamlError, match=tag):
        read_scalar(text, TAG + tag, plain=True)


@pytest.mark.parametrize(
    ("text", "name"),
    [("1", "1"), ("1.10", "1.1"), ("on", "true"), (".inf", ".inf"), ("-1e39", "-.inf"), (".nan", ".nan")],
)
def test_a_key_becomes_a_name(text: str, name: str) -> None:
    read = read_scalar(text, None, plain=True)

    assert isinstance(read, Scalar)
    assert text_of_key(read) == name


@pytest.mark.parametrize("text", ["~", "9223372036854775808"])
def test_what_helm_has_no_name_for_is_no_key(text: str) -> None:
    read = read_scalar(text, None, plain=True)

    assert isinstance(read, Scalar)
    assert text_of_key(read) is None


@pytest.mark.parametrize(("text", "known"), [(".nan", False), ("-.inf", False), ("1e300", True), ("y", True)])
def test_json_has_no_infinities_and_no_nan(text: str, *, known: bool) -> None:
    read = read_scalar(text, None, plain=True)

    assert isinstance(read, Scalar)
    assert is_json(read) is known


@given(st.integers(min_value=-(2**63), max_value=2**64 - 1))
def test_integers_read_as_in_pyyaml(number: int) -> None:
    for text in (str(number), f"{number:_}", hex(number)):
        read = read_scalar(text, None, plain=True)

        assert isinstance(read, Scalar)
        assert read.value == yaml.safe_load(text) == number


@given(st.floats(allow_nan=False, allow_infinity=False))
def test_floats_read_as_in_pyyaml(number: float) -> None:
    text = repr(number)
    if "." not in text:  # PyYAML takes 1e+20 for a text
        text = text.replace("e", ".0e")
    read = read_scalar(text, None, plain=True)

    assert isinstance(read, Scalar)
    assert read.value == yaml.safe_load(text) == number


@given(
    st.sampled_from(["true", "false", "yes", "no", "on", "off", "null", "~", ""]),
    st.sampled_from([str, str.title, str.upper]),
)
def test_words_read_as_in_pyyaml(word: str, case: type[str]) -> None:
    read = read_scalar(case(word), None, plain=True)

    assert isinstance(read, Scalar)
    assert read.value is yaml.safe_load(case(word))


@given(st.from_regex(r"[a-zA-Z][a-zA-Z0-9 ./_-]{0,20}[a-zA-Z0-9]", fullmatch=True))
def test_texts_read_as_in_pyyaml(text: str) -> None:
    read = read_scalar(text, None, plain=True)

    assert (read if isinstance(read, str) else read.value) == yaml.safe_load(text)


@given(st.floats(width=32, allow_nan=False, allow_infinity=False))
def test_the_shortest_text_of_a_float_still_names_it(number: float) -> None:
    text = text_of(Scalar(number, "written"))

    assert struct.pack("<f", float(text)) == struct.pack("<f", number)


@given(st.text(alphabet="0123456789.eE+-_xobnyN~", max_size=12))
def test_any_scalar_is_read_as_something(text: str) -> None:
    read = read_scalar(text, None, plain=True)

    assert read == text or (isinstance(read, Scalar) and read.text == text)
    if isinstance(read, Scalar) and isinstance(read.value, float):
        assert math.isfinite(read.value) or text.strip("+-").lower() in {".inf", ".nan"}
