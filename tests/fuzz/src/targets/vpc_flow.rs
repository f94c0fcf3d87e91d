//! Flow log lines, with the plainest reader there is as the oracle: words between blanks.

use weir::decode::{Input, Options};
use weir::logs::vpc_flow::VPC_FLOW;

use super::read;

const FORMAT: &str = "srcaddr dstport action new-field";

type Row = [Option<String>; 4];

/// A record, or nothing when the line is a reject.
fn row(line: &[u8]) -> Option<Row> {
    let line = std::str::from_utf8(line).ok()?;
    let words: Vec<&str> = line.split(|next: char| next <= ' ').filter(|word| !word.is_empty()).collect();
    let [source, port, action, other] = words[..] else { return None };
    let text = |word: &str| (word != "-").then(|| word.to_owned());
    if port != "-" && !port.bytes().all(|byte| byte.is_ascii_digit()) {
        return None;
    }
    let port = match port {
        "-" => None,
        port => Some(port.parse::<u16>().ok()?.to_string()),
    };
    let other = text(other).map(|other| serde_json::json!({ "new-field": other }).to_string());
    Some([text(source), port, text(action), other])
}

pub fn run(data: &[u8]) {
    // the first line says that the object is text; lines that begin like a header are left out
    let mut object = b"10.0.0.9 443 ACCEPT x\n".to_vec();
    let (mut rows, mut rejects) = (vec![row(b"10.0.0.9 443 ACCEPT x").unwrap()], 0);
    for line in data.split(|byte| *byte == b'\n') {
        let first = line.iter().find(|byte| **byte > b' ');
        if matches!(first, Some(b'a'..=b'z' | b'$')) {
            continue;
        }
        object.extend_from_slice(line);
        object.push(b'\n');
        match row(line) {
            Some(row) => rows.push(row),
            None => rejects += usize::from(first.is_some()),
        }
    }
    // the mark of a tar archive, at its place
    if object.get(257..).is_some_and(|rest| rest.starts_with(b"ustar")) {
        return;
    }
    let options = Options { table: Some(&VPC_FLOW), vpc_flow_format: Some(FORMAT.to_owned()), ..Options::default() };
    let read = read(Input::Bytes(object.into()), &options);
    assert_eq!(read.rejects.len(), rejects, "{:?}", read.rejects);
    let columns = ["srcaddr", "dstport", "action", "unmapped"].map(|name| read.column("vpc_flow", name));
    for (number, row) in rows.iter().enumerate() {
        let found: Row = std::array::from_fn(|column| columns[column][number].clone());
        assert_eq!(found, *row);
    }
    assert_eq!(columns[0].len(), rows.len());
}
