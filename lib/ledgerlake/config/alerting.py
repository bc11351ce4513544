"""Who hears of a pipeline: of runs that stopped, and of what declared rules find in what was published."""

from __future__ import annotations

from pydantic import Field, field_validator

from ledgerlake.config.base import Model, Name
from ledgerlake.ports.secrets import is_reference


def _only_references(value: str | None) -> str | None:
    if value is not None and not is_reference(value):
        raise ValueError("must be a reference (env:NAME or secretsmanager:ID#field): who knows the address can post")
    return value


class AlertRule(Model):
    """A question to the published marts; each row of its answer is a finding that somebody should hear of.

    ``key`` names the columns of the answer that tell one finding from another: each is told once,
    whatever later runs find. ``message`` is a template over the answer's columns. ``webhook``
    defaults to the pipeline's; ``channel`` goes with the message for services that listen to it.
    """

    alert: Name
    description: str = ""
    sql: str
    key: tuple[Name, ...] = Field(min_length=1)
    message: str = Field(min_length=1)
    channel: str | None = None
    webhook: str | None = None

    _webhook_is_reference = field_validator("webhook")(_only_references)


class Alerts(Model):
    """Who hears of blocked and failed runs, and the rules that judge what was published."""

    webhook: str | None = None
    rules: tuple[AlertRule, ...] = ()

    _webhook_is_reference = field_validator("webhook")(_only_references)

    def webhook_of(self, rule: AlertRule) -> str | None:
        """Return the reference to the address that a rule's findings go to."""
        return rule.webhook or self.webhook
