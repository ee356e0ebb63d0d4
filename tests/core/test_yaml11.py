import string

import pytest
import yaml
from hypothesis import given
from hypothesis import strategies as st

from chartrepo.core.scalars import InvalidYamlError, Scalar
from chartrepo.core.yaml11 import Budget, Value, check_json, check_values, describe, load


def budget(nodes: int = 1000, depth: int = 20) -> Budget:
    return Budget(nodes, depth)


def read(text: str | bytes) -> object:
    """The document with plain Python values."""
    return plain(load(text.encode() if isinstance(text, str) else text, budget()))


def plain(value: Value) -> object:
    if isinstance(value, dict):
        return {key: plain(item) for key, item in value.items()}
    if isinstance(value, list):
        return [plain(item) for item in value]
    return value.value if isinstance(value, Scalar) else value


def is_refused_as_values(text: str | bytes) -> bool:
    try:
        check_values(text.encode() if isinstance(text, str) else text, budget())
    except InvalidYamlError:
        return True
    return False


@pytest.mark.parametrize(
    ("text", "expected"),
    [
        ("", None),
        ("# nothing\n", None),
        ("a: 1\nb: [x, {c: d}]\n", {"a": 1, "b": ["x", {"c": "d"}]}),
        ("a: 1\na: 2\n", {"a": 2}),
        ("1: a\n1.10: b\non: c\n", {"1": "a", "1.1": "b", "true": "c"}),
        ("a: 1\n---\nb: [\n", {"a": 1}),
        ("a: 1\n...\n\xff: [\n", {"a": 1}),
        ("%YAML 1.1\n---\na: 1\n", {"a": 1}),
        ("a: &x [1]\nb: *x\n", {"a": [1], "b": [1]}),
        ("a: &x 1\nb: &x 2\nc: *x\n", {"a": 1, "b": 2, "c": 2}),
        ("&k a: 1\nb: *k\n", {"a": 1, "b": "a"}),
        ('a: "it\\\'s" # as go-yaml has it\n', {"a": "it's"}),
        ("a: 'b?'\nc: d?\n", {"a": "b?", "c": "d?"}),
        ("a: !unknown 1\n", {"a": "1"}),
        ("a: ! '1'\nb: ! 1\n", {"a": "1", "b": "1"}),
    ],
)
def test_a_document_reads_as_in_go_yaml(text: str, expected: object) -> None:
    assert read(text) == expected


def test_merged_keys_win_over_those_before_and_lose_to_those_after() -> None:
    assert read("a: &a {x: 1, w: 1, z: 1}\nb:\n  x: 2\n  <<: *a\n  w: 2\n") == {
        "a": {"x": 1, "w": 1, "z": 1},
        "b": {"x": 1, "w": 2, "z": 1},
    }


def test_the_first_of_a_list_of_merged_mappings_wins() -> None:
    assert read("a: &a {x: 1}\nb: {<<: [*a, {x: 2, w: 2}]}\n") == {"a": {"x": 1}, "b": {"x": 1, "w": 2}}


def test_quoted_merge_keys_are_keys() -> None:
    assert read("'<<': 1\n") == {"<<": 1}


@pytest.mark.parametrize(
    ("text", "words"),
    [
        ("a: [1\n", "line 2: did not find"),
        ("a: b: c\n", "line 1: mapping values are not allowed"),
        ("a: *b\n", "line 1: alias 'b' stands for nothing"),
        ("a: &a [*a]\n", "line 1: anchor 'a' contains itself"),
        ("a: 1\nb:\n  <<: 1\n", "line 3: merges the number '1'"),
        ("<<: [{a: 1}, 2]\n", "line 1: merges the number '2'"),
        ("~: 1\n", "line 1: nothing cannot be a key"),
        ("[a]: 1\n", "line 1: a list cannot be a key"),
        ("{a: b}: 1\n", "line 1: a mapping cannot be a key"),
        ("a: 1\nb: !!int x\n", "line 2: 'x' is not of the type !!int"),
        ("%YAML 1.2\n---\na: 1\n", "asks for YAML 1.2"),
        ("a: [b?]\n", "line 1: 'b?' has a '?'"),
        ('a: "\\q"\n', "line 1: found unknown escape character"),
        ("a: b\0c\n", "control characters"),
        (b"a: \xff\n", "UTF-8"),
        (b"!<%ED%A0%80> a\n", "UTF-8"),
    ],
)
def test_what_go_yaml_refuses_is_refused_with_the_place(text: str | bytes, words: str) -> None:
    with pytest.raises(InvalidYamlError) as refused:
        read(text)

    assert words in str(refused.value)


def test_what_aliases_stand_for_counts_where_a_tree_is_built() -> None:
    text = "a: &a [" + ", ".join(["x"] * 2000) + "]\nb: *a\n"

    with pytest.raises(InvalidYamlError, match="more values"):
        read(text)
    assert not is_refused_as_values("a: &a [" + ", ".join(["x"] * 400) + "]\nb: [*a, *a, *a]\n")


def test_a_document_that_is_nearly_all_aliases_is_refused() -> None:
    text = "a: &a [x, x, x, x, x, x, x, x, x]\nb: &b [" + ", ".join(["*a"] * 9) + "]\n"
    text += "c: &c [" + ", ".join(["*b"] * 9) + "]\nd: [" + ", ".join(["*c"] * 9) + "]\n"

    with pytest.raises(InvalidYamlError, match="aliases"):
        check_values(text.encode(), budget())


@pytest.mark.parametrize(
    "text", ["", "# nothing\n", "~\n", "a: 1\n", "{}\n", "a: 1\n---\nb: 2\n", "---\na: 1\n---\n", "a: 1\n--- # b\n"]
)
def test_values_are_mappings_or_nothing(text: str) -> None:
    assert not is_refused_as_values(text)


@pytest.mark.parametrize(
    "text",
    [
        "- a\n",
        "a\n",
        "1\n",
        "a: .inf\n",
        "a: [.nan]\n",
        "a: 1\n---\n- b\n",
        "a: 1\n---\nb: [\n",
        "--- {a: 1}\n",
        "%YAML 1.1\n---\na: 1\n",
    ],
)
def test_values_that_one_of_the_helms_refuses_are_refused(text: str) -> None:
    assert is_refused_as_values(text)


def test_an_infinity_in_values_is_named_with_its_line() -> None:
    with pytest.raises(InvalidYamlError, match=r"line 2: holds '\.inf', a number that JSON does not have"):
        check_values(b"a: 1\nb: .inf\n", budget())


def test_an_infinity_anywhere_is_no_json() -> None:
    check_json(load(b"a: [{b: 1.5}, text, ~]", budget()))

    with pytest.raises(InvalidYamlError, match=r"\.nan"):
        check_json(load(b"a: [{b: .nan}]", budget()))


@pytest.mark.parametrize(
    ("text", "expected"),
    [
        ("{a: 1}", "a mapping"),
        ("[]", "a list"),
        ("text", "the text 'text'"),
        ("1_0", "the number '1_0'"),
        ("on", "the boolean 'on'"),
        ("~", "nothing"),
    ],
)
def test_values_are_described(text: str, expected: str) -> None:
    assert describe(load(text.encode(), budget())) == expected


def test_documents_share_a_budget() -> None:
    shared = budget(nodes=100)
    for _ in range(3):
        load(b"[a, b, c]", shared)

    with pytest.raises(InvalidYamlError, match="more values"):
        load(b"[" + b"a, " * 100 + b"]", shared)
    with pytest.raises(InvalidYamlError, match="more values"):
        load(b"a", shared)


def test_empty_documents_use_up_the_budget_too() -> None:
    with pytest.raises(InvalidYamlError, match="more values"):
        check_values(b"---\n" * 1000, budget(nodes=1000))


def test_reading_again_uses_up_the_budget() -> None:
    with pytest.raises(InvalidYamlError, match="more values"):
        load(b'a: "' + b"\\'" * 1000 + b'"', budget(nodes=1000))


def test_depth_is_bounded() -> None:
    load(b"[" * 20 + b"]" * 20, budget(depth=20))

    with pytest.raises(InvalidYamlError, match="line 1: is nested deeper than 20 levels"):
        load(b"[" * 21 + b"]" * 21, budget(depth=20))


TEXTS = st.text(alphabet=string.ascii_letters + " .:-", max_size=8)
TREES = st.recursive(
    st.none() | st.booleans() | st.integers(-(2**53), 2**53) | TEXTS,
    lambda inner: st.lists(inner, max_size=3) | st.dictionaries(TEXTS, inner, max_size=3),
    max_leaves=20,
)


@given(TREES, st.booleans())
def test_what_pyyaml_writes_reads_the_same(tree: object, flow: bool) -> None:
    text = yaml.safe_dump(tree, default_flow_style=flow)
    if any(word in tree_texts(tree) for word in ("y", "n", "Y", "N")):  # PyYAML leaves them without quotes
        return

    assert read(text) == tree


def tree_texts(tree: object) -> set[str]:
    if isinstance(tree, dict):
        return set(tree) | {text for item in tree.values() for text in tree_texts(item)}
    if isinstance(tree, list):
        return {text for item in tree for text in tree_texts(item)}
    return {tree} if isinstance(tree, str) else set()


@given(st.text(alphabet="ab:-?&*!%{}[],'\"|>#<\\~.1 \n\t\0\xe9\ufeff", max_size=60))
def test_any_text_is_read_or_refused_and_never_takes_us_down(text: str) -> None:
    for reader in (load, check_values):
        try:
            reader(text.encode(), budget())
        except InvalidYamlError as refused:
            message = str(refused)
        else:
            message = "none"
        assert message


@pytest.mark.parametrize(
    "text", ["a: 1\n", "a: [1, 2]\n---\nb: {c: d}\n", "a: &x 1\nb: *x\n", "a: " + "x" * 40_000 + "\n"]
)
def test_values_that_are_read_again_cost_as_much_again(text: str) -> None:
    costs = []
    for _ in range(3):
        left = Budget(1000, 10)
        check_values(text.encode(), left)
        costs.append(1000 - left.nodes)
    assert costs[0] > 0
    assert len(set(costs)) == 1


def test_values_that_were_refused_are_refused_again() -> None:
    for _ in range(3):
        assert is_refused_as_values("- a\n")


def test_what_was_read_on_a_larger_budget_does_not_pass_on_a_smaller_one() -> None:
    text = b"a: [1, 2, 3, 4, 5, 6, 7, 8, 9, 10]\n"
    check_values(text, Budget(1000, 10))
    for small in (Budget(20, 10), Budget(1000, 1)):
        with pytest.raises(InvalidYamlError):
            check_values(text, small)
