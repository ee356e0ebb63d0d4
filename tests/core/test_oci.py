"""Names, tags and digests of OCI."""

from hashlib import sha512

import pytest

from chartrepo.core import oci
from chartrepo.core.errors import DigestInvalid, NameInvalid, NameUnknown
from chartrepo.core.oci import Digest, Name


class TestNames:
    @pytest.mark.parametrize(
        ("text", "name"),
        [
            ("web", Name("", "web")),
            ("team/app/web", Name("team/app", "web")),
            ("charts/web", Name("charts", "web")),
            ("api", Name("", "api")),  # only a repository cannot be called as what the server answers at
            ("a.b/c_d/e-f", Name("a.b/c_d", "e-f")),
            ("a/b__c---d", Name("a", "b__c---d")),
            ("a--b/c", Name("a--b", "c")),
            ("x" * 255, Name("", "x" * 255)),
        ],
    )
    def test_the_last_part_is_the_chart_and_the_rest_the_repository(self, text: str, name: Name) -> None:
        assert oci.parse_name(text, "") == name
        assert name.path == text
        assert oci.split_name(text) == name

    @pytest.mark.parametrize(
        "text",
        [
            "",
            "/",
            "Web",
            "team/Web",
            "a//b",
            "/a",
            "a/",
            "-a",
            "a-",
            "a..b",
            "a._b",
            "a___b",
            "a b",
            "a+b",
            "ä",
            "_oci/a",
            "a/_catalog",
            "a\n",
            "x" * 256,
        ],
    )
    def test_what_no_registry_takes_is_refused_with_what_may_be_used(self, text: str) -> None:
        with pytest.raises(NameInvalid, match="cannot name an OCI repository: use small letters and digits"):
            oci.parse_name(text, "")

    @pytest.mark.parametrize("text", ["api/web", "v2/web", "health/a/web"])
    def test_a_repository_that_no_upload_could_name_is_none_here_either(self, text: str) -> None:
        with pytest.raises(NameInvalid, match=r"the server answers at /.* itself, choose another name"):
            oci.parse_name(text, "")

    @pytest.mark.parametrize(
        ("text", "name"),
        [("charts/web", Name("", "web", "charts")), ("charts/charts/web", Name("charts", "web", "charts"))],
    )
    def test_the_prefix_is_taken_off_once(self, text: str, name: Name) -> None:
        assert oci.parse_name(text, "charts") == name

    @pytest.mark.parametrize("text", ["web", "charts", "chartsx/web", "team/charts/web"])
    def test_a_name_without_the_prefix_is_unknown_and_told_what_it_is(self, text: str) -> None:
        with pytest.raises(NameUnknown, match="every name begins with 'charts/'"):
            oci.parse_name(text, "charts")

    @pytest.mark.parametrize(
        ("repository", "chart", "has"),
        [
            ("", "web", True),
            ("team", "web-2.x", True),
            ("team", "Web", False),
            ("Team", "web", False),
            ("", "a b", False),
            ("", "a+b", False),
            ("", "日本", False),
            ("a/b", "c/d", False),
            ("a" * 200, "b" * 54, True),
            ("a" * 200, "b" * 55, False),
        ],
    )
    def test_a_chart_has_a_name_where_every_client_can_write_it(self, repository: str, chart: str, has: bool) -> None:
        assert oci.has_name(repository, chart) == has


class TestTags:
    @pytest.mark.parametrize("text", ["1.0.0", "latest", "_x", "A", "1.0.0_build.1", "x" * 128, "a.b-c_d"])
    def test_what_the_specification_lets_be_one_is_one(self, text: str) -> None:
        assert oci.is_tag(text)

    @pytest.mark.parametrize("text", ["", ".a", "-a", "a+b", "a/b", "a:b", "ä", "a b", "a\n", "x" * 129])
    def test_the_rest_is_none(self, text: str) -> None:
        assert not oci.is_tag(text)

    @pytest.mark.parametrize(
        ("version", "tag"),
        [("1.2.3", "1.2.3"), ("v1.2", "v1.2"), ("1.0.0-rc.1+build.5", "1.0.0-rc.1_build.5"), ("1+a", "1_a")],
    )
    def test_a_version_is_a_tag_as_helm_writes_it_and_back(self, version: str, tag: str) -> None:
        assert oci.tag_of(version) == tag
        assert oci.version_of(tag) == version

    def test_a_version_that_is_too_long_has_none(self) -> None:
        assert oci.tag_of("1.0.0-" + "a" * 122) == "1.0.0-" + "a" * 122
        assert oci.tag_of("1.0.0-" + "a" * 123) is None


class TestDigests:
    @pytest.mark.parametrize("text", ["sha256:" + "0a" * 32, "sha512:" + "9f" * 64])
    def test_both_algorithms_are_read(self, text: str) -> None:
        assert str(oci.parse_digest(text)) == text

    @pytest.mark.parametrize(
        "text",
        [
            "",
            "sha256",
            "sha256:",
            "sha256:" + "a" * 63,
            "sha256:" + "A" * 64,
            "sha512:" + "a" * 64,
            "sha256:" + "a" * 64 + "\n",
            "sha256:../" + "a" * 61,
            "sha256:sha256:" + "a" * 57,
        ],
    )
    def test_what_is_none_is_refused_with_what_one_looks_like(self, text: str) -> None:
        with pytest.raises(DigestInvalid, match="is no digest: write sha256: and 64 hexadecimal digits in lower case"):
            oci.parse_digest(text)

    @pytest.mark.parametrize("text", ["md5:" + "a" * 32, "sha384:" + "a" * 96, "a+b.c:XYZ="])
    def test_another_algorithm_is_refused_as_such(self, text: str) -> None:
        with pytest.raises(DigestInvalid, match="is of an algorithm that is not known here: write sha256:"):
            oci.parse_digest(text)

    @pytest.mark.parametrize("algorithm", ["md5", "SHA256", "", "x" * 1000])
    def test_nothing_computes_another_algorithm(self, algorithm: str) -> None:
        with pytest.raises(DigestInvalid, match="not known here: use sha256 or sha512") as refused:
            oci.new_hash(algorithm)
        assert len(str(refused.value)) < 200

    def test_the_usual_one_is_sha256(self) -> None:
        empty = "e3b0c44298fc1c149afbf4c8996fb92427ae41e4649b934ca495991b7852b855"
        assert oci.digest_of(b"") == Digest("sha256", empty)
        assert oci.digest_of(b"x", "sha512").hex == sha512(b"x").hexdigest()

    def test_a_colon_tells_a_digest_from_a_tag(self) -> None:
        assert oci.is_digest("sha256:zz")
        assert not oci.is_digest("sha256")
