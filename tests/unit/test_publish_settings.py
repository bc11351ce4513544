"""Connection settings: secrets by reference only, and nothing of them in a message."""

from __future__ import annotations

import json

import pytest
from cryptography.hazmat.primitives import serialization as form
from cryptography.hazmat.primitives.asymmetric import rsa
from ledgerlake.errors import ConfigError
from ledgerlake.ports.secrets import ReferencedSecrets
from ledgerlake.ports.snowflake import SnowflakeSettings
from pydantic import ValidationError

SETTINGS = {
    "account": "acme-eu",
    "user": "LEDGERLAKE",
    "role": "PUBLISHER",
    "warehouse": "LOAD_XS",
    "database": "FIN",
    "private_key": "env:SF_KEY",
}


def pem(passphrase: str) -> str:
    key = rsa.generate_private_key(public_exponent=65537, key_size=2048)
    locked = form.BestAvailableEncryption(passphrase.encode())
    return key.private_bytes(form.Encoding.PEM, form.PrivateFormat.PKCS8, locked).decode()


def test_a_run_is_named_in_the_query_tag_and_the_key_is_resolved() -> None:
    settings = SnowflakeSettings.model_validate({**SETTINGS, "private_key_passphrase": "env:SF_PHRASE"})
    secrets = ReferencedSecrets({"SF_KEY": pem("open"), "SF_PHRASE": "open"})

    parameters = settings.parameters(secrets, pipeline="billing", run_id="r1")

    session = parameters["session_parameters"]
    assert isinstance(session, dict)
    assert json.loads(session["QUERY_TAG"]) == {
        "app": "ledgerlake",
        "pipeline": "billing",
        "run": "r1",
    }
    assert (session["TIMEZONE"], parameters["authenticator"]) == ("UTC", "SNOWFLAKE_JWT")
    assert isinstance(parameters["private_key"], bytes)


def test_a_key_written_into_the_file_is_refused() -> None:
    with pytest.raises(ValidationError, match="must be a reference"):
        SnowflakeSettings.model_validate({**SETTINGS, "private_key": "-----BEGIN PRIVATE KEY-----"})


def test_an_unknown_setting_is_refused() -> None:
    with pytest.raises(ValidationError, match="passwrod"):
        SnowflakeSettings.model_validate({**SETTINGS, "passwrod": "x"})


def test_an_unreadable_key_is_named_but_not_shown() -> None:
    with pytest.raises(ConfigError) as caught:
        SnowflakeSettings.model_validate(SETTINGS).parameters(
            ReferencedSecrets({"SF_KEY": "hunter2"}), pipeline="billing", run_id="r1"
        )

    assert "not a readable PEM key" in str(caught.value) and "hunter2" not in str(caught.value)
