"""Random command lines, and what every one of them must do whatever it asks for.

Options, arguments and their types come from the commands themselves, so a new one is tried as soon as it is there.
The heavy work is replaced: what is tried is all that happens before it, and what is printed after it.
"""

import contextlib
import io
import json
import os
import random
import shutil
import sys
from pathlib import Path
from types import SimpleNamespace
from unittest import mock

import click
import pandas as pd
import sympy as sp

from kondo_theory.claims import CLAIMS, get_claims
from kondo_theory.derivations.proof import Derivation, Step
from kondo_theory.screening import RULES
from simulations.cli import main as cli
from simulations.mnist.config import METHODS
from simulations.results import tables as results
from simulations.sweeps.named.catalogue import SWEEPS
from simulations.verification.checks.evidence import Simulated
from simulations.verification.outcomes import Report

__all__ = ["light_work", "problem", "random_command_line", "workplace"]

# fmt: off
NUMBERS = [
    "1", "3", "0.03", "0.5", "1e-3", "0", "-0", "-1", "2", "nan", "inf", "-inf", "1e400", "1e-320", "1_0", "0x1",
    "١", "½", "much", "5.0", "1,5", "true", "--", "", " 1 ", "9" * 30, "-" + "9" * 30,
]
SEEDS = [
    "5", "0", "3,5", "10-19", "5-3", "1,,2", ",", "-", "--", "-3", "1-", "2,2", "0-9999999", "x", "1.5", "",
    "9" * 25,
]
PATHS = [
    "t.parquet", "new/t.parquet", "new/deep/t.parquet", "t.csv", ".", "..", "-", "file", "file/t.parquet", "dir",
    "taken.parquet", "dir.parquet", "tables", "damaged", "/dev/null", "/dev/full/t.parquet", "~", "none",
    "none/none", "/proc/t.parquet", "[red].parquet", "", "ö χ.parquet", "x" * 300 + ".parquet", "\udcff.parquet",
    "a\nb.parquet",
]
SETTINGS = [
    "n_arms=2,10", "excess=0.5", "excess=", "=", "x", "excess", "excess=nan", "excess=1e999", "excess=[",
    "excess=[[1]]", "excess={num=3}", "excess={start=0,stop=1,num=3}", "excess={start=0,stop=1,num=-1}", "exces=1",
    "seed=-1", "excess=true", 'excess="a"', "excess=none", "temperature=1,1", "χ=1", "=1", "excess=1=2",
    "n_draws=9" + "9" * 25,
]
WORDS = [
    *CLAIMS, *RULES, *METHODS, "token-gate", "row-gate", "quality", "token-trap", "scaling", "step-times", "noise",
    "moments", "cost", "digits", "reward", "fraction", "exact", "gate-lww", "DG", "", "-", "χ", "\udcff", "a b",
    "\n", "[b]",
]
# fmt: on
FILES = ["none.toml", "dir.toml", "bad.toml", "good.toml", ".toml", "file"]
REPORTS = ["none.json", "dir", "cut.json", "good.json", "other.json", "file", "taken.parquet"]
CONTEXT = click.Context(cli.kondo)
ASKED = ("--list", "--latex", "--markdown", "--dry-run", "--json", "--help", "check")
"""What is printed in spite of ``--quiet``."""


def random_command_line(rng: random.Random) -> list[str]:
    """Return a command line: mostly well formed, with values from all over."""
    command, words = cli.kondo, []
    while isinstance(command, click.Group):
        names = command.list_commands(CONTEXT)
        name = rng.choice([*names, "nope"] if rng.random() < 0.05 else names)
        words.append(name)
        command = command.get_command(CONTEXT, name)
    if command is None:
        return words
    options = [param for param in command.params if isinstance(param, click.Option)]
    parts = [_option(rng.choice(options), rng) for _ in range(rng.choice((0, 1, 1, 2, 2, 3, 4, 6))) if options]
    for param in command.params:
        if isinstance(param, click.Argument):
            names = {"sweep": list(SWEEPS) + FILES, "report": REPORTS}.get(words[0], list(CLAIMS))
            parts += [
                [rng.choice(names if rng.random() < 0.8 else WORDS)] for _ in range(rng.choice((0, 1, 1, 1, 2)))
            ]
    if rng.random() < 0.05:
        parts.append([rng.choice(["--nope", "--claims", "-x", "--", "extra", "--help", "--out", "--preset=", "-"])])
    rng.shuffle(parts)
    return words + [word for part in parts for word in part]


def _option(option: click.Option, rng: random.Random) -> list[str]:
    flag = rng.choice(option.opts)
    if option.is_flag:
        return [flag]
    value = _value(option, rng)
    return [f"{flag}={value}"] if rng.random() < 0.2 else [flag, value]


def _value(option: click.Option, rng: random.Random) -> str:
    if rng.random() < 0.05:
        return rng.choice(WORDS + NUMBERS + PATHS + SEEDS + SETTINGS)
    if isinstance(option.type, click.Choice):
        return rng.choice([*option.type.choices, *option.type.choices, "huge", ""])
    if isinstance(option.type, click.Path):
        return rng.choice(PATHS)
    if option.name == "seeds":
        return rng.choice(SEEDS)
    if option.name == "settings":
        return rng.choice(SETTINGS)
    return rng.choice(WORDS if isinstance(option.type, click.types.StringParamType) else NUMBERS)


@contextlib.contextmanager
def workplace(directory: Path):
    """Work in a directory that has a little of everything."""
    for name in ("dir", "dir.parquet", "dir.toml", "tables", "damaged", "none.d", "a-model"):
        (directory / name).mkdir(parents=True)
    (directory / "a-model" / "config.json").write_text("{}")
    (directory / "file").write_text("")
    (directory / "bad.toml").write_text("sweep = [")
    (directory / "good.toml").write_text('sweep = "gate-frequency"\n[grid]\nexcess = [0.5]\ntemperature = [1.0]\n')
    good = json.dumps(Report("smoke", "cpu", "c", {}, [], date="2026-01-02").to_json())
    for name, text in {"good": good, "cut": good[:-20], "other": '{"schema": 1, "claims": []}'}.items():
        (directory / f"{name}.json").write_text(text)
    (directory / "damaged" / "t.parquet").write_bytes(b"PAR1")
    frame = pd.DataFrame({"x": [1]})
    for path in (directory / "taken.parquet", directory / "tables" / "x.parquet"):
        results.save(frame, path, kind="other", config={"preset": "quick"}, sidecar={})
    before = Path.cwd()
    os.chdir(directory)
    try:
        yield
    finally:
        os.chdir(before)


@contextlib.contextmanager
def light_work():
    """Replace what takes long: checks, derivations, training, timing, drawing, cells."""
    table = results.load(results.COMMITTED / "mnist-quick.parquet")
    curves = results.load(results.COMMITTED / "reversal-quality-quick.parquet")
    sizes = results.load(results.COMMITTED / "reversal-scaling-quick.parquet")
    model = curves.frame.head(21).assign(task="digits", trainable="all", reward=0.5, greedy_reward=0.5)
    small = {"mnist": table.frame.head(31), "reversal": curves.frame.head(21), "scaling": sizes.frame}
    small["language-model"] = model
    step = Step("χ > λ", r"\chi", "proved", True)
    derived = Derivation("x", "s", ("a",), (step,), {"r": sp.Symbol("x")})
    written = {}

    def check(found, claim, context):
        context.progress(f"{claim.id}: simulating")
        found.derived, found.simulated = derived.to_json(), [Simulated("χ", 1.0, 1.001, 0.001)]

    def ran(name):
        def run(plan, *arguments, **options):
            kind = "scaling" if getattr(plan, "study", None) == "scaling" else name
            if not options["quiet"]:
                written[plan.out] = small[kind]

        return run

    def wrote(preset, out, **options):
        written[out] = sizes.frame

    def load(path, **options):
        return SimpleNamespace(frame=written.pop(path)) if path in written else real_load(path, **options)

    finished = SimpleNamespace(frame=table.frame, path=Path("t.parquet"))
    replaced = {
        "kondo_theory.claims.derive": lambda claim: derived,
        "simulations.verification.verify._Found.check": check,
        "simulations.verification.verify.get_claims": lambda ids: get_claims(ids)[:2],
        "simulations.results.provenance.commit": lambda: "0" * 40,
        "simulations.results.tables.load": load,
        "simulations.mnist.experiment.run_mnist": ran("mnist"),
        "simulations.reversal.experiment.run_reversal": ran("reversal"),
        "simulations.language_model.experiment.run_language_model": ran("language-model"),
        "simulations.language_model.cost.write_table": lambda *arguments, **options: None,
        "simulations.language_model.frozen.study.write_table": lambda *arguments, **options: None,
        "simulations.language_model.lucky.write_table": lambda *arguments, **options: None,
        "simulations.language_model.summary.cost_table": lambda path: "",
        "simulations.language_model.summary.frozen_table": lambda path: "",
        "simulations.mnist.studies.run_study": lambda *arguments, **options: None,
        "simulations.reversal.times.write_table": lambda *arguments, **options: None,
        "simulations.reversal.moments.writing.write_table": lambda *arguments, **options: None,
        "simulations.reversal.stale.study.write_table": wrote,
        "simulations.reversal.stale.study.summary_table": lambda table: "",
        "simulations.report.page.figures_of": lambda claim: [],
        "simulations.report.page.explorers": tuple,
        "paper_figs.writing._write": lambda wanted, out, *rest, **named: iter(
            [out / f"{name}.png" for name in wanted]
        ),
        "simulations.sweeps.run.run_sweep": lambda *arguments, **options: finished,
        "simulations.cli.sweeping.estimate": lambda sweep, out: SimpleNamespace(
            cells=1, missing=1, core_seconds=1.0, bytes=1, failures=[]
        ),
        "simulations.benchmark.suite.run": lambda **options: [],
        "simulations.benchmark.suite.main_table": lambda rows: "",
        "simulations.benchmark.suite.target_table": lambda rows: "",
        "simulations.language_model.weights.fetch_weights": lambda: Path("weights"),
        "simulations.language_model.weights.check_weights": lambda: SimpleNamespace(state="ok", path="x", detail=""),
        "simulations.mnist.images.fetch_mnist": lambda: Path("MNIST"),
        "simulations.mnist.images.check_mnist": lambda: [SimpleNamespace(state="ok", path="x", detail="")],
    }
    real_load = results.load
    with contextlib.ExitStack() as stack:
        for name, replacement in replaced.items():
            stack.enter_context(mock.patch(name, replacement))
        yield


def problem(arguments: list[str], directory: Path) -> str:
    """Run a command line in the directory and say what it did that none may do, empty if nothing."""
    before = _files(directory)
    out, err = io.StringIO(), io.StringIO()
    try:
        with (
            contextlib.redirect_stdout(out),
            contextlib.redirect_stderr(err),
            mock.patch.object(sys, "argv", ["kondo"]),
        ):
            cli.main(arguments)
    except SystemExit as ended:
        code = ended.code
    except BaseException as error:  # whatever it is, it is the finding
        return f"{type(error).__name__}: {error}"
    said, new = err.getvalue(), _files(directory) - before
    files = {path for path in new if (directory / path).is_file()}
    for path in new:
        shutil.rmtree(directory / path) if (directory / path).is_dir() else (directory / path).unlink(missing_ok=True)
    if code not in (0, 1, 2):
        return f"exit code {code!r}"
    if code == 2 and not (said.startswith("kondo: ") and len(said.splitlines()) == 1):
        return f"exit code 2 and not one line on standard error but {said!r}"
    quiet = "--quiet" in arguments
    if quiet and code == 0 and not any(word.startswith(ASKED) for word in arguments) and (said or out.getvalue()):
        return f"--quiet and exit code 0, but {out.getvalue() + said!r}"
    if code != 2 and not quiet and not out.getvalue() and "-" not in arguments and "--json=-" not in arguments:
        return f"exit code {code} and not a word on standard output"
    kept = files if code != 2 else new
    with_json = code != 2 and {"verify", "bench"} & {*arguments}
    written = {Path(word.removeprefix("--json=")) for word in arguments if with_json}
    if code != 2 and {"verify", "report"} & {*arguments}:
        places = {word.removeprefix("--report=").removeprefix("--out=") for word in arguments}
        written |= {Path(place, "index.html") for place in (*places, "report")}
    stray = {path for path in kept if path not in written}
    return f"stray: {', '.join(map(repr, map(str, stray)))}" if stray else ""


def _files(directory: Path) -> set[Path]:
    return {path.relative_to(directory) for path in directory.rglob("*")}
