"""Shared parts of service configuration: secrets in separate files, and where a host is."""

from __future__ import annotations

import ipaddress
from pathlib import Path
from typing import Annotated, TypeAlias

from pydantic import AfterValidator, ValidationInfo

from pipelines.core.errors import MisconfiguredError
from pipelines.core.validation import wrong

_ON_SITE = tuple(
    ipaddress.ip_network(network)
    for network in ("10.0.0.0/8", "172.16.0.0/12", "192.168.0.0/16", "fc00::/7", "127.0.0.0/8", "::1/128", "169.254.0.0/16", "fe80::/10")
)


def _file(path: Path, info: ValidationInfo) -> Path:
    """The file in a field, relative to the folder of the YAML file."""
    path = info.context.parent / path.expanduser() if info.context else path
    if not path.is_file():
        raise wrong(f"{info.field_name} {path} is not a file; write the secret into its first line, readable for this account only")
    return path


SecretFile: TypeAlias = Annotated[Path, AfterValidator(_file)]


def secret_of(path: Path) -> str:
    """The first line of a file. Raises MisconfiguredError when it cannot be read or is empty."""
    try:
        secret = path.read_text(encoding="utf-8").partition("\n")[0].strip()
    except (OSError, UnicodeDecodeError) as error:
        raise MisconfiguredError(f"{path} cannot be read ({type(error).__name__}); its first line must be the secret.") from error
    if not secret:
        raise MisconfiguredError(f"{path} is empty; its first line must be the secret.")
    return secret


def is_this_machine(host: str) -> bool:
    """Whether a host is this machine."""
    try:
        return ipaddress.ip_address(host).is_loopback
    except ValueError:
        return host == "localhost"


def is_address(host: str) -> bool:
    """Whether a host is an IP address and not a name."""
    try:
        ipaddress.ip_address(host.partition("%")[0])
    except ValueError:
        return False
    return True


def is_on_site(address: str) -> bool:
    """Whether an IP address is in the private (RFC 1918, RFC 4193), loopback or link-local address space."""
    found = ipaddress.ip_address(address.partition("%")[0])
    found = getattr(found, "ipv4_mapped", None) or found
    return any(found.version == network.version and found in network for network in _ON_SITE)
