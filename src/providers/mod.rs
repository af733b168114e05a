//! What a manifest wants against what a system has: one provider for each sort of target. This file is the only list.

pub mod home_assistant;
pub mod hub;
pub mod keycloak;

use std::collections::{BTreeMap, BTreeSet, HashMap};
use std::sync::Arc;
use std::time::Duration;

use crate::clock::Clock;
use crate::diagnostic::{Problem, Warning};
use crate::home_assistant::api::TokenSource;
use crate::http;
use crate::id::ResourceId;
use crate::keycloak::{Api, Config, Credentials};
use crate::manifest::kinds::home_assistant::HomeAssistantSpec;
use crate::manifest::kinds::hub::HubSpec;
use crate::manifest::kinds::keycloak::KeycloakRealmSpec;
use crate::manifest::kinds::{Kind, Spec};
use crate::manifest::{Declared, Manifests};
use crate::reconcile::engine::{self, Connection, Locks, Prepared};
use crate::reconcile::options::Options;
use crate::reconcile::plan::{Action, Plan};
use crate::reconcile::provider::Wanted;
use crate::reconcile::session::{Session, Target};
use crate::secret::reference::SecretRef;
use crate::secret::sink;
use crate::secret::source::Sources;
use home_assistant::{EntryWant, HomeAssistantProvider, Resolve};
use hub::{FarmWant, HubProvider, HubWant, KeyWant};
use keycloak::{ClientWant, RealmProvider};

/// The client scope that a realm's devices share where the realm names none.
const DEVICE_SCOPE: &str = "iot-device";

/// One object of a target as a manifest.
#[derive(Debug)]
pub struct Imported {
    /// The document.
    pub document: serde_json::Value,
    /// Lines to put below it as comments, such as what to write to declare its secret.
    pub comments: Vec<String>,
}
/// The ids that manifests declare of farms, by name; a key needs that of its farm also where `--only` leaves the farm out.
type FarmIds<'a> = HashMap<&'a str, uuid::Uuid>;

/// What a run needs besides manifests and options.
#[derive(Debug)]
pub struct Surroundings<'a> {
    /// Where secrets come from.
    pub sources: &'a Sources,
    /// How long to wait for a target to answer.
    pub wait: Duration,
    /// Where locks are kept, for a run that is going to apply.
    pub locks: Option<Locks>,
    /// The time.
    pub clock: Clock,
}

/// Connects to every target and makes the plan.
pub async fn plan(manifests: &Manifests, options: &Options, surroundings: &Surroundings<'_>) -> Prepared {
    let declared: BTreeSet<ResourceId> = manifests.resources.iter().map(|resource| resource.id.clone()).collect();
    let mut by_target: BTreeMap<&str, Vec<&Declared>> = BTreeMap::new();
    for resource in &manifests.resources {
        if let Some(target) = resource.target.as_deref() {
            by_target.entry(target).or_default().push(resource);
        }
    }
    let farm_ids: FarmIds<'_> = manifests
        .resources
        .iter()
        .filter_map(|resource| match &resource.spec {
            Spec::Farm(spec) => Some((resource.id.name.as_str(), spec.farm_id?)),
            _ => None,
        })
        .collect();
    let connections = manifests
        .targets
        .iter()
        .map(|target| {
            let name = target.id.name.as_str();
            let fits = |resource: &&&Declared| serves(target.spec.kind(), resource.spec.kind());
            let resources: Vec<&Declared> = by_target.get(name).into_iter().flatten().filter(fits).copied().collect();
            let selected: Vec<&Declared> =
                resources.into_iter().filter(|resource| options.selects(&resource.id)).collect();
            Connection {
                name: name.to_owned(),
                resources: selected.iter().map(|resource| resource.id.clone()).collect(),
                target: connect(target, &selected, &farm_ids, options, surroundings),
            }
        })
        .collect();
    let mut prepared = engine::plan(connections, &declared, options, surroundings.locks.as_ref()).await;
    if !options.without_secrets {
        name_missing_secrets(&mut prepared.plan, manifests, surroundings.sources);
    }
    prepared
}

/// Where a target could not be read, what its resources lack themselves is named as well: all that is missing in one run.
fn name_missing_secrets(plan: &mut Plan, manifests: &Manifests, sources: &Sources) {
    let declared: BTreeMap<&ResourceId, &Declared> = manifests.resources.iter().map(|one| (&one.id, one)).collect();
    for change in plan.changes.iter_mut().filter(|change| change.action == Action::Unknown) {
        let (Some(problem), Some(resource)) = (&mut change.error, declared.get(&change.resource)) else { continue };
        let used = resource.spec.secrets().into_iter().filter(|(path, _)| *path == "secret");
        // Nobody is asked for what cannot be used now.
        for (_, reference) in used.filter(|(_, reference)| !matches!(reference, SecretRef::Prompt(_))) {
            if let Err(error) = sources.resolve(reference) {
                *problem = joined(problem.clone(), &error.to_problem());
            }
        }
    }
}

/// Both problems as one, with the code of the first.
fn joined(first: Problem, second: &Problem) -> Problem {
    if first.message.contains(&second.message) {
        return first;
    }
    Problem { message: format!("{}; {}", first.message, second.message), ..first }
}

/// Whether resources of `kind` live in targets of `target`.
pub(crate) fn serves(target: Kind, kind: Kind) -> bool {
    kind.target() == Some(target)
}

fn connect(
    target: &Declared,
    resources: &[&Declared],
    farm_ids: &FarmIds<'_>,
    options: &Options,
    surroundings: &Surroundings<'_>,
) -> Result<Box<dyn Target>, Problem> {
    let name = target.id.name.as_str();
    match &target.spec {
        Spec::KeycloakRealm(spec) => {
            let api = realm_api(spec, options, surroundings)?;
            let address = format!("realm `{}` at {}", spec.realm, spec.url.trim_end_matches('/'));
            let device_scope = spec.device_scope.as_deref().unwrap_or(DEVICE_SCOPE);
            let wants =
                resources.iter().map(|resource| wanted_client(resource, device_scope, options, surroundings)).collect();
            Ok(Box::new(Session::new(name, RealmProvider::new(api, address, &options.owner), wants)))
        }
        Spec::HomeAssistant(spec) => {
            let api = home_assistant_api(spec, options, surroundings)?;
            let address = format!("Home Assistant at {}", spec.url.trim_end_matches('/'));
            let wants = resources.iter().map(|resource| wanted_entry(resource, options, surroundings)).collect();
            Ok(Box::new(Session::new(name, HomeAssistantProvider::new(api, address, &options.owner), wants)))
        }
        Spec::Hub(spec) => {
            let provider = hub_provider(spec, options, surroundings)?;
            let wants = resources.iter().map(|resource| wanted_of_hub(resource, farm_ids, options)).collect();
            Ok(Box::new(Session::new(name, provider, wants)))
        }
        _ => Err(Problem::new("provisor::bug", format!("`{}` is no target", target.id))),
    }
}

/// The administration interface of a realm.
///
/// # Errors
/// A secret or the `caFile` is missing, or the address is none.
pub fn realm_api(spec: &KeycloakRealmSpec, options: &Options, surroundings: &Surroundings<'_>) -> Result<Api, Problem> {
    let resolve = |secret: &Option<SecretRef>, field: &str| match secret {
        Some(reference) => surroundings.sources.resolve(reference).map_err(|error| error.to_problem()),
        None => Err(Problem::new("provisor::manifest::sign_in", format!("`{field}` is missing"))),
    };
    let credentials = match &spec.username {
        Some(_) => match (resolve(&spec.username, "username"), resolve(&spec.password, "password")) {
            (Ok(username), Ok(password)) => {
                let client_id = spec.client_id.clone().unwrap_or_else(|| "admin-cli".to_owned());
                Credentials::Password { client_id, username, password }
            }
            (Err(username), Err(password)) => return Err(joined(username, &password)),
            (Err(problem), _) | (_, Err(problem)) => return Err(problem),
        },
        None => Credentials::Client {
            client_id: spec.client_id.clone().unwrap_or_default(),
            client_secret: resolve(&spec.client_secret, "clientSecret")?,
        },
    };
    let url = spec.url.parse().map_err(|error| {
        Problem::new("provisor::manifest::invalid_url", format!("`{}` is no address: {error}", spec.url))
    })?;
    let config = Config {
        url,
        realm: spec.realm.clone(),
        auth_realm: spec.auth_realm.clone().unwrap_or_else(|| spec.realm.clone()),
        credentials,
        http: http::Options {
            ca_file: spec.ca_file.clone(),
            parallelism: options.parallelism,
            wait: surroundings.wait,
        },
    };
    Api::new(config).map_err(|error| error.to_problem())
}

/// The client of a Home Assistant.
///
/// # Errors
/// The token or the `caFile` is missing, or the address is none.
pub fn home_assistant_api(
    spec: &HomeAssistantSpec,
    options: &Options,
    surroundings: &Surroundings<'_>,
) -> Result<crate::home_assistant::Api, Problem> {
    let first = surroundings.sources.resolve(&spec.token).map_err(|error| error.to_problem())?;
    let token: TokenSource = match &spec.token {
        // The component renews the token in its file while we run.
        SecretRef::File(_) => {
            let reference = spec.token.clone();
            Arc::new(move || Sources::from_environment(None).resolve(&reference).map_err(|error| error.to_problem()))
        }
        _ => Arc::new(move || Ok(first.clone())),
    };
    let http =
        http::Options { ca_file: spec.ca_file.clone(), parallelism: options.parallelism, wait: surroundings.wait };
    let config = crate::home_assistant::Config { url: spec.url.clone(), token, http };
    crate::home_assistant::Api::new(config).map_err(|error| error.to_problem())
}

fn wanted_entry(resource: &Declared, options: &Options, surroundings: &Surroundings<'_>) -> Wanted<EntryWant> {
    let resolve = |reference: &SecretRef| surroundings.sources.resolve(reference).map_err(|error| error.to_problem());
    let resolve: Option<Resolve<'_>> = if options.without_secrets { None } else { Some(&resolve) };
    let name = resource.id.name.as_str();
    let want = match &resource.spec {
        Spec::HomeAssistantEntry(spec) => EntryWant::new(name, spec, resolve),
        _ => Err(Problem::new("provisor::bug", format!("`{}` is no entry", resource.id))),
    };
    Wanted {
        id: resource.id.clone(),
        key: Some(name.to_owned()),
        lifecycle: resource.spec.lifecycle(),
        depends_on: Vec::new(),
        want,
        warnings: Vec::new(),
    }
}

fn hub_provider(spec: &HubSpec, options: &Options, surroundings: &Surroundings<'_>) -> Result<HubProvider, Problem> {
    let Some(embedded) = &spec.embedded else {
        let message = "this version manages a hub's store in-process only";
        let hint = "declare `embedded: {directory: ...}` on the hub's own machine";
        return Err(Problem::new("provisor::hub::remote", message).with_hint(hint));
    };
    let pepper = match &surroundings.locks {
        Some(_) => surroundings.sources.optional_credential("hub.pepper").map_err(|error| error.to_problem())?,
        None => None,
    };
    Ok(HubProvider::embedded(
        &options.owner,
        embedded.directory.clone(),
        embedded.public_url.clone(),
        surroundings.locks.is_some(),
        pepper,
        surroundings.clock.clone(),
    ))
}

fn wanted_client(
    resource: &Declared,
    device_scope: &str,
    options: &Options,
    surroundings: &Surroundings<'_>,
) -> Wanted<ClientWant> {
    let resolve = (!options.without_secrets)
        .then_some(|reference: &SecretRef| surroundings.sources.resolve(reference).map_err(|error| error.to_problem()));
    let name = resource.id.name.as_str();
    let mut warnings = Vec::new();
    let (client_id, want) = match &resource.spec {
        Spec::KeycloakClient(spec) => {
            let secret = keycloak::secret_want(spec.secret.as_ref(), spec.secret_to.as_ref(), resolve, &mut warnings);
            (&spec.client_id, secret.map(|secret| ClientWant::client(name, spec, secret)))
        }
        Spec::Device(spec) => {
            let secret = keycloak::secret_want(spec.secret.as_ref(), spec.secret_to.as_ref(), resolve, &mut warnings);
            (&spec.client_id, secret.map(|secret| ClientWant::device(name, spec, device_scope, secret)))
        }
        _ => (&None, Err(Problem::new("provisor::bug", format!("`{}` is no client", resource.id)))),
    };
    // Sinks are on the machine that applies; a plan without secrets is made elsewhere and does not look for them.
    let want = want.map(|want| if options.without_secrets { want.without_sink() } else { want });
    Wanted {
        id: resource.id.clone(),
        key: Some(client_id.clone().unwrap_or_else(|| name.to_owned())),
        lifecycle: resource.spec.lifecycle(),
        depends_on: Vec::new(),
        want,
        warnings,
    }
}

fn wanted_of_hub(resource: &Declared, farm_ids: &FarmIds<'_>, options: &Options) -> Wanted<HubWant> {
    let (key, depends_on, want) = match &resource.spec {
        Spec::Farm(spec) => {
            let key = spec.farm_id.map(hub::farm_key);
            (key, Vec::new(), Ok(HubWant::Farm(FarmWant::new(&resource.id.name, spec))))
        }
        Spec::ProvisioningKey(spec) => {
            let farm = ResourceId::new(Kind::Farm.name(), spec.farm_ref.clone());
            let want = HubWant::Key(Box::new(KeyWant::new(
                farm.clone(),
                farm_ids.get(farm.name.as_str()).copied(),
                spec,
                !options.without_secrets,
            )));
            (None, vec![farm], Ok(want))
        }
        _ => (None, Vec::new(), Err(Problem::new("provisor::bug", format!("`{}` is no farm", resource.id)))),
    };
    let warnings: Vec<Warning> = Vec::new();
    Wanted { id: resource.id.clone(), key, lifecycle: resource.spec.lifecycle(), depends_on, want, warnings }
}

/// Removes what a crash left beside the sinks of `manifests`; the next run's first step.
pub fn remove_leftovers(manifests: &Manifests) {
    for (_, target) in manifests.resources.iter().flat_map(|resource| resource.spec.sinks()) {
        sink::remove_leftover(&target);
    }
}
