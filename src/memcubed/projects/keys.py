"""API keys: how they are made and what of them is kept."""

import hashlib
import secrets
from dataclasses import dataclass
from typing import Final

_MARK: Final = "mc"
_PREFIX_BYTES: Final = 4
_SECRET_BYTES: Final = 24


@dataclass(frozen=True, slots=True)
class NewKey:
    """A key at its making, the only time that it is known whole."""

    secret: str
    prefix: str
    key_hash: str


def generate_key() -> NewKey:
    """A new random key, such as `mc-1f0a9c3e-…`; the part before the second dash is its visible prefix."""
    prefix = f"{_MARK}-{secrets.token_hex(_PREFIX_BYTES)}"
    secret = f"{prefix}-{secrets.token_urlsafe(_SECRET_BYTES)}"
    return NewKey(secret, prefix, hash_key(secret))


def visible_prefix(key_or_prefix: str) -> str:
    """The part of a key that may be shown: `mc-1f0a9c3e` of `mc-1f0a9c3e-…`."""
    return "-".join(key_or_prefix.split("-")[:2])


def hash_key(secret: str) -> str:
    """The SHA-256 of a key in hex. Keys are 192 random bits, so a slow password hash would add nothing."""
    return hashlib.sha256(secret.encode("utf-8", "surrogatepass")).hexdigest()
