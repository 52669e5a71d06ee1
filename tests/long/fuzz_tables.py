"""Damage tables, sidecars, checkpoints and indices at random: each is refused in one line or reads as it was.

    python tests/long/fuzz_tables.py 100000 --seed 0

Prints how many were refused and how many read the same, and every case that did neither; exit 1 if there is one.
"""

from __future__ import annotations

import argparse
import collections
import json
import random
import sys
import tempfile
from collections.abc import Callable
from dataclasses import dataclass
from functools import partial
from pathlib import Path
from typing import Any

import pandas as pd

from simulations.errors import ReportedError
from simulations.results.shards import Index, Shard, digest, read_shard
from simulations.results.tables import Table, load, save
from simulations.resuming.checkpoints import CheckpointDirectory, CheckpointFile

IDENTITY = {
    "configuration": [{"method": "pg", "seed": 3, "rate": 0.25}],
    "code": "0123456789abcdef",
    "device": "cpu: x",
}
ODD = (None, True, -1, 0, 1e308, "", "\u0000", "x" * 500, [], {}, [[]], {"a": None}, 2**70)


@dataclass(frozen=True)
class Target:
    """Files that belong together, and how they are read back; ``damaged`` is the one that is damaged."""

    name: str
    damaged: Path
    read: Callable[[], Any]
    same: Callable[[Any], bool]


def targets(directory: Path) -> list[Target]:
    """Write one of each kind and return how to read them."""
    frame = pd.DataFrame(
        {
            "label": ["PG", "DG-K(3 %)"] * 40,
            "seed": range(80),
            "rate": [None, 0.03] * 40,
            "test_error": [1 / (1 + i) for i in range(80)],
            "exact": [True, False] * 40,
        }
    )
    sidecar = {"device": "cpu: x", "date": "2026-01-01", "seconds": [0.5, 1.25], "step_seconds": {"PG": [0.1, 0.2]}}
    found = []
    for name, beside in (("table", True), ("table alone", False), ("sidecar", True)):
        path = directory / f"{name.replace(' ', '-')}.parquet"
        save(frame, path, kind="fuzzed", config={"preset": "smoke", "runs": [{"seed": 1}]}, sidecar=sidecar)
        if not beside:
            path.with_suffix(".json").unlink()
        whole = load(path)
        damaged = path.with_suffix(".json") if name == "sidecar" else path
        found.append(Target(name, damaged, partial(load, path), partial(_equal, whole)))
    found += [_checkpoint(directory), _identity(directory), _index(directory), _shard(directory, frame)]
    return found


def _equal(whole: Table, table: Table) -> bool:
    return (
        table.frame.equals(whole.frame)
        and list(table.frame.columns) == list(whole.frame.columns)
        and list(table.frame.dtypes) == list(whole.frame.dtypes)
        and (table.kind, table.config, table.sidecar) == (whole.kind, whole.config, whole.sidecar)
    )


def _checkpoint(directory: Path) -> Target:
    file = CheckpointFile(directory / "part.pt")
    file.save({"update": 7, "rows": [{"update": 0, "error": 0.5}], "name": "x"})
    whole = file.load()
    return Target("checkpoint", file.path, file.load, lambda state: state == whole)


def _identity(directory: Path) -> Target:
    path = directory / "run.partial"
    with CheckpointDirectory(path, IDENTITY) as run:
        run.file("part").save({"update": 7})

    def read() -> dict[str, Any] | None:
        with CheckpointDirectory(path, IDENTITY) as run:
            return run.file("part").load()

    return Target("identity", path / "identity.json", read, lambda state: state == {"update": 7})


def _index(directory: Path) -> Target:
    place = directory / "sweep"
    place.mkdir()
    shard = place / "cells-000001.parquet"
    pd.DataFrame({"cell_key": ["a", "b"], "x": [1, 2]}).to_parquet(shard)
    index = Index(
        function="m:f", shards=[Shard(file=shard.name, sha256=digest(shard), cells=2, version="v", devices=["cpu"])]
    )
    (place / "index.json").write_text(index.model_dump_json(indent=1))

    def read() -> list[Any]:
        found = Index.read(place)
        return (
            [read_shard(place, each).to_pydict() for each in found.of_version("v")] if found.function == "m:f" else []
        )

    # A shard that an altered index no longer names is computed again: nothing is read that is not the shard's.
    return Target("index", place / "index.json", read, lambda cells: all(each["x"] == [1, 2] for each in cells))


def _shard(directory: Path, frame: pd.DataFrame) -> Target:
    place = directory / "shards"
    place.mkdir()
    path = place / "cells-000001.parquet"
    frame.assign(cell_key="k").to_parquet(path)
    shard = Shard(file=path.name, sha256=digest(path), cells=1, version="v", devices=["cpu"])
    return Target("shard", path, lambda: read_shard(place, shard).num_rows, lambda rows: rows == len(frame))


def damage(content: bytes, rng: random.Random) -> bytes:
    """Return a file cut off, with flipped bits, with bytes put in or taken out, or with an altered field of JSON."""
    kind = rng.choice(("cut", "flip", "flip", "flip", "splice", "zero", "json", "json"))
    if kind == "json":
        try:
            return _altered_json(content, rng)
        except ValueError:
            kind = "flip"
    body = bytearray(content)
    if kind == "cut":
        return bytes(body[: rng.randrange(len(body))])
    if kind == "splice":
        at, length = rng.randrange(len(body)), rng.randrange(1, 40)
        return bytes(body[:at]) + rng.choice((b"", rng.randbytes(length))) + bytes(body[at + length :])
    if kind == "zero":
        at = rng.randrange(len(body))
        body[at : at + 64] = bytes(len(body[at : at + 64]))
        return bytes(body)
    # Half of the flips in the last 4 KiB: there Parquet says what the rest means.
    low = max(0, len(body) - 4096) if rng.random() < 0.5 else 0
    for _ in range(rng.choice((1, 1, 1, 2, 8))):
        body[rng.randrange(low, len(body))] ^= 1 << rng.randrange(8)
    return bytes(body)


def _altered_json(content: bytes, rng: random.Random) -> bytes:
    """Return JSON with one field removed, renamed, or given another value."""
    value = json.loads(content)
    place = value
    while isinstance(place, dict | list) and place:
        key = rng.choice(list(place) if isinstance(place, dict) else range(len(place)))
        inner = place[key]
        if isinstance(inner, dict | list) and inner and rng.random() < 0.7:
            place = inner
            continue
        how = rng.random()
        if how < 0.2:
            del place[key]
        elif how < 0.3 and isinstance(place, dict):
            place[f"{key}_"] = place.pop(key)
        elif how < 0.6 and isinstance(inner, int | float):
            place[key] = inner + rng.choice((1, -1, 0.5))
        else:
            place[key] = rng.choice(ODD)
        break
    return json.dumps(value).encode()


def outcome(target: Target, content: bytes) -> str:
    """Return ``refused`` or ``same``, or what went wrong, of a target whose file has this content."""
    target.damaged.write_bytes(content)
    try:
        found = target.read()
    except ReportedError as error:
        return "refused" if len(str(error).splitlines()) == 1 else f"several lines: {error}"
    except Exception as error:
        return f"{type(error).__name__}: {error}"
    return "same" if target.same(found) else "other data, without a word"


def fuzz(count: int, seed: int) -> tuple[collections.Counter[tuple[str, str]], list[str]]:
    """Damage each target in turn, ``count`` times in all; return the counts, and the cases that went wrong."""
    rng, counts, wrong = random.Random(seed), collections.Counter[tuple[str, str]](), list[str]()
    with tempfile.TemporaryDirectory() as directory:
        every = targets(Path(directory))
        originals = [target.damaged.read_bytes() for target in every]
        parts = (Path(directory) / "run.partial" / "part.pt").read_bytes()
        for number in range(count):
            target, original = every[number % len(every)], originals[number % len(every)]
            content = damage(original, rng)
            if content == original:
                continue
            found = outcome(target, content)
            target.damaged.write_bytes(original)
            if target.name == "identity":
                (target.damaged.parent / "part.pt").write_bytes(parts)
            counts[target.name, found if found in ("refused", "same") else "wrong"] += 1
            if found not in ("refused", "same"):
                wrong.append(f"seed {seed}, case {number}, {target.name}: {found[:200]}")
    return counts, wrong


def main() -> int:
    """Run as many as asked for and print what came of them."""
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("count", type=int)
    parser.add_argument("--seed", type=int, default=0)
    options = parser.parse_args()
    counts, wrong = fuzz(options.count, options.seed)
    for (name, found), number in sorted(counts.items()):
        print(f"{name:12} {found:8} {number:>9,}")
    print(*wrong[:50], sep="\n")
    print(f"{sum(counts.values()):,} damaged files, {len(wrong)} neither refused nor read as they were")
    return 1 if wrong else 0


if __name__ == "__main__":
    sys.exit(main())
