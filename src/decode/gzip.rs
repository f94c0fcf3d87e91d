//! A gzip stream of one member or many → its bytes. What was inflated before damage is handed out before the error is.

use std::io::{self, BufRead, BufReader, Read};

use flate2::{Decompress, DecompressError, FlushDecompress, Status};

/// Bytes taken from the source at a time.
const INPUT: usize = 32 << 10;
/// The largest window that gzip allows, in bits.
const WINDOW_BITS: u8 = 15;

/// Inflates as it is read. flate2's own reader throws away what one call had inflated when that call meets the damage,
/// which is as many whole records as were asked for.
pub struct Gzip<R> {
    source: BufReader<R>,
    inflate: Decompress,
    /// Behind a member, where the input may end.
    between: bool,
    /// The rest cannot be inflated. zlib's reason is left out: it depends on where the calls before ended.
    damaged: bool,
}

impl<R: Read> Gzip<R> {
    pub fn new(source: R) -> Gzip<R> {
        let inflate = Decompress::new_gzip(WINDOW_BITS);
        Gzip { source: BufReader::with_capacity(INPUT, source), inflate, between: false, damaged: false }
    }
}

impl<R: Read> Gzip<R> {
    /// Appends up to `room` bytes to `out`, fewer only at the end and before an error. It goes to memory that was not cleared before:
    /// clearing costs a third of what inflating does.
    ///
    /// # Errors
    /// As [`Gzip::read`] has them, but for `Interrupted`.
    pub fn append(&mut self, out: &mut Vec<u8>, room: usize) -> io::Result<usize> {
        out.reserve(room);
        let before = out.len();
        while out.len() - before < room {
            let missing = room - (out.len() - before);
            let given = match self.inflate(|inflate, input, flush| {
                inflate.decompress_uninit(input, &mut out.spare_capacity_mut()[..missing], flush)
            }) {
                Err(error) if error.kind() == io::ErrorKind::Interrupted => continue,
                given => given?,
            };
            if given == 0 {
                break;
            }
            // SAFETY: so many bytes behind the last were written
            unsafe { out.set_len(out.len() + given) };
        }
        Ok(out.len() - before)
    }

    /// Inflates something by `step`, which has room for it: how many bytes, 0 at the end.
    fn inflate(
        &mut self,
        mut step: impl FnMut(&mut Decompress, &[u8], FlushDecompress) -> Result<Status, DecompressError>,
    ) -> io::Result<usize> {
        loop {
            if self.damaged {
                return Err(io::Error::new(io::ErrorKind::InvalidData, "a gzip member is not sound"));
            }
            let input = self.source.fill_buf()?;
            if input.is_empty() && self.between {
                return Ok(0);
            }
            // blocks are filled up with zeros, which gunzip passes over too, and who prints a file ends it with a line's end
            let filling = input.iter().take_while(|byte| matches!(byte, 0 | b'\n' | b'\r')).count();
            if filling > 0 && self.between {
                self.source.consume(filling);
                continue;
            }
            let flush = if input.is_empty() { FlushDecompress::Finish } else { FlushDecompress::None };
            let (taken, given) = (self.inflate.total_in(), self.inflate.total_out());
            let status = step(&mut self.inflate, input, flush);
            let taken = (self.inflate.total_in() - taken) as usize;
            let given = (self.inflate.total_out() - given) as usize;
            self.source.consume(taken);
            self.between = false;
            match status {
                Ok(Status::StreamEnd) => {
                    self.inflate.reset(true);
                    self.between = true;
                }
                Ok(Status::Ok | Status::BufError) if taken == 0 && given == 0 => {
                    return Err(io::ErrorKind::UnexpectedEof.into());
                }
                Ok(Status::Ok | Status::BufError) => {}
                Err(_) => self.damaged = true,
            }
            if given > 0 {
                return Ok(given);
            }
        }
    }
}

impl<R: Read> Read for Gzip<R> {
    /// # Errors
    /// Those of the source; `UnexpectedEof` when it ends inside a member, `InvalidData` when that is damaged.
    fn read(&mut self, out: &mut [u8]) -> io::Result<usize> {
        if out.is_empty() {
            return Ok(0);
        }
        self.inflate(|inflate, input, flush| inflate.decompress(input, out, flush))
    }
}
