"""Random streams: one a replicate, one a seed, one a cell of a sweep, and exact draws from them.

Streams are counted off a seed, so that results depend on no order, worker or thread. The ground floor: it imports
nothing of the project, and must never know what the numbers are drawn for.
"""
