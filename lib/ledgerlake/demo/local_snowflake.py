"""A Snowflake on this machine: the ``fakesnow`` server in a child process, its data in a folder.

The child holds a lock on the folder, because one process at a time can open its databases. It
ends when its parent closes it or dies: its standard input is the parent's pipe. Run as
``python -m ledgerlake.demo.local_snowflake FOLDER``, it is that child.
"""

from __future__ import annotations

import fcntl
import os
import select
import shutil
import subprocess
import sys
import time
from pathlib import Path
from types import TracebackType
from typing import IO, Any

from ledgerlake.errors import ConfigError, TransientError

START_S_MAX = 30
STOP_S_MAX = 10
LOCK_WAIT_S = 3.0  # a command that has just ended may take a moment to let go
LOCK_NAME = ".lock"


class LocalSnowflake:
    """Starts the local Snowflake for a ``with`` block, over the databases kept in ``folder``.

    ``start`` returns at once; :meth:`parameters` waits for the server. Raises
    :class:`TransientError` where another process uses the folder.
    """

    def __init__(self, folder: Path, *, lock_wait_s: float = LOCK_WAIT_S) -> None:
        self._folder, self._lock_wait_s = folder.absolute(), lock_wait_s
        self._child: subprocess.Popen[str] | None = None
        self._port: int | None = None

    def __enter__(self) -> LocalSnowflake:
        self.start()
        return self

    def __exit__(
        self,
        kind: type[BaseException] | None,
        error: BaseException | None,
        trace: TracebackType | None,
    ) -> None:
        self.stop()

    def start(self) -> None:
        """Start the server; its imports go on while the caller does something else."""
        self._folder.mkdir(parents=True, exist_ok=True)
        path = os.pathsep.join(entry for entry in sys.path if entry)
        self._child = subprocess.Popen(
            [
                sys.executable,
                "-m",
                "ledgerlake.demo.local_snowflake",
                str(self._folder),
                str(self._lock_wait_s),
            ],
            stdin=subprocess.PIPE,
            stdout=subprocess.PIPE,
            stderr=subprocess.DEVNULL,
            text=True,
            env={**os.environ, "PYTHONPATH": path},
            start_new_session=True,  # Ctrl-C reaches the command first, which then closes in order
        )

    def parameters(self, **overrides: object) -> dict[str, object]:
        """Return arguments for ``snowflake.connector.connect`` once the server listens.

        There is no login: user and password mean nothing here. Timeouts are in seconds.
        """
        if self._port is None:
            self._port = self._await_port()
        return {
            "user": "ledgerlake",
            "password": "local",
            "account": "local",
            "host": "127.0.0.1",
            "port": self._port,
            "protocol": "http",
            "paramstyle": "qmark",
            "login_timeout": 10,
            "network_timeout": 60,
            "platform_detection_timeout_seconds": 0,  # asks cloud metadata services otherwise
            "session_parameters": {
                "CLIENT_TELEMETRY_ENABLED": False,
                "CLIENT_OUT_OF_BAND_TELEMETRY_ENABLED": False,
                "TIMEZONE": "UTC",
            },
            **overrides,
        }

    def stop(self) -> None:
        """End the server and wait until its databases are closed."""
        child, self._child, self._port = self._child, None, None
        if child is None:
            return
        for pipe in (child.stdin, child.stdout):
            if pipe:
                pipe.close()
        try:
            child.wait(STOP_S_MAX)
        except subprocess.TimeoutExpired:
            child.kill()
            child.wait()

    def _await_port(self) -> int:
        if self._child is None or self._child.stdout is None:
            raise TransientError("the local Snowflake is not running", then="start it first")
        ready, _, _ = select.select([self._child.stdout], [], [], START_S_MAX)
        answer = self._child.stdout.readline().split() if ready else []
        if len(answer) == 2 and answer[0] == "port":
            return int(answer[1])
        self.stop()
        if answer == ["busy"]:
            raise TransientError(
                "another ledgerlake command uses the local Snowflake",
                then="wait until it has ended and run again",
            )
        raise ConfigError(
            "the local Snowflake did not start",
            then="pip install 'ledgerlake[local]' (fakesnow[server])",
        )


def serve(folder: Path, lock_wait_s: float) -> int:
    """Serve ``folder`` until standard input ends; print ``port N``, or ``busy`` and return 75."""
    with (folder / LOCK_NAME).open("w") as lock:
        if not _locked(lock, lock_wait_s):
            print("busy", flush=True)
            return TransientError.exit_code
        uploads = folder / ".uploads"
        shutil.rmtree(uploads, ignore_errors=True)
        uploads.mkdir()
        os.environ["TMPDIR"] = str(uploads)  # fakesnow keeps stages in a temporary folder
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
    import logging
    import socket
    import threading

    import fakesnow.server as warehouse
    import uvicorn
    from fakesnow.instance import FakeSnow

    logging.disable(logging.CRITICAL)
    # one instance for all sessions, so that they see each other's commits
    warehouse.shared_fs = FakeSnow(db_path=folder)
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
