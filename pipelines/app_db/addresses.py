"""Client networks: the addresses that count as one client in rate limits."""

from __future__ import annotations

import ipaddress


def network_of(address: str) -> str:
    """The network an address counts as: itself, or its /64 network for IPv6, because one client usually has a whole /64.

    An IPv4 address written as IPv6 (`::ffff:192.0.2.1`) counts as the IPv4 address. Anything else (a Unix socket) is returned unchanged.
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
