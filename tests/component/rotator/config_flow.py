"""The config flow of the rotator."""

from collections.abc import Mapping
from typing import Any

import probatio
from homeassistant.config_entries import ConfigFlow, ConfigFlowResult

from . import DOMAIN

_FORM = probatio.Schema({probatio.Required("host"): str, probatio.Required("refresh_token"): str})


class RotatorConfigFlow(ConfigFlow, domain=DOMAIN):
    """Makes entries of the third version, so that no test passes with a guessed one."""

    VERSION = 3
    MINOR_VERSION = 2

    async def async_step_user(self, user_input: dict[str, Any] | None = None) -> ConfigFlowResult:
        """Make an entry by hand."""
        if user_input is None:
            return self.async_show_form(step_id="user", data_schema=_FORM)
        token = {"access_token": "of-the-form", "refresh_token": user_input["refresh_token"]}
        return self.async_create_entry(title="By hand", data={"host": user_input["host"], "token": token})

    async def async_step_reauth(self, entry_data: Mapping[str, Any]) -> ConfigFlowResult:
        """Sign in again."""
        return await self.async_step_user()
