"""Every command of README, of the docs, of the help, of the registry and of the committed tables does what it may."""

import json
from functools import cache
from unittest import mock

import click
import pytest
from command_lines import light_work, workplace
from documented_commands import BLOCK, ROOT, commands_in, documents, in_head, in_help, wrong

from kondo_theory.claims import CLAIMS
from paper_figs.catalogue import FIGURES
from simulations.cli import main as cli
from simulations.results.merging import MeasuredTables
from simulations.verification.outcomes import Report

EXAMPLES = ROOT / "examples"


def commands(command):
    """A command and those below it."""
    yield command
    if isinstance(command, click.Group):
        for name in command.list_commands(click.Context(command)):
            yield from commands(command.get_command(click.Context(command), name))


DOCUMENTED = sorted({line for page in documents() for line in commands_in(page.read_text(encoding="utf-8"))})


@pytest.fixture(scope="module")
def place(tmp_path_factory):
    """A directory with what the commands name, where all heavy work is replaced."""
    directory = tmp_path_factory.mktemp("place")
    sweeps = (ROOT / "docs" / "sweeps.md").read_text(encoding="utf-8")
    (toml,) = (block for language, block in BLOCK.findall(sweeps) if language == "toml")
    read_once = mock.patch.object(MeasuredTables, "read", cache(MeasuredTables.read))
    with workplace(directory), light_work(), read_once:
        for name in ("my-alignment.toml", "my-grid.toml"):
            (directory / name).write_text(toml, encoding="utf-8")
        yield directory


def refused(lines):
    return [found for line in lines if (found := wrong(line))]


def test_the_pages_commands(place):
    assert len(DOCUMENTED) > 130
    assert refused(DOCUMENTED) == []


def test_the_examples_of_every_help_and_the_heads_of_the_scripts(place):
    examples = [line for command in commands(cli.kondo) for line in in_help(command)]
    examples += [line for script in EXAMPLES.glob("*.py") for line in in_head(script.read_text(encoding="utf-8"))]
    assert len(examples) > 20
    assert refused(examples) == []


def test_the_commands_that_the_page_of_all_claims_gives(place):
    report = Report("quick", "cpu", "c", {}, [], options="--preset quick --device cpu")
    lines = [report.command(claim) for claim in CLAIMS]
    assert refused([*lines, f"kondo figures {' '.join(FIGURES)}"]) == []


def test_the_commands_that_made_the_committed_tables(place):
    sidecars = [path for kind in ("tables", "gpu_tables") for path in (ROOT / "simulations" / kind).glob("*.json")]
    lines = {json.loads(path.read_text(encoding="utf-8")).get("command") for path in sidecars} - {None}
    assert len(lines) > 15
    assert refused(sorted(lines)) == []


@pytest.mark.parametrize(
    ("line", "why"),
    [
        ("kondo verify --clam gate-law", "--clam"),
        ("kondo verify --claim gate-lav", "did you mean 'gate-law'"),
        ("kondo verify --preset huge", "huge"),
        ("kondo derive mnist-quality", "measured, not derived"),
        ("kondo experiment reversal --study qualty", "qualty"),
        ("kondo experiment mnist --study cost --rate 0.1", "settings of its own"),
        ("kondo sweep frontie", "frontie"),
        ("kondo sweep frontier --set n_arm=2", "n_arm"),
        ("kondo figures learning-tim", "learning-tim"),
        ("kondo figures zero-price-geometry --set n_amrs=50", "n_amrs"),
        ("kondo figure hero", "did you mean 'figures'"),
        ("kondo verify [--claim ID] [--list] [--lits]", "--lits"),
        ("kondo experiment mnist|revresal", "revresal"),
        ("make verfy", "no verfy"),
        ("make new-claim ID=x FAMILY=nothing", "no family nothing"),
        ("make verify PRESETS=smoke", "no PRESETS"),
        ("python examples/sweeps.py", "no examples/sweeps.py"),
        ("python -m kondo_theory.token_traps", "no module"),
        ("pytest tests/networks/test_gone.py", "no tests/networks/test_gone.py"),
        ("pip install -e '.[clusters]'", "clusters"),
        ("torchrun --nproc-per-node 2 -m simulations.reversal --shards --out x.parquet", "--shards"),
        ("torchrun --nproc-per-node 2 -m simulations.mnist --method dgk --out x.parquet", "dgk"),
        ("curl example", "no program of ours"),
    ],
)
def test_negative_control_a_command_that_is_wrong_is_found(place, line, why):
    assert why in wrong(line)


def test_negative_control_commands_are_found_wherever_they_stand():
    page = """
See `kondo
verify --claim x`, `make a`, `kondo alone` and `no command`.

| command, after `kondo experiment mnist` | what |
|---|---|
| `--study a\\|b` | x |

```sh
# a comment
kondo one --set 'a b'   # and what it does
for study in c d; do
  kondo two \\
    $study
done
strange
```

```text
kondo output
```
""".replace("\\\\", "\\")
    assert list(commands_in(page)) == [
        "kondo one --set 'a b'", "kondo two c", "kondo two d", "strange", "kondo experiment mnist --study a\\|b",
        "kondo verify --claim x", "make a", "kondo alone", "kondo experiment mnist",
    ]  # fmt: skip
