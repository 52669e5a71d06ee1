"""One file a command, named like it: its options, its help, and what it calls.

A file imports click and its neighbours alone; what is heavy is imported when the command runs.
"""
