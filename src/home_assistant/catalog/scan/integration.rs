//! One integration: its manifest, its flows, its texts, put together.

use std::collections::BTreeSet;
use std::path::Path;
use std::rc::Rc;

use serde::Deserialize;
use serde_json::Value;

use super::ScanError;
use super::family::{Family, Program};
use super::fields::Fields;
use super::finder::{Finder, OAUTH_KEYS};
use super::modules::Modules;
use super::reads::{Reads, reads};
use super::resolve::{Meaning, Scope, meanings, member};
use super::syntax::{Expression, Module};
use crate::home_assistant::catalog::Integration;
use crate::home_assistant::catalog::names::is_credential_like;

#[derive(Debug, Deserialize)]
pub(super) struct Manifest {
    #[serde(default)]
    pub(super) config_flow: bool,
    #[serde(default)]
    single_config_entry: bool,
    #[serde(default)]
    dependencies: Vec<String>,
}

/// Scans the integration in `folder`; none where it has no config flow, and so no entries.
pub(super) fn scan(
    modules: &Modules,
    own: &[String],
    folder: &Path,
    domain: &str,
) -> Result<Option<Integration>, ScanError> {
    let Some(manifest) = json::<Manifest>(&folder.join("manifest.json"))? else { return Ok(None) };
    if !manifest.config_flow {
        return Ok(None);
    }
    let module = format!("homeassistant.components.{domain}.config_flow");
    let mut found: Vec<&Module> = modules.get(&module).into_iter().collect();
    for name in own {
        if let Some(module) = modules.touching_entries(name).filter(|own| own.name != module) {
            found.push(module);
        }
    }
    let texts = match json::<Value>(&folder.join("strings.json"))? {
        Some(texts) => Some(texts),
        None => json::<Value>(&folder.join("translations/en.json"))?,
    };
    let program = Program::new(modules, found);
    Ok(Some(Flows::new(&program, &manifest).integration(&manifest, &texts.unwrap_or_default())))
}

fn json<T: serde::de::DeserializeOwned>(path: &Path) -> Result<Option<T>, ScanError> {
    let text = match std::fs::read_to_string(path) {
        Ok(text) => text,
        Err(error) if error.kind() == std::io::ErrorKind::NotFound => return Ok(None),
        Err(source) => return Err(ScanError::Unreadable { path: path.to_owned(), source }),
    };
    let read = serde_json::from_str(&text);
    read.map(Some).map_err(|source| ScanError::NotJson { path: path.to_owned(), source })
}

/// The flows of an integration.
struct Flows<'a, 'p> {
    program: &'p Program<'a>,
    finder: Finder<'a, 'p>,
    /// What makes its entries.
    handlers: Vec<Rc<Family<'a>>>,
    /// What changes their options.
    options: Vec<Rc<Family<'a>>>,
    is_oauth: bool,
}

impl<'a, 'p> Flows<'a, 'p> {
    fn new(program: &'p Program<'a>, manifest: &Manifest) -> Self {
        let mut handlers = Vec::new();
        let mut options = Vec::new();
        for (class, family) in program.families() {
            if class.has_domain && !family.is_a("Options") && !family.is_a("Subentry") {
                handlers.push(Rc::clone(family));
            } else if family.is_a("OptionsFlow") {
                options.push(Rc::clone(family));
            }
        }
        let is_oauth = handlers.iter().any(|family| family.is_a("OAuth2FlowHandler"))
            || manifest.dependencies.iter().any(|own| own == "application_credentials");
        Self { program, finder: Finder::new(program), handlers, options, is_oauth }
    }

    fn integration(mut self, manifest: &Manifest, texts: &Value) -> Integration {
        let mut stored = self.stored();
        let mut optional = self.in_options();
        stored.merge(self.updates("data", &["data", "data_updates", "updates"]));
        optional.merge(self.updates("options", &["options"]));
        let reads = reads(self.program);
        let user = self.user_form();
        let mut forms = self.forms();
        forms.merge(Fields { is_open: false, ..stored.clone() });
        forms.merge(Fields { is_open: false, ..optional.clone() });

        let mut integration = Integration {
            version: self.number("VERSION"),
            minor_version: self.number("MINOR_VERSION"),
            single_entry: manifest.single_config_entry,
            oauth: self.is_oauth,
            complete: !stored.is_open && !optional.is_open && !reads.is_unresolved && !self.is_broken(),
            ..Integration::default()
        };
        let stored: BTreeSet<&String> = stored.named.keys().chain(&reads.needed).chain(&reads.optional).collect();
        for name in &stored {
            integration.fields.entry((*name).clone()).or_default().stored = true;
        }
        for (name, mark) in forms.named.iter().chain(&forms.nested) {
            let field = integration.fields.entry(name.clone()).or_default();
            field.form |= mark.is_asked;
            field.secret |= mark.is_secret;
        }
        optional.named.keys().for_each(|name| {
            integration.fields.entry(name.clone()).or_default();
        });
        for name in fields_in_texts(texts) {
            integration.fields.entry(name).or_default().form = true;
        }
        for (name, field) in &mut integration.fields {
            field.secret |= is_credential_like(name);
            field.required = field.stored && field.form && is_required(name, &user, &reads);
        }
        integration
    }

    /// What its flows store as `data`.
    fn stored(&mut self) -> Fields {
        let mut fields = Fields::default();
        let mut is_known = false;
        for family in self.handlers.clone() {
            is_known |= family.is_a("SchemaConfigFlowHandler") || family.is_a("DiscoveryFlowHandler");
            if family.is_a("OAuth2FlowHandler") {
                is_known = true;
                fields.merge(Fields::of(OAUTH_KEYS));
            }
            is_known |= self.created(&family, "data", &mut fields);
        }
        for (call, found) in
            [("register_discovery_flow", &[][..]), ("register_webhook_flow", &["webhook_id", "cloudhook"])]
        {
            if !self.program.calls(call).is_empty() {
                is_known = true;
                fields.merge(Fields::of(found.iter().copied()));
            }
        }
        fields.is_open |= !is_known;
        fields
    }

    /// Adds what the flow gives `async_create_entry` under that name.
    fn created(&mut self, family: &Rc<Family<'a>>, name: &str, fields: &mut Fields) -> bool {
        let mut is_known = false;
        for site in self.program.calls("async_create_entry") {
            if !site.is_in_class() {
                // A function that is given the flow: what else it is given is not followed.
                fields.is_open = true;
            }
            if !Program::is_in(site, family) {
                continue;
            }
            is_known = true;
            let scope = self.program.scope_of(site, Some(family));
            match site.call.argument(name, None) {
                Some(given) => fields.merge(self.finder.fields(given, &scope)),
                None => fields.is_open |= site.call.has_spread(),
            }
        }
        is_known
    }

    /// What its flows store as `options`.
    fn in_options(&mut self) -> Fields {
        let mut fields = Fields::default();
        for family in self.handlers.clone() {
            self.created(&family, "options", &mut fields);
            if family.is_a("SchemaConfigFlowHandler") {
                fields.merge(self.steps_of_schemas(&family));
            }
        }
        for family in self.options.clone() {
            self.created(&family, "data", &mut fields);
        }
        fields
    }

    /// The fields of a flow that is only schemas, all of which become options.
    fn steps_of_schemas(&mut self, family: &Rc<Family<'a>>) -> Fields {
        let mut fields = Fields::default();
        for site in self.program.calls("SchemaFlowFormStep") {
            let scope = self.program.scope_of(site, Some(family));
            if let Some(schema) = site.call.argument("schema", Some(0)) {
                fields.merge(self.finder.fields(schema, &scope));
            }
            // Such a function may add to what was filled in, and nothing here follows that.
            let validates = site.call.argument("validate_user_input", Some(1));
            fields.is_open |= validates.is_some_and(|own| !matches!(own, Expression::None));
        }
        fields
    }

    /// What is given to the calls that change an entry.
    fn updates(&mut self, kind: &str, names: &[&str]) -> Fields {
        let mut fields = Fields::default();
        let changing = [
            "async_update_entry",
            "async_update_reload_and_abort",
            "async_update_and_abort",
            "_abort_if_unique_id_configured",
        ];
        for call in changing {
            for site in self.program.calls(call) {
                let families: Vec<_> = self.handlers.iter().chain(&self.options).cloned().collect();
                let family = families.into_iter().find(|family| Program::is_in(site, family));
                let scope = self.program.scope_of(site, family.as_ref());
                if scope.family.as_ref().is_some_and(|family| family.is_a("Subentry")) && call != "async_update_entry" {
                    continue;
                }
                for name in names {
                    let place = (call == "_abort_if_unique_id_configured" && kind == "data").then_some(0);
                    if let Some(given) = site.call.argument(name, place) {
                        fields.merge(self.finder.fields(given, &scope));
                    }
                }
                fields.is_open |= site.call.has_spread();
            }
        }
        fields
    }

    /// The fields of every form of every flow.
    fn forms(&mut self) -> Fields {
        let mut fields = Fields::default();
        for family in self.handlers.iter().chain(&self.options).cloned().collect::<Vec<_>>() {
            for site in self.program.calls("async_show_form").iter().filter(|site| Program::is_in(site, &family)) {
                if let Some(schema) = site.call.argument("data_schema", None) {
                    let scope = self.program.scope_of(site, Some(&family));
                    fields.merge(self.finder.fields(schema, &scope));
                }
            }
        }
        fields
    }

    /// The form that a flow begins with. Where it begins with a menu, there are several ways, and none is required.
    fn user_form(&mut self) -> Fields {
        let mut fields = Fields::default();
        for family in self.handlers.clone() {
            fields.merge(self.finder.forms("user", &family).unwrap_or_default());
        }
        fields
    }

    /// `VERSION` or `MINOR_VERSION` of what makes its entries.
    fn number(&self, name: &str) -> u32 {
        let classes = self.handlers.iter().flat_map(|family| &family.classes);
        let numbers = classes.filter_map(|(class, module)| {
            let value = class.body.assigned(name).last()?;
            self.number_of(value, &Scope::top(module), 0)
        });
        numbers.into_iter().next().unwrap_or(1)
    }

    fn number_of(&self, value: &Expression, scope: &Scope<'a>, depth: usize) -> Option<u32> {
        if depth > 8 {
            return None;
        }
        let found = match value {
            Expression::Number(number) => return u32::try_from(*number).ok(),
            Expression::Name(name) => meanings(self.program.modules, name, scope),
            Expression::Member(value, name) => member(self.program.modules, value, name, scope),
            _ => return None,
        };
        found.into_iter().find_map(|meaning| match meaning {
            Meaning::Value(value, scope) => self.number_of(value, &scope, depth + 1),
            _ => None,
        })
    }

    fn is_broken(&self) -> bool {
        self.program.own.iter().any(|module| module.is_broken)
    }
}

/// A field is required where the first form requires it, and the integration fails without it.
///
/// What a form asks for may be stored under another name, or not at all, so that the form alone decides nothing. One
/// with a default is filled in by the frontend, which nobody does for a declared entry; but then some integrations can
/// do without.
fn is_required(name: &str, user: &Fields, reads: &Reads) -> bool {
    let is_asked = user.named.get(name).is_some_and(|mark| mark.is_required);
    let has_default = user.named.get(name).is_some_and(|mark| mark.has_default);
    is_asked && reads.needed.contains(name) && !(has_default && reads.optional.contains(name))
}

/// The fields that the texts of the forms name.
fn fields_in_texts(texts: &Value) -> BTreeSet<String> {
    let mut found = BTreeSet::new();
    for flow in ["config", "options"] {
        for step in texts[flow]["step"].as_object().into_iter().flat_map(serde_json::Map::values) {
            let sections = step["sections"].as_object().into_iter().flat_map(serde_json::Map::values);
            for part in std::iter::once(step).chain(sections) {
                found.extend(part["data"].as_object().into_iter().flat_map(|data| data.keys().cloned()));
            }
        }
    }
    found
}
