//! `weir alive`: asks a run for its `/healthz`, for containers that have no other program to ask with.

use std::io::{ErrorKind, Read, Write};
use std::net::{SocketAddr, TcpStream, ToSocketAddrs};
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
    let mut connection = connect(address.to_socket_addrs().context("it is no address")?, wait)?;
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

/// A name may have several addresses, of which a run listens on one: `localhost` has that of IPv6 first.
fn connect(addresses: impl Iterator<Item = SocketAddr>, wait: Duration) -> anyhow::Result<TcpStream> {
    let mut refused = None;
    for address in addresses {
        match TcpStream::connect_timeout(&address, wait) {
            Ok(connection) => return Ok(connection),
            Err(error) => refused = Some(error),
        }
    }
    Err(refused.context("it is no address")?).context("nobody listens there")
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

    #[test]
    fn of_the_addresses_of_a_name_the_one_is_asked_that_answers() {
        let bound = || TcpListener::bind("127.0.0.1:0").unwrap();
        let (closed, open) = (bound().local_addr().unwrap(), bound());
        let addresses = [closed, open.local_addr().unwrap()];
        let connection = connect(addresses.into_iter(), Duration::from_secs(5)).unwrap();
        assert_eq!(connection.peer_addr().unwrap(), addresses[1]);
        let told = |addresses: &[SocketAddr]| {
            connect(addresses.iter().copied(), Duration::from_secs(5)).unwrap_err().to_string()
        };
        assert_eq!((told(&[closed]), told(&[])), ("nobody listens there".to_owned(), "it is no address".to_owned()));
    }
}
