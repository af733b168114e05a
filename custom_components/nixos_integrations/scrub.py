"""Takes secrets out of texts. The reason of a failed set-up may quote a request, and with it a token."""

import json
import re
from collections.abc import Iterable, Iterator, Mapping
from typing import Any
from urllib.parse import quote, quote_plus

SCRUBBED = "(secret)"

# Shorter ones are no secrets, and without their letters no text could be read.
SHORTEST = 3

# User and password in an address, and the query of one, which may stand alone.
_USER = re.compile(r"""(?<=://)[^\s/@'"]+@""")
_QUERY = re.compile(r"""(?<=\S)\?\w[^\s'"<>]*""")


def texts(value: Any) -> Iterator[str]:
    """Yield every text in a value of JSON."""
    if isinstance(value, str):
        yield value
    elif isinstance(value, Mapping):
        for inner in value.values():
            yield from texts(inner)
    elif isinstance(value, (list, tuple)):
        for inner in value:
            yield from texts(inner)


def scrub(text: str, secrets: Iterable[str]) -> str:
    """Return a text without the secrets, however their characters are quoted, and without the queries of addresses."""
    longest_first = sorted({secret for secret in secrets if len(secret) >= SHORTEST}, key=len, reverse=True)
    if longest_first:
        pattern = "|".join("".join(map(_any_form, secret)) for secret in longest_first)
        text = re.sub(pattern, SCRUBBED, text)
    return _QUERY.sub(f"?{SCRUBBED}", _USER.sub(f"{SCRUBBED}@", text))


def _any_form(character: str) -> str:
    """Return a pattern for a character as it is, as in a URL, in JSON, and in Python's notation.

    Libraries differ in what they quote, so each character is matched by itself.
    """
    if character.isascii() and character.isalnum():
        return character
    encoded = quote(character, safe="", errors="surrogatepass")
    forms = {character, encoded, encoded.lower(), quote_plus(character, errors="surrogatepass")}
    forms |= {json.dumps(character)[1:-1], repr(character)[1:-1], f"\\{character}"}
    return f"(?:{'|'.join(map(re.escape, sorted(forms, key=len, reverse=True)))})"
