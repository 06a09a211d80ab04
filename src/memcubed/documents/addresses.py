"""Which addresses a URL that a user gave may lead to: only those of the public internet."""

from ipaddress import IPv4Address, IPv4Network, IPv6Address, IPv6Network, ip_address
from typing import Final

# Read from the IANA registries of special addresses rather than from `is_global`, which differs between Python's
# patch releases. https://www.iana.org/assignments/iana-ipv4-special-registry and .../iana-ipv6-special-registry
_REFUSED_V4: Final = tuple(
    IPv4Network(network)
    for network in (
        "0.0.0.0/8",  # this network
        "10.0.0.0/8",  # private
        "100.64.0.0/10",  # carrier-grade NAT, and a cloud's metadata
        "127.0.0.0/8",  # loopback
        "168.63.129.16/32",  # a cloud's host, at a public address
        "169.254.0.0/16",  # link-local, and most clouds' metadata
        "172.16.0.0/12",  # private
        "192.0.0.0/24",  # protocol assignments, and a cloud's metadata
        "192.0.2.0/24",  # documentation
        "192.31.196.0/24",  # AS112
        "192.52.193.0/24",  # AMT
        "192.88.99.0/24",  # 6to4 relays
        "192.168.0.0/16",  # private
        "192.175.48.0/24",  # AS112
        "198.18.0.0/15",  # benchmarks
        "198.51.100.0/24",  # documentation
        "203.0.113.0/24",  # documentation
        "224.0.0.0/4",  # multicast
        "240.0.0.0/4",  # reserved, and broadcast
    )
)
_GLOBAL_V6: Final = IPv6Network("2000::/3")
_REFUSED_V6: Final = tuple(
    IPv6Network(network)
    for network in (
        "2001::/23",  # protocol assignments, Teredo among them
        "2001:db8::/32",  # documentation
        "2620:4f:8000::/48",  # AS112
        "3fff::/20",  # documentation
    )
)
_MAPPED: Final = IPv6Network("::ffff:0:0/96")
_NAT64: Final = IPv6Network("64:ff9b::/96")
_6TO4: Final = IPv6Network("2002::/16")
_LOW_32_BITS: Final = 0xFFFFFFFF
_6TO4_SHIFT: Final = 80


def is_public(address: str) -> bool:
    """Whether an IP address, as text, is one of the public internet; an IPv4 address inside an IPv6 one decides."""
    try:
        parsed = ip_address(address)
    except ValueError:
        return False
    return _is_public_v4(parsed) if isinstance(parsed, IPv4Address) else _is_public_v6(parsed)


def _is_public_v4(address: IPv4Address) -> bool:
    return not any(address in network for network in _REFUSED_V4)


def _is_public_v6(address: IPv6Address) -> bool:
    if address.scope_id is not None:
        return False
    if address in _MAPPED or address in _NAT64:
        return _is_public_v4(IPv4Address(int(address) & _LOW_32_BITS))
    if address in _6TO4:
        return _is_public_v4(IPv4Address(int(address) >> _6TO4_SHIFT & _LOW_32_BITS))
    return address in _GLOBAL_V6 and not any(address in network for network in _REFUSED_V6)


def is_disguised(host: str) -> bool:
    """Whether a host is a number that some resolvers take for an address: `2130706433`, `0x7f.1`, `0177.0.0.1`.

    As in the URL standard: a host whose last label is a number is an IPv4 address or nothing. https://url.spec.whatwg.org/#ends-in-a-number-checker
    """
    last = host.rstrip(".").rpartition(".")[2]
    if not last.isdigit() and not last.lower().startswith("0x"):
        return False
    try:
        IPv4Address(host)
    except ValueError:
        return True
    return False
