"""Snowflake as a port: the few verbs used, how a connection is made, and what its errors mean.

Nothing imports ``snowflake.connector`` until a connection is asked for, so that commands that
never reach the warehouse start without it. Production settings name secrets, never hold them.
"""

from __future__ import annotations

import json
import re
from collections.abc import Callable, Mapping, Sequence
from typing import Any, Protocol, cast

from pydantic import BaseModel, ConfigDict, Field, field_validator

from ledgerlake.errors import ConfigError, LedgerlakeError, PublishError, TransientError, Where
from ledgerlake.ports.secrets import Secrets, is_reference

LOCK_WAIT_ERRNO = 625  # another transaction holds the table's lock and outlived LOCK_TIMEOUT
MISSING_OBJECT_ERRNO = 2003  # does not exist or not authorized
UNKNOWN_DATABASE_ERRNO = 2043
SESSION_PARAMETERS: Mapping[str, object] = {
    "TIMEZONE": "UTC",  # Parquet instants become TIMESTAMP_NTZ through the session's time zone
    "AUTOCOMMIT": True,
    "LOCK_TIMEOUT": 600,
    "STATEMENT_TIMEOUT_IN_SECONDS": 3600,
    "ABORT_DETACHED_QUERY": True,  # a statement whose client is gone must not go on alone
}


class SnowflakeCursor(Protocol):
    """What is used of a DB-API cursor; binds are ``?`` (``paramstyle='qmark'``)."""

    @property
    def rowcount(self) -> int | None:
        """Return the rows the last statement affected."""
        ...

    @property
    def description(self) -> Any:
        """Return one descriptor per result column; its ``name`` is the column's name."""
        ...

    def execute(self, command: str, params: Sequence[object] | None = None) -> object:
        """Send one statement and wait for it."""
        ...

    def fetchall(self) -> list[tuple[Any, ...]]:
        """Return the rows left of the result."""
        ...

    def fetchmany(self, size: int) -> list[tuple[Any, ...]]:
        """Return at most ``size`` rows of the result."""
        ...


class SnowflakeConnection(Protocol):
    """What is used of a connection; closing it ends the session and rolls back what is open."""

    def cursor(self) -> SnowflakeCursor:
        """Return a new cursor of this session."""
        ...

    def close(self, retry: bool = True) -> None:
        """End the session; with ``retry=False`` the server is told once at most."""
        ...


Connect = Callable[[], SnowflakeConnection]


def connector(parameters: Mapping[str, object]) -> Connect:
    """Return a function that opens a new session with ``snowflake.connector`` each time.

    Raises :class:`TransientError` where the warehouse cannot be reached, :class:`ConfigError`
    where it refuses the login or the connector is not installed. No message holds a parameter.
    """

    def connect() -> SnowflakeConnection:
        try:
            import snowflake.connector as vendor
        except ImportError as error:
            raise ConfigError(
                "snowflake-connector-python is not installed",
                then="pip install 'ledgerlake[snowflake]'",
            ) from error
        try:
            opened = vendor.connect(**{"paramstyle": "qmark", **parameters})
        except (vendor.errors.Error, OSError) as error:
            raise _login_error(error) from None  # the vendor's text may quote the login
        return cast("SnowflakeConnection", opened)

    return connect


class SnowflakeSettings(BaseModel):
    """Where a publication goes in production; the key is a reference, resolved at connect."""

    model_config = ConfigDict(frozen=True, extra="forbid")

    account: str
    user: str
    role: str
    warehouse: str
    database: str
    private_key: str = Field(description="reference to a PEM private key, e.g. secretsmanager:snowflake#key")
    private_key_passphrase: str | None = None
    login_timeout_s: int = Field(default=30, ge=1, le=600)
    network_timeout_s: int = Field(default=300, ge=1, le=7200)

    @field_validator("private_key", "private_key_passphrase")
    @classmethod
    def _only_references(cls, value: str | None) -> str | None:
        if value is not None and not is_reference(value):
            raise ValueError("must be a reference (env:NAME or secretsmanager:ID#field), not the secret")
        return value

    def parameters(self, secrets: Secrets, *, pipeline: str, run_id: str) -> dict[str, object]:
        """Return the arguments of ``snowflake.connector.connect`` for one run.

        The session carries ``QUERY_TAG`` as JSON (pipeline, run), so that Snowflake's query
        history and cost reports lead back to the run. Raises :class:`ConfigError` for a bad key.
        """
        tag = json.dumps({"app": "ledgerlake", "pipeline": pipeline, "run": run_id}, sort_keys=True)
        phrase = secrets.resolve(self.private_key_passphrase) if self.private_key_passphrase else None
        return {
            "account": self.account,
            "user": self.user,
            "role": self.role,
            "warehouse": self.warehouse,
            "database": self.database,
            "private_key": _der_key(secrets.resolve(self.private_key), phrase),
            "authenticator": "SNOWFLAKE_JWT",
            "login_timeout": self.login_timeout_s,
            "network_timeout": self.network_timeout_s,
            "session_parameters": {**SESSION_PARAMETERS, "QUERY_TAG": tag},
        }


def _der_key(pem: str, passphrase: str | None) -> bytes:
    """Return the PEM key as the unencrypted DER the connector wants."""
    from cryptography.hazmat.primitives import serialization as form

    try:
        key = form.load_pem_private_key(pem.encode(), passphrase.encode() if passphrase else None)
    except (ValueError, TypeError):
        # the library's own text may quote the key
        raise ConfigError(
            "the Snowflake private key is not a readable PEM key",
            then="store an RSA key in PKCS#8 PEM behind private_key, and its passphrase beside it",
        ) from None
    return key.private_bytes(form.Encoding.DER, form.PrivateFormat.PKCS8, form.NoEncryption())


def is_transient(error: BaseException) -> bool:
    """Say whether the connector's ``error`` is the network's or a lock's, not the statement's."""
    from snowflake.connector import errors as vendor

    if isinstance(error, vendor.NonRetryableTlsError | vendor.RevocationCheckError):
        return False
    passing = (
        vendor.OperationalError,
        vendor.InternalServerError,
        vendor.ServiceUnavailableError,
        vendor.GatewayTimeoutError,
        vendor.BadGatewayError,
        vendor.RequestTimeoutError,
        vendor.TooManyRequests,
        vendor.OtherHTTPRetryableError,
        vendor.RequestExceedMaxRetryError,
        OSError,
    )
    return isinstance(error, passing) or getattr(error, "errno", None) == LOCK_WAIT_ERRNO


def is_missing(error: BaseException | None) -> bool:
    """Say whether the connector's ``error`` is that a database, schema or object is missing."""
    return getattr(error, "errno", None) in (MISSING_OBJECT_ERRNO, UNKNOWN_DATABASE_ERRNO)


LOCAL_SAYS = "the local Snowflake says: "
_ABOUT_NAMES = ("Binder Error", "Catalog Error", "Parser Error", "Cannot perform", "SQL compilation error")
_VALUES = re.compile(r"'(?:[^']|'')*'|(?<![\w\"])[+-]?\d[\d.,:eE+-]*")
_QUOTED = re.compile(r'"[^"]*"')


def local_text(message: str) -> str:
    """Return what the local server may say of an error: its first line, without values.

    Double quotes hold names where the error is about names, and values in every other error.
    """
    first = next((line.strip() for line in message.splitlines() if line.strip()), "the statement failed")
    bare = first if first.startswith(_ABOUT_NAMES) else _QUOTED.sub("…", first)
    return LOCAL_SAYS + _VALUES.sub("…", bare)


def statement_error(error: Exception, doing: str, where: Where) -> LedgerlakeError:
    """Translate the connector's ``error``; its text is left out because it can quote data.

    The local server keeps no query history, and says by itself what is wrong.
    """
    said = str(getattr(error, "raw_msg", None) or getattr(error, "msg", None) or "")
    if LOCAL_SAYS in said:
        what = f"{doing} failed: {LOCAL_SAYS}{said.split(LOCAL_SAYS, 1)[1].strip()}"
        return PublishError(what, where=where, then="correct the statement")
    code = f"{getattr(error, 'errno', None) or type(error).__name__}"
    query = getattr(error, "sfqid", None)
    what = f"Snowflake answered error {code} to {doing}" + (f", query {query}" if query else "")
    if getattr(error, "errno", None) == LOCK_WAIT_ERRNO:
        # a killed run's transaction keeps its locks until its session times out (4 hours)
        then = "wait, or abort a dead run's transaction: SHOW LOCKS, SYSTEM$ABORT_TRANSACTION"
        return TransientError(what, where=where, then=then)
    if is_transient(error):
        return TransientError(what, where=where, then="run the same command again")
    return PublishError(what, where=where, then="look the query up in Snowflake's query history")


def _login_error(error: Exception) -> LedgerlakeError:
    code = getattr(error, "errno", None) or type(error).__name__
    if is_transient(error):
        return TransientError(f"Snowflake cannot be reached (error {code})", then="run the same command again")
    return ConfigError(
        f"Snowflake refused the login (error {code})",
        then="check account, user, role and key in the environment",
    )
