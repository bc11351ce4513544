"""Nothing secret is ever shown: addresses are bare, and what was resolved is masked wherever it slips in."""

from __future__ import annotations

from typing import Any

import pytest
from ledgerlake.discretion import address, hidden, remember
from ledgerlake.errors import ConfigError, SourceError, TransientError, Where
from ledgerlake.ports.http import Request, SystemHttp
from ledgerlake.ports.secrets import ReferencedSecrets


@pytest.mark.parametrize(
    ("text", "shown"),
    [
        ("https://ann:pa55@api.example.com/v1/rows?key=abc#top", "https://api.example.com/v1/rows"),
        ("postgresql://ann:p@ss@db:5432/ledger?sslmode=require", "postgresql://db:5432/ledger"),
        ("jdbc:postgresql://db/ledger?user=ann&password=pa55", "jdbc:postgresql://db/ledger"),
        ("s3://bucket/lake", "s3://bucket/lake"),
        ("https://token@host", "https://host"),
        ("Max retries: https://ann:pa55@h/x?a=b (Caused by x)", "Max retries: https://h/x (Caused by x)"),
    ],
)
def test_addresses_are_shown_without_user_password_and_query(text: str, shown: str) -> None:
    assert address(text) == shown
    assert str(SourceError("refused", where=Where(file=text)).where) == shown


@pytest.mark.parametrize(
    ("value", "secret"),
    [
        ("sk_live_4eC39HqLyjWDarjtT1", "sk_live_4eC39HqLyjWDarjtT1"),
        ("https://ann:s3cr3t-word@api.example.com/v1", "s3cr3t-word"),
        ("https://api.example.com/v1?api_key=kk-4711-kk", "kk-4711-kk"),
        ("https://hooks.slack.com/services/T1/B1/XyzXyzXyzXyzXyzXyzXyz", "XyzXyzXyzXyzXyzXyzXyz"),
        ("host=db user=ann password='two words'", "two words"),
        ("postgresql://ann:p%40ss-word@db/ledger", "p@ss-word"),
        ("jdbc:postgresql://db/l?user=ann&password=hunter22", "hunter22"),
        ("-----BEGIN PRIVATE KEY-----\nMIIEvQIBADANBgkqhkiG9w0\n-----END PRIVATE KEY-----", "MIIEvQIBADANBgkqhkiG9w0"),
        ("tiny7", "tiny7"),
    ],
)
def test_a_resolved_secret_is_masked_in_every_part_of_an_error(value: str, secret: str) -> None:
    assert ReferencedSecrets({"NAME": value}).resolve("env:NAME") == value

    error = TransientError(f"the driver says {secret}", where=Where(file=f"x/{secret}"), then=f"not {secret} again")

    assert secret not in f"{error} {error.what} {error.where} {error.then} {error.args}"
    assert "***" in error.what


def test_words_that_contain_a_short_secret_stay_readable() -> None:
    ReferencedSecrets({"NAME": "cat"}).resolve("env:NAME")

    assert ConfigError("the category of cat").what == "the category of ***"


def test_plain_text_is_no_secret() -> None:
    assert ReferencedSecrets({}).resolve("a-plain-endpoint") == "a-plain-endpoint"
    assert ConfigError("use a-plain-endpoint").what == "use a-plain-endpoint"


def test_a_request_that_fails_names_host_and_path_alone() -> None:
    request = Request("GET", "http://ann:hidden-word@127.0.0.1:9/rows?token=hidden-token")
    with pytest.raises(TransientError) as error:
        list(SystemHttp().lines(request))

    assert "http://127.0.0.1:9/rows" in str(error.value)
    assert "hidden" not in f"{error.value}{request!r}"


class Refusing:
    """A Secrets Manager that answers with an error, or with a text."""

    def __init__(self, code: str = "", text: str = "") -> None:
        self.code, self.text = code, text

    def get_secret_value(self, SecretId: str) -> dict[str, Any]:  # noqa: N803 (boto3's own name)
        if self.code:
            error = RuntimeError("arn:aws:secret of " + SecretId)
            error.response = {"Error": {"Code": self.code}}  # type: ignore[attr-defined]
            raise error
        return {"SecretString": self.text}


@pytest.mark.parametrize(
    ("client", "kind", "says"),
    [
        (Refusing("ResourceNotFoundException"), ConfigError, "ResourceNotFoundException"),
        (Refusing("AccessDeniedException"), ConfigError, "AccessDeniedException"),
        (Refusing("ThrottlingException"), TransientError, "ThrottlingException"),
        (Refusing(text="the whole secret"), ConfigError, "has no field 'key'"),
        (Refusing(text='{"other": "the whole secret"}'), ConfigError, "has no field 'key'"),
        (Refusing(text='"the whole secret"'), ConfigError, "has no field 'key'"),
    ],
)
def test_what_secrets_manager_refuses_is_told_without_what_it_holds(
    client: Refusing, kind: type[Exception], says: str
) -> None:
    with pytest.raises(kind, match=says) as error:
        ReferencedSecrets({}, client).resolve("secretsmanager:db#key")
    assert "whole" not in str(error.value)
    assert error.value.__cause__ is None


@pytest.mark.parametrize(
    ("secret", "text", "shown"),
    [
        ("postgres", "no answer from postgresql://db/ledger", "no answer from postgresql://db/ledger"),
        ("postgres", "role postgres was refused", "role *** was refused"),
        ("nobody", "nobodys:1", "nobodys:1"),
        ("hunter22", "token xhunter22x", "token x***x"),
        ("abcdefghijklmnopqrst", "key_abcdefghijklmnopqrst_1", "key_***_1"),
    ],
)
def test_a_secret_that_is_a_plain_word_is_hidden_as_a_word_any_other_wherever_it_stands(
    secret: str, text: str, shown: str
) -> None:
    remember(secret)
    assert hidden(text) == shown
