"""Tokens and vocabulary -> exact counts of the pairs that met in a window."""
