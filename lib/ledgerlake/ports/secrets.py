"""Secrets by reference: ``env:NAME`` or ``secretsmanager:ID[#field]``; values never stand in files."""

from __future__ import annotations

import json
import os
from collections.abc import Mapping
from typing import Any, Protocol

from ledgerlake.errors import ConfigError

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
    """Resolves ``env:`` from a mapping and ``secretsmanager:`` through a boto3 client."""

    def __init__(self, environment: Mapping[str, str] | None = None, client: Any = None) -> None:
        self._environment = os.environ if environment is None else environment
        self._client = client

    def resolve(self, reference: str) -> str:
        """Return the value behind ``reference``; plain text without a scheme is returned as is."""
        if reference.startswith("env:"):
            name = reference.removeprefix("env:")
            if name not in self._environment:
                raise ConfigError(f"the environment variable {name} is not set", then=f"export {name} and run again")
            return self._environment[name]
        if reference.startswith("secretsmanager:"):
            return self._from_manager(reference.removeprefix("secretsmanager:"))
        return reference

    def _from_manager(self, path: str) -> str:
        name, _, field = path.partition("#")
        if self._client is None:
            import boto3

            self._client = boto3.client("secretsmanager")
        text = str(self._client.get_secret_value(SecretId=name)["SecretString"])
        return str(json.loads(text)[field]) if field else text
