"""Finished vectors -> files of other tools. Neither Spark nor Java is needed here."""
