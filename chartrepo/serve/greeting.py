"""What the server says when it starts."""

import shlex

from chartrepo.assembly import public_url
from chartrepo.catalog import Catalog, sqlite_file
from chartrepo.kinds import CATALOG, Folder, is_loopback
from chartrepo.settings import Settings
from chartrepo.wording import counted


def greeting(settings: Settings, *, url: str, listening: str, storage: str, admin_url: str | None, safe: bool) -> str:
    """Return the lines that say where the server is, what it serves, who may write, and what to type next.

    Args:
        settings: of the server.
        url: its address as seen from this machine.
        listening: what it is bound to, as from `listener.address`.
        storage: where packages lie, for people.
        admin_url: the address of the listener for health and metrics; None where there is none.
        safe: whether it takes uploads, as far as that is for the storage to say.
    """
    address = public_url(settings) or url
    lines = [f"chartrepo serves {address}/"]
    if listening not in address:
        lines.append(f"  listening {listening}")
    lines += [
        f"  storage   {storage}",
        f"  catalog   {_catalog(settings)}",
        f"  writing   {_writers(settings)}",
        f"  reading   {_readers(settings)}",
    ]
    if admin_url is not None:
        lines.append(f"  admin     {admin_url}/ (health and metrics)")
    if not safe:
        lines.append(
            "  warning   the store ignores conditional writes: uploads are refused until single_writer is true, or the "
            "catalog is PostgreSQL"
        )
    if settings.bearer_auth and not (settings.auth_issuer and settings.auth_audience):
        lines.append(
            "  warning   bearer_auth takes tokens for any audience, and of any issuer that has the key: set "
            "auth_audience and auth_issuer"
        )
    if settings.storage_redirect and isinstance(settings.storage, Folder):
        lines.append("  warning   storage_redirect does nothing: only a bucket has URLs to redirect to")
    lines.append(f"  add it    helm repo add my-charts {address}{_pass(settings)}{_login(settings)}")
    return "\n".join(lines)


def _catalog(settings: Settings) -> str:
    file = sqlite_file(settings.catalog)
    return f"file {file}" if file is not None else CATALOG.hide(settings.catalog)


def _pass(settings: Settings) -> str:
    """Return what lets a client in at all."""
    return " --cert-file ... --key-file ..." if settings.tls_client_ca is not None else ""


def _login(settings: Settings) -> str:
    if not settings.basic_auth_user or settings.auth_anonymous_get:
        return ""
    return f" --username {shlex.quote(settings.basic_auth_user)} --password ..."


def _writers(settings: Settings) -> str:
    known = _known(settings)
    if known:
        return known + (", as far as the rules allow" if settings.permissions else "")
    if settings.open_writes:
        return "open to every program on this machine (--open-writes), for trying things out"
    return "nobody: set basic_auth_user and basic_auth_password to let a credential write"


def _known(settings: Settings) -> str:
    """Return who can be known, and how, in words; empty for nobody."""
    names = [name for name in (settings.basic_auth_user, "admin" if settings.admin_password else "") if name]
    known = [f"user {name!r}" for name in names]
    if settings.htpasswd is not None:
        known.append(f"the users of {settings.htpasswd}")
    how = [f"{' and '.join(known)}, with a password"] if known else []
    if settings.bearer_auth:
        how.append(f"who has a token under the key of {settings.auth_cert_path}")
    if settings.permissions and not how:
        how.append(f"whom the issuers in {settings.permissions} make known")
    return ", or ".join(how)


def _readers(settings: Settings) -> str:
    if settings.permissions and not settings.auth_anonymous_get:
        return f"whom the rules of {settings.permissions} allow it"
    if settings.bearer_auth and not settings.auth_anonymous_get:
        return f"{_known(settings)} (auth_anonymous_get lets everybody)"
    if settings.basic_auth_user and not settings.auth_anonymous_get:
        return f"user {settings.basic_auth_user!r}, with the password (auth_anonymous_get lets everybody)"
    return "everybody on this machine" if is_loopback(settings.host) else "everybody who can reach it"


def found_in(catalog: Catalog) -> str:
    """Return a sentence that says what the catalog holds."""
    repositories = catalog.repositories()
    charts = sum(each.charts for each in repositories)
    versions = sum(each.versions for each in repositories)
    aside = len(catalog.set_aside())
    places = counted(len(repositories), "repository")
    found = f"found {counted(versions, 'version')} of {counted(charts, 'chart')} in {places}"
    return f"{found}, and {counted(aside, 'package')} set aside (see chartrepo check)" if aside else found
