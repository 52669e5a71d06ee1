"""Claims that are measured alone: on networks, and on two devices."""
