"""What was made last is kept, and no more than that."""

from chartrepo.recent import Recent


def test_what_was_asked_for_last_is_made_once() -> None:
    made: list[str] = []

    def make(name: str) -> str:
        made.append(name)
        return name.upper()

    recent = Recent[str](2, weigh=len, heaviest=3)
    for name in ("a", "b", "a", "c", "a", "b"):
        assert recent.get(name, lambda name=name: make(name)) == name.upper()  # type: ignore[misc]
    assert made == ["a", "b", "c", "b"]
    for _ in range(2):
        assert recent.get("heavy", lambda: make("heavy")) == "HEAVY"
    assert made[-2:] == ["heavy", "heavy"]


def test_what_is_kept_is_not_too_heavy_together() -> None:
    made: list[str] = []

    def make(name: str) -> str:
        made.append(name)
        return name

    recent = Recent[str](weigh=len, together=5)
    for name in ("aa", "bb", "cc", "bb", "cc", "aa"):  # the third one is too much, and the first one goes
        recent.get(name, lambda name=name: make(name))  # type: ignore[misc]
    assert made == ["aa", "bb", "cc", "aa"]
    for _ in range(2):
        recent.get("heavy!", lambda: make("heavy!"))
    recent.get("cc", lambda: make("cc"))
    assert made[4:] == ["heavy!", "heavy!"]
