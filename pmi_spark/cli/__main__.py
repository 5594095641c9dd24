"""``python -m pmi_spark.cli``."""

from pmi_spark.cli import entry_point

entry_point()
