"""Checks of what is said of data that another policy drew."""
