"""The server behind the local Snowflake: ``fakesnow`` over a folder, for as long as its parent lives.

Run as ``python -m ledgerlake.demo.snowflake_server FOLDER LOCK_WAIT_S``; it prints ``port N``
once it listens, or ``busy`` and returns 75, and ends when its standard input does.
"""

from __future__ import annotations

import fcntl
import logging
import os
import shutil
import socket
import sys
import threading
import time
from pathlib import Path
from typing import IO, Any

from ledgerlake.errors import TransientError

LOCK_NAME = ".lock"


def serve(folder: Path, lock_wait_s: float) -> int:
    """Serve ``folder`` until standard input ends; print ``port N``, or ``busy`` and return 75."""
    with (folder / LOCK_NAME).open("w") as lock:
        if not _locked(lock, lock_wait_s):
            print("busy", flush=True)
            return TransientError.exit_code
        uploads = folder / ".uploads"
        shutil.rmtree(uploads, ignore_errors=True)
        uploads.mkdir()
        os.environ["TMPDIR"] = str(uploads)  # fakesnow keeps stages in a temporary folder, chosen when it is imported
        try:
            _run_server(folder)
        finally:
            shutil.rmtree(uploads, ignore_errors=True)
    return 0


def _locked(lock: IO[str], wait_s: float) -> bool:
    deadline = time.monotonic() + wait_s
    while True:
        try:
            fcntl.flock(lock, fcntl.LOCK_EX | fcntl.LOCK_NB)
            return True
        except BlockingIOError:
            if time.monotonic() >= deadline:
                return False
            time.sleep(0.05)


def _run_server(folder: Path) -> None:
    import fakesnow.rowtype as rowtype
    import fakesnow.server as warehouse
    import uvicorn

    from ledgerlake.demo.snowflake_arrow import FURTHER_TYPES, to_snowflake
    from ledgerlake.demo.snowflake_sessions import ExactSnow

    logging.disable(logging.CRITICAL)
    rowtype.duckdb_to_sf_type.update(FURTHER_TYPES)
    vars(warehouse)["to_sf"] = to_snowflake
    warehouse.shared_fs = ExactSnow(folder)
    for file in sorted(folder.glob("*.db")):
        warehouse.shared_fs.connect(file.stem).close()
    # asyncio switches Nagle's delay (40 ms a statement) off only where the protocol is spelled out
    listener = socket.socket(socket.AF_INET, socket.SOCK_STREAM, socket.IPPROTO_TCP)
    listener.bind(("127.0.0.1", 0))
    listener.listen()
    server = uvicorn.Server(uvicorn.Config(warehouse.app, log_config=None, lifespan="off"))

    def stop_with_parent() -> None:
        sys.stdin.read()
        server.should_exit = True

    threading.Thread(target=stop_with_parent, daemon=True).start()
    print("port", listener.getsockname()[1], flush=True)
    server.run(sockets=[listener])
    _close(warehouse)


def _close(warehouse: Any) -> None:
    """Close every session and the databases: what is open rolls back, what is committed stays."""
    for opened in list(warehouse.sessions.values()):
        opened.close()
    warehouse.shared_fs.duck_conn.close()


if __name__ == "__main__":
    sys.exit(serve(Path(sys.argv[1]), float(sys.argv[2])))
