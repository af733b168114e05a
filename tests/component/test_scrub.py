"""Texts without secrets."""

import json
from urllib.parse import quote, quote_plus

import pytest
from yarl import URL

from conftest import CANARY
from custom_components.nixos_integrations.scrub import scrub


@pytest.mark.parametrize(
    "form",
    [
        CANARY,
        quote(CANARY),
        quote(CANARY, safe=""),
        quote_plus(CANARY),
        quote(CANARY, safe="").lower(),
        URL("http://x").with_query(a=CANARY).raw_query_string.removeprefix("a="),
        str(URL("http://x").with_path(f"/{CANARY}"))[9:],
        json.dumps(CANARY)[1:-1],
        json.dumps(CANARY, ensure_ascii=False)[1:-1],
        repr(CANARY)[1:-1],
    ],
)
def test_a_secret_is_found_however_it_is_quoted(form: str) -> None:
    """Libraries quote what they report in their own ways."""
    assert "anary" not in scrub(f"before {form} after", [CANARY])
    assert scrub(f"before {form} after", [CANARY]).startswith("before (secret)")


def test_the_longer_of_two_secrets_is_taken_out_first() -> None:
    """Else the rest of it would stay."""
    assert scrub("token-and-more", ["token", "token-and-more"]) == "(secret)"


def test_a_secret_that_is_a_word_of_the_replacement_does_no_harm() -> None:
    """What has been put in is not looked at again."""
    assert scrub("a secret and another", ["secret", "another"]) == "a (secret) and (secret)"


def test_texts_that_are_too_short_to_be_secrets_leave_the_text_readable() -> None:
    """And an empty one is nowhere."""
    assert scrub("cannot connect", ["", "c", "an"]) == "cannot connect"


def test_characters_with_a_meaning_in_patterns_are_taken_as_they_are() -> None:
    """A secret is a text."""
    assert scrub("abc a.c (a|c)*", ["a.c", "(a|c)*"]) == "abc (secret) (secret)"


@pytest.mark.parametrize(
    ("text", "scrubbed"),
    [
        ("GET https://a.example/b?c=d&e=f failed", "GET https://a.example/b?(secret) failed"),
        ("'http://a.example?c=d'", "'http://a.example?(secret)'"),
        ("mqtt://user:word@a.example:1883/x", "mqtt://(secret)@a.example:1883/x"),
        ("see https://a.example/b.", "see https://a.example/b."),
        (
            "Max retries exceeded with url: /token?id=1&refresh_token=x (Caused by",
            "Max retries exceeded with url: /token?(secret) (Caused by",
        ),
        ("what? (really?) nothing", "what? (really?) nothing"),
    ],
)
def test_addresses_lose_users_and_queries(text: str, scrubbed: str) -> None:
    """They may carry tokens that no field has."""
    assert scrub(text, []) == scrubbed
