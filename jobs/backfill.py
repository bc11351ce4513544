"""spark-submit entry point: ``ledgerlake backfill`` with the arguments it is given."""

import sys

from ledgerlake.cli.main import main

main(["backfill", *sys.argv[1:]])
