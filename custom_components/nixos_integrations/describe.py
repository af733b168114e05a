"""What may be told of an entry: fields that are no credentials by value, all others as digests."""

from collections.abc import Iterable, Mapping
from typing import Any

from homeassistant.config_entries import SOURCE_REAUTH, ConfigEntry
from homeassistant.core import HomeAssistant, callback
from homeassistant.helpers.typing import UNDEFINED

from .const import DATA_OWNERSHIP
from .desired import RefusedError
from .entries import async_get_handler
from .fields import Keys, get, leaves, locate, overlap, path_of
from .matching import unique_id_of
from .ownership import Ownership
from .scrub import scrub, texts


async def async_describe(
    hass: HomeAssistant,
    entries: list[ConfigEntry],
    fields: Mapping[str, Iterable[str]],
    credentials: Iterable[str] = (),
) -> list[dict[str, Any]]:
    """Describe entries. `fields` names, for each domain, the fields to give by value."""
    ownership = hass.data[DATA_OWNERSHIP]
    integrations = {domain: await _async_integration(hass, domain) for domain in {entry.domain for entry in entries}}
    reauth = {
        flow["context"].get("entry_id")
        for flow in hass.config_entries.flow.async_progress(include_uninitialized=True)
        if flow["context"].get("source") == SOURCE_REAUTH
    }
    return [
        {
            **_describe(ownership, entry, fields.get(entry.domain, ()), credentials),
            **integrations[entry.domain],
            "reauth": entry.entry_id in reauth,
        }
        for entry in entries
    ]


async def _async_integration(hass: HomeAssistant, domain: str) -> dict[str, Any]:
    try:
        integration, handler = await async_get_handler(hass, domain)
    except RefusedError:
        return {"single": False, "handler": None}
    return {"single": integration.single_config_entry, "handler": [handler.VERSION, handler.MINOR_VERSION]}


def _describe(
    ownership: Ownership, entry: ConfigEntry, paths: Iterable[str], credentials: Iterable[str]
) -> dict[str, Any]:
    record = ownership.record(entry.entry_id)
    shown = _shown(ownership, entry, paths)
    return {
        "entry_id": entry.entry_id,
        "domain": entry.domain,
        "title": entry.title,
        "unique_id": unique_id_of(entry),
        "source": entry.source,
        "version": entry.version,
        "minor_version": entry.minor_version,
        "disabled_by": entry.disabled_by,
        "state": entry.state.value,
        "reason": reason(ownership, entry, paths, credentials),
        "modified_at": entry.modified_at.isoformat(),
        "options": dict(entry.options),
        "data": {path: get(entry.data, keys) for path, keys in shown.items()},
        "digests": {path_of(keys): ownership.digest(value) for keys, value in _hidden(entry, shown.values())},
        "owned": record
        and {"owner": record.owner, "name": record.name, "lifecycle": record.lifecycle, "base": record.base},
    }


@callback
def reason(ownership: Ownership, entry: ConfigEntry, paths: Iterable[str], credentials: Iterable[str]) -> str | None:
    """Return why an entry is not set up, without the values of fields that are not named, nor those of credentials."""
    if entry.reason is None:
        return None
    secrets = [*credentials]
    for _, value in _hidden(entry, _shown(ownership, entry, paths).values()):
        secrets += texts(value)
    for subentry in entry.subentries.values():
        secrets += texts(subentry.data)
    return scrub(entry.reason, secrets)


def _shown(ownership: Ownership, entry: ConfigEntry, paths: Iterable[str]) -> dict[str, Keys]:
    """Return the named fields, without those that we know to be, or to hold, a credential."""
    record = ownership.record(entry.entry_id)
    credentials = [locate(entry.data, path) for path in record.base] if record else []
    named = {path: locate(entry.data, path) for path in paths}
    return {
        path: keys
        for path, keys in named.items()
        if get(entry.data, keys) is not UNDEFINED and not any(overlap(keys, credential) for credential in credentials)
    }


def _hidden(entry: ConfigEntry, shown: Iterable[Keys]) -> Iterable[tuple[Keys, Any]]:
    return [
        (keys, value) for keys, value in leaves(entry.data) if not any(keys[: len(field)] == field for field in shown)
    ]
