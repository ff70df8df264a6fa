"""What a person's access token says about itself. Whether it is true, the REST API decides: it checks the signature."""

from __future__ import annotations

import base64
import json
from dataclasses import dataclass

_MOST_CHARACTERS = 8_192


class TokenRefused(Exception):
    """The token is none of a person, or is not accepted any longer."""


@dataclass(frozen=True)
class Token:
    """A person's token. `expires_at` is in seconds since 1970."""

    text: str
    person: str
    """The claim `sub`. Not to be believed before the API has accepted the token."""
    expires_at: float

    def __repr__(self) -> str:
        return f"Token(person={self.person!r})"


def read_token(authorization: str | None) -> Token:
    """The token of an `Authorization` header. Raises `TokenRefused` for anything but a JWT of a person: the project's
    own keys are no person's."""
    scheme, _, text = (authorization or "").strip().partition(" ")
    text = text.strip()
    if scheme.lower() != "bearer" or not text or len(text) > _MOST_CHARACTERS or not text.isascii():
        raise TokenRefused("sign in: the request carries no access token")
    try:
        _, payload, _ = text.split(".")
        claims = json.loads(base64.urlsafe_b64decode(payload + "=" * (-len(payload) % 4)))
        person, expires_at = claims["sub"], float(claims["exp"])
    except (ValueError, TypeError, KeyError):
        raise TokenRefused("sign in: this is not the access token of a person") from None
    if claims.get("role") != "authenticated" or not isinstance(person, str) or not person:
        raise TokenRefused("sign in: this is not the access token of a person")
    return Token(text, person, expires_at)
