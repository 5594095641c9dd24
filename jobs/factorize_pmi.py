"""Stage 5: PMI to word vectors, for spark-submit; the same arguments as `pmi-spark vectors`."""

import sys

from pmi_spark.cli import main

sys.exit(main(["vectors", *sys.argv[1:]]))
