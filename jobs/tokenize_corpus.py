"""Stage 1: documents to words, for spark-submit; the same arguments as `pmi-spark tokens`."""

import sys

from pmi_spark.cli import main

sys.exit(main(["tokens", *sys.argv[1:]]))
