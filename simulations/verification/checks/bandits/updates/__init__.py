"""Checks of the claims on updates of one policy: Adam's steps, and the way out of a corner."""
