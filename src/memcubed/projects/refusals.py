"""Calls that a limit refused, and the limit that has no project: requests with a wrong key, by address."""

import ipaddress
import math
import time
from collections import OrderedDict
from collections.abc import Callable
from enum import StrEnum
from typing import Final, TypeVar

from prometheus_client import CollectorRegistry, Counter

_MINUTE: Final = 60.0
_MOST_ADDRESSES: Final = 10_000
_MOST_KEYS: Final = 10_000
_IPV6_NETWORK_BITS: Final = 64

ValueT = TypeVar("ValueT")


class Limit(StrEnum):
    """Which limit refused a call."""

    REQUESTS = "requests"
    TOKENS = "tokens"
    FAILED_KEYS = "failed_keys"


class Refusals:
    """Counts the calls that limits refused."""

    def __init__(self, registry: CollectorRegistry) -> None:
        self._counter = Counter("memcubed_limit_refusals", "Calls refused by a limit.", ["limit"], registry=registry)
        for limit in Limit:
            self._counter.labels(limit.value)  # from 0, so that the first refusal is an increase

    def count(self, limit: Limit) -> None:
        """One more call was refused by this limit."""
        self._counter.labels(limit.value).inc()


class FailedKeys:
    """Lets an address send `per_minute` wrong keys a minute; 0 lets it send as many as it likes.

    Counted in this process, since the point is to spare the database: guessing 192 random bits is hopeless at any rate.
    A key that was good before is let through to the database wherever it comes from, so that one client with a wrong
    key does not lock out the others behind the same proxy. An IPv6 address counts as its /64 network.
    """

    def __init__(self, per_minute: int, clock: Callable[[], float] = time.monotonic) -> None:
        self._per_minute = per_minute
        self._clock = clock
        # when the address may send as many as ever; the least recently seen ones come first
        self._clear_at: OrderedDict[str, float] = OrderedDict()
        self._good: OrderedDict[str, None] = OrderedDict()

    def wait_seconds(self, address: str, key_hash: str) -> int:
        """How long this address has to wait before the key is looked at; 0: not at all."""
        clear_at = self._clear_at.get(_network(address))
        if clear_at is None or not self._per_minute or key_hash in self._good:
            return 0
        return max(0, math.ceil(clear_at + _MINUTE / self._per_minute - _MINUTE - self._clock()))

    def add_failure(self, address: str, key_hash: str) -> None:
        """This key was wrong."""
        self._good.pop(key_hash, None)
        if not self._per_minute:
            return
        now, network = self._clock(), _network(address)
        self._clear_at[network] = max(self._clear_at.get(network, now), now) + _MINUTE / self._per_minute
        _trim(self._clear_at, network, _MOST_ADDRESSES)

    def add_success(self, key_hash: str) -> None:
        """This key was good."""
        self._good[key_hash] = None
        _trim(self._good, key_hash, _MOST_KEYS)


def _network(address: str) -> str:
    try:
        parsed = ipaddress.ip_address(address)
    except ValueError:
        return address
    if isinstance(parsed, ipaddress.IPv4Address):
        return address
    return str(ipaddress.ip_network((parsed.packed, _IPV6_NETWORK_BITS), strict=False))


def _trim(entries: OrderedDict[str, ValueT], latest: str, most: int) -> None:
    entries.move_to_end(latest)
    while len(entries) > most:
        entries.popitem(last=False)
