"""`alerts.yaml`: the alert rules and their channels. Errors in the file are reported with their line."""

from __future__ import annotations

from collections.abc import Mapping
from pathlib import Path
from typing import Annotated, Any, Self, TypeAlias
from urllib.parse import urlsplit

from pydantic import AfterValidator, Field, model_validator

from models.languages.language import LANGUAGES
from pipelines.centres.names import all_topics
from pipelines.centres.vocabulary import TOPICS
from pipelines.core.remote import SecretFile, is_this_machine
from pipelines.core.settings import Settings
from pipelines.core.validation import FileModel, OneOf, not_known, wrong
from pipelines.core.yaml_lines import read_model

KINDS = ("threat", "operator_at_fault", "hang_up_without_warning", "topic_spike", "recognition")
_OF_ALL = ("kind", "to", "centres")
_OF_KIND = {
    "topic_spike": ("topics", "least_calls", "times"),
    "recognition": ("days", "least_calls", "drop"),
}  # fields; others have least_confidence
_USUAL_PORTS = {"starttls": 587, "tls": 465, "none": 25}


def _link(link: str) -> str:
    if urlsplit(link).scheme not in ("http", "https"):
        raise wrong(f"link is {link!r}; it must begin with https:// and say where `callgrade serve` answers")
    return link.rstrip("/")


def _topic(topic: str) -> str:
    known = sorted({*TOPICS, *all_topics()})
    if topic not in known:
        raise wrong(not_known("topic", topic, known))
    return topic


def _hook(url: str) -> str:
    parts = urlsplit(url)
    if parts.scheme not in ("http", "https") or not parts.hostname or (parts.scheme == "http" and not is_this_machine(parts.hostname)):
        raise wrong("url must begin with https:// (http:// only to this machine)")
    return url


def _address(address: str) -> str:
    if address.count("@") != 1 or not address.isprintable() or any(c in address for c in " ,;<>"):
        raise wrong(f"{address!r} is not a plain e-mail address such as duty@example.org")
    return address


Address: TypeAlias = Annotated[str, AfterValidator(_address)]


class Email(FileModel):
    """A mail server and the recipients."""

    server: str
    """The name of the mail server."""
    security: Annotated[str, OneOf(tuple(_USUAL_PORTS))] = "starttls"
    """How the connection is encrypted; a password is never sent with `none`."""
    port: int = Field(default=_USUAL_PORTS["starttls"], ge=1, le=65535)
    """The port of the server; when left out 587 for starttls, 465 for tls, 25 for none."""
    sender: Address = Field(alias="from")
    """The sender's address."""
    to: tuple[Address, ...]
    """The recipients' addresses."""
    user: str | None = None
    """The user name at the server, if it requires one."""
    password_file: SecretFile | None = None
    """A file with the password in its first line, relative to the folder of this file."""

    @model_validator(mode="before")
    @classmethod
    def _usual_port(cls, given: Any) -> Any:
        usual = _USUAL_PORTS.get(str(given.get("security", "starttls"))) if isinstance(given, dict) else None
        return {"port": usual, **given} if usual else given

    @model_validator(mode="after")
    def _fits_together(self) -> Self:
        if not self.to:
            raise wrong("to needs at least one address", "to")
        if (self.user is None) != (self.password_file is None):
            raise wrong("user and password_file belong together")
        if self.user and self.security == "none" and not is_this_machine(self.server):
            raise wrong("a password is not sent over a connection without encryption; use security: starttls or tls")
        return self


class Webhook(FileModel):
    """An address that accepts JSON; messages are signed if there is a secret."""

    url: Annotated[str, AfterValidator(_hook)]
    """The address that receives messages; https:// unless it is this machine."""
    secret_file: SecretFile | None = None
    """A file with the signing secret in its first line, relative to the folder of this file."""


class Channel(FileModel):
    """A way to notify somebody, and the language of its messages."""

    email: Email | None = None
    """Notify by e-mail."""
    webhook: Webhook | None = None
    """Notify by a webhook; a channel has one of both."""
    language: Annotated[str, OneOf(LANGUAGES)] = "en"
    """The language of the messages."""

    @model_validator(mode="after")
    def _is_one(self) -> Self:
        if (self.email is None) == (self.webhook is None):
            raise wrong("a channel needs either email or webhook")
        return self


class AlertRule(FileModel):
    """A condition, and the channels it is reported to."""

    kind: Annotated[str, OneOf(KINDS)]
    """The condition that the rule detects."""
    to: tuple[str, ...]
    """The channels to notify."""
    centres: tuple[str, ...] = ()
    """The centres that it covers; all when it is left out."""
    least_confidence: float = Field(default=0.7, ge=0, le=1)
    """For threat, operator_at_fault and hang_up_without_warning: the least confidence of the finding."""
    topics: tuple[Annotated[str, AfterValidator(_topic)], ...] = ("outage",)
    """For topic_spike: the topics that are counted."""
    least_calls: int = Field(default=8, ge=1, le=100_000)
    """For topic_spike: the fewest calls of a spike (8 when left out); for recognition: the fewest calls in both periods (30)."""
    times: float = Field(default=3.0, ge=1, le=100)
    """For topic_spike: the least ratio of calls to the usual number."""
    days: int = Field(default=2, ge=1, le=28)
    """For recognition: the number of latest days that are compared."""
    drop: float = Field(default=0.05, ge=0.001, le=1)
    """For recognition: the least drop of the confidence."""

    @model_validator(mode="before")
    @classmethod
    def _usual_calls(cls, given: Any) -> Any:
        return {"least_calls": 30, **given} if isinstance(given, dict) and given.get("kind") == "recognition" else given

    @model_validator(mode="after")
    def _is_of_kind(self) -> Self:
        allowed = (*_OF_ALL, *_OF_KIND.get(self.kind, ("least_confidence",)))
        for name in sorted(self.model_fields_set - set(allowed)):
            raise wrong(not_known("field", name, allowed), name)
        return self


class Rulebook(FileModel):
    """The contents of `alerts.yaml`: rules and channels."""

    channels: Mapping[str, Channel] = Field(default_factory=dict)
    """The channels, each under a name of your choice."""
    rules: Mapping[str, AlertRule] = Field(default_factory=dict)
    """The rules, each under a name of your choice; reported events are recorded under that name."""
    link: Annotated[str, AfterValidator(_link)] | None = None
    """The address of `callgrade serve`; messages link to it."""
    not_older_than_days: int = Field(default=3, ge=1, le=60)
    """Older calls are never reported, for example when a past year is graded."""
    with_ids: bool = True
    """Whether messages contain the ids of calls; set it to false if the ids in your call log contain telephone numbers."""

    @model_validator(mode="after")
    def _tells_somebody(self) -> Self:
        for rule_id, rule in self.rules.items():
            if not rule.to:
                raise wrong(f"rule {rule_id!r} notifies nobody: to needs a channel", "rules", rule_id)
            for n, name in enumerate(rule.to):
                if name not in self.channels:
                    raise wrong(not_known("to", name, self.channels), "rules", rule_id, "to", n)
        return self


def rulebook_path(settings: Settings) -> Path:
    """The path of a site's rules: the file of CALLGRADE_ALERTS, else alerts.yaml in the folder beside the warehouse."""
    return settings.alerts or settings.site / "alerts.yaml"


def read_rulebook(path: Path) -> Rulebook:
    """The validated rules. Raises MisconfiguredError with file, line, value and the allowed values."""
    return read_model(path, Rulebook)
