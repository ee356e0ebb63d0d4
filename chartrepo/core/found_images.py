"""Container images that default values name, in the shapes that charts have them in.

`image: nginx:1.27`, and `image: {registry, repository, tag, digest}`. What a template makes of them is not known: a tag
that is empty mostly means the chart's appVersion.
"""

import re
from collections.abc import Iterator, Mapping
from typing import Any, Final, NamedTuple

from chartrepo.core.value_paths import Key, path_of

_MOST: Final = 500
_LONGEST: Final = 512
_REFERENCE: Final = re.compile(r"[A-Za-z0-9][A-Za-z0-9._-]*(?:[:/][A-Za-z0-9._-]+)*(?:@sha256:[0-9a-f]{64})?")
_DIGEST: Final = re.compile(r"(?:sha256:)?[0-9a-f]{64}")
_NAMES: Final = ("repository", "name", "image")


class FoundImage(NamedTuple):
    """An image that values name.

    Attributes:
        path: of the value, as `helm --set` takes it.
        image: the reference, with the tag or digest that the values say.
        is_open: whether they say neither, so that the chart chooses.
    """

    path: str
    image: str
    is_open: bool


def find_images(values: Mapping[str, Any]) -> list[FoundImage]:
    """Return the images that values name, in their order; at most some hundred.

    Args:
        values: as `values.load_values` returns them, with a bounded depth.
    """
    found: list[FoundImage] = []
    for image in _walk(values, ()):
        found.append(image)
        if len(found) >= _MOST:
            break
    return found


def _walk(value: Any, keys: tuple[Key, ...]) -> Iterator[FoundImage]:
    if isinstance(value, dict):
        image = _of_mapping(value, keys) if keys else None
        if image is not None:
            yield image
        for key, each in value.items():
            if isinstance(each, str):
                if _is_image_key(key) and _is_reference(each) and image is None:
                    yield FoundImage(path_of((*keys, key)), each, ":" not in each.rpartition("/")[2])
            else:
                yield from _walk(each, (*keys, key))
    elif isinstance(value, list):
        for place, each in enumerate(value):
            if not isinstance(each, str):
                yield from _walk(each, (*keys, place))


def _is_image_key(key: str) -> bool:
    return key == "image" or key.endswith("Image")


def _is_reference(text: str) -> bool:
    return len(text) <= _LONGEST and _REFERENCE.fullmatch(text) is not None and ("/" in text or ":" in text)


def _of_mapping(value: Mapping[str, Any], keys: tuple[Key, ...]) -> FoundImage | None:
    """An image in parts: the mapping is called for it, or has a repository beside a tag or digest."""
    name = next((text for each in _NAMES if (text := _text(value.get(each)))), "")
    last = keys[-1] if isinstance(keys[-1], str) else ""
    named = _is_image_key(last)
    if not name or not (named or ("repository" in value and ("tag" in value or "digest" in value))):
        return None
    registry, tag, digest = (_text(value.get(each)) for each in ("registry", "tag", "digest"))
    if named and not {"registry", "repository", "tag", "digest"} & value.keys():
        return None
    if tag.startswith("@") or _DIGEST.fullmatch(tag):
        tag, digest = "", tag.removeprefix("@")
    digest = digest or _text(value.get("sha"))
    image = f"{registry.rstrip('/')}/{name}" if registry else name
    if not _REFERENCE.fullmatch(image):
        return None
    said = image if not tag else f"{image}:{tag}"
    if _DIGEST.fullmatch(digest):
        said = f"{said}@sha256:{digest.removeprefix('sha256:')}"
    is_open = said == image and ":" not in image.rpartition("/")[2]
    return FoundImage(path_of(keys), said, is_open)


def _text(value: Any) -> str:
    if isinstance(value, bool) or not isinstance(value, str | int | float):
        return ""
    text = str(value)
    return text if len(text) <= _LONGEST and "{{" not in text else ""
