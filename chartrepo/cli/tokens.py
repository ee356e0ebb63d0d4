"""`chartrepo token create`, `list` and `revoke`: on the storage itself, whether or not a server runs."""

import json
import time
from collections.abc import Sequence
from dataclasses import replace
from typing import Final

from chartrepo import assembly
from chartrepo.access import Tokens
from chartrepo.access.tokens import Listed, Listing, described, parse_lifetime
from chartrepo.cli.auditing import done, recording
from chartrepo.cli.console import remark, say, say_rows
from chartrepo.core.audit import Deed
from chartrepo.core.errors import TokenUnknown
from chartrepo.core.index import timestamp
from chartrepo.core.messages import shown
from chartrepo.kinds import Folder
from chartrepo.settings import Settings
from chartrepo.wording import counted
from storage.base import Misconfigured

_MAKER: Final = "chartrepo token create"
"""Whoever may write to the storage is not asked for a name."""


def run_create(settings: Settings, *, name: str, allow: Sequence[str], expires: str) -> None:
    """Make a token, and print its text and nothing else on standard output.

    Args:
        settings: which say where the storage is.
        name: of the token.
        allow: what it may do, each as `publish:team/**`.
        expires: when, as `90d`, or `never`.

    Raises:
        ChartrepoError, StorageError: it was not made; the message is for people.
    """
    lifetime = parse_lifetime(expires)
    storage = settings.storage
    new = storage.path if isinstance(storage, Folder) and not storage.path.is_dir() else None
    made = assembly.tokens(settings, assembly.prepare(settings, writable=True))
    if made is None:
        raise Misconfigured("there is no folder for the server's state beside the packages: let it be made")
    with recording(settings) as tell:
        text, token = made.create(name, allow, lifetime=lifetime, made_by=_MAKER)
        may = described(token)
        tell(replace(done(Deed.CREATE_TOKEN), kind="token", token=name, token_id=token.id, detail=may))
    remark(f"token:{name} {may}. It is shown this once:")
    say(text)
    if new is not None:
        remark(f"note: there was no folder {new}, and it was made: is it the one that the server serves?")
    if not assembly.directory(settings).has_credentials:
        remark("note: a server with these settings takes no tokens: set htpasswd, admin_password or basic_auth_user")


def run_list(settings: Settings, *, as_json: bool) -> None:
    """Print all tokens, without what would let anyone use them.

    Raises:
        ChartrepoError, StorageError: they cannot be had; the message is for people.
    """
    made = _made(settings)
    listing = made.listing() if made is not None else Listing((), ())
    now = time.time()
    if as_json:
        spoilt = [{"id": each.id, "problem": each.problem} for each in listing.spoilt]
        say(json.dumps({"tokens": [each.as_json(now) for each in listing.tokens], "spoilt": spoilt}))
        return
    say_rows("Tokens:", [_row(each, now) for each in listing.tokens])
    say_rows("Refused, as their records cannot be read:", [(each.id, each.problem) for each in listing.spoilt])
    say(counted(len(listing.tokens), "token"))


def run_revoke(settings: Settings, *, name_or_id: str) -> None:
    """Revoke a token, and print which.

    Raises:
        ChartrepoError, StorageError: there is none, or it may not be revoked; the message is for people.
    """
    made = _made(settings)
    if made is None:
        raise TokenUnknown(f"there is no token {shown(name_or_id)}: nor any other here")
    with recording(settings) as tell:
        for token_id in made.revoke(name_or_id):
            tell(replace(done(Deed.REVOKE_TOKEN), kind="token", token=name_or_id, token_id=token_id))
            say(f"revoked {name_or_id}" if token_id == name_or_id else f"revoked {name_or_id} ({token_id})")


def run_rotate(settings: Settings, *, forget: bool) -> None:
    """Make a new key that signs registry tokens, and forget the old ones if so asked.

    Raises:
        ChartrepoError, StorageError: it could not be done, or not all of it; the message is for people.
    """
    ground = assembly.prepare(settings, writable=True)
    with recording(settings) as tell:
        forgotten = assembly.signing_keys(settings, assembly.storages(settings, ground)).rotate(forget=forget)
        what = "a new key signs from now on" + (f"; {counted(forgotten, 'old one')} forgotten" if forget else "")
        tell(replace(done(Deed.ROTATE_KEYS), detail=what))
    say(what)


def _made(settings: Settings) -> Tokens | None:
    """The tokens that are there; None where nothing was ever kept. A wrong name of the storage is noticed here."""
    assembly.look(settings)
    return assembly.tokens(settings)


def _row(listed: Listed, now: float) -> tuple[str, ...]:
    token = listed.token
    if token.expires is None:
        ends = "never expires"
    else:
        ends = f"{'expired' if token.has_expired(now) else 'expires'} {timestamp(token.expires)}"
    used = f"used {timestamp(listed.used)}" if listed.used is not None else "never used"
    return token.label, token.id, ends, used, ", ".join(token.allow) or "(rules alone)"
