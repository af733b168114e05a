"""Keeps a token of ours in a file, so that a reconciler on the same machine needs none made by hand."""

import os
import tempfile
from contextlib import suppress
from datetime import datetime
from pathlib import Path

from homeassistant.auth.const import GROUP_ID_ADMIN
from homeassistant.auth.models import User
from homeassistant.const import EVENT_HOMEASSISTANT_STOP
from homeassistant.core import Event, HomeAssistant
from homeassistant.helpers.event import async_track_time_interval

from .const import LOGGER
from .repairs import async_report, async_settle

USER = "provisor"
MODE = 0o640


async def async_keep_token(hass: HomeAssistant, file: str) -> None:
    """Write an access token, renew it while Home Assistant runs, and take it back when it stops."""
    path = Path(hass.config.path(file))
    user = await _async_user(hass)
    if not user.is_active:
        async_report(hass, "token_file", f"somebody has switched off the user `{USER}`")
        return
    # Of a run that did not end in order.
    for stale in list(user.refresh_tokens.values()):
        hass.auth.async_remove_refresh_token(stale)
    refresh_token = await hass.auth.async_create_refresh_token(user)

    async def renew(_: datetime | None = None) -> None:
        try:
            await hass.async_add_executor_job(_write, path, hass.auth.async_create_access_token(refresh_token))
        except OSError as err:
            async_report(hass, "token_file", f"`{path}`: {err.strerror}")
        else:
            LOGGER.info("wrote a token of user `%s` to `%s`", USER, path)
            async_settle(hass, "token_file")

    async def stop(_: Event) -> None:
        stop_renewing()
        hass.auth.async_remove_refresh_token(refresh_token)
        with suppress(FileNotFoundError):
            await hass.async_add_executor_job(path.unlink)

    await renew()
    stop_renewing = async_track_time_interval(hass, renew, refresh_token.access_token_expiration * 2 / 3)
    hass.bus.async_listen_once(EVENT_HOMEASSISTANT_STOP, stop)


async def _async_user(hass: HomeAssistant) -> User:
    """Return our user, made at the first start. A person of the same name is somebody else."""
    for user in await hass.auth.async_get_users():
        if user.system_generated and user.name == USER:
            return user
    return await hass.auth.async_create_system_user(USER, group_ids=[GROUP_ID_ADMIN], local_only=True)


def _write(path: Path, token: str) -> None:
    """Replace the file in one step: who reads it meets the old token or the new one."""
    descriptor, name = tempfile.mkstemp(prefix=f".{path.name}.", dir=path.parent)
    try:
        with os.fdopen(descriptor, "w", encoding="ascii") as file:
            os.fchmod(file.fileno(), MODE)
            file.write(token)
        Path(name).replace(path)
    except OSError:
        Path(name).unlink()
        raise
