"""SymPy derivations, one module a result; nothing else in the project imports SymPy.

Each module has one public function ``derive() -> Derivation``. The claim ``zero-price-geometry`` is derived in
``kondo_theory.derivations.zero_price_geometry``, and so on for every claim of :mod:`kondo_theory.claims`.
"""

__all__: list[str] = []
