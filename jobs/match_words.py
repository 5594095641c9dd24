"""Every word's best mutual partner, for spark-submit; the same arguments as `pmi-spark matches`."""

import sys

from pmi_spark.cli import main

sys.exit(main(["matches", *sys.argv[1:]]))
