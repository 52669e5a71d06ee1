"""The ``kondo`` command: turns words into calls, and exceptions into one line.

The top floor: it may import everything, and nothing imports it. ``main`` runs the command line; ``commands`` has
one file a command, loaded when that command runs, and ``options`` what several of them take. Whatever is heavy is
imported when a command runs: ``kondo --help`` and completion in the shell must never know NumPy, pandas or torch.
"""
