"""The named sweeps, one module a family: data alone, so that listing them imports no simulation."""
