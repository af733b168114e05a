//! The lines that declare an entry: a manifest, and what a NixOS configuration says instead.

use std::collections::BTreeMap;

use serde_json::json;

use super::sealed::{Form, Sealed};
use crate::home_assistant::stored::Entry;
use crate::manifest::emit;
use crate::manifest::kinds::common::{Adopt, Lifecycle};
use crate::manifest::kinds::home_assistant::HomeAssistantEntrySpec;
use crate::manifest::kinds::{API_VERSION, Kind};
use crate::secret::reference::SecretRef;

/// Fields that are never secret and that an entry cannot be made without.
const PLAIN: [&str; 2] = ["auth_implementation", "host"];

/// How an entry and its one credential are declared.
#[derive(Debug)]
pub(super) struct Declaration<'a> {
    pub(super) entry: &'a Entry,
    /// The stored path of the credential.
    pub(super) path: &'a str,
    /// The resource's name.
    pub(super) name: String,
    /// Whether the entry is still there, to be adopted.
    pub(super) adopt: bool,
}

impl<'a> Declaration<'a> {
    /// `others`: whether the integration has more entries, so that its own name would not do.
    pub(super) fn new(entry: &'a Entry, path: &'a str, others: bool, adopt: bool) -> Self {
        let domain = entry.domain.replace('_', "-");
        let title = slug(&entry.title);
        let name = if others && !title.is_empty() && title != domain { format!("{domain}-{title}") } else { domain };
        Self { entry, path, name, adopt }
    }

    /// The credential's name as it is declared: `refreshToken` for `refresh_token`; a nested one as it is stored.
    fn field(&self) -> String {
        if self.path.contains('.') {
            return self.path.to_owned();
        }
        let camel = camel_case(self.path);
        if self.spec(&camel).field_names.is_empty() { camel } else { self.path.to_owned() }
    }

    /// The name of the systemd credential.
    fn credential(&self, field: &str) -> String {
        format!("{}.{field}", self.name)
    }

    /// Fields that are never secret and that an entry cannot be made without.
    fn plain(&self) -> impl Iterator<Item = (&'static str, &str)> {
        let others = PLAIN.into_iter().filter(|name| *name != self.path);
        others.filter_map(|name| Some((name, self.entry.data.text(name)??.expose())))
    }

    /// What the manifest says; `field` is the credential's name in it.
    fn spec(&self, field: &str) -> HomeAssistantEntrySpec {
        let adopt = if self.adopt { Adopt::IfIdentical } else { Adopt::default() };
        let mut spec = HomeAssistantEntrySpec {
            home_assistant_ref: None,
            domain: Some(self.entry.domain.clone()),
            title: Some(self.entry.title.clone()).filter(|title| !title.is_empty()),
            enabled: true,
            unique_id: self.entry.unique_id.clone(),
            data: self.plain().map(|(name, value)| (name.to_owned(), value.into())).collect(),
            options: BTreeMap::new(),
            credentials: BTreeMap::from([(field.to_owned(), SecretRef::Credential(self.credential(field)))]),
            field_names: BTreeMap::new(),
            lifecycle: Lifecycle { adopt, ..Lifecycle::default() },
        };
        if spec.stored_name(&self.name, field) != self.path {
            spec.field_names.insert(field.to_owned(), self.path.to_owned());
        }
        spec
    }

    /// The manifest, and below it, as comments, what a NixOS configuration says: the whole is a manifest, too.
    ///
    /// # Errors
    /// There is none that the text cannot hold.
    pub(super) fn lines(&self, sealed: &Sealed) -> Result<String, serde_json::Error> {
        let field = self.field();
        let spec = self.spec(&field);
        let (kind, metadata) = (Kind::HomeAssistantEntry.name(), json!({"name": self.name}));
        let spec_value = serde_json::to_value(&spec)?;
        let document = json!({"apiVersion": API_VERSION, "kind": kind, "metadata": metadata, "spec": spec_value});
        let mut out = emit::to_yaml(&[document]);
        out.push_str("\n# For NixOS:\n");
        for line in self.nix(&spec, &field, sealed) {
            out.push_str(&format!("#   {line}\n"));
        }
        Ok(out)
    }

    fn nix(&self, spec: &HomeAssistantEntrySpec, field: &str, sealed: &Sealed) -> Vec<String> {
        let file = sealed.file().file_name().unwrap_or_default().to_string_lossy().into_owned();
        let secret = name(&format!("ha-{}", self.credential(field).replace(['.', '_'], "-")));
        let mut lines = Vec::new();
        let source = match sealed.form() {
            Form::Age => {
                let keys: Vec<String> = sealed.recipients().iter().map(|key| quoted(key.trim())).collect();
                lines.push("# in secrets.nix".to_owned());
                lines.push(format!("{}.publicKeys = [ {} ];", quoted(&file), keys.join(" ")));
                lines.push("# in the configuration, beside the file".to_owned());
                lines.push(format!("age.secrets.{secret}.file = {};", path(&file)));
                format!("config.age.secrets.{secret}.path")
            }
            Form::Sops => {
                lines.push("# in the configuration, beside the file".to_owned());
                let file = path(&file);
                lines.push(format!("sops.secrets.{secret} = {{ sopsFile = {file}; format = \"binary\"; }};"));
                format!("config.sops.secrets.{secret}.path")
            }
        };
        lines.push(format!("homeAssistant.integrations.{} = {{", name(&self.name)));
        if self.name != self.entry.domain {
            lines.push(format!("  integration = {};", quoted(&self.entry.domain)));
        }
        lines.extend(spec.title.iter().map(|title| format!("  title = {};", quoted(title))));
        lines.extend(spec.unique_id.iter().map(|unique_id| format!("  uniqueId = {};", quoted(unique_id))));
        lines.extend(self.plain().map(|(key, value)| format!("  data.{key} = {};", quoted(value))));
        let own_name =
            |(field, stored): (&String, &String)| format!("  fieldNames.{} = {};", name(field), quoted(stored));
        lines.extend(spec.field_names.iter().map(own_name));
        lines.push(format!("  credentials.{} = {source};", name(field)));
        lines.push("};".to_owned());
        lines
    }
}

/// The name of an attribute in Nix, quoted where it must be.
fn name(text: &str) -> String {
    let fits = |c: char| c.is_ascii_alphanumeric() || c == '_' || c == '-';
    let is_plain = text.starts_with(|c: char| c.is_ascii_alphabetic()) && text.chars().all(fits);
    if is_plain { text.to_owned() } else { quoted(text) }
}

/// A file beside the configuration.
fn path(file: &str) -> String {
    let fits = |c: char| c.is_ascii_alphanumeric() || matches!(c, '_' | '-' | '.');
    if file.chars().all(fits) { format!("./{file}") } else { format!("(./. + {})", quoted(&format!("/{file}"))) }
}

/// A text of Nix.
fn quoted(text: &str) -> String {
    let mut out = String::from("\"");
    for c in text.chars() {
        match c {
            '"' | '\\' | '$' => out.extend(['\\', c]),
            '\n' => out.push_str("\\n"),
            // Titles come from a server, and this goes to a terminal.
            c if c.is_control() => out.push(' '),
            _ => out.push(c),
        }
    }
    out.push('"');
    out
}

/// What of a title can be in a resource's name.
fn slug(title: &str) -> String {
    let words = title.split(|c: char| !c.is_ascii_alphanumeric()).filter(|word| !word.is_empty());
    words.map(str::to_ascii_lowercase).collect::<Vec<_>>().join("-").chars().take(40).collect()
}

fn camel_case(name: &str) -> String {
    let mut words = name.split('_');
    let mut out = words.next().unwrap_or_default().to_owned();
    for word in words {
        let mut chars = word.chars();
        out.extend(chars.next().map(|first| first.to_ascii_uppercase()));
        out.push_str(chars.as_str());
    }
    out
}
