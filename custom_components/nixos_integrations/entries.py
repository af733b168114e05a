"""Applies one declared entry to Home Assistant, and removes one. Both modes come here."""

from collections.abc import Awaitable
from contextlib import suppress
from types import MappingProxyType
from typing import Any, Literal

from homeassistant.config_entries import (
    HANDLERS,
    SOURCE_IMPORT,
    ConfigEntry,
    ConfigEntryDisabler,
    ConfigFlow,
    OperationNotAllowed,
)
from homeassistant.core import HomeAssistant
from homeassistant.loader import Integration, IntegrationNotFound
from homeassistant.requirements import RequirementsNotFound, async_get_integration_with_requirements

from .const import DATA_OWNERSHIP
from .desired import Desired, Outcome, RefusedError, merge
from .matching import find, refuse_duplicate, refuse_stale, unique_id_of
from .ownership import Ownership


async def async_get_handler(hass: HomeAssistant, domain: str) -> tuple[Integration, type[ConfigFlow]]:
    """Return an integration and its config flow, which knows the version of the entries."""
    try:
        integration = await async_get_integration_with_requirements(hass, domain)
        if integration.config_flow:
            await integration.async_get_platform("config_flow")
    except IntegrationNotFound as err:
        raise RefusedError("unknown_integration", f"Home Assistant has no integration `{err.domain}`") from err
    except (RequirementsNotFound, ImportError) as err:
        raise RefusedError("unknown_integration", f"integration `{domain}` cannot be loaded: {err}") from err
    if (handler := HANDLERS.get(domain)) is None:
        raise RefusedError("no_config_flow", f"integration `{domain}` has no config flow, so it has no entries")
    return integration, handler


async def async_apply(hass: HomeAssistant, desired: Desired) -> Outcome:
    """Make an entry as it is declared, and return when it is set up or has failed to.

    Setting up may take minutes. Until then nobody else works on the same declaration, but others go on with theirs.
    """
    ownership = hass.data[DATA_OWNERSHIP]
    integration, handler = await async_get_handler(hass, desired.domain)
    async with ownership.working[desired.owner, desired.name]:
        async with ownership.claiming:
            entry = find(hass, ownership, desired, integration)
            refuse_duplicate(hass, ownership, desired, integration, entry)
            if entry is None:
                outcome, setting_up = await _async_create(hass, ownership, desired, handler)
            else:
                outcome, setting_up = await _async_update(hass, ownership, desired, entry)
        await setting_up
        # Where the integration reloads itself, it does so under this lock, and has it by now.
        async with outcome.entry.setup_lock:
            return outcome


async def _async_create(
    hass: HomeAssistant, ownership: Ownership, desired: Desired, handler: type[ConfigFlow]
) -> tuple[Outcome, Awaitable[None]]:
    """Create an entry. Its record is on disk before: a crash may leave a record without entry, which is harmless."""
    merged = merge(ownership, desired, {}, {}, None)
    entry = ConfigEntry(
        data=merged.data,
        disabled_by=None if desired.enabled else ConfigEntryDisabler.USER,
        discovery_keys=MappingProxyType({}),
        domain=desired.domain,
        # Taken only where that entry was renamed. Then it is any id.
        entry_id=desired.derived_id if ownership.entry(desired.derived_id) is None else None,
        minor_version=handler.MINOR_VERSION,
        options=merged.options,
        source=SOURCE_IMPORT,
        subentries_data=None,
        title=desired.name if desired.title is None else desired.title,
        unique_id=desired.unique_id,
        version=handler.VERSION,
    )
    await ownership.async_record(entry.entry_id, merged.record)
    # The task starts at once, so Home Assistant knows the entry when others look for theirs.
    setting_up = hass.async_create_task(
        hass.config_entries.async_add(entry), f"{desired.domain}: set up {entry.entry_id}"
    )
    named = [name for name in ("title", "unique_id") if getattr(desired, name) is not None]
    return Outcome(entry, "created", [*named, *([] if desired.enabled else ["enabled"]), *merged.changed]), setting_up


async def _async_update(
    hass: HomeAssistant, ownership: Ownership, desired: Desired, entry: ConfigEntry
) -> tuple[Outcome, Awaitable[None]]:
    """Update an entry. Equal values write nothing, and reload nothing."""
    previous = ownership.record(entry.entry_id)
    merged = merge(ownership, desired, entry.data, entry.options, previous)
    named: dict[str, Any] = {}
    if desired.title not in (None, entry.title):
        named["title"] = desired.title
    if desired.unique_id not in (None, unique_id_of(entry)):
        named["unique_id"] = desired.unique_id
    switched = desired.enabled is (entry.disabled_by is not None)
    changed = [*named, *(["enabled"] if switched else []), *merged.changed]

    # Looked at before the update: one that reloads has taken itself off the list afterwards.
    reloads_itself = bool(entry.update_listeners)
    # With no pause since the values were read, as the integration may renew a token at any time.
    hass.config_entries.async_update_entry(entry, data=merged.data, options=merged.options, **named)
    await ownership.async_record(entry.entry_id, merged.record)

    action: Literal["updated", "adopted", "unchanged"] = "updated" if changed else "unchanged"
    if previous is None and entry.entry_id != desired.derived_id:
        action = "adopted"
    elif previous is not None and previous.name != desired.name:
        action = "updated"
    reload = bool(merged.changed) and not reloads_itself and entry.disabled_by is None
    return Outcome(entry, action, changed), _async_take_effect(hass, entry, desired, switched=switched, reload=reload)


async def _async_take_effect(
    hass: HomeAssistant, entry: ConfigEntry, desired: Desired, *, switched: bool, reload: bool
) -> None:
    # Not allowed is what cannot be unloaded, or be migrated to the integration's version. The entry's state says so.
    with suppress(OperationNotAllowed):
        if switched:
            disabled_by = None if desired.enabled else ConfigEntryDisabler.USER
            await hass.config_entries.async_set_disabled_by(entry.entry_id, disabled_by)
        elif reload:
            await hass.config_entries.async_reload(entry.entry_id)


async def async_remove(
    hass: HomeAssistant,
    owner: str,
    entry_id: str,
    mode: Literal["delete", "disable", "forget"],
    expect: str | None = None,
) -> bool:
    """Delete, disable or give up an entry of an owner. Return whether it was there."""
    ownership = hass.data[DATA_OWNERSHIP]
    if ownership.entry(entry_id) is None:
        return False
    record = ownership.record(entry_id)
    if record is None or record.owner != owner:
        raise RefusedError("not_owned", f"entry `{entry_id}` is not of `{owner}`")
    async with ownership.working[record.owner, record.name]:
        if (entry := ownership.entry(entry_id)) is None:
            return False
        refuse_stale(entry, expect)
        if mode == "delete":
            await hass.config_entries.async_remove(entry_id)
        elif mode == "forget":
            await ownership.async_forget(entry_id)
        else:
            with suppress(OperationNotAllowed):
                await hass.config_entries.async_set_disabled_by(entry_id, ConfigEntryDisabler.USER)
    return True
