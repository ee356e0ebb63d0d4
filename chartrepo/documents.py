"""YAML files that people write for the server, read strictly."""

from typing import Any

import yaml

from chartrepo.core.errors import AccessMisconfigured
from chartrepo.core.messages import shown


def load_strictly(data: bytes) -> object:
    """Return what a YAML document says: lists, mappings, scalars and dates, without aliases and keys that come twice.

    Raises:
        AccessMisconfigured: it says nothing that one can be sure of.
    """
    try:
        return yaml.load(data.decode(), Loader=_Loader)  # noqa: S506 - a safe one, without anchors
    except UnicodeDecodeError:
        raise AccessMisconfigured("this is not UTF-8 text") from None
    except (yaml.YAMLError, RecursionError) as error:
        mark = getattr(error, "problem_mark", None)
        line = f"line {mark.line + 1}: " if mark is not None else ""
        raise AccessMisconfigured(f"{line}this is not YAML: {getattr(error, 'problem', None) or error}") from None
    except (ValueError, LookupError, TypeError, AttributeError) as error:
        # PyYAML lets what Python says of a date, a number or a tag through as it is.
        raise AccessMisconfigured(f"there is a value that YAML cannot read: {shown(str(error))}") from None


class _Loader(yaml.SafeLoader):
    """Takes no aliases, of which a few lines make a billion values, and no key twice."""

    def compose_node(self, parent: Any, index: Any) -> Any:
        if self.check_event(yaml.AliasEvent):
            event: Any = self.peek_event()  # type: ignore[no-untyped-call]  # PyYAML gives it no types
            raise yaml.composer.ComposerError(None, None, "aliases are not taken", event.start_mark)
        return super().compose_node(parent, index)

    def construct_mapping(self, node: Any, deep: bool = False) -> Any:  # noqa: FBT001, FBT002 - PyYAML's
        seen = set()
        for key, _ in node.value:
            if key.value in seen if isinstance(key, yaml.ScalarNode) else True:
                raise yaml.constructor.ConstructorError(
                    None, None, "a key stands here twice, or is no plain text", key.start_mark
                )
            seen.add(key.value)
        return super().construct_mapping(node, deep)
