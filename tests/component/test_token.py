"""The file with a token for a reconciler on the same machine: live mode without a click (HA-4)."""

import stat
from datetime import timedelta
from pathlib import Path
from typing import Any

import jwt
import pytest
from freezegun.api import FrozenDateTimeFactory
from homeassistant.auth.models import User
from homeassistant.const import EVENT_HOMEASSISTANT_STOP
from homeassistant.core import HomeAssistant
from homeassistant.setup import async_setup_component
from homeassistant.util import dt as dt_util
from pytest_homeassistant_custom_component.common import async_fire_time_changed  # type: ignore[import-untyped]

from conftest import Home


async def provisor(hass: HomeAssistant) -> User:
    """Return the user of the component."""
    [user] = [user for user in await hass.auth.async_get_users() if user.name == "provisor" and user.system_generated]
    return user


@pytest.fixture
def file(tmp_path: Path) -> Path:
    """Return where the token is to be."""
    (tmp_path / "run").mkdir()
    return tmp_path / "run" / "token"


async def stop(home: Home) -> None:
    """Stop as far as the component is told of it."""
    home.hass.bus.async_fire(EVENT_HOMEASSISTANT_STOP)
    await home.hass.async_block_till_done()


async def test_the_token_opens_the_api_to_an_administrator(
    bare_home: Home, file: Path, hass_client_no_auth: Any
) -> None:
    """And to live mode."""
    assert await async_setup_component(bare_home.hass, "api", {})
    await bare_home.start({"_token_file": str(file)})

    token = file.read_text()
    assert stat.S_IMODE(file.stat().st_mode) == 0o640
    assert [path.name for path in file.parent.iterdir()] == ["token"]
    client = await hass_client_no_auth()
    answer = await client.get("/api/config", headers={"Authorization": f"Bearer {token}"})
    assert answer.status == 200
    assert (await bare_home.command("list", access_token=token))["entries"] == []
    user = await provisor(bare_home.hass)
    assert (user.is_admin, user.local_only, user.is_owner) == (True, True, False)
    claims = jwt.decode(token, options={"verify_signature": False})
    assert claims["exp"] - claims["iat"] == 30 * 60
    await bare_home.close()
    await stop(bare_home)


async def test_it_is_renewed_before_it_ends(bare_home: Home, file: Path, freezer: FrozenDateTimeFactory) -> None:
    """At two thirds of its life; whoever has read the old one can still use it."""
    await bare_home.start({"_token_file": str(file)})
    first = file.read_text()
    freezer.tick(timedelta(minutes=19))
    async_fire_time_changed(bare_home.hass, dt_util.utcnow())
    await bare_home.hass.async_block_till_done(wait_background_tasks=True)
    assert file.read_text() == first
    freezer.tick(timedelta(minutes=2))
    async_fire_time_changed(bare_home.hass, dt_util.utcnow())
    await bare_home.hass.async_block_till_done(wait_background_tasks=True)
    second = file.read_text()
    assert second != first
    assert stat.S_IMODE(file.stat().st_mode) == 0o640
    for token in (first, second):
        assert bare_home.hass.auth.async_validate_access_token(token) is not None
    await stop(bare_home)


async def test_at_stop_the_file_is_gone_and_the_token_worthless(bare_home: Home, file: Path) -> None:
    """A copy of it opens nothing."""
    await bare_home.start({"_token_file": str(file)})
    token = file.read_text()
    assert bare_home.hass.auth.async_validate_access_token(token) is not None
    await stop(bare_home)
    assert list(file.parent.iterdir()) == []
    assert bare_home.hass.auth.async_validate_access_token(token) is None
    assert (await provisor(bare_home.hass)).refresh_tokens == {}


async def test_a_token_of_a_run_that_was_killed_is_worthless_after_the_next_start(bare_home: Home, file: Path) -> None:
    """And there is one user, and one refresh token, however often that happens."""
    tokens = []
    for _ in range(3):
        await bare_home.start({"_token_file": str(file)})
        tokens.append(file.read_text())
    assert [bare_home.hass.auth.async_validate_access_token(token) is not None for token in tokens] == [
        False,
        False,
        True,
    ]
    assert len((await provisor(bare_home.hass)).refresh_tokens) == 1
    await stop(bare_home)


async def test_a_person_of_that_name_is_not_our_user(bare_home: Home, file: Path) -> None:
    """They would not thank us for signing them out."""
    person = await bare_home.hass.auth.async_create_user("provisor")
    await bare_home.start({"_token_file": str(file)})
    assert person.refresh_tokens == {}
    assert (await provisor(bare_home.hass)).id != person.id
    await stop(bare_home)


async def test_an_administrator_may_switch_the_user_off(bare_home: Home, file: Path) -> None:
    """Then there is no token, entries are applied, and it is told."""
    user = await bare_home.hass.auth.async_create_system_user("provisor")
    await bare_home.hass.auth.async_deactivate_user(user)
    await bare_home.start({"_token_file": str(file), "todo": {"domain": "local_todo"}})
    assert not file.exists()
    assert "`provisor`" in bare_home.issues["token_file_"]["problem"]
    assert len(bare_home.hass.config_entries.async_entries()) == 1


async def test_a_file_that_cannot_be_written_is_told_until_it_can(
    bare_home: Home, file: Path, freezer: FrozenDateTimeFactory
) -> None:
    """The folder is not ours to make. Entries are applied all the same."""
    file.parent.rmdir()
    await bare_home.start({"_token_file": str(file), "todo": {"domain": "local_todo"}})
    assert bare_home.issues["token_file_"]["problem"] == f"`{file}`: No such file or directory"
    assert len(bare_home.hass.config_entries.async_entries()) == 1

    file.parent.mkdir()
    freezer.tick(timedelta(minutes=21))
    async_fire_time_changed(bare_home.hass, dt_util.utcnow())
    await bare_home.hass.async_block_till_done(wait_background_tasks=True)
    assert "token_file_" not in bare_home.issues
    assert bare_home.hass.auth.async_validate_access_token(file.read_text()) is not None
    await stop(bare_home)
    # What was removed already is no trouble.
    assert not file.exists()


async def test_what_was_begun_is_not_left_beside_the_file(bare_home: Home, file: Path) -> None:
    """Where the last step fails, as on a folder of that name."""
    file.mkdir()
    await bare_home.start({"_token_file": str(file)})
    assert bare_home.issues["token_file_"]["problem"] == f"`{file}`: Is a directory"
    assert list(file.parent.iterdir()) == [file]
    file.rmdir()
    await stop(bare_home)


async def test_a_relative_path_is_inside_the_configuration(bare_home: Home) -> None:
    """Wherever Home Assistant was started from."""
    await bare_home.start({"_token_file": "token"})
    assert Path(bare_home.hass.config.path("token")).exists()
    await stop(bare_home)


async def test_the_token_is_in_no_log(bare_home: Home, file: Path, caplog: pytest.LogCaptureFixture) -> None:
    """Nor what it is made from."""
    await bare_home.start({"_token_file": str(file)})
    assert file.read_text() not in caplog.text
    await stop(bare_home)
