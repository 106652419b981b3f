"""`openid.yaml`: the OpenID provider that people may come in through, and which of its groups has which role here. Every mistake in it is told with its line."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any
from urllib.parse import urlsplit

from pipelines.alerts.rules import file_of, is_here, secret_of
from pipelines.app_db.accounts import EVERY_CENTRE, ROLES
from pipelines.core.errors import MisconfiguredError
from pipelines.core.printable import normalise_id
from pipelines.core.settings import Settings
from pipelines.core.yaml_lines import Entry, read_yaml

_FIELDS = ("issuer", "client_id", "secret_file", "button", "scopes", "name_claim", "groups_claim", "operator_claim", "let_in")
_SCOPES = ("openid", "profile", "email")


@dataclass(frozen=True, slots=True)
class Rule:
    """What the members of a group may do here."""

    group: str
    role: str
    centres: tuple[str, ...]
    hears_personal_data: bool


@dataclass(frozen=True, slots=True)
class Granted:
    """What somebody may do here by his groups."""

    role: str
    centres: frozenset[str]
    operator_id: str | None
    hears_personal_data: bool


@dataclass(frozen=True, slots=True)
class Rules:
    """What `openid.yaml` says."""

    issuer: str
    client_id: str
    secret: str = field(repr=False)
    button: str = ""
    scopes: tuple[str, ...] = _SCOPES
    name_claim: str = "preferred_username"
    groups_claim: str = "groups"
    operator_claim: str = "operator_id"
    let_in: tuple[Rule, ...] = ()

    def granted(self, claims: Mapping[str, Any]) -> Granted | None:
        """What these claims give: the role of the first rule whose group is among them, in the centres of all rules with it; None when no rule fits.

        An operator without an id of the call log gets nothing: nobody could say which calls are his.
        """
        groups = claim(claims, self.groups_claim)
        own = {groups} if isinstance(groups, str) else {g for g in groups if isinstance(g, str)} if isinstance(groups, list) else set()
        fitting = [rule for rule in self.let_in if rule.group in own]
        if not fitting:
            return None
        role = fitting[0].role
        same = [rule for rule in fitting if rule.role == role]
        operator_id = claim(claims, self.operator_claim) if role == "operator" else None
        if role == "operator" and not (isinstance(operator_id, str) and operator_id):
            return None
        operator_id = normalise_id(operator_id) if isinstance(operator_id, str) else None  # as the intake writes it
        centres = frozenset(centre_id for rule in same for centre_id in rule.centres)
        return Granted(role, centres, operator_id, any(rule.hears_personal_data for rule in same))


def read_rules(settings: Settings) -> Rules | None:
    """What the file of a site says; None where there is no file, so that nobody comes in this way.

    Raises MisconfiguredError with file, line, value and what is allowed.
    """
    path = settings.openid or settings.site / "openid.yaml"
    if not path.exists():
        if settings.openid:
            raise MisconfiguredError(f"CALLGRADE_OPENID names {path}, which is not there.")
        return None
    top = read_yaml(path)
    top.allow(*_FIELDS)
    issuer = top.text("issuer")
    if not is_safe(issuer) or urlsplit(issuer).query or urlsplit(issuer).fragment:
        raise top.get("issuer").error(f"issuer is {issuer!r}; it must begin with https:// and be written as the provider writes it")
    let_in = tuple(_rule(entry) for entry in top.items("let_in"))
    if not let_in:
        raise top.get("let_in").error("let_in names no group, so nobody could come in")
    scopes = top.texts("scopes") if "scopes" in top.names() else _SCOPES
    if "openid" not in scopes:
        raise top.get("scopes").error("scopes must hold openid")
    texts = {name: top.text(name) for name in ("button", "name_claim", "groups_claim", "operator_claim") if name in top.names()}
    return Rules(issuer, top.text("client_id"), _secret(settings, top, path), scopes=scopes, let_in=let_in, **texts)


def claim(claims: Mapping[str, Any], name: str) -> Any:
    """A claim by its name, or by a path with dots such as `realm_access.roles`; None where it is not there."""
    if name in claims:
        return claims[name]
    value: Any = claims
    for part in name.split("."):
        value = value.get(part) if isinstance(value, Mapping) else None
    return value


def is_safe(url: object) -> bool:
    """Whether an address may be asked for secrets: over https, or on this machine."""
    if not isinstance(url, str):
        return False
    parts = urlsplit(url)
    return bool(parts.hostname) and (parts.scheme == "https" or (parts.scheme == "http" and is_here(parts.hostname or "")))


def _rule(entry: Entry) -> Rule:
    entry.allow("group", "role", "centres", "hears_personal_data")
    centres = tuple(EVERY_CENTRE if centre_id == "all" else centre_id for centre_id in entry.texts("centres"))
    if not centres:
        raise entry.error("centres is empty; name at least one, or all")
    role = entry.choice("role", ROLES)
    if role == "operator" and EVERY_CENTRE in centres:
        raise entry.error("an operator's id is somebody else at each centre; name the centres")
    return Rule(entry.text("group"), role, centres, entry.flag("hears_personal_data", False))


def _secret(settings: Settings, top: Entry, path: Path) -> str:
    file = file_of(top, "secret_file")
    if settings.openid_secret:
        return settings.openid_secret
    if file is None:
        raise MisconfiguredError(f"{path} has no secret: name a secret_file in it, or set CALLGRADE_OPENID_SECRET.")
    return secret_of(file)
