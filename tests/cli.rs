//! The command line as scripts and people meet it: exit codes, what goes to which stream, and the words.

#![expect(clippy::unwrap_used, clippy::panic, reason = "clippy's allowances for tests do not reach helper functions")]

use std::io::Write as _;
use std::os::unix::fs::PermissionsExt as _;
use std::path::Path;
use std::process::{Command, Stdio};
use std::time::{Duration, Instant};

use insta::assert_snapshot;
use serde_json::Value;

/// What a run left behind.
struct Run {
    code: Option<i32>,
    out: String,
    err: String,
}

impl Run {
    fn json(&self) -> Value {
        serde_json::from_str(&self.out).unwrap_or_else(|error| panic!("{error}: {:?}; {}", self.out, self.err))
    }

    fn first_code(&self) -> String {
        self.json()["errors"][0]["code"].as_str().unwrap().to_owned()
    }
}

/// Runs provisor in `folder`, with nothing on standard input and no terminal.
fn provisor(folder: &Path, arguments: &[&str]) -> Run {
    provisor_with(folder, arguments, "")
}

fn command(folder: &Path, arguments: &[&str]) -> Command {
    let mut command = Command::new(env!("CARGO_BIN_EXE_provisor"));
    command.args(arguments).current_dir(folder);
    command.env_clear().env("XDG_RUNTIME_DIR", folder.join("run")).env("RUST_LOG", "trace");
    command.stdin(Stdio::piped()).stdout(Stdio::piped()).stderr(Stdio::piped());
    command
}

fn provisor_with(folder: &Path, arguments: &[&str], input: &str) -> Run {
    let mut child = command(folder, arguments).spawn().unwrap();
    // A program that does not read its input may be gone already.
    drop(child.stdin.take().unwrap().write_all(input.as_bytes()));
    let output = child.wait_with_output().unwrap();
    Run {
        code: output.status.code(),
        out: String::from_utf8(output.stdout).unwrap(),
        err: String::from_utf8(output.stderr).unwrap(),
    }
}

/// A folder with an embedded hub, a farm and a key, which need no server.
fn farm() -> tempfile::TempDir {
    let folder = tempfile::tempdir().unwrap();
    write(folder.path(), "farm.yaml", FARM);
    folder
}

fn write(folder: &Path, name: &str, text: &str) {
    let path = folder.join(name);
    std::fs::create_dir_all(path.parent().unwrap()).unwrap();
    std::fs::write(path, text).unwrap();
}

const FARM: &str = "\
apiVersion: provisor.dev/v1alpha1
kind: Hub
metadata: {name: home}
spec: {embedded: {directory: hub}}
---
apiVersion: provisor.dev/v1alpha1
kind: Farm
metadata: {name: meadow}
spec: {farmer: {name: Ada}}
---
apiVersion: provisor.dev/v1alpha1
kind: ProvisioningKey
metadata: {name: gateway}
spec: {farmRef: meadow, deliverTo: {file: key.txt}}
";

const REALM: &str = "\
apiVersion: provisor.dev/v1alpha1
kind: KeycloakRealm
metadata: {name: fleet}
spec: {url: \"http://127.0.0.1:1\", realm: fleet, clientId: provisor, clientSecret: {env: NOBODY_SETS_THIS}}
---
";

#[test]
fn a_wrong_command_line_is_64_and_help_is_0() {
    let folder = farm();
    for (arguments, code) in [
        (&[][..], 64),
        (&["fly"], 64),
        (&["plan"], 64),
        (&["plan", "-f", "farm.yaml", "-o", "xml"], 64),
        (&["plan", "-f", "farm.yaml", "--max-delete", "ten", "--prune"], 64),
        (&["plan", "-f", "farm.yaml", "--out", "plan.json", "--without-secrets"], 64),
        (&["plan", "-f", "farm.yaml", "--only", "Farmer/meadow"], 64),
        (&["plan", "-f", "farm.yaml", "--parallelism", "0"], 64),
        (&["plan", "-f", "farm.yaml", "--wait", "soon"], 64),
        (&["apply"], 64),
        (&["apply", "plan.json", "-f", "farm.yaml"], 64),
        (&["apply", "plan.json", "--prune"], 64),
        (&["apply", "plan.json", "--owner", "me"], 64),
        (&["diff", "-", "-"], 64),
        (&["keycloak"], 64),
        (&["--help"], 0),
        (&["plan", "--help"], 0),
        (&["help", "apply"], 0),
        (&["--version"], 0),
    ] {
        let run = provisor(folder.path(), arguments);
        assert_eq!(run.code, Some(code), "{arguments:?}: {}{}", run.out, run.err);
        assert_eq!(run.out.is_empty(), code == 64, "{arguments:?}: results to standard output, faults elsewhere");
        assert_eq!(run.err.is_empty(), code == 0, "{arguments:?}");
    }
    assert!(!folder.path().join("hub").exists(), "a wrong command line touches nothing");
}

#[test]
fn a_wrong_command_line_is_one_document_where_json_is_asked_for() {
    let folder = farm();
    let run = provisor(folder.path(), &["plan", "-o", "json"]);
    assert_eq!((run.code, run.first_code().as_str()), (Some(64), "provisor::usage"));
    assert_snapshot!(run.json()["errors"][0]["message"].as_str().unwrap(), @r"
    the following required arguments were not provided: --file <PATH>
    ");
    let arguments = ["plan", "-f", "farm.yaml", "--out", "plan.json", "--without-secrets", "--output=json"];
    assert_eq!(provisor(folder.path(), &arguments).first_code(), "provisor::usage");
    write(folder.path(), "plan.json", "{}");
    assert_eq!(
        provisor(folder.path(), &["apply", "plan.json", "--owner", "me", "-ojson"]).first_code(),
        "provisor::usage"
    );
}

#[test]
fn plan_apply_plan() {
    let folder = farm();
    let at = |arguments: &[&str]| provisor(folder.path(), arguments);
    let run = at(&["plan", "-f", "farm.yaml"]);
    assert_snapshot!(run.out, @r#"
    home
      + Farm/meadow
          displayName: "meadow"
          farmer.name: "Ada"
      + ProvisioningKey/gateway
          farmRef:   "meadow"
          expiresIn: "1d"
          deliverTo: (secret, absent: will be written)

    Plan: 2 to create.
    "#);
    assert_eq!((run.code, run.err.as_str()), (Some(0), ""));
    assert_eq!(at(&["plan", "-f", "farm.yaml", "--detailed-exitcode"]).code, Some(2));
    assert!(!folder.path().join("hub").exists(), "a plan writes nothing");

    let run = at(&["apply", "-f", "farm.yaml"]);
    assert_eq!(run.code, Some(1));
    assert_snapshot!(run.err, @r"
    error: there is nobody to confirm the plan; nothing was written
      hint: answer `yes`, or run with `--yes`
      code: provisor::apply::not_confirmed
    ");
    let run = at(&["apply", "-f", "farm.yaml", "-o", "json"]);
    assert_eq!((run.code, run.first_code().as_str()), (Some(1), "provisor::apply::not_confirmed"));
    assert!(!folder.path().join("key.txt").exists(), "not confirmed, not applied");

    let run = at(&["apply", "-f", "farm.yaml", "--yes", "-o", "json"]);
    assert_eq!((run.code, run.err.as_str()), (Some(0), ""));
    let report = run.json();
    assert_eq!(report["format"], "provisor.dev/report/v1");
    assert_eq!(report["changes"].as_array().unwrap().iter().filter(|change| change["outcome"] == "applied").count(), 2);

    let run = at(&["plan", "-f", "farm.yaml", "--detailed-exitcode"]);
    assert_eq!((run.code, run.out.as_str()), (Some(0), "Plan: no changes, 2 unchanged.\n"));
    let run = at(&["apply", "-f", "farm.yaml"]);
    assert_eq!(run.code, Some(0), "nothing to do needs no consent: {}", run.err);
    assert!(run.out.ends_with("Applied: nothing to do, 2 unchanged.\n"), "{}", run.out);
}

#[test]
fn every_format_of_a_plan() {
    let folder = farm();
    let plan = provisor(folder.path(), &["plan", "-f", "farm.yaml", "-o", "json"]).json();
    assert_eq!((&plan["format"], &plan["basis"]), (&"provisor.dev/plan/v1".into(), &"observed".into()));
    assert_eq!(plan["summary"]["create"], 2);
    assert!(plan["changes"][0].get("revision").is_none() && plan.get("saved").is_none());
    let markdown = provisor(folder.path(), &["plan", "-f", "farm.yaml", "-o", "markdown"]).out;
    assert!(markdown.starts_with("### Plan: 2 to create.\n"), "{markdown}");
    let coloured = provisor(folder.path(), &["plan", "-f", "farm.yaml", "--color", "always"]).out;
    assert!(coloured.contains("\u{1b}[32m"));
    let json = provisor(folder.path(), &["plan", "-f", "farm.yaml", "--color", "always", "-o", "json"]).out;
    assert!(!json.contains('\u{1b}'));
}

#[test]
fn a_bad_manifest_is_told_in_every_format() {
    let folder = farm();
    write(folder.path(), "farm.yaml", &FARM.replace("farmer:", "farmar:").replace("farmRef: meadow", "farmRef: medow"));
    let run = provisor(folder.path(), &["validate", "-f", "farm.yaml"]);
    assert_eq!((run.code, run.out.as_str()), (Some(1), ""));
    assert_snapshot!(run.err, @r"
    error: `spec` lacks `farmer`
     --> farm.yaml:9:7
      in: Farm/meadow
      at: spec.farmer
      code: provisor::manifest::missing_field

    error: `spec` has no field `farmar`
     --> farm.yaml:9:8
      in: Farm/meadow
      at: spec.farmar
      hint: did you mean `farmer`?
      code: provisor::manifest::unknown_field

    2 errors in 1 file
    ");
    for arguments in [
        &["validate", "-f", "farm.yaml", "-o", "json"][..],
        &["plan", "-f", "farm.yaml", "-o", "json"],
        &["apply", "-f", "farm.yaml", "-o", "json"],
        &["diff", "farm.yaml", "farm.yaml", "-o", "json"],
    ] {
        let run = provisor(folder.path(), arguments);
        let errors = run.json();
        assert_eq!((run.code, &errors["format"]), (Some(1), &"provisor.dev/errors/v1".into()), "{arguments:?}");
        assert!(errors["errors"].as_array().unwrap().len() >= 2, "{arguments:?}: {errors}");
        assert!(errors["errors"][0]["line"].is_u64() && errors["errors"][0]["column"].is_u64(), "{errors}");
    }
    let run = provisor(folder.path(), &["plan", "-f", "farm.yaml", "-o", "markdown"]);
    assert!(run.code == Some(1) && run.out.starts_with("### provisor: "), "{}", run.out);
}

#[test]
fn valid_manifests_are_an_empty_list_of_errors() {
    let folder = farm();
    let run = provisor(folder.path(), &["validate", "-f", "farm.yaml"]);
    assert_eq!((run.code, run.out.as_str()), (Some(0), "Valid: 2 resources, 1 target.\n"));
    let run = provisor_with(folder.path(), &["validate", "-f", "-", "-o", "json"], FARM);
    assert_eq!((run.code, &run.json()["errors"]), (Some(0), &serde_json::json!([])));
}

#[test]
fn a_saved_plan_is_applied_as_it_was_shown_or_not_at_all() {
    let folder = farm();
    let at = |arguments: &[&str]| provisor(folder.path(), arguments);
    let run = at(&["plan", "-f", "farm.yaml", "--out", "plan.json"]);
    assert_eq!(run.code, Some(0), "{}", run.err);
    assert!(run.err.contains("provisor apply plan.json"), "{}", run.err);
    let mode = std::fs::metadata(folder.path().join("plan.json")).unwrap().permissions().mode();
    assert_eq!(mode & 0o777, 0o600);

    // The manifests are in the plan, with absolute paths: it is applied from anywhere.
    std::fs::rename(folder.path().join("farm.yaml"), folder.path().join("elsewhere.yaml")).unwrap();
    let elsewhere = tempfile::tempdir().unwrap();
    let plan = folder.path().join("plan.json");
    let run = provisor(elsewhere.path(), &["apply", plan.to_str().unwrap(), "--yes", "-o", "json"]);
    assert_eq!(run.code, Some(0), "{}{}", run.out, run.err);
    assert!(folder.path().join("key.txt").exists());

    // Applied again, it is not what was shown any more, and every object that moved is named.
    let run = at(&["apply", "plan.json", "--yes", "-o", "json"]);
    assert_eq!((run.code, run.first_code().as_str()), (Some(1), "provisor::plan::stale"), "{}", run.err);
    let errors = run.json();
    let named: Vec<_> = errors["errors"].as_array().unwrap().iter().map(|error| &error["resource"]["name"]).collect();
    assert_eq!(named, ["meadow", "gateway"]);
    assert_snapshot!(at(&["apply", "plan.json", "--yes"]).err, @r"
    error: `Farm/meadow` is not as the plan saw it; nothing was applied
      in: Farm/meadow
      hint: make a new plan and look at it
      code: provisor::plan::stale

    error: `ProvisioningKey/gateway` is not as the plan saw it; nothing was applied
      in: ProvisioningKey/gateway
      hint: make a new plan and look at it
      code: provisor::plan::stale

    2 errors
    ");
}

#[test]
fn what_is_no_saved_plan_is_told_from_one() {
    let folder = farm();
    let at = |arguments: &[&str]| provisor(folder.path(), arguments);
    write(folder.path(), "printed.json", &at(&["plan", "-f", "farm.yaml", "-o", "json"]).out);
    for (file, hint) in [("farm.yaml", "manifests are named with `-f`"), ("printed.json", "`--out PLAN` saves one")] {
        let run = at(&["apply", file, "--yes", "-o", "json"]);
        assert_eq!((run.code, run.first_code().as_str()), (Some(1), "provisor::plan::not_saved"), "{file}");
        assert!(run.json()["errors"][0]["hint"].as_str().unwrap().contains(hint), "{file}: {}", run.out);
    }
    assert_eq!(at(&["apply", "nothing.json", "-o", "json"]).first_code(), "provisor::plan::file");
}

#[test]
fn a_resource_that_is_nowhere_is_warned_of() {
    let folder = farm();
    let run = provisor(folder.path(), &["plan", "-f", "farm.yaml", "--only", "Farm/medow"]);
    assert_eq!(run.code, Some(0));
    assert!(
        run.err.contains("provisor::plan::only_unknown") && run.out == "Plan: no changes.\n",
        "{}{}",
        run.out,
        run.err
    );
}

#[test]
fn two_revisions_are_compared_with_nothing_contacted() {
    let folder = tempfile::tempdir().unwrap();
    let client = |name: &str, spec: &str| {
        format!(
            "apiVersion: provisor.dev/v1alpha1\nkind: KeycloakClient\nmetadata: {{name: {name}}}\nspec: {spec}\n---\n"
        )
    };
    let old = [
        client(
            "grafana",
            "{redirectUris: [https://a, https://b], secret: {env: A}, attributes: {a.b: x}, secretTo: {file: g}}",
        ),
        client("same", "{}"),
        client("gone", "{}"),
    ];
    let new = [
        client(
            "grafana",
            "{redirectUris: [https://c, https://b], secret: {env: B}, enabled: false, secretTo: {file: g}}",
        ),
        client("same", "{enabled: true, clientId: same, public: false, realmRef: fleet, lifecycle: {adopt: never}}"),
        client("fresh", "{protocolMappers: [{name: aud, protocolMapper: oidc-audience-mapper, config: {x: y}}]}"),
    ];
    write(folder.path(), "old/all.yaml", &format!("{REALM}{}", old.join("")));
    write(folder.path(), "new/all.yaml", &format!("{REALM}{}", new.join("")));
    let run = provisor(folder.path(), &["diff", "old", "new", "--detailed-exitcode"]);
    assert_eq!((run.code, run.err.as_str()), (Some(2), ""));
    assert_snapshot!(run.out, @r#"
      + KeycloakClient/fresh
          protocolMappers[aud]: {config: {x: "y"}, protocolMapper: "oidc-audience-mapper"}
      ~ KeycloakClient/grafana
          attributes["a.b"]: - "x"
          enabled:           true -> false
          redirectUris:      - "https://a"
                             + "https://c"
          secret:            (secret, changed)
      - KeycloakClient/gone  (no longer declared; `--prune` deletes it)

    Manifests were compared with manifests; no target was looked at.
    Diff: 1 to create, 1 to update, 1 to delete, 1 unchanged.
    "#);
    let plan = provisor(folder.path(), &["diff", "old", "new", "-o", "json"]).json();
    assert_eq!((&plan["basis"], &plan["changes"][0]["target"]), (&"declared".into(), &Value::Null));
    let secret =
        plan["changes"][0]["fields"].as_array().unwrap().iter().find(|field| field["path"] == "secret").unwrap();
    assert_eq!(
        secret,
        &serde_json::json!(
        {"path": "secret", "before": null, "after": null, "sensitive": true, "reason": "changed"})
    );
    assert_eq!(provisor(folder.path(), &["diff", "old", "old", "--detailed-exitcode"]).code, Some(0));
}

#[test]
fn a_target_that_does_not_answer_is_unknown_and_the_run_fails() {
    let folder = tempfile::tempdir().unwrap();
    let client = "apiVersion: provisor.dev/v1alpha1\nkind: KeycloakClient\nmetadata: {name: grafana}\nspec: {}\n";
    write(folder.path(), "all.yaml", &format!("{REALM}{client}"));
    let run = provisor(folder.path(), &["plan", "-f", "all.yaml", "-o", "json", "--detailed-exitcode"]);
    assert_eq!((run.code, &run.json()["changes"][0]["action"]), (Some(1), &"unknown".into()));
    assert_snapshot!(provisor(folder.path(), &["plan", "-f", "all.yaml"]).out, @r"
    fleet
      ? KeycloakClient/grafana
          error: the environment variable `NOBODY_SETS_THIS` does not exist
          code: provisor::secret::missing

    Plan: 1 unknown.
    ");
}

#[test]
fn an_interrupt_ends_the_wait_for_a_silent_target() {
    let folder = tempfile::tempdir().unwrap();
    let silent = std::net::TcpListener::bind("127.0.0.1:0").unwrap();
    let port = silent.local_addr().unwrap().port();
    let client = "apiVersion: provisor.dev/v1alpha1\nkind: KeycloakClient\nmetadata: {name: grafana}\nspec: {}\n";
    let realm = REALM.replace("127.0.0.1:1", &format!("127.0.0.1:{port}"));
    write(folder.path(), "all.yaml", &format!("{realm}{client}"));
    let mut child = command(folder.path(), &["plan", "-f", "all.yaml", "-o", "json", "--wait", "60s"]);
    let child = child.env("NOBODY_SETS_THIS", "a-secret-of-this-test").spawn().unwrap();
    let started = Instant::now();
    let (_connection, _) = silent.accept().unwrap();
    let id = rustix::process::Pid::from_child(&child);
    rustix::process::kill_process(id, rustix::process::Signal::INT).unwrap();
    let output = child.wait_with_output().unwrap();
    assert!(started.elapsed() < Duration::from_secs(10));
    assert_eq!(output.status.code(), Some(1));
    let errors: Value = serde_json::from_slice(&output.stdout).unwrap();
    assert_eq!(errors["errors"][0]["code"], "provisor::interrupted");
}

#[test]
fn logs_are_ours_and_go_to_standard_error() {
    let folder = farm();
    let arguments = ["apply", "-f", "farm.yaml", "--yes", "-o", "json", "-vvv", "--log-format", "json"];
    let run = provisor(folder.path(), &arguments);
    assert_eq!(run.json()["format"], "provisor.dev/report/v1");
    assert!(run.err.contains("wrote `Farm/") && run.err.contains("TRACE"), "{}", run.err);
    for line in run.err.lines() {
        let line: Value = serde_json::from_str(line).unwrap_or_else(|_| panic!("no line of JSON: {line}"));
        let (target, level) = (line["target"].as_str().unwrap(), line["level"].as_str().unwrap());
        assert!(target.starts_with("provisor") || matches!(level, "WARN" | "ERROR"), "{line}");
    }
    let key = std::fs::read_to_string(folder.path().join("key.txt")).unwrap();
    assert!(!run.err.contains(&key) && !run.out.contains(&key));
}

#[test]
fn a_reader_that_hangs_up_is_no_failure() {
    let folder = farm();
    let mut child = command(folder.path(), &["plan", "-f", "farm.yaml"]).spawn().unwrap();
    drop(child.stdout.take());
    let output = child.wait_with_output().unwrap();
    assert_eq!((output.status.code(), output.stderr.len()), (Some(0), 0));
}

#[test]
fn the_help_teaches() {
    let folder = farm();
    let help = provisor(folder.path(), &["plan", "--help"]).out;
    assert_snapshot!(help, @r"
    Show what an apply would do; writes nothing

    Usage: provisor plan [OPTIONS] --file <PATH>

    Options:
      -f, --file <PATH>
              A manifest, a folder of them, or `-` for standard input; may be repeated

      -o, --output <FORMAT>
              How the plan is printed

              Possible values:
              - text:     For a terminal
              - json:     One document, in a documented and versioned format
              - markdown: For a pull-request comment
              
              [default: text]

          --adopt
              Take over objects that are there already and that nobody owns

          --out <PLAN>
              Save the plan for `provisor apply PLAN`; it holds no secret

          --detailed-exitcode
              Exit with 2 where there are changes

          --prune
              Remove what this owner manages and no manifest declares any more

          --max-delete <N|N%>
              Remove nothing where pruning would remove more than this: a number, or a part of what is
              owned [default: 10%, at least 1]

          --without-secrets
              Resolve no secret but those that targets need to be read; the others are not compared

      -h, --help
              Print help (see a summary with '-h')

      -V, --version
              Print version

    Common options:
          --only <KIND/NAME>
              Look at this resource only, such as `Device/sensor-01`; may be repeated

          --wait <DURATION>
              How long to wait for a target to answer, such as `60s`
              
              [default: 0s]

          --owner <NAME>
              Who marks what it manages [default: `default`]

          --credentials-dir <DIR>
              The folder of `credential` secrets; default: `$CREDENTIALS_DIRECTORY`, which systemd sets

          --parallelism <N>
              How many requests one target sees at a time
              
              [default: 8]

          --color <WHEN>
              When to use colours; `NO_COLOR` counts, too

              Possible values:
              - auto:   On a terminal
              - always: Also where the output is no terminal
              - never:  Nowhere
              
              [default: auto]

          --log-format <FORMAT>
              How log lines are written (to standard error)

              Possible values:
              - text: For people
              - json: One JSON object a line
              
              [default: text]

      -v, --verbose...
              Say more: unchanged resources, all fields, timings; `-vv` and `-vvv` log more

    Examples:
      provisor plan -f manifests
      provisor plan -f manifests -f extra.yaml --only Device/sensor-01
      provisor plan -f manifests --without-secrets -o markdown      on a pull-request runner
      provisor plan -f manifests --out plan.json && provisor apply plan.json

    Symbols: + create, ~ update, - delete, > adopt, o orphan (owned, no longer declared), ! conflict,
    ? unknown (could not be read), = unchanged.

    Exit codes: 0 planned; 1 something is in the way (a conflict, a target that could not be read, a bad
    manifest); 2 only with `--detailed-exitcode`: there are changes.
    ");
}

#[test]
fn completions_and_the_manual_know_every_command() {
    let folder = farm();
    let manual = provisor(folder.path(), &["man"]).out;
    for command in ["plan", "apply", "validate", "diff", "import", "schema", "keycloak doctor", "completions", "man"] {
        assert!(manual.contains(&format!("COMMAND PROVISOR {}", command.to_uppercase())), "{command}");
    }
    for shell in ["bash", "zsh", "fish", "elvish", "powershell"] {
        let script = provisor(folder.path(), &["completions", shell]).out;
        assert!(script.contains("validate") && script.contains("doctor"), "{shell}");
    }
}
