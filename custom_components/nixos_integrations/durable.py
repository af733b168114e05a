"""Whether what Home Assistant has in memory is on disk, where a crash does not lose it."""

import asyncio
from typing import Any

from homeassistant.core import HomeAssistant
from homeassistant.helpers.storage import STORAGE_DIR
from homeassistant.util.json import load_json_object

from .const import DATA_OWNERSHIP

WAIT_AT_MOST = 15
WAIT_BETWEEN = 0.1

ENTRIES = "core.config_entries"


async def async_wait_until_durable(hass: HomeAssistant) -> bool:
    """Wait until all entries and our records are on disk. Return False where they are not in time."""
    until = hass.loop.time() + WAIT_AT_MOST
    while not (await _async_are_records_durable(hass) and await _async_are_entries_durable(hass)):
        if hass.loop.time() > until:
            return False
        await asyncio.sleep(WAIT_BETWEEN)
    return True


async def _async_are_records_durable(hass: HomeAssistant) -> bool:
    ownership = hass.data[DATA_OWNERSHIP]
    owned = (await _async_read(hass, ownership.store.key)).get("owned", {})
    if all(owned.get(entry.entry_id) == vars(record) for entry, record in ownership.entries()):
        return True
    # They are written at once, so that has failed: the disk was full, perhaps.
    await ownership.async_save()
    return False


async def _async_are_entries_durable(hass: HomeAssistant) -> bool:
    stored = (await _async_read(hass, ENTRIES)).get("entries", [])
    # Switching an entry on or off is the one change that leaves `modified_at` as it was.
    return {(entry["entry_id"], entry["modified_at"], entry["disabled_by"]) for entry in stored} == {
        (entry.entry_id, entry.modified_at.isoformat(), entry.disabled_by)
        for entry in hass.config_entries.async_entries()
    }


async def _async_read(hass: HomeAssistant, key: str) -> dict[str, Any]:
    """Return the data of a store, as it is on disk."""
    path = hass.config.path(STORAGE_DIR, key)
    stored: dict[str, Any] = await hass.async_add_executor_job(load_json_object, path)
    data: dict[str, Any] = stored.get("data", {})
    return data
