//! How many sockets this process may have.

use anyhow::{Context, bail};
use nix::sys::resource::{Resource, getrlimit, setrlimit};

/// Descriptors that are not for clients: the terminal, the poll, pipes, what the libraries open.
const RESERVED: u64 = 32;

/// Raises the limit as far as the system lets a process, and makes sure that it is enough for so
/// many clients.
///
/// # Errors
///
/// How many are missing.
pub(super) fn reserve(clients: u32) -> anyhow::Result<()> {
    let (_, maximum) = getrlimit(Resource::RLIMIT_NOFILE).context("the limit of descriptors")?;
    // Where it cannot be raised, it stays as it is.
    let _ = setrlimit(Resource::RLIMIT_NOFILE, maximum, maximum);
    let (limit, _) = getrlimit(Resource::RLIMIT_NOFILE).context("the limit of descriptors")?;
    let needed = u64::from(clients) + RESERVED;
    if needed > limit {
        bail!(
            "{clients} clients take {needed} descriptors and this process may have {limit}: \
             {} are missing. Raise the hard limit (ulimit -Hn) or take fewer clients",
            needed - limit
        );
    }
    Ok(())
}
