//! What a manifest wants of a config entry: plain values by path, credentials sealed.

use std::collections::BTreeMap;

use serde_json::{Value, json};

use crate::diagnostic::Problem;
use crate::manifest::kinds::common::{Lifecycle, OnDrift};
use crate::manifest::kinds::home_assistant::HomeAssistantEntrySpec;
use crate::path::key_path;
use crate::reconcile::ownership::Applied;
use crate::secret::Secret;
use crate::secret::reference::SecretRef;

/// How references become secrets.
pub(crate) type Resolve<'a> = &'a dyn Fn(&SecretRef) -> Result<Secret, Problem>;

/// One wanted entry.
#[derive(Debug)]
pub struct EntryWant {
    pub(super) name: String,
    pub(super) domain: String,
    pub(super) title: Option<String>,
    pub(super) unique_id: Option<String>,
    pub(super) enabled: bool,
    /// Plain fields by stored path, nested ones dotted.
    pub(super) data: BTreeMap<String, Value>,
    pub(super) options: BTreeMap<String, Value>,
    /// By stored path.
    pub(super) credentials: BTreeMap<String, Credential>,
    pub(super) on_drift: OnDrift,
    /// What the component keeps for us, for when the manifest is gone.
    pub(super) lifecycle: Value,
}

/// A secret field.
#[derive(Debug)]
pub(super) struct Credential {
    /// As in the manifest, below `spec`.
    pub(super) path: String,
    /// Its value; none where it is not resolved in this run.
    pub(super) value: Option<Secret>,
}

impl EntryWant {
    /// What `spec` wants; `resolve` is none where secrets are not to be resolved.
    ///
    /// # Errors
    /// Credentials are missing; all of them are named.
    pub(crate) fn new(
        name: &str,
        spec: &HomeAssistantEntrySpec,
        resolve: Option<Resolve<'_>>,
    ) -> Result<Self, Problem> {
        let mut credentials = BTreeMap::new();
        let mut problems = Vec::new();
        for (declared, reference) in &spec.credentials {
            let path = key_path("credentials", declared);
            let stored = spec.stored_name(name, declared);
            match resolve.map(|resolve| resolve(reference)).transpose() {
                Ok(value) => drop(credentials.insert(stored, Credential { path, value })),
                Err(problem) => problems.push(problem),
            }
        }
        if let Some(problem) = all_of(problems) {
            return Err(problem);
        }
        let mut data = BTreeMap::new();
        for (key, value) in &spec.data {
            flatten(key.clone(), value, &mut data);
        }
        Ok(Self {
            name: name.to_owned(),
            domain: spec.domain(name).to_owned(),
            title: spec.title.clone(),
            unique_id: spec.unique_id.clone(),
            enabled: spec.enabled,
            data,
            options: spec.options.clone(),
            credentials,
            on_drift: spec.lifecycle.on_drift,
            lifecycle: lifecycle(&spec.lifecycle),
        })
    }

    /// The secrets to send, where all of them are resolved.
    pub(super) fn secrets(&self) -> Result<BTreeMap<String, Secret>, Problem> {
        let resolved = self.credentials.iter().map(|(path, credential)| match &credential.value {
            Some(secret) => Ok((path.clone(), secret.clone())),
            None => Err(Problem::new("provisor::bug", "an entry was to be written without its credentials")),
        });
        resolved.collect()
    }
}

fn lifecycle(lifecycle: &Lifecycle) -> Value {
    json!(Applied {
        deletion_policy: lifecycle.deletion_policy,
        prevent_destroy: lifecycle.prevent_destroy,
        ..Applied::default()
    })
}

/// Several problems as one that names them all; of one code, the first's.
fn all_of(problems: Vec<Problem>) -> Option<Problem> {
    let texts: Vec<String> = problems.iter().map(|problem| problem.message.clone()).collect();
    let first = problems.into_iter().next()?;
    Some(Problem { message: texts.join("; "), ..first })
}

/// The values within `value` by path; whatever is no map, or an empty one, is a value.
fn flatten(path: String, value: &Value, into: &mut BTreeMap<String, Value>) {
    match value {
        Value::Object(members) if !members.is_empty() => {
            for (key, value) in members {
                flatten(format!("{path}.{key}"), value, into);
            }
        }
        _ => drop(into.insert(path, value.clone())),
    }
}
