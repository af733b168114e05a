"""Live mode: the WebSocket commands of the reconciler."""

from typing import Any

import probatio
from homeassistant.components import websocket_api
from homeassistant.components.websocket_api.connection import ActiveConnection
from homeassistant.components.websocket_api.decorators import async_response, require_admin, websocket_command
from homeassistant.const import __version__
from homeassistant.core import HomeAssistant, callback
from homeassistant.loader import async_get_integration

from .const import DATA_OWNERSHIP, DOMAIN, PROTOCOL, STARTUP_OWNER
from .describe import async_describe
from .desired import Desired, RefusedError
from .durable import async_wait_until_durable
from .entries import async_apply, async_remove


@callback
def async_register(hass: HomeAssistant) -> None:
    """Offer the commands."""
    websocket_api.async_register_command(hass, websocket_list)
    websocket_api.async_register_command(hass, websocket_upsert)
    websocket_api.async_register_command(hass, websocket_remove)


@require_admin
@websocket_command(
    {
        probatio.Required("type"): f"{DOMAIN}/list",
        probatio.Optional("all", default=False): bool,
        probatio.Optional("fields", default=dict): {str: [str]},
        probatio.Optional("durable", default=False): bool,
    }
)
@async_response
async def websocket_list(hass: HomeAssistant, connection: ActiveConnection, msg: dict[str, Any]) -> None:
    """Tell of the entries that are ours, or of all."""
    if msg["durable"] and not await async_wait_until_durable(hass):
        connection.send_error(msg["id"], "not_durable", "Home Assistant has not written its entries in time")
        return
    ownership = hass.data[DATA_OWNERSHIP]
    entries = hass.config_entries.async_entries() if msg["all"] else [entry for entry, _ in ownership.entries()]
    connection.send_result(
        msg["id"],
        {
            "protocol": PROTOCOL,
            "version": str((await async_get_integration(hass, DOMAIN)).version),
            "homeassistant": __version__,
            "key": ownership.key,
            "entries": await async_describe(hass, entries, msg["fields"]),
        },
    )


@require_admin
@websocket_command(
    {
        probatio.Required("type"): f"{DOMAIN}/upsert",
        probatio.Required("owner"): str,
        probatio.Required("name"): str,
        probatio.Required("domain"): str,
        probatio.Optional("entry_id"): str,
        probatio.Optional("adopt"): bool,
        probatio.Optional("expect"): str,
        probatio.Optional("title"): str,
        probatio.Optional("unique_id"): str,
        probatio.Optional("enabled"): bool,
        probatio.Optional("data"): {str: object},
        probatio.Optional("options"): {str: object},
        # A message about what is wrong with it must not quote it.
        probatio.Optional(probatio.Secret("credentials")): {str: str},
        probatio.Optional("restore"): bool,
        probatio.Optional("lifecycle"): {str: object},
    }
)
@async_response
async def websocket_upsert(hass: HomeAssistant, connection: ActiveConnection, msg: dict[str, Any]) -> None:
    """Make one entry as it is declared."""
    desired = Desired(**{key: value for key, value in msg.items() if key not in ("id", "type")})
    try:
        if desired.owner == STARTUP_OWNER:
            raise RefusedError("invalid", f"`{STARTUP_OWNER}` is the owner of what its YAML declares")
        outcome = await async_apply(hass, desired)
    except RefusedError as err:
        connection.send_error(msg["id"], err.code, str(err))
        return
    fields = {desired.domain: list(desired.data)}
    [entry] = await async_describe(hass, [outcome.entry], fields, desired.credentials.values())
    connection.send_result(msg["id"], {"entry": entry, "action": outcome.action, "changed": outcome.changed})


@require_admin
@websocket_command(
    {
        probatio.Required("type"): f"{DOMAIN}/remove",
        probatio.Required("owner"): str,
        probatio.Required("entry_id"): str,
        probatio.Required("mode"): probatio.In(["delete", "disable", "forget"]),
        probatio.Optional("expect"): str,
    }
)
@async_response
async def websocket_remove(hass: HomeAssistant, connection: ActiveConnection, msg: dict[str, Any]) -> None:
    """Delete, disable or give up one entry."""
    try:
        removed = await async_remove(hass, msg["owner"], msg["entry_id"], msg["mode"], msg.get("expect"))
    except RefusedError as err:
        connection.send_error(msg["id"], err.code, str(err))
        return
    connection.send_result(msg["id"], {"removed": removed})
