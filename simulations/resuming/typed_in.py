"""The code of a function that lies in no file, typed at a prompt or in a notebook, and of all that it refers to.

Workers get such a function by value, with the values of the globals that it uses. So they belong to its code: another
value gives other results.
"""

from __future__ import annotations

import dis
import hashlib
import sys
import types
from collections.abc import Callable, Iterator
from typing import Any

import numpy as np

__all__ = ["typed_in_code"]

_PLAIN = (bool, int, float, complex, str, bytes, type(None), type(...))


def typed_in_code(function: Callable[..., Any]) -> tuple[str, frozenset[str]]:
    """Return what a function runs, as text, and the names of the modules and of their parts that it uses.

    Raises
    ------
    TypeError
        If it uses what has no lasting description, such as an open file: the message names it.
    """
    reader = _Reader(function.__qualname__)
    reader.read_function(function)
    return "\n".join(reader.lines), frozenset(reader.imports)


class _Reader:
    """Reads a function and all that it refers to, each once."""

    def __init__(self, name: str) -> None:
        self.name = name
        self.lines: list[str] = []
        self.imports: set[str] = set()
        self._seen: set[int] = set()

    def read_function(self, function: types.FunctionType | Any) -> None:
        if id(function) in self._seen:
            return
        self._seen.add(id(function))
        self._read_code(function.__code__)
        self._read("defaults", (function.__defaults__, function.__kwdefaults__))
        for name in sorted(_names(function.__code__) & function.__globals__.keys()):
            self._read(name, function.__globals__[name])
        for name, cell in zip(function.__code__.co_freevars, function.__closure__ or (), strict=True):
            self._read(name, cell.cell_contents)

    def _read_code(self, code: types.CodeType) -> None:
        self.lines.append(
            f"{code.co_code.hex()} {code.co_names} {code.co_varnames} {code.co_freevars} {code.co_flags}"
            f" {code.co_argcount} {code.co_kwonlyargcount} {code.co_exceptiontable.hex()}"
        )
        for constant in code.co_consts:
            if isinstance(constant, types.CodeType):
                self._read_code(constant)
            else:
                self._read("constant", constant)
        self.imports.update(_imports(code))

    def _read(self, name: str, value: Any) -> None:
        """Note a value under a name."""
        if isinstance(value, _PLAIN):
            self.lines.append(f"{name} = {value!r}")
        elif isinstance(value, tuple | list):
            self.lines.append(f"{name} = {type(value).__name__} of {len(value)}")
            for item in value:
                self._read(name, item)
        elif isinstance(value, dict | set | frozenset):
            self.lines.append(f"{name} = {type(value).__name__} of {len(value)}")
            for item in sorted(value.items() if isinstance(value, dict) else value, key=repr):
                self._read(name, item)
        elif isinstance(value, np.ndarray | np.generic) and not np.asarray(value).dtype.hasobject:
            array = np.ascontiguousarray(value)
            self.lines.append(f"{name} = {array.dtype} {array.shape} {hashlib.sha256(array.tobytes()).hexdigest()}")
        elif isinstance(value, types.ModuleType):
            self.imports.add(value.__name__)
            self.lines.append(f"{name} is {value.__name__}")
        elif getattr(value, "__module__", None) == "__main__" or isinstance(value, types.FunctionType):
            self._read_own(name, value)
        elif callable(value) and hasattr(sys.modules.get(value.__module__), getattr(value, "__name__", "")):
            self._note_part(name, value)
        else:
            self._refuse(name, value)

    def _read_own(self, name: str, value: Any) -> None:
        function = getattr(value, "py_func", value)  # Numba's
        if not isinstance(function, types.FunctionType):
            self._refuse(name, value)
        elif function.__module__ == "__main__" or "<locals>" in function.__qualname__:
            self.lines.append(f"{name} is a function")
            self.read_function(function)
        else:
            self._note_part(name, function)

    def _note_part(self, name: str, value: Any) -> None:
        part = f"{value.__module__}.{value.__name__}"
        self.imports.update((value.__module__, part))
        self.lines.append(f"{name} is {part}")

    def _refuse(self, name: str, value: Any) -> None:
        raise TypeError(
            f"function {self.name} was defined in no file and uses {name}, a {type(value).__name__}, whose change"
            " would go unseen: make it a keyword, or put the function in a module"
        )


def _names(code: types.CodeType) -> set[str]:
    """Return the names that a code and the codes in it may look up in its globals."""
    inner = (constant for constant in code.co_consts if isinstance(constant, types.CodeType))
    return set(code.co_names).union(*map(_names, inner))


def _imports(code: types.CodeType) -> Iterator[str]:
    """Yield the modules that a code imports as it runs, and the parts of them."""
    module = ""
    for instruction in dis.get_instructions(code):
        if instruction.opname == "IMPORT_NAME":
            module = str(instruction.argval)
            yield module
        elif instruction.opname == "IMPORT_FROM":
            yield f"{module}.{instruction.argval}"
