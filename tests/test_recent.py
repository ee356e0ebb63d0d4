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
