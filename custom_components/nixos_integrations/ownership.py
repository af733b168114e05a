"""Which entries are ours, and digests of the credentials that were last applied to them. Kept in a store of our own."""

import asyncio
import hashlib
import hmac
import json
import secrets
from collections import defaultdict
from collections.abc import Mapping
from dataclasses import dataclass, field, replace
from typing import Any, Self

from homeassistant.config_entries import ConfigEntry
from homeassistant.core import HomeAssistant, callback
from homeassistant.helpers.storage import Store

from .const import DOMAIN
from .fields import get, locate

STORAGE_VERSION = 1

# Home Assistant writes entries a second after a change. After so many seconds, it has.
SETTLED_AFTER = 30


@dataclass(frozen=True, kw_only=True)
class Record:
    """What we know of an entry that is ours."""

    owner: str
    name: str
    lifecycle: Mapping[str, Any]
    # The digest of the value that was last applied, for the path of each credential.
    base: Mapping[str, str]
    # The digests of what our last writes replaced, for as long as they may not be on disk.
    replaced: Mapping[str, list[str]] = field(default_factory=dict)


class Ownership:
    """The records of our entries, by id. Those of entries that are gone stay until the next start, and harm nobody."""

    def __init__(self, hass: HomeAssistant, store: Store[dict[str, Any]], key: str, owned: dict[str, Record]) -> None:
        """Hold what was loaded."""
        self.key = key
        self.store = store
        self._hass = hass
        self._owned = owned
        # For the moment in which an entry is looked for and taken.
        self.claiming = asyncio.Lock()
        # For as long as one (owner, name) is worked on.
        self.working: defaultdict[tuple[str, str], asyncio.Lock] = defaultdict(asyncio.Lock)

    @classmethod
    async def async_load(cls, hass: HomeAssistant) -> Self:
        """Load the store, and make the key at the very first start."""
        store: Store[dict[str, Any]] = Store(hass, STORAGE_VERSION, DOMAIN, private=True)
        stored = await store.async_load()
        if stored is None:
            ownership = cls(hass, store, secrets.token_hex(32), {})
            await ownership.async_save()
            return ownership
        records = {entry_id: Record(**record) for entry_id, record in stored["owned"].items()}
        ownership = cls(hass, store, stored["key"], records)
        lost = ownership._forget_lost_writes()
        if lost:
            await ownership.async_save()
        return ownership

    def _forget_lost_writes(self) -> bool:
        """Forget the base of a credential whose write a crash has lost, and records of entries that are gone.

        Our store is written at once, and Home Assistant's a second later. Between the two, a crash leaves the digest of
        a value that the entry never got: the old value would pass for one that the integration has renewed.
        """
        lost = False
        for entry_id, record in list(self._owned.items()):
            entry = self.entry(entry_id)
            if entry is None:
                del self._owned[entry_id]
            elif record.replaced:
                base = {
                    path: digest
                    for path, digest in record.base.items()
                    if self.digest(get(entry.data, locate(entry.data, path))) not in record.replaced.get(path, ())
                }
                lost = lost or base != record.base
                self._owned[entry_id] = replace(record, base=base, replaced={})
        return lost

    @callback
    def digest(self, value: Any) -> str:
        """Return the keyed digest of a value. It tells no more than whether two values are equal."""
        text = (
            f"s:{value}"
            if isinstance(value, str)
            else "j:" + json.dumps(value, sort_keys=True, separators=(",", ":"), ensure_ascii=False, default=str)
        )
        return hmac.new(bytes.fromhex(self.key), text.encode(errors="surrogatepass"), hashlib.sha256).hexdigest()

    @callback
    def entry(self, entry_id: str) -> ConfigEntry | None:
        """Return an entry of Home Assistant."""
        return self._hass.config_entries.async_get_entry(entry_id)

    @callback
    def record(self, entry_id: str) -> Record | None:
        """Return the record of an entry, None where it is not ours."""
        return self._owned.get(entry_id)

    @callback
    def find(self, owner: str, name: str) -> ConfigEntry | None:
        """Return the entry that has an owner and a name."""
        return next((entry for entry, record in self.entries() if (record.owner, record.name) == (owner, name)), None)

    @callback
    def entries(self) -> list[tuple[ConfigEntry, Record]]:
        """Return all entries that are ours."""
        return [(entry, record) for entry_id, record in self._owned.items() if (entry := self.entry(entry_id))]

    async def async_record(self, entry_id: str, record: Record) -> None:
        """Keep a record, and return when it is on disk. An equal one writes nothing."""
        if self._owned.get(entry_id) != record:
            self._owned[entry_id] = record
            await self.async_save()

    async def async_forget(self, entry_id: str) -> None:
        """Drop the record of an entry, and return when it is gone from disk."""
        if self._owned.pop(entry_id, None) is not None:
            await self.async_save()

    async def async_save(self) -> None:
        """Write the store at once."""
        await self.store.async_save(self.as_stored())
        if any(record.replaced for record in self._owned.values()):
            self.store.async_delay_save(self._settled, SETTLED_AFTER)

    @callback
    def as_stored(self) -> dict[str, Any]:
        """Return what belongs into the store."""
        return {"key": self.key, "owned": {entry_id: vars(record) for entry_id, record in self._owned.items()}}

    @callback
    def _settled(self) -> dict[str, Any]:
        self._owned = {entry_id: replace(record, replaced={}) for entry_id, record in self._owned.items()}
        return self.as_stored()
