"""The commands that the documents tell a reader to type, and whether each would do: no command is made up.

A ``kondo`` command goes through the whole command line, with the heavy work replaced (:mod:`command_lines`): an
option, a claim, a study, a preset, a sweep, a figure or a key that is not there ends in exit code 2. Placeholders,
such as ``DIR``, stand for something that is there.
"""

import ast
import contextlib
import importlib
import importlib.util
import io
import re
import shlex
import tomllib
from collections.abc import Iterator
from pathlib import Path

import click

from kondo_theory.words import choice
from simulations.cli import main as cli

__all__ = ["BLOCK", "ROOT", "commands_in", "documents", "executed", "in_head", "in_help", "wrong"]

ROOT = Path(__file__).parents[1]
PROGRAMS = ("kondo", "make", "python", "pytest", "pip", "torchrun")
BLOCK = re.compile(r"^```(\w*)[^\n]*\n(.*?)^```", re.MULTILINE | re.DOTALL)
LOOP = re.compile(r"for (\w+) in ([^;]+); do\n(.*?)\ndone", re.DOTALL)
FAMILY_OF_COMMANDS = re.compile(r"^\| command, after `(kondo [\w ]+)` \|.*\n\|[-|]+\n((?:\|.*\n)+)", re.MULTILINE)

TABLES = str(ROOT / "simulations" / "tables")
STANDS_FOR = {
    "COMMAND": "verify", "ID": "gate-law", "CLAIM": "gate-law", "my-claim": "gate-law", "my-figure": "learning-time",
    "my-sweep": "gate-frequency", "my-figures": "new-figures", "FILE": "new.parquet", "FILE.json": "good.json",
    "verify.json": "good.json", "FILE.toml": "my-grid.toml", "DIR": "new-directory", "DIRECTORY": "new-directory",
    "LIST": "pdf,svg",
    "W": "column", "KEY=VALUES": "temperature=0.1,0.5", "ADDRESS": "tcp://login1:8786", "M": "10",
    "T": "10", "S": "8", "ρ": "0.03", "p": "0.5", "KEY=VALUE": "n_arms=50 zero-price-geometry", "...": "",
    "32000": "10", "512": "10", "64": "2",
}  # fmt: skip
"""What a placeholder stands for, with the argument that it needs, and sizes that take seconds."""
NAMES = {
    "figures": "learning-time", "sweep": "gate-frequency", "mnist": "cost", "reversal": "quality",
    "--task": "digits", "language-model": "cost",
}  # fmt: skip
"""What ``NAME`` stands for, by the command."""
AFTER = {
    "--results": TABLES, "--preset": "quick", "--device": "cpu", "--method": "token-gate", "--rate": "0.03",
    "--length": "10", "--model": "a-model",
}  # fmt: skip
"""What ``…``, a directory of own tables or another machine's device stands for, by the option before it."""


def documents() -> list[Path]:
    """Return the pages that are written by hand or kept."""
    pages = [ROOT / "README.md", ROOT / "CONTRIBUTING.md", *(ROOT / "docs").rglob("*.md")]
    return sorted(page for page in pages if "_build" not in page.parts and page.name != "theory.md")


def commands_in(text: str) -> Iterator[str]:
    """Yield the commands of a page, one line each, loops written out; of blocks of shell every line."""
    for language, block in BLOCK.findall(text):
        if language in ("sh", "bash", "console"):
            yield from _lines(block)
    prose = BLOCK.sub("", text)
    for command, rows in FAMILY_OF_COMMANDS.findall(prose):
        for row in rows.splitlines():
            options = re.match(r"\| `(--[^`]+)`", row)
            if options:
                yield f"{command} {options[1]}"
    for code in re.findall(r"`([^`]+)`", prose):
        line = " ".join(code.split()).replace("\\|", "|")
        if line.partition(" ")[0] in PROGRAMS and " " in line:
            yield line


def _lines(block: str) -> Iterator[str]:
    def written_out(found: re.Match[str]) -> str:
        return "\n".join(found[3].replace(f"${found[1]}", each) for each in found[2].split())

    for line in LOOP.sub(written_out, block.replace("\\\n", " ")).splitlines():
        words = shlex.split(line, comments=True)
        if words:
            yield shlex.join(words)


def in_head(script: str) -> Iterator[str]:
    """Yield the commands in the docstring of a script."""
    for line in (ast.get_docstring(ast.parse(script)) or "").splitlines():
        if found := re.search(r"\b(kondo|python) .*", line):
            yield found[0]


def in_help(command: object) -> Iterator[str]:
    """Yield the examples in the help of a command."""
    for line in (getattr(command, "epilog", None) or "").splitlines():
        if line.startswith("  kondo "):
            yield re.split(r"\s{2,}", line.strip())[0]


def expanded(line: str) -> Iterator[list[str]]:
    """Yield the words of a command; of a line of usage those of each option alone, of each of several choices."""
    groups = re.findall(r" \[([^\]]*)\]", line)
    required = re.sub(r" \[[^\]]*\]", "", line)
    for group in dict.fromkeys(["", *groups]):
        words = shlex.split(f"{required} {group}")
        for end in ("|", ">"):  # what the shell does with the output
            words = words[: words.index(end)] if end in words else words
        several = [place for place, word in enumerate(words) if re.fullmatch(r"[\w.]+(\|[\w.]+)+", word)]
        for place in several[:1] or [None]:
            for each in words[place].split("|") if place is not None else [None]:
                yield [each if here == place and each is not None else word for here, word in enumerate(words)]


def _filled(words: list[str]) -> list[str]:
    found: list[str] = []
    for before, word in zip(["", *words], words, strict=False):
        if before in AFTER and (word in ("…", "DIR", "results", "cuda", "my-numbers.csv") or "/" in word):
            found.append(str(ROOT / word) if "/" in word else AFTER[before])
        elif word == "NAME":
            found.append(next(name for key, name in NAMES.items() if key in words))
        else:
            found += STANDS_FOR.get(word, word).split() if word in STANDS_FOR else [word]
    return found


def executed(words: list[str]) -> tuple[int, str]:
    """Run a ``kondo`` command in this process; return its exit code and all that it printed."""
    out = io.StringIO()
    try:
        with contextlib.redirect_stdout(out), contextlib.redirect_stderr(out):
            cli.main(words[1:])
    except SystemExit as end:
        return end.code, out.getvalue()


def wrong(line: str) -> str:
    """Return why a command would not do, empty if it would; a ``kondo`` command is run here, with light work."""
    for words in expanded(line):
        program, *rest = words
        if program == "kondo":
            code, said = executed(_filled(words))
            named = len(words) == 2 and "Missing option" in said  # a command that is spoken of
            if code == 2 and not named:
                return f"{shlex.join(words)}: {said[-300:].strip()}"
            continue
        found = CHECKS.get(program)
        why = f"no program of ours: {program}" if found is None and program != "." else found and found(rest)
        if why:
            return f"{line}: {why}"
    return ""


def _wrong_make(words: list[str]) -> str:
    makefile = (ROOT / "Makefile").read_text(encoding="utf-8")
    targets = set(re.search(r"^\.PHONY: (.*)$", makefile, re.MULTILINE)[1].split())
    variables = set(re.findall(r"\$\((\w+)\)", makefile))
    families = {path.stem for path in (ROOT / "kondo_theory" / "claims").rglob("*.py")}
    for word in words:
        name, equals, value = word.partition("=")
        if name not in (variables if equals else targets):
            return f"the Makefile has no {name}"
        if name == "FAMILY" and value not in families:
            return f"no family {value}"
    return ""


def _wrong_python(words: list[str]) -> str:
    if words[0] == "-m":
        return "" if importlib.util.find_spec(words[1]) else f"no module {words[1]}"
    return _wrong_paths(words[:1])


def _wrong_torchrun(words: list[str]) -> str:
    """Check the module and its options as click reads them; torchrun's own are before ``-m``."""
    module, *options = words[words.index("-m") + 1 :]
    if wrong_module := _wrong_python(["-m", module]):
        return wrong_module
    (command,) = (
        each
        for each in vars(importlib.import_module(f"{module}.__main__")).values()
        if isinstance(each, click.Command)
    )
    try:
        command.make_context(module, options)
    except click.UsageError as error:
        return error.format_message()
    return ""


def _wrong_paths(words: list[str]) -> str:
    return ", ".join(f"no {word}" for word in words if not word.startswith("-") and not (ROOT / word).exists())


def _wrong_pip(words: list[str]) -> str:
    project = tomllib.loads((ROOT / "pyproject.toml").read_text(encoding="utf-8"))["project"]
    extras = re.findall(r"\[(\w+)\]", " ".join(words))
    try:
        for extra in extras:
            choice("extra", extra, project["optional-dependencies"])
    except ValueError as error:
        return str(error)
    return ""


CHECKS = {
    "make": _wrong_make, "python": _wrong_python, "pytest": _wrong_paths, "pip": _wrong_pip,
    "torchrun": _wrong_torchrun,
}  # fmt: skip
"""What says why a command of another program than ours would not do."""
