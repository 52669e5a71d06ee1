"""Figures on a pretrained language model: a step's cost, learning curves, predictions, a lucky answer."""
