"""Every setting once: its name, type, default and help.

The fields of `Settings` are the table; flags, the reader of environment and file, `config/chartrepo.yaml` and the
reference in the documentation are all made from it. Values are inert: nothing is opened or built here.
"""

from collections.abc import Callable, Mapping
from dataclasses import dataclass, field, fields, replace
from enum import StrEnum
from pathlib import Path
from typing import Any, Final, Literal, TypeVar

from chartrepo import kinds
from chartrepo.kinds import Bucket, Folder, Kind

T = TypeVar("T")

PREFIX: Final = "CHARTREPO_"
_METADATA: Final = "setting"


class Section(StrEnum):
    """The headings that settings stand under."""

    LISTENING = "Listening"
    STORAGE = "Storage"
    S3 = "S3"
    ACCESS = "Access"
    INDEX = "Index and packages"
    LIMITS = "Workers and limits"
    OPERATION = "Logs and metrics"


@dataclass(frozen=True, slots=True)
class Setting:
    """One row of the table.

    Attributes:
        name: as in the file; with dashes it is the flag, in capitals the variable.
        kind: how its text is read.
        section: the heading it stands under in help and documentation.
        help: what it does, one or two sentences without a full stop at the end.
        default: as text; for a derived default, words that tell it.
        derive: makes the default out of the settings that stand above in the table, or None.
        secret: never shown, and also readable from a file of its own.
        flag: whether there is a flag; a password has none, because others on the machine can read a command line.
    """

    name: str
    kind: Kind[Any]
    section: Section
    help: str
    default: str
    derive: Callable[[Mapping[str, Any]], Any] | None
    secret: bool
    flag: bool

    @property
    def option(self) -> str:
        """The flag: `--max-upload-size`."""
        return "--" + self.name.replace("_", "-")

    @property
    def variable(self) -> str:
        """The environment's name: `CHARTREPO_MAX_UPLOAD_SIZE`."""
        return PREFIX + self.name.upper()


def _setting(section: Section, kind: Kind[T], text: str, *, default: T, secret: bool = False, flag: bool = True) -> T:
    """A field of `Settings` with a fixed default."""
    setting = Setting("", kind, section, text, kind.show(default), None, secret, flag)
    return field(default=default, repr=not secret, metadata={_METADATA: setting})


def _derived(
    section: Section,
    kind: Kind[T],
    text: str,
    *,
    derive: Callable[[Mapping[str, Any]], T],
    told: str,
    secret: bool = False,
) -> T:
    """A field of `Settings` whose default comes from the fields above it; `told` says how."""
    setting = Setting("", kind, section, text, told, derive, secret, flag=True)
    derived: T = field(repr=not secret, metadata={_METADATA: setting})
    return derived


def _state_dir(values: Mapping[str, Any]) -> Path:
    storage = values["storage"]
    return (storage.path if isinstance(storage, Folder) else Path("data")) / ".chartrepo"


Encryption = Literal["AES256", "aws:kms"]
_ENCRYPTION: Final[Kind[Encryption]] = kinds.one_of("AES256", "aws:kms")


@dataclass(frozen=True, kw_only=True)
class Settings:
    """The effective value of every setting. Sizes are in bytes, durations in seconds."""

    host: str = _setting(
        Section.LISTENING,
        kinds.HOST,
        "Address to listen on; 0.0.0.0 or :: for all of this machine",
        default="127.0.0.1",
    )
    port: int = _setting(
        Section.LISTENING,
        kinds.PORT,
        "Port to listen on; 0 takes a free one",
        default=8080,
    )
    admin_host: str = _derived(
        Section.LISTENING,
        kinds.HOST,
        "Address of the listener for health and metrics",
        derive=lambda values: values["host"],
        told="as host",
    )
    admin_port: int | None = _setting(
        Section.LISTENING,
        kinds.optional(kinds.PORT),
        "Port of a second listener, for health and metrics alone; 0 takes a free one",
        default=None,
    )
    tls_cert: Path | None = _setting(  # noqa: RUF009 - it returns a field, made anew for each
        Section.LISTENING,
        kinds.optional(kinds.FILE),
        "PEM file of the server's certificate, and behind it those that signed it: the port then speaks HTTPS. This "
        "file and the next two are read again when they change",
        default=None,
    )
    tls_key: Path | None = _setting(  # noqa: RUF009 - it returns a field, made anew for each
        Section.LISTENING,
        kinds.optional(kinds.FILE),
        "PEM file of the key that goes with tls_cert, without a passphrase",
        default=None,
    )
    tls_client_ca: Path | None = _setting(  # noqa: RUF009 - it returns a field, made anew for each
        Section.LISTENING,
        kinds.optional(kinds.FILE),
        "PEM file of a CA's certificates: only clients with a certificate that it signed get in. A gate, not an "
        "identity: who may do what is for other settings",
        default=None,
    )
    context_path: str = _setting(
        Section.LISTENING,
        kinds.CONTEXT_PATH,
        "Path under which everything is served, as in http://host/charts",
        default="",
    )
    chart_url: str = _setting(
        Section.LISTENING,
        kinds.URL,
        "Public URL of this server: the index then names packages by absolute URLs "
        "(this, the context path, the repository); when empty they are relative, which is right behind most proxies",
        default="",
    )

    external_url: str = _setting(
        Section.LISTENING,
        kinds.URL,
        "Scheme and host that clients reach this server under, as https://charts.example.com: where clients of "
        "registries are sent for a token. When empty it is chart_url, else what a trusted proxy or the client says",
        default="",
    )

    storage: Folder | Bucket = _setting(  # noqa: RUF009 - it returns a field, made anew for each
        Section.STORAGE,
        kinds.STORAGE,
        "Where packages lie: a folder, or s3://bucket/prefix",
        default=Folder(Path("data")),
    )
    state_dir: Path = _derived(  # noqa: RUF009 - it returns a field, made anew for each
        Section.STORAGE,
        kinds.PATH,
        "Folder on a local disk for all that is not a package: the catalog, locks, uploads under way",
        derive=_state_dir,
        told="STORAGE/.chartrepo; ./data/.chartrepo when storage is a bucket",
    )
    catalog: str = _derived(
        Section.STORAGE,
        kinds.CATALOG,
        "Database of what the packages hold; it is rebuilt from storage when it is lost. "
        "PostgreSQL where several replicas must agree",
        derive=lambda values: f"sqlite:///{values['state_dir']}/catalog.sqlite",
        told="sqlite:///STATE_DIR/catalog.sqlite",
        secret=True,
    )
    sync_interval: float = _setting(
        Section.STORAGE,
        kinds.duration(0, 7 * 86400),
        "How often storage is compared with the catalog, to find packages put there by other hands; "
        "0 = only at start and on POST /api/sync",
        default=60.0,
    )
    policies: Path | None = _setting(  # noqa: RUF009 - it returns a field, made anew for each
        Section.STORAGE,
        kinds.optional(kinds.FILE),
        "YAML file of policies: what charts must be like to be published, who must have signed them, and whether "
        "versions are immutable; read again when it changes. The same for all servers of a storage",
        default=None,
    )
    single_writer: bool = _setting(
        Section.STORAGE,
        kinds.BOOLEAN,
        "Your word that no other server writes to this bucket; needed where the store ignores conditional writes "
        "and the catalog is not PostgreSQL",
        default=False,
    )

    s3_endpoint: str = _setting(
        Section.S3,
        kinds.URL,
        "URL of an S3-compatible store; empty for AWS",
        default="",
    )
    s3_region: str = _setting(
        Section.S3,
        kinds.text_of(r"[A-Za-z0-9-]{0,64}", "a region such as eu-central-1", "REGION"),
        "Region; when empty, the one of the AWS environment or profile, else us-east-1",
        default="",
    )
    s3_addressing: Literal["auto", "path", "virtual"] = _setting(
        Section.S3,
        kinds.one_of("auto", "path", "virtual"),
        "Where the bucket's name goes: into the path, into the host name (virtual), "
        "or by endpoint: path where s3_endpoint is set (auto)",
        default="auto",
    )
    s3_sse: Encryption | None = _setting(  # noqa: RUF009 - it returns a field, made anew for each
        Section.S3,
        kinds.optional(_ENCRYPTION),
        "Server-side encryption asked for with each object; off leaves it to the bucket's own rule",
        default=None,
    )
    s3_sse_kms_key: str = _setting(
        Section.S3,
        kinds.text_of(r"[A-Za-z0-9:/_.-]{0,2048}", "the id, alias or ARN of a KMS key", "KEY"),
        "KMS key for s3_sse; empty for the account's default key",
        default="",
    )
    s3_connect_timeout: float = _setting(
        Section.S3,
        kinds.duration(0.1, 300),
        "How long a connection to the store may take",
        default=5.0,
    )
    s3_read_timeout: float = _setting(
        Section.S3,
        kinds.duration(0.1, 900),
        "How long the store may be silent in an answer",
        default=10.0,
    )
    storage_redirect: bool = _setting(
        Section.S3,
        kinds.BOOLEAN,
        "Answer a package download with a redirect to a presigned URL of the store, instead of streaming it. "
        "The bytes then come unchecked, and clients must reach the store",
        default=False,
    )
    redirect_expires: float = _setting(
        Section.S3,
        kinds.duration(1, 7 * 86400),
        "How long a presigned URL works; the store's own limit is 7 days",
        default=300.0,
    )

    basic_auth_user: str = _setting(
        Section.ACCESS,
        kinds.text_of("[^:]*", "a user name without a colon", "USER"),
        "User name for every route but the health checks; without it the server is read-only",
        default="",
    )
    basic_auth_password: str = _setting(
        Section.ACCESS,
        kinds.text_of(".*", "a password", "PASSWORD"),
        "Password that goes with basic_auth_user",
        default="",
        secret=True,
        flag=False,
    )
    auth_anonymous_get: bool = _setting(
        Section.ACCESS,
        kinds.BOOLEAN,
        "Let everybody read, and ask for the credential only to write",
        default=False,
    )
    admin_password: str = _setting(
        Section.ACCESS,
        kinds.text_of(".*", "a password", "PASSWORD"),
        "Password of the user admin, who may do everything; empty for no such user",
        default="",
        secret=True,
        flag=False,
    )
    htpasswd: Path | None = _setting(  # noqa: RUF009 - it returns a field, made anew for each
        Section.ACCESS,
        kinds.optional(kinds.FILE),
        "File of users and their hashed passwords (bcrypt or argon2), as `htpasswd -B` makes it; read again when it "
        "changes",
        default=None,
    )
    permissions: Path | None = _setting(  # noqa: RUF009 - it returns a field, made anew for each
        Section.ACCESS,
        kinds.optional(kinds.FILE),
        "YAML file of rules: who may read, publish, overwrite and delete which charts, and whose identity tokens are "
        "believed; read again when it changes. Without it every user may do all of that",
        default=None,
    )
    bearer_auth: bool = _setting(
        Section.ACCESS,
        kinds.BOOLEAN,
        "Take the bearer tokens that ChartMuseum takes, signed with RS256, which say themselves what they allow",
        default=False,
    )
    auth_cert_path: Path | None = _setting(  # noqa: RUF009 - it returns a field, made anew for each
        Section.ACCESS,
        kinds.optional(kinds.FILE),
        "Public key, or certificate, that tokens of bearer_auth are signed under, as PEM; read again when it changes",
        default=None,
    )
    auth_realm: str = _setting(
        Section.ACCESS,
        kinds.text_of(r"[\x21\x23-\x5b\x5d-\x7e]*", "a URL without blanks, quotes and backslashes", "URL"),
        "Where clients get a token for bearer_auth, as the challenge says",
        default="",
    )
    auth_service: str = _setting(
        Section.ACCESS,
        kinds.text_of(r"[\x20\x21\x23-\x5b\x5d-\x7e]*", "a name without quotes and backslashes", "NAME"),
        "What this server is called where clients get a token for bearer_auth, as the challenge says",
        default="",
    )
    auth_issuer: str = _setting(
        Section.ACCESS,
        kinds.text_of(".*", "the name of an issuer", "NAME"),
        "What tokens of bearer_auth must have under iss; when empty that is not looked at, as in ChartMuseum",
        default="",
    )
    auth_audience: str = _setting(
        Section.ACCESS,
        kinds.text_of(".*", "the name of an audience", "NAME"),
        "What tokens of bearer_auth must have under aud; when empty that is not looked at, as in ChartMuseum",
        default="",
    )
    trusted_proxies: tuple[kinds.Network, ...] = _setting(
        Section.ACCESS,
        kinds.NETWORKS,
        "Proxies whose X-Forwarded-For is believed, by address or network. Wrong passwords are counted by the caller's "
        "address, which is a proxy's own for all callers where it is not named here",
        default=(),
    )
    cors_allow_origin: tuple[str, ...] = _setting(
        Section.ACCESS,
        kinds.ORIGINS,
        "Sites whose pages may read from here in a browser (CORS), as https://portal.example.com, or * for all; such a "
        "page brings its own credential, and never writes",
        default=(),
    )
    session_expires: float = _setting(
        Section.ACCESS,
        kinds.duration(60, 30 * 86400),
        "How long somebody stays signed in to the pages, from signing in",
        default=43200.0,
    )
    open_writes: bool = _setting(
        Section.ACCESS,
        kinds.BOOLEAN,
        "Let everybody on this machine write without a credential, for trying things out; needs a loopback host",
        default=False,
    )

    allow_overwrite: Literal["never", "force", "always"] = _setting(
        Section.INDEX,
        kinds.one_of("never", "force", "always"),
        "Whether a published version may be replaced: not at all, when the upload says ?force, or by any upload",
        default="force",
    )
    allow_delete: bool = _setting(
        Section.INDEX,
        kinds.BOOLEAN,
        "Let packages be deleted over the network. When this is false and allow_overwrite is never, "
        "a package cannot change, and caches are told to keep it for good",
        default=True,
    )
    oci_prefix: str = _derived(
        Section.INDEX,
        kinds.text_of(r"([a-z0-9]+((\.|_|__|-+|/)[a-z0-9]+)*)?", "a name as team/app, in small letters", "NAME"),
        "What comes before the repository in OCI names, as charts in oci://host/charts/app; empty for nothing",
        derive=lambda values: values["context_path"].strip("/").lower(),
        told="as context_path",
    )
    oci_artifacts: Literal["any", "charts"] = _setting(
        Section.INDEX,
        kinds.one_of("any", "charts"),
        "What may be pushed through OCI: any artifact, or charts and what is about one (signatures, SBOMs)",
        default="any",
    )
    oci_upload_expires: float = _setting(
        Section.LIMITS,
        kinds.duration(60, 30 * 86400),
        "How long an upload of an OCI blob can be gone on with, from its beginning",
        default=86400.0,
    )
    index_format: Literal["auto", "yaml", "json"] = _setting(
        Section.INDEX,
        kinds.one_of("auto", "yaml", "json"),
        "Form of index.yaml: JSON (which is YAML too, and Helm reads it 4-5 times faster) to Helm 3.13 and newer and "
        "YAML to others (auto), or one of them to all, for caches that ignore Vary",
        default="auto",
    )
    publish_index: bool = _setting(
        Section.INDEX,
        kinds.BOOLEAN,
        "Also write index.yaml beside the packages, so that a plain web server or the bucket can serve them alone",
        default=False,
    )
    artifacthub_repository_id: str = _setting(
        Section.INDEX,
        kinds.text_of(r"[A-Za-z0-9-]{0,64}", "an id of letters, digits and -", "ID"),
        "repositoryID in artifacthub-repo.yml, which proves to Artifact Hub that the repository is yours; "
        "when empty there is no such file",
        default="",
    )

    server: Literal["gunicorn", "granian"] = _setting(
        Section.LIMITS,
        kinds.one_of("gunicorn", "granian"),
        "HTTP server that runs the workers; granian is the faster one and comes with chartrepo[granian]. "
        "It sets no limit to the time a body takes: see upload_timeout",
        default="gunicorn",
    )
    workers: int = _setting(
        Section.LIMITS,
        kinds.whole(1, 1024),
        "Worker processes; one for each core is a good start",
        default=2,
    )
    threads: int = _setting(
        Section.LIMITS,
        kinds.whole(1, 1024),
        "Requests that one worker handles at a time. Half of them may be uploads; half of the rest wait up to 30 s for "
        "their turn, others get 503",
        default=8,
    )
    max_upload_size: int = _setting(
        Section.LIMITS,
        kinds.SIZE,
        "Largest body of an upload; 413 as soon as it is passed",
        default=20 * 2**20,
    )
    max_blob_size: int | None = _setting(
        Section.LIMITS,
        kinds.optional(kinds.SIZE),
        "Largest blob of an OCI artifact, which max_upload_size does not bound; 413 as soon as it is passed. off takes "
        "any size that the storage has room for",
        default=None,
    )
    upload_timeout: float = _setting(
        Section.LIMITS,
        kinds.duration(1, 86400),
        "How long a client may take to send the body of an upload. A blob of an OCI artifact gets a second more for "
        "each 128 KiB that came. Under granian a client that stalls in the middle holds its thread until it leaves: "
        "there the limit is for the proxy in front",
        default=300.0,
    )
    keepalive: float = _setting(
        Section.LIMITS,
        kinds.duration(0, 3600),
        "How long an idle connection is kept; longer than the proxy in front keeps its own",
        default=75.0,
    )
    graceful_timeout: float = _setting(
        Section.LIMITS,
        kinds.duration(0, 3600),
        "How long requests under way may still take after SIGTERM",
        default=30.0,
    )

    log_format: Literal["text", "json"] = _setting(
        Section.OPERATION,
        kinds.one_of("text", "json"),
        "Logs as readable lines, or one JSON object a line",
        default="text",
    )
    log_level: Literal["debug", "info", "warning", "error"] = _setting(
        Section.OPERATION,
        kinds.one_of("debug", "info", "warning", "error"),
        "The least of what is logged",
        default="info",
    )
    access_log: bool = _setting(
        Section.OPERATION,
        kinds.BOOLEAN,
        "Log a line of level info for each request",
        default=True,
    )
    metrics: bool = _setting(
        Section.OPERATION,
        kinds.BOOLEAN,
        "Serve /metrics for Prometheus: beside the charts, or on the listener of admin_port alone where there is one",
        default=True,
    )
    audit: bool = _setting(
        Section.OPERATION,
        kinds.BOOLEAN,
        "Keep a record of each publish, overwrite and delete, of each try that was refused, and of tokens that were "
        "made or revoked",
        default=True,
    )
    audit_keep: float | None = _setting(
        Section.OPERATION,
        kinds.optional(kinds.duration(86400, 3650 * 86400), "forever"),
        "How long audit records are kept",
        default=400 * 86400.0,
    )
    audit_stdout: bool = _setting(
        Section.OPERATION,
        kinds.BOOLEAN,
        "Write audit records to standard output as well, a line of JSON each",
        default=False,
    )
    pulls: bool = _setting(
        Section.OPERATION,
        kinds.BOOLEAN,
        "Count how often each version of a chart is pulled, and when it was last",
        default=True,
    )
    icons: Literal["off", "fetch"] = _setting(
        Section.OPERATION,
        kinds.one_of("off", "fetch"),
        "Whether icons of charts that lie elsewhere are fetched, once and from the public internet alone; those inside "
        "of packages are shown in any case",
        default="off",
    )


TABLE: Final[tuple[Setting, ...]] = tuple(
    replace(each.metadata[_METADATA], name=each.name) for each in fields(Settings)
)
"""Every setting, in the order of help and documentation."""
