"""One run of an experiment over the ranks that torchrun starts: their group, the placing of a policy, the run itself.

May import kondo_theory.training, resuming and results; it must never know which experiment it runs.
"""
