"""A Home Assistant with the component in it, and the few things that tests do to it."""

import itertools
from collections.abc import AsyncIterator, Callable, Coroutine, Iterator
from pathlib import Path
from types import MappingProxyType
from typing import Any, cast
from unittest.mock import patch

import pytest
from homeassistant.config_entries import ConfigEntry
from homeassistant.core import HomeAssistant
from homeassistant.helpers import issue_registry as ir
from homeassistant.helpers.storage import Store
from homeassistant.setup import async_setup_component

import custom_components
from custom_components.nixos_integrations.const import DATA_OWNERSHIP, DOMAIN
from custom_components.nixos_integrations.ownership import Ownership

ROTATOR = "provisor_rotator"

# No answer, log line, error or issue may ever hold it. With characters that URLs, JSON and Python's notation quote.
CANARY = "canary/+=&'\"\\ ü"


class CommandError(Exception):
    """What a WebSocket command was refused with."""

    def __init__(self, code: str, message: str) -> None:
        """Take the error of an answer."""
        super().__init__(f"{code}: {message}")
        self.code = code
        self.message = message


class Home:
    """A Home Assistant, and a WebSocket connection to it."""

    def __init__(self, hass: HomeAssistant, storage: dict[str, Any], connect: Callable[..., Any]) -> None:
        """Hold what the tests' tools bring."""
        self.hass = hass
        self.storage = storage
        self._connect = connect
        self._sockets: dict[str | None, Any] = {}

    async def close(self) -> None:
        """Close the connections."""
        for socket, _ in self._sockets.values():
            await socket.close()

    async def start(self, declared: dict[str, Any] | None = None) -> bool:
        """Start the component, as Home Assistant does with the YAML that declares this; or start it anew."""
        if DOMAIN in self.hass.config.components:
            self.hass.config.components.remove(DOMAIN)
        for domain, issue_id in list(ir.async_get(self.hass).issues):
            ir.async_delete_issue(self.hass, domain, issue_id)
        done = await async_setup_component(self.hass, DOMAIN, {DOMAIN: declared})
        await self.hass.async_block_till_done()
        return done

    async def command(self, command: str, *, access_token: str | None = None, **arguments: Any) -> Any:
        """Send a command, and return its result."""
        if access_token not in self._sockets:
            extra = {} if access_token is None else {"access_token": access_token}
            self._sockets[access_token] = (await self._connect(self.hass, **extra), itertools.count(1))
        socket, ids = self._sockets[access_token]
        await socket.send_json({"id": next(ids), "type": f"{DOMAIN}/{command}", **arguments})
        answer = await socket.receive_json()
        if not answer["success"]:
            raise CommandError(answer["error"]["code"], answer["error"]["message"])
        return answer["result"]

    async def upsert(self, name: str = "home", domain: str = ROTATOR, **declared: Any) -> Any:
        """Apply an entry, of the rotator if nothing else is said."""
        return await self.command("upsert", **{"owner": "tests", "name": name, "domain": domain, **declared})

    async def rotator(self, refresh_token: str = "first", **declared: Any) -> Any:
        """Apply an entry of the rotator that has all it needs."""
        declared.setdefault("data", {"host": "192.0.2.1"})
        credentials = {"token.access_token": "access", "token.refresh_token": refresh_token}
        return await self.upsert(credentials=credentials, **declared)

    async def by_hand(
        self, domain: str = ROTATOR, unique_id: str | None = None, data: dict[str, Any] | None = None, **more: Any
    ) -> ConfigEntry:
        """Add an entry that nobody owns."""
        entry = ConfigEntry(
            data=data or {"host": "192.0.2.7", "token": {"access_token": "a", "refresh_token": "by-hand"}},
            discovery_keys=MappingProxyType({}),
            domain=domain,
            minor_version=more.pop("minor_version", 2 if domain == ROTATOR else 1),
            options=more.pop("options", {}),
            source=more.pop("source", "user"),
            subentries_data=None,
            title="By hand",
            unique_id=unique_id,
            version=more.pop("version", 3 if domain == ROTATOR else 1),
            **more,
        )
        await self.hass.config_entries.async_add(entry)
        await self.hass.async_block_till_done()
        return entry

    def entry(self, entry_id: str) -> ConfigEntry:
        """Return an entry."""
        return self.hass.config_entries.async_get_known_entry(entry_id)

    def refresh_token(self, entry_id: str) -> str:
        """Return the refresh token that an entry of the rotator has."""
        return cast(str, self.entry(entry_id).data["token"]["refresh_token"])

    def set_refresh_token(self, entry_id: str, value: str) -> None:
        """Renew the token of an entry, as its integration does."""
        entry = self.entry(entry_id)
        token = {**entry.data["token"], "refresh_token": value}
        self.hass.config_entries.async_update_entry(entry, data={**entry.data, "token": token})

    def setups(self, entry_id: str) -> int:
        """Return how often an entry of the rotator was set up."""
        return cast(int, self.hass.data.get(ROTATOR, {}).get(entry_id, 0))

    @property
    def ownership(self) -> Ownership:
        """Return the records of the component."""
        return self.hass.data[DATA_OWNERSHIP]

    @property
    def writes(self) -> list[str]:
        """Return the names of the stores that were written, in order."""
        return [call.args[0].key for call in cast(Any, Store._async_write_data).call_args_list]

    @property
    def issues(self) -> dict[str, dict[str, str]]:
        """Return the placeholders of our repair issues."""
        issues = ir.async_get(self.hass).issues.items()
        return {
            issue_id: issue.translation_placeholders or {} for (domain, issue_id), issue in issues if domain == DOMAIN
        }


@pytest.fixture(autouse=True, scope="session")
def _rotator(tmp_path_factory: pytest.TempPathFactory) -> Iterator[None]:
    """Put the rotator beside the component, where Home Assistant looks for integrations."""
    folder = tmp_path_factory.mktemp("custom_components")
    (folder / ROTATOR).symlink_to(Path(__file__).parent / "rotator")
    with patch.object(custom_components, "__path__", [*custom_components.__path__, str(folder)]):
        yield


@pytest.fixture
def hass_config_dir(tmp_path: Path) -> str:
    """Give each test a folder of its own."""
    return str(tmp_path)


@pytest.fixture
async def bare_home(
    hass: HomeAssistant,
    hass_storage: dict[str, Any],
    enable_custom_integrations: None,
    hass_ws_client: Callable[..., Coroutine[Any, Any, Any]],
) -> AsyncIterator[Home]:
    """Return a Home Assistant in which the component has not been started."""
    home = Home(hass, hass_storage, hass_ws_client)
    yield home
    await home.close()


@pytest.fixture
async def home(bare_home: Home) -> Home:
    """Return a Home Assistant with the component, and nothing declared."""
    assert await bare_home.start()
    return bare_home
