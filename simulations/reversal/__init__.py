"""Token reversal by a transformer: what a run is, its training, its studies, and its tables.

May import networks, resuming, results and randomness; it must never know MNIST, claims or figures.
"""
