"""`alerts.yaml`: which rules there are, and over which channels they are told. Every mistake in it is told with its line."""

from __future__ import annotations

import ipaddress
from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path
from urllib.parse import urlsplit

from models.languages.language import LANGUAGES
from pipelines.centres.profile import TOPICS
from pipelines.core.errors import MisconfiguredError
from pipelines.core.settings import Settings
from pipelines.core.yaml_lines import Entry, read_yaml

KINDS = ("threat", "operator_at_fault", "hang_up_without_warning", "topic_spike", "recognition")
SECURITY = ("starttls", "tls", "none")
_OF_KIND = {
    "topic_spike": ("topics", "least_calls", "times"),
    "recognition": ("days", "least_calls", "drop"),
}  # fields; others have least_confidence


@dataclass(frozen=True, slots=True)
class Email:
    """A mail server and who gets its letters."""

    server: str
    port: int
    security: str
    sender: str
    to: tuple[str, ...]
    user: str | None = None
    password_file: Path | None = None


@dataclass(frozen=True, slots=True)
class Webhook:
    """An address that takes JSON; what is sent is signed where there is a secret."""

    url: str
    secret_file: Path | None = None


@dataclass(frozen=True, slots=True)
class Channel:
    """A way to tell somebody, and in which language."""

    name: str
    by: Email | Webhook
    language: str


@dataclass(frozen=True, slots=True)
class Rule:
    """When to tell whom."""

    rule_id: str
    kind: str
    to: tuple[str, ...]
    centres: tuple[str, ...]  # none: every centre
    least_confidence: float = 0.7
    topics: tuple[str, ...] = ("outage",)
    least_calls: int = 8
    times: float = 3.0
    days: int = 2
    drop: float = 0.05


@dataclass(frozen=True, slots=True)
class Rulebook:
    """What `alerts.yaml` says."""

    channels: Mapping[str, Channel]
    rules: tuple[Rule, ...]
    link: str | None
    not_older_than_days: int
    with_ids: bool


def rulebook_path(settings: Settings) -> Path:
    """Where the rules of a site stand: the file of CALLGRADE_ALERTS, else alerts.yaml in the folder beside the warehouse."""
    return settings.alerts or settings.site / "alerts.yaml"


def read_rulebook(path: Path) -> Rulebook:
    """The checked rules. Raises MisconfiguredError with file, line, value and what is allowed."""
    top = read_yaml(path)
    top.allow("link", "channels", "rules", "not_older_than_days", "with_ids")
    channels = {name: _channel(name, top.child("channels").get(name)) for name in top.child("channels").names()}
    rules = tuple(_rule(name, top.child("rules").get(name), channels) for name in top.child("rules").names())
    link = top.text("link").rstrip("/") if "link" in top.names() else None
    if link is not None and urlsplit(link).scheme not in ("http", "https"):
        raise top.get("link").error(f"link is {link!r}; it must begin with https:// and say where `callgrade serve` answers")
    return Rulebook(channels, rules, link, int(top.number("not_older_than_days", 3, 1, 60)), top.flag("with_ids", True))


def _channel(name: str, entry: Entry) -> Channel:
    entry.allow("email", "webhook", "language")
    if ("email" in entry.names()) == ("webhook" in entry.names()):
        raise entry.error(f"channel {name!r} needs either email or webhook")
    by: Email | Webhook = _email(entry.get("email")) if "email" in entry.names() else _webhook(entry.get("webhook"))
    return Channel(name, by, entry.choice("language", LANGUAGES, "en"))


def _email(entry: Entry) -> Email:
    entry.allow("server", "port", "security", "from", "to", "user", "password_file")
    security = entry.choice("security", SECURITY, "starttls")
    server = entry.text("server")
    usual = {"starttls": 587, "tls": 465, "none": 25}[security]
    addresses = (entry.text("from"), *entry.texts("to"))
    for address in addresses:
        if address.count("@") != 1 or not address.isprintable() or any(c in address for c in " ,;<>"):
            raise entry.error(f"{address!r} is not a plain e-mail address such as duty@example.org")
    if len(addresses) < 2:
        raise entry.error("to needs at least one address")
    user = entry.text("user") if "user" in entry.names() else None
    file = file_of(entry, "password_file")
    if (user is None) != (file is None):
        raise entry.error("user and password_file belong together")
    if user and security == "none" and not is_here(server):
        raise entry.error("a password is not sent over a connection without encryption; use security: starttls or tls")
    return Email(server, int(entry.number("port", usual, 1, 65535)), security, addresses[0], addresses[1:], user, file)


def _webhook(entry: Entry) -> Webhook:
    entry.allow("url", "secret_file")
    url = entry.text("url")
    parts = urlsplit(url)
    if parts.scheme not in ("http", "https") or not parts.hostname or (parts.scheme == "http" and not is_here(parts.hostname)):
        raise entry.get("url").error("url must begin with https:// (http:// only to this machine)")
    return Webhook(url, file_of(entry, "secret_file"))


def _rule(name: str, entry: Entry, channels: Mapping[str, Channel]) -> Rule:
    kind = entry.choice("kind", KINDS)
    fields = _OF_KIND.get(kind, ("least_confidence",))
    entry.allow("kind", "to", "centres", *fields)
    to = entry.choices("to", sorted(channels))
    if not to:
        raise entry.error(f"rule {name!r} tells nobody: to needs a channel")
    least = 8 if kind == "topic_spike" else 30
    return Rule(
        name, kind, to, entry.texts("centres") if "centres" in entry.names() else (),
        least_confidence=entry.number("least_confidence", 0.7, 0, 1), topics=entry.choices("topics", TOPICS, ("outage",)),
        least_calls=int(entry.number("least_calls", least, 1, 100_000)), times=entry.number("times", 3, 1, 100), days=int(entry.number("days", 2, 1, 28)),
        drop=entry.number("drop", 0.05, 0.001, 1),
    )  # fmt: skip


def file_of(entry: Entry, key: str) -> Path | None:
    """The file that a field names, counted from the folder of the YAML file; None where the field is left out."""
    if key not in entry.names():
        return None
    path = Path(entry.text(key)).expanduser()
    path = path if path.is_absolute() else entry.path.parent / path
    if not path.is_file():
        raise entry.get(key).error(f"{key} {path} is not a file; write the secret into its first line, readable for this account only")
    return path


def secret_of(path: Path) -> str:
    """The first line of a file. Raises MisconfiguredError when it cannot be read or is empty."""
    try:
        secret = path.read_text(encoding="utf-8").partition("\n")[0].strip()
    except (OSError, UnicodeDecodeError) as error:
        raise MisconfiguredError(f"{path} cannot be read ({type(error).__name__}); it must hold the secret in its first line.") from error
    if not secret:
        raise MisconfiguredError(f"{path} is empty; it must hold the secret in its first line.")
    return secret


def is_here(host: str) -> bool:
    """Whether a host is this machine."""
    try:
        return ipaddress.ip_address(host).is_loopback
    except ValueError:
        return host == "localhost"
