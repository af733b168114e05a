"""Crashes between our write and Home Assistant's, which comes a second later (HA-5).

A start of the component on a Home Assistant that runs reads our store anew, as after a crash. What entries there are is
then what a test leaves of them.
"""

from typing import Any

import pytest
from homeassistant.config_entries import ConfigEntries, ConfigEntry
from homeassistant.core import HomeAssistant
from homeassistant.helpers.storage import Store

from conftest import ROTATOR, Home
from custom_components.nixos_integrations.ownership import Ownership


def stored(home: Home) -> dict[str, Any]:
    """Return our records, as they are on disk."""
    owned: dict[str, Any] = home.storage["nixos_integrations"]["data"]["owned"]
    return owned


async def test_an_entry_has_its_owner_on_disk_before_home_assistant_knows_it(
    home: Home, monkeypatch: pytest.MonkeyPatch
) -> None:
    """So that a crash leaves no entry without an owner."""
    seen = []
    add = ConfigEntries.async_add

    async def spy(manager: ConfigEntries, entry: ConfigEntry) -> None:
        seen.append(stored(home)[entry.entry_id]["name"])
        await add(manager, entry)

    monkeypatch.setattr(ConfigEntries, "async_add", spy)
    await home.rotator()
    assert seen == ["home"]


async def test_a_crash_after_the_record_leaves_nothing_to_clean_up(home: Home, monkeypatch: pytest.MonkeyPatch) -> None:
    """The next run creates the entry."""

    async def crash(manager: ConfigEntries, entry: ConfigEntry) -> None:
        raise RuntimeError("power cut")

    with monkeypatch.context() as patched:
        patched.setattr(ConfigEntries, "async_add", crash)
        with pytest.raises(Exception, match="unknown_error"):
            await home.rotator()
    [entry_id] = stored(home)
    await home.start()
    assert (await home.command("list"))["entries"] == []

    answer = await home.rotator()
    assert (answer["action"], answer["entry"]["entry_id"]) == ("created", entry_id)
    assert len(home.hass.config_entries.async_entries(ROTATOR)) == 1


async def test_an_entry_whose_record_is_lost_is_found_again_and_not_made_twice(home: Home) -> None:
    """By its id, which follows from owner and name; nobody has to allow an adoption."""
    entry_id = (await home.rotator(unique_id="1234"))["entry"]["entry_id"]
    stored(home).clear()
    await home.start()
    assert (await home.command("list"))["entries"] == []

    answer = await home.rotator(unique_id="1234")
    assert (answer["action"], answer["entry"]["entry_id"]) == ("unchanged", entry_id)
    assert answer["entry"]["owned"]["name"] == "home"


async def test_a_credential_that_a_crash_kept_from_the_entry_is_written_again(home: Home) -> None:
    """Its digest is on disk already. Taken for a renewed one, the old credential would stay for good."""
    entry_id = (await home.rotator("first"))["entry"]["entry_id"]
    await home.rotator("second")
    # Home Assistant has not written the entry yet.
    home.set_refresh_token(entry_id, "first")
    await home.start()

    listed = (await home.command("list"))["entries"][0]
    assert "token.refresh_token" not in listed["owned"]["base"]
    assert (await home.rotator("second"))["changed"] == ["credentials.token.refresh_token"]
    assert home.refresh_token(entry_id) == "second"


async def test_what_a_crash_has_lost_is_remembered_until_it_is_written_again(home: Home) -> None:
    """However often Home Assistant starts before, and though the integration renews the old credential."""
    entry_id = (await home.rotator("first"))["entry"]["entry_id"]
    await home.rotator("second")
    home.set_refresh_token(entry_id, "first")
    await home.start()
    home.set_refresh_token(entry_id, "renewed from the first")
    await home.start()
    await home.rotator("second")
    assert home.refresh_token(entry_id) == "second"


async def test_the_same_holds_for_two_changes_before_the_crash(home: Home) -> None:
    """Whichever of them Home Assistant wrote."""
    for survivor in ("first", "second"):
        entry_id = (await home.rotator("first", name=survivor))["entry"]["entry_id"]
        await home.rotator("second", name=survivor)
        await home.rotator("third", name=survivor)
        home.set_refresh_token(entry_id, survivor)
        await home.start()
        await home.rotator("third", name=survivor)
        assert home.refresh_token(entry_id) == "third"


async def test_a_renewed_token_is_not_taken_for_one_that_was_lost(home: Home) -> None:
    """A crash right after a change, which Home Assistant had written."""
    entry_id = (await home.rotator("first"))["entry"]["entry_id"]
    await home.rotator("second")
    home.set_refresh_token(entry_id, "renewed")
    await home.start()
    assert (await home.rotator("second"))["action"] == "unchanged"
    assert home.refresh_token(entry_id) == "renewed"


async def test_once_a_change_is_on_disk_going_back_to_the_old_token_is_the_users_choice(
    home: Home, monkeypatch: pytest.MonkeyPatch
) -> None:
    """What a write replaced is remembered for half a minute only."""
    monkeypatch.setattr("custom_components.nixos_integrations.ownership.SETTLED_AFTER", 0)
    entry_id = (await home.rotator("first"))["entry"]["entry_id"]
    await home.rotator("second")
    await home.hass.async_block_till_done()
    assert stored(home)[entry_id]["replaced"] == {}
    home.set_refresh_token(entry_id, "first")
    await home.start()
    assert (await home.rotator("second"))["action"] == "unchanged"
    assert home.refresh_token(entry_id) == "first"


async def test_the_store_is_for_home_assistant_only(home: Home, monkeypatch: pytest.MonkeyPatch) -> None:
    """Home Assistant's other stores can be read by everybody."""
    stores = []

    class Spy(Store[dict[str, Any]]):
        def __init__(self, hass: HomeAssistant, version: int, key: str, *, private: bool) -> None:
            super().__init__(hass, version, key, private)
            stores.append((key, private))

    monkeypatch.setattr("custom_components.nixos_integrations.ownership.Store", Spy)
    await Ownership.async_load(home.hass)
    assert stores == [("nixos_integrations", True)]


async def test_the_key_is_made_once(home: Home, hass: HomeAssistant) -> None:
    """Digests of former runs stay comparable."""
    key = (await home.command("list"))["key"]
    assert len(bytes.fromhex(key)) == 32
    assert home.storage["nixos_integrations"]["data"]["key"] == key
    writes = home.writes
    await home.start()
    assert (await home.command("list"))["key"] == key
    assert home.writes == writes
