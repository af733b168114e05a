//! The sentence that the engine stands for, as a property: from any world and any manifests, with a fault at any
//! write, the next apply leaves an empty plan, touches nothing that is not ours, and loses nothing
//! (REC-6, REC-7, REC-9, REC-11, REC-13).

#![expect(clippy::unwrap_used, reason = "a test that cannot go on fails")]

use std::collections::{BTreeMap, BTreeSet};
use std::sync::{Arc, Mutex};

use proptest::prelude::*;
use provisor::diagnostic::Problem;
use provisor::id::ResourceId;
use provisor::manifest::kinds::common::{Adopt, DeletionPolicy, Lifecycle};
use provisor::reconcile::engine::{self, Connection, Silent};
use provisor::reconcile::options::{MaxDelete, Options};
use provisor::reconcile::ownership::Mark;
use provisor::reconcile::plan::{Action, FieldChange, Outcome, Plan};
use provisor::reconcile::provider::{Comparison, Provider, Scope, Seen, Step, Wanted, Written};
use provisor::reconcile::session::Session;
use tokio_util::sync::CancellationToken;

/// One object of the fake target.
#[derive(Debug, Clone, PartialEq, Eq, Default)]
struct Object {
    fields: BTreeMap<String, String>,
    enabled: bool,
    mark: Option<Mark>,
}

/// Where a write goes wrong.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum Fault {
    /// The process dies before write number N: nothing more is written.
    Before(usize),
    /// The process dies after write number N took effect and before anybody heard of it.
    After(usize),
    /// Write number N is refused, the others go on.
    Refused(usize),
}

#[derive(Debug, Default)]
struct World {
    objects: BTreeMap<String, Object>,
    writes: usize,
    fault: Option<Fault>,
    dead: bool,
}

impl World {
    fn write(&mut self, change: impl FnOnce(&mut BTreeMap<String, Object>)) -> Result<Written, Problem> {
        let failed = || Err(Problem::new("test::fault", "the write failed"));
        let number = self.writes;
        self.writes += 1;
        self.dead |= self.fault == Some(Fault::Before(number));
        if self.dead || self.fault == Some(Fault::Refused(number)) {
            return failed();
        }
        change(&mut self.objects);
        self.dead |= self.fault == Some(Fault::After(number));
        if self.dead { failed() } else { Ok(Written::default()) }
    }
}

struct Fake(Arc<Mutex<World>>);

#[derive(Debug, Clone)]
struct Want {
    fields: BTreeMap<String, String>,
}

impl Provider for Fake {
    type Want = Want;
    type Have = Object;

    async fn observe(&self, _: &[Wanted<Want>], scope: Scope<'_>) -> Result<Vec<Seen<Object>>, Problem> {
        let world = self.0.lock().unwrap();
        if world.dead {
            return Err(Problem::new("test::dead", "nobody is there to ask"));
        }
        let matters = |key: &str| match scope {
            Scope::All => true,
            Scope::Keys(keys) => keys.iter().any(|wanted| wanted == key),
        };
        let kept = |object: &Object| {
            object.mark.as_ref().is_some_and(|mark| mark.applied.deletion_policy == DeletionPolicy::Disable)
        };
        let seen = |(key, object): (&String, &Object)| Seen {
            key: key.clone(),
            mark: object.mark.clone(),
            revision: format!("{:?}", (&object.fields, object.enabled)),
            settled: (!object.enabled && kept(object)).then(|| "switched off".to_owned()),
            guards: Vec::new(),
            have: object.clone(),
        };
        Ok(world.objects.iter().filter(|(key, _)| matters(key)).map(seen).collect())
    }

    fn compare(&self, wanted: &Wanted<Want>, seen: Option<&Seen<Object>>) -> Comparison {
        let want = wanted.want.as_ref().unwrap();
        let mut comparison = Comparison::default();
        let have = seen.map(|seen| &seen.have);
        if let Some(seen) = seen.filter(|seen| Some(&seen.key) != wanted.key.as_ref()) {
            comparison.fields.push(FieldChange::plain("key", seen.key.clone(), wanted.key.clone().unwrap()));
        }
        if have.is_none_or(|have| !have.enabled) {
            comparison.fields.push(FieldChange::plain("enabled", have.map(|_| false), true));
        }
        for (name, value) in &want.fields {
            let before = have.and_then(|have| have.fields.get(name).cloned());
            if before.as_ref() != Some(value) {
                comparison.fields.push(FieldChange::plain(name.clone(), before, value.clone()));
            }
        }
        comparison
    }

    fn may_rename(&self) -> bool {
        true
    }

    fn marks_are_copied(&self) -> bool {
        true
    }

    async fn write(&self, step: Step<'_, Want, Object>) -> Result<Written, Problem> {
        let mut world = self.0.lock().unwrap();
        match step {
            Step::Create { id, want, mark } => {
                let key = key_of(&id.name);
                assert!(!world.objects.contains_key(&key), "a create over an object that is there");
                let object = Object { fields: want.fields.clone(), enabled: true, mark: Some(mark) };
                world.write(|objects| drop(objects.insert(key, object)))
            }
            Step::Update { id, want, seen, fields, mark } => {
                let key = key_of(&id.name);
                let named: BTreeSet<&str> = fields.iter().map(|field| field.path.as_str()).collect();
                world.write(|objects| {
                    let mut object = objects.remove(&seen.key).unwrap();
                    for (name, value) in want.fields.iter().filter(|(name, _)| named.contains(name.as_str())) {
                        object.fields.insert(name.clone(), value.clone());
                    }
                    object.enabled = true;
                    object.mark = Some(mark);
                    objects.insert(key, object);
                })
            }
            Step::Delete(seen) => world.write(|objects| drop(objects.remove(&seen.key))),
            Step::Disable(seen) => world.write(|objects| objects.get_mut(&seen.key).unwrap().enabled = false),
            Step::Unmark(seen) => world.write(|objects| objects.get_mut(&seen.key).unwrap().mark = None),
        }
    }

    fn lock_name(&self) -> String {
        "fake".to_owned()
    }
}

/// The object that a name means; `x` and `new-x` mean the same one, as after a renaming.
fn key_of(name: &str) -> String {
    format!("key-{}", name.trim_start_matches("new-"))
}

#[derive(Debug, Clone)]
struct Declared {
    name: String,
    fields: BTreeMap<String, String>,
    lifecycle: Lifecycle,
    needs: Option<String>,
}

async fn run(world: &Arc<Mutex<World>>, declared: &[Declared], options: &Options, apply: bool) -> Plan {
    let id = |name: &str| ResourceId::new("Thing", name);
    let wants = declared
        .iter()
        .map(|declared| Wanted {
            id: id(&declared.name),
            key: Some(key_of(&declared.name)),
            lifecycle: declared.lifecycle.clone(),
            depends_on: declared.needs.iter().map(|name| id(name)).collect(),
            want: Ok(Want { fields: declared.fields.clone() }),
            warnings: Vec::new(),
        })
        .collect();
    let ids: BTreeSet<ResourceId> = declared.iter().map(|declared| id(&declared.name)).collect();
    let connection = Connection {
        name: "fake".to_owned(),
        resources: ids.iter().cloned().collect(),
        target: Ok(Box::new(Session::new("fake", Fake(Arc::clone(world)), wants))),
    };
    let prepared = engine::plan(vec![connection], &ids, options, None).await;
    if apply { prepared.apply(&Silent, &CancellationToken::new()).await.0 } else { prepared.plan }
}

fn fields() -> impl Strategy<Value = BTreeMap<String, String>> {
    prop::collection::btree_map("[fgh]", "[12]", 0..3)
}

fn lifecycle() -> impl Strategy<Value = Lifecycle> {
    let policy = prop::sample::select(vec![DeletionPolicy::Delete, DeletionPolicy::Disable, DeletionPolicy::Orphan]);
    let adopt = prop::sample::select(vec![Adopt::Never, Adopt::IfIdentical, Adopt::Always]);
    (policy, adopt, prop::bool::weighted(0.2), prop::bool::weighted(0.1)).prop_map(
        |(deletion_policy, adopt, prevent_destroy, suspend)| Lifecycle {
            deletion_policy,
            adopt,
            prevent_destroy,
            suspend,
            ..Lifecycle::default()
        },
    )
}

/// Of a mark: whose, of which resource, its lifecycle, and the letter of the object that it names: none, its own, another.
type Marked = (&'static str, String, Lifecycle, Option<Option<String>>);

fn objects() -> impl Strategy<Value = BTreeMap<String, Object>> {
    let owner = prop::sample::select(vec!["us", "them"]);
    // An old mark names no key; a copied one names that of its original, which may be gone.
    let named = prop::option::weighted(0.7, prop::option::weighted(0.4, "[a-f]"));
    let mark = (owner, "(new-)?[a-f]", lifecycle(), named);
    let object = ("[a-f]", fields(), any::<bool>(), prop::option::weighted(0.7, mark));
    prop::collection::vec(object, 0..6).prop_map(|list| {
        let object = |(key, fields, enabled, mark): (String, _, _, Option<Marked>)| {
            let mark = mark.map(|(owner, name, lifecycle, named)| {
                let mut mark = Mark::new(owner, &ResourceId::new("Thing", name), &lifecycle);
                mark.applied.key = named.map(|other| key_of(other.as_ref().unwrap_or(&key)));
                mark
            });
            (key_of(&key), Object { fields, enabled, mark })
        };
        list.into_iter().map(object).collect()
    })
}

fn manifests() -> impl Strategy<Value = Vec<Declared>> {
    let one = ("(new-)?[a-f]", fields(), lifecycle(), prop::option::weighted(0.3, Just(())));
    prop::collection::vec(one, 0..6).prop_map(|list| {
        let mut declared: Vec<Declared> = Vec::new();
        for (name, fields, lifecycle, needs) in list {
            // Two names of one object are a fault of the manifests, refused before the engine sees them.
            if declared.iter().all(|other| key_of(&other.name) != key_of(&name)) {
                let needs = needs.and_then(|()| declared.last().map(|last| last.name.clone()));
                declared.push(Declared { name, fields, lifecycle, needs });
            }
        }
        declared
    })
}

fn fault() -> impl Strategy<Value = Option<Fault>> {
    prop::option::of((0..6_usize, 0..3).prop_map(|(number, sort)| match sort {
        0 => Fault::Before(number),
        1 => Fault::After(number),
        _ => Fault::Refused(number),
    }))
}

fn options(prune: bool, adopt: bool) -> Options {
    Options { owner: "us".to_owned(), prune, adopt, max_delete: MaxDelete::Percent(100), ..Options::default() }
}

/// What must be as it was: what nobody or somebody else owned, except where adoption was asked for; and of ours the
/// fields that no manifest names.
fn untouched(before: &BTreeMap<String, Object>, after: &BTreeMap<String, Object>, declared: &[Declared], adopt: bool) {
    for (key, object) in before {
        let asked =
            declared.iter().any(|one| key_of(&one.name) == *key && (adopt || one.lifecycle.adopt != Adopt::Never));
        let is_theirs = match &object.mark {
            None => !asked,
            Some(mark) if mark.owner == "us" => mark.applied.key.as_ref().is_some_and(|named| named != key) && !asked,
            Some(_) => true,
        };
        if is_theirs {
            assert_eq!(after.get(key), Some(object), "`{key}` is not ours and was touched");
        } else if let Some(after) = after.get(key) {
            let named: BTreeSet<&String> = declared.iter().flat_map(|one| one.fields.keys()).collect();
            for (name, value) in object.fields.iter().filter(|(name, _)| !named.contains(name)) {
                assert_eq!(after.fields.get(name), Some(value), "`{key}.{name}` is nobody's to change");
            }
        }
    }
}

fn block_on(test: impl Future<Output = ()>) {
    tokio::runtime::Builder::new_current_thread().enable_time().build().unwrap().block_on(test);
}

async fn converges(before: BTreeMap<String, Object>, declared: &[Declared], fault: Option<Fault>, options: &Options) {
    let world = Arc::new(Mutex::new(World { objects: before.clone(), fault, ..World::default() }));
    run(&world, declared, options, true).await;
    {
        let mut world = world.lock().unwrap();
        world.fault = None;
        world.dead = false;
    }
    let report = run(&world, declared, options, true).await;
    let writes = world.lock().unwrap().writes;
    let plan = run(&world, declared, options, false).await;
    for change in plan.changes.iter().filter(|change| change.writes) {
        // What waits for a conflict is skipped by every apply; nothing else may be left to do.
        let outcome = report.changes.iter().find(|done| done.resource == change.resource).and_then(|done| done.outcome);
        assert_eq!(outcome, Some(Outcome::Skipped), "still to be done after an apply: {change:#?}");
    }
    run(&world, declared, options, true).await;
    assert_eq!(world.lock().unwrap().writes, writes, "a second apply wrote");
    let after = world.lock().unwrap().objects.clone();
    untouched(&before, &after, declared, options.adopt);
    for change in &report.changes {
        let one = declared.iter().find(|one| one.name == change.resource.name);
        if let (Some(Outcome::Applied | Outcome::Unchanged), Some(one)) = (change.outcome, one)
            && !one.lifecycle.suspend
            && change.action != Action::Orphan
        {
            let object = &after[&key_of(&one.name)];
            assert!(object.enabled, "{change:?}");
            assert!(one.fields.iter().all(|(name, value)| object.fields.get(name) == Some(value)), "{change:?}");
        }
    }
}

proptest! {
    #![proptest_config(ProptestConfig { cases: 2000, ..ProptestConfig::default() })]

    #[test]
    fn a_fault_at_any_write_is_mended_by_the_next_apply(
        before in objects(), declared in manifests(), fault in fault(), prune: bool, adopt: bool
    ) {
        block_on(converges(before, &declared, fault, &options(prune, adopt)));
    }

    /// REC-9: without `--prune` nothing is ever deleted, switched off or unmarked.
    #[test]
    fn nothing_is_removed_unless_asked(before in objects(), declared in manifests()) {
        block_on(async {
            let world = Arc::new(Mutex::new(World { objects: before.clone(), ..World::default() }));
            let report = run(&world, &declared, &options(false, false), true).await;
            let after = world.lock().unwrap().objects.clone();
            assert!(report.changes.iter().all(|change| change.action != Action::Delete));
            assert!(after.len() >= before.len());
            for object in before.keys().filter_map(|key| after.get(key)) {
                let is_declared = |mark: &Mark| declared.iter().any(|one| one.name == mark.resource.name);
                assert!(object.mark.as_ref().is_none_or(|mark| is_declared(mark) || before.values().any(|old| {
                    old.mark.as_ref() == Some(mark)
                })));
            }
        });
    }
}

fn declared(name: &str, needs: Option<&str>) -> Declared {
    Declared {
        name: name.to_owned(),
        fields: BTreeMap::new(),
        lifecycle: Lifecycle::default(),
        needs: needs.map(str::to_owned),
    }
}

/// What is made carries its own key in its mark; the copy of it stays, also when nothing declares the original any more,
/// and when that is gone.
#[tokio::test]
async fn a_copy_is_never_deleted() {
    let (copy, original) = ("key-0", key_of("a"));
    let pruning = options(true, false);
    for is_declared in [true, false] {
        let world = Arc::new(Mutex::new(World::default()));
        run(&world, &[declared("a", None)], &pruning, true).await;
        let made = world.lock().unwrap().objects[&original].clone();
        assert_eq!(made.mark.as_ref().unwrap().applied.key.as_ref(), Some(&original));
        world.lock().unwrap().objects.insert(copy.to_owned(), made.clone());
        let manifests = if is_declared { vec![declared("new-a", None)] } else { vec![] };
        let report = run(&world, &manifests, &pruning, true).await;
        let gone: Vec<&str> =
            report.changes.iter().filter(|change| change.action == Action::Delete).map(said).collect();
        if is_declared {
            assert!(gone.is_empty(), "{gone:?}");
        } else {
            assert!(gone.len() == 1 && gone[0].contains(&original), "the message names the object: {gone:?}");
        }
        assert_eq!(world.lock().unwrap().objects.get(copy), Some(&made));
        let report = run(&world, &[], &pruning, true).await;
        let left = report.changes.iter().find(|change| said(change).contains(copy)).unwrap();
        assert_eq!((left.action, left.outcome), (Action::Orphan, Some(Outcome::Unchanged)));
        // A declaration whose object is gone does not take the copy for it.
        world.lock().unwrap().objects.remove(&original);
        run(&world, &[declared("a", None)], &options(true, false), true).await;
        assert_eq!(world.lock().unwrap().objects.get(copy), Some(&made));
        assert_eq!(world.lock().unwrap().objects.len(), 2);
    }
}

fn said(change: &provisor::reconcile::plan::Change) -> &str {
    change.message.as_deref().unwrap_or_default()
}

/// An older mark names no key: nobody knows which of several objects is the copy, nor whether one alone is.
#[tokio::test]
async fn of_several_objects_with_an_older_mark_none_is_deleted() {
    let mark = Mark::new("us", &ResourceId::new("Thing", "a"), &Lifecycle::default());
    let old = Object { enabled: true, mark: Some(mark), ..Object::default() };
    let objects = |keys: &[&str]| keys.iter().map(|key| ((*key).to_owned(), old.clone())).collect();
    let world = Arc::new(Mutex::new(World { objects: objects(&["key-0", "key-a"]), ..World::default() }));
    let report = run(&world, &[], &options(true, false), true).await;
    assert_eq!(world.lock().unwrap().objects.len(), 2);
    assert_eq!(report.summary.orphan, 2);
    for change in &report.changes {
        assert!(said(change).contains("key-0") && said(change).contains("key-a"), "{change:?}");
    }
    // The key in the mark alone is no reason to write.
    assert!(!run(&world, &[declared("a", None)], &options(true, false), false).await.has_changes());
    let changed = Declared { fields: [("f".to_owned(), "1".to_owned())].into(), ..declared("a", None) };
    run(&world, &[changed], &options(true, false), true).await;
    run(&world, &[], &options(true, false), true).await;
    assert_eq!(world.lock().unwrap().objects.keys().collect::<Vec<_>>(), ["key-0"], "the next write tells them apart");

    let world = Arc::new(Mutex::new(World { objects: objects(&["key-a"]), ..World::default() }));
    let report = run(&world, &[], &options(true, false), true).await;
    assert_eq!((report.summary.orphan, world.lock().unwrap().objects.len()), (1, 1));
}

/// REC-9: over the limit nothing is deleted at all, and the rest goes on.
#[tokio::test]
async fn too_many_deletes_delete_nothing_and_the_rest_goes_on() {
    let ours = |name: &str| {
        let mut mark = Mark::new("us", &ResourceId::new("Thing", name), &Lifecycle::default());
        mark.applied.key = Some(key_of(name));
        Object { enabled: true, mark: Some(mark), ..Object::default() }
    };
    let objects = ["a", "b", "c"].into_iter().map(|name| (key_of(name), ours(name))).collect();
    let world = Arc::new(Mutex::new(World { objects, ..World::default() }));
    let options = Options { owner: "us".to_owned(), prune: true, ..Options::default() };
    let report = run(&world, &[declared("d", None)], &options, true).await;
    let deletes: Vec<_> = report.changes.iter().filter(|change| change.action == Action::Delete).collect();
    assert_eq!(deletes.len(), 3);
    for delete in deletes {
        assert_eq!(delete.outcome, Some(Outcome::Failed));
        assert_eq!(delete.error.as_ref().unwrap().code, "provisor::plan::too_many_deletes");
    }
    assert_eq!(world.lock().unwrap().objects.len(), 4, "the new one was made and none of the old removed");
}

/// REC-11: a failure skips what depends on it, and nothing else.
#[tokio::test]
async fn a_failure_skips_dependants_only() {
    let world = Arc::new(Mutex::new(World { fault: Some(Fault::Refused(0)), ..World::default() }));
    let manifests = [declared("a", None), declared("b", Some("a")), declared("c", Some("b")), declared("d", None)];
    let options = Options { parallelism: 1, ..options(false, false) };
    let report = run(&world, &manifests, &options, true).await;
    let outcomes: Vec<_> = report.changes.iter().map(|change| change.outcome.unwrap()).collect();
    assert_eq!(outcomes, [Outcome::Failed, Outcome::Skipped, Outcome::Skipped, Outcome::Applied]);
}

/// Renaming a resource renames the mark and never deletes the object (REC-9).
#[tokio::test]
async fn a_renamed_resource_is_an_update_of_its_name() {
    let world = Arc::new(Mutex::new(World::default()));
    run(&world, &[declared("a", None)], &options(true, false), true).await;
    let report = run(&world, &[declared("new-a", None)], &options(true, false), true).await;
    assert_eq!(report.changes.len(), 1, "{:?}", report.changes);
    assert_eq!(report.changes[0].action, Action::Update);
    assert_eq!(report.changes[0].fields, [FieldChange::plain("metadata.name", "a", "new-a")]);
}
