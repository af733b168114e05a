"""What the component is shipped with."""

import json
import re
import tomllib
from pathlib import Path
from typing import Any

import pytest

ROOT = Path(__file__).parents[2]
COMPONENT = ROOT / "custom_components/nixos_integrations"


def load(path: Path) -> Any:
    """Return the content of a file of JSON."""
    return json.loads(path.read_text())


def texts(value: Any, path: tuple[str, ...] = ()) -> dict[tuple[str, ...], str]:
    """Return all texts of a translation."""
    if isinstance(value, str):
        return {path: value}
    return {key: text for name, inner in value.items() for key, text in texts(inner, (*path, name)).items()}


def test_the_component_has_the_version_of_the_package() -> None:
    """The reconciler tells when they differ."""
    package = tomllib.loads((ROOT / "Cargo.toml").read_text())["package"]
    assert load(COMPONENT / "manifest.json")["version"] == package["version"]


def test_start_up_mode_is_less_than_a_hundred_lines() -> None:
    """HA-3."""
    assert len((COMPONENT / "__init__.py").read_text().splitlines()) < 100


def test_it_needs_no_package() -> None:
    """HA-3: on NixOS, in a container and by hand it is a copy of files."""
    assert load(COMPONENT / "manifest.json")["requirements"] == []


def test_hacs_finds_it() -> None:
    """HA-3. The version is the oldest that it is tested with."""
    hacs = load(ROOT / "hacs.json")
    versions = (ROOT / "tests/versions.env").read_text()
    assert hacs["name"] == load(COMPONENT / "manifest.json")["name"]
    assert f"HOME_ASSISTANT_PREVIOUS_VERSION={hacs['homeassistant']}" in versions
    assert [path.name for path in (ROOT / "custom_components").iterdir() if path.is_dir() and path.name[0] != "_"] == [
        COMPONENT.name
    ]


def test_english_is_what_the_translations_are_made_from() -> None:
    """Home Assistant reads the translations of a custom component only."""
    assert load(COMPONENT / "translations/en.json") == load(COMPONENT / "strings.json")


@pytest.mark.parametrize("language", ["de"])
def test_a_translation_has_every_text_with_its_placeholders(language: str) -> None:
    """Else the English one would show, or a placeholder."""
    english, other = texts(load(COMPONENT / "strings.json")), texts(load(COMPONENT / f"translations/{language}.json"))
    assert other.keys() == english.keys()
    for key, text in english.items():
        assert re.findall(r"{\w+}", other[key]) == re.findall(r"{\w+}", text), key
