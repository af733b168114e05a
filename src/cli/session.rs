//! What commands share: loading manifests, connecting to targets, the runtime for both.

use std::path::PathBuf;

use super::console::Console;
use super::exit::Failure;
use super::options::Common;
use super::progress::Reading;
use super::render;
use crate::clock::Clock;
use crate::diagnostic::{Diagnostic, Problem};
use crate::keycloak::Api;
use crate::manifest::kinds::Spec;
use crate::manifest::kinds::home_assistant::HomeAssistantSpec;
use crate::manifest::kinds::keycloak::KeycloakRealmSpec;
use crate::manifest::{self, Manifests};
use crate::providers::{self, Surroundings};
use crate::reconcile::engine::{Locks, Prepared};
use crate::reconcile::options::Options;
use crate::reconcile::plan::Plan;
use crate::secret::source::Sources;

/// Loads manifests; what is worth a warning is said at once.
pub(super) fn load(paths: &[String], console: &Console) -> Result<Manifests, Failure> {
    let manifests = manifest::load(paths)?;
    console.say(&render::warnings(&manifests.warnings));
    if manifests.skipped > 0 {
        tracing::info!("skipped {} documents of another apiVersion", manifests.skipped);
    }
    Ok(manifests)
}

/// Reads every target and makes the plan; with `locks`, to apply it.
pub(super) async fn prepare(
    manifests: &Manifests,
    options: &Options,
    locks: Option<Locks>,
    common: &Common,
    console: &Console,
) -> Prepared {
    let sources = Sources::from_environment(common.credentials_dir.clone());
    let surroundings = Surroundings { sources: &sources, wait: common.wait.duration(), locks, clock: Clock::system() };
    let reading = Reading::start(console, manifests.targets.len());
    let prepared = providers::plan(manifests, options, &surroundings).await;
    drop(reading);
    let warned: Vec<Diagnostic> =
        sources.warnings().into_iter().map(|warning| Diagnostic::new(warning.code, warning.message)).collect();
    console.say(&render::warnings(&warned));
    warn_of_strangers(&prepared.plan, options, console);
    prepared
}

/// A resource asked for by `--only` that is neither declared nor owned: a misspelt name must not look like success.
fn warn_of_strangers(plan: &Plan, options: &Options, console: &Console) {
    let known: std::collections::HashSet<_> = plan.changes.iter().map(|change| &change.resource).collect();
    let strangers = options.only.iter().filter(|id| !known.contains(id));
    let warnings: Vec<Diagnostic> = strangers
        .map(|id| {
            let message = format!("`--only {id}` names nothing that is declared or owned");
            Diagnostic::new("provisor::plan::only_unknown", message).on(id.clone())
        })
        .collect();
    console.say(&render::warnings(&warnings));
}

/// Where the locks of this machine are: `$XDG_RUNTIME_DIR/provisor`, `/run/provisor` for root.
#[expect(clippy::disallowed_methods, reason = "the command line is one of the places that read the environment")]
pub(super) fn locks() -> Locks {
    let directory = match std::env::var_os("XDG_RUNTIME_DIR").filter(|folder| !folder.is_empty()) {
        Some(folder) => PathBuf::from(folder).join("provisor"),
        None if rustix::process::geteuid().is_root() => PathBuf::from("/run/provisor"),
        None => std::env::temp_dir().join(format!("provisor-{}", rustix::process::geteuid().as_raw())),
    };
    Locks { directory, clock: Clock::system() }
}

/// Runs a future to its end, with the tasks and timers that it needs. What still blocks then (a question on the
/// terminal) is left behind.
pub(super) fn block_on<T>(future: impl Future<Output = Result<T, Failure>>) -> Result<T, Failure> {
    let runtime = tokio::runtime::Builder::new_multi_thread().enable_all().build().map_err(|error| {
        Failure::from(Problem::new("provisor::runtime", format!("cannot start the runtime: {error}")))
    })?;
    let result = runtime.block_on(future);
    runtime.shutdown_background();
    result
}

/// The realms among the targets, by name.
pub(super) fn realms(manifests: &Manifests) -> impl Iterator<Item = (&str, &KeycloakRealmSpec)> {
    manifests.targets.iter().filter_map(|target| match &target.spec {
        Spec::KeycloakRealm(spec) => Some((target.id.name.as_str(), &**spec)),
        _ => None,
    })
}

/// The Home Assistant of that name.
pub(super) fn home_assistant<'a>(manifests: &'a Manifests, name: &str) -> Result<&'a HomeAssistantSpec, Failure> {
    let found = manifests.targets.iter().find_map(|target| match &target.spec {
        Spec::HomeAssistant(spec) if target.id.name == name => Some(&**spec),
        _ => None,
    });
    found.ok_or_else(|| {
        Problem::new("provisor::target::unknown", format!("the manifests declare no HomeAssistant `{name}`"))
            .with_hint("name a declared one with `--target`")
            .into()
    })
}

/// The client of a Home Assistant, for commands that make no plan.
pub(super) fn home_assistant_api(
    spec: &HomeAssistantSpec,
    common: &Common,
) -> Result<crate::home_assistant::Api, Failure> {
    let sources = Sources::from_environment(common.credentials_dir.clone());
    let surroundings =
        Surroundings { sources: &sources, wait: common.wait.duration(), locks: None, clock: Clock::system() };
    let options = Options { owner: common.owner().to_owned(), parallelism: common.parallelism, ..Options::default() };
    Ok(providers::home_assistant_api(spec, &options, &surroundings)?)
}

/// The administration interface of a realm, for commands that make no plan.
pub(super) fn realm_api(spec: &KeycloakRealmSpec, common: &Common) -> Result<Api, Failure> {
    let sources = Sources::from_environment(common.credentials_dir.clone());
    let surroundings =
        Surroundings { sources: &sources, wait: common.wait.duration(), locks: None, clock: Clock::system() };
    let options = Options { owner: common.owner().to_owned(), parallelism: common.parallelism, ..Options::default() };
    Ok(providers::realm_api(spec, &options, &surroundings)?)
}

/// `--target` names no realm.
pub(super) fn no_realm(name: &str) -> Failure {
    Problem::new("provisor::target::unknown", format!("the manifests declare no KeycloakRealm `{name}`"))
        .with_hint("name a declared one with `--target`")
        .into()
}
