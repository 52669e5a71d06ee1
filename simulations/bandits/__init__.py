"""Softmax bandits: Numba kernels, the typed functions in front of them, and plain NumPy references.

:mod:`.simulation` is the front. May import randomness, statistics and the theory that names gates and contexts; it
must never know torch, files, or which claim is tried on it.
"""
