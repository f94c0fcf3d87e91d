//! The `vpc_flow` table: one row per VPC flow log record, from AWS's flow log record reference (versions 2 to 10).

mod column;
mod format;
mod known;
mod lines;
mod parquet;
mod words;

pub use self::format::check as check_format;
pub use self::parquet::has_flows;

use self::format::Format;

use std::collections::BTreeMap;
use std::ops::Range;
use std::sync::Arc;

use arrow::array::{Array, AsArray, Int64Array, RecordBatch, StringViewArray};
use arrow::datatypes::Int64Type;
use serde_json::value::RawValue;

use super::json::Clockwork;
use super::text;
use crate::decode::{Body, Counts, Options, Records, Shape};
use crate::table::{Batch, Column, Kind, Names, Reject, Table};

/// Column names are those of the table that AWS documents for Athena: field names with underscores.
/// `region` of version 4 is the partition column.
pub static VPC_FLOW: Table = Table {
    name: "vpc_flow",
    about: "IP traffic of network interfaces, one row per flow and aggregation interval",
    time: "start",
    id: None,
    same: &[],
    names: Names { actor: "srcaddr", session: "", source_ip: "srcaddr", resource: "interface_id" },
    own: "",
    lookups: &["srcaddr", "dstaddr", "pkt_srcaddr", "pkt_dstaddr", "interface_id"],
    columns: COLUMNS,
};

/// Columns under the names that an older table of AWS's documentation gives them. Others than these are of other logs too:
/// firewalls have a `source_address`.
const OTHER_NAMES: &[(&str, &[&str])] = &[
    ("account_id", &["account"]),
    ("srcaddr", &["sourceaddress"]),
    ("dstaddr", &["destinationaddress"]),
    ("srcport", &["sourceport"]),
    ("dstport", &["destinationport"]),
    ("packets", &["numpackets"]),
    ("bytes", &["numbytes"]),
    ("start", &["starttime", "start_time"]),
    ("end", &["endtime", "end_time"]),
];

/// The column that others call by this name, in any case.
pub fn own_name(other: &str) -> Option<&'static str> {
    let has_other = |others: &[&str]| others.iter().any(|known| known.eq_ignore_ascii_case(other));
    OTHER_NAMES.iter().find(|(_, others)| has_other(others)).map(|(own, _)| *own)
}

/// Lines at the beginning of a text that may tell what it is.
const LINES_MAX: usize = 20;

/// Knows a text by its header line, by lines that fit the declared format or AWS's default one, or by words that
/// flow records have in any format: those are then rejected, with what to do.
pub fn recognize(head: &[u8], options: &Options) -> Option<Shape> {
    let lines = || text::lines(head).take(LINES_MAX).map(|(start, end)| &head[start..end]);
    let first = lines().find(|line| !line.trim_ascii().is_empty())?;
    let header = format::is_header(first);
    let format = options.vpc_flow_format.as_deref().map_or_else(Format::assumed, Format::parse);
    let forced = options.table.is_some_and(|table| table.name == VPC_FLOW.name);
    let known = forced || header || lines().any(|line| format.fits(line) || format::looks_like_a_flow(line));
    known.then_some(Shape {
        table: &VPC_FLOW,
        header,
        quoted: None,
        begins: |_| true,
        last_header: format::last_header,
    })
}

/// Flow records that were JSON or Parquet, with null for `-`, and times in seconds: whoever makes JSON of them likes parts of one.
pub fn settled(batch: Batch) -> Batch {
    /// The year 5138 in seconds, 1973 in milliseconds.
    const SECONDS_MAX: i64 = 100_000_000_000;
    let seconds = |mut time: i64| {
        while time.abs() >= SECONDS_MAX {
            time /= 1000;
        }
        time
    };
    let schema = batch.rows.schema();
    let columns = schema.fields().iter().zip(batch.rows.columns()).map(|(field, column)| {
        match (field.name().as_str(), column.as_primitive_opt::<Int64Type>()) {
            ("start" | "end", Some(times)) => Arc::new(times.unary::<_, Int64Type>(seconds)),
            _ => parquet::without_dashes(column),
        }
    });
    let columns = columns.collect();
    let rows = RecordBatch::try_new(schema, columns).expect("only nulls were added to nullable columns");
    Batch { rows: dated(rows), ..batch }
}

/// Rows with the times that are dates, `2024-08-01 10:00:00`, which are no numbers and stand in `unmapped` so far.
fn dated(rows: RecordBatch) -> RecordBatch {
    let column = |name: &str| rows.schema().index_of(name).expect("a column of the table");
    let (rest, times) = (column("unmapped"), ["start", "end"].map(column));
    let texts = rows.column(rest).as_string_view();
    let is_date = |row: usize| texts.is_valid(row) && texts.value(row).contains(r#"":"2"#);
    if times.iter().all(|time| rows.column(*time).null_count() == 0) || !(0..texts.len()).any(is_date) {
        return rows;
    }
    let mut columns = rows.columns().to_vec();
    let mut objects: Vec<Option<String>> =
        (0..texts.len()).map(|row| texts.is_valid(row).then(|| texts.value(row).to_owned())).collect();
    for (place, own) in times.into_iter().zip(["start", "end"]) {
        let before = rows.column(place).as_primitive::<Int64Type>();
        let is_named = |name: &str| name.eq_ignore_ascii_case(own) || own_name(name) == Some(own);
        let read = |(row, object): (usize, &mut Option<String>)| {
            if before.is_valid(row) {
                return Some(before.value(row));
            }
            let object = object.as_mut().filter(|_| is_date(row))?;
            let (member, time) = date(object, is_named)?;
            object.replace_range(member, "");
            Some(time.div_euclid(1_000_000))
        };
        columns[place] = Arc::new(objects.iter_mut().enumerate().map(read).collect::<Int64Array>());
    }
    let rests = objects.into_iter().map(|object| object.filter(|object| object != "{}"));
    columns[rest] = Arc::new(rests.collect::<StringViewArray>());
    RecordBatch::try_new(rows.schema(), columns).expect("the columns keep their kinds")
}

/// Where in an object the member of such a name stands that is a date, with a comma beside it, and when that was. Nothing else of the object
/// is made anew: a number of many digits would not be the same.
fn date(object: &str, is_named: impl Fn(&str) -> bool) -> Option<(Range<usize>, i64)> {
    let members: BTreeMap<String, &RawValue> = serde_json::from_str(object).ok()?;
    let (name, value) = members.into_iter().find(|(name, _)| is_named(name))?;
    let text: String = serde_json::from_str(value.get()).ok()?;
    let time = Clockwork::default().read(text.as_bytes())?;
    let begin = value.get().as_ptr().addr() - object.as_ptr().addr();
    // behind the name, its quotes and the colon
    let mut member = begin.checked_sub(name.len() + 3)?..begin + value.get().len();
    if object[member.end..].starts_with(',') {
        member.end += 1;
    } else if object.get(..member.start)?.ends_with(',') {
        member.start -= 1;
    }
    object.get(member.clone())?.contains(&name).then_some((member, time))
}

/// Flow records as text lines or Parquet → batches.
pub fn batches(records: Vec<Records>, rejects: &mut Vec<Reject>, counts: &mut Counts) -> Vec<Batch> {
    let mut done = Vec::new();
    let mut open = lines::Parser::default();
    for records in records {
        match records.body {
            Body::Lines(body) => {
                open.read(body, &records.origin, records.offset, records.context.as_deref(), rejects, counts);
                if open.is_full() {
                    done.extend(std::mem::take(&mut open).finish(counts));
                }
            }
            Body::Parquet(rows) => {
                done.extend(parquet::batch(&rows, &records.origin, records.offset, rejects, counts).map(settled));
            }
            Body::Json(_) => unreachable!("JSON goes to the JSON parser"),
        }
    }
    done.extend(open.finish(counts));
    done
}

const COLUMNS: &[Column] = &[
    Column::new("version", "version", Kind::Int, "highest version among the fields chosen"),
    Column::new("account_id", "account-id", Kind::Symbol, "account that owns the interface; may be `unknown`"),
    Column::new("interface_id", "interface-id", Kind::Symbol, "network interface"),
    Column::new("srcaddr", "srcaddr", Kind::Text, "source address"),
    Column::new("dstaddr", "dstaddr", Kind::Text, "destination address"),
    Column::new("srcport", "srcport", Kind::Int, "source port; 0 for ICMP"),
    Column::new("dstport", "dstport", Kind::Int, "destination port; 0 for ICMP"),
    Column::new("protocol", "protocol", Kind::Int, "IANA protocol number: 6 TCP, 17 UDP, 1 ICMP"),
    Column::new("packets", "packets", Kind::Int, "packets in the interval"),
    Column::new("bytes", "bytes", Kind::Int, "bytes in the interval"),
    Column::new("start", "start", Kind::Int, "first packet of the interval, epoch seconds"),
    Column::new("end", "end", Kind::Int, "last packet of the interval, epoch seconds"),
    Column::new("action", "action", Kind::Symbol, "ACCEPT or REJECT"),
    Column::new("log_status", "log-status", Kind::Symbol, "OK, NODATA (no traffic) or SKIPDATA (records were lost)"),
    Column::new("vpc_id", "vpc-id", Kind::Symbol, "VPC of the interface"),
    Column::new("subnet_id", "subnet-id", Kind::Symbol, "subnet of the interface"),
    Column::new("instance_id", "instance-id", Kind::Symbol, "instance of the interface"),
    Column::new("tcp_flags", "tcp-flags", Kind::Int, "TCP flags seen: FIN 1, SYN 2, RST 4, SYN-ACK 18, added up"),
    Column::new("type", "type", Kind::Symbol, "IPv4, IPv6 or EFA"),
    Column::new("pkt_srcaddr", "pkt-srcaddr", Kind::Text, "source address in the packet"),
    Column::new("pkt_dstaddr", "pkt-dstaddr", Kind::Text, "destination address in the packet"),
    Column::new("az_id", "az-id", Kind::Symbol, "Availability Zone id"),
    Column::new("sublocation_type", "sublocation-type", Kind::Symbol, "wavelength, outpost or localzone"),
    Column::new("sublocation_id", "sublocation-id", Kind::Symbol, "id of the sublocation"),
    Column::new(
        "pkt_src_aws_service",
        "pkt-src-aws-service",
        Kind::Symbol,
        "AWS service of the packet's source address",
    ),
    Column::new(
        "pkt_dst_aws_service",
        "pkt-dst-aws-service",
        Kind::Symbol,
        "AWS service of the packet's destination address",
    ),
    Column::new("flow_direction", "flow-direction", Kind::Symbol, "ingress or egress"),
    Column::new("traffic_path", "traffic-path", Kind::Int, "path that egress traffic took, 1 to 8"),
    Column::new("ecs_cluster_arn", "ecs-cluster-arn", Kind::Symbol, "ECS cluster"),
    Column::new("ecs_cluster_name", "ecs-cluster-name", Kind::Symbol, "name of the ECS cluster"),
    Column::new("ecs_container_instance_arn", "ecs-container-instance-arn", Kind::Symbol, "ECS container instance"),
    Column::new(
        "ecs_container_instance_id",
        "ecs-container-instance-id",
        Kind::Symbol,
        "id of the ECS container instance",
    ),
    Column::new("ecs_container_id", "ecs-container-id", Kind::Symbol, "runtime id of the first container"),
    Column::new(
        "ecs_second_container_id",
        "ecs-second-container-id",
        Kind::Symbol,
        "runtime id of the second container",
    ),
    Column::new("ecs_service_name", "ecs-service-name", Kind::Symbol, "ECS service"),
    Column::new("ecs_task_definition_arn", "ecs-task-definition-arn", Kind::Symbol, "ECS task definition"),
    Column::new("ecs_task_arn", "ecs-task-arn", Kind::Symbol, "ECS task"),
    Column::new("ecs_task_id", "ecs-task-id", Kind::Symbol, "id of the ECS task"),
    Column::new("reject_reason", "reject-reason", Kind::Symbol, "why traffic was rejected: BPA or EC"),
    Column::new("resource_id", "resource-id", Kind::Symbol, "regional NAT gateway"),
    Column::new("encryption_status", "encryption-status", Kind::Int, "0 none, 1 nitro, 2 application, 3 both"),
    Column::new("unmapped", "", Kind::Json, "fields without a column, as one JSON object"),
];
