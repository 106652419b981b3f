"""`openid.yaml`: the OpenID provider that people may come in through, and which of its groups has which role here. Every mistake in it is told with its line."""

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
        raise wrong("scopes must hold openid")
    return scopes


def _centres(centres: tuple[str, ...]) -> tuple[str, ...]:
    if not centres:
        raise wrong("centres is empty; name at least one, or all")
    return tuple(EVERY_CENTRE if centre_id == "all" else centre_id for centre_id in centres)


class GroupRule(FileModel):
    """What the members of a group may do here."""

    group: str
    """The group, as the provider's claim writes it."""
    role: Annotated[str, OneOf(ROLES)]
    """The role of its members."""
    centres: Annotated[tuple[str, ...], AfterValidator(_centres)]
    """The ids of the centres that its members see, or `all`."""
    hears_personal_data: bool = False
    """true: recordings are not beeped for its members."""

    @model_validator(mode="after")
    def _is_somebody(self) -> Self:
        if self.role == "operator" and EVERY_CENTRE in self.centres:
            raise wrong("an operator's id is somebody else at each centre; name the centres")
        return self


@dataclass(frozen=True, slots=True)
class GrantedRole:
    """What somebody may do here by his groups."""

    role: str
    centres: frozenset[str]
    operator_id: str | None
    hears_personal_data: bool


class OpenIdSettings(FileModel):
    """What `openid.yaml` says."""

    issuer: Annotated[str, AfterValidator(_issuer)]
    """The address of the provider, exactly as the provider writes it."""
    client_id: str
    """What the provider knows this site by."""
    secret_file: SecretFile | None = None
    """A file with the client secret in its first line, counted from the folder of this file; or set CALLGRADE_OPENID_SECRET."""
    button: str = ""
    """What the button of the sign-in page says."""
    scopes: Annotated[tuple[str, ...], AfterValidator(_scopes)] = ("openid", "profile", "email")
    """What the provider is asked for; `openid` is needed."""
    name_claim: str = "preferred_username"
    """The claim with the name that accounts show; a path with dots leads into a claim."""
    groups_claim: str = "groups"
    """The claim with somebody's groups; a path with dots leads into a claim."""
    operator_claim: str = "operator_id"
    """The claim with the id of an operator, as the call log writes it."""
    let_in: tuple[GroupRule, ...]
    """Which groups come in, and what they may do; the first that fits counts."""
    _secret: str = PrivateAttr(default="")

    @property
    def secret(self) -> str:
        """What this site proves itself with to the provider."""
        return self._secret

    @model_validator(mode="after")
    def _lets_in(self) -> Self:
        if not self.let_in:
            raise wrong("let_in names no group, so nobody could come in", "let_in")
        return self

    def granted(self, claims: Mapping[str, Any]) -> GrantedRole | None:
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
        return GrantedRole(role, centres, operator_id, any(rule.hears_personal_data for rule in same))


def read_rules(settings: Settings) -> OpenIdSettings | None:
    """What the file of a site says; None where there is no file, so that nobody comes in this way.

    Raises MisconfiguredError with file, line, value and what is allowed.
    """
    path = settings.openid or settings.site / "openid.yaml"
    if not path.exists():
        if settings.openid:
            raise MisconfiguredError(f"CALLGRADE_OPENID names {path}, which is not there.")
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
    return bool(parts.hostname) and (parts.scheme == "https" or (parts.scheme == "http" and is_this_machine(parts.hostname or "")))
