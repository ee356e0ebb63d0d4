"""Files of users."""

from pathlib import Path

import bcrypt


def users(folder: Path, **passwords: str) -> Path:
    """Write a file of users with cheap hashes, and return it."""
    path = folder / "users"
    lines = [f"{name}:{bcrypt.hashpw(word.encode(), bcrypt.gensalt(4)).decode()}\n" for name, word in passwords.items()]
    path.write_text("".join(lines))
    return path
