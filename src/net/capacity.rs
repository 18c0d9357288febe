//! Capacity: for how many connections there are descriptors and memory.
//!
//! Both are counted at the start, when everything is open but the connections. Where the limits of
//! the settings add up to more than there is, they are lowered, and the log says to what: a server
//! that runs out of memory ends for everyone.

use std::fs;
use std::path::{Path, PathBuf};

use rustix::process::{Resource, Rlimit, getrlimit, setrlimit};
use thiserror::Error;
use tracing::warn;

use super::accept::MAX_REFUSED;
use super::input::BUFFER_BEYOND_LINE;
use crate::config::Settings;

/// Descriptors that are opened later and are not for clients: the next file of a capture, and what
/// libraries look up.
const SPARE_DESCRIPTORS: u64 = 8;

/// What one connection takes at most beside its mailbox and its unread input, in bytes: its places
/// in all tables, one of which doubles, its name, and the answer that is reserved for it.
const CONNECTION: u64 = 2048;

/// What the kernel takes for one, in bytes: socket, file, inode, and its place in the poll.
const CONNECTION_IN_KERNEL: u64 = 4096;

/// What is taken once, in bytes: log lines that wait, events, answers while they are made.
const FIXED: u64 = 4 << 20;

/// The part of the memory that is left to the allocator and to what is not counted: one in so many.
const SLACK_ONE_IN: u64 = 8;

/// There is not enough of something to serve even one client.
#[derive(Clone, Debug, PartialEq, Eq, Error)]
pub enum CapacityError {
    /// Too few descriptors.
    #[error(
        "{limit} descriptors are not enough: {needed} are needed for one client; a higher limit \
         (ulimit -n) or fewer --listen would work"
    )]
    Descriptors {
        /// How many there may be.
        limit: u64,
        /// How many there would have to be.
        needed: u64,
    },
    /// Too little memory.
    #[error(
        "{what} leaves {left} KiB of memory, and {needed} KiB are needed for one client; a smaller \
         --log-bytes or more memory would work"
    )]
    Memory {
        /// What limits it.
        what: &'static str,
        /// How much there is.
        left: u64,
        /// How much there would have to be.
        needed: u64,
    },
}

/// What something leaves to this process.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
struct Available {
    what: &'static str,
    bytes: u64,
    /// Whether the memory of the kernel comes out of it, too.
    holds_kernel: bool,
}

/// For how many clients there are descriptors. Raises the limit as far as the system lets a
/// process. To be called when everything is open that is not a connection.
pub(super) fn descriptors_for_clients() -> Result<usize, CapacityError> {
    let Rlimit { maximum, .. } = getrlimit(Resource::Nofile);
    // Where it cannot be raised, it stays as it is.
    let _ = setrlimit(Resource::Nofile, Rlimit { current: maximum, maximum });
    let limit = getrlimit(Resource::Nofile).current.unwrap_or(u64::from(u32::MAX));
    // The one for the folder is among them.
    let open = fs::read_dir("/dev/fd").map_or(0, Iterator::count) as u64;
    let reserved = open + MAX_REFUSED as u64 + SPARE_DESCRIPTORS;
    match limit.checked_sub(reserved) {
        None | Some(0) => Err(CapacityError::Descriptors { limit, needed: reserved + 1 }),
        Some(clients) => Ok(usize::try_from(clients).unwrap_or(usize::MAX)),
    }
}

/// Lowers the limits of `settings` to what there is memory for, and returns for how many clients
/// there is room.
pub(super) fn fit_memory(
    settings: &mut Settings,
    max_clients: usize,
) -> Result<usize, CapacityError> {
    let (before, wanted) = (settings.clone(), max_clients);
    let (mut clients, mut reason) = (max_clients, "");
    for available in available() {
        let unfitted = settings.clone();
        let fitted = fit(settings, clients, available)?;
        if (fitted, &*settings) != (clients, &unfitted) {
            reason = available.what;
        }
        clients = fitted;
    }
    let pools = |settings: &Settings| (settings.mailbox_total, settings.input_bytes);
    if pools(&before) != pools(settings) || (settings.max_clients.is_some() && clients < wanted) {
        warn!(
            "{reason} does not leave enough memory for all limits together; as if there were \
             --max-clients {clients} --mailbox-total {}KiB --input-bytes {}KiB",
            settings.mailbox_total >> 10,
            settings.input_bytes >> 10,
        );
    }
    Ok(clients)
}

/// Lowers the limits to what is available. Up to half of it is for clients, the rest for what is
/// shared by them.
fn fit(
    settings: &mut Settings,
    max_clients: usize,
    available: Available,
) -> Result<usize, CapacityError> {
    let each = CONNECTION + if available.holds_kernel { CONNECTION_IN_KERNEL } else { 0 };
    let once = FIXED
        + bytes(settings.log_bytes)
        + bytes(settings.max_line + BUFFER_BEYOND_LINE)
        + bytes(settings.list_bytes + settings.mailbox_bytes);
    let (mail, input) = (bytes(settings.mailbox_total), bytes(settings.input_bytes));
    // Less than that is refused in settings, too.
    let least_mail = bytes(settings.mailbox_bytes);
    let least_input = bytes(BUFFER_BEYOND_LINE + settings.max_line);
    let needed = once + least_mail + least_input + each;
    let usable = available.bytes - available.bytes / SLACK_ONE_IN;
    if usable < needed {
        let (what, left) = (available.what, usable >> 10);
        return Err(CapacityError::Memory { what, left, needed: needed.div_ceil(1024) });
    }
    let left = usable - once;
    let pools = (mail + input).min((left / 2).max(least_mail + least_input));
    let clients = bytes(max_clients).min((left - pools) / each).max(1);
    let pools = (mail + input).min(left - clients * each);
    if pools < mail + input {
        // In the proportion that was asked for, in whole KiB.
        let part = u64::try_from(u128::from(pools) * u128::from(mail) / u128::from(mail + input));
        let most = pools.saturating_sub(least_input);
        let mail_part = part.unwrap_or(pools).max(least_mail).min(most) >> 10 << 10;
        settings.mailbox_total = size(mail_part.max(least_mail));
        let input_part = pools.saturating_sub(mail_part) >> 10 << 10;
        settings.input_bytes = size(input_part.max(least_input));
    }
    Ok(size(clients))
}

fn bytes(size: usize) -> u64 {
    size as u64
}

fn size(bytes: u64) -> usize {
    usize::try_from(bytes).unwrap_or(usize::MAX)
}

/// What everything leaves that limits the memory of this process, as far as the system tells.
fn available() -> Vec<Available> {
    let status = fs::read_to_string("/proc/self/status").unwrap_or_default();
    let used = |field| kib(&status, field).unwrap_or(0) << 10;
    let rlimit = |what, resource, field| {
        let bytes = getrlimit(resource).current?.saturating_sub(used(field));
        Some(Available { what, bytes, holds_kernel: false })
    };
    let machine = fs::read_to_string("/proc/meminfo").ok().and_then(|text| {
        let bytes = (kib(&text, "MemAvailable:")? + kib(&text, "SwapFree:").unwrap_or(0)) << 10;
        Some(Available { what: "this machine", bytes, holds_kernel: true })
    });
    let cgroups = fs::read_to_string("/proc/self/cgroup").unwrap_or_default();
    let cgroup = cgroup_available(&cgroups, Path::new("/sys/fs/cgroup"));
    let cgroup = cgroup.map(|bytes| Available { what: "the cgroup", bytes, holds_kernel: true });
    [
        rlimit("RLIMIT_AS (ulimit -v)", Resource::As, "VmSize:"),
        rlimit("RLIMIT_DATA (ulimit -d)", Resource::Data, "VmData:"),
        cgroup,
        machine,
    ]
    .into_iter()
    .flatten()
    .collect()
}

/// `Field:   123 kB`
fn kib(text: &str, field: &str) -> Option<u64> {
    let value = text.lines().find_map(|line| line.strip_prefix(field))?;
    value.trim().strip_suffix("kB")?.trim().parse().ok()
}

/// What the cgroups of this process leave, of either version; none where they limit nothing.
/// `cgroups` is `/proc/self/cgroup` (cgroups(7)).
fn cgroup_available(cgroups: &str, root: &Path) -> Option<u64> {
    let mut least = None;
    for line in cgroups.lines() {
        let mut fields = line.splitn(3, ':').skip(1);
        let (Some(controllers), Some(path)) = (fields.next(), fields.next()) else { continue };
        let (base, names) = match controllers {
            "" => (root.to_owned(), ["memory.max", "memory.current", "inactive_file "]),
            _ if controllers.split(',').any(|name| name == "memory") => (
                root.join("memory"),
                ["memory.limit_in_bytes", "memory.usage_in_bytes", "total_inactive_file "],
            ),
            _ => continue,
        };
        // In a container the path may be that of the host, and its own group the root.
        let own = base.join(path.trim_start_matches('/'));
        let groups = own.ancestors().take_while(|group| group.starts_with(&base));
        least = least.into_iter().chain(groups.filter_map(|at| group_available(at, names))).min();
    }
    least
}

/// What one cgroup leaves. Pages of files that nobody uses are given back when memory is short.
fn group_available(group: &Path, [limit, usage, cache]: [&str; 3]) -> Option<u64> {
    let read = |name: &str| fs::read_to_string(PathBuf::from(group).join(name)).ok();
    let number = |text: String| text.trim().parse::<u64>().ok();
    let limit = number(read(limit)?)?;
    let cached = read("memory.stat").and_then(|text| {
        text.lines().find_map(|line| line.strip_prefix(cache)?.trim().parse::<u64>().ok())
    });
    let used = number(read(usage)?)?.saturating_sub(cached.unwrap_or(0));
    // No limit is a number that no machine has.
    (limit < 1 << 60).then(|| limit.saturating_sub(used))
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::*;

    const MIB: u64 = 1 << 20;

    fn sum(settings: &Settings, clients: usize, each: u64) -> u64 {
        let pools = bytes(settings.mailbox_total) + bytes(settings.input_bytes);
        bytes(settings.log_bytes) + pools + bytes(clients) * each
    }

    proptest! {
        #[test]
        fn what_is_fitted_fits_and_fits_again_unchanged(
            mib in 1_u64..600,
            wanted in 1_usize..100_000,
            holds_kernel: bool,
        ) {
            let available = Available { what: "a test", bytes: mib * MIB, holds_kernel };
            let mut settings = Settings::default();
            let Ok(clients) = fit(&mut settings, wanted, available) else {
                prop_assert!(mib < 17, "{mib} MiB are enough for a few");
                return Ok(());
            };
            let each = CONNECTION + if holds_kernel { CONNECTION_IN_KERNEL } else { 0 };
            prop_assert!(sum(&settings, clients, each) <= available.bytes);
            prop_assert!(clients >= 1 && clients <= wanted);
            prop_assert!(settings.mailbox_total >= settings.mailbox_bytes);
            let before = settings.clone();
            prop_assert_eq!(fit(&mut settings, clients, available), Ok(clients));
            prop_assert_eq!(settings, before);
        }
    }

    #[test]
    fn where_there_is_enough_nothing_changes() {
        let mut settings = Settings::default();
        let available = Available { what: "a test", bytes: 1024 * MIB, holds_kernel: true };
        assert_eq!(fit(&mut settings, 20_000, available), Ok(20_000));
        assert_eq!(settings, Settings::default());
    }

    #[test]
    fn a_cgroup_of_either_version_leaves_what_it_and_those_above_it_leave() {
        let root = tempfile::tempdir().unwrap();
        let write = |path: &str, text: &str| {
            let path = root.path().join(path);
            fs::create_dir_all(path.parent().unwrap()).unwrap();
            fs::write(path, text).unwrap();
        };
        write("app/web/memory.max", "max\n");
        write("app/web/memory.current", "10\n");
        write("app/memory.max", "1000\n");
        write("app/memory.current", "300\n");
        write("app/memory.stat", "anon 5\ninactive_file 100\n");
        write("memory/memory.limit_in_bytes", "9223372036854771712\n");
        write("memory/memory.usage_in_bytes", "7\n");
        write("memory/small/memory.limit_in_bytes", "500\n");
        write("memory/small/memory.usage_in_bytes", "200\n");
        let of = |cgroups| cgroup_available(cgroups, root.path());
        assert_eq!(of("0::/app/web\n"), Some(800));
        assert_eq!(of("4:cpu:/\n3:memory:/small\n"), Some(300));
        assert_eq!(of("3:memory:/\n0::/\n"), None);
        assert_eq!(of("nonsense"), None);
    }
}
