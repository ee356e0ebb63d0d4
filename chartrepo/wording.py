"""Numbers with their nouns, in sentences for people."""


def counted(number: int, noun: str) -> str:
    """Return a number with its noun, as `1 package`, `2,000 packages` or `2 repositories`."""
    if number == 1:
        return f"1 {noun}"
    return f"{number:,} {noun.removesuffix('y')}ies" if noun.endswith("y") else f"{number:,} {noun}s"
