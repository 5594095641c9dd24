"""Between stages 1 and 2: words to phrases, for spark-submit; the same arguments as `pmi-spark phrases`."""

import sys

from pmi_spark.cli import main

sys.exit(main(["phrases", *sys.argv[1:]]))
