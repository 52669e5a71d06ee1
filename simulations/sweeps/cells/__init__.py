"""The functions behind the named sweeps, one module a family, so that a cell's code is no more than what it runs."""
