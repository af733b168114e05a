"""Start-up mode: entries from configuration.yaml and the folder of the credentials (HA-2, HA-3, HA-4, HA-5, HA-9)."""

import asyncio
import logging
from pathlib import Path
from typing import Any

import pytest
from homeassistant.components.repairs import DOMAIN as REPAIRS
from homeassistant.config_entries import ConfigEntryState
from homeassistant.core import CoreState
from homeassistant.helpers import issue_registry as ir
from homeassistant.setup import async_setup_component
from homeassistant.util.yaml import parse_yaml

from conftest import CANARY, ROTATOR, Home
from custom_components.nixos_integrations.desired import Desired
from custom_components.nixos_integrations.entries import async_apply

ONE = """
home:
  domain: provisor_rotator
  title: At home
  unique_id: 1234
  data: {host: 192.0.2.1}
  options: {color: red}
  credentials: {token.access_token: home.accessToken, token.refresh_token: home.refreshToken}
"""


@pytest.fixture(autouse=True)
def folder(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    """Return the folder of the credentials, with those of one account in it."""
    folder = tmp_path / "credentials"
    folder.mkdir()
    monkeypatch.setenv("CREDENTIALS_DIRECTORY", str(folder))
    write(folder, "home.accessToken", "access\n")
    write(folder, "home.refreshToken", "first\n")
    return folder


def write(folder: Path, name: str, value: str) -> None:
    """Put a credential into the folder."""
    path = folder / name
    path.unlink(missing_ok=True)
    path.write_text(value)
    path.chmod(0o440)


def declared(text: str) -> dict[str, Any]:
    """Return what Home Assistant reads from YAML."""
    parsed = parse_yaml(text)
    assert isinstance(parsed, dict)
    return parsed


def outcomes(caplog: pytest.LogCaptureFixture) -> list[tuple[str, str]]:
    """Return what the component has logged, with the level."""
    return [
        (record.levelname, record.getMessage())
        for record in caplog.records
        if record.name == "custom_components.nixos_integrations"
    ]


@pytest.fixture(autouse=True)
def log(caplog: pytest.LogCaptureFixture) -> pytest.LogCaptureFixture:
    """Log what the component does when all is well, too."""
    caplog.set_level(logging.INFO)
    return caplog


async def test_what_is_declared_is_there_after_the_first_start(bare_home: Home, log: pytest.LogCaptureFixture) -> None:
    """HA-3: with its credentials, without a click."""
    assert await bare_home.start(declared(ONE))

    [entry] = bare_home.hass.config_entries.async_entries(ROTATOR)
    assert (entry.title, entry.unique_id, entry.state) == ("At home", "1234", ConfigEntryState.LOADED)
    assert entry.data == {"host": "192.0.2.1", "token": {"access_token": "access", "refresh_token": "first"}}
    assert entry.options == {"color": "red"}
    assert outcomes(log) == [("INFO", "entry `home` is created, and loaded")]
    assert bare_home.issues == {}
    # Nothing of the YAML reader's own types, which remember file and line.
    assert {type(value) for value in [*entry.data, *entry.data.values(), entry.options["color"]]} == {str, dict}


async def test_a_second_start_writes_nothing(bare_home: Home, log: pytest.LogCaptureFixture) -> None:
    """HA-5."""
    await bare_home.start(declared(ONE))
    await asyncio.sleep(1.2)
    writes = [key for key in bare_home.writes if key in ("core.config_entries", "nixos_integrations")]
    [entry] = bare_home.hass.config_entries.async_entries(ROTATOR)
    modified_at = entry.modified_at

    await bare_home.start(declared(ONE))
    await asyncio.sleep(1.2)

    assert outcomes(log)[-1] == ("INFO", "entry `home` is unchanged, and loaded")
    assert [key for key in bare_home.writes if key in ("core.config_entries", "nixos_integrations")] == writes
    assert entry.modified_at == modified_at
    assert bare_home.setups(entry.entry_id) == 1


async def test_a_renewed_token_survives_starts_and_a_new_file_wins_once(bare_home: Home, folder: Path) -> None:
    """HA-12."""
    await bare_home.start(declared(ONE))
    [entry] = bare_home.hass.config_entries.async_entries(ROTATOR)
    bare_home.set_refresh_token(entry.entry_id, "renewed")
    for _ in range(3):
        await bare_home.start(declared(ONE))
        assert bare_home.refresh_token(entry.entry_id) == "renewed"

    write(folder, "home.refreshToken", "second")
    await bare_home.start(declared(ONE))
    assert bare_home.refresh_token(entry.entry_id) == "second"
    bare_home.set_refresh_token(entry.entry_id, "renewed again")
    await bare_home.start(declared(ONE))
    assert bare_home.refresh_token(entry.entry_id) == "renewed again"
    await bare_home.start(declared(ONE + "  on_drift: restore\n"))
    assert bare_home.refresh_token(entry.entry_id) == "second"


async def test_it_waits_until_home_assistant_has_started(bare_home: Home) -> None:
    """By then stored entries are set up, and the boot is not held up by ours."""
    bare_home.hass.set_state(CoreState.starting)
    await bare_home.start(declared(ONE))
    assert bare_home.hass.config_entries.async_entries() == []
    assert (await bare_home.command("list"))["entries"] == []
    bare_home.hass.set_state(CoreState.running)
    bare_home.hass.bus.async_fire("homeassistant_started")
    await bare_home.hass.async_block_till_done()
    assert len(bare_home.hass.config_entries.async_entries()) == 1


@pytest.mark.parametrize("yaml", [None, {}])
async def test_without_entries_live_mode_is_there(bare_home: Home, yaml: dict[str, Any] | None) -> None:
    """HA-4: `nixos_integrations:` alone."""
    assert await bare_home.start(yaml)
    assert (await bare_home.command("list"))["entries"] == []


async def test_the_name_is_the_domain_where_none_is_given(bare_home: Home) -> None:
    """One line is enough for what needs no data."""
    await bare_home.start(declared("local_todo: {data: {todo_list_name: A, storage_key: a}}\nprovisor_rotator:\n"))
    assert {entry.domain for entry in bare_home.hass.config_entries.async_entries()} == {"local_todo", ROTATOR}


async def test_all_missing_credentials_are_named_together_and_the_rest_goes_on(
    bare_home: Home, folder: Path, log: pytest.LogCaptureFixture
) -> None:
    """HA-9."""
    (folder / "home.accessToken").unlink()
    other = "office: {domain: provisor_rotator, credentials: {a: office.a, b: home.refreshToken}}\n"
    todo = "todo: {domain: local_todo, data: {todo_list_name: A, storage_key: a}}\n"
    await bare_home.start(declared(ONE + other + todo))

    assert [entry.domain for entry in bare_home.hass.config_entries.async_entries()] == ["local_todo"]
    problem = (
        f"- entry `home`, field `token.access_token`: `{folder}/home.accessToken`: No such file or directory\n"
        f"- entry `office`, field `a`: `{folder}/office.a`: No such file or directory"
    )
    assert bare_home.issues == {"credentials_missing_": {"name": "", "problem": problem}}
    errors = [message for level, message in outcomes(log) if level == "ERROR"]
    assert errors == [f"credentials_missing: {problem}"]


async def test_an_entry_whose_credential_is_missing_stays_as_it_is(bare_home: Home, folder: Path) -> None:
    """And is no orphan."""
    await bare_home.start(declared(ONE))
    (folder / "home.accessToken").unlink()
    await bare_home.start(declared(ONE.replace("192.0.2.1", "192.0.2.2")))
    [entry] = bare_home.hass.config_entries.async_entries(ROTATOR)
    assert entry.data["host"] == "192.0.2.1"
    assert list(bare_home.issues) == ["credentials_missing_"]


async def test_without_a_folder_it_says_so(bare_home: Home, monkeypatch: pytest.MonkeyPatch) -> None:
    """HA-9: a container where nothing was mounted."""
    monkeypatch.delenv("CREDENTIALS_DIRECTORY")
    await bare_home.start(declared(ONE))
    assert "the variable `CREDENTIALS_DIRECTORY` is not set" in bare_home.issues["credentials_missing_"]["problem"]


async def test_an_exposed_credential_is_used_and_told(
    bare_home: Home, folder: Path, log: pytest.LogCaptureFixture
) -> None:
    """HA-9."""
    (folder / "home.refreshToken").chmod(0o444)
    await bare_home.start(declared(ONE))
    [entry] = bare_home.hass.config_entries.async_entries(ROTATOR)
    assert entry.data["token"]["refresh_token"] == "first"
    [problem] = [issue["problem"] for issue in bare_home.issues.values()]
    assert problem.startswith(
        f"- entry `home`, field `token.refresh_token`: `{folder}/home.refreshToken` has mode 0444"
    )
    assert ("WARNING", f"credentials_exposed: {problem}") in outcomes(log)


async def test_a_service_that_cannot_be_reached_is_a_warning(bare_home: Home, log: pytest.LogCaptureFixture) -> None:
    """The entry is applied, and Home Assistant goes on trying; the reason shows no secret."""
    await bare_home.start(declared(ONE.replace("192.0.2.1", "unreachable")))
    assert outcomes(log) == [
        ("WARNING", "entry `home` is created, and setup_retry: no answer to GET https://unreachable/?(secret)")
    ]
    assert bare_home.issues == {}


async def test_an_entry_that_fails_is_an_error_until_it_works(
    bare_home: Home, folder: Path, log: pytest.LogCaptureFixture
) -> None:
    """HA-12: with re-authentication in progress; once somebody has signed in, the issue is gone."""
    write(folder, "home.refreshToken", "revoked")
    await bare_home.start(declared(ONE))
    message = "entry `home` is created, and setup_error: the refresh token was (secret)"
    assert bare_home.issues == {"failed_home": {"name": "home", "problem": message}}
    assert outcomes(log) == [("ERROR", f"failed: {message}")]

    [entry] = bare_home.hass.config_entries.async_entries(ROTATOR)
    await bare_home.hass.config_entries.async_reload(entry.entry_id)
    assert list(bare_home.issues) == ["failed_home"]

    # Also at the next start, though nothing has to be written.
    await bare_home.start(declared(ONE))
    assert list(bare_home.issues) == ["failed_home"]

    bare_home.set_refresh_token(entry.entry_id, "of a person")
    await bare_home.hass.config_entries.async_reload(entry.entry_id)
    assert bare_home.issues == {}


async def test_a_disabled_entry_is_no_failure(bare_home: Home, log: pytest.LogCaptureFixture) -> None:
    """It is not loaded because that is declared."""
    await bare_home.start(declared(ONE + "  enabled: false\n"))
    assert outcomes(log) == [("INFO", "entry `home` is created, and not_loaded")]


async def test_what_cannot_be_applied_is_told_and_the_rest_goes_on(
    bare_home: Home, log: pytest.LogCaptureFixture
) -> None:
    """One wrong line does not keep the others from working."""
    await bare_home.start(declared(ONE + "wrong: {domain: no_such_integration}\n"))
    problem = "entry `wrong`: Home Assistant has no integration `no_such_integration`"
    assert bare_home.issues == {"refused_wrong": {"name": "wrong", "problem": problem}}
    assert ("ERROR", f"refused: {problem}") in outcomes(log)
    assert len(bare_home.hass.config_entries.async_entries(ROTATOR)) == 1


@pytest.mark.parametrize("found_by", ["unique id", "fields"])
async def test_an_entry_made_by_hand_is_neither_doubled_nor_taken_silently(bare_home: Home, found_by: str) -> None:
    """HA-5: `adopt: true` says which of the two is meant."""
    text = ONE if found_by == "unique id" else ONE.replace("  unique_id: 1234\n", "")
    hand = await bare_home.by_hand(
        unique_id="1234",
        data={"host": "192.0.2.1", "token": {"access_token": "a", "refresh_token": "r"}},
        options={"color": "red"},
    )
    await bare_home.start(declared(text))
    assert "`adopt: true`" in bare_home.issues["refused_home"]["problem"]
    assert bare_home.hass.config_entries.async_entries(ROTATOR) == [hand]
    assert hand.title == "By hand"

    for _ in range(2):
        await bare_home.start(declared(text + "  adopt: true\n"))
        assert bare_home.issues == {}
        assert bare_home.hass.config_entries.async_entries(ROTATOR) == [hand]
        assert (hand.title, hand.data["token"]["refresh_token"]) == ("At home", "first")


async def test_where_nothing_can_be_compared_an_entry_made_by_hand_is_somebody_elses(bare_home: Home) -> None:
    """With credentials alone, any account could be meant; it may say so with a unique id."""
    hand = await bare_home.by_hand()
    await bare_home.start(
        declared("home: {domain: provisor_rotator, credentials: {token.refresh_token: home.refreshToken}, adopt: true}")
    )
    assert hand.data["token"]["refresh_token"] == "by-hand"
    assert len(bare_home.hass.config_entries.async_entries(ROTATOR)) == 2


async def test_entries_of_live_mode_are_left_alone_and_so_are_ours(bare_home: Home) -> None:
    """Each mode meets the other's as somebody else's."""
    await bare_home.start()
    live = (await bare_home.rotator(name="home", unique_id="1234", data={"host": "192.0.2.1"}))["entry"]
    await bare_home.start(declared(ONE))
    assert "`home` of `tests`" in bare_home.issues["refused_home"]["problem"]
    assert bare_home.hass.config_entries.async_entry_ids() == [live["entry_id"]]
    await bare_home.start({})
    assert bare_home.issues == {}


async def test_two_declarations_of_one_thing_make_one_entry(bare_home: Home) -> None:
    """The second is refused, and told."""
    await bare_home.start(declared(ONE + ONE.replace("home:", "again:")))
    assert len(bare_home.hass.config_entries.async_entries(ROTATOR)) == 1
    [problem] = [issue["problem"] for issue in bare_home.issues.values()]
    assert "same unique id" in problem


async def test_what_is_no_longer_declared_stays_until_somebody_confirms_its_removal(
    bare_home: Home, log: pytest.LogCaptureFixture, hass_client: Any
) -> None:
    """REC-9, HA-5: an orphan is offered for removal, and never removed by itself."""
    assert await async_setup_component(bare_home.hass, REPAIRS, {})
    await bare_home.start(declared(ONE))
    [entry] = bare_home.hass.config_entries.async_entries(ROTATOR)
    hand = await bare_home.by_hand()
    for _ in range(2):
        await bare_home.start({})
        [issue_id] = bare_home.issues
    assert issue_id == "orphan_home"
    assert bare_home.entry(entry.entry_id).state is ConfigEntryState.LOADED
    assert outcomes(log)[-1][0] == "WARNING"

    client = await hass_client()
    flow = {"handler": "nixos_integrations", "issue_id": issue_id}
    form = await (await client.post("/api/repairs/issues/fix", json=flow)).json()
    assert (form["type"], form["step_id"]) == ("form", "confirm")
    assert "At home" in form["description_placeholders"]["problem"]
    assert bare_home.hass.config_entries.async_get_entry(entry.entry_id) is not None

    done = await (await client.post(f"/api/repairs/issues/fix/{form['flow_id']}", json={})).json()
    assert done["type"] == "create_entry"
    assert bare_home.hass.config_entries.async_entry_ids() == [hand.entry_id]
    assert bare_home.issues == {}
    await bare_home.start({})
    assert bare_home.issues == {}


async def test_an_orphan_that_somebody_else_has_taken_over_is_not_removed(bare_home: Home, hass_client: Any) -> None:
    """Between the offer and its acceptance, much may happen."""
    assert await async_setup_component(bare_home.hass, REPAIRS, {})
    await bare_home.start(declared(ONE))
    await bare_home.start({})
    [entry] = bare_home.hass.config_entries.async_entries(ROTATOR)
    await bare_home.ownership.async_forget(entry.entry_id)
    await bare_home.rotator(entry_id=entry.entry_id, adopt=True)

    client = await hass_client()
    flow = {"handler": "nixos_integrations", "issue_id": "orphan_home"}
    form = await (await client.post("/api/repairs/issues/fix", json=flow)).json()
    done = await (await client.post(f"/api/repairs/issues/fix/{form['flow_id']}", json={})).json()
    assert (done["type"], done["reason"]) == ("abort", "no_longer_ours")
    assert bare_home.entry(entry.entry_id).state is ConfigEntryState.LOADED


@pytest.mark.parametrize(
    ("yaml", "names"),
    [
        ("_unknown: 1", "_unknown"),
        ("home: {titel: x}", "titel"),
        ("home: [1]", "home"),
        ("home: {credentials: {token: ../../etc/passwd}}", "credentials"),
        ("home: {credentials: {token: ''}}", "credentials"),
        ("home: {data: [1]}", "data"),
        ("home: {on_drift: ignore}", "on_drift"),
        ("_token_file: {}", "_token_file"),
        ('home: {data: {name: "\\ud83c\\udfe0"}}', "two escapes"),
        ('home: {title: "\\ud83c\\udfe0"}', "two escapes"),
        ('home: {credentials: {token: "\\ud83c\\udfe0"}}', "two escapes"),
        ('"\\ud83c\\udfe0": {}', "nixos_integrations"),
    ],
)
async def test_wrong_yaml_is_told_with_its_place_and_applies_nothing(
    bare_home: Home, caplog: pytest.LogCaptureFixture, yaml: str, names: str
) -> None:
    """Home Assistant goes on without the component. (Half a pair of surrogates would keep it from storing anything.)"""
    assert not await bare_home.start(declared(yaml))
    [message] = {record.getMessage() for record in caplog.records if "Invalid config for" in record.getMessage()}
    assert "nixos_integrations" in message
    assert names in message
    assert bare_home.hass.config_entries.async_entries() == []


async def test_no_log_line_and_no_issue_shows_a_secret(
    bare_home: Home, folder: Path, log: pytest.LogCaptureFixture
) -> None:
    """Whatever comes of an entry."""
    for name in ("home.accessToken", "home.refreshToken"):
        write(folder, name, CANARY)
    for host in ("192.0.2.1", "unreachable"):
        await bare_home.start(declared(ONE.replace("192.0.2.1", host)))
    write(folder, "home.refreshToken", "revoked")
    await bare_home.start(declared(ONE))
    await bare_home.start({})
    told = [message for _, message in outcomes(log)]
    told += [str(issue) for issue in ir.async_get(bare_home.hass).issues.values()]
    assert len(told) == 5
    assert not any("canary" in text for text in told)


async def test_an_error_in_one_entry_does_not_keep_others_from_being_applied(
    bare_home: Home, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Whatever an integration does that nobody has thought of."""

    async def fail_for_one(hass: Any, desired: Desired) -> Any:
        if desired.name == "home":
            raise RuntimeError("unthought-of")
        await asyncio.sleep(0.05)
        return await async_apply(hass, desired)

    monkeypatch.setattr("custom_components.nixos_integrations.async_apply", fail_for_one)
    errors: list[Any] = []
    asyncio.get_running_loop().set_exception_handler(lambda _, context: errors.append(context))
    await bare_home.start(declared(ONE + "todo: {domain: local_todo, data: {todo_list_name: A, storage_key: a}}\n"))
    assert [str(error["exception"]) for error in errors] == ["unthought-of"]
    assert "apply home" in repr(errors[0])
    assert [entry.domain for entry in bare_home.hass.config_entries.async_entries()] == ["local_todo"]
