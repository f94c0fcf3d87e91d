//! How much memory a query may take → the runtime in which it keeps to that: rows that find no room wait on disk, and where that does not
//! suffice the query ends with an error that says what took it all.

use std::collections::BTreeMap;
use std::fmt::{self, Display, Formatter};
use std::num::NonZeroUsize;
use std::sync::Arc;
use std::time::Duration;

use anyhow::anyhow;
use datafusion::error::{DataFusionError, Result};
use datafusion::execution::memory_pool::{
    FairSpillPool, MemoryConsumer, MemoryLimit, MemoryPool, MemoryReservation, TrackConsumersPool,
};
use datafusion::execution::runtime_env::{RuntimeEnv, RuntimeEnvBuilder};

use crate::memory::{Memory, Size, mib, resident};

/// A runtime for queries of a process that takes no more than `limit`.
///
/// # Errors
/// When the limit is lower than [`Memory::FLOOR`].
pub fn within(limit: Size) -> anyhow::Result<Arc<RuntimeEnv>> {
    Memory::of_limit(limit).map_err(anyhow::Error::msg)?;
    // the rest is for what no operator counts: batches between them, lists that are unnested, the rows that are shown
    let counted = (limit.0 - Memory::PROGRAM) / 4 * 3;
    Ok(runtime(limit, usize::try_from(counted).unwrap_or(usize::MAX))?)
}

fn runtime(limit: Size, counted: usize) -> Result<Arc<RuntimeEnv>> {
    // where it is one for all, what cannot wait on disk finds it taken by what could
    let pool = TrackConsumersPool::new(FairSpillPool::new(counted), NonZeroUsize::MIN);
    RuntimeEnvBuilder::new().with_memory_pool(Arc::new(Room { pool, limit })).build_arc()
}

/// Ends when the process takes more than it may, which functions do that make much of little, as `rpad` does.
pub async fn taken(limit: Size) {
    while resident().is_none_or(|bytes| bytes <= limit.0) {
        tokio::time::sleep(LOOK).await;
    }
}

/// A processor fills some hundred MiB in it.
const LOOK: Duration = Duration::from_millis(20);

/// What is told then.
pub fn too_small(limit: Size) -> anyhow::Error {
    anyhow!(
        "{}, most of it for values that a function or UNNEST makes, or for one page of rows; {}",
        more_than(limit),
        less(limit)
    )
}

fn more_than(limit: Size) -> String {
    format!("the query needs more memory than the {} of --memory", mib(limit.0))
}

fn less(Size(limit): Size) -> String {
    format!(
        "a condition on day, account or what is joined, fewer columns and GROUP BY of fewer values need less, and --memory {}GiB lets it \
         take more",
        (limit.saturating_mul(2) >> 30).max(1)
    )
}

/// Memory of all operators that count what they take, in equal parts for those that can wait on disk.
#[derive(Debug)]
struct Room {
    pool: TrackConsumersPool<FairSpillPool>,
    limit: Size,
}

impl Room {
    /// The words of a query for its operators, and what those of each have, most first.
    fn takers(&self) -> String {
        let mut takers: BTreeMap<&str, u64> = BTreeMap::new();
        let metrics = self.pool.metrics();
        metrics.iter().for_each(|taker| *takers.entry(word(&taker.name)).or_default() += taker.reserved as u64);
        let mut takers: Vec<_> = takers.into_iter().filter(|(_, bytes)| *bytes >= 1 << 20).collect();
        takers.sort_by_key(|(_, bytes)| std::cmp::Reverse(*bytes));
        let takers: Vec<_> = takers.iter().map(|(word, bytes)| format!("{word} has {}", mib(*bytes))).collect();
        takers.join(", ")
    }
}

/// What of a query an operator does, by the name that it counts memory under.
fn word(name: &str) -> &str {
    let has = |part: &str| name.contains(part);
    if has("Join") {
        "JOIN"
    } else if has("Aggregate") {
        "GROUP BY"
    } else if has("Sort") || has("TopK") {
        "ORDER BY"
    } else if has("Window") {
        "OVER"
    } else {
        name.split('[').next().unwrap_or(name)
    }
}

impl Display for Room {
    fn fmt(&self, f: &mut Formatter<'_>) -> fmt::Result {
        write!(f, "{}", self.pool)
    }
}

impl MemoryPool for Room {
    fn name(&self) -> &str {
        "room"
    }

    fn register(&self, consumer: &MemoryConsumer) {
        self.pool.register(consumer);
    }

    fn unregister(&self, consumer: &MemoryConsumer) {
        self.pool.unregister(consumer);
    }

    fn grow(&self, reservation: &MemoryReservation, additional: usize) {
        self.pool.grow(reservation, additional);
    }

    fn shrink(&self, reservation: &MemoryReservation, shrink: usize) {
        self.pool.shrink(reservation, shrink);
    }

    fn try_grow(&self, reservation: &MemoryReservation, additional: usize) -> Result<()> {
        self.pool.try_grow(reservation, additional).map_err(|_| {
            let (takers, asks) = (self.takers(), word(reservation.consumer().name()));
            let takers = if takers.is_empty() { takers } else { format!("{takers}, ") };
            DataFusionError::ResourcesExhausted(format!(
                "{}: {takers}and {asks} asks for {} more; {}",
                more_than(self.limit),
                mib(additional as u64),
                less(self.limit)
            ))
        })
    }

    fn reserved(&self) -> usize {
        self.pool.reserved()
    }

    fn memory_limit(&self) -> MemoryLimit {
        self.pool.memory_limit()
    }
}

#[cfg(test)]
mod tests {
    use arrow::util::display::array_value_to_string;
    use futures::TryStreamExt;

    use super::*;
    use crate::archive::{Archive, Config};
    use crate::detect::reference::References;
    use crate::sql;

    /// The first value of the answer of a query that may count 24 MiB.
    async fn answer(query: &str) -> anyhow::Result<String> {
        let dir = tempfile::tempdir()?;
        Archive::open(dir.path(), &Config::default())?;
        let session = sql::session_with(dir.path(), &References::default(), runtime(Size(512 << 20), 24 << 20)?)?;
        let rows: Vec<_> = sql::query(&session, query).await?.map_err(sql::readable).try_collect().await?;
        let first = rows.iter().find(|batch| batch.num_rows() > 0).unwrap();
        let columns = first.columns().iter().map(|column| array_value_to_string(column, 0).unwrap());
        Ok(columns.collect::<Vec<_>>().join(" "))
    }

    #[tokio::test]
    async fn what_finds_no_room_waits_on_disk_and_the_answer_is_right() {
        let groups = "SELECT count(*), sum(n), max(k) FROM (SELECT value % 300000 AS k, count(*) AS n \
                      FROM generate_series(1, 600000) GROUP BY 1)";
        assert_eq!(answer(groups).await.unwrap(), "300000 600000 299999");
        let metrics = answer(&format!("EXPLAIN ANALYZE {groups}")).await.unwrap();
        assert!(metrics.split("spill_count=").skip(1).any(|count| !count.starts_with('0')), "{metrics}");
        let sorted = "SELECT count(*), max(n) FROM (SELECT row_number() OVER (ORDER BY (value * 7919) % 1000003) AS n \
                      FROM generate_series(1, 1000000))";
        assert_eq!(answer(sorted).await.unwrap(), "1000000 1000000");
    }

    #[tokio::test]
    async fn what_can_wait_nowhere_ends_with_what_took_it_all() {
        let all = "SELECT cardinality(array_agg(value)) FROM generate_series(1, 4000000)";
        let joined = "SELECT count(*) FROM generate_series(1, 1500000) a (x) JOIN generate_series(1, 1600000) b (y) ON a.x = b.y";
        let mapped = "SELECT cardinality(map_agg(value, value)) FROM generate_series(1, 150000)";
        for (query, expected) in [(all, "GROUP BY asks for"), (joined, "JOIN asks for"), (mapped, "GROUP BY asks for")]
        {
            let error = answer(query).await.unwrap_err().to_string();
            assert!(error.starts_with("the query needs more memory than the 512 MiB of --memory: "), "{error}");
            assert!(error.contains(expected) && error.ends_with("--memory 1GiB lets it take more"), "{error}");
        }
    }
}
