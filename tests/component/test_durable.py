"""`list` with `durable` answers when all that it tells is on disk."""

import asyncio
from pathlib import Path
from typing import Any

import pytest
from homeassistant.helpers.json import json_bytes
from homeassistant.util.json import json_loads_object

from conftest import CommandError, Home
from custom_components.nixos_integrations import durable


@pytest.fixture(autouse=True)
def disk(home: Home, monkeypatch: pytest.MonkeyPatch) -> dict[str, Any]:
    """Let the component find on disk what the tests' storage was given to write."""

    def load(path: str) -> dict[str, Any]:
        return json_loads_object(json_bytes(home.storage.get(Path(path).name, {})))

    monkeypatch.setattr(durable, "load_json_object", load)
    return home.storage


def entry_ids(disk: dict[str, Any]) -> list[str]:
    """Return which entries are on disk."""
    stored = disk.get("core.config_entries", {}).get("data", {}).get("entries", [])
    return [entry["entry_id"] for entry in stored]


async def test_it_waits_until_a_new_entry_is_on_disk(home: Home, disk: dict[str, Any]) -> None:
    """Home Assistant writes a second later, and until then a crash loses it."""
    entry_id = (await home.rotator())["entry"]["entry_id"]
    await home.command("list")
    assert entry_ids(disk) == []
    await home.command("list", durable=True)
    assert entry_ids(disk) == [entry_id]


async def test_it_waits_for_each_kind_of_change(home: Home, disk: dict[str, Any]) -> None:
    """Of a field, of being disabled, and of being there at all."""
    entry_id = (await home.rotator())["entry"]["entry_id"]
    await home.command("list", durable=True)

    await home.rotator(data={"host": "192.0.2.2"})
    await home.command("list", durable=True)
    assert disk["core.config_entries"]["data"]["entries"][0]["data"]["host"] == "192.0.2.2"

    await home.rotator(data={"host": "192.0.2.2"}, enabled=False)
    await home.command("list", durable=True)
    assert disk["core.config_entries"]["data"]["entries"][0]["disabled_by"] == "user"

    await home.command("remove", owner="tests", entry_id=entry_id, mode="delete")
    await home.command("list", durable=True)
    assert entry_ids(disk) == []


async def test_without_a_change_it_answers_at_once(home: Home) -> None:
    """And writes nothing."""
    await home.rotator()
    await home.command("list", durable=True)
    writes = home.writes
    begin = asyncio.get_running_loop().time()
    await home.command("list", durable=True)
    assert asyncio.get_running_loop().time() - begin < 0.1
    assert home.writes == writes


async def test_where_nothing_gets_to_disk_it_says_so(
    home: Home, disk: dict[str, Any], monkeypatch: pytest.MonkeyPatch
) -> None:
    """A disk may be full."""
    monkeypatch.setattr(durable, "WAIT_AT_MOST", 0.3)
    await home.rotator()
    with pytest.raises(CommandError) as refused:
        await home.command("list", durable=True)
    assert refused.value.code == "not_durable"


async def test_a_record_that_could_not_be_written_is_written_again(home: Home, disk: dict[str, Any]) -> None:
    """Home Assistant logs that a store could not be written, and nothing more."""
    entry_id = (await home.rotator())["entry"]["entry_id"]
    disk["nixos_integrations"]["data"]["owned"].clear()
    await home.command("list", durable=True)
    assert disk["nixos_integrations"]["data"]["owned"][entry_id]["name"] == "home"
