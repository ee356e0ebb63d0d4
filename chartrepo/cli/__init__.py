"""The command line. It is the only place where the parts are put together, and each is imported where it is used."""

import json
import os
import sys
from collections.abc import Callable, Mapping
from dataclasses import replace
from functools import wraps
from pathlib import Path
from typing import IO, Any, Final, TypeVar

import click
from click.shell_completion import CompletionItem

from chartrepo import kinds
from chartrepo.configuration import CONFIG_VARIABLE, Configuration, check_serving, load
from chartrepo.core.errors import AccessMisconfigured, ChartrepoError, in_full
from chartrepo.core.names import check_repository
from chartrepo.core.permissions import ANYBODY, KNOWN, Action, check_caller
from chartrepo.settings import TABLE, Section, Setting, Settings
from chartrepo.version import __version__
from storage.base import StorageError

Function = TypeVar("Function", bound=Callable[..., Any])

_DATA: Final = (Section.STORAGE, Section.S3, Section.OPERATION)
"""What a command needs to know that works on packages and catalog, and does not listen."""

_OF_SERVERS: Final = frozenset(
    {
        "sync_interval",
        "storage_redirect",
        "redirect_expires",
        "access_log",
        "metrics",
        "audit_keep",
        "audit_stdout",
        "trusted_proxies",
    }
)
"""Settings outside `Section.LISTENING` that mean something to a server alone."""

_CHART_AND_TWO_VERSIONS: Final = 3

_STOPPED: Final = 130
"""The exit status after Ctrl-C, as shells have it."""


class _Failure(click.ClickException):
    """Ends the command with status 2, and a line on standard error for each problem, of which there is mostly one."""

    exit_code = 2

    def __init__(self, *problems: str) -> None:
        super().__init__("; ".join(problems))
        self._problems = problems

    def show(self, file: IO[Any] | None = None) -> None:
        """Print the lines."""
        from chartrepo.logs import escape  # noqa: PLC0415 - only a failure needs it

        for problem in self._problems:
            click.echo(f"chartrepo: {escape(problem)}", file=file, err=True)


class _Group(click.Group):
    """Turns what can go wrong in a command into one line and an exit status."""

    def invoke(self, ctx: click.Context) -> Any:
        """Run the command.

        Raises:
            _Failure: the command raised an error that is meant for people, or the system refused something.
        """
        try:
            return super().invoke(ctx)
        except AccessMisconfigured as error:
            raise _Failure(*error.problems) from None
        except (ChartrepoError, StorageError) as error:
            raise _Failure(in_full(error)) from None
        except KeyboardInterrupt:
            # Click would end with 1, which `check` and `import` give a meaning.
            click.echo("chartrepo: stopped", err=True)
            ctx.exit(_STOPPED)
        except BrokenPipeError:
            # The reader of our output went away, as `head` does. Click knows how to end then.
            raise
        except OSError as error:
            where = f"{error.filename}: " if error.filename else ""
            raise _Failure(f"{where}{error.strerror or error}") from None


class _SettingOption(click.Option):
    """The flag of one setting. The value stays text, which `configuration.load` reads like that of any other source."""

    def __init__(self, *declarations: Any, setting: Setting, **attributes: Any) -> None:
        super().__init__(*declarations, **attributes)
        self.setting = setting

    def shell_complete(self, ctx: click.Context, incomplete: str) -> list[CompletionItem]:
        """The values where they can be counted, and folders where one is asked for."""
        if self.setting.kind in {kinds.PATH, kinds.STORAGE}:
            return click.Path(file_okay=False).shell_complete(ctx, self, incomplete)
        return [CompletionItem(choice) for choice in self.setting.kind.choices if choice.startswith(incomplete)]


class _Command(click.Command):
    """Lists the flags under the headings that the settings stand under."""

    def format_options(self, ctx: click.Context, formatter: click.HelpFormatter) -> None:
        """Write the command's own options, then the settings section by section."""
        sections: dict[str, list[tuple[str, str]]] = {"Options": []}
        for parameter in self.get_params(ctx):
            record = parameter.get_help_record(ctx) if isinstance(parameter, click.Option) else None
            if record is not None:
                section = parameter.setting.section if isinstance(parameter, _SettingOption) else "Options"
                sections.setdefault(section, []).append(record)
        for section, records in sections.items():
            with formatter.section(section):
                formatter.write_dl(records)


def _setting_option(setting: Setting) -> Callable[[Function], Function]:
    if setting.kind is kinds.BOOLEAN:
        declared: dict[str, Any] = {"type": click.BOOL}
        flag = f"{setting.option}/--no-{setting.option.removeprefix('--')}"
    else:
        declared = {"type": click.STRING, "metavar": setting.kind.metavar}
        flag = setting.option
    text = f"{setting.help}.  [{setting.default or 'empty'}]"
    return click.option(setting.name, flag, cls=_SettingOption, setting=setting, default=None, help=text, **declared)


def _configured(*sections: Section) -> Callable[[Callable[..., Any]], Callable[..., Any]]:
    """Give a command the flags of these sections, and its function the `Configuration` as first argument.

    Where it does not listen, the flags that mean something to a server alone are left out.
    """
    left_out = frozenset() if Section.LISTENING in sections else _OF_SERVERS
    settings = [each for each in TABLE if each.flag and each.section in sections and each.name not in left_out]

    def decorate(function: Callable[..., Any]) -> Callable[..., Any]:
        @wraps(function)
        def command(**arguments: Any) -> Any:
            flags = {name: arguments.pop(name) for name in ("config", *(setting.name for setting in settings))}
            return function(_load(flags), **arguments)

        for setting in reversed(settings):
            command = _setting_option(setting)(command)
        return click.option(
            "--config",
            type=click.Path(dir_okay=False),
            metavar="FILE",
            help=f"YAML file of settings; `chartrepo config --example` prints one.  [{CONFIG_VARIABLE}]",
        )(command)

    return decorate


def _load(flags: Mapping[str, str | bool | None]) -> Configuration:
    texts = {
        name: kinds.BOOLEAN.show(value) if isinstance(value, bool) else value
        for name, value in flags.items()
        if value is not None
    }
    return load(os.environ, texts, lambda file: file.read_text(encoding="utf-8"))


def _logging(settings: Settings) -> None:
    from chartrepo import logs  # noqa: PLC0415 - see the module's docstring

    logs.configure(settings.log_format, settings.log_level)


def _quiet_logging(configuration: Configuration) -> None:
    """Log only what goes wrong, unless more was asked for: these commands tell by themselves what they find."""
    level = configuration.settings.log_level if configuration.sources["log_level"] != "default" else "error"
    _logging(replace(configuration.settings, log_level=level))


@click.group(
    cls=_Group,
    context_settings={"help_option_names": ["-h", "--help"], "max_content_width": 110},
    epilog="""\b
A first repository, with Helm:
  chartrepo serve --open-writes &
  helm create app && helm package app
  curl --data-binary @app-0.1.0.tgz http://127.0.0.1:8080/api/charts
  helm repo add mine http://127.0.0.1:8080 && helm repo update
  helm install my-app mine/app

Every setting is a flag, a variable CHARTREPO_<NAME> and a line of the YAML file; a flag beats a variable, a variable
beats the file. `chartrepo config` shows what is in force, and why.""",
)
@click.version_option(__version__, prog_name="chartrepo", message="%(prog)s %(version)s")
def cli() -> None:
    """Keep Helm charts and serve them: index.yaml for Helm, ChartMuseum's API for publishing.

    Packages are plain files in a folder or a bucket, laid out as ChartMuseum does. All else is derived from them.
    """


@cli.command(
    cls=_Command,
    short_help="Serve the repository.",
    epilog="""\b
Examples:
  chartrepo serve --open-writes
      try it out: anybody on this machine may publish, nobody else can reach it
  CHARTREPO_BASIC_AUTH_PASSWORD_FILE=/run/secrets/password \\
  chartrepo serve --host 0.0.0.0 --storage /srv/charts --basic-auth-user ci --auth-anonymous-get
      everybody reads, ci publishes
  chartrepo serve --storage s3://charts/prod --catalog postgresql://chartrepo@db/chartrepo
      one of several replicas on one bucket""",
)
@_configured(*Section)
def serve(configuration: Configuration) -> None:
    """Serve the repository until SIGTERM or SIGINT, then finish what is under way.

    Without a credential (basic_auth_user and basic_auth_password) the server is read-only from every address.
    """
    check_serving(configuration)
    _logging(configuration.settings)
    from chartrepo.serve import run_server  # noqa: PLC0415 - see the module's docstring

    run_server(configuration.settings)


@cli.command(
    "import",
    cls=_Command,
    short_help="Copy packages from a folder, a bucket, another repository or an OCI registry.",
    epilog="""\b
Examples:
  chartrepo import /var/chartmuseum --storage ./data
  chartrepo import s3://old-bucket/charts --to team/app
  chartrepo import s3://old/charts --source-endpoint https://minio:9000 --source-profile old
  chartrepo import https://charts.example.com --username ci --password-file ./password
  chartrepo import oci://harbor.example.com/project --username ci --password-file ./password""",
)
@click.argument("source")
@click.option("--to", "repository", metavar="REPO", default="", help="Repository to import into.  [the root]")
@click.option("--username", metavar="USER", default="", help="User name for SOURCE, when it is a URL.")
@click.option(
    "--password-file",
    type=click.Path(dir_okay=False, allow_dash=True, path_type=Path),
    metavar="FILE",
    help="File that holds the password for SOURCE; - reads it from standard input.",
)
@click.option("--plain-http", is_flag=True, help="Ask an OCI registry without encryption.")
@click.option("--source-endpoint", metavar="URL", default="", help="S3 service of SOURCE.  [as s3_endpoint]")
@click.option("--source-region", metavar="REGION", default="", help="Region of SOURCE's bucket.  [as s3_region]")
@click.option("--source-profile", metavar="NAME", default="", help="Profile of AWS's own files to read SOURCE with.")
@click.option(
    "--jobs", type=click.IntRange(1, 64), metavar="N", default=8, show_default=True, help="Packages at a time."
)
@click.option("--json", "as_json", is_flag=True, help="Print the outcome as one JSON document.")
@_configured(*_DATA)
def import_(
    configuration: Configuration,
    *,
    source: str,
    repository: str,
    username: str,
    password_file: Path | None,
    plain_http: bool,
    source_endpoint: str,
    source_region: str,
    source_profile: str,
    jobs: int,
    as_json: bool,
) -> None:
    """Copy packages from SOURCE into the storage, with their provenance and their time of publication.

    SOURCE is a folder, an S3 prefix (s3://bucket/prefix), the URL of a chart repository, or the charts in and below a
    repository of an OCI registry (oci://host/project). The repositories below a folder, a prefix or a project are
    kept. Servers may run meanwhile.

    A version that is there already stays as it is, so an import that was broken off is taken up by running it again.
    What Helm accepts is taken, also where an upload of it would be refused; it is listed then. What is refused, or
    could not be read, is listed with the reason, and the exit status is 1. It is 2 when the import could not be made.
    """
    _quiet_logging(configuration)
    from chartrepo.cli.importing import Origin, run_import  # noqa: PLC0415 - see the module's docstring

    origin = Origin(
        source,
        username=username,
        password=_password(username, password_file),
        plain_http=plain_http,
        endpoint=source_endpoint,
        region=source_region,
        profile=source_profile,
    )
    sys.exit(run_import(configuration.settings, origin, to=repository, jobs=jobs, as_json=as_json))


def _password(username: str, file: Path | None) -> str:
    if file is not None:
        with click.open_file(str(file), encoding="utf-8") as opened:
            text: str = opened.read()
        return text.removesuffix("\n").removesuffix("\r")
    if not username:
        return ""
    if not sys.stdin.isatty():
        raise click.UsageError("--username needs --password-file; - reads it from standard input")
    password: str = click.prompt("Password", hide_input=True, err=True)
    return password


@cli.command(cls=_Command, short_help="Read every package again, and put the catalog right.")
@_configured(*_DATA)
def reindex(configuration: Configuration) -> None:
    """Read every package again, and put right what the catalog says otherwise. Where there is none, it is built.

    It is never needed after a crash: the server brings the catalog in line by itself. Servers may run meanwhile, and
    their readers notice nothing but the corrections.
    """
    _quiet_logging(configuration)
    from chartrepo.cli.maintenance import run_reindex  # noqa: PLC0415 - see the module's docstring

    run_reindex(configuration.settings)


@cli.command(cls=_Command, short_help="Read every package and compare it with the catalog.")
@click.option("--policy", is_flag=True, help="Also find what breaks a policy, though it may be served.")
@click.option("--json", "as_json", is_flag=True, help="Print the findings as one JSON document.")
@_configured(*_DATA)
def check(configuration: Configuration, *, policy: bool, as_json: bool) -> None:
    """Read every package, and compare it with its provenance and with the catalog. Nothing is changed.

    What cannot be served is listed with the reason. Servers may run meanwhile. With --policy and --policies FILE one
    sees before a file is in force what it would change.

    The exit status is 0 when all is well, 1 when something was found, 2 when the check could not be made.
    """
    _quiet_logging(configuration)
    from chartrepo.cli.maintenance import run_check  # noqa: PLC0415 - see the module's docstring

    sys.exit(run_check(configuration.settings, policies=policy, as_json=as_json))


class _Duration(click.ParamType[float]):
    """A span of time, as in settings."""

    name = "duration"

    def convert(self, value: Any, param: click.Parameter | None, ctx: click.Context | None) -> float:
        """Read it."""
        if isinstance(value, float):
            return value
        kind = kinds.duration(0, 3650 * 86400)
        try:
            return kind.parse(str(value))
        except ValueError:
            self.fail(f"{value!r} is not {kind.expected}", param, ctx)


@cli.command(cls=_Command, short_help="Remove what came through OCI and nothing needs.")
@click.option("--dry-run", is_flag=True, help="Change nothing, and say what would be removed.")
@click.option(
    "--grace",
    type=_Duration(),
    metavar="DURATION",
    default="24h",
    help="How old something has to be, and how long a blob stays condemned before it is removed.  [24h]",
)
@click.option("--untagged", is_flag=True, help="Also remove manifests that no tag leads to.")
@click.option("--json", "as_json", is_flag=True, help="Print what came of it as one JSON document.")
@_configured(*_DATA)
def gc(configuration: Configuration, *, dry_run: bool, grace: float, untagged: bool, as_json: bool) -> None:
    """Remove blobs that no manifest needs, and manifests and tags whose chart is gone. Servers may run meanwhile.

    A blob is first condemned: it is as if it were not there, so that whoever needs it sends it again, which saves it.
    What is still condemned when the grace is over is removed by the next gc. So run it regularly, as once a day.

    Packages are never removed, nor is what belongs to them.
    """
    _quiet_logging(configuration)
    from chartrepo.cli.maintenance import run_gc  # noqa: PLC0415 - see the module's docstring

    run_gc(configuration.settings, dry_run=dry_run, grace=grace, untagged=untagged, as_json=as_json)


@cli.command(
    short_help="Write a static index.yaml, as `helm repo index` does.",
    epilog="""\b
Example:
  chartrepo index ./charts --url https://charts.example.com""",
)
@click.argument("folder", metavar="DIR", type=click.Path(exists=True, file_okay=False, path_type=Path))
@click.option("--url", metavar="URL", default="", help="What the URLs of packages begin with.  [they are relative]")
@click.option(
    "--merge",
    type=click.Path(dir_okay=False, path_type=Path),
    metavar="FILE",
    help="An index whose entries are kept, where DIR does not have the same version.",
)
@click.option("--json", "as_json", is_flag=True, help="Write the index as JSON, which Helm reads faster.")
def index(*, folder: Path, url: str, merge: Path | None, as_json: bool) -> None:
    """Write DIR/index.yaml, as `helm repo index` does, for a static web server.

    It lists the packages in DIR and in the folders right below it. `created` is the time of a package's file, or what
    the merged index says of the very same package. Files that Helm does not load are left out and named.
    """
    from chartrepo.cli.maintenance import run_index  # noqa: PLC0415 - see the module's docstring

    run_index(folder, url=url, merge=merge, as_json=as_json)


@cli.command(
    cls=_Command,
    short_help="Tell what differs between two versions of a chart.",
    epilog="""\b
Examples:
  chartrepo diff app-1.0.0.tgz app-1.1.0.tgz
  chartrepo diff team/app/web 1.0.0 1.1.0 --storage /srv/charts
  chartrepo diff team/app/web ^1.0 latest --server https://charts.example.com
  chartrepo diff web 1.0.0 1.1.0 --server https://charts.example.com --username ci --password-file ./token --json""",
)
@click.argument("compared", metavar="A.tgz B.tgz | REPOSITORY/CHART FROM TO", nargs=-1)
@click.option("--server", metavar="URL", default="", help="The server that has the versions.  [the storage itself]")
@click.option("--username", metavar="USER", default="", help="User name for the server; any beside a token.")
@click.option(
    "--password-file",
    type=click.Path(dir_okay=False, allow_dash=True, path_type=Path),
    metavar="FILE",
    help="File that holds the password or the token; - reads it from standard input.",
)
@click.option(
    "--only",
    type=click.Choice(["summary", "values", "dependencies", "chart", "crds", "templates", "readme", "files"]),
    multiple=True,
    help="Print this part alone. May be given several times.",
)
@click.option("--ignore-space", is_flag=True, help="Take lines that differ in nothing but white space for the same.")
@click.option("--json", "as_json", is_flag=True, help="Print what differs as one JSON document.")
@_configured(*_DATA)
def diff(
    configuration: Configuration,
    *,
    compared: tuple[str, ...],
    server: str,
    username: str,
    password_file: Path | None,
    only: tuple[str, ...],
    ignore_space: bool,
    as_json: bool,
) -> None:
    """Tell what differs between two packages, or between two versions of a chart: values, templates, and the rest.

    FROM and TO are versions, `latest`, or ranges. They are looked for on a server with --server, else in the storage of
    the settings. Nothing is rendered, and no Helm is needed.

    The exit status is that of diff: 0 when nothing differs, 1 when something does, 2 when they could not be compared.
    """
    _quiet_logging(configuration)
    from chartrepo.cli.differing import Asked, run_diff  # noqa: PLC0415 - see the module's docstring

    if server and len(compared) != _CHART_AND_TWO_VERSIONS:
        raise click.UsageError("--server needs REPOSITORY/CHART FROM TO")
    if (username or password_file is not None) and not server:
        raise click.UsageError("--username and --password-file are for --server")
    match compared:
        case (old, new):
            asked = Asked(files=(Path(old), Path(new)))
        case (path, old, new):
            repository, chart = _ChartPath().convert(path, None, click.get_current_context())
            password = _password(username, password_file) if server else ""
            asked = Asked((repository, chart, old, new), server=server, username=username, password=password)
        case _:
            raise click.UsageError("name two packages, or REPOSITORY/CHART FROM TO")
    sys.exit(run_diff(configuration.settings, asked, only=only, ignore_space=ignore_space, as_json=as_json))


@cli.command(cls=_Command, short_help="Show each effective setting and where it came from.")
@click.option("--json", "as_json", is_flag=True, help="Print a JSON object: name to value and source.")
@click.option("--example", is_flag=True, help="Print an annotated configuration file with every default instead.")
@_configured(*Section)
def config(configuration: Configuration, *, as_json: bool, example: bool) -> None:
    """Show each setting's effective value and where it came from. Takes the flags of `serve`; hides secrets."""
    if example:
        from chartrepo.reference import annotated_file  # noqa: PLC0415 - see the module's docstring

        click.echo(annotated_file(), nl=False)
        return
    rows = list(configuration.shown())
    if as_json:
        click.echo(json.dumps({name: {"value": value, "source": source} for name, value, source in rows}, indent=2))
        return
    names, values = (max(len(row[column]) for row in rows) for column in (0, 1))
    for name, value, source in rows:
        click.echo(f"{name:<{names}}  {value:<{values}}  {source}")


@cli.command(
    cls=_Command,
    short_help="Print who changed what, or tried to.",
    epilog="""\b
Examples:
  chartrepo audit --since 7d --repository team/app --storage /srv/charts
  chartrepo audit --outcome refused --limit 1000 | jq -r .caller | sort | uniq -c""",
)
@click.option("--since", metavar="MOMENT", default="30d", show_default=True, help="As 12h, 2026-01-31 or with a time.")
@click.option("--until", metavar="MOMENT", help="The same; what was later is left out.")
@click.option("--caller", metavar="CALLER", help="As rules name callers: user:ada, token:ci, anonymous.")
@click.option("--repository", metavar="REPO", help="Its name; empty for the root.")
@click.option("--chart", metavar="NAME", help="Name of the chart.")
@click.option("--action", metavar="ACTION", help="As publish, overwrite, delete, log-in, create-token.")
@click.option("--outcome", metavar="OUTCOME", help="done, unchanged, refused or failed.")
@click.option("--limit", type=click.IntRange(1), metavar="N", default=100, show_default=True, help="Records at most.")
@_configured(*_DATA)
def audit(configuration: Configuration, *, limit: int, **asked: str | None) -> None:
    """Print audit records, the newest first, a line of JSON each.

    They are those of all servers of the storage, and what waits in `state_dir` for its way there.
    """
    _quiet_logging(configuration)
    from chartrepo.cli.auditing import run_audit  # noqa: PLC0415 - see the module's docstring

    run_audit(configuration.settings, {name: value for name, value in asked.items() if value is not None}, limit=limit)


@cli.group(short_help="Look after the catalog.")
def catalog() -> None:
    """Look after the catalog, the database that is derived from the packages."""


@catalog.command(cls=_Command)
@_configured(*_DATA)
def prune(configuration: Configuration) -> None:
    """Drop catalogs that other releases of chartrepo left behind, once none of their servers runs any more."""
    _quiet_logging(configuration)
    from chartrepo.cli.maintenance import run_prune  # noqa: PLC0415 - see the module's docstring

    run_prune(configuration.settings)


class _CallerName(click.ParamType[str]):
    """Somebody, as a rule names callers; without a kind it is a user."""

    name = "caller"

    def convert(self, value: Any, param: click.Parameter | None, ctx: click.Context | None) -> str:
        """Read it."""
        text = str(value)
        if text.startswith("{"):  # claims, which are read where the issuers are known
            return text
        try:
            return check_caller(text if ":" in text or text in {ANYBODY, KNOWN} else f"user:{text}")
        except ChartrepoError as error:
            self.fail(str(error), param, ctx)


class _ChartPath(click.ParamType[tuple[str, str]]):
    """A repository and a chart in it; the root repository has no name."""

    name = "chart"

    def convert(self, value: Any, param: click.Parameter | None, ctx: click.Context | None) -> tuple[str, str]:
        """Read it."""
        repository, slash, chart = str(value).rpartition("/")
        if not chart or "*" in chart or (slash and not repository):
            self.fail(
                f"{value!r} names no chart: write one as team/app/web, or web where it is in the root", param, ctx
            )
        try:
            return check_repository(repository), chart
        except ChartrepoError as error:
            self.fail(str(error), param, ctx)


@cli.group(short_help="Look into who may do what.")
def permissions() -> None:
    """Look into who may do what, by the rules and users of the files and by what the settings say."""


@permissions.command(
    cls=_Command,
    short_help="Say whether somebody may do something, and by which rule.",
    epilog="""\b
Examples:
  chartrepo permissions explain --as ada publish team/app/web
  chartrepo permissions explain --as group:platform delete team/app/web
  chartrepo permissions explain --as '{issuer: github, repository: a/b}' publish web
  chartrepo permissions explain read web""",
)
@click.argument("action", type=click.Choice([each.value for each in Action]))
@click.argument("chart", type=_ChartPath(), metavar="REPOSITORY/CHART")
@click.option(
    "--as",
    "caller",
    type=_CallerName(),
    metavar="CALLER",
    default=ANYBODY,
    show_default=True,
    help="Who would do it, as a rule names callers: ada is user:ada, group:web is somebody in that group alone, "
    "{issuer: github, ...} a workload of which just that is so.",
)
@_configured(Section.ACCESS, Section.STORAGE, Section.S3)
def explain(configuration: Configuration, *, action: str, chart: tuple[str, str], caller: str) -> None:
    """Say whether somebody may do something with a chart, and which rule allows it.

    Where nothing allows it, the least rule that would is printed, to be pasted into the file. The chart need not be
    there. A user is in the groups that the file says. What a token may do by itself is read from the storage.

    The exit status is 0 when it is allowed, 1 when it is not, 2 when that could not be found out.
    """
    _quiet_logging(configuration)
    from chartrepo.cli.permissions import run_explain  # noqa: PLC0415 - see the module's docstring

    repository, name = chart
    wanted = Action(action)
    sys.exit(run_explain(configuration.settings, caller=caller, action=wanted, repository=repository, chart=name))


@permissions.command(
    "check",
    cls=_Command,
    short_help="Look for mistakes in the files of rules and users.",
    epilog="""\b
Example, before new rules go to a server:
  chartrepo permissions check --strict --permissions ./permissions.yaml --htpasswd ./htpasswd""",
)
@click.option("--strict", is_flag=True, help="Take a rule that does nothing for a mistake, and end with 1.")
@_configured(Section.ACCESS)
def check_permissions(configuration: Configuration, *, strict: bool) -> None:
    """Read the files of rules and users that the settings name, and tell of all that is wrong.

    What in them does nothing is told of too: rules for users and groups that are not there, patterns that match
    nothing, rules that others make needless.

    The exit status is 0 when the files can be used, 1 when not, 2 when the settings are wrong.
    """
    _quiet_logging(configuration)
    from chartrepo.cli.permissions import run_check  # noqa: PLC0415 - see the module's docstring

    sys.exit(run_check(configuration.settings, strict=strict))


@cli.group(short_help="Make tokens for machines, and revoke them.")
def token() -> None:
    """Make tokens for machines, list and revoke them, on the storage itself. Servers may run meanwhile.

    A token is sent as `Authorization: Bearer`, or as the password beside any user name.
    """


@token.command(
    cls=_Command,
    short_help="Make a token, and print it this once.",
    epilog="""\b
Examples:
  chartrepo token create --name ci --allow read:team/** --allow publish:team/** --storage /srv/charts
  chartrepo token create --name deploy --allow read:** --expires never > token""",
)
@click.option("--name", metavar="NAME", required=True, help="By which rules name it: token:NAME.")
@click.option(
    "--allow",
    metavar="ACTION:PATTERN",
    multiple=True,
    help="What it may do, beside what rules give to it, as publish:team/**. May be given several times.",
)
@click.option(
    "--expires", metavar="DURATION", default="90d", show_default=True, help="When it ends, as 12h or 90d; or never."
)
@_configured(*_DATA, Section.ACCESS)
def create(configuration: Configuration, *, name: str, allow: tuple[str, ...], expires: str) -> None:
    """Make a token, and print it on standard output, and nothing else there. Nobody can find it out later.

    Actions are read, publish, overwrite, delete and admin; patterns are those of rules. It is known to running servers
    at once. Run this as the user that the server runs as, so that it can read what is written.
    """
    _quiet_logging(configuration)
    from chartrepo.cli.tokens import run_create  # noqa: PLC0415 - see the module's docstring

    run_create(configuration.settings, name=name, allow=allow, expires=expires)


@token.command("list", cls=_Command, short_help="List all tokens, without their secrets.")
@click.option("--json", "as_json", is_flag=True, help="Print the tokens as one JSON document.")
@_configured(*_DATA, Section.ACCESS)
def list_(configuration: Configuration, *, as_json: bool) -> None:
    """List all tokens: what they may do, when they expire, and when they were used last, to within an hour."""
    _quiet_logging(configuration)
    from chartrepo.cli.tokens import run_list  # noqa: PLC0415 - see the module's docstring

    run_list(configuration.settings, as_json=as_json)


@token.command(cls=_Command, short_help="Revoke a token.")
@click.argument("name_or_id", metavar="NAME_OR_ID")
@_configured(*_DATA, Section.ACCESS)
def revoke(configuration: Configuration, *, name_or_id: str) -> None:
    """Revoke the tokens of a name, or the one of an id. All servers refuse it within 10 seconds."""
    _quiet_logging(configuration)
    from chartrepo.cli.tokens import run_revoke  # noqa: PLC0415 - see the module's docstring

    run_revoke(configuration.settings, name_or_id=name_or_id)


@token.command("rotate-keys", cls=_Command, short_help="Make a new key that signs registry tokens.")
@click.option("--forget", is_flag=True, help="Forget the old keys: whoever logged in to the registry logs in again.")
@_configured(*_DATA)
def rotate_keys(configuration: Configuration, *, forget: bool) -> None:
    """Make a new key that signs what clients of the registry get when they log in.

    API tokens are not signed, and stay as they are. All servers have the new key at once; forgotten ones are believed
    nowhere within 10 seconds.
    """
    _quiet_logging(configuration)
    from chartrepo.cli.tokens import run_rotate  # noqa: PLC0415 - see the module's docstring

    run_rotate(configuration.settings, forget=forget)


@cli.command(
    short_help="Print the script for completion in your shell.",
    epilog="""\b
Examples:
  echo 'eval "$(chartrepo completion bash)"' >> ~/.bashrc
  echo 'eval "$(chartrepo completion zsh)"' >> ~/.zshrc
  chartrepo completion fish > ~/.config/fish/completions/chartrepo.fish""",
)
@click.argument("shell", type=click.Choice(["bash", "zsh", "fish"]))
def completion(shell: str) -> None:
    """Print the script that completes commands, flags and their values in SHELL."""
    from click.shell_completion import get_completion_class  # noqa: PLC0415 - see the module's docstring

    completer = get_completion_class(shell)
    if completer is None:
        raise click.UsageError(f"there is no completion for {shell}")
    click.echo(completer(cli, {}, "chartrepo", "_CHARTREPO_COMPLETE").source())


def main() -> None:
    """Run the command line, and end the process with its exit status."""
    cli(prog_name="chartrepo")
