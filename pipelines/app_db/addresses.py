"""Which requests count as coming from one place, for limits by address."""

from __future__ import annotations

import ipaddress


def network_of(address: str) -> str:
    """What an address counts as: itself, for IPv6 its /64 network, because whoever has one address there has all of them.

    An IPv4 address that is written as IPv6 (`::ffff:192.0.2.1`) counts as the IPv4 address. What is no address (a Unix socket) is given back as it is.
    """
    try:
        found = ipaddress.ip_address(address)
    except ValueError:
        return address
    if isinstance(found, ipaddress.IPv4Address):
        return str(found)
    if found.ipv4_mapped is not None:
        return str(found.ipv4_mapped)
    return str(ipaddress.ip_network((int(found) & ~((1 << 64) - 1), 64)))
