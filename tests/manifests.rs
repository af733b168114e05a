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
            "29:7 missing_field spec.audience",
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

#[test]
fn a_target_may_be_left_out_when_there_is_exactly_one() {
    let device = "apiVersion: provisor.dev/v1alpha1\nkind: Device\nmetadata: {name: d}\nspec: {audience: mqtt}\n";
    assert_eq!(load(&format!("{REALM}{device}")).unwrap().resources[0].target.as_deref(), Some("fleet"));
    assert_eq!(faults(device), ["4:7 missing_target spec"]);
    let second = REALM.replace("name: fleet", "name: other");
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

/// Text is text, however it is written: `no`, `5` and `014` are what they look like (REC-1).
#[test]
fn unquoted_text_stays_what_it_is() {
    let text = format!(
        "{REALM}apiVersion: provisor.dev/v1alpha1\nkind: KeycloakClient\nmetadata: {{name: a}}\nspec:\n  description: no\n  \
         displayName: 5\n  attributes: {{a: 014, b: 1_000, c: yes}}\n"
    );
    let loaded = load(&text).unwrap();
    let document = loaded.resources[0].to_document();
    let spec = &document["spec"];
    assert_eq!((&spec["description"], &spec["displayName"]), (&json!("no"), &json!("5")));
    assert_eq!(spec["attributes"], json!({"a": "014", "b": "1_000", "c": "yes"}));
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
