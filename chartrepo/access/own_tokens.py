"""Tokens that users make for themselves: what each may be allowed, by whom, and for how long.

Such a token may do what was chosen when it was made, and of that what its owner may at the moment of a request. It is
nobody to the rules: none can name it, so that no name that somebody chooses gets him anything.

Only who has a password here makes any. Of whom an issuer makes known nobody would tell us that he left, and a token
makes no other token.
"""

from collections.abc import Collection, Sequence
from typing import Final

from chartrepo.access.tokens import Tokens, parse_lifetime
from chartrepo.core import tokens as core
from chartrepo.core.errors import PermissionsInvalid, TokenInvalid
from chartrepo.core.messages import shown
from chartrepo.core.patterns import Pattern
from chartrepo.core.permissions import Action, Caller, Rights
from chartrepo.core.tokens import Token

ACTIONS: Final = (Action.READ, Action.PUBLISH, Action.OVERWRITE, Action.DELETE)
"""What such a token can be for."""
LONGEST: Final = 366 * 86_400
"""Seconds: none lasts for ever, as people leave."""
_USER: Final = "user:"


def can_have_own(caller: Caller) -> bool:
    """Return whether somebody can make tokens for himself."""
    return caller.name.startswith(_USER)


def offered(rights: Rights) -> list[Action]:
    """Return what somebody's own tokens can be for."""
    return [action for action in ACTIONS if rights.anywhere(action)]


def suggested(rights: Rights) -> list[str]:
    """Return patterns that somebody can choose for a token, the widest first, with none that another has in it."""
    known = {text: Pattern.parse(text) for action in ACTIONS for text in rights.patterns(action)}
    return sorted(
        text
        for text, pattern in known.items()
        if not any(other != text and wider.covers(pattern) for other, wider in known.items())
    )


def make(
    tokens: Tokens,
    caller: Caller,
    rights: Rights,
    *,
    name: str,
    actions: Collection[str],
    on: Sequence[str],
    lasts: str,
) -> tuple[str, Token]:
    """Make a token for somebody; return its text, which nobody can find out later, and what is kept of it.

    Args:
        tokens: where it is kept.
        caller: who makes it.
        rights: of the caller now.
        name: by which the caller knows it.
        actions: what it is for, as rules name that.
        on: patterns, as rules have them.
        lasts: as `90d`.

    Raises:
        TokenInvalid: it would be none, would last too long, or may do what the caller may not.
        TokenExists: the caller has one of this name.
        StorageError: it was not made.
    """
    if not can_have_own(caller):
        raise TokenInvalid("only who has a password here makes tokens of his own")
    lifetime = parse_lifetime(lasts)
    if lifetime is None or lifetime > LONGEST:
        raise TokenInvalid("expires: choose an end within a year")
    core.check_name(name)
    allow = _allowed(rights, actions, on)
    return tokens.create(name, allow, lifetime=lifetime, made_by=caller.name, owner=caller.name)


def _allowed(rights: Rights, actions: Collection[str], on: Sequence[str]) -> list[str]:
    chosen = [action for action in ACTIONS if action.value in actions]
    if not chosen or len(chosen) != len(actions):
        raise TokenInvalid(f"choose what the token is for: {', '.join(action.value for action in ACTIONS)}")
    if not on:
        raise TokenInvalid('choose on which charts, by patterns as "team/**"')
    problems: list[str] = []
    allow: list[str] = []
    for text in dict.fromkeys(on):
        try:
            pattern = Pattern.parse(text)
        except PermissionsInvalid as error:
            problems += error.problems
            continue
        for action in chosen:
            allow.append(f"{action.value}:{text}")
            if not rights.covers(action, pattern):
                mine = rights.patterns(action)
                may = f"you may {action.value} {', '.join(mine[:5])}" if mine else f"you may not {action.value} at all"
                problems.append(f"you may not {action.value} all of {shown(text)}: {may}")
    if problems:
        raise TokenInvalid("; ".join(problems))
    return allow
