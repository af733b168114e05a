//! `provisor keycloak doctor`: whether the identity has the rights that it needs, and no more.

use std::collections::BTreeSet;

use super::console::Console;
use super::exit::{Exit, Failure};
use super::options::{Common, Files};
use super::render::{self, Format};
use super::{session, signals};
use crate::diagnostic::Problem;
use crate::keycloak::doctor::{DeviceScope, Needs, examine};
use crate::manifest::Manifests;
use crate::manifest::kinds::Spec;
use crate::manifest::kinds::device::Grant;
use crate::manifest::kinds::keycloak::KeycloakRealmSpec;
use crate::reconcile::declared::DEVICE_SCOPE;

/// Look after a Keycloak realm
#[derive(Debug, clap::Args)]
#[command(arg_required_else_help = true)]
pub(super) struct Args {
    #[command(subcommand)]
    command: Command,
}

#[derive(Debug, clap::Subcommand)]
enum Command {
    Doctor(Doctor),
}

const AFTER: &str = "\
Examples:
  provisor keycloak doctor -f realm.yaml
  provisor keycloak doctor -f manifests --target fleet

Looks by harmless calls, names missing and excessive rights, and prints the commands that an
administrator runs for least privilege. Nothing is written.

Exit codes: 0 every right is there; 1 one is missing, or the realm could not be reached.";

/// Check the rights of a realm's identity by harmless calls
#[derive(Debug, clap::Args)]
#[command(after_help = AFTER)]
pub(super) struct Doctor {
    #[command(flatten)]
    files: Files,
    /// The realm, by its name in the manifests; all where none is named
    #[arg(long, value_name = "NAME")]
    target: Option<String>,
}

pub(super) fn run(args: &Args, common: &Common, console: &Console) -> Result<Exit, Failure> {
    let Command::Doctor(args) = &args.command;
    let manifests = session::load(&args.files.files, console)?;
    let realms = realms(&manifests, args.target.as_deref())?;
    session::block_on(async {
        let stop = signals::watch(console)?;
        let mut exit = Exit::Done;
        for (name, spec) in realms {
            let api = session::realm_api(spec, common)?;
            let report = stop.or(examine(&api, &needs(&manifests, name, spec))).await?;
            let report = report.map_err(|error| error.to_problem())?;
            console.print(&render::doctor(name, &report), Format::Text)?;
            if report.is_missing_something() {
                exit = Exit::Failed;
            }
        }
        Ok(exit)
    })
}

/// The realm of that name, or all of them.
fn realms<'a>(manifests: &'a Manifests, name: Option<&str>) -> Result<Vec<(&'a str, &'a KeycloakRealmSpec)>, Failure> {
    let realms: Vec<_> =
        session::realms(manifests).filter(|(realm, _)| name.is_none_or(|name| name == *realm)).collect();
    if !realms.is_empty() {
        return Ok(realms);
    }
    match name {
        Some(name) => Err(session::no_realm(name)),
        None => Err(Problem::new("provisor::target::unknown", "the manifests declare no KeycloakRealm").into()),
    }
}

/// What the manifests ask of the identity of a realm.
fn needs(manifests: &Manifests, realm: &str, spec: &KeycloakRealmSpec) -> Needs {
    let mut needs = Needs::default();
    let mut scopes = BTreeSet::new();
    for resource in manifests.resources.iter().filter(|resource| resource.target.as_deref() == Some(realm)) {
        match &resource.spec {
            Spec::KeycloakClient(client) => {
                let account = client.service_account.as_ref();
                needs.role_mapping |=
                    account.is_some_and(|account| account.realm_roles.is_some() || !account.client_roles.is_empty());
            }
            Spec::Device(device) => {
                let maps_role = device.grant == Grant::RoleMapping;
                needs.role_mapping |= maps_role;
                let scope = device.scope.as_deref().or(spec.device_scope.as_deref()).unwrap_or(DEVICE_SCOPE);
                scopes.insert(DeviceScope {
                    name: scope.to_owned(),
                    role: device.role.clone(),
                    audience: device.audience.clone(),
                    maps_role,
                });
            }
            _ => {}
        }
    }
    needs.device_scopes = scopes.into_iter().collect();
    needs
}
