"""Updates of one softmax policy: Adam's mean step, and the way out of a corner.

May import what :mod:`simulations.bandits` may.
"""
