"""Internet addresses: which are this machine's own, and which are one client's."""

from __future__ import annotations

from ipaddress import IPv6Address, ip_address, ip_network
from urllib.parse import urlsplit

ONE_CLIENT = 64  # bits of an IPv6 address: networks give at least a /64 to each of their clients (RFC 6177)


def is_loopback(host: str) -> bool:
    """Whether only this machine can reach an address."""
    try:
        return ip_address(host).is_loopback
    except ValueError:
        return host == "localhost"


def client_of_address(address: str) -> str:
    """Whom an address stands for: itself, or of IPv6 the network that one client has to itself.

    Raises:
        ValueError: it is none.
    """
    parsed = ip_address(address.partition("%")[0])
    if isinstance(parsed, IPv6Address):
        if parsed.ipv4_mapped is not None:
            return str(parsed.ipv4_mapped)
        return str(ip_network((parsed, ONE_CLIENT), strict=False))
    return str(parsed)


def host_name(authority: str) -> str | None:
    """The name or address in `host:port`; None where there is none."""
    try:
        return urlsplit(f"//{authority}").hostname
    except ValueError:
        return None


def is_own_name(host: str) -> bool:
    """Whether a browser that has this in its address bar was led here by nobody's DNS."""
    try:
        ip_address(host.partition("%")[0])
    except ValueError:
        return host == "localhost" or host.endswith(".localhost")
    return True
