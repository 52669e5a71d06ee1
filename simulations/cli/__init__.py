"""The ``kondo`` command: one file a command, which turns words into calls and exceptions into one line.

The top floor: it may import everything, and nothing imports it. Heavy modules are imported when a command runs.
"""
