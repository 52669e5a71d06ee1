"""MNIST where one action gambles: training under gates that luck takes in, and under gates that it does not.

May import what :mod:`simulations.mnist` may; it must never know claims or figures.
"""
