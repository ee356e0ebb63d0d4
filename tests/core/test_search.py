"""Words, typos and ranks."""

import pytest

from chartrepo.core.search import (
    LONGEST_WORD,
    MOST_WORDS,
    Taken,
    document,
    is_typo_of,
    ranker,
    shortened,
    words_in,
    words_of_query,
)
from tests.support.endless import must_end


@pytest.mark.parametrize(
    ("text", "words"),
    [
        ("kube-prometheus_stack", ["kube", "prometheus", "stack"]),
        ("Café STRASSE straße", ["cafe", "strasse", "strasse"]),
        ("v1.2.3 👍 \0 \ud800 'a\"b*", ["v1", "2", "3", "a", "b"]),
        ("データ 北京 база", ["テータ", "北京", "база"]),
        ("", []),
        ("x" * 1000, ["x" * LONGEST_WORD]),
    ],
)
def test_words_are_runs_of_letters_and_digits_without_case_and_accents(text: str, words: list[str]) -> None:
    assert list(words_in(text)) == words


def test_a_query_has_few_words_each_once_and_the_last_one_last() -> None:
    assert words_of_query("redis cache redis") == ("cache", "redis")
    assert len(words_of_query(" ".join(f"w{number}" for number in range(5000)))) == MOST_WORDS


@pytest.mark.parametrize("typed", ["reddis", "reids", "rdis", "redid", "edis", "redisx", "rrdis"])
def test_one_typo_is_found_by_what_is_left_of_both_words(typed: str) -> None:
    assert is_typo_of(typed, "redis")
    assert shortened(typed) & shortened("redis")


@pytest.mark.parametrize("other", ["redis", "rados", "red", "sider", "redisxx", "erids", "iredss", ""])
def test_what_differs_more_or_not_at_all_is_no_typo(other: str) -> None:
    assert not is_typo_of(other, "redis")


def test_a_name_comes_before_a_keyword_before_a_description_before_a_readme() -> None:
    texts = (" myweb my web ", " myweb my web cache ", " myweb my web cache fast pages ")
    queries = ["myweb", "my", "we", "cac", "pages", "manual"]
    ranks = [ranker((query,))(*texts) for query in queries]
    assert ranks == sorted(set(ranks))
    assert ranker(("my", "web"))(*texts) == ranks[0]
    assert ranker(("my", "we"))(*texts) == ranks[1]
    assert ranker(("web", "my"))(*texts) == ranks[2]
    assert ranker(("web", "cac"))(*texts) == ranks[3]
    assert ranker(("fast", "web"))(*texts) == ranks[4]
    assert ranker(("page", "web"))(*texts) == ranks[5]


def test_a_chart_that_says_nothing_is_an_application_of_its_name() -> None:
    found = document(
        {"name": "web", "version": "1.0.0"}, repository="", created=7, signed=False, stable=True, taken=Taken()
    )
    assert found.hit.type == "application"
    assert not any((found.hit.images, found.hit.crds, found.hit.operator, found.hit.prerelease, found.hit.deprecated))
    assert found.words == (("web",), (), (), ())


def test_annotations_files_and_fields_all_have_a_place() -> None:
    found = document(
        {
            "name": "kube-web",
            "version": "1.0.0",
            "appVersion": "2",
            "description": "Serves\npages",
            "keywords": ["HTTP", "http", "", "Two Words"],
            "deprecated": True,
            "type": "library",
            "annotations": {
                "artifacthub.io/license": "MIT",
                "artifacthub.io/category": "networking",
                "artifacthub.io/alternativeName": "wwwthing",
                "artifacthub.io/prerelease": "true",
                "artifacthub.io/operator": "true",
                "artifacthub.io/containsSecurityUpdates": "true",
            },
        },
        repository="team/app",
        created=7,
        signed=True,
        stable=True,
        taken=Taken(b"# Manual https://example.com/page web", b"main:\n  image: nginx\n", crds=True),
    )
    hit = found.hit
    assert (hit.description, hit.keywords, hit.licence) == ("Serves pages", ("http", "two words"), "MIT")
    assert all((hit.images, hit.crds, hit.operator, hit.security, hit.prerelease, hit.deprecated, hit.signed))
    assert found.words.names == ("kubeweb", "kube", "web", "wwwthing")
    assert found.words.keywords == ("http", "two", "words", "networking")
    assert found.words.description == ("serves", "pages", "team", "app")
    assert found.words.readme == ("manual",)


@pytest.mark.parametrize("piece", [b"image", b"http://", b" ", b"\xff", b"aImage", "ﷺ".encode(), b"https://x"])
def test_what_hostile_charts_say_takes_no_time(piece: bytes) -> None:
    text = piece.decode("utf-8", "replace")
    said = {"name": "web", "version": "1", "description": text * 300_000, "keywords": [text * 5_000] * 5_000}
    taken = Taken(piece * 300_000, piece * 300_000)
    with must_end():
        document(said, repository="team", created=7, signed=True, stable=True, taken=taken)
