//! Loading manifests: every fault at once, each with its place, and no value of any of them repeated (REC-1, REC-2,
//! REC-3).

#![expect(clippy::unwrap_used, reason = "a test that cannot go on fails")]

use std::path::Path;

use proptest::prelude::*;
use provisor::manifest::{self, Faults, Manifests};
use serde_json::{Value, json};

const REALM: &str = "apiVersion: provisor.dev/v1alpha1\nkind: KeycloakRealm\nmetadata: {name: fleet}\n\
                     spec: {url: 'https://k.example.org', realm: r, clientId: p, clientSecret: {credential: c}}\n---\n";

fn load(text: &str) -> Result<Manifests, Faults> {
    manifest::load_text("m.yaml", text.as_bytes())
}

/// The faults of a text as `line:column code path`.
fn faults(text: &str) -> Vec<String> {
    let faults = load(text).expect_err("the text has faults").0;
    faults
        .iter()
        .map(|fault| {
            let code = fault.code.strip_prefix("provisor::manifest::").unwrap();
            let path = fault.path.as_deref().unwrap_or_default();
            format!("{}:{} {code} {path}", fault.line.unwrap_or(0), fault.column.unwrap_or(0))
        })
        .collect()
}

/// REC-2: all faults of all documents in one run, each with its place.
#[test]
fn every_fault_is_told_at_once_with_its_place() {
    let text = "\
apiVersion: provisor.dev/v1alpha1
kind: KeycloakRealm
metadata: {name: fleet}
spec: {url: 'http://k.example.org', realm: r, clientId: p, clientSecret: canary-in-clear}
---
apiVersion: provisor.dev/v1alpha1
kind: KeycloakClient
metadata: {name: Web_1}
spec:
  clientid: x
  enabled: maybe
  secret: {credential: a, file: b}
  settings: {name: x, deep: {privateKey: canary-in-clear}}
  lifecycle: {adopt: sometimes}
---
apiVersion: provisor.dev/v1alpha1
kind: Devce
metadata: {name: d}
spec: {}
---
apiVersion: provisor.dev/v1alpha1
kind: Device
metadata: {name: d}
spec: {audience: mqtt, tokenLifespan: 4 hours}
---
apiVersion: provisor.dev/v1alpha1
kind: Device
metadata: {name: d}
spec: {secretTo: {age: {file: x, recipients: [nope]}}}
";
    assert_eq!(
        faults(text),
        [
            "4:13 insecure_url spec.url",
            "4:74 secret_in_clear spec.clientSecret",
            "8:18 invalid_value metadata.name",
            "10:3 unknown_field spec.clientid",
            "11:12 wrong_type spec.enabled",
            "12:11 both_of_one_of spec.secret",
            "13:20 own_field spec.settings.name",
            "13:42 secret_in_clear spec.settings.deep.privateKey",
            "14:22 wrong_value spec.lifecycle.adopt",
            "17:7 unknown_kind kind",
            "24:39 invalid_value spec.tokenLifespan",
            "28:18 duplicate_name metadata.name",
            "29:7 missing_field spec.audience",
            "29:47 invalid_value spec.secretTo.age.recipients[0]",
        ]
    );
    let Faults(all, _) = load(text).unwrap_err();
    assert!(!format!("{all:?}").contains("canary"), "a fault repeats a value");
    let hint = |code: &str| all.iter().find(|fault| fault.code.ends_with(code)).and_then(|fault| fault.hint.clone());
    assert_eq!(hint("unknown_field").as_deref(), Some("did you mean `clientId`?"));
    assert_eq!(hint("unknown_kind").as_deref(), Some("did you mean `Device`?"));
}

/// REC-2: comments, wherever they stand, hide no fault and move no place but by their lines.
#[test]
fn comments_hide_no_fault() {
    let plain = [
        "apiVersion: provisor.dev/v1alpha1",
        "kind: Device",
        "metadata: {name: d}",
        "spec:",
        "  audience: mqtt",
        "  tokenLifespn: 4h",
        "  secretTo:",
        "    age:",
        "      file: x",
        "      recipients:",
        "        - nope",
    ];
    let expected = |line: &dyn Fn(usize) -> usize| {
        [
            format!("{}:3 unknown_field spec.tokenLifespn", line(6)),
            format!("{}:11 invalid_value spec.secretTo.age.recipients[0]", line(11)),
        ]
    };
    let realm = |text: &str| format!("{text}\n---\n{REALM}");
    assert_eq!(faults(&realm(&plain.join("\n"))), expected(&|line| line));
    let trailing: Vec<String> = plain.iter().map(|line| format!("{line} # said")).collect();
    assert_eq!(faults(&realm(&trailing.join("\n"))), expected(&|line| line));
    let between: Vec<String> = plain.iter().map(|line| format!("# yaml-language-server: $schema=x\n{line}")).collect();
    assert_eq!(faults(&realm(&between.join("\n"))), expected(&|line| 2 * line));
    let after = format!("{}\n# the end", realm(&plain.join("\n")));
    assert_eq!(faults(&after), expected(&|line| line));
}

/// REC-2: a document that is at fault itself is looked at beside the others all the same, and nothing is said of what is
/// only not there.
#[test]
fn a_missing_field_hides_no_other_fault() {
    let text = [
        REALM,
        "apiVersion: provisor.dev/v1alpha1\nkind: Hub\nmetadata: {name: h}\nspec: {embedded: {directory: d}}\n---\n",
        "apiVersion: provisor.dev/v1alpha1\nkind: ProvisioningKey\nmetadata: {name: k}\nspec: {farmRef: nope, expiresIn: 0s}\n---\n",
        "apiVersion: provisor.dev/v1alpha1\nkind: Device\nmetadata: {name: Bad_1}\nspec: {audience: mqtt, realmRef: flet}\n---\n",
        "apiVersion: provisor.dev/v1alpha1\nkind: Device\nmetadata: {name: a}\nspec: {clientId: x, grant: other, secretTo: {file: s}}\n---\n",
        "apiVersion: provisor.dev/v1alpha1\nkind: Device\nmetadata: {name: b}\n\
         spec: {audience: mqtt, clientId: x, role: 5, secretTo: {age: {file: ./s, recipients: [nope, 7, nor]}}}\n---\n",
        "apiVersion: provisor.dev/v1alpha1\nkind: Device\nmetadata: {name: c}\nspec: {audience: mqtt, clientId: [x], wifi: {}}\n---\n",
        "apiVersion: provisor.dev/v1alpha1\nkind: Device\nmetadata: {name: c}\nspec: 5\n---\n",
        "apiVersion: provisor.dev/v1alpha1\nkind: KeycloakClient\nmetadata: {name: w}\n\
         spec: {redirectUris: [5], protocolMappers: [{name: m}, {name: m}], optionalScopes: [true, s], defaultScopes: [s]}\n---\n",
    ]
    .concat();
    assert_eq!(
        faults(&text),
        [
            "14:7 missing_field spec.deliverTo",
            "14:17 dangling_reference spec.farmRef",
            "14:34 invalid_value spec.expiresIn",
            "18:18 invalid_value metadata.name",
            "19:34 dangling_reference spec.realmRef",
            "24:7 missing_field spec.audience",
            "24:28 wrong_value spec.grant",
            "29:34 same_object spec.clientId",
            "29:43 wrong_type spec.role",
            "29:87 invalid_value spec.secretTo.age.recipients[0]",
            "29:93 wrong_type spec.secretTo.age.recipients[1]",
            "29:96 invalid_value spec.secretTo.age.recipients[2]",
            "34:34 wrong_type spec.clientId",
            "34:45 missing_field spec.wifi.ssid",
            "34:45 missing_field spec.wifi.passphrase",
            "38:18 duplicate_name metadata.name",
            "39:7 wrong_type spec",
            "44:23 wrong_type spec.redirectUris[0]",
            "44:45 missing_field spec.protocolMappers[0].protocolMapper",
            "44:56 missing_field spec.protocolMappers[1].protocolMapper",
            "44:63 duplicate_name spec.protocolMappers[1].name",
            "44:85 wrong_type spec.optionalScopes[0]",
            "44:91 contradiction spec.optionalScopes[1]",
        ]
    );
}

/// What only stands for something that is missing is no object, no sink, no target, and not twice the same.
#[test]
fn what_is_not_there_is_compared_with_nothing() {
    let text = "\
apiVersion: provisor.dev/v1alpha1
kind: KeycloakRealm
metadata: {name: one}
spec: {clientId: p, clientSecert: {credential: c}}
---
apiVersion: provisor.dev/v1alpha1
kind: KeycloakRealm
metadata: {name: two}
spec: {clientId: p, clientSecret: {credential: c}}
---
apiVersion: provisor.dev/v1alpha1
kind: Device
metadata: {name: a}
spec: {audience: mqtt, realmRef: one}
---
apiVersion: provisor.dev/v1alpha1
kind: Device
metadata: {name: b}
spec: {realmRf: two, audience: other, clientId: a}
---
apiVersion: provisor.dev/v1alpha1
kind: Device
metadata: {}
spec: {audience: mqtt, realmRef: one}
---
apiVersion: provisor.dev/v1alpha1
kind: Device
spec: {audience: mqtt, realmRef: two}
---
apiVersion: provisor.dev/v1alpha1
kind: Device
metadata: {name: c}
spec: {realmRef: {}}
---
apiVersion: provisor.dev/v1alpha1
kind: Hub
metadata: {name: h}
spec: {embeded: {directory: x}}
---
apiVersion: provisor.dev/v1alpha1
kind: Farm
metadata: {name: f}
---
apiVersion: provisor.dev/v1alpha1
kind: ProvisioningKey
metadata: {name: k}
spec: {farmRef: f, deliverTo: {card: {file: x.png}}}
---
apiVersion: provisor.dev/v1alpha1
kind: ProvisioningKey
metadata: {name: l}
spec: {deliverTo: {card: {}}}
";
    assert_eq!(
        faults(text),
        [
            "4:7 missing_field spec.url",
            "4:7 missing_field spec.realm",
            "4:21 unknown_field spec.clientSecert",
            "9:7 missing_field spec.url",
            "9:7 missing_field spec.realm",
            "19:8 unknown_field spec.realmRf",
            "23:11 missing_field metadata.name",
            "26:1 missing_field metadata",
            "33:7 missing_field spec.audience",
            "33:18 wrong_type spec.realmRef",
            "38:8 unknown_field spec.embeded",
            "40:1 missing_field spec",
            "47:45 invalid_value spec.deliverTo.card.file",
            "52:7 missing_field spec.farmRef",
            "52:26 missing_field spec.deliverTo.card.file",
        ]
    );
    let Faults(found, _) = load(text).unwrap_err();
    assert!(found.iter().all(|fault| fault.resource.as_ref().is_none_or(|id| id.name != "?")), "{found:?}");
}

/// What only shows between documents: names, references, objects, sinks, scopes.
#[test]
fn faults_between_documents_have_places_too() {
    let device = |name: &str, spec: &str| {
        format!("apiVersion: provisor.dev/v1alpha1\nkind: Device\nmetadata: {{name: {name}}}\nspec: {{{spec}}}\n---\n")
    };
    let text = [
        REALM.to_owned(),
        device("a", "audience: mqtt, clientId: x, secretTo: {file: s}"),
        device("a", "audience: mqtt"),
        device("b", "audience: mqtt, realmRef: flet"),
        device("c", "audience: mqtt, clientId: x"),
        device("d", "audience: mqtt, secretTo: {file: ./s}"),
        device("e", "audience: other"),
    ]
    .concat();
    assert_eq!(
        faults(&text),
        [
            "13:18 duplicate_name metadata.name",
            "19:34 dangling_reference spec.realmRef",
            "24:34 same_object spec.clientId",
            "29:34 same_sink spec.secretTo",
            "34:18 scope_disagrees spec.audience",
        ]
    );
}

/// Two names for one realm or one hub would be two applies that lock each other out and prune each other's objects.
#[test]
fn two_targets_at_one_place_are_a_fault_of_the_second() {
    let realm = |name: &str, url: &str, more: &str| {
        REALM
            .replace("name: fleet", &format!("name: {name}"))
            .replace("'https://k.example.org'", &format!("'{url}'{more}"))
    };
    let fleet = realm("fleet", "https://k.example.org", "");
    for (url, more, column) in [("https://K.example.org:443/", "", 50), ("https://k.example.org", ", authRealm: m", 59)]
    {
        let found = faults(&format!("{fleet}{}", realm("other", url, more)));
        assert_eq!(found, [format!("9:{column} same_object spec.realm")], "{url}");
    }
    let message =
        load(&format!("{fleet}{}", realm("other", "https://k.example.org", ""))).unwrap_err().0.remove(0).message;
    assert!(message.contains("`KeycloakRealm/fleet`") && message.contains("document 1"), "{message}");
    let elsewhere = realm("other", "https://k.example.org/auth", "");
    let another = realm("third", "https://k.example.org", "").replace("realm: r,", "realm: R,");
    load(&format!("{fleet}{elsewhere}{another}")).unwrap();

    let hub = |name: &str, spec: &str| {
        format!("apiVersion: provisor.dev/v1alpha1\nkind: Hub\nmetadata: {{name: {name}}}\nspec: {{{spec}}}\n---\n")
    };
    let at = |path: &str| format!("embedded: {{directory: {path}}}");
    let hubs = |second: &str| format!("{}{}", hub("one", &at("store")), hub("two", second));
    assert_eq!(faults(&hubs(&at("./x/../store/"))), ["9:30 same_object spec.embedded.directory"]);
    load(&hubs(&at("other"))).unwrap();
    let remote = |name: &str, url: &str| hub(name, &format!("url: '{url}', token: {{credential: t}}"));
    let two = [remote("one", "https://h.example.org"), remote("two", "https://h.example.org/")].concat();
    assert_eq!(faults(&two), ["9:13 same_object spec.url"]);
    // A hub and a realm are never the same, whatever they are called; what lies in them is told apart, too.
    load(&format!("{fleet}{}", hub("fleet", &at("store")))).unwrap();
    let farm = |name: &str| {
        format!(
            "apiVersion: provisor.dev/v1alpha1\nkind: Farm\nmetadata: {{name: {name}}}\n\
             spec: {{farmId: 6b0e8a6e-2f0c-4f4e-8f5c-0b2b3f6c1a11, farmer: {{name: A}}}}\n---\n"
        )
    };
    let twice = format!("{}{fleet}{}{}", hub("fleet", &at("store")), farm("a"), farm("b"));
    assert_eq!(faults(&twice), ["19:16 same_object spec.farmId"]);
}

#[test]
fn a_target_may_be_left_out_when_there_is_exactly_one() {
    let device = "apiVersion: provisor.dev/v1alpha1\nkind: Device\nmetadata: {name: d}\nspec: {audience: mqtt}\n";
    assert_eq!(load(&format!("{REALM}{device}")).unwrap().resources[0].target.as_deref(), Some("fleet"));
    assert_eq!(faults(device), ["4:7 missing_target spec"]);
    let second = REALM.replace("name: fleet", "name: other").replace("realm: r", "realm: s");
    assert_eq!(faults(&format!("{REALM}{second}{device}")), ["14:7 ambiguous_target spec"]);
}

#[test]
fn what_cannot_be_read_is_told_with_its_place() {
    assert_eq!(faults(""), ["0:0 no_documents "]);
    assert_eq!(faults("a: [1\n")[0].split(' ').nth(1), Some("syntax"));
    let Faults(found, _) = manifest::load_text("m.yaml", b"a: b\nc: \xff\xfe\n").unwrap_err();
    assert_eq!(
        (found[0].code.as_str(), found[0].line, found[0].column),
        ("provisor::manifest::invalid_utf8", Some(2), Some(4))
    );
    assert_eq!(faults("apiVersion: v1\nkind: Pod\n"), ["1:13 unknown_api_version apiVersion"]);
    let twice = "apiVersion: provisor.dev/v1alpha1\nkind: Hub\nkind: Hub\nmetadata: {name: h, name: i}\nspec: {embedded: {directory: d}}\n";
    assert_eq!(faults(twice), ["3:1 duplicate_key kind", "4:21 duplicate_key metadata.name"]);
    let Faults(found, _) = manifest::load(&["/nowhere/at/all.yaml".to_owned()]).unwrap_err();
    assert_eq!(found[0].code, "provisor::manifest::unreadable");
}

/// An alias bomb ends quickly and says why.
#[test]
fn an_alias_bomb_is_refused() {
    let mut text = "a0: &a0 [x, x, x, x, x, x, x, x, x, x]\n".to_owned();
    for level in 1..12 {
        text.push_str(&format!("a{level}: &a{level} [{}]\n", vec![format!("*a{}", level - 1); 10].join(", ")));
    }
    assert!(faults(&text)[0].contains("too_large"), "{:?}", faults(&text));
    let deep = format!("a: {}{}", "[".repeat(20_000), "]".repeat(20_000));
    assert_eq!(load(&deep).unwrap_err().0.len(), 1);
}

/// REC-1: where a text belongs, `no`, `014`, `1_000` and a date are texts, quoted or not. What YAML has for a number or a
/// truth value is none, as in the published schema; in quotation marks it is.
#[test]
fn unquoted_text_stays_what_it_is() {
    let client = |spec: &str| {
        format!(
            "{REALM}apiVersion: provisor.dev/v1alpha1\nkind: KeycloakClient\nmetadata: {{name: a}}\nspec: {{{spec}}}\n"
        )
    };
    let loaded = load(&client(
        "description: no, displayName: '5', defaultScopes: [\"1.5\", 007], attributes: {a: 014, b: 1_000, c: yes, d: 2026-11-24, 5: !!str 5}",
    ))
    .unwrap();
    let document = loaded.resources[0].to_document();
    let spec = &document["spec"];
    assert_eq!((&spec["description"], &spec["displayName"]), (&json!("no"), &json!("5")));
    assert_eq!(spec["defaultScopes"], json!(["1.5", "007"]));
    assert_eq!(spec["attributes"], json!({"a": "014", "b": "1_000", "c": "yes", "d": "2026-11-24", "5": "5"}));
    let bad = client(
        "description: true, displayName: 5, webOrigins: [a, 0x1f], secretTo: {file: 5}, attributes: {access.token.lifespan: 900}",
    );
    assert_eq!(
        faults(&bad),
        [
            "9:21 wrong_type spec.description",
            "9:40 wrong_type spec.displayName",
            "9:59 wrong_type spec.webOrigins[1]",
            "9:83 wrong_type spec.secretTo.file",
            "9:123 wrong_type spec.attributes[\"access.token.lifespan\"]",
        ]
    );
    let Faults(found, _) = load(&bad).unwrap_err();
    assert!(found.iter().all(|fault| fault.hint.as_deref().is_some_and(|hint| hint.contains("quotation marks"))));
}

/// Keycloak takes a null for "as it is", so that the field would never be as declared.
#[test]
fn a_null_under_settings_is_an_error() {
    let text = format!(
        "{REALM}apiVersion: provisor.dev/v1alpha1\nkind: KeycloakClient\nmetadata: {{name: a}}\n\
         spec: {{settings: {{rootUrl: null, baseUrl: '', deep: {{list: [1, ~], more:  }}}}}}\n"
    );
    assert_eq!(
        faults(&text),
        [
            "9:28 invalid_value spec.settings.rootUrl",
            "9:64 invalid_value spec.settings.deep.list[1]",
            "9:72 invalid_value spec.settings.deep.more",
        ]
    );
    let Faults(found, _) = load(&text).unwrap_err();
    assert!(found.iter().all(|fault| fault.hint.as_deref().is_some_and(|hint| hint.contains("empty text"))));
}

/// What validates and cannot work here, or does nothing yet, is told: each reference with its place, fields once a run.
#[test]
fn what_this_version_cannot_use_is_warned_of() {
    let device = |name: &str, spec: &str| {
        format!(
            "apiVersion: provisor.dev/v1alpha1\nkind: Device\nmetadata: {{name: {name}}}\nspec: {{audience: mqtt, {spec}}}\n---\n"
        )
    };
    let key = "{secretKeyRef: {name: n, key: k}}";
    let text = [
        REALM.to_owned(),
        device("a", &format!("secret: {key}, mqttUrl: 'mqtts://b'")),
        device("b", &format!("secretTo: {key}, rotation: {{maxAge: 90d}}, mqttUrl: 'mqtts://b'")),
        device("c", "secretTo: {file: c}"),
    ]
    .concat();
    let warned = |text: &str| -> Vec<String> {
        let warnings = load(text).unwrap().warnings;
        let shown = |warning: &provisor::diagnostic::Diagnostic| {
            let place = warning.line.map(|line| format!("{line}:{} ", warning.column.unwrap())).unwrap_or_default();
            format!("{place}{}: {}", warning.code, warning.message)
        };
        warnings.iter().map(shown).collect()
    };
    let operator = "is a key of a Kubernetes Secret, which only an operator can use";
    assert_eq!(
        warned(&text),
        [
            format!("9:32 provisor::manifest::operator_only: `spec.secret` {operator}"),
            format!("14:34 provisor::manifest::operator_only: `spec.secretTo` {operator}"),
            "provisor::device::not_yet: of devices, `mqttUrl`, `rotation` is read and checked, and has no effect yet"
                .to_owned(),
        ]
    );
    assert!(warned(&format!("{REALM}{}", device("c", "secretTo: {file: c}"))).is_empty());
    let Faults(_, warnings) = load(&text.replace("metadata: {name: c}", "metadata: {name: a}")).unwrap_err();
    assert_eq!(warnings.len(), 3, "a fault hides no warning");
}

/// A duration of the right form that no clock can count is named as one, wherever it stands.
#[test]
fn a_duration_that_is_too_long_is_told_where_it_stands() {
    let endless = "99999999999999999999d";
    let device = format!(
        "apiVersion: provisor.dev/v1alpha1\nkind: Device\nmetadata: {{name: d}}\nspec:\n  audience: mqtt\n  \
         tokenLifespan: {endless}\n  rotation: {{maxAge: {endless}, timeout: 300000000000000d}}\n"
    );
    let farm = format!(
        "---\napiVersion: provisor.dev/v1alpha1\nkind: Hub\nmetadata: {{name: h}}\nspec: {{embedded: {{directory: d}}}}\n---\n\
         apiVersion: provisor.dev/v1alpha1\nkind: Farm\nmetadata: {{name: f}}\n\
         spec: {{farmer: {{name: A}}, certificate: {{lifetime: {endless}}}}}\n---\n\
         apiVersion: provisor.dev/v1alpha1\nkind: ProvisioningKey\nmetadata: {{name: k}}\n\
         spec: {{farmRef: f, expiresIn: {endless}, deliverTo: {{file: k}}}}\n"
    );
    let text = format!("{REALM}{device}{farm}");
    assert_eq!(
        faults(&text),
        [
            "11:18 invalid_value spec.tokenLifespan",
            "12:22 invalid_value spec.rotation.maxAge",
            "12:54 invalid_value spec.rotation.timeout",
            "22:51 invalid_value spec.certificate.lifetime",
            "27:31 invalid_value spec.expiresIn",
        ]
    );
    let Faults(found, _) = load(&text).unwrap_err();
    assert!(found.iter().all(|fault| fault.hint.is_some() && fault.message.ends_with("is too long")), "{found:?}");
}

/// Folders: what is ours in any depth, dot folders and foreign documents left out, each file once.
#[test]
fn a_folder_yields_what_is_ours() {
    let folder = tempfile::tempdir().unwrap();
    let write = |name: &str, text: &str| {
        let path = folder.path().join(name);
        std::fs::create_dir_all(path.parent().unwrap()).unwrap();
        std::fs::write(path, text).unwrap();
    };
    write("realm.yaml", REALM);
    write(
        "deep/er/client.json",
        r#"{"apiVersion":"provisor.dev/v1alpha1","kind":"KeycloakClient","metadata":{"name":"a"},"spec":{"secretTo":{"file":"s"},"displayName":"\ud83d\ude00"}}"#,
    );
    write("pod.yml", "apiVersion: v1\nkind: Pod\n");
    write(".git/hidden.yaml", "not: [yaml");
    write("notes.txt", "nothing");
    std::os::unix::fs::symlink(folder.path(), folder.path().join("deep/loop")).unwrap();
    let loaded = manifest::load(&[folder.path().display().to_string()]).unwrap();
    assert_eq!((loaded.targets.len(), loaded.resources.len(), loaded.skipped), (1, 1, 1));
    let spec = loaded.resources[0].to_document()["spec"].clone();
    assert_eq!(spec["displayName"], "\u{1f600}");
    let sink = folder.path().join("deep/er/s");
    assert_eq!(Path::new(spec["secretTo"]["file"].as_str().unwrap()), sink, "relative to the file that names it");
    let named = folder.path().join("pod.yml").display().to_string();
    assert!(manifest::load(&[named]).is_err(), "a foreign document in a file named directly");
}

/// A fault in JSON has the place that it has in the text, also where the document is no YAML.
#[test]
fn faults_in_json_have_their_place() {
    let text = "{\n\t\"apiVersion\": \"provisor.dev/v1alpha1\",\n\t\"kind\": \"Hub\",\n\t\"metadata\": {\"name\": \"h\"},\n\t\"spec\": {\"embeded\": {}}\n}";
    let Faults(found, _) = manifest::load_text("m.json", text.as_bytes()).unwrap_err();
    assert_eq!((found[0].code.as_str(), found[0].line), ("provisor::manifest::unknown_field", Some(5)));
    let Faults(found, _) = manifest::load_text("m.json", b"{\"a\": 1,}").unwrap_err();
    assert!(found.iter().any(|fault| fault.code == "provisor::manifest::syntax" && fault.line == Some(1)), "{found:?}");
}

fn client() -> impl Strategy<Value = Value> {
    let text = "[ -~\u{e4}\u{1f600}]{0,12}";
    let map = prop::collection::btree_map("[a-z.]{1,8}", text, 0..3);
    (text, any::<bool>(), prop::collection::vec("[a-z0-9]{1,6}", 0..3), map).prop_map(
        |(name, enabled, scopes, attributes)| {
            let attributes: serde_json::Map<String, Value> = attributes
                .into_iter()
                .filter(|(key, _)| !key.contains("secret") && !key.contains("key"))
                .map(|(k, v)| (k, json!(v)))
                .collect();
            json!({"displayName": name, "enabled": enabled, "defaultScopes": scopes, "attributes": attributes})
        },
    )
}

proptest! {
    /// REC-1: YAML, JSON and a `List` of the same say the same.
    #[test]
    fn all_forms_say_the_same(specs in prop::collection::vec(client(), 1..4)) {
        let mut documents = vec![json!({"apiVersion": "provisor.dev/v1alpha1", "kind": "KeycloakRealm", "metadata": {"name": "r"},
            "spec": {"url": "https://k.example.org", "realm": "r", "clientId": "p", "clientSecret": {"credential": "c"}}})];
        for (number, spec) in specs.iter().enumerate() {
            documents.push(json!({"apiVersion": "provisor.dev/v1alpha1", "kind": "KeycloakClient",
                "metadata": {"name": format!("c{number}")}, "spec": spec}));
        }
        let said = |loaded: Manifests| -> Vec<Value> { loaded.resources.iter().map(manifest::Declared::to_document).collect() };
        let yaml = said(load(&manifest::emit::to_yaml(&documents)).unwrap());
        let list = said(manifest::from_documents(&documents).unwrap());
        prop_assert_eq!(&yaml, &list);
        for (document, spec) in yaml.iter().zip(&specs) {
            prop_assert_eq!(&document["spec"]["displayName"], &spec["displayName"]);
            let attributes = if spec["attributes"] == json!({}) { &Value::Null } else { &spec["attributes"] };
            prop_assert_eq!(&document["spec"]["attributes"], attributes);
        }
    }

    /// Whatever the bytes, there is an answer.
    #[test]
    fn no_bytes_panic(bytes in prop::collection::vec(any::<u8>(), 0..200), head in any::<bool>()) {
        let mut text = if head { b"apiVersion: provisor.dev/v1alpha1\nkind: Device\nspec:\n  ".to_vec() } else { Vec::new() };
        text.extend(bytes);
        drop(manifest::load_text("m.yaml", &text));
        drop(manifest::load_text("m.json", &text));
    }
}
