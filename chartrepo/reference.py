"""The annotated configuration file and the reference page, both made from the table of settings.

`python -m chartrepo.reference` writes them into the repository it is run in; a test fails when they are out of date.
"""

import textwrap
from collections.abc import Iterator
from itertools import groupby
from pathlib import Path
from typing import Final

from chartrepo.configuration import load
from chartrepo.settings import TABLE, Setting

CONFIGURATION_FILE: Final = Path("config/chartrepo.yaml")
REFERENCE_PAGE: Final = Path("docs/configuration.md")

_FILE_HEAD: Final = """\
# Configuration of chartrepo: every setting, commented out at its default.
#
# Use it as `chartrepo serve --config FILE`, or name it in CHARTREPO_CONFIG. A flag beats the environment, which beats
# this file. Each setting is also the variable CHARTREPO_<NAME>. Durations are 500ms, 60s, 5m or 1h, sizes 512KiB, 20MiB
# or 1GiB. Values are taken as they are written: quotes are needed only where YAML needs them, as around "a: b" or "#1".
"""

_PAGE_HEAD: Final = """\
# Configuration

<!-- Made by `python -m chartrepo.reference` from chartrepo/settings.py: change it there. -->

Nothing needs to be set: `chartrepo serve` keeps packages in `./data` and listens on 127.0.0.1:8080, where everybody may
read and nobody may write.

Every setting can be given in four places. The first that names it wins:

1. a flag, as `--max-upload-size 50MiB`;
2. the environment, as `CHARTREPO_MAX_UPLOAD_SIZE=50MiB`; a variable that is empty counts as not set;
3. a YAML file, as `max_upload_size: 50MiB`, named by `--config FILE` or `CHARTREPO_CONFIG`;
4. the default.

[`config/chartrepo.yaml`](../config/chartrepo.yaml) is such a file with everything in it; `chartrepo config --example`
prints it. `chartrepo config` shows each effective value and where it came from, and takes the flags of `serve`.

## Rules

- A name that is not known is refused at start, with the nearest one that is. So is a wrong value, with what is
  expected, also where another place overrules it.
- In the file a value is the text as it is written: `basic_auth_password: 0123` is four digits, and `yes` a word. Quotes
  are needed only where YAML needs them. A value of `null`, or none, leaves the setting as if it were not there.
- Durations are a number and `ms`, `s`, `m`, `h` or `d`; a bare number counts seconds. Sizes are a number and `KiB`,
  `MiB`, `GiB`, `kB`, `MB` or `GB`; a bare number counts bytes.
- Secrets (marked so below) can lie in a file of their own, as orchestrators mount them: name it in the variable with
  `_FILE` behind, as `CHARTREPO_BASIC_AUTH_PASSWORD_FILE=/run/secrets/password`, or in the YAML file as
  `basic_auth_password_file`. One line end at its end is dropped. No secret is shown by `chartrepo config` or in a log.
- Credentials for S3 are no settings of ours: they are found as every AWS tool finds them (`AWS_ACCESS_KEY_ID`,
  profiles, web identity, instance roles).
- In Kubernetes a Service called `chartrepo` puts variables such as `CHARTREPO_PORT=tcp://10.0.0.1:80` into the pods
  beside it. They are recognised and passed over.
"""

_WIDTH: Final = 118


def annotated_file() -> str:
    """The text of `config/chartrepo.yaml`. Without the signs before its names it sets every default."""
    values = {name: value for name, value, _ in load({}, {}, Path.read_text).shown()}
    parts = [_FILE_HEAD]
    for section, settings in groupby(TABLE, key=lambda setting: setting.section):
        parts.append(f"\n# ---- {section} " + "-" * (_WIDTH - len(section) - 8) + "\n")
        parts.extend(f"\n{_commented(setting, values[setting.name])}" for setting in settings)
    return "".join(parts)


def _commented(setting: Setting, value: str) -> str:
    notes = [f"{setting.help}."]
    if setting.kind.choices:
        notes.append(f"One of {', '.join(setting.kind.choices)}.")
    if setting.derive is not None:
        notes.append(f"Default: {setting.default}.")
    if setting.secret:
        notes.append(f"Or {setting.name}_file: the file it lies in.")
    comment = textwrap.wrap(" ".join(notes), _WIDTH, initial_indent="# ", subsequent_indent="# ")
    return "\n".join([*comment, f"#{setting.name}: {value}".rstrip()]) + "\n"


def reference_page() -> str:
    """The text of `docs/configuration.md`."""
    return "".join([_PAGE_HEAD, *_tables()])


def _tables() -> Iterator[str]:
    for section, settings in groupby(TABLE, key=lambda setting: setting.section):
        yield f"\n## {section}\n\n| setting | default | values | what it does |\n|---|---|---|---|\n"
        yield from (_row(setting) for setting in settings)


def _row(setting: Setting) -> str:
    fixed = f"`{setting.default}`" if setting.default else "empty"
    default = fixed if setting.derive is None else setting.default
    values = ", ".join(f"`{choice}`" for choice in setting.kind.choices) or setting.kind.expected
    remarks = " A secret." * setting.secret + " It has no flag, for others could read it there." * (not setting.flag)
    return f"| `{setting.name}` | {default} | {values} | {setting.help}.{remarks} |\n"


def write(root: Path) -> None:
    """Bring both files under `root` up to date.

    Raises:
        OSError: one cannot be written.
    """
    (root / CONFIGURATION_FILE).write_text(annotated_file(), encoding="utf-8")
    (root / REFERENCE_PAGE).write_text(reference_page(), encoding="utf-8")


if __name__ == "__main__":
    write(Path())
