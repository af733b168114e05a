//! Home Assistant's config entries as its storage files hold them, for commands that run where those files are.
//!
//! Two files of `.storage`: `core.config_entries`, which is Home Assistant's, and `nixos_integrations`, which is our
//! component's and says what it owns and what it applied last. Both are read whole, never written: Home Assistant would
//! overwrite a change at its next save. Values go from the file, whose bytes are zeroed, straight into [`Secret`]s; nothing
//! here prints one, and errors name fields, not values.

mod error;
mod field;
mod file;

use std::collections::BTreeMap;
use std::path::Path;

use serde::Deserialize;

use super::digest::Key;
use crate::secret::Secret;

pub use error::Error;
pub use field::Fields;

/// The file of config entries.
const ENTRIES: &str = "core.config_entries";
/// The file of our component.
const OWNED: &str = "nixos_integrations";
/// The form of both files that we know.
const VERSION: u64 = 1;
/// The owner of what the component applies from `configuration.yaml`.
const START_UP: &str = "configuration.yaml";

#[derive(Deserialize)]
struct Envelope<T> {
    data: T,
}

#[derive(Deserialize)]
struct EntryList {
    entries: Vec<Entry>,
}

/// A config entry. All texts of its data are secret until somebody says otherwise.
#[derive(Debug, Deserialize)]
pub struct Entry {
    /// Its id.
    pub entry_id: String,
    /// The integration.
    pub domain: String,
    /// Its title.
    pub title: String,
    /// What identifies the account or device, where the integration says so.
    #[serde(default)]
    pub unique_id: Option<String>,
    /// Who switched it off.
    #[serde(default)]
    pub disabled_by: Option<String>,
    /// What the integration stored.
    pub data: Fields,
}

impl Entry {
    /// How messages call it: title and id, without what would say something to a terminal.
    pub fn label(&self) -> String {
        let title = self.title.replace(char::is_control, " ");
        format!("`{title}` ({})", self.entry_id)
    }

    /// The path of the entry's one credential: `token.refresh_token`, else `refresh_token`, else the only field whose name
    /// looks like one.
    ///
    /// # Errors
    /// There is none, or there are several.
    pub fn credential_path(&self) -> Result<String, Error> {
        let paths = self.data.paths();
        for usual in ["token.refresh_token", "refresh_token"] {
            if paths.iter().any(|path| path == usual) {
                return Ok(usual.to_owned());
            }
        }
        let mut looking = paths.iter().filter(|path| looks_like_credential(path));
        match (looking.next(), looking.next()) {
            (Some(path), None) => Ok(path.clone()),
            _ => Err(Error::WhichField { entry: self.label(), fields: paths }),
        }
    }

    /// The credential at `path`.
    ///
    /// # Errors
    /// It is not there, or is no text.
    pub fn credential(&self, path: &str) -> Result<&Secret, Error> {
        let not_text = |what| Error::NotText { entry: self.label(), field: path.to_owned(), what };
        match self.data.text(path) {
            Some(Some(text)) if text.expose().is_empty() => Err(not_text("is empty")),
            Some(Some(text)) => Ok(text),
            Some(None) => Err(not_text("is no text, and a credential is one")),
            None => Err(Error::NoField { entry: self.label(), field: path.to_owned(), fields: self.data.paths() }),
        }
    }
}

/// Whether a field's name says that its value is secret; of a dotted one the last part counts.
pub fn looks_like_credential(path: &str) -> bool {
    const WORDS: [&str; 12] = [
        "token",
        "password",
        "passwd",
        "passphrase",
        "secret",
        "apikey",
        "accesskey",
        "privatekey",
        "authkey",
        "pin",
        "credential",
        "cookie",
    ];
    let name = path.rsplit('.').next().unwrap_or(path);
    let plain: String = name.chars().filter(char::is_ascii_alphanumeric).collect::<String>().to_ascii_lowercase();
    let kind_of = plain.ends_with("type") || plain.ends_with("expires") || plain.ends_with("expiry");
    !kind_of && WORDS.iter().any(|word| if *word == "pin" { plain == *word } else { plain.contains(word) })
}

/// All entries at a moment.
#[derive(Debug)]
pub struct Entries(Vec<Entry>);

impl Entries {
    /// Reads them; `path` is the file, the folder `.storage`, or the configuration folder.
    ///
    /// # Errors
    /// They are not there, or not in a form that we know.
    pub fn read(path: &Path) -> Result<Self, Error> {
        let file = file::find(path, ENTRIES)?.ok_or_else(|| missing(path, ENTRIES))?;
        let Envelope { data: EntryList { entries } } = file::read(&file)?;
        Ok(Self(entries))
    }

    /// The entry of an id.
    pub fn by_id(&self, entry_id: &str) -> Option<&Entry> {
        self.0.iter().find(|entry| entry.entry_id == entry_id)
    }

    /// How many entries an integration has.
    pub fn count(&self, domain: &str) -> usize {
        self.0.iter().filter(|entry| entry.domain == domain).count()
    }

    /// The entry of an integration that `wanted` names by id or title, or its only one.
    ///
    /// # Errors
    /// None fits, or several do.
    pub fn select(&self, domain: &str, wanted: Option<&str>) -> Result<&Entry, Error> {
        let all: Vec<&Entry> = self.0.iter().filter(|entry| entry.domain == domain).collect();
        let labels = |entries: &[&Entry]| entries.iter().map(|entry| entry.label()).collect();
        let is_wanted = |entry: &&&Entry| wanted.is_none_or(|wanted| entry.entry_id == wanted || entry.title == wanted);
        let fitting: Vec<&Entry> = all.iter().filter(is_wanted).copied().collect();
        let (domain, entry) = (domain.to_owned(), wanted.map(str::to_owned));
        match fitting[..] {
            [one] => Ok(one),
            [] => Err(Error::NoEntry { domain, entry, others: labels(&all) }),
            _ => Err(Error::Ambiguous { domain, entry, found: labels(&fitting) }),
        }
    }
}

/// What our component owns, and digests of what it applied last.
#[derive(Debug, Deserialize)]
pub struct Owned {
    key: Secret,
    owned: BTreeMap<String, Record>,
}

/// What the component remembers of one entry.
#[derive(Debug, Deserialize)]
pub struct Record {
    owner: String,
    name: String,
    /// Path to digest of the value last applied, for credentials.
    #[serde(default)]
    base: BTreeMap<String, String>,
}

/// How a stored value stands to the one last applied.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Standing {
    /// It is the one last applied.
    Applied,
    /// Its holder has replaced it since.
    Rotated,
    /// The component never applied one there.
    Unknown,
}

impl Owned {
    /// Reads it; `path` as for [`Entries::read`]. None where the component never ran.
    ///
    /// # Errors
    /// It is there and not in a form that we know.
    pub fn read(path: &Path) -> Result<Option<Self>, Error> {
        let Some(file) = file::find(path, OWNED)? else { return Ok(None) };
        let Envelope { data } = file::read(&file)?;
        Ok(Some(data))
    }

    /// The entry that `owner`, or else start-up mode, made for the resource `name`: its id and what is remembered of it.
    pub fn record(&self, owner: &str, name: &str) -> Option<(&str, &Record)> {
        let of = |owner: &str| self.owned.iter().find(|(_, record)| record.owner == owner && record.name == name);
        of(owner).or_else(|| of(START_UP)).map(|(entry_id, record)| (entry_id.as_str(), record))
    }

    /// How `value`, the one stored at `path`, stands to the one last applied; none where the store's key is none.
    pub fn standing(&self, record: &Record, path: &str, value: &Secret) -> Option<Standing> {
        let Some(base) = record.base.get(path) else { return Some(Standing::Unknown) };
        let digest = Key::parse(self.key.expose())?.of_text(value);
        Some(if digest == *base { Standing::Applied } else { Standing::Rotated })
    }
}

fn missing(path: &Path, file: &'static str) -> Error {
    Error::Missing { file, path: path.display().to_string() }
}

#[cfg(test)]
mod tests;
