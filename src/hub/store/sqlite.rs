//! The store on SQLite: how it is opened, read and written.
//!
//! # Writing
//! WAL and `synchronous=FULL`: with NORMAL a power cut may lose the last commits, and a used key would be good again.
//! All writes of a process go through one connection, and each transaction is `BEGIN IMMEDIATE`: one that reads first
//! and then wants to write is refused at once, without the busy handler being asked. Readers have connections of
//! their own and never wait for a writer.
//!
//! # Reading only
//! A plan must leave no trace, and SQLite makes side files even for a reader of a WAL database. So:
//! - without side files nobody has the store open, and the file alone is the whole store: it is read as
//!   `immutable`, without locks. Should somebody begin to write meanwhile, the file or its neighbours change; that is
//!   looked for afterwards, and the reading is done again.
//! - with a `-shm` file it is mapped read-only (`readonly_shm`): the locks of a running hub are respected, and after a
//!   crash SQLite rebuilds the index of the WAL in its own memory.
//! - with a WAL that lost its `-shm`, as in a copied folder, there is no way to read without making that file.

use std::fs;
use std::io::ErrorKind;
use std::os::unix::fs::MetadataExt as _;
use std::path::{Path, PathBuf, absolute};
use std::time::{Duration, Instant};

use futures::future::BoxFuture;
use sqlx::sqlite::{SqliteConnectOptions, SqliteJournalMode, SqlitePool, SqlitePoolOptions, SqliteSynchronous};
use sqlx::{ConnectOptions as _, Connection as _, Sqlite, SqliteConnection, Transaction};

use super::Error;

/// Marks the file as a hub's, in the header that `file` and SQLite show: "pvhb".
const APPLICATION_ID: i64 = 0x7076_6862;

/// One for each schema, in order; `PRAGMA user_version` counts those that a store has.
const MIGRATIONS: &[&str] = &[include_str!("../../../migrations/sqlite/0001_hub.sql")];

/// How long to wait for another process's write.
const BUSY: Duration = Duration::from_secs(10);
/// After how long no further reading is begun.
const PATIENCE: Duration = Duration::from_mins(1);
/// How long a write may wait for those of its own process before it; ten thousand take under a minute.
const QUEUE: Duration = Duration::from_mins(5);
const READERS: u32 = 4;
/// How often a reading is done again when the store changed under it, or an opening when others open it too.
const ATTEMPTS: u32 = 40;
/// How long to wait before that.
const PAUSE: Duration = Duration::from_millis(25);

/// An open store.
#[derive(Debug, Clone)]
pub(in crate::hub) struct Store(Access);

#[derive(Debug, Clone)]
enum Access {
    Write { writer: SqlitePool, readers: SqlitePool },
    Read { path: PathBuf },
}

/// A statement to run on a reading connection; it may be run again.
pub(in crate::hub) type Query<'q, T> =
    &'q (dyn for<'c> Fn(&'c mut SqliteConnection) -> BoxFuture<'c, Result<T, sqlx::Error>> + Send + Sync);

impl Store {
    /// Opens the store in the file at `path`, which exists and may be empty, and brings its schema up to date.
    pub(in crate::hub) async fn open(path: &Path) -> Result<Self, Error> {
        let fail = |source| Error::Open { path: path.to_owned(), source };
        let options = options(path)
            .create_if_missing(false)
            .journal_mode(SqliteJournalMode::Wal)
            .synchronous(SqliteSynchronous::Full)
            .busy_timeout(BUSY);
        let pool = || SqlitePoolOptions::new().acquire_timeout(QUEUE).idle_timeout(None).max_lifetime(None);
        let mut first = connect(&options, path).await?;
        migrate(&mut first, path).await?;
        let writer = pool().max_connections(1).connect_with(options.clone()).await.map_err(fail)?;
        first.close().await.map_err(fail)?;
        let readers = pool().max_connections(READERS).connect_lazy_with(options.read_only(true));
        Ok(Self(Access::Write { writer, readers }))
    }

    /// Reads the store in the file at `path` and writes nothing; a missing store is an empty one. Not beside an open store
    /// of the same process: SQLite shares the mapped `-shm` file among connections, read-only if the first one is.
    pub(in crate::hub) fn read_only(path: &Path) -> Self {
        Self(Access::Read { path: path.to_owned() })
    }

    /// Begins a write; nothing is changed unless it is committed. `None` where the store is open to be read.
    pub(in crate::hub) async fn begin(&self) -> Result<Option<Transaction<'static, Sqlite>>, Error> {
        match &self.0 {
            Access::Write { writer, .. } => Ok(Some(writer.begin_with("BEGIN IMMEDIATE").await?)),
            Access::Read { .. } => Ok(None),
        }
    }

    /// Runs a reading; an empty store has `T`'s default.
    pub(in crate::hub) async fn read<T: Default>(&self, query: Query<'_, T>) -> Result<T, Error> {
        match &self.0 {
            Access::Write { readers, .. } => Ok(query(&mut *readers.acquire().await?).await?),
            Access::Read { path } => read_only(path, query).await,
        }
    }

    /// Ends what is under way and closes the file; the last process to close it removes the side files.
    pub(in crate::hub) async fn close(&self) {
        if let Access::Write { writer, readers } = &self.0 {
            readers.close().await;
            writer.close().await;
        }
    }
}

fn options(path: &Path) -> SqliteConnectOptions {
    SqliteConnectOptions::new().filename(path).disable_statement_logging()
}

/// The first connection. Two processes that turn a new file to WAL at once are refused without the busy handler
/// being asked, so it is tried again here.
async fn connect(options: &SqliteConnectOptions, path: &Path) -> Result<SqliteConnection, Error> {
    for _ in 0..ATTEMPTS {
        match options.connect().await.map_err(Error::from) {
            Err(Error::Busy) => tokio::time::sleep(PAUSE).await,
            Err(Error::Failed(source)) => return Err(Error::Open { path: path.to_owned(), source }),
            connected => return connected,
        }
    }
    Err(Error::Busy)
}

/// Brings the schema up to date, in one transaction: a store has a schema or it has none.
async fn migrate(connection: &mut SqliteConnection, path: &Path) -> Result<(), Error> {
    let mut transaction = connection.begin_with("BEGIN IMMEDIATE").await?;
    let done = usize::try_from(schema(&mut transaction, path).await?).unwrap_or_default();
    for migration in MIGRATIONS.iter().skip(done) {
        sqlx::raw_sql(*migration).execute(&mut *transaction).await?;
    }
    if done < MIGRATIONS.len() {
        let mark = format!("PRAGMA application_id = {APPLICATION_ID}; PRAGMA user_version = {}", MIGRATIONS.len());
        sqlx::raw_sql(sqlx::AssertSqlSafe(mark)).execute(&mut *transaction).await?;
    }
    Ok(transaction.commit().await?)
}

/// How many migrations the store has; 0 is a store that was not made yet.
async fn schema(connection: &mut SqliteConnection, path: &Path) -> Result<i64, Error> {
    let (application, found, tables): (i64, i64, i64) = sqlx::query_as(
        "SELECT application_id, user_version, (SELECT count(*) FROM sqlite_schema)
         FROM pragma_application_id, pragma_user_version",
    )
    .fetch_one(connection)
    .await?;
    let known = known();
    match (application, tables) {
        (0, 0) => Ok(0),
        (APPLICATION_ID, _) if found > known => Err(Error::Newer { found, known }),
        (APPLICATION_ID, _) => Ok(found),
        _ => Err(Error::NotAHub(path.to_owned())),
    }
}

fn known() -> i64 {
    i64::try_from(MIGRATIONS.len()).unwrap_or(i64::MAX)
}

async fn read_only<T: Default>(path: &Path, query: Query<'_, T>) -> Result<T, Error> {
    let begun = Instant::now();
    for _ in 0..ATTEMPTS {
        if begun.elapsed() > PATIENCE {
            break;
        }
        let before = Files::look(path)?;
        let Some(options) = before.options(path)? else { return Ok(T::default()) };
        if !before.alone()
            && let Some(read) = read_copy(path, &before, query).await?
        {
            return Ok(read);
        }
        let read = read_with(options, path, query).await;
        // With SQLite's locks a success is a success; a failure may be a side file that went away under the reader.
        if (read.is_ok() && !before.alone()) || Files::look(path)? == before {
            return read;
        }
        tokio::time::sleep(PAUSE).await;
    }
    Err(Error::Busy)
}

/// Reads from a private copy; none where somebody wrote while it was made.
///
/// A hub that was killed may leave an index that disagrees with its WAL. Who may not write cannot mend it, and SQLite
/// would wait for somebody who does. In a copy without the index, SQLite makes a new one from the WAL's own checksums.
async fn read_copy<T: Default>(path: &Path, before: &Files, query: Query<'_, T>) -> Result<Option<T>, Error> {
    let fail = |source| Error::Unreadable { path: path.to_owned(), source };
    let folder = tempfile::tempdir().map_err(fail)?;
    let copy = folder.path().join("hub.db");
    for suffix in ["", "-wal"] {
        match fs::copy(beside(path, suffix), beside(&copy, suffix)) {
            Err(error) if error.kind() != ErrorKind::NotFound => return Err(fail(error)),
            _ => {}
        }
    }
    if Files::look(path)? != *before {
        return Ok(None);
    }
    read_with(options(&copy), path, query).await.map(Some)
}

/// The file that SQLite keeps beside a database under this ending.
fn beside(path: &Path, suffix: &str) -> PathBuf {
    let mut name = path.as_os_str().to_owned();
    name.push(suffix);
    name.into()
}

async fn read_with<T: Default>(options: SqliteConnectOptions, path: &Path, query: Query<'_, T>) -> Result<T, Error> {
    let fail = |source| Error::Open { path: path.to_owned(), source };
    let mut connection = options.connect().await.map_err(fail)?;
    let read = async {
        match schema(&mut connection, path).await? {
            0 => Ok(T::default()),
            found if found < known() => Err(Error::Older { found, known: known() }),
            _ => Ok(query(&mut connection).await?),
        }
    };
    let read = read.await;
    connection.close().await.map_err(fail)?;
    read
}

/// What lies on disk; equal when nobody wrote.
#[derive(PartialEq)]
struct Files {
    database: Option<Stamp>,
    wal: Option<Stamp>,
    shm: Option<Stamp>,
}

/// Inode, length, and the time of the last change in seconds and nanoseconds.
type Stamp = (u64, u64, i64, i64);

impl Files {
    fn look(path: &Path) -> Result<Self, Error> {
        let side = |suffix: &str| stamp(&beside(path, suffix));
        Ok(Self { database: stamp(path)?, wal: side("-wal")?, shm: side("-shm")? })
    }

    /// The file is all of the store: nothing is in a WAL. An index may lie beside it, of a hub that was killed while it
    /// closed: SQLite would look for what that index says of a WAL that is gone, and find no end. A hub that runs and
    /// writes meanwhile changes what lies there.
    fn alone(&self) -> bool {
        self.wal.is_none_or(|(_, length, ..)| length == 0)
    }

    /// How to read what lies there without leaving a trace; `None` where there is nothing.
    fn options(&self, path: &Path) -> Result<Option<SqliteConnectOptions>, Error> {
        if self.database.is_none_or(|(_, length, ..)| length == 0) && self.alone() {
            return Ok(None);
        }
        let options = options(path).read_only(true).busy_timeout(BUSY);
        if self.alone() {
            return Ok(Some(options.immutable(true)));
        }
        if self.shm.is_none() {
            return Ok(Some(options));
        }
        let fail = |source| Error::Unreadable { path: path.to_owned(), source };
        let uri = url::Url::from_file_path(absolute(path).map_err(fail)?)
            .map_err(|()| fail(ErrorKind::InvalidInput.into()))?;
        Ok(Some(options.filename(format!("{uri}?readonly_shm=1"))))
    }
}

fn stamp(path: &Path) -> Result<Option<Stamp>, Error> {
    match fs::metadata(path) {
        Ok(file) => Ok(Some((file.ino(), file.len(), file.ctime(), file.ctime_nsec()))),
        Err(error) if error.kind() == ErrorKind::NotFound => Ok(None),
        Err(source) => Err(Error::Unreadable { path: path.to_owned(), source }),
    }
}
