"""Stage 3: tokens to exact pair counts, for spark-submit; the same arguments as `pmi-spark pairs`."""

import sys

from pmi_spark.cli import main

sys.exit(main(["pairs", *sys.argv[1:]]))
