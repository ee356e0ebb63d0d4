"""Images that values name."""

from typing import Any

import pytest

from chartrepo.core.found_images import FoundImage, find_images

DIGEST = "sha256:" + "a" * 64


@pytest.mark.parametrize(
    ("values", "found"),
    [
        ({"image": "nginx:1.27"}, [FoundImage("image", "nginx:1.27", is_open=False)]),
        ({"image": "repo/app"}, [FoundImage("image", "repo/app", is_open=True)]),
        ({"image": "host:5000/app"}, [FoundImage("image", "host:5000/app", is_open=True)]),
        ({"sidecarImage": "a/b:1"}, [FoundImage("sidecarImage", "a/b:1", is_open=False)]),
        ({"image": {"repository": "nginx", "tag": ""}}, [FoundImage("image", "nginx", is_open=True)]),
        (
            {"image": {"registry": "docker.io", "repository": "bitnami/redis", "tag": "8.2", "digest": DIGEST}},
            [FoundImage("image", f"docker.io/bitnami/redis:8.2@{DIGEST}", is_open=False)],
        ),
        (
            {"web": {"image": {"repository": "a/b", "tag": 1.5}}, "job": {"repository": "c/d", "tag": "2"}},
            [FoundImage("web.image", "a/b:1.5", is_open=False), FoundImage("job", "c/d:2", is_open=False)],
        ),
        ({"jobs": [{"image": "a/b:1"}]}, [FoundImage("jobs[0].image", "a/b:1", is_open=False)]),
        ({"image": {"registry": "r", "image": "x/y", "tag": "1"}}, [FoundImage("image", "r/x/y:1", is_open=False)]),
        ({"image": {"repository": "a/b", "sha": "b" * 64}},
         [FoundImage("image", "a/b@sha256:" + "b" * 64, is_open=False)]),
        ({"controller": {"image": {"image": {"repository": "in/it", "tag": "3"}}}},
         [FoundImage("controller.image.image", "in/it:3", is_open=False)]),
        # no images
        ({"repository": "x/y"}, []),
        ({"image": "word"}, []),
        ({"image": "{{ .Values.x }}/y:1"}, []),
        ({"image": {"pullPolicy": "Always", "tag": "1"}}, []),
        ({"image": None, "b": {"image": 3}, "c": {"image": []}}, []),
        ({"git": {"repository": "https://example.com/x", "tag": "1"}}, []),
        ({"image": {"repository": "a\nb", "tag": "1"}}, []),
    ],
)  # fmt: skip
def test_the_common_shapes_are_known(values: dict[str, Any], found: list[FoundImage]) -> None:
    assert find_images(values) == found


def test_there_is_an_end() -> None:
    assert len(find_images({"all": [{"image": f"a/b:{number}"} for number in range(5_000)]})) == 500
