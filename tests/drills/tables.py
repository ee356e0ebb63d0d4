"""What a drill prints: a title, and one line for each count."""

from collections.abc import Mapping


def table(title: str, rows: Mapping[str, object]) -> str:
    """Rows in two columns under a title."""
    width = max(map(len, rows))
    return "\n".join([title, *(f"  {name:<{width}}  {value}" for name, value in rows.items())])


def counted(counts: Mapping[str, int]) -> str:
    """Counts with their sum before them: `5 (2 deletes, 3 uploads)`."""
    parts = ", ".join(f"{count} {kind}" for kind, count in sorted(counts.items()))
    return f"{sum(counts.values())} ({parts})" if parts else "0"
