"""Run every stage, text to vectors, for spark-submit; the same arguments as `pmi-spark run`."""

import sys

from pmi_spark.cli import main

sys.exit(main(["run", *sys.argv[1:]]))
