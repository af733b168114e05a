//! The engine: reads every target at once, joins what was decided into one plan, and carries it out in order.

use std::collections::{BTreeMap, BTreeSet, HashMap};
use std::path::PathBuf;
use std::time::Instant;

use futures::StreamExt as _;
use tokio_util::sync::CancellationToken;

use super::decide::{Operation, Planned};
use super::lock::{self, Lock};
use super::options::Options;
use super::orphans::refuse_excess;
use super::plan::{Action, Basis, Change, Outcome, Plan, REPORT_FORMAT};
use super::provider::{Timings, Written};
use super::session::{Target, unreadable};
use crate::clock::Clock;
use crate::diagnostic::Problem;
use crate::id::ResourceId;
use crate::manifest::kinds::Kind;

/// A target that was connected to, or why it could not be.
pub struct Connection {
    /// The target resource's name.
    pub name: String,
    /// What is declared in it.
    pub resources: Vec<ResourceId>,
    /// The live target.
    pub target: Result<Box<dyn Target>, Problem>,
}

impl std::fmt::Debug for Connection {
    fn fmt(&self, out: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        out.debug_struct("Connection").field("name", &self.name).finish_non_exhaustive()
    }
}

/// Who is told how an apply goes on.
pub trait Progress: Send + Sync {
    /// `total` changes will be carried out.
    fn begin(&self, total: usize);
    /// One was, well or not.
    fn finished(&self, change: &Change);
}

/// A [`Progress`] that tells nobody.
#[derive(Debug, Clone, Copy)]
pub struct Silent;

impl Progress for Silent {
    fn begin(&self, _: usize) {}
    fn finished(&self, _: &Change) {}
}

/// Where locks are kept, for a run that is going to apply.
#[derive(Debug, Clone)]
pub struct Locks {
    /// The folder of the lock files.
    pub directory: PathBuf,
    /// Stamps the note of who holds one.
    pub clock: Clock,
}

/// A plan with what carrying it out needs.
pub struct Prepared {
    /// The plan.
    pub plan: Plan,
    /// How long reading took.
    pub timings: Timings,
    targets: Vec<Box<dyn Target>>,
    /// Where each change of the plan is: target and number there; none where its target could not be read.
    places: Vec<Option<(usize, usize)>>,
    parallelism: usize,
    _locks: Vec<Lock>,
}

impl std::fmt::Debug for Prepared {
    fn fmt(&self, out: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        out.debug_struct("Prepared").field("plan", &self.plan).finish_non_exhaustive()
    }
}

/// Reads every target and decides what happens.
///
/// With `locks`, each target is locked first and stays so until the result is dropped; a target whose lock is held by
/// another apply counts as unreadable.
pub async fn plan(
    connections: Vec<Connection>,
    declared: &BTreeSet<ResourceId>,
    options: &Options,
    locks: Option<&Locks>,
) -> Prepared {
    let started = Instant::now();
    let mut timings = Timings::default();
    let prepared = connections.into_iter().map(|connection| prepare(connection, declared, options, locks));
    let mut targets: Vec<Box<dyn Target>> = Vec::new();
    let (mut changes, mut places, mut held) = (Vec::new(), Vec::new(), Vec::new());
    for ready in futures::future::join_all(prepared).await {
        match ready {
            Ok((target, lock)) => {
                targets.push(target);
                held.extend(lock);
            }
            Err(unread) => {
                places.extend(unread.iter().map(|_| None));
                changes.extend(unread.into_iter().map(|planned| planned.change));
            }
        }
    }
    limit_deletes(&mut targets, options);
    for (at, target) in targets.iter().enumerate() {
        places.extend((0..target.planned().len()).map(|number| Some((at, number))));
        changes.extend(target.planned().iter().map(|planned| planned.change.clone()));
        timings.requests.push((target.name().to_owned(), target.requests()));
    }
    timings.spans.push(("read and compare".to_owned(), started.elapsed()));
    let plan = Plan::new(Basis::Observed, &options.owner, changes);
    Prepared { plan, timings, targets, places, parallelism: options.parallelism.max(1), _locks: held }
}

async fn prepare(
    connection: Connection,
    declared: &BTreeSet<ResourceId>,
    options: &Options,
    locks: Option<&Locks>,
) -> Result<(Box<dyn Target>, Option<Lock>), Vec<Planned>> {
    let Connection { name, resources, target } = connection;
    let failed = |problem: Problem| resources.iter().map(|id| unreadable(id, &name, &problem)).collect::<Vec<_>>();
    let mut target = target.map_err(&failed)?;
    let lock = match locks {
        Some(locks) => {
            let lock_name = format!("{}, owner `{}`", target.lock_name(), options.owner);
            Some(lock::acquire(&locks.directory, &lock_name, lock::WAIT, &locks.clock).await.map_err(&failed)?)
        }
        None => None,
    };
    target.plan(declared, options).await;
    Ok((target, lock))
}

fn limit_deletes(targets: &mut [Box<dyn Target>], options: &Options) {
    let owned = targets.iter().map(|target| target.owned()).sum();
    let deletes = targets
        .iter_mut()
        .flat_map(|target| target.planned_mut())
        .filter(|planned| planned.change.action == Action::Delete)
        .collect();
    refuse_excess(deletes, options.max_delete.limit(owned), owned);
}

impl Prepared {
    /// Carries the plan out: in the order of the references, deletes last, bounded, a failure skipping only what
    /// depends on it. When `stop` is cancelled, writes in flight are finished and the rest is skipped.
    pub async fn apply(mut self, progress: &dyn Progress, stop: &CancellationToken) -> (Plan, Timings) {
        let mut timings = std::mem::take(&mut self.timings);
        let mut run = Run::new(&self);
        progress.begin(run.left());
        let started = Instant::now();
        while let Some(wave) = run.next_wave() {
            let writes = futures::stream::iter(wave).map(|change| {
                let (target, number) = self.place(change);
                async move {
                    if stop.is_cancelled() {
                        return (change, None);
                    }
                    (change, Some(target.write(number).await))
                }
            });
            let mut writes = writes.buffer_unordered(self.parallelism);
            while let Some((change, result)) = writes.next().await {
                run.record(change, result);
                progress.finished(&run.changes[change]);
            }
        }
        timings.spans.push(("write".to_owned(), started.elapsed()));
        let started = Instant::now();
        self.verify(&mut run).await;
        futures::future::join_all(self.targets.iter().map(|target| target.close())).await;
        timings.spans.push(("read back and verify".to_owned(), started.elapsed()));
        timings.requests = self.targets.iter().map(|t| (t.name().to_owned(), t.requests())).collect();
        let mut report = Plan::new(self.plan.basis, self.plan.owner.clone(), run.finish());
        REPORT_FORMAT.clone_into(&mut report.format);
        report.warnings = self.plan.warnings;
        (report, timings)
    }

    fn place(&self, change: usize) -> (&dyn Target, usize) {
        let (target, number) = self.places[change].expect("only changes of targets that were read are carried out");
        (self.targets[target].as_ref(), number)
    }

    async fn verify(&self, run: &mut Run) {
        for (at, target) in self.targets.iter().enumerate() {
            let written: BTreeMap<usize, usize> = (0..run.changes.len())
                .filter(|&change| run.changes[change].outcome == Some(Outcome::Applied))
                .filter_map(|change| self.places[change].filter(|place| place.0 == at).map(|place| (place.1, change)))
                .collect();
            let numbers: Vec<usize> = written.keys().copied().collect();
            for (number, problem) in target.verify(&numbers).await {
                run.fail(written[&number], problem);
            }
        }
    }
}

/// An apply on its way: what is still to be done, and what came of the rest.
struct Run {
    changes: Vec<Change>,
    operations: Vec<Operation>,
    /// For each change, the changes that it waits for.
    needs: Vec<Vec<usize>>,
}

impl Run {
    fn new(prepared: &Prepared) -> Self {
        let changes = prepared.plan.changes.clone();
        let planned = |change: usize| prepared.places[change].map(|(t, number)| (&prepared.targets[t], number));
        // What waits for a resource waits for its declaration, not for an object that was left with its name.
        let is_orphan = |change: usize| planned(change).is_some_and(|(t, number)| t.planned()[number].want.is_none());
        let by_id: HashMap<&ResourceId, usize> = (0..changes.len())
            .filter(|&change| !is_orphan(change))
            .map(|change| (&changes[change].resource, change))
            .collect();
        let operations: Vec<Operation> = (0..changes.len())
            .map(|change| {
                planned(change).map_or(Operation::Nothing, |(target, number)| target.planned()[number].operation)
            })
            .collect();
        let mut needs: Vec<Vec<usize>> = (0..changes.len())
            .map(|change| {
                let ids = planned(change).map_or(&[][..], |(target, number)| target.depends_on(number));
                ids.iter().filter_map(|id| by_id.get(id).copied()).collect()
            })
            .collect();
        order_deletes(&changes, &operations, &mut needs);
        let mut run = Self { changes, operations, needs };
        for change in 0..run.changes.len() {
            if run.operations[change] == Operation::Nothing {
                let failed = run.changes[change].error.is_some() || run.changes[change].action == Action::Conflict;
                run.changes[change].outcome = Some(if failed { Outcome::Failed } else { Outcome::Unchanged });
            }
        }
        run
    }

    fn left(&self) -> usize {
        self.changes.iter().filter(|change| change.outcome.is_none()).count()
    }

    /// The changes that wait for nothing any more; those that wait for a failure are skipped.
    fn next_wave(&mut self) -> Option<Vec<usize>> {
        loop {
            let open: Vec<usize> = (0..self.changes.len()).filter(|&at| self.changes[at].outcome.is_none()).collect();
            let mut skipped = false;
            let mut wave = Vec::new();
            for &change in &open {
                let blocker = self.needs[change].iter().copied().find(|&need| self.is_blocked_by(change, need));
                if let Some(blocker) = blocker {
                    let message = format!("`{}` is not in place", self.changes[blocker].resource);
                    self.changes[change].outcome = Some(Outcome::Skipped);
                    self.changes[change].message = Some(message);
                    skipped = true;
                } else if self.needs[change].iter().all(|&need| self.changes[need].outcome.is_some()) {
                    wave.push(change);
                }
            }
            if !wave.is_empty() {
                return Some(wave);
            }
            if !skipped {
                return None;
            }
        }
    }

    /// A failure holds up what refers to it, but a delete that failed holds up nothing: the order of deletes is a
    /// courtesy.
    fn is_blocked_by(&self, change: usize, need: usize) -> bool {
        let removes = matches!(self.operations[change], Operation::Delete | Operation::Disable | Operation::Unmark);
        !removes && matches!(self.changes[need].outcome, Some(Outcome::Failed | Outcome::Skipped))
    }

    fn record(&mut self, change: usize, result: Option<Result<Written, Problem>>) {
        let entry = &mut self.changes[change];
        match result {
            Some(Ok(written)) => {
                entry.outcome = Some(Outcome::Applied);
                if written.message.is_some() {
                    entry.message = written.message;
                }
                entry.warnings.extend(written.warnings);
            }
            Some(Err(problem)) => self.fail(change, problem),
            None => {
                entry.outcome = Some(Outcome::Skipped);
                entry.message = Some("the run was stopped before this".to_owned());
            }
        }
    }

    fn fail(&mut self, change: usize, problem: Problem) {
        self.changes[change].outcome = Some(Outcome::Failed);
        self.changes[change].error = Some(problem);
    }

    fn finish(self) -> Vec<Change> {
        self.changes
    }
}

/// Deletes come after everything else, and in the reverse of the order in which kinds are made.
fn order_deletes(changes: &[Change], operations: &[Operation], needs: &mut [Vec<usize>]) {
    let removes = |at: usize| matches!(operations[at], Operation::Delete | Operation::Disable | Operation::Unmark);
    let rank = |at: usize| Kind::ALL.iter().position(|kind| kind.name() == changes[at].resource.kind);
    let mut by_rank: BTreeMap<Option<usize>, Vec<usize>> = BTreeMap::new();
    for at in (0..changes.len()).filter(|&at| removes(at)) {
        by_rank.entry(rank(at)).or_default().push(at);
    }
    let mut before: Vec<usize> =
        (0..changes.len()).filter(|&at| operations[at] != Operation::Nothing && !removes(at)).collect();
    for group in by_rank.into_values().rev() {
        for &at in &group {
            needs[at].clone_from(&before);
        }
        before = group;
    }
}
