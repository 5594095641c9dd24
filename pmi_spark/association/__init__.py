"""Pair counts -> pointwise mutual information."""
