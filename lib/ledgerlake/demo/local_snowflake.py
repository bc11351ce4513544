"""A Snowflake on this machine: the ``fakesnow`` server in a child process, its data in a folder.

The child holds a lock on the folder, because one process at a time can open its databases. It
ends when its parent closes it or dies: its standard input is the parent's pipe. The child is
``ledgerlake.demo.snowflake_server``.
"""

from __future__ import annotations

import os
import select
import subprocess
import sys
from pathlib import Path
from types import TracebackType

from ledgerlake.errors import ConfigError, TransientError
from ledgerlake.ports.private import bare_environment

START_S_MAX = 30
STOP_S_MAX = 10
LOCK_WAIT_S = 3.0  # a command that has just ended may take a moment to let go


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
                "ledgerlake.demo.snowflake_server",
                str(self._folder),
                str(self._lock_wait_s),
            ],
            stdin=subprocess.PIPE,
            stdout=subprocess.PIPE,
            stderr=subprocess.DEVNULL,
            text=True,
            env=bare_environment(os.environ, PYTHONPATH=path),
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
