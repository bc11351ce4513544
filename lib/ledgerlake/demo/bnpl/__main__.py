"""``python -m ledgerlake.demo.bnpl --port 8700``: the simulated service by itself, until it is interrupted."""

from __future__ import annotations

import argparse
import sys
import threading

from ledgerlake.demo.bnpl.simtom_server import SimtomServer


def main() -> None:
    """Serve and say where."""
    parser = argparse.ArgumentParser(description="The simulated simtom service.")
    parser.add_argument("--port", type=int, default=8700)
    port = parser.parse_args().port
    with SimtomServer().running(port) as server:
        sys.stdout.write(f"export SIMTOM_BASE_URL={server.url}\n")
        sys.stdout.flush()
        try:
            threading.Event().wait()
        except KeyboardInterrupt:
            return


if __name__ == "__main__":
    main()
