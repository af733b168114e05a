"""An integration for tests. It does to its token what those of real services do.

Data: `{"host": text, "token": {"access_token": text, "refresh_token": text}}`. When an entry is set up,

- the host `unreachable` is not ready yet, and the reason quotes the refresh token, as HTTP libraries quote a request;
- the refresh token `revoked` fails to authenticate, which starts re-authentication;
- the option `rotate` replaces the refresh token by a new one, which begins with `rotated-`;
- the option `listen` has it reload itself after an update, with an update listener;
- the option `seconds` has it take its time.

`hass.data["provisor_rotator"]` counts the set-ups of each entry.
"""

import asyncio
from secrets import token_hex
from urllib.parse import quote

from homeassistant.config_entries import ConfigEntry
from homeassistant.core import HomeAssistant
from homeassistant.exceptions import ConfigEntryAuthFailed, ConfigEntryNotReady

DOMAIN = "provisor_rotator"


async def async_setup_entry(hass: HomeAssistant, entry: ConfigEntry) -> bool:
    """Set up an entry."""
    setups = hass.data.setdefault(DOMAIN, {})
    setups[entry.entry_id] = setups.get(entry.entry_id, 0) + 1
    await asyncio.sleep(entry.options.get("seconds", 0))
    token = entry.data["token"]
    if token["refresh_token"] == "revoked":
        raise ConfigEntryAuthFailed("the refresh token was revoked")
    if entry.data["host"] == "unreachable":
        raise ConfigEntryNotReady(
            f"no answer to GET https://unreachable/?refresh_token={quote(token['refresh_token'])}"
        )
    if entry.options.get("rotate"):
        renewed = {**token, "refresh_token": f"rotated-{token_hex(8)}"}
        hass.config_entries.async_update_entry(entry, data={**entry.data, "token": renewed})
    if entry.options.get("listen"):
        entry.async_on_unload(entry.add_update_listener(_async_reload))
    return True


async def _async_reload(hass: HomeAssistant, entry: ConfigEntry) -> None:
    await hass.config_entries.async_reload(entry.entry_id)


async def async_unload_entry(hass: HomeAssistant, entry: ConfigEntry) -> bool:
    """Unload an entry."""
    return True
