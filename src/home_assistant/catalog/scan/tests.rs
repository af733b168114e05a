//! One rule each, on integrations made up for it.

use std::fs;
use std::path::Path;

use serde_json::{Value, json};

use super::{ScanError, scan};
use crate::home_assistant::catalog::Integration;

/// As much of Home Assistant as integrations import here.
const HOME_ASSISTANT: [(&str, &str); 5] = [
    (
        "const.py",
        "MAJOR_VERSION: Final = 2026\nMINOR_VERSION: Final = 11\nPATCH_VERSION: Final = \"0\"\nCONF_HOST: Final = \"host\"\n\
         CONF_PORT: Final = \"port\"\nCONF_PASSWORD: Final = \"password\"\nCONF_NAME = \"name\"\n",
    ),
    ("config_entries.py", "class ConfigFlow: ...\nclass OptionsFlow: ...\nclass ConfigSubentryFlow: ...\n"),
    ("helpers/config_entry_oauth2_flow.py", "class AbstractOAuth2FlowHandler: ...\n"),
    ("helpers/schema_config_entry_flow.py", "class SchemaConfigFlowHandler: ...\nclass SchemaFlowFormStep: ...\n"),
    ("components/__init__.py", ""),
];

const IMPORTS: &str = "\
import probatio
from homeassistant.config_entries import ConfigFlow, ConfigSubentryFlow, OptionsFlow
from homeassistant.const import CONF_HOST, CONF_NAME, CONF_PASSWORD, CONF_PORT
";

fn write(root: &Path, name: &str, text: &str) {
    let path = root.join("homeassistant").join(name);
    fs::create_dir_all(path.parent().unwrap()).unwrap();
    fs::write(path, text).unwrap();
}

fn write_home_assistant(root: &Path) {
    for (name, text) in HOME_ASSISTANT {
        write(root, name, text);
    }
}

/// The integration `x` of these files, beside its manifest.
fn scan_files(files: &[(&str, &str)]) -> Option<Integration> {
    let root = tempfile::tempdir().unwrap();
    write_home_assistant(root.path());
    if !files.iter().any(|(name, _)| *name == "manifest.json") {
        write(root.path(), "components/x/manifest.json", r#"{"domain": "x", "config_flow": true}"#);
    }
    for (name, text) in files {
        write(root.path(), &format!("components/x/{name}"), text);
    }
    let catalog = scan(root.path()).unwrap();
    assert_eq!(catalog.home_assistant, "2026.11.0");
    catalog.integrations.get("x").cloned()
}

/// The integration `x` with this flow.
fn flow(text: &str) -> Integration {
    scan_files(&[("config_flow.py", &format!("{IMPORTS}{text}"))]).unwrap()
}

/// Its fields, each with the first letters of what it is: stored, form, secret, required (`!`).
fn fields(integration: &Integration) -> Value {
    let fields = integration.fields.iter().map(|(name, field)| {
        let marks = [(field.stored, 's'), (field.form, 'f'), (field.secret, 'x'), (field.required, '!')];
        (name.clone(), json!(marks.iter().filter(|(is, _)| *is).map(|(_, mark)| mark).collect::<String>()))
    });
    Value::Object(fields.collect())
}

#[test]
fn what_is_stored_is_told_from_what_the_form_asks() {
    let found = flow(
        r#"
class Flow(ConfigFlow, domain="x"):
    async def async_step_user(self, user_input=None):
        if user_input is not None:
            token = await login(user_input[CONF_PASSWORD])
            return self.async_create_entry(title="X", data={"refresh_token": token})
        return self.async_show_form(
            step_id="user", data_schema=probatio.Schema({probatio.Required(probatio.Secret(CONF_PASSWORD)): str})
        )
"#,
    );
    assert_eq!(fields(&found), json!({"password": "fx", "refresh_token": "sx"}), "HA-13");
    assert!(found.complete);
}

#[test]
fn a_form_that_is_stored_as_filled_in_gives_the_stored_keys() {
    let found = flow(
        r#"
SCHEMA = probatio.Schema({probatio.Required(CONF_HOST): str})
MORE = SCHEMA.extend({probatio.Optional(CONF_PORT, default=80): int})

class Flow(ConfigFlow, domain="x"):
    async def async_step_user(self, user_input=None):
        if user_input:
            self._data = dict(user_input)
            return await self.async_step_name()
        return self.async_show_form(step_id="user", data_schema=self.add_suggested_values_to_schema(MORE, user_input))

    async def async_step_name(self, user_input=None):
        if user_input:
            self._data.update(user_input)
            self._data["kind"] = "a"
            return self._finish({**self._data, "unit": 1})
        return self.async_show_form(step_id="name", data_schema=probatio.Schema({probatio.Required(CONF_NAME): str}))

    def _finish(self, data):
        return self.async_create_entry(title="X", data=data)
"#,
    );
    let expected = json!({"host": "sf", "port": "sf", "name": "sf", "kind": "s", "unit": "s"});
    assert_eq!(fields(&found), expected, "HA-13");
    assert!(found.complete);
}

#[test]
fn an_integration_is_incomplete_where_something_unknown_is_stored() {
    for stored in ["await library.login()", "{**library.DATA}", "{key(): 1}", "info.as_dict()", "import_data"] {
        let found = flow(&format!(
            "
class Flow(ConfigFlow, domain=\"x\"):
    async def async_step_import(self, import_data):
        return self.async_create_entry(title=\"X\", data={stored})
"
        ));
        assert!(!found.complete, "HA-13: {stored}");
    }
    assert!(!flow("class Flow(ConfigFlow, domain=\"x\"):\n    VERSION = 1\n").complete, "nothing stored that is seen");
}

#[test]
fn keys_that_a_function_puts_into_the_data_count() {
    let found = flow(
        r#"
async def validate(hass, data):
    data["serial"] = 1
    return {"title": "X"}, {CONF_HOST: data["serial"]}

class Flow(ConfigFlow, domain="x"):
    async def async_step_user(self, user_input=None):
        data = {CONF_NAME: 1}
        alias = data
        alias["mac"] = 2
        info, more = await validate(self.hass, data)
        return self.async_create_entry(title="X", data=data | more)
"#,
    );
    assert_eq!(fields(&found), json!({"host": "s", "mac": "s", "name": "s", "serial": "s"}), "HA-13");
    assert!(found.complete);
}

#[test]
fn a_field_is_required_where_the_first_form_requires_it_and_the_integration_needs_it() {
    let found = scan_files(&[
        (
            "config_flow.py",
            &format!(
                "{IMPORTS}
class Flow(ConfigFlow, domain=\"x\"):
    async def async_step_user(self, user_input=None):
        if user_input:
            return self.async_create_entry(title=\"X\", data=user_input)
        schema = {{
            probatio.Required(CONF_HOST): str,
            probatio.Required(CONF_PORT, default=80): int,
            probatio.Required(\"path\", default=\"/\"): str,
            probatio.Required(\"location\"): dict,
            probatio.Optional(CONF_NAME): str,
        }}
        return self.async_show_form(step_id=\"user\", data_schema=probatio.Schema(schema))
"
            ),
        ),
        (
            "__init__.py",
            "from homeassistant.const import CONF_HOST, CONF_NAME, CONF_PORT\n\
             async def async_setup_entry(hass, entry):\n    connect(entry.data[CONF_HOST], entry.data[CONF_PORT])\n    \
             open(entry.data.get('path'), entry.data['path'], entry.data[CONF_NAME])\n",
        ),
    ])
    .unwrap();
    let expected = json!({"host": "sf!", "port": "sf!", "path": "sf", "location": "sf", "name": "sf"});
    assert_eq!(fields(&found), expected, "HA-13: a default is enough for `path`, nobody reads `location`");
}

#[test]
fn names_are_followed_through_imports_aliases_loops_and_enumerations() {
    let found = scan_files(&[
        ("const.py", "from homeassistant.const import CONF_HOST as ADDRESS\nKEY_MAC = \"mac\"\nKEYS = (KEY_MAC, \"uuid\")\n\
            PREFIX = \"wifi\"\nclass Key(StrEnum):\n    UNIT = \"unit\"\n"),
        (
            "config_flow.py",
            &format!(
                "{IMPORTS}
from . import const
from .const import ADDRESS, KEYS, Key, PREFIX
class Flow(ConfigFlow, domain=\"x\"):
    def make(self, info):
        data = {{key: info[key] for key in KEYS}}
        return self.async_create_entry(
            title=\"X\", data={{**data, ADDRESS: 1, const.KEY_MAC: 2, Key.UNIT: 3, Key.UNIT.value: 3, f\"{{PREFIX}}_ssid\": 4}}
        )
"
            ),
        ),
    ])
    .unwrap();
    assert_eq!(fields(&found), json!({"host": "s", "mac": "s", "uuid": "s", "unit": "s", "wifi_ssid": "s"}), "HA-13");
    assert!(found.complete);
}

#[test]
fn keys_that_are_read_or_written_later_are_stored_too() {
    let found = scan_files(&[
        (
            "config_flow.py",
            &format!(
                "{IMPORTS}
class Flow(ConfigFlow, domain=\"x\"):
    def make(self):
        return self.async_create_entry(title=\"X\", data={{}})
    async def async_step_reauth(self, entry_data):
        self._name = entry_data[CONF_NAME]
        return self.async_update_reload_and_abort(self._get_reauth_entry(), data_updates={{CONF_PASSWORD: 1}})
"
            ),
        ),
        (
            "coordinator.py",
            r#"
from homeassistant.const import CONF_HOST
class Coordinator:
    def __init__(self, hass, config: XConfigEntry):
        self.conf = config.data
        read(config.data)

    def save(self, entry):
        hass.config_entries.async_update_entry(entry, data={**entry.data, "access_token": 1})
        return self.conf["unit"], "zone" in entry.data, self.coordinator.data["other"], self.subentry.data["inner"]

def read(data):
    return data[CONF_HOST]
"#,
        ),
    ])
    .unwrap();
    let expected = json!({"access_token": "sx", "host": "s", "name": "s", "password": "sx", "unit": "s", "zone": "s"});
    assert_eq!(fields(&found), expected, "HA-13");
    assert!(found.complete);
}

#[test]
fn a_read_of_a_key_that_cannot_be_told_makes_it_incomplete() {
    let make = "class Flow(ConfigFlow, domain=\"x\"):\n    def make(self):\n        \
                return self.async_create_entry(title=\"X\", data={CONF_HOST: 1})\n";
    assert!(flow(make).complete);
    assert!(!flow(&format!("{make}def read(entry, key):\n    return entry.data[key]\n")).complete, "HA-13");
}

#[test]
fn a_file_that_is_no_python_makes_it_incomplete() {
    let make = "class Flow(ConfigFlow, domain=\"x\"):\n    def make(self):\n        \
                return self.async_create_entry(title=\"X\", data={CONF_HOST: 1})\n";
    let found = flow(&format!("{make}\ndef (:\n    ]]\n"));
    assert!(!found.complete, "HA-13");
    assert_eq!(fields(&found), json!({"host": "s"}));
}

#[test]
fn secrets_are_what_forms_mark_and_what_names_say() {
    let found = flow(
        r#"
class Flow(ConfigFlow, domain="x"):
    async def async_step_user(self, user_input=None):
        if user_input:
            return self.async_create_entry(title="X", data={**user_input, "token": 1, "use_token": 2})
        return self.async_show_form(step_id="user", data_schema=probatio.Schema({
            probatio.Optional(probatio.Secret("pin")): str, probatio.Optional("code"): str, probatio.Optional("api_key"): str,
        }))
"#,
    );
    let expected = json!({"pin": "sfx", "code": "sf", "api_key": "sfx", "token": "sx", "use_token": "s"});
    assert_eq!(fields(&found), expected, "HA-13");
}

#[test]
fn oauth_stores_its_implementation_and_its_token() {
    let base = "from homeassistant.helpers import config_entry_oauth2_flow\n\
                class Flow(config_entry_oauth2_flow.AbstractOAuth2FlowHandler, domain=\"x\"):\n";
    let found = flow(&format!("{base}    VERSION = 1\n"));
    assert!(found.oauth && found.complete, "HA-13");
    assert_eq!(fields(&found), json!({"auth_implementation": "s", "token": "sx"}));
    let found = flow(&format!(
        "{base}    async def async_oauth_create_entry(self, data):\n        \
         return self.async_create_entry(title=\"X\", data={{**data, CONF_NAME: data[\"token\"][\"id\"]}})\n"
    ));
    assert_eq!(fields(&found), json!({"auth_implementation": "s", "name": "s", "token": "sx"}));
    assert!(found.complete);
}

#[test]
fn versions_and_the_single_entry_are_read() {
    let manifest = r#"{"domain": "x", "config_flow": true, "single_config_entry": true}"#;
    let text = "from homeassistant.config_entries import ConfigFlow\nfrom .const import MADE\n\
                class Base(ConfigFlow):\n    MINOR_VERSION = 3\nclass Flow(Base, domain=\"x\"):\n    VERSION = MADE\n";
    let found =
        scan_files(&[("manifest.json", manifest), ("const.py", "MADE = 5\n"), ("config_flow.py", text)]).unwrap();
    assert_eq!((found.version, found.minor_version, found.single_entry), (5, 3, true), "HA-3");
    let found = flow("class Flow(ConfigFlow, domain=\"x\"):\n    pass\n");
    assert_eq!(
        (found.version, found.minor_version, found.single_entry),
        (1, 1, false),
        "Home Assistant's own defaults"
    );
}

#[test]
fn options_are_fields_but_not_stored_as_data_and_subentries_are_neither() {
    let found = flow(
        r#"
class Flow(ConfigFlow, domain="x"):
    def make(self):
        return self.async_create_entry(title="X", data={CONF_HOST: 1}, options={"unit": 1})

class Options(OptionsFlow):
    async def async_step_init(self, user_input=None):
        if user_input:
            return self.async_create_entry(data=user_input)
        return self.async_show_form(step_id="init", data_schema=probatio.Schema({probatio.Required("interval"): int}))

class Zone(ConfigSubentryFlow):
    async def async_step_user(self, user_input=None):
        return self.async_create_entry(title="Z", data={"zone": 1})
"#,
    );
    assert_eq!(fields(&found), json!({"host": "s", "unit": "", "interval": "f"}), "HA-13");
    assert!(found.complete);
}

#[test]
fn a_flow_of_schemas_stores_options_only() {
    let found = flow(
        r#"
from homeassistant.helpers.schema_config_entry_flow import SchemaConfigFlowHandler, SchemaFlowFormStep
OPTIONS = probatio.Schema({probatio.Required("entity_ids"): list})
CONFIG = probatio.Schema({probatio.Required(CONF_NAME): str}).extend(OPTIONS.schema)

class Flow(SchemaConfigFlowHandler, domain="x"):
    config_flow = {"user": SchemaFlowFormStep(CONFIG)}
    options_flow = {"init": SchemaFlowFormStep(OPTIONS)}
"#,
    );
    assert_eq!(fields(&found), json!({"entity_ids": "f", "name": "f"}), "HA-13");
    assert!(found.complete);
}

#[test]
fn the_fields_of_a_section_are_in_the_form_and_the_section_is_stored() {
    let found = flow(
        r#"
class Flow(ConfigFlow, domain="x"):
    async def async_step_user(self, user_input=None):
        if user_input:
            return self.async_create_entry(title="X", data=user_input)
        return self.async_show_form(step_id="user", data_schema=probatio.Schema({
            probatio.Required("advanced"): section(probatio.Schema({probatio.Optional(CONF_PORT): int})),
        }))
"#,
    );
    assert_eq!(fields(&found), json!({"advanced": "sf", "port": "f"}), "HA-13");
    assert!(found.complete);
    let with = |stored: &str| {
        flow(&format!(
            "
class Flow(ConfigFlow, domain=\"x\"):
    async def async_step_user(self, user_input=None):
        if user_input:
            return self.async_create_entry(title=\"X\", data={stored})
        schema = {{\"advanced\": section(probatio.Schema({{probatio.Optional(CONF_PORT): int}})), CONF_HOST: str}}
        return self.async_show_form(step_id=\"user\", data_schema=probatio.Schema(schema))
"
        ))
    };
    let found = with("{CONF_HOST: 1, **user_input.pop(\"advanced\")}");
    assert!(found.complete && found.fields["port"].stored, "HA-13: a section that is flattened");
    assert!(!with("user_input[CONF_HOST]").complete, "HA-13: what the user chose is no section");
}

#[test]
fn texts_name_fields_of_forms_that_code_makes_up() {
    let texts = r#"{"config": {"step": {"user": {"data": {"host": "Host"}, "sections": {"more": {"data": {"port": "Port"}}}}}},
                    "options": {"step": {"init": {"data": {"interval": "Every"}}}}}"#;
    for name in ["strings.json", "translations/en.json"] {
        let found = scan_files(&[(name, texts), ("config_flow.py", IMPORTS)]).unwrap();
        assert_eq!(fields(&found), json!({"host": "f", "port": "f", "interval": "f"}), "HA-13: {name}");
    }
}

#[test]
fn an_integration_without_a_flow_has_no_entries() {
    assert_eq!(scan_files(&[("manifest.json", r#"{"domain": "x"}"#)]), None);
}

#[test]
fn a_folder_without_home_assistant_is_told() {
    let root = tempfile::tempdir().unwrap();
    assert!(matches!(scan(&root.path().join("absent")), Err(ScanError::NotAFolder { .. })));
    assert!(matches!(scan(root.path()), Err(ScanError::NoHomeAssistant { .. })));
    write_home_assistant(root.path());
    write(root.path(), "components/x/manifest.json", "{");
    let error = scan(root.path()).unwrap_err();
    assert!(matches!(&error, ScanError::NotJson { path, .. } if path.ends_with("x/manifest.json")), "{error}");
    write(root.path(), "const.py", "");
    assert!(matches!(scan(root.path()), Err(ScanError::NoVersion { .. })));
}

#[test]
fn a_file_that_is_no_text_fails_the_scan() {
    let root = tempfile::tempdir().unwrap();
    write_home_assistant(root.path());
    write(root.path(), "components/x/manifest.json", r#"{"config_flow": true}"#);
    fs::write(root.path().join("homeassistant/components/x/config_flow.py"), [0xff, 0xfe]).unwrap();
    let error = scan(root.path()).unwrap_err();
    assert!(matches!(&error, ScanError::Unreadable { path, .. } if path.ends_with("x/config_flow.py")), "{error}");
}
