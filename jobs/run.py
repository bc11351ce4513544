"""spark-submit entry point: ``ledgerlake run`` with the arguments it is given."""

import sys

from ledgerlake.cli.main import main

main(["run", *sys.argv[1:]])
