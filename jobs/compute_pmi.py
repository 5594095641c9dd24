"""Stage 4: pair counts to PMI, for spark-submit; the same arguments as `pmi-spark pmi`."""

import sys

from pmi_spark.cli import main

sys.exit(main(["pmi", *sys.argv[1:]]))
