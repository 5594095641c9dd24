"""Stage 2: words to numbered vocabulary, for spark-submit; the same arguments as `pmi-spark vocabulary`."""

import sys

from pmi_spark.cli import main

sys.exit(main(["vocabulary", *sys.argv[1:]]))
