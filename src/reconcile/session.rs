//! One target in one run: what is wanted of it, what was seen, what was decided; and the same for every provider.

use std::collections::{BTreeSet, HashMap};

use futures::future::BoxFuture;
use tokio::sync::OnceCell;

use super::decide::{Context, Operation, Planned, decide};
use super::options::Options;
use super::orphans::guarded;
use super::ownership::Mark;
use super::plan::{Action, Change, FieldChange};
use super::provider::{Provider, Scope, Seen, Step, Wanted, Written};
use crate::diagnostic::Problem;
use crate::id::ResourceId;

/// Up to so many overwrites each object is read again by itself just before; beyond, one list is cheaper.
const SINGLE_READS: usize = 100;

/// Objects by key.
type ByKey<H> = HashMap<String, Seen<H>>;

/// A target that the engine can drive without knowing its sort.
pub trait Target: Send + Sync {
    /// The target resource's name.
    fn name(&self) -> &str;
    /// What the lock of this target is called.
    fn lock_name(&self) -> String;
    /// Requests so far, by sort.
    fn requests(&self) -> Vec<(&'static str, u64)>;
    /// Reads the target and decides what happens.
    fn plan<'a>(&'a mut self, declared: &'a BTreeSet<ResourceId>, options: &'a Options) -> BoxFuture<'a, ()>;
    /// How many objects seen carry our mark.
    fn owned(&self) -> usize;
    /// What was decided.
    fn planned(&self) -> &[Planned];
    /// What was decided, to be changed by what the whole run knows.
    fn planned_mut(&mut self) -> &mut [Planned];
    /// What a change waits for.
    fn depends_on(&self, change: usize) -> &[ResourceId];
    /// Carries out one change.
    fn write(&self, change: usize) -> BoxFuture<'_, Result<Written, Problem>>;
    /// Lets go of the target at the end of a run that wrote.
    fn close(&self) -> BoxFuture<'_, ()>;
    /// Compares what was written with what came back; a problem for each change that did not take.
    fn verify<'a>(&'a self, written: &'a [usize]) -> BoxFuture<'a, Vec<(usize, Problem)>>;
}

/// A provider with what one run knows of its target.
pub struct Session<P: Provider> {
    name: String,
    provider: P,
    wants: Vec<Wanted<P::Want>>,
    seen: Vec<Seen<P::Have>>,
    planned: Vec<Planned>,
    owner: String,
    again: OnceCell<Result<ByKey<P::Have>, Problem>>,
}

impl<P: Provider> std::fmt::Debug for Session<P> {
    fn fmt(&self, out: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        out.debug_struct("Session").field("name", &self.name).finish_non_exhaustive()
    }
}

impl<P: Provider> Session<P> {
    /// The target `name`, reached by `provider`, of which `wants` are wanted.
    pub fn new(name: impl Into<String>, provider: P, wants: Vec<Wanted<P::Want>>) -> Self {
        Self {
            name: name.into(),
            provider,
            wants,
            seen: Vec::new(),
            planned: Vec::new(),
            owner: String::new(),
            again: OnceCell::new(),
        }
    }

    fn overwrites(&self) -> usize {
        let overwrites = |planned: &&Planned| planned.operation != Operation::Nothing && planned.seen.is_some();
        self.planned.iter().filter(overwrites).count()
    }

    /// The object as it is now; a problem when it is not what the plan saw.
    async fn recheck(&self, planned: &Planned, seen: &Seen<P::Have>) -> Result<Option<Seen<P::Have>>, Problem> {
        // What others hung on it may have been moved by this run, which a list from its beginning does not show.
        let now = if self.overwrites() > SINGLE_READS && seen.guards.is_empty() {
            let list = self.again.get_or_init(async || {
                let seen = self.provider.observe(&self.wants, Scope::All).await?;
                Ok(seen.into_iter().map(|object| (object.key.clone(), object)).collect())
            });
            list.await.as_ref().map_err(Clone::clone)?.get(&seen.key).cloned()
        } else {
            let keys = [seen.key.clone()];
            let found = self.provider.observe(&self.wants, Scope::Keys(&keys)).await?;
            found.into_iter().find(|object| object.key == seen.key)
        };
        let removes = matches!(planned.operation, Operation::Delete | Operation::Disable | Operation::Unmark);
        match now {
            Some(now) if now.revision == seen.revision && now.mark == seen.mark => Ok(Some(now)),
            None if removes => Ok(None),
            _ => {
                let message = format!("`{}` was changed by somebody else since the plan was made", seen.key);
                Err(Problem::new("provisor::plan::stale", message).with_hint("plan again and look at the difference"))
            }
        }
    }

    async fn carry_out(&self, planned: &Planned) -> Result<Written, Problem> {
        let want = planned.want.map(|at| &self.wants[at]);
        let Some(before) = planned.seen.map(|at| &self.seen[at]) else { return self.create(want).await };
        let Some(seen) = self.recheck(planned, before).await? else {
            return Ok(Written { message: Some("already gone".to_owned()), ..Written::default() });
        };
        let takes_along = matches!(planned.operation, Operation::Delete | Operation::Disable);
        if let Some(guard) = seen.guards.first().filter(|_| takes_along) {
            return Err(guarded(&seen.key, guard));
        }
        let step = match planned.operation {
            Operation::Nothing | Operation::Create => return Ok(Written::default()),
            Operation::Delete => Step::Delete(&seen),
            Operation::Disable => Step::Disable(&seen),
            Operation::Unmark => Step::Unmark(&seen),
            Operation::Update => {
                let (want, id, mut mark) = self.parts(want)?;
                if let Some(old) = &seen.mark {
                    mark.applied.secrets.clone_from(&old.applied.secrets);
                }
                Step::Update { id, want, seen: &seen, fields: &planned.change.fields, mark }
            }
        };
        self.provider.write(step).await
    }

    async fn create(&self, want: Option<&Wanted<P::Want>>) -> Result<Written, Problem> {
        let (want, id, mark) = self.parts(want)?;
        self.provider.write(Step::Create { id, want, mark }).await
    }

    fn parts<'a>(&self, want: Option<&'a Wanted<P::Want>>) -> Result<(&'a P::Want, &'a ResourceId, Mark), Problem> {
        let wanted = want.ok_or_else(|| Problem::new("provisor::bug", "a write without a declaration"))?;
        let want = wanted.want.as_ref().map_err(Clone::clone)?;
        let mut mark = Mark::new(&self.owner, &wanted.id, &wanted.lifecycle);
        mark.applied.key.clone_from(&wanted.key);
        Ok((want, &wanted.id, mark))
    }

    async fn look_back(&self, written: &[usize]) -> Result<Vec<(usize, Problem)>, Problem> {
        let wants: Vec<(usize, &Wanted<P::Want>)> =
            written.iter().filter_map(|&change| Some((change, &self.wants[self.planned[change].want?]))).collect();
        if wants.is_empty() {
            return Ok(Vec::new());
        }
        let keys: Option<Vec<String>> = wants.iter().map(|(_, want)| want.key.clone()).collect();
        let seen = match keys {
            Some(keys) if keys.len() <= SINGLE_READS / 2 => {
                self.provider.observe(&self.wants, Scope::Keys(&keys)).await?
            }
            _ => self.provider.observe(&self.wants, Scope::All).await?,
        };
        let mut by_resource: HashMap<&ResourceId, Vec<&Seen<P::Have>>> = HashMap::new();
        for object in &seen {
            if let Some(mark) = object.mark_of(&self.owner) {
                by_resource.entry(&mark.resource).or_default().push(object);
            }
        }
        let find = |want: &Wanted<P::Want>| {
            let marked = by_resource.get(&want.id)?;
            marked.iter().find(|object| Some(&object.key) == want.key.as_ref()).or_else(|| marked.first()).copied()
        };
        let missing = |change: usize, want: &Wanted<P::Want>| match find(want) {
            None => Some((change, not_taken(&self.name, &["the object"]))),
            Some(object) => {
                let comparison = self.provider.compare(want, Some(object));
                let left: Vec<&str> = comparison
                    .fields
                    .iter()
                    .filter(|field| field.is_write())
                    .map(|field| field.path.as_str())
                    .collect();
                let problem = (!left.is_empty()).then(|| not_taken(&self.name, &left)).or(comparison.failure);
                problem.map(|problem| (change, problem))
            }
        };
        Ok(wants.into_iter().filter_map(|(change, want)| missing(change, want)).collect())
    }
}

fn not_taken(target: &str, paths: &[&str]) -> Problem {
    let shown = paths.iter().map(|path| format!("`{path}`")).collect::<Vec<_>>().join(", ");
    let message = format!("`{target}` accepted the write and dropped {shown}");
    let hint =
        "the server does not know what the field names, or another writer undid it; compare with `provisor plan`";
    Problem::new("provisor::apply::not_taken", message).with_hint(hint)
}

/// What stands for a resource whose target could not be read.
pub(crate) fn unreadable(id: &ResourceId, target: &str, problem: &Problem) -> Planned {
    let mut change = Change::new(id.clone(), Some(target.to_owned()), Action::Unknown);
    change.error = Some(problem.clone());
    change.fields = Vec::<FieldChange>::new();
    Planned { change, operation: Operation::Nothing, want: None, seen: None }
}

impl<P: Provider> Target for Session<P> {
    fn name(&self) -> &str {
        &self.name
    }

    fn lock_name(&self) -> String {
        self.provider.lock_name()
    }

    fn requests(&self) -> Vec<(&'static str, u64)> {
        self.provider.requests()
    }

    fn plan<'a>(&'a mut self, declared: &'a BTreeSet<ResourceId>, options: &'a Options) -> BoxFuture<'a, ()> {
        Box::pin(async move {
            self.owner.clone_from(&options.owner);
            match self.provider.observe(&self.wants, Scope::All).await {
                Ok(seen) => {
                    let (objects, wanted) = (seen.len(), self.wants.len());
                    let name = &self.name;
                    tracing::info!(target.name = %name, objects, wanted, "read `{name}`: {objects} objects for {wanted} declared");
                    self.seen = seen;
                    let context = Context { target: &self.name, declared, options };
                    self.planned = decide(&self.provider, &self.wants, &self.seen, context);
                    for planned in &self.planned {
                        let (id, action) = (&planned.change.resource, planned.change.action);
                        tracing::trace!(resource.id = %id, target.name = %self.name, action = ?action, fields = planned.change.fields.len(), "decided on `{id}`");
                    }
                }
                Err(problem) => {
                    self.planned = self.wants.iter().map(|want| unreadable(&want.id, &self.name, &problem)).collect();
                }
            }
        })
    }

    fn owned(&self) -> usize {
        self.seen.iter().filter(|object| object.mark_of(&self.owner).is_some()).count()
    }

    fn planned(&self) -> &[Planned] {
        &self.planned
    }

    fn planned_mut(&mut self) -> &mut [Planned] {
        &mut self.planned
    }

    fn depends_on(&self, change: usize) -> &[ResourceId] {
        self.planned[change].want.map_or(&[], |want| &self.wants[want].depends_on)
    }

    fn write(&self, change: usize) -> BoxFuture<'_, Result<Written, Problem>> {
        let planned = &self.planned[change];
        Box::pin(async move {
            let (id, name) = (&planned.change.resource, &self.name);
            tracing::debug!(resource.id = %id, target.name = %name, operation = ?planned.operation, "writing `{id}` in `{name}`");
            let written = self.carry_out(planned).await;
            match &written {
                Ok(_) => {
                    tracing::info!(resource.id = %id, target.name = %name, operation = ?planned.operation, "wrote `{id}` in `{name}`");
                }
                Err(problem) => {
                    tracing::debug!(resource.id = %id, target.name = %name, code = problem.code, "could not write `{id}` in `{name}`");
                }
            }
            written
        })
    }

    fn close(&self) -> BoxFuture<'_, ()> {
        Box::pin(self.provider.close())
    }

    fn verify<'a>(&'a self, written: &'a [usize]) -> BoxFuture<'a, Vec<(usize, Problem)>> {
        Box::pin(async move {
            let settled = self.provider.settle().await;
            let looked = match settled {
                Ok(()) => self.look_back(written).await,
                Err(problem) => Err(problem),
            };
            match looked {
                Ok(problems) => problems,
                Err(problem) => {
                    let unverified = |&change: &usize| {
                        let message = format!("written, but could not be read back: {}", problem.message);
                        let hint = "run `provisor plan`; an empty plan says that all is well";
                        (change, Problem::new("provisor::apply::unverified", message).with_hint(hint))
                    };
                    written.iter().map(unverified).collect()
                }
            }
        })
    }
}
