"""Random and mutated sweep files and ``--set`` strings: each must give a sweep or one clear line."""

from __future__ import annotations

import random
from collections import Counter
from pathlib import Path

from simulations.cli.sweeping import choose

FILES = (
    'sweep = "alignment"\nname = "mine"\n\n[grid]\nmethod = ["pg", "zero-price"]\n'
    'p_correct = { start = 1e-3, stop = 0.5, num = 20, scale = "log" }\nn_arms = [2, 10, 100]\nseed = [0, 1, 2]\n',
    'sweep = "token-trap"\n[[grid]]\nvocab_size = 10\nn_tokens = {start = 1, stop = 9, num = 4}\n'
    'rate = ["none", 0.1]\n'
    '[[grid]]\nvocab_size = [2, 3]\nn_tokens = 5\ngate = "dg"\n',
    'sweep = "gambling"\n[grid]\nnoise_ratio = 1.5\nequal_noise = [true, false]\ngate = "dg"\n',
)
SETTINGS = (
    "p_correct=.5",
    "p_correct={start=0.01, stop=0.5, num=20}",
    "n_arms=2,10,100",
    "method=pg,zero-price",
    "seed=[0, 1]",
    "baseline=value",
)
PIECES = (
    *"=[]{}\"',.#+-_\n\r\t\0 \\",
    *("[grid]", "[[grid]]", "grid", "sweep", "name", "start", "stop", "num", "scale", "log", "none", "true", "nan"),
    *("inf", "-inf", "1e400", "9" * 30, "-0", "0x1F", "1979-05-27", "07:32:00", ".5", "5.", "1_000", '"""', "'''"),
    *("[[", "]]", "é", "\ud800", "\u2028", "\x85", "p_correct", "n_arms=2", "{}", "[]", "[{}]", "alignment"),
)


def mutated(text: str, rng: random.Random) -> str:
    """Return a text with one piece, sometimes more, put in, left out, doubled, moved or replaced."""
    for _ in range(rng.choice((1, 1, 1, 2, 3, 6))):
        low = rng.randint(0, len(text))
        high = min(len(text), low + rng.randint(0, 12))
        change = rng.randrange(5)
        piece = rng.choice(PIECES)
        middle = (piece + text[low:high], "", 2 * text[low:high], piece, text[low:high][::-1])[change]
        text = text[:low] + middle + text[high:]
    return text


def noise(rng: random.Random) -> str:
    """Return pieces in a row."""
    return "".join(rng.choice(PIECES) for _ in range(rng.randint(0, 30)))


def judged(name: str, settings: list[str]) -> str:
    """Return ``a sweep`` or the kind of the one line that refuses it; anything else is raised."""
    try:
        sweep, directory, _ = choose(name, "smoke", settings, None)
    except (ValueError, TypeError) as error:
        line = str(error)
        assert line.strip(), "a refusal says nothing"
        assert len(line.splitlines()) == 1, f"more than a line: {line!r}"
        assert len(line) < 1_000, f"a line without end: {line[:100]!r}"
        return type(error).__name__
    assert sweep.grids
    assert str(directory)
    return "a sweep"


def fuzz_files(directory: Path, count: int, seed: int) -> Counter[str]:
    """Return how many files gave a sweep and how many were refused."""
    rng, found = random.Random(seed), Counter[str]()
    path = directory / "fuzzed.toml"
    for _ in range(count):
        text = noise(rng) if rng.random() < 0.1 else mutated(rng.choice(FILES), rng)
        content = text.encode("utf-8", "surrogatepass")
        if rng.random() < 0.05:
            content = content[: rng.randint(0, len(content))] + rng.randbytes(3)
        path.write_bytes(content)
        try:
            found[judged(str(path), [])] += 1
        except Exception as error:
            raise AssertionError(f"{content!r}: {error!r}") from error
    return found


def fuzz_settings(count: int, seed: int) -> Counter[str]:
    """Return how many settings gave a sweep and how many were refused."""
    rng, found = random.Random(seed), Counter[str]()
    for _ in range(count):
        settings = [mutated(rng.choice(SETTINGS), rng) for _ in range(rng.randint(1, 2))]
        if rng.random() < 0.3:
            settings = [f"{rng.choice(('p_correct', 'n_arms', 'method'))}={noise(rng)}"]
        try:
            found[judged("alignment", settings)] += 1
        except Exception as error:
            raise AssertionError(f"{settings!r}: {error!r}") from error
    return found
