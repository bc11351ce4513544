"""``python -m ledgerlake``: the same as the ``ledgerlake`` command."""

from ledgerlake.cli.main import main

main()
