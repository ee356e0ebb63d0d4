"""What the server says when it starts."""

from chartrepo.assembly import public_url
from chartrepo.catalog import Catalog
from chartrepo.kinds import CATALOG, is_loopback
from chartrepo.settings import Settings
from chartrepo.wording import counted


def greeting(settings: Settings, *, url: str, storage: str, admin_url: str | None, safe: bool) -> str:
    """Return the lines that say where the server is, what it serves, who may write, and what to type next."""
    address = public_url(settings) or url
    login = " --username ... --password ..." if settings.basic_auth_user and not settings.auth_anonymous_get else ""
    lines = [
        f"chartrepo serves {address}/",
        f"  storage   {storage}",
        f"  catalog   {CATALOG.hide(settings.catalog)}",
        f"  writing   {_writers(settings)}",
        f"  reading   {_readers(settings)}",
    ]
    if admin_url is not None:
        lines.append(f"  health and metrics at {admin_url}/")
    if not safe:
        lines.append(
            "  warning   the store ignores conditional writes: uploads are refused until single_writer is true, or the "
            "catalog is PostgreSQL"
        )
    lines.append(f"  add it    helm repo add my-charts {address}{login}")
    return "\n".join(lines)


def _writers(settings: Settings) -> str:
    if settings.basic_auth_user:
        return f"user {settings.basic_auth_user!r}, with the password"
    if settings.open_writes:
        return "open to every program on this machine (--open-writes), for trying things out"
    return "nobody: set basic_auth_user and basic_auth_password to let a credential write"


def _readers(settings: Settings) -> str:
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
