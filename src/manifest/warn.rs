//! What is worth a warning in manifests without a fault: what is part of the schema and not, or not here, of this version.

use std::collections::BTreeSet;

use super::Declared;
use super::check::Finding;
use super::kinds::Spec;
use super::kinds::device::DeviceSpec;
use crate::diagnostic::Diagnostic;
use crate::secret::reference::{SecretRef, SinkRef};

/// Every key of a Kubernetes Secret that a resource refers to: only the operator can read and write those.
pub(super) fn operator_only(declared: &[Declared]) -> Vec<Finding> {
    let mut findings = Vec::new();
    for (at, one) in declared.iter().enumerate() {
        let is_key = |secret: &SecretRef| matches!(secret, SecretRef::SecretKeyRef(_));
        let sources = one.spec.secrets().into_iter().filter(|(_, secret)| is_key(secret));
        let sources = sources.map(|(path, _)| (path, "use `credential`, `file` or `env`"));
        let sinks = one.spec.sinks().into_iter().filter(|(_, sink)| matches!(sink, SinkRef::SecretKeyRef(_)));
        let sinks = sinks.map(|(path, _)| match path {
            "deliverTo" => (path.into(), "use `file`, `age` or `card`"),
            _ => (path.into(), "use `file` or `age`"),
        });
        for (path, hint) in sources.chain(sinks) {
            let message = format!("`spec.{path}` is a key of a Kubernetes Secret, which only an operator can use");
            let fault = Diagnostic::new("provisor::manifest::operator_only", message)
                .with_hint(hint)
                .at_path(format!("spec.{path}"));
            findings.push(Finding { at, fault, is_warning: true });
        }
    }
    findings
}

/// What devices declare and this version does nothing with: one warning, however many devices.
pub(super) fn not_yet(declared: &[Declared]) -> Option<Diagnostic> {
    let unused = declared.iter().filter_map(|one| match &one.spec {
        Spec::Device(spec) => Some(without_effect(spec)),
        _ => None,
    });
    let fields: BTreeSet<&str> = unused.flatten().collect();
    if fields.is_empty() {
        return None;
    }
    let listed = fields.iter().map(|field| format!("`{field}`")).collect::<Vec<_>>().join(", ");
    let message = format!("of devices, {listed} is read and checked, and has no effect yet");
    Some(Diagnostic::new("provisor::device::not_yet", message))
}

fn without_effect(spec: &DeviceSpec) -> impl Iterator<Item = &'static str> {
    let declared = [
        ("hubRef", spec.hub_ref.is_some()),
        ("wifi", spec.wifi.is_some()),
        ("backendUrl", spec.backend_url.is_some()),
        ("mqttUrl", spec.mqtt_url.is_some()),
        ("package", spec.package.is_some()),
        ("rotation", spec.rotation.is_some()),
    ];
    declared.into_iter().filter(|(_, is_declared)| *is_declared).map(|(field, _)| field)
}
