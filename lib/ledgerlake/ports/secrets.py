"""Secrets by reference: ``env:NAME`` or ``secretsmanager:ID[#field]``; values never stand in files."""

from __future__ import annotations

import json
import os
from collections.abc import Mapping
from typing import Any, Protocol

from ledgerlake.discretion import remember
from ledgerlake.errors import ConfigError, LedgerlakeError, TransientError

SCHEMES = ("env:", "secretsmanager:")


def is_reference(text: str) -> bool:
    """Say whether ``text`` refers to a secret rather than being one."""
    return text.startswith(SCHEMES)


class Secrets(Protocol):
    """Resolves secret references."""

    def resolve(self, reference: str) -> str:
        """Return the secret's value; raise :class:`ConfigError` where there is none."""
        ...


class ReferencedSecrets:
    """Resolves ``env:`` from a mapping and ``secretsmanager:`` through a boto3 client.

    What it resolves is remembered, so that no message of this process ever shows it.
    """

    def __init__(self, environment: Mapping[str, str] | None = None, client: Any = None) -> None:
        # as it is now: variables are withheld for a moment while the JVM starts
        self._environment = dict(os.environ) if environment is None else environment
        self._client = client

    def resolve(self, reference: str) -> str:
        """Return the value behind ``reference``; plain text without a scheme is returned as is."""
        if not is_reference(reference):
            return reference
        value = self._from_environment(reference) if reference.startswith("env:") else self._from_manager(reference)
        remember(value)
        return value

    def _from_environment(self, reference: str) -> str:
        name = reference.removeprefix("env:")
        if name not in self._environment:
            raise ConfigError(f"the environment variable {name} is not set", then=f"export {name} and run again")
        return self._environment[name]

    def _from_manager(self, reference: str) -> str:
        name, _, field = reference.removeprefix("secretsmanager:").partition("#")
        try:
            text = str(self._manager().get_secret_value(SecretId=name)["SecretString"])
        except Exception as error:
            raise _manager_error(error, reference) from None  # the vendor's text may quote the request
        if not field:
            return text
        try:
            return str(json.loads(text)[field])
        except (ValueError, KeyError, TypeError):  # the parser's own text quotes what it read
            raise ConfigError(
                f"the secret {name} has no field {field!r}", then="store a JSON object with that field, or drop `#…`"
            ) from None

    def _manager(self) -> Any:
        if self._client is None:
            import boto3

            self._client = boto3.client("secretsmanager")
        return self._client


_PASSING = ("Throttling", "InternalService", "ServiceUnavailable", "Timeout", "EndpointConnection", "ConnectionError")


def _manager_error(error: Exception, reference: str) -> LedgerlakeError:
    answer = getattr(error, "response", None) or {}
    code = str(answer.get("Error", {}).get("Code") or type(error).__name__)
    what = f"Secrets Manager answered {code} for {reference}"
    if any(sign in code for sign in _PASSING):
        return TransientError(what, then="run again")
    return ConfigError(what, then="check the secret's name, the region, and the role's right to read it")
