//! The lines that declare an entry: a manifest, and what a NixOS configuration says instead.

use std::fmt::Write as _;

use serde_json::{Map, Value, json};

use super::sealed::{Form, Sealed};
use crate::home_assistant::stored::Entry;
use crate::manifest::emit;
use crate::manifest::kinds::API_VERSION;

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
        if snake_case(&camel) == self.path { camel } else { self.path.to_owned() }
    }

    /// The name of the systemd credential.
    fn credential(&self) -> String {
        format!("{}.{}", self.name, self.field())
    }

    fn plain(&self) -> Map<String, Value> {
        let text = |name: &&str| Some((name.to_string(), self.entry.data.text(name)??.expose().into()));
        PLAIN.iter().filter(|name| **name != self.path).filter_map(text).collect()
    }

    /// The manifest.
    pub(super) fn manifest(&self) -> String {
        let field = self.field();
        let mut spec = json!({"domain": self.entry.domain, "title": self.entry.title});
        if let Some(unique_id) = &self.entry.unique_id {
            spec["uniqueId"] = unique_id.as_str().into();
        }
        let data = self.plain();
        if !data.is_empty() {
            spec["data"] = data.into();
        }
        spec["credentials"] = json!({field.as_str(): {"credential": self.credential()}});
        if snake_case(&field) != self.path {
            spec["fieldNames"] = json!({field.as_str(): self.path});
        }
        if self.adopt {
            spec["lifecycle"] = json!({"adopt": "ifIdentical"});
        }
        let metadata = json!({"name": self.name});
        let document =
            json!({"apiVersion": API_VERSION, "kind": "HomeAssistantEntry", "metadata": metadata, "spec": spec});
        emit::to_yaml(&[document])
    }

    /// The same for NixOS.
    pub(super) fn nix(&self, sealed: &Sealed) -> String {
        let file = sealed.file().file_name().unwrap_or_default().to_string_lossy().into_owned();
        let secret = name(&format!("ha-{}", self.credential().replace(['.', '_'], "-")));
        let place = path(&file);
        let mut out = String::new();
        let source = match sealed.form() {
            Form::Age => {
                let keys: Vec<String> = sealed.recipients().iter().map(|key| quoted(key.trim())).collect();
                writeln!(out, "# in secrets.nix").expect(TEXT);
                writeln!(out, "{}.publicKeys = [ {} ];", quoted(&file), keys.join(" ")).expect(TEXT);
                writeln!(out, "# in the configuration, beside the file").expect(TEXT);
                writeln!(out, "age.secrets.{secret}.file = {place};").expect(TEXT);
                format!("config.age.secrets.{secret}.path")
            }
            Form::Sops => {
                writeln!(out, "# in the configuration, beside the file").expect(TEXT);
                writeln!(out, "sops.secrets.{secret} = {{ sopsFile = {place}; format = \"binary\"; }};").expect(TEXT);
                format!("config.sops.secrets.{secret}.path")
            }
        };
        writeln!(out, "homeAssistant.integrations.{} = {{", name(&self.name)).expect(TEXT);
        if self.name != self.entry.domain {
            writeln!(out, "  integration = {};", quoted(&self.entry.domain)).expect(TEXT);
        }
        writeln!(out, "  title = {};", quoted(&self.entry.title)).expect(TEXT);
        if let Some(unique_id) = &self.entry.unique_id {
            writeln!(out, "  uniqueId = {};", quoted(unique_id)).expect(TEXT);
        }
        for (key, value) in self.plain() {
            writeln!(out, "  data.{key} = {};", quoted(value.as_str().unwrap_or_default())).expect(TEXT);
        }
        let field = self.field();
        if snake_case(&field) != self.path {
            writeln!(out, "  fieldNames.{} = {};", name(&field), quoted(self.path)).expect(TEXT);
        }
        writeln!(out, "  credentials.{} = {source};", name(&field)).expect(TEXT);
        out.push_str("};\n");
        out
    }
}

const TEXT: &str = "text can be written to a string";

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

/// As Home Assistant writes what a manifest calls `refreshToken`.
fn snake_case(name: &str) -> String {
    let mut out = String::new();
    for c in name.chars() {
        if c.is_ascii_uppercase() && !out.is_empty() && !out.ends_with(['_', '.']) {
            out.push('_');
        }
        out.push(c.to_ascii_lowercase());
    }
    out
}
