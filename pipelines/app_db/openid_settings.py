"""`openid.yaml`: the OpenID provider of a site, and the roles of its groups.

Errors in the file are reported with their line.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from typing import Annotated, Any, Self
from urllib.parse import urlsplit

from pydantic import AfterValidator, PrivateAttr, model_validator

from pipelines.app_db.accounts import EVERY_CENTRE, ROLES
from pipelines.core.errors import MisconfiguredError
from pipelines.core.printable import normalise_id
from pipelines.core.remote import SecretFile, is_this_machine, secret_of
from pipelines.core.settings import Settings
from pipelines.core.validation import FileModel, OneOf, wrong
from pipelines.core.yaml_lines import read_model


def _issuer(issuer: str) -> str:
    if not is_safe(issuer) or urlsplit(issuer).query or urlsplit(issuer).fragment:
        raise wrong(f"issuer is {issuer!r}; it must begin with https:// and be written as the provider writes it")
    return issuer


def _scopes(scopes: tuple[str, ...]) -> tuple[str, ...]:
    if "openid" not in scopes:
        raise wrong("scopes must include openid")
    return scopes


def _centres(centres: tuple[str, ...]) -> tuple[str, ...]:
    if not centres:
        raise wrong("centres is empty; name at least one, or all")
    return tuple(EVERY_CENTRE if centre_id == "all" else centre_id for centre_id in centres)


class GroupRule(FileModel):
    """The role and centres of a group's members."""

    group: str
    """The group, as the provider's claim names it."""
    role: Annotated[str, OneOf(ROLES)]
    """The role of its members."""
    centres: Annotated[tuple[str, ...], AfterValidator(_centres)]
    """The ids of the centres that its members see, or `all`."""
    hears_personal_data: bool = False
    """true: recordings are not beeped for its members."""

    @model_validator(mode="after")
    def _is_somebody(self) -> Self:
        if self.role == "operator" and EVERY_CENTRE in self.centres:
            raise wrong("an operator id belongs to a different person at each centre; name the centres")
        return self


@dataclass(frozen=True, slots=True)
class GrantedRole:
    """The role and centres that a user's groups grant."""

    role: str
    centres: frozenset[str]
    operator_id: str | None
    hears_personal_data: bool


class OpenIdSettings(FileModel):
    """The contents of `openid.yaml`."""

    issuer: Annotated[str, AfterValidator(_issuer)]
    """The address of the provider, exactly as the provider writes it."""
    client_id: str
    """The client id of this site at the provider."""
    secret_file: SecretFile | None = None
    """A file with the client secret in its first line, relative to the folder of this file; or set CALLGRADE_OPENID_SECRET."""
    button: str = ""
    """The label of the button on the sign-in page."""
    scopes: Annotated[tuple[str, ...], AfterValidator(_scopes)] = ("openid", "profile", "email")
    """The scopes requested from the provider; `openid` is required."""
    name_claim: str = "preferred_username"
    """The claim with the display name of accounts; a path with dots addresses a nested claim."""
    groups_claim: str = "groups"
    """The claim with the user's groups; a path with dots addresses a nested claim."""
    operator_claim: str = "operator_id"
    """The claim with the id of an operator, as the call log writes it."""
    let_in: tuple[GroupRule, ...]
    """The groups with access and their roles; the first match counts."""
    _secret: str = PrivateAttr(default="")

    @property
    def secret(self) -> str:
        """The client secret."""
        return self._secret

    @model_validator(mode="after")
    def _lets_in(self) -> Self:
        if not self.let_in:
            raise wrong("let_in names no group, so nobody could sign in", "let_in")
        return self

    def granted(self, claims: Mapping[str, Any]) -> GrantedRole | None:
        """The access that these claims grant: the role of the first rule that matches, in the centres of all matching rules with it.

        None when no rule matches, and for an operator without an id of the call log, whose calls could not be determined.
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
        operator_id = normalise_id(operator_id) if isinstance(operator_id, str) else None  # in the form that the intake writes
        centres = frozenset(centre_id for rule in same for centre_id in rule.centres)
        return GrantedRole(role, centres, operator_id, any(rule.hears_personal_data for rule in same))


def read_rules(settings: Settings) -> OpenIdSettings | None:
    """The settings of a site; None where there is no file, so that OpenID sign-in is disabled.

    Raises MisconfiguredError with file, line, value and the allowed values.
    """
    path = settings.openid or settings.site / "openid.yaml"
    if not path.exists():
        if settings.openid:
            raise MisconfiguredError(f"CALLGRADE_OPENID names {path}, which does not exist.")
        return None
    rules = read_model(path, OpenIdSettings)
    if settings.openid_secret:
        rules._secret = settings.openid_secret
    elif rules.secret_file:
        rules._secret = secret_of(rules.secret_file)
    else:
        raise MisconfiguredError(f"{path} has no secret: name a secret_file in it, or set CALLGRADE_OPENID_SECRET.")
    return rules


def claim(claims: Mapping[str, Any], name: str) -> Any:
    """A claim by its name, or by a path with dots such as `realm_access.roles`; None where it is missing."""
    if name in claims:
        return claims[name]
    value: Any = claims
    for part in name.split("."):
        value = value.get(part) if isinstance(value, Mapping) else None
    return value


def is_safe(url: object) -> bool:
    """Whether secrets may be sent to an address: over https, or on this machine."""
    if not isinstance(url, str):
        return False
    parts = urlsplit(url)
    return bool(parts.hostname) and (parts.scheme == "https" or (parts.scheme == "http" and is_this_machine(parts.hostname or "")))
