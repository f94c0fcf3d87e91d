//! Compressed bytes, damaged or not: both ways to inflate say the same, and never more than they may.

use std::io::{Cursor, Write};

use weir::decode::PADDING;
use weir::decode::inflate::{Compression, Filled, Limits, Stream, whole};

const MOST: usize = 1 << 20;

fn stream(bytes: &[u8], count: usize) -> (Vec<u8>, Option<String>) {
    let limits = Limits { bytes: MOST as u64, ratio: 1 << 40 };
    let source = Box::new(Cursor::new(bytes.to_vec()));
    let mut stream = Stream::new(source, Compression::of(bytes), limits).expect("memory can be read");
    let mut out = Vec::new();
    loop {
        match stream.fill(&mut out, count).expect("memory can be read") {
            Filled::More => {}
            Filled::Paused => unreachable!("memory never blocks"),
            Filled::End => return (out, None),
            Filled::Broken(why) => return (out, Some(why)),
        }
    }
}

// the first byte says how much is asked for at a time
pub fn run(data: &[u8]) {
    let Some((&count, bytes)) = data.split_first() else { return };
    let count = 1 + usize::from(count) * 16;
    let (streamed, why) = stream(bytes, count);
    assert!(streamed.len() <= MOST);
    assert_eq!(stream(bytes, 1 << 16), (streamed.clone(), why), "how much is asked for changes nothing");
    if let Some(padded) = whole(bytes, MOST) {
        let (inflated, padding) = padded.split_at(padded.len() - PADDING);
        assert_eq!(padding, [0; PADDING]);
        assert_eq!(inflated, streamed);
    }
    // what was compressed comes back, and what comes off that too
    if !matches!(Compression::of(bytes), Compression::None | Compression::Zstd) {
        return;
    }
    let mut gzip = flate2::write::GzEncoder::new(Vec::new(), flate2::Compression::fast());
    gzip.write_all(bytes).expect("memory can be written");
    let gzip = gzip.finish().expect("memory can be written");
    assert_eq!(stream(&gzip, count), (bytes.to_vec(), None));
    assert!(whole(&gzip, MOST).is_none_or(|padded| padded[..padded.len() - PADDING] == *bytes));
    // cut off, it gives a beginning
    let (beginning, why) = stream(&gzip[..gzip.len() - 1], count);
    assert!(why.is_some() && bytes.starts_with(&beginning));
}
