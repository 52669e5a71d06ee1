"""Simulations and experiments that could refute the claims of :mod:`kondo_theory`."""
