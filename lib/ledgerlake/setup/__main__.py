"""``python -m ledgerlake.setup``: the steps in their order, each skipped where its result is there."""

from __future__ import annotations

import argparse
import sys
import time
from collections.abc import Callable, Sequence
from pathlib import Path

from ledgerlake.errors import LedgerlakeError
from ledgerlake.setup.archive import provide_archive
from ledgerlake.setup.jars import BUNDLES, provide_jars
from ledgerlake.setup.java import provide_java
from ledgerlake.setup.launch import tools_folder


def main(argv: Sequence[str] | None = None) -> int:
    """Run set-up; return the process's exit code (see ``ledgerlake.errors``)."""
    options = _parser().parse_args(argv)
    tools: Path = options.tools.absolute()
    tools.mkdir(parents=True, exist_ok=True)
    bundles = ["core"] + ["s3"] * options.with_s3 + ["snowflake"] * options.with_snowflake
    try:
        _step("Java", lambda: provide_java(tools))
        _step("Jars", lambda: provide_jars(tools, [BUNDLES[name] for name in bundles], pin=options.pin))
        if options.archive:
            _step("Class archive", lambda: provide_archive(tools))
    except LedgerlakeError as error:
        print(f"set-up stopped: {error}", file=sys.stderr)
        return error.exit_code
    return 0


def _parser() -> argparse.ArgumentParser:
    parser = argparse.ArgumentParser(prog="python -m ledgerlake.setup", description=__doc__)
    add = parser.add_argument
    yes_no = argparse.BooleanOptionalAction
    add("--tools", type=Path, default=tools_folder(), help="where everything goes (default: .tools)")
    add("--with-s3", action=yes_no, default=True, help="jars for lakes on S3 (290 MB)")
    add("--with-snowflake", action=yes_no, default=False, help="the Snowflake Spark connector")
    add("--archive", action=yes_no, default=True, help="the archive that makes Spark start faster")
    add("--pin", action="store_true", help="record the checksums of what is resolved (after changing coordinates)")
    return parser


def _step(name: str, work: Callable[[], str]) -> None:
    print(f"{name} …", flush=True)
    started = time.monotonic()
    found = work()
    print(f"{name}: {found} ({time.monotonic() - started:.1f} s)", flush=True)


if __name__ == "__main__":
    sys.exit(main())
