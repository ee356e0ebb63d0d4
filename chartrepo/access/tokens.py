"""API tokens in the storage of the server's state, where all replicas see the same ones.

Each has an object of its own, so that nobody who writes one can bring back another: a token is revoked when its object
is gone. When it was used last lies in a second object for the same reason. Neither the catalog nor what is made from
packages has a part in it.

A process looks at a token again after a few seconds, so a revocation holds everywhere soon. While the storage does not
answer, no token is taken that was not looked at just before.
"""

import logging
import secrets
import threading
import time
from collections import OrderedDict
from collections.abc import Callable, Container, Iterable, Sequence
from contextlib import suppress
from dataclasses import dataclass
from typing import Final

from chartrepo import kinds, layout
from chartrepo.core import tokens
from chartrepo.core.errors import TokenExists, TokenInvalid, TokenUnknown
from chartrepo.core.index import timestamp
from chartrepo.core.messages import shown
from chartrepo.core.tokens import Token
from storage.base import ABSENT, ANYWAY, AlreadyExists, NotFound, Storage, StorageError

LOOKS: Final = 5.0
"""So many seconds pass between two looks at a token. A revocation has to hold within 10 s."""
NOTED_EVERY: Final = 3600.0
"""So many seconds pass between two notes of the last use, by one process for one token."""
MOST: Final = 4096
"""So many tokens a process knows, those that are not there among them; the one used longest ago is forgotten first."""
MOST_OWN: Final = 50
"""So many tokens somebody has who makes them for himself."""
LIFETIME: Final = "90d"
"""How long a token lasts unless something else is said."""

_LIFETIMES: Final = kinds.duration(60, 3650 * 86400)

log = logging.getLogger(__name__)


def parse_lifetime(text: str) -> float | None:
    """Return the seconds that a token shall last; None for ever.

    Raises:
        TokenInvalid: the text is neither a duration nor `never`.
    """
    if text == "never":
        return None
    if text.strip().isdigit():  # which would be seconds, and days are meant
        raise TokenInvalid(f"expires: {shown(text)} has no unit: write {text.strip()}d for days, or h, m or s")
    try:
        return _LIFETIMES.parse(text)
    except ValueError:
        raise TokenInvalid(f"expires: {shown(text)} is not never, nor {_LIFETIMES.expected}") from None


@dataclass(frozen=True, slots=True)
class Listed:
    """A token, and when it was used last, in seconds since the epoch: within the hour, or None where nobody knows."""

    token: Token
    used: int | None

    def as_json(self, now: float) -> dict[str, object]:
        """Return what may be shown of it, without its hash."""
        token = self.token
        said: dict[str, object] = {
            "id": token.id,
            "name": token.label,
            "allow": list(token.allow),
            "created": timestamp(token.created),
            "expires": timestamp(token.expires) if token.expires is not None else None,
            "expired": token.has_expired(now),
            "last_used": timestamp(self.used) if self.used is not None else None,
            "made_by": token.made_by,
        }
        return {**said, "owner": token.owner} if token.owner else said


@dataclass(frozen=True, slots=True)
class Spoilt:
    """A record that cannot be read, and why. Its token is refused; it can be revoked by its id."""

    id: str
    problem: str


@dataclass(frozen=True, slots=True)
class Listing:
    """All tokens there are, by name; of one name, the oldest first."""

    tokens: tuple[Listed, ...]
    spoilt: tuple[Spoilt, ...]


@dataclass(slots=True)
class _Known:
    """What a process knows of an id until `until`: the token, or None where there is none."""

    until: float
    token: Token | None
    noted: float


def described(token: Token) -> str:
    """Return what a token may do, and until when, for people."""
    until = f"until {timestamp(token.expires)}" if token.expires is not None else "for ever"
    may = f"may {', '.join(token.allow)}" if token.allow else "may do what rules give to it"
    if token.owner:
        may += f" as far as {token.owner} may"
    return f"{may}, {until}"


class Tokens:
    """The tokens of a storage. Safe to share between threads; each process has its own.

    Args:
        storage: of the server's state.
        clock: tells seconds, of which only differences count.
        now: tells seconds since the epoch.
    """

    def __init__(
        self, storage: Storage, *, clock: Callable[[], float] = time.monotonic, now: Callable[[], float] = time.time
    ) -> None:
        self._storage = storage
        self._clock = clock
        self._now = now
        self._lock = threading.Lock()
        self._known: OrderedDict[str, _Known] = OrderedDict()
        self._warned: dict[str, str] = {}

    # ---- who asks

    def identify(self, text: str) -> Token | None:
        """Return the token whose text this is; None for that of none, and of one that was revoked or has expired.

        Raises:
            StorageError: nobody knows, as the storage does not answer.
        """
        token_id = tokens.id_in(text)
        if token_id is None:
            return None  # also what costs a look at the storage has to be made up carefully
        known = self._fresh(token_id)
        looked = known is None
        if known is None:
            known = self._look(token_id)
        token = known.token
        if token is None or not token.is_text(text) or token.has_expired(self._now()):
            return None
        if looked:  # else nothing is waited for
            self._note_use(known, token_id)
        return token

    def living(self, token_id: str) -> Token | None:
        """Return the token of this id; None where there is none, or it was revoked or has expired.

        Raises:
            StorageError: nobody knows, as the storage does not answer.
        """
        known = (self._fresh(token_id) or self._look(token_id)) if tokens.is_id(token_id) else None
        token = known.token if known is not None else None
        return token if token is not None and not token.has_expired(self._now()) else None

    def _fresh(self, token_id: str) -> _Known | None:
        with self._lock:
            known = self._known.get(token_id)
            if known is None or known.until <= self._clock():
                return None
            self._known.move_to_end(token_id)
            return known

    def _look(self, token_id: str) -> _Known:
        began = self._clock()  # what is true is so at some moment after this one
        token = self._read(token_id)
        with self._lock:
            before = self._known.get(token_id)
            if before is not None and before.token == token:
                token = before.token  # whose rules are found again by others without being compared
            noted = before.noted if before is not None else float("-inf")
            known = self._known[token_id] = _Known(began + LOOKS, token, noted)
            self._known.move_to_end(token_id)
            if len(self._known) > MOST:
                self._known.popitem(last=False)
        return known

    def _note_use(self, known: _Known, token_id: str) -> None:
        """Write down that a token was used, if that was not done within the hour. It is of no consequence if not."""
        now = self._clock()
        if known.noted + NOTED_EVERY > now:
            return
        known.noted = now
        with suppress(StorageError):
            self._storage.put(
                layout.token_used_key(token_id), b"", condition=ANYWAY, published=int(self._now()), durable=False
            )

    def _read(self, token_id: str) -> Token | None:
        """Return the token of this id; None where there is none, or nothing that could be read.

        Raises:
            StorageError: the storage does not answer.
        """
        try:
            return self._record(token_id)
        except TokenInvalid as error:
            if self._warned.get(token_id) != str(error):
                self._warned[token_id] = str(error)
                log.warning(
                    "the token in %s is refused: %s; revoke it by its id, and make a new one",
                    layout.token_key(token_id),
                    error,
                )
            return None

    def _record(self, token_id: str) -> Token | None:
        try:
            with self._storage.open(layout.token_key(token_id)) as file:
                data = file.read(tokens.MAX_RECORD + 1)
                while len(data) <= tokens.MAX_RECORD and (more := file.read(tokens.MAX_RECORD + 1 - len(data))):
                    data += more
        except NotFound:
            return None
        token = Token.from_json(data)
        if token.id != token_id:
            raise TokenInvalid(f"id: the record is that of {shown(token.id)}")
        return token

    # ---- looking after them

    def create(
        self, name: str, allow: Sequence[str], *, lifetime: float | None, made_by: str, owner: str = ""
    ) -> tuple[str, Token]:
        """Make a token; return its text, which nobody can find out later, and what is kept of it.

        Args:
            name: by which rules and people name it.
            allow: what it may do, see `Token`.
            lifetime: seconds until it expires; None for never.
            made_by: who makes it, for people.
            owner: whose own it is, see `Token`; empty for nobody's.

        Raises:
            TokenInvalid: the name, or what is allowed, breaks a rule, or the owner has too many.
            TokenExists: a token of this name is there and has not expired.
            StorageError: it was not made.
        """
        now = int(self._now())
        rules = tokens.parse_allow(tokens.check_name(name), allow)
        for obstacle in (pattern.obstacle() for rule in rules for pattern in rule.on):
            if obstacle is not None:
                raise TokenInvalid(f"allow: {obstacle}")
        self._check_unused(name, now, owner)
        token_id, secret = _random(tokens.ID_LENGTH), _random(tokens.SECRET_LENGTH)
        text = tokens.compose(token_id, secret)
        expires = None if lifetime is None else now + int(lifetime)
        token = Token(token_id, name, tokens.digest(text), tuple(allow), now, expires, made_by, owner)
        if owner:  # first: a record that nobody finds again could not be revoked by its owner
            self._storage.put(layout.token_owner_key(owner, token_id), b"", condition=ANYWAY)
        try:
            self._storage.put(layout.token_key(token_id), token.to_json(), condition=ABSENT)
            # Two that were made at once see each other now: at most one stays.
            self._check_unused(name, now, owner, but=token_id)
        except AlreadyExists:
            raise  # the record is another's
        except (TokenExists, StorageError):
            # Nobody will ever have its text, and it would only stand in the way of the next try.
            with suppress(StorageError):
                self._delete(token_id, owner)
            raise
        return text, token

    def find(self, name: str) -> Token | None:
        """Return the token of this name that has not expired; None where there is none.

        Raises:
            StorageError: the storage does not answer.
        """
        now = self._now()
        return next((each for each in self._all() if each.label == name and not each.has_expired(now)), None)

    def listing(self) -> Listing:
        """Return all tokens, also those that have expired.

        Raises:
            StorageError: the storage does not answer.
        """
        return self._listed(*self._keys())

    def own(self, owner: str) -> Listing:
        """Return the tokens that a user made for himself, also those that have expired.

        Raises:
            StorageError: the storage does not answer.
        """
        return self._listed(self._ids_of(owner), None)

    def _listed(self, records: Iterable[str], used: Container[str] | None) -> Listing:
        """Return the tokens of some ids; `used` has the ids of those whose last use is known, or is None."""
        found, spoilt = [], []
        for token_id in records:
            try:
                token = self._record(token_id)
            except TokenInvalid as error:
                spoilt.append(Spoilt(token_id, str(error)))
                continue
            if token is not None:
                found.append(Listed(token, self._used(token_id) if used is None or token_id in used else None))
        found.sort(key=lambda each: (each.token.label, each.token.created, each.token.id))
        return Listing(tuple(found), tuple(sorted(spoilt, key=lambda each: each.id)))

    def revoke(self, name_or_id: str) -> list[str]:
        """Revoke the tokens of a name, or else the one of an id, which may be spoilt; return their ids.

        It holds in all processes within `LOOKS` seconds.

        Raises:
            TokenUnknown: there is none.
            StorageError: some may not be revoked: try again.
        """
        owners = {each.id: each.owner for each in self._all() if name_or_id in (each.label, each.id)}
        chosen = [token_id for token_id in owners if token_id != name_or_id] or list(owners)
        if not chosen and tokens.is_id(name_or_id) and name_or_id in self._keys()[0]:
            chosen = [name_or_id]
        if not chosen:
            raise TokenUnknown(f"there is no token {shown(name_or_id)}: chartrepo token list shows those there are")
        for token_id in chosen:
            self._delete(token_id, owners.get(token_id, ""))
        return chosen

    def revoke_own(self, owner: str, token_id: str) -> Token:
        """Revoke a token that a user made for himself, and return it.

        Raises:
            TokenUnknown: there is none, or it is another's.
            StorageError: it may not be revoked: try again.
        """
        token = self._read(token_id) if tokens.is_id(token_id) else None
        if token is None or token.owner != owner:
            raise TokenUnknown(f"you have no token {shown(token_id)} (any more)")
        self._delete(token_id, owner)
        return token

    def _delete(self, token_id: str, owner: str) -> None:
        with suppress(NotFound):  # somebody else was quicker
            self._storage.delete(layout.token_key(token_id))
        with self._lock:
            self._known.pop(token_id, None)
        others = [layout.token_used_key(token_id), *([layout.token_owner_key(owner, token_id)] if owner else [])]
        for key in others:
            with suppress(StorageError):
                self._storage.delete(key)

    def _check_unused(self, name: str, now: int, owner: str, *, but: str = "") -> None:
        known = self._all() if not owner else [token for each in self._ids_of(owner) if (token := self._read(each))]
        others = [each for each in known if each.owner == owner and each.id != but]
        if owner and len(others) >= MOST_OWN:
            raise TokenInvalid(f"you have {len(others)} tokens, which are the most: revoke those that you need no more")
        if any(each.name == name and not each.has_expired(now) for each in others):
            raise TokenExists(f"there is a token {name} already: revoke it, or choose another name")

    def _ids_of(self, owner: str) -> list[str]:
        prefix = layout.token_owner_prefix(owner)
        ids = (info.key.removeprefix(prefix) for info in self._storage.list(prefix))
        return sorted(token_id for token_id in ids if tokens.is_id(token_id))

    def _all(self) -> list[Token]:
        return [token for token in map(self._read, self._keys()[0]) if token is not None]

    def _keys(self) -> tuple[list[str], set[str]]:
        """The ids of all records, and of those of which the last use is known."""
        keys = [info.key for info in self._storage.list(layout.TOKENS_PREFIX)]
        ids = {key: key.removeprefix(layout.TOKENS_PREFIX).partition(".")[0] for key in keys}
        ours = {key: token_id for key, token_id in ids.items() if tokens.is_id(token_id)}
        records = sorted(token_id for key, token_id in ours.items() if key == layout.token_key(token_id))
        return records, {token_id for key, token_id in ours.items() if key == layout.token_used_key(token_id)}

    def _used(self, token_id: str) -> int | None:
        with suppress(StorageError):
            return self._storage.stat(layout.token_used_key(token_id)).published
        return None


def _random(length: int) -> str:
    return "".join(secrets.choice(tokens.DIGITS) for _ in range(length))
