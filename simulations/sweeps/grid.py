"""What a sweep is: a pure function of typed keywords, and the grids of configurations to call it with.

A cell is one configuration. Its key is the hash of the configuration and of the code that computes it, so that a
result is found again wherever its grid is cut differently, and never after its code has changed.
"""

from __future__ import annotations

import hashlib
import importlib
import inspect
import itertools
import json
import math
import reprlib
import types
import typing
from collections.abc import Callable, Iterator, Mapping, Sequence
from dataclasses import dataclass, field, replace
from functools import cached_property
from typing import Any, Literal

from kondo_theory.words import nearest
from simulations.results.shards import CELL_KEY
from simulations.resuming.fingerprint import code_version
from simulations.resuming.moved import present_name, stored_name
from simulations.sweeps.keywords import Scalar, arrow_type, checked_values, is_nullable, scalar_type

__all__ = ["MOST_CELLS", "Cell", "Grid", "Kind", "Sweep", "load_cell"]

MOST_CELLS = 1_000_000
"""Cells of one sweep: the keys of all of them are held in memory."""

_LONGEST_NAME = 100

Config = Mapping[str, Scalar]
Grid = Mapping[str, Sequence[Scalar]]
"""Axes by name; their product is the grid, the last axis running fastest."""

Kind = Literal["analytical", "simulated", "experiment"]
"""Closed forms alone; Numba kernels beside closed forms; networks."""


@dataclass(frozen=True)
class Cell:
    """One configuration and its key, 32 hexadecimal digits."""

    key: str
    config: dict[str, Scalar]


@dataclass(frozen=True)
class Sweep:
    """A named grid of calls of one function.

    Attributes
    ----------
    name : str
        Names the table: letters, digits, ``-`` and ``_``.
    cell : function or "module:function"
        Pure, and without a closure: keyword arguments annotated with bool, int, float, str or a ``Literal`` of them,
        each with or without ``| None``, or with pydantic's ``Annotated`` bounds; returns a mapping of column to
        number, text, bool or None, a sequence of such mappings, or a DataFrame, always with the same columns.
        Everything random comes from its configuration, for instance through
        :func:`~simulations.randomness.cell_seeds.stream_seed`; what it reads from globals or files is not in a cell's
        key. A function typed at a prompt or in a notebook is sent to the workers by value, with the globals that it
        uses.
    grids : tuple of Grid
        Their union is computed, a configuration that occurs twice once. A keyword that a grid leaves out has the
        function's default.
    title : str
        What it is about, in a few words.
    kind : {"analytical", "simulated", "experiment"}
    presets : mapping
        For each preset, the sizes that replace what the grids say.
    probe : (str, int) or None
        For a function whose cost is proportional to one keyword: that keyword and the value at which ``--dry-run``
        times it.

    Raises
    ------
    ValueError
        If the name or a grid is not allowed: a keyword unknown, missing or without a value, a value of a wrong type
        or out of range, more than ``MOST_CELLS`` cells.
    TypeError
        If the function's signature is not as described.
    """

    name: str
    cell: Callable[..., Any] | str
    grids: tuple[Grid, ...]
    title: str = ""
    kind: Kind = "analytical"
    presets: Mapping[str, Mapping[str, Scalar]] = field(default_factory=dict)
    probe: tuple[str, int] | None = None

    def __post_init__(self) -> None:
        short = 0 < len(self.name) <= _LONGEST_NAME
        if not short or not self.name.replace("-", "").replace("_", "").isalnum():
            allowed = f"at most {_LONGEST_NAME} letters, digits, - and _"
            raise ValueError(f"a sweep's name must be {allowed}, got {reprlib.repr(self.name)}")
        if self.name == "index" or self.name.startswith("cells-"):
            raise ValueError(f"a sweep's name must not be index or cells-…, which name its files, got {self.name}")
        if not isinstance(self.grids, tuple | list) or not all(isinstance(grid, Mapping) for grid in self.grids):
            raise TypeError(f"sweep {self.name}: grids must be a tuple of mappings, got {reprlib.repr(self.grids)}")
        object.__setattr__(self, "grids", tuple(types.MappingProxyType(dict(grid)) for grid in self.grids))

    @cached_property
    def function(self) -> Callable[..., Any]:
        """The function behind ``cell``."""
        function = load_cell(self.cell) if isinstance(self.cell, str) else self.cell
        if not isinstance(function, types.FunctionType):
            raise TypeError(f"a cell must be a plain function or 'module:function', got {function!r}")
        if function.__closure__ and not hasattr(function, "__wrapped__"):
            # What it closes over is no part of a cell's key: another value would be given the same results.
            names = ", ".join(function.__code__.co_freevars)
            raise TypeError(f"cell function {function.__qualname__} closes over {names}: make it a keyword")
        return function

    @cached_property
    def parameters(self) -> dict[str, Any]:
        """The function's keywords with their annotations, in its order."""
        hints = typing.get_type_hints(self.function, include_extras=True)
        for name, parameter in inspect.signature(self.function).parameters.items():
            if parameter.kind not in (parameter.KEYWORD_ONLY, parameter.POSITIONAL_OR_KEYWORD):
                raise TypeError(f"cell function {self.function_name}: parameter {name} must be a keyword")
            if name not in hints or name == CELL_KEY:
                what = "needs an annotation" if name not in hints else "has a name that is taken"
                raise TypeError(f"cell function {self.function_name}: parameter {name} {what}")
            scalar_type(hints[name], name)
        return {name: hints[name] for name in inspect.signature(self.function).parameters}

    @property
    def function_name(self) -> str:
        """``module:function``, with the module where it is now."""
        if isinstance(self.cell, str):
            return present_name(self.cell)
        return f"{self.cell.__module__}:{self.cell.__qualname__}"

    @property
    def stored_function(self) -> str:
        """The same by which results know it, wherever it has moved since."""
        return stored_name(self.function_name)

    @cached_property
    def column_types(self) -> dict[str, str]:
        """Arrow's type of each keyword's column."""
        return {name: arrow_type(hint, name) for name, hint in self.parameters.items()}

    def is_nullable(self, name: str) -> bool:
        """Whether a keyword may be None."""
        return is_nullable(self.parameters[name])

    @cached_property
    def version(self) -> str:
        """Hash of the code that a cell runs."""
        return code_version(self.function)

    def checked(self) -> Sweep:
        """Return the sweep with every value of every grid checked and typed; raises as the class does."""
        if not self.grids:
            raise ValueError(f"sweep {self.name}: there is no grid")
        # Counted first: a grid of 10^12 cells must not be looked at value by value.
        sizes = [math.prod(len(values) for values in grid.values()) for grid in self.grids]
        if sum(sizes) > MOST_CELLS:
            raise ValueError(f"sweep {self.name}: at most {MOST_CELLS:,} cells are allowed, got {sum(sizes):,}")
        checked = tuple(self._checked_grid(grid) for grid in self.grids)
        return replace(self, grids=checked)

    def _checked_grid(self, grid: Grid) -> Grid:
        for name in grid:
            self._require_known(name)
        defaults = inspect.signature(self.function).parameters
        full: dict[str, Sequence[Scalar]] = {}
        for name, hint in self.parameters.items():
            if name in grid:
                values = grid[name]
                if len(values) == 0:
                    raise ValueError(f"sweep {self.name}: {name} has no value: the grid is empty")
            elif defaults[name].default is inspect.Parameter.empty:
                raise ValueError(f"sweep {self.name}: {name} needs a value")
            else:
                values = (defaults[name].default,)
            try:
                full[name] = checked_values(hint, values)
            except ValueError as error:
                raise ValueError(f"sweep {self.name}: {name} is {error}") from None
        return full

    def _require_known(self, name: str) -> None:
        if name not in self.parameters:
            allowed = f"allowed are {', '.join(self.parameters)}{nearest(name, self.parameters)}"
            raise ValueError(f"sweep {self.name}: unknown key {name!r}: {allowed}")

    def with_values(self, values: Grid) -> Sweep:
        """Return the sweep with these axes replaced in every grid.

        Raises
        ------
        ValueError
            If a key is unknown.
        """
        for name in values:
            self._require_known(name)
        # An axis keeps its place, and with it the order of the table.
        return replace(self, grids=tuple({**grid, **values} for grid in self.grids))

    def with_axes(self, values: Grid) -> Sweep:
        """Return the sweep with these axes replaced in the grids that name them, and in all where none does.

        Raises
        ------
        ValueError
            If a key is unknown.
        """
        sweep = self
        for name, axis in values.items():
            chosen = self.grids_with(name)
            grids = ({**grid, name: axis} if n in chosen else grid for n, grid in enumerate(sweep.grids))
            sweep = replace(sweep, grids=tuple(grids))
        return sweep

    def grids_with(self, name: str) -> list[int]:
        """Return the places of the grids that name an axis, of all if none does.

        Raises
        ------
        ValueError
            If the function has no such keyword.
        """
        self._require_known(name)
        return [n for n, grid in enumerate(self.grids) if name in grid] or list(range(len(self.grids)))

    def at_preset(self, preset: str) -> Sweep:
        """Return the sweep at a preset's sizes, as it is if it has none."""
        return self.with_values({name: (value,) for name, value in self.presets.get(preset, {}).items()})

    def configs(self) -> Iterator[dict[str, Scalar]]:
        """Yield every configuration of a checked sweep once, in the order of its table."""
        seen: set[tuple[Scalar, ...]] = set()  # a checked grid has every keyword, in the function's order, typed
        for grid in self.grids:
            for values in itertools.product(*grid.values()):
                if values not in seen:
                    seen.add(values)
                    yield dict(zip(grid, values, strict=True))

    def cells(self) -> Iterator[Cell]:
        """Yield every cell of a checked sweep."""
        for config in self.configs():
            yield Cell(cell_key(config, self.stored_function, self.version), config)

    def describe(self) -> dict[str, Any]:
        """Return the sweep as a JSON value, for the table's header."""
        grids = [{name: list(values) for name, values in grid.items()} for grid in self.grids]
        return {"name": self.name, "function": self.stored_function, "version": self.version, "grids": grids}


def load_cell(name: str) -> Callable[..., Any]:
    """Return the function ``module:function``.

    Raises
    ------
    TypeError
        If there is none.
    """
    module, _, function = present_name(name).partition(":")
    try:
        loaded: Callable[..., Any] = getattr(importlib.import_module(module), function)
    except (ImportError, AttributeError, ValueError) as error:
        raise TypeError(f"no function {name!r}: {error}") from error
    return loaded


def cell_key(config: Config, function: str, version: str) -> str:
    """Return the hash of a configuration and the code that computes it."""
    text = json.dumps([function, version, config], sort_keys=True)
    return hashlib.sha256(text.encode()).hexdigest()[:32]
