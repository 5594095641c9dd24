"""Candidate texts by their PMI with a query, for spark-submit; the same arguments as `pmi-spark rank --spark`."""

import sys

from pmi_spark.cli import main

sys.exit(main(["rank", "--spark", *sys.argv[1:]]))
