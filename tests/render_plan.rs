//! Plans and reports as people see them: text, Markdown, JSON. The plans are made up; nothing is contacted.

use insta::assert_snapshot;
use provisor::cli::render::{self, Layout};
use provisor::diagnostic::{Problem, Warning};
use provisor::id::ResourceId;
use provisor::reconcile::plan::{Action, Basis, Change, FieldChange, Outcome, Plan, REPORT_FORMAT, Reason};
use serde_json::{Value, json};

const LAYOUT: Layout = Layout { verbose: false, width: 100 };

fn plain(text: &str) -> String {
    anstream::adapter::strip_str(text).to_string()
}

fn change(kind: &str, name: &str, target: &str, action: Action) -> Change {
    Change::new(ResourceId::new(kind, name), Some(target.to_owned()), action)
}

fn with(mut change: Change, fields: Vec<FieldChange>) -> Change {
    change.fields = fields;
    change
}

fn conflict(name: &str) -> Change {
    let mut change = change("KeycloakClient", name, "fleet", Action::Conflict);
    let message = format!("`{name}` exists already and nobody owns it; adoption would change `redirectUris`");
    let hint = "take it over with `--adopt`, or with `lifecycle: {adopt: always}` in the manifest";
    change.error = Some(Problem::new("provisor::plan::conflict", message).with_hint(hint));
    change
}

/// One of everything.
fn mixed() -> Plan {
    let grafana = with(
        change("KeycloakClient", "grafana", "fleet", Action::Update),
        vec![
            FieldChange::plain("displayName", "Grafana", "Grafana (production)"),
            FieldChange::plain("description", Value::Null, "Dashboards"),
            FieldChange::plain(
                "redirectUris",
                json!(["https://grafana.example.org/*", "https://old.example.org/*"]),
                json!(["https://grafana.example.org/*", "https://new.example.org/*"]),
            ),
            FieldChange::plain("attributes[\"access.token.lifespan\"]", "900", "1800"),
            FieldChange::plain("protocolMappers[aud]", json!({"protocolMapper": "oidc-audience-mapper"}), Value::Null),
            FieldChange::secret("secret", Reason::Changed),
        ],
    );
    let sensor = with(
        change("Device", "sensor-01", "fleet", Action::Create),
        vec![
            FieldChange::plain("audience", Value::Null, "farm-backend"),
            FieldChange::plain("tokenLifespan", Value::Null, "4h"),
            FieldChange::secret("secret", Reason::Absent),
        ],
    );
    let mut rotated = with(
        change("Device", "sensor-02", "fleet", Action::None),
        vec![FieldChange::secret("secret", Reason::Rotated)],
    );
    rotated
        .warnings
        .push(Warning::new("provisor::secret::short", "the secret of `sensor-02` is shorter than 20 characters"));
    let mut orphan = change("KeycloakClient", "old-portal", "fleet", Action::Orphan);
    orphan.message = Some("no manifest declares `old-portal` any more; `--prune` deletes it".to_owned());
    let mut unknown = change("Farm", "north-meadow", "home", Action::Unknown);
    unknown.error =
        Some(Problem::new("provisor::hub::remote", "the hub `home` did not answer").with_hint("is the hub running?"));
    let mut changes = vec![grafana, sensor, rotated, orphan, conflict("legacy"), conflict("wiki"), unknown];
    changes.push(change("KeycloakClient", "portal", "fleet", Action::Adopt));
    changes.push(change("KeycloakClient", "retired", "fleet", Action::Delete));
    changes.extend((0..996).map(|number| change("Device", &format!("dev-{number:04}"), "fleet", Action::None)));
    Plan::new(Basis::Observed, "default", changes)
}

fn fleet(action: Action, fields: &[FieldChange]) -> Plan {
    let changes =
        (0..1000).map(|number| with(change("Device", &format!("dev-{number:04}"), "fleet", action), fields.to_vec()));
    Plan::new(Basis::Observed, "default", changes.collect())
}

#[test]
fn a_plan_shows_each_change_field_by_field() {
    assert_snapshot!(plain(&render::plan(&mixed(), LAYOUT)), @r#"
    fleet
      = Device/sensor-02
          secret: (secret, rotated by its holder: kept)
          warning: the secret of `sensor-02` is shorter than 20 characters (provisor::secret::short)
      + Device/sensor-01
          audience:      "farm-backend"
          tokenLifespan: "4h"
          secret:        (secret, absent: will be written)
      > KeycloakClient/portal
      ~ KeycloakClient/grafana
          displayName:                         "Grafana" -> "Grafana (production)"
          description:                         + "Dashboards"
          redirectUris:                        - "https://old.example.org/*"
                                               + "https://new.example.org/*"
          attributes["access.token.lifespan"]: "900" -> "1800"
          protocolMappers[aud]:                - {protocolMapper: "oidc-audience-mapper"}
          secret:                              (secret, changed)
      - KeycloakClient/retired
      o KeycloakClient/old-portal  (no manifest declares `old-portal` any more; `--prune` deletes it)
      ! KeycloakClient/legacy
          error: `legacy` exists already and nobody owns it; adoption would change `redirectUris`
      ! KeycloakClient/wiki
          error: `wiki` exists already and nobody owns it; adoption would change `redirectUris`
          hint: take it over with `--adopt`, or with `lifecycle: {adopt: always}` in the manifest
          code: provisor::plan::conflict

    home
      ? Farm/north-meadow
          error: the hub `home` did not answer
          hint: is the hub running?
          code: provisor::hub::remote

    Plan: 1 to create, 1 to update, 1 to adopt, 1 to delete, 2 conflicts, 1 unknown, 1 orphan, 997 unchanged.
    "#);
}

#[test]
fn a_plan_without_changes_is_one_sentence() {
    let plan = Plan::new(Basis::Observed, "default", vec![change("Device", "a", "fleet", Action::None)]);
    assert_eq!(plain(&render::plan(&plan, LAYOUT)), "Plan: no changes, 1 unchanged.\n");
    let verbose = Layout { verbose: true, ..LAYOUT };
    assert_eq!(plain(&render::plan(&plan, verbose)), "fleet\n  = Device/a\n\nPlan: no changes, 1 unchanged.\n");
}

#[test]
fn a_crowd_takes_one_line_each() {
    let fields = [FieldChange::plain("audience", Value::Null, "x"), FieldChange::plain("role", Value::Null, "device")];
    let text = plain(&render::plan(&fleet(Action::Create, &fields), LAYOUT));
    assert_eq!(text.lines().count(), 1 + 1000 + 1 + 1 + 1, "heading, devices, note, blank, sentence");
    assert_snapshot!(text.lines().skip(998).collect::<Vec<_>>().join("\n"), @r"
      + Device/dev-0997
      + Device/dev-0998
      + Device/dev-0999
        (fields of 1000 Devices not shown; -v shows them)

    Plan: 1000 to create.
    ");
    let text = plain(&render::plan(&fleet(Action::Update, &[FieldChange::plain("tokenLifespan", "4h", "8h")]), LAYOUT));
    assert_snapshot!(text.lines().take(3).collect::<Vec<_>>().join("\n"), @r#"
    fleet
      ~ Device/dev-0000  tokenLifespan: "4h" -> "8h"
      ~ Device/dev-0001  tokenLifespan: "4h" -> "8h"
    "#);
}

#[test]
fn a_target_that_cannot_be_read_is_said_once() {
    let mut plan = fleet(Action::Unknown, &[]);
    for change in &mut plan.changes {
        change.error = Some(Problem::new("provisor::keycloak::unreachable", "cannot reach http://127.0.0.1:1"));
    }
    assert_snapshot!(plain(&render::plan(&plan, LAYOUT)), @r"
    fleet
      ? Device/dev-0000
      ? Device/dev-0001
      ? Device/dev-0002
      ? Device/dev-0003
      ? Device/dev-0004
      ? Device/dev-0005
      ? Device/dev-0006
      ? Device/dev-0007
      ? Device/dev-0008
      ? Device/dev-0009
        ... and 990 more Devices
          error: cannot reach http://127.0.0.1:1
          code: provisor::keycloak::unreachable

    Plan: 1000 unknown.
    ");
}

#[test]
fn values_of_many_lines_and_long_values_stay_readable() {
    let before = "first\nsecond\nthird\nfourth\nfifth\nsixth";
    let fields = vec![
        FieldChange::plain("description", before, before.replace("fourth", "4th")),
        FieldChange::plain("settings.notes", "x".repeat(80), "y".repeat(80)),
        FieldChange::plain("settings.blob", Value::Null, "z".repeat(5000)),
    ];
    let changes = vec![with(change("KeycloakClient", "grafana", "fleet", Action::Update), fields)];
    assert_snapshot!(plain(&render::plan(&Plan::new(Basis::Observed, "default", changes), LAYOUT)), @r#"
    fleet
      ~ KeycloakClient/grafana
          description:
              second
              third
            - fourth
            + 4th
              fifth
              sixth
          settings.notes: - "xxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxx"
                          + "yyyyyyyyyyyyyyyyyyyyyyyyyyyyyyyyyyyyyyyyyyyyyyyyyyyyyyyyyyyyyyyyyyyyyyyyyyyyyyyy"
          settings.blob:  + "zzzzzzzzzzzzzzzzzzzzzzzzzzzzzzzzzzzzzzzzzzzzzzzzzzzzzzzzzzzzzzzzzzzzzzzzzzzzzzzzzzzzzzzzzzzzzzzzzzzzzzzzzzzzzzzzzzzzzzzzzzzzzzzzzzzzzzzzzzzzzzzzzzzzzzzzzzzzzzzzzzzzzzzzzzzzzzzzzzz… (5002 characters)

    Plan: 1 to update.
    "#);
}

/// Everything that can come from a server, hostile.
fn hostile() -> Plan {
    let evil = "\u{1b}[2J\u{1b}]0;pwned\u{7}```\n</details><img src=x> @admin #1 | `x` \u{202e}";
    let mut change = with(
        change(evil, evil, evil, Action::Conflict),
        vec![
            FieldChange::plain(evil, evil, evil.replace('x', "y")),
            FieldChange::plain("set", json!([evil]), json!(["a"])),
            FieldChange::plain("map", json!({evil: evil, "more": "x".repeat(80)}), json!({evil: [evil]})),
        ],
    );
    change.message = Some(evil.to_owned());
    change.error = Some(Problem::new(evil, evil).with_hint(evil));
    change.warnings.push(Warning::new(evil, evil));
    let mut other = change.clone();
    other.action = Action::Update;
    other.error = None;
    Plan::new(Basis::Observed, "default", vec![change, other])
}

#[test]
fn nothing_from_a_server_can_paint_the_terminal() {
    let mut report = hostile();
    report.changes.iter_mut().for_each(|change| change.outcome = Some(Outcome::Failed));
    for layout in [LAYOUT, Layout { verbose: true, width: 40 }] {
        for text in [render::plan(&hostile(), layout), render::report(&report, layout)] {
            let bad = |c: char| (c.is_control() && c != '\n' && c != '\u{1b}') || c == '\u{202e}';
            assert!(!text.contains(bad), "{text:?}");
            // Every escape is a colour of ours.
            assert!(text.split('\u{1b}').skip(1).all(|part| part.starts_with('[') && part.contains('m')), "{text:?}");
            assert!(!text.contains("\u{1b}[2J") && !text.contains("\u{1b}]"));
        }
    }
}

#[test]
fn nothing_from_a_server_leaves_its_block_of_code() {
    let text = render::markdown(&hostile());
    let mut fence: Option<String> = None;
    for line in text.lines() {
        let ticks: String = line.chars().take_while(|c| *c == '`').collect();
        match &fence {
            Some(open) if ticks.len() >= open.len() && line.trim_end() == ticks => fence = None,
            Some(_) => {}
            None if ticks.len() >= 3 => fence = Some(ticks),
            // Outside of blocks: our own words, and names in code.
            None => assert!(!outside_code(line).contains(['@', '<', '|']), "{line}"),
        }
    }
    assert!(fence.is_none() && !text.contains('\u{1b}') && !text.contains('\u{202e}'));
}

/// What stands outside of inline code on a line.
fn outside_code(line: &str) -> String {
    let run = line.chars().skip_while(|c| *c != '`').take_while(|c| *c == '`').count();
    if run == 0 {
        return line.to_owned();
    }
    line.split(&"`".repeat(run)).step_by(2).collect()
}

#[test]
fn markdown_reads_as_a_comment() {
    assert_snapshot!(render::markdown(&mixed()), @r#"
    ### Plan: 1 to create, 1 to update, 1 to adopt, 1 to delete, 2 conflicts, 1 unknown, 1 orphan, 997 unchanged.

    #### In the way

    **Conflict** 2 `KeycloakClient` in `fleet`

    ```diff
    ! KeycloakClient/legacy
        error: `legacy` exists already and nobody owns it; adoption would change `redirectUris`
    ! KeycloakClient/wiki
        error: `wiki` exists already and nobody owns it; adoption would change `redirectUris`
        hint: take it over with `--adopt`, or with `lifecycle: {adopt: always}` in the manifest
        code: provisor::plan::conflict
    ```

    **Unknown** 1 `Farm` in `home`

    ```diff
    ? Farm/north-meadow
        error: the hub `home` did not answer
        hint: is the hub running?
        code: provisor::hub::remote
    ```

    #### Changes

    **Unchanged** 1 `Device` in `fleet`

    ```diff
    = Device/sensor-02
        warning: the secret of `sensor-02` is shorter than 20 characters (provisor::secret::short)
        secret: (secret, rotated by its holder: kept)
    ```

    **Create** 1 `Device` in `fleet`

    ```diff
    + Device/sensor-01
    +   audience: "farm-backend"
    +   tokenLifespan: "4h"
    !   secret: (secret, absent: will be written)
    ```

    **Adopt** 1 `KeycloakClient` in `fleet`

    ```diff
    > KeycloakClient/portal
    ```

    **Update** 1 `KeycloakClient` in `fleet`

    ```diff
    ~ KeycloakClient/grafana
    -   displayName: "Grafana"
    +   displayName: "Grafana (production)"
    +   description: "Dashboards"
    -   redirectUris: "https://old.example.org/*"
    +   redirectUris: "https://new.example.org/*"
    -   attributes["access.token.lifespan"]: "900"
    +   attributes["access.token.lifespan"]: "1800"
    -   protocolMappers[aud]: {protocolMapper: "oidc-audience-mapper"}
    !   secret: (secret, changed)
    ```

    **Delete** 1 `KeycloakClient` in `fleet`

    ```diff
    - KeycloakClient/retired
    ```

    **Orphan** 1 `KeycloakClient` in `fleet`

    ```diff
    o KeycloakClient/old-portal  (no manifest declares `old-portal` any more; `--prune` deletes it)
    ```
    "#);
}

#[test]
fn markdown_of_a_large_plan_is_folded_and_bounded_and_says_what_it_left_out() {
    let long = FieldChange::plain("description", Value::Null, "x".repeat(150));
    let plan = fleet(Action::Update, &[long.clone(), FieldChange::plain("displayName", "a", "b")]);
    let mut plan = Plan { changes: plan.changes.into_iter().take(20).collect(), ..plan };
    let devices = |from: usize| {
        (from..from + 3000)
            .map(|number| change("Device", &format!("a-device-with-a-long-name-{number:06}"), "fleet", Action::Create))
    };
    plan.changes.extend(devices(0));
    plan = Plan::new(Basis::Observed, "default", plan.changes);
    let text = render::markdown(&plan);
    assert!(text.chars().count() <= render::LIMIT, "{}", text.chars().count());
    assert!(text.contains("<details>") && text.matches("<details>").count() == text.matches("</details>").count());
    let shown = text.lines().filter(|line| line.starts_with("+ Device/") || line.starts_with("~ Device/")).count();
    let hidden: usize = text.lines().last().unwrap().split(' ').nth(1).unwrap().parse().unwrap();
    assert_eq!(shown + hidden, 3020);
}

#[test]
fn markdown_of_a_diff_says_that_no_target_was_looked_at() {
    let mut created = change("Device", "sensor-01", "fleet", Action::Create);
    created.target = None;
    assert_snapshot!(render::markdown(&Plan::new(Basis::Declared, "default", vec![created])), @r"
    ### Diff: 1 to create.

    > Manifests were compared with manifests (`basis: declared`). No target was looked at: drift, and what is there already, do not show.

    **Create** 1 `Device`

    ```diff
    + Device/sensor-01
    ```
    ");
}

#[test]
fn a_report_tells_what_was_done_what_failed_and_what_was_skipped() {
    let mut changes = mixed().changes;
    for change in &mut changes {
        change.outcome = Some(match change.action {
            Action::Create | Action::Adopt | Action::Delete => Outcome::Applied,
            Action::Update | Action::Conflict | Action::Unknown => Outcome::Failed,
            Action::None | Action::Orphan => Outcome::Unchanged,
        });
    }
    changes[0].error =
        Some(Problem::new("provisor::keycloak::rejected", "Keycloak refused `redirectUris` of `grafana` (400)"));
    let mut skipped = change("ProvisioningKey", "key", "home", Action::Create);
    skipped.outcome = Some(Outcome::Skipped);
    skipped.message = Some("`Farm/north-meadow` is not in place".to_owned());
    changes.push(skipped);
    let mut report = Plan::new(Basis::Observed, "default", changes);
    report.format = REPORT_FORMAT.to_owned();
    assert_snapshot!(plain(&render::report(&report, LAYOUT)), @r"
    fleet
      = Device/sensor-02 unchanged
          warning: the secret of `sensor-02` is shorter than 20 characters (provisor::secret::short)
      + Device/sensor-01 created
      > KeycloakClient/portal adopted
      - KeycloakClient/retired deleted
      o KeycloakClient/old-portal unchanged: no manifest declares `old-portal` any more; `--prune` deletes it
      ! KeycloakClient/grafana failed
          error: Keycloak refused `redirectUris` of `grafana` (400)
          code: provisor::keycloak::rejected
      ! KeycloakClient/legacy failed
          error: `legacy` exists already and nobody owns it; adoption would change `redirectUris`
      ! KeycloakClient/wiki failed
          error: `wiki` exists already and nobody owns it; adoption would change `redirectUris`
          hint: take it over with `--adopt`, or with `lifecycle: {adopt: always}` in the manifest
          code: provisor::plan::conflict

    home
      . ProvisioningKey/key skipped: `Farm/north-meadow` is not in place
      ! Farm/north-meadow failed
          error: the hub `home` did not answer
          hint: is the hub running?
          code: provisor::hub::remote

    Applied in part: 1 created, 1 adopted, 1 deleted, 4 failed, 1 skipped, 998 unchanged.
    ");
}

#[test]
fn a_plan_as_json_is_the_contract_and_carries_no_revision() {
    let mut created = with(
        change("Device", "sensor-01", "fleet", Action::Create),
        vec![FieldChange::plain("audience", Value::Null, "backend"), FieldChange::secret("secret", Reason::Absent)],
    );
    created.revision = Some("abc".to_owned());
    let text = render::json::plan(&Plan::new(Basis::Observed, "default", vec![created, conflict("legacy")]));
    assert_snapshot!(text, @r#"
    {
      "format": "provisor.dev/plan/v1",
      "basis": "observed",
      "owner": "default",
      "changes": [
        {
          "resource": {
            "kind": "Device",
            "name": "sensor-01"
          },
          "target": "fleet",
          "action": "create",
          "fields": [
            {
              "path": "audience",
              "before": null,
              "after": "backend",
              "sensitive": false
            },
            {
              "path": "secret",
              "before": null,
              "after": null,
              "sensitive": true,
              "reason": "absent"
            }
          ]
        },
        {
          "resource": {
            "kind": "KeycloakClient",
            "name": "legacy"
          },
          "target": "fleet",
          "action": "conflict",
          "fields": [],
          "error": {
            "code": "provisor::plan::conflict",
            "message": "`legacy` exists already and nobody owns it; adoption would change `redirectUris`",
            "hint": "take it over with `--adopt`, or with `lifecycle: {adopt: always}` in the manifest"
          }
        }
      ],
      "summary": {
        "create": 1,
        "update": 0,
        "delete": 0,
        "adopt": 0,
        "none": 0,
        "orphan": 0,
        "conflict": 1,
        "unknown": 0
      }
    }
    "#);
}

/// What is true of many that are shown together is said once, with how many; what differs is said each.
#[test]
fn the_same_warning_is_said_once_in_a_crowd() {
    let same = Warning::new("provisor::device::role_unverified", "whether role `device` exists is not shown");
    let changes: Vec<Change> = (0..60)
        .map(|number| {
            let mut change = change("Device", &format!("sensor-{number:02}"), "fleet", Action::Create);
            change.warnings.push(same.clone());
            if number < 2 {
                change.warnings.push(Warning::new("provisor::secret::short", format!("secret {number} is short")));
            }
            change
        })
        .collect();
    let mut plan = Plan::new(Basis::Observed, "default", changes);
    let mut report = plan.clone();
    REPORT_FORMAT.clone_into(&mut report.format);
    report.changes.iter_mut().for_each(|change| change.outcome = Some(Outcome::Applied));
    plan.warnings.push(Warning::new("provisor::device::not_yet", "`wifi` has no effect yet"));
    let markdown = render::markdown(&plan);
    assert!(markdown.contains("warning: `wifi` has no effect yet (provisor::device::not_yet)"), "{markdown}");
    for text in [plain(&render::plan(&plan, LAYOUT)), plain(&render::report(&report, LAYOUT)), markdown] {
        let said: Vec<&str> = text.lines().map(str::trim).filter(|line| line.starts_with("warning:")).collect();
        assert_eq!(
            said[..3],
            [
                "warning: whether role `device` exists is not shown (provisor::device::role_unverified, 60 times)",
                "warning: secret 0 is short (provisor::secret::short)",
                "warning: secret 1 is short (provisor::secret::short)",
            ],
            "{text}"
        );
        assert!(!text.contains("more of"), "{text}");
    }
}
