//! `weir alive`: asks a run for its `/healthz`, for containers that have no other program to ask with.

use std::io::{ErrorKind, Read, Write};
use std::net::{TcpStream, ToSocketAddrs};
use std::process::ExitCode;
use std::time::Duration;

use anyhow::{Context, bail};
use clap::Args;

use super::output::{self, Failure};

/// A run that does not answer within this time is not well.
const WAIT: Duration = Duration::from_secs(5);

#[derive(Args)]
pub struct Alive {
    /// Where the run serves its metrics
    #[arg(value_name = "ADDR")]
    address: String,
}

/// 0 when it is well, else 1, as health checks of containers want it.
pub fn run(flags: &Alive) -> Result<ExitCode, Failure> {
    match ask(&flags.address, WAIT) {
        Ok(()) => Ok(ExitCode::SUCCESS),
        Err(error) => {
            output::say(format_args!("weir: {}: {error:#}", flags.address));
            Ok(ExitCode::FAILURE)
        }
    }
}

fn ask(address: &str, wait: Duration) -> anyhow::Result<()> {
    let address = address.to_socket_addrs().context("it is no address")?.next().context("it is no address")?;
    let mut connection = TcpStream::connect_timeout(&address, wait).context("nobody listens there")?;
    connection.set_read_timeout(Some(wait))?;
    write!(connection, "GET /healthz HTTP/1.0\r\n\r\n")?;
    let mut answer = String::new();
    match connection.read_to_string(&mut answer) {
        Err(error) if matches!(error.kind(), ErrorKind::WouldBlock | ErrorKind::TimedOut) => {
            bail!("no answer within {wait:?}: it is stopped, or the machine has no time for it")
        }
        read => read.context("no answer")?,
    };
    match answer.split_once("\r\n\r\n") {
        Some((head, _)) if head.split(' ').nth(1) == Some("200") => Ok(()),
        Some((_, body)) => bail!("not well: {body}"),
        None => bail!("a broken answer"),
    }
}

#[cfg(test)]
mod tests {
    use std::net::TcpListener;

    use super::*;

    #[test]
    fn who_listens_and_does_not_answer_is_named_as_that() {
        let listener = TcpListener::bind("127.0.0.1:0").unwrap();
        let address = listener.local_addr().unwrap().to_string();
        let error = ask(&address, Duration::from_millis(50)).unwrap_err().to_string();
        assert_eq!(error, "no answer within 50ms: it is stopped, or the machine has no time for it");
    }
}
