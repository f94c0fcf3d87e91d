//! Batches of one table → Parquet files, each of one partition and sorted by event time.

use std::collections::{BTreeMap, HashMap};
use std::path::Path;

use arrow::array::{Array, AsArray, RecordBatch};
use arrow::datatypes::{DataType, Int32Type, Int64Type, TimestampMicrosecondType};
use rayon::prelude::*;

use super::Config;
use super::encode::Encoder;
use super::gather::{Place, Rows};
use super::layout::{Partition, day_of};
use crate::table::{Batch, PARTITIONS, Table};
use crate::time::Timestamp;

/// Rows of one table, sorted into partitions and, inside each, by event time; equal times keep their order.
pub struct Sorted {
    table: &'static Table,
    /// Without the partition columns.
    rows: Rows,
    times: Vec<Vec<Option<Timestamp>>>,
    pub partitions: BTreeMap<Partition, Vec<Place>>,
}

impl Sorted {
    pub fn new(table: &'static Table, batches: Vec<Batch>) -> Sorted {
        let times: Vec<_> = batches.par_iter().map(|batch| times(table, &batch.rows)).collect();
        let mut partitions: BTreeMap<Partition, Vec<Place>> = BTreeMap::new();
        for (index, batch) in batches.iter().enumerate() {
            let account = batch.rows.column(0).as_dictionary::<Int32Type>();
            let region = batch.rows.column(1).as_dictionary::<Int32Type>();
            // keys of account and Region, and the day
            type Group = (Option<usize>, Option<usize>, Option<i32>);
            let group = |row: usize| -> Group { (account.key(row), region.key(row), day_of(times[index][row])) };
            let mut groups: HashMap<Group, Vec<Place>> = HashMap::new();
            // neighbours are mostly of one
            let mut row = 0;
            while row < times[index].len() {
                let (start, first) = (row, group(row));
                while row < times[index].len() && group(row) == first {
                    row += 1;
                }
                groups.entry(first).or_default().extend((start..row).map(|row| (index, row)));
            }
            let (accounts, regions) = (account.values().as_string::<i32>(), region.values().as_string::<i32>());
            for ((account, region, day), rows) in groups {
                let account = account.map(|key| accounts.value(key));
                let partition = Partition::new(account, region.map(|key| regions.value(key)), day);
                partitions.entry(partition).or_default().extend(rows);
            }
        }
        partitions.par_iter_mut().for_each(|(_, rows)| {
            // several groups may be of one partition
            rows.sort_unstable();
            sort_by_time(rows, &times);
        });
        let batches: Vec<RecordBatch> = batches.into_iter().map(|batch| without_partitions(&batch.rows)).collect();
        Sorted { table, rows: Rows::new(&batches), times, partitions }
    }

    /// The first event time that sorted rows have.
    pub fn first(&self, rows: &[Place]) -> Option<Timestamp> {
        rows.iter().find_map(|&(batch, row)| self.times[batch][row])
    }

    /// Writes the rows to a file and gives its size. That the disk has it has still to be waited for.
    ///
    /// # Errors
    /// When the file cannot be written.
    pub fn write(&self, rows: &[Place], path: &Path, config: &Config) -> anyhow::Result<u64> {
        let mut encoder = Encoder::create(path, self.table, config, rows.len(), &self.rows.empty)?;
        encoder.append(&self.rows, rows)?;
        encoder.finish()
    }
}

/// Equal times keep their order; rows without a time come first.
fn sort_by_time(rows: &mut Vec<Place>, times: &[Vec<Option<Timestamp>>]) {
    // a number, of which the upper half is the time, is compared without a branch
    let key = |(index, &(batch, row)): (usize, &Place)| {
        let time = times[batch][row].map_or(0, |time| (time.0 as u64 ^ 1 << 63).max(1));
        u128::from(time) << 64 | index as u128
    };
    let mut keys: Vec<u128> = rows.iter().enumerate().map(key).collect();
    keys.sort_unstable();
    *rows = keys.into_iter().map(|key| rows[key as u64 as usize]).collect();
}

fn without_partitions(rows: &RecordBatch) -> RecordBatch {
    let own: Vec<usize> = (PARTITIONS.len()..rows.num_columns()).collect();
    rows.project(&own).expect("a batch has the columns of its table")
}

/// The first event time in a file, as digits to begin its name with, so that a folder lists its files by time.
pub fn stamp(first: Option<Timestamp>) -> String {
    first.map_or_else(|| "unknown".to_owned(), |time| time.to_string()[..19].replace([':', '-'], ""))
}

/// The event time of each row.
pub fn times(table: &Table, rows: &RecordBatch) -> Vec<Option<Timestamp>> {
    let column = rows.column_by_name(table.time).expect("a table has its time column");
    match column.data_type() {
        DataType::Int64 => {
            column.as_primitive::<Int64Type>().iter().map(|time| time.map(Timestamp::from_seconds)).collect()
        }
        _ => column.as_primitive::<TimestampMicrosecondType>().iter().map(|time| time.map(Timestamp)).collect(),
    }
}
