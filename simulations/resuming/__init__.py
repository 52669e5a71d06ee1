"""Work that goes on after an interruption: checkpoints, tables in parts, more seeds, and the code behind a result.

May import results and devices; it must never know what is computed: a run is a function and its configuration.
"""
