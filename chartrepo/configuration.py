"""Where settings come from: a flag beats the environment, which beats the YAML file, which beats the default.

Nothing is opened here: the files that settings name are read by the caller's `read_text`.
"""

import difflib
import re
from collections.abc import Callable, Iterator, Mapping
from dataclasses import MISSING, dataclass, fields
from pathlib import Path
from typing import Any, Final
from urllib.parse import urlsplit

from chartrepo import kinds
from chartrepo.core.errors import ChartrepoError
from chartrepo.settings import PREFIX, TABLE, Setting, Settings

CONFIG_VARIABLE: Final = "CHARTREPO_CONFIG"
_SHOWN_OF_A_VALUE: Final = 80
_UNFIT: Final = re.compile(r"[\x00-\x1f\x7f\ud800-\udfff]")
"""Nothing with these can be printed on a line or sent in a header. Bytes that are not UTF-8 come as lone surrogates."""
_BY_NAME: Final = {setting.name: setting for setting in TABLE}
_DEFAULTS: Final = {each.name: each.default for each in fields(Settings) if each.default is not MISSING}

_ELSEWHERE: Final = {
    "allow_force_overwrite": "allow_overwrite",
    "basic_auth_pass": "basic_auth_password",
    "bearer_auth": "basic_auth_user",
    "cache_interval": "sync_interval",
    "catalog_url": "catalog",
    "database_url": "catalog",
    "debug": "log_level",
    "disable_delete": "allow_delete",
    "disable_force_overwrite": "allow_overwrite",
    "disable_metrics": "metrics",
    "enable_metrics": "metrics",
    "json_index": "index_format",
    "listen_host": "host",
    "log_json": "log_format",
    "max_storage_objects": "max_upload_size",
    "read_timeout": "upload_timeout",
    "storage_amazon_bucket": "storage",
    "storage_amazon_endpoint": "s3_endpoint",
    "storage_amazon_force_path_style": "s3_addressing",
    "storage_amazon_prefix": "storage",
    "storage_amazon_region": "s3_region",
    "storage_amazon_sse": "s3_sse",
    "storage_local_rootdir": "storage",
    "artifact_hub_repo_id": "artifacthub_repository_id",
    "write_timeout": "upload_timeout",
}
"""What ChartMuseum and habit call our settings. Such a name is refused like any other, with ours in the message."""


class SettingsError(ChartrepoError):
    """A setting that is not known, or whose value is wrong. The message names where it was given."""


@dataclass(frozen=True, slots=True)
class Configuration:
    """The settings and where each came from.

    Attributes:
        settings: the effective values.
        sources: for each name "default", `--flag`, `CHARTREPO_NAME`, or file and line.
    """

    settings: Settings
    sources: Mapping[str, str]

    def shown(self) -> Iterator[tuple[str, str, str]]:
        """Name, value and source of each setting, as they may be shown: no secret among them."""
        for setting in TABLE:
            value = getattr(self.settings, setting.name)
            yield setting.name, _shown(setting, value), self.sources[setting.name]


@dataclass(frozen=True, slots=True)
class _Given:
    text: str
    source: str


@dataclass(frozen=True, slots=True)
class _Read:
    value: Any
    source: str


def load(environ: Mapping[str, str], flags: Mapping[str, str], read_text: Callable[[Path], str]) -> Configuration:
    """Bring together all that was said about the settings.

    Args:
        environ: the environment. Of it only `CHARTREPO_*` is looked at; an empty variable counts as not set, and the
            ones that Kubernetes makes for a Service of that name are passed over.
        flags: what the command line said, as text by setting's name; `config` names the YAML file.
        read_text: gives the text of the YAML file or of a secret's file; may raise `OSError` or `UnicodeDecodeError`.

    Raises:
        SettingsError: a name is not known, a value is wrong, values contradict each other, or a file cannot be read.
    """
    # Each source is read by itself, so that a wrong value is refused also where a better source overrules it: it would
    # else lie in wait for the day when that is taken away.
    found: dict[str, _Read] = {}
    file = flags.get("config") or environ.get(CONFIG_VARIABLE)
    if file:
        text = _read(Path(file), "--config" if flags.get("config") else CONFIG_VARIABLE, read_text)
        found |= _read_values(_from_file(text, file, read_text))
    found |= _read_values(_from_environment(environ, read_text))
    found |= _read_values(
        {name: _Given(text, _BY_NAME[name].option) for name, text in flags.items() if name != "config"}
    )

    values: dict[str, Any] = {}
    for setting in TABLE:
        if setting.name in found:
            values[setting.name] = found[setting.name].value
        elif setting.derive is not None:
            values[setting.name] = setting.derive(values)
        else:
            values[setting.name] = _DEFAULTS[setting.name]
    sources = {name: found[name].source if name in found else "default" for name in _BY_NAME}
    if values["s3_sse_kms_key"] and values["s3_sse"] != "aws:kms":
        raise SettingsError("s3_sse_kms_key needs s3_sse: aws:kms")
    return Configuration(Settings(**values), sources)


def _from_environment(environ: Mapping[str, str], read_text: Callable[[Path], str]) -> dict[str, _Given]:
    in_kubernetes = "KUBERNETES_SERVICE_HOST" in environ
    entries = (
        (variable.removeprefix(PREFIX).lower() if variable.isupper() else variable, _Given(text, variable))
        for variable, text in sorted(environ.items())
        if variable.startswith(PREFIX) and variable != CONFIG_VARIABLE and text
        if not (in_kubernetes and _is_service_link(variable, text))
    )
    return _known(entries, lambda name: PREFIX + name.upper(), read_text)


def _is_service_link(variable: str, text: str) -> bool:
    """Whether Kubernetes made this variable for a Service called chartrepo, or chartrepo-something.

    Such a Service gives each pod beside it CHARTREPO_PORT=tcp://10.0.0.1:8080 and six more
    (kubernetes.io, Services, "Environment variables").
    """
    if variable.endswith("_PORT") and re.match(r"(tcp|udp|sctp)://", text):
        return True
    return bool(re.search(r"_SERVICE_(HOST|PORT(_.*)?)$|_PORT_[0-9]+_(TCP|UDP|SCTP)(_(PROTO|PORT|ADDR))?$", variable))


def _from_file(text: str, file: str, read_text: Callable[[Path], str]) -> dict[str, _Given]:
    return _known(_scalars(text, file), lambda name: name, read_text)


def _scalars(text: str, file: str) -> Iterator[tuple[str, _Given]]:
    """Name, and text as written, of each entry of a YAML mapping.

    The scalars are not resolved: `password: 0123` is the text 0123, and `yes` a password like any other.
    """
    import yaml  # noqa: PLC0415 - takes longer to import than most commands take to run without a file

    try:
        root = yaml.compose(text, Loader=yaml.SafeLoader)
    except (yaml.YAMLError, RecursionError) as error:
        mark = getattr(error, "problem_mark", None)
        line = f", line {mark.line + 1}" if mark is not None else ""
        problem = getattr(error, "problem", None) or getattr(error, "reason", None) or "it cannot be parsed"
        raise SettingsError(f"{file}{line}: this is not YAML: {problem}") from None
    if root is None:
        return
    if not isinstance(root, yaml.MappingNode):
        raise SettingsError(f"{file}: expected one setting a line, as in 'port: 8080'")
    lines: dict[str, int] = {}
    for key, value in root.value:
        line = key.start_mark.line + 1
        if not isinstance(key, yaml.ScalarNode):
            raise SettingsError(f"{file}, line {line}: expected the name of a setting")
        name = key.value
        if name in lines:
            raise SettingsError(f"{file}, line {line}: {_quoted(name)} was set already in line {lines[name]}")
        lines[name] = line
        if not isinstance(value, yaml.ScalarNode):
            raise SettingsError(
                f"{file}, line {line}: {_quoted(name)} must have a single value, not a list or a mapping"
            )
        if value.tag != "tag:yaml.org,2002:null":
            yield name, _Given(value.value, f"{file}, line {line}")


def _known(
    entries: Iterator[tuple[str, _Given]],
    spelled: Callable[[str], str],
    read_text: Callable[[Path], str],
) -> dict[str, _Given]:
    """The entries by setting's name, with the secrets that lie in files of their own read."""
    found: dict[str, _Given] = {}
    for name, given in entries:
        owner = name.removesuffix("_file")
        setting = _BY_NAME.get(name)
        if setting is None and name.endswith("_file") and owner in _BY_NAME and _BY_NAME[owner].secret:
            setting = _BY_NAME[owner]
            given = _Given(_secret(Path(given.text), given.source, read_text), f"{given.source} ({given.text})")  # noqa: PLW2901
        if setting is None:
            what = given.source if given.source.startswith(PREFIX) else f"{given.source}: {_quoted(name)}"
            raise SettingsError(f"{what} is not a setting{_suggestion(name, spelled)}")
        if setting.name in found:
            raise SettingsError(
                f"{given.source}: {setting.name} is also given by {found[setting.name].source}: keep one of them"
            )
        found[setting.name] = given
    return found


def _suggestion(name: str, spelled: Callable[[str], str]) -> str:
    plain = name.lower().replace("-", "_").removeprefix(PREFIX.lower())
    names = [*_BY_NAME, *(f"{setting.name}_file" for setting in TABLE if setting.secret), *_ELSEWHERE]
    nearest = difflib.get_close_matches(plain, names, n=1, cutoff=0.5)
    if not nearest:
        return ": 'chartrepo config' lists all"
    return f": did you mean {spelled(_ELSEWHERE.get(nearest[0], nearest[0]))}?"


def _read(file: Path, source: str, read_text: Callable[[Path], str]) -> str:
    try:
        return read_text(file)
    except OSError as error:
        raise SettingsError(f"{source}: cannot read {_quoted(str(file))}: {error.strerror or error}") from None
    except UnicodeDecodeError:
        raise SettingsError(f"{source}: {_quoted(str(file))} is not UTF-8 text") from None


def _secret(file: Path, source: str, read_text: Callable[[Path], str]) -> str:
    text = _read(file, source, read_text).removesuffix("\n").removesuffix("\r")
    if not text:
        raise SettingsError(f"{source}: {_quoted(str(file))} is empty")
    return text


def _read_values(given: Mapping[str, _Given]) -> dict[str, _Read]:
    """The values of one source, in the order of the table."""
    return {
        name: _Read(_parsed(setting, given[name]), given[name].source)
        for name, setting in _BY_NAME.items()
        if name in given
    }


def _parsed(setting: Setting, given: _Given) -> Any:
    named = "" if given.source in {setting.option, setting.variable} else f"{setting.name}: "
    value = "the value" if setting.secret else _quoted(given.text)
    if _UNFIT.search(given.text):
        raise SettingsError(f"{given.source}: {named}{value} holds a control character, or is not UTF-8")
    try:
        return setting.kind.parse(given.text)
    except ValueError:
        raise SettingsError(f"{given.source}: {named}{value} is not {setting.kind.expected}") from None


def check_serving(configuration: Configuration) -> None:
    """Refuse settings that contradict each other where something is served. To all other work they mean nothing.

    Raises:
        SettingsError: they do.
    """
    settings = configuration.settings
    credential = bool(settings.basic_auth_user)
    if credential != bool(settings.basic_auth_password):
        one, other = ("user", "password") if credential else ("password", "user")
        raise SettingsError(f"basic_auth_{one} is set without basic_auth_{other}: set both, or neither")
    for name in ("basic_auth_user", "admin_password", "htpasswd", "permissions", "bearer_auth"):
        if settings.open_writes and getattr(settings, name):
            raise SettingsError(f"open_writes would let everybody past {name}: set one of them")
    if urlsplit(settings.external_url).path:
        raise SettingsError(
            f"external_url is {_quoted(settings.external_url)}, and has to be scheme and host alone: "
            "clients of registries ask at the root of a host; context_path is for the rest"
        )
    if settings.bearer_auth and not settings.auth_cert_path:
        raise SettingsError(
            "bearer_auth is set without auth_cert_path: set it to the key that the tokens are signed under"
        )
    if settings.open_writes and not kinds.is_loopback(settings.host):
        raise SettingsError(
            f"open_writes needs a loopback host such as 127.0.0.1, and host is {_quoted(settings.host)} "
            f"({configuration.sources['host']}): set basic_auth_user and basic_auth_password instead"
        )
    if settings.admin_port and (settings.admin_port, settings.admin_host) == (settings.port, settings.host):
        raise SettingsError(f"port and admin_port are both {settings.port}: choose two")


def _shown(setting: Setting, value: Any) -> str:
    return setting.kind.hide(value) if setting.secret and value else setting.kind.show(value)


def _quoted(text: str) -> str:
    return repr(text if len(text) <= _SHOWN_OF_A_VALUE else text[:_SHOWN_OF_A_VALUE] + "...")
