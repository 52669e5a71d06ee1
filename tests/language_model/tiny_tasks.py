"""Tasks of one's own, in a module of one's own."""


def letters(rng):
    """Any answer with letters in it earns something, so that there are advantages."""
    first, second = (chr(97 + number) for number in rng.integers(0, 26, 2))
    return f"W: {first}{second}" + "a" * int(rng.integers(3)), lambda answer: sum(map(str.isalpha, answer)) / 5


def no_prompt(rng):
    return 3


def not_finite(rng):
    return "W", lambda answer: float("nan")
