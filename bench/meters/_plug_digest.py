"""HTTP digest authentication with MD5 and SHA-256, as pure functions."""

import hashlib
import re
from collections.abc import Mapping

HASHES = {"MD5": hashlib.md5, "SHA-256": hashlib.sha256}
_FIELD = re.compile(r'(\w+)\s*=\s*(?:"([^"]*)"|([^\s,]+))')


def fields(challenge: str) -> dict[str, str]:
    """The parameters of a challenge, by their names in lower case.

    >>> fields('Digest qop="auth", realm="shelly1", nonce="5f", algorithm=SHA-256')["algorithm"]
    'SHA-256'
    """
    return {name.lower(): quoted or plain for name, quoted, plain in _FIELD.findall(challenge)}


def digest(
    challenge: Mapping[str, str], credentials: tuple[str, str], path: str, count: int, once: str
) -> str:
    """The Authorization header that answers a digest challenge.

    Args:
        challenge: Its `fields`.
        credentials: User and password.
        path: What is asked for.
        count: How often this challenge has been answered, from 1.
        once: Random text of ours.

    Python's own handler knows no SHA-256, which is what Shelly's second generation wants.
    Source: RFC 7616, sections 3.4 and 3.9.1, whose example this is.

    >>> challenge = {"realm": "http-auth@example.org", "qop": "auth", "algorithm": "SHA-256"}
    >>> challenge["nonce"] = "7ypf/xlj9XXwfDPEoM4URrv/xwf94BcCAzFZH4GiTo0v"
    >>> once = "f2/wE4q74E6zIJEtWaHKaf5wv/H5QzzpXusqGemxURZJ"
    >>> head = digest(challenge, ("Mufasa", "Circle of Life"), "/dir/index.html", 1, once)
    >>> fields(head)["response"]
    '753927fa0e85d155564e2e272a28d1802ca10daf4496794697cf8db5856cb6c1'
    """
    algorithm = challenge.get("algorithm", "MD5")

    def hashed(text: str) -> str:
        return HASHES[algorithm.upper()](text.encode(), usedforsecurity=False).hexdigest()

    user, password = credentials
    realm, nonce = challenge.get("realm", ""), challenge.get("nonce", "")
    secret, asked = hashed(f"{user}:{realm}:{password}"), hashed(f"GET:{path}")
    parts = {"username": user, "realm": realm, "nonce": nonce, "uri": path}
    plain = f"algorithm={algorithm}"
    if "auth" in challenge.get("qop", ""):
        response = hashed(f"{secret}:{nonce}:{count:08x}:{once}:auth:{asked}")
        parts["cnonce"] = once
        plain += f", qop=auth, nc={count:08x}"
    else:
        response = hashed(f"{secret}:{nonce}:{asked}")
    if "opaque" in challenge:
        parts["opaque"] = challenge["opaque"]
    parts["response"] = response
    quoted = ", ".join(f'{name}="{value}"' for name, value in parts.items())
    return f"Digest {quoted}, {plain}"
