//! Any bytes as an object, with any options: nothing panics and every record is accounted for.

use std::io::{self, Read};

use bytes::Bytes;
use weir::decode::{Input, Options};
use weir::logs;

use super::read;

/// Hands out few bytes at a time, as a slow socket does.
struct Trickle {
    bytes: Bytes,
    most: usize,
}

impl Read for Trickle {
    fn read(&mut self, buffer: &mut [u8]) -> io::Result<usize> {
        let count = self.most.min(buffer.len()).min(self.bytes.len());
        buffer[..count].copy_from_slice(&self.bytes.split_to(count));
        Ok(count)
    }
}

// the first byte chooses how the object is read, the rest is the object
pub fn run(data: &[u8]) {
    let Some((&choice, object)) = data.split_first() else { return };
    let object = Bytes::copy_from_slice(object);
    let format = "${srcaddr} ${dstport} ${start} ${new-field}";
    let options = Options {
        table: logs::TABLES.get(usize::from(choice & 7)).copied(),
        vpc_flow_format: (choice & 8 != 0).then(|| format.to_owned()),
        inflated_bytes_max: 1 << 20,
        ..Options::default()
    };
    let whole = read(Input::Bytes(object.clone()), &options);
    if choice & 16 != 0 {
        let most = 1 + usize::from(choice >> 5);
        let trickled = read(Input::Stream(Box::new(Trickle { bytes: object, most })), &options);
        assert_eq!(trickled.counts, whole.counts);
    }
}
