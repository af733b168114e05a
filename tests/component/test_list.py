"""What `list` tells, and what it keeps to itself."""

import asyncio
import hashlib
import hmac
import json
import logging
from types import MappingProxyType
from typing import Any

import pytest
from homeassistant.config_entries import HANDLERS, SOURCE_REAUTH, ConfigFlow, ConfigSubentry

from conftest import CANARY, ROTATOR, CommandError, Home


async def test_it_tells_of_ours_or_of_all(home: Home) -> None:
    """With what a reconciler compares."""
    hand = await home.by_hand(unique_id="5678")
    ours = (await home.rotator(title="T", unique_id="1", options={"o": [1]}, lifecycle={"l": True}))["entry"][
        "entry_id"
    ]
    entry = home.entry(ours)

    answer = await home.command("list", fields={ROTATOR: ["host", "absent"]})
    everything = (await home.command("list", all=True))["entries"]

    assert (answer["protocol"], answer["version"]) == (1, "0.1.0")
    assert answer["homeassistant"].startswith("2026.")
    [listed] = answer["entries"]
    digest = home.ownership.digest
    assert listed == {
        "entry_id": ours,
        "domain": ROTATOR,
        "title": "T",
        "unique_id": "1",
        "source": "import",
        "version": 3,
        "minor_version": 2,
        "disabled_by": None,
        "state": "loaded",
        "reason": None,
        "reauth": False,
        "modified_at": entry.modified_at.isoformat(),
        "options": {"o": [1]},
        "data": {"host": "192.0.2.1"},
        "digests": {"token.access_token": digest("access"), "token.refresh_token": digest("first")},
        "single": False,
        "handler": [3, 2],
        "owned": {
            "owner": "tests",
            "name": "home",
            "lifecycle": {"l": True},
            "base": {"token.access_token": digest("access"), "token.refresh_token": digest("first")},
        },
    }
    foreign = next(other for other in everything if other["entry_id"] == hand.entry_id)
    assert foreign["owned"] is None
    assert foreign["data"] == {}
    assert set(foreign["digests"]) == {"host", "token.access_token", "token.refresh_token"}
    assert len(everything) == 2


@pytest.mark.parametrize(
    ("value", "text"),
    [
        ("1", b"s:1"),
        ("ü", "s:ü".encode()),
        (1, b"j:1"),
        (True, b"j:true"),
        (None, b"j:null"),
        ("null", b"s:null"),
        (1.5, b"j:1.5"),
        ([1, "ü"], 'j:[1,"ü"]'.encode()),
        ({"b": 1, "a": []}, b'j:{"a":[],"b":1}'),
        ("j:1", b"s:j:1"),
    ],
)
async def test_a_digest_is_as_the_protocol_says(home: Home, value: Any, text: bytes) -> None:
    """The reconciler reckons the same over what is declared."""
    key = bytes.fromhex((await home.command("list"))["key"])
    assert home.ownership.digest(value) == hmac.new(key, text, hashlib.sha256).hexdigest()


async def test_values_of_different_types_never_have_the_same_digest(home: Home) -> None:
    """A text that looks like a number is not one."""
    values = ["1", 1, "1.0", "true", True, "null", None, "[]", [], "{}", {}, "", "j:1", "s:1", '"1"']
    assert len({home.ownership.digest(value) for value in values}) == len(values)


async def test_nested_fields_and_whole_mappings_can_be_asked_for(home: Home) -> None:
    """Each leaf is told once: by value or as a digest. Lists, and what is empty, are leaves."""
    await home.rotator(data={"host": "h", "n": {"a": {"b": 1}, "c": [1]}, "empty": {}})
    fields = {ROTATOR: ["n.a", "empty", "nothing.there"]}
    [entry] = (await home.command("list", fields=fields))["entries"]
    assert entry["data"] == {"n.a": {"b": 1}, "empty": {}}
    assert set(entry["digests"]) == {"host", "n.c", "token.access_token", "token.refresh_token"}


async def test_a_credential_is_never_told_by_value_though_it_is_asked_for(home: Home) -> None:
    """Nor is what holds it: a catalogue may not know that it is one."""
    await home.rotator(CANARY)
    for path in ("token.refresh_token", "token"):
        answer = await home.command("list", fields={ROTATOR: [path, "host"]})
        assert answer["entries"][0]["data"] == {"host": "192.0.2.1"}
        assert "token.refresh_token" in answer["entries"][0]["digests"]
        assert CANARY not in json.dumps(answer, ensure_ascii=False)


async def test_no_secret_is_in_any_answer(home: Home) -> None:
    """Not of list, and not of upsert; whatever the entry's state."""
    answers = [await home.rotator(CANARY, name=host, data={"host": host}) for host in ("h", "unreachable")]
    home.set_refresh_token(answers[1]["entry"]["entry_id"], CANARY + "renewed")
    await home.by_hand(data={"host": "unreachable", "token": {"access_token": "x", "refresh_token": CANARY}})
    answers.append(await home.rotator(CANARY, name="unreachable", data={"host": "unreachable"}, title="T"))
    answers.append(await home.command("list", all=True))
    reasons = [entry["reason"] for entry in answers[-1]["entries"]]
    assert sum(reason is not None for reason in reasons) == 2
    everything = json.dumps(answers, ensure_ascii=False)
    for form in (CANARY, json.dumps(CANARY)[1:-1], "canary"):
        assert form not in everything


async def test_a_reason_keeps_what_was_asked_for_and_loses_the_rest(home: Home) -> None:
    """Of the data, of subentries, and of credentials that have not reached the entry."""
    entry_id = (await home.rotator(name="r", data={"host": "unreachable", "user": "somebody"}))["entry"]["entry_id"]
    entry = home.entry(entry_id)
    subentry = ConfigSubentry(
        data=MappingProxyType({"key": "subentry-secret"}), subentry_type="s", title="S", unique_id=None
    )
    home.hass.config_entries.async_add_subentry(entry, subentry)
    data = {**entry.data, "codes": [{"of": "in-a-list"}]}
    home.hass.config_entries.async_update_entry(entry, data=data)
    text = "somebody at unreachable said: first, access, subentry-secret, in-a-list, http://a.example/x?y=z"
    object.__setattr__(entry, "reason", text)

    [listed] = (await home.command("list", fields={ROTATOR: ["host"]}))["entries"]
    secrets = ", ".join(["(secret)"] * 4)
    assert listed["reason"] == f"(secret) at unreachable said: {secrets}, http://a.example/x?(secret)"


async def test_a_reason_that_quotes_a_declared_credential_loses_it(home: Home) -> None:
    """Though the entry has another one by now, which the integration has renewed."""
    entry_id = (await home.rotator("first"))["entry"]["entry_id"]
    home.set_refresh_token(entry_id, "renewed")
    object.__setattr__(home.entry(entry_id), "reason", "neither first nor renewed")
    assert (await home.rotator("first"))["entry"]["reason"] == "neither (secret) nor (secret)"


async def test_a_re_authentication_that_has_only_begun_counts(home: Home, monkeypatch: pytest.MonkeyPatch) -> None:
    """Its first step may wait for a service."""
    await home.rotator()
    ask = asyncio.Event()

    async def ask_slowly(flow: ConfigFlow, entry_data: Any) -> Any:
        await ask.wait()
        return flow.async_abort(reason="done")

    monkeypatch.setattr(HANDLERS[ROTATOR], "async_step_reauth", ask_slowly)
    assert (await home.rotator("revoked"))["entry"]["state"] == "setup_error"
    await asyncio.sleep(0.05)
    assert [entry["reauth"] for entry in (await home.command("list"))["entries"]] == [True]
    ask.set()
    await home.hass.async_block_till_done()
    assert [entry["reauth"] for entry in (await home.command("list"))["entries"]] == [False]


async def test_an_entry_in_re_authentication_is_told_as_such(home: Home) -> None:
    """HA-12."""
    answer = await home.rotator("revoked")
    assert (answer["entry"]["state"], answer["entry"]["reason"]) == ("setup_error", "the refresh token was (secret)")
    await home.hass.async_block_till_done()
    [flow] = home.hass.config_entries.flow.async_progress()
    assert flow["context"]["source"] == SOURCE_REAUTH
    assert [entry["reauth"] for entry in (await home.command("list"))["entries"]] == [True]

    assert (await home.rotator("valid"))["entry"]["reauth"] is False


async def test_an_entry_of_an_integration_that_is_gone_is_listed(home: Home) -> None:
    """A reconciler must be able to remove it."""
    hand = await home.by_hand("no_such_integration")
    [entry] = (await home.command("list", all=True))["entries"]
    assert (entry["entry_id"], entry["state"], entry["handler"], entry["single"]) == (
        hand.entry_id,
        "not_loaded",
        None,
        False,
    )


async def test_the_text_of_an_old_unique_id_is_told(home: Home) -> None:
    """Some integrations stored numbers."""
    hand = await home.by_hand(unique_id=1234)  # type: ignore[arg-type]
    [entry] = (await home.command("list", all=True))["entries"]
    assert entry["unique_id"] == "1234"
    with pytest.raises(CommandError) as refused:
        await home.rotator(unique_id="1234")
    assert refused.value.code == "already_exists"
    answer = await home.rotator(unique_id="1234", adopt=True)
    assert (answer["action"], answer["entry"]["entry_id"]) == ("adopted", hand.entry_id)
    assert "unique_id" not in answer["changed"]


@pytest.mark.parametrize(
    ("command", "arguments"),
    [
        ("list", {}),
        ("upsert", {"owner": "o", "name": "n", "domain": ROTATOR}),
        ("remove", {"owner": "o", "entry_id": "e", "mode": "delete"}),
    ],
)
async def test_who_is_no_administrator_is_refused(
    home: Home, hass_read_only_access_token: str, command: str, arguments: dict[str, Any]
) -> None:
    """On each command."""
    with pytest.raises(CommandError) as refused:
        await home.command(command, access_token=hass_read_only_access_token, **arguments)
    assert refused.value.code == "unauthorized"
    assert home.hass.config_entries.async_entries() == []


@pytest.mark.parametrize("credentials", [CANARY, [CANARY], {"token": {"refresh_token": CANARY}}, {"token": [CANARY]}])
async def test_a_malformed_message_is_refused_without_quoting_credentials(
    home: Home, caplog: pytest.LogCaptureFixture, credentials: Any
) -> None:
    """Neither in the answer nor in the log. (At the level `debug`, Home Assistant itself logs every message.)"""
    with pytest.raises(CommandError) as refused:
        await home.upsert(credentials=credentials)
    assert refused.value.code == "invalid_format"
    assert "canary" not in refused.value.message
    logged = [record.getMessage() for record in caplog.records if record.levelno > logging.DEBUG]
    assert any("credentials" in line for line in logged)
    assert not any("canary" in line for line in logged)
