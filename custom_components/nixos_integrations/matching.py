"""Which entry of Home Assistant a declaration means."""

from homeassistant.config_entries import ConfigEntry
from homeassistant.core import HomeAssistant, callback
from homeassistant.helpers.typing import UNDEFINED
from homeassistant.loader import Integration

from .const import STARTUP_OWNER
from .desired import Desired, RefusedError
from .fields import get
from .ownership import Ownership


def unique_id_of(entry: ConfigEntry) -> str | None:
    """Return the unique id of an entry. Some integrations have stored numbers."""
    return None if entry.unique_id is None else str(entry.unique_id)


@callback
def find(hass: HomeAssistant, ownership: Ownership, desired: Desired, integration: Integration) -> ConfigEntry | None:
    """Return the entry that is declared, None where it has yet to be created."""
    ours = ownership.find(desired.owner, desired.name)
    if desired.entry_id is not None:
        entry = ownership.entry(desired.entry_id)
        if entry is None:
            raise RefusedError("not_found", f"there is no entry `{desired.entry_id}`")
        if ours not in (None, entry):
            raise RefusedError("already_exists", f"`{desired.name}` is another entry than `{desired.entry_id}`")
    elif ours is not None:
        entry = ours
    elif ownership.record(desired.derived_id) is None and (lost := ownership.entry(desired.derived_id)):
        entry = lost
    elif desired.adopt or desired.owner == STARTUP_OWNER:
        entry = _find_unowned(hass, ownership, desired, integration)
    else:
        entry = None
    if entry is not None:
        _refuse_foreign(ownership, desired, entry)
        refuse_stale(entry, desired.expect)
    return entry


def _find_unowned(
    hass: HomeAssistant, ownership: Ownership, desired: Desired, integration: Integration
) -> ConfigEntry | None:
    """Return the entry of nobody that is what is declared, if there is one."""
    entries = hass.config_entries.async_entries(desired.domain, include_ignore=False)
    unowned = [entry for entry in entries if ownership.record(entry.entry_id) is None]
    if desired.unique_id is not None:
        alike = [entry for entry in unowned if unique_id_of(entry) == desired.unique_id]
    else:
        alike = [entry for entry in unowned if _holds(entry, desired)]
    if not alike and integration.single_config_entry:
        alike = unowned
    if len(alike) > 1:
        raise RefusedError(
            "already_exists", "several entries hold what is declared: only `unique_id` can tell which is meant"
        )
    return alike[0] if alike else None


def _holds(entry: ConfigEntry, desired: Desired) -> bool:
    """Tell whether an entry has all declared fields that are no credentials, and at least one."""
    pairs = [(get(entry.data, keys), value) for keys, value in desired.plain(entry.data)]
    pairs += [(entry.options.get(key, UNDEFINED), value) for key, value in desired.options.items()]
    return bool(pairs) and all(actual == value for actual, value in pairs)


def _refuse_foreign(ownership: Ownership, desired: Desired, entry: ConfigEntry) -> None:
    if entry.domain != desired.domain:
        raise RefusedError(
            "invalid", f"entry `{entry.entry_id}` is of `{entry.domain}`, and cannot become one of another"
        )
    record = ownership.record(entry.entry_id)
    if record is None:
        if not desired.adopt and entry.entry_id != desired.derived_id:
            raise RefusedError(
                "not_owned", f"entry `{entry.entry_id}` (`{entry.title}`) was made by hand: `adopt: true` takes it over"
            )
    elif record.owner != desired.owner:
        raise RefusedError("not_owned", f"entry `{entry.entry_id}` is `{record.name}` of `{record.owner}`")


def refuse_stale(entry: ConfigEntry, expect: str | None) -> None:
    """Refuse to go on where an entry is no longer the one that the caller has seen."""
    if expect not in (None, entry.modified_at.isoformat()):
        raise RefusedError("stale", f"entry `{entry.entry_id}` has changed since it was looked at")


@callback
def refuse_duplicate(
    hass: HomeAssistant, ownership: Ownership, desired: Desired, integration: Integration, entry: ConfigEntry | None
) -> None:
    """Refuse a second entry where there can be only one. Home Assistant itself would take it."""
    if entry is not None and desired.unique_id in (None, unique_id_of(entry)):
        return
    for other in hass.config_entries.async_entries(desired.domain, include_ignore=False):
        if other is entry:
            continue
        record = ownership.record(other.entry_id)
        whose = f"`{record.name}` of `{record.owner}`" if record else "made by hand"
        if desired.unique_id is not None and unique_id_of(other) == desired.unique_id:
            raise RefusedError("already_exists", f"entry `{other.entry_id}` has the same unique id, and is {whose}")
        if entry is None and integration.single_config_entry:
            raise RefusedError(
                "single_instance", f"there can be one entry of `{desired.domain}`: `{other.entry_id}`, which is {whose}"
            )
