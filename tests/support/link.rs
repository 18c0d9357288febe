//! A network cable of a stated speed: two network namespaces with a veth pair between them.

use std::fs::File;
use std::os::fd::AsFd;
use std::process::Command;
use std::sync::atomic::{AtomicU32, Ordering};
use std::thread;

use rustix::thread::{LinkNameSpaceType, move_into_link_name_space};

/// Numbers the links of this process.
static NEXT: AtomicU32 = AtomicU32::new(0);

/// Two hosts with a link between them; they are removed when this is dropped.
pub(crate) struct Link {
    near: String,
    far: String,
}

impl Link {
    /// Where the far host has its address.
    pub(crate) const FAR: &str = "10.99.0.2";

    /// A link over which the far host sends no faster than `rate`, in the words of tc(8). An error
    /// says why there can be none here.
    pub(crate) fn shaped(rate: &str) -> Result<Self, String> {
        let number = NEXT.fetch_add(1, Ordering::Relaxed);
        let name = |side: &str| format!("hubbub-{}-{number}-{side}", std::process::id());
        let link = Self { near: name("near"), far: name("far") };
        let Self { near, far } = &link;
        for command in [
            format!("ip netns add {near}"),
            format!("ip netns add {far}"),
            format!("ip link add near netns {near} type veth peer name far netns {far}"),
            format!("ip -n {near} addr add 10.99.0.1/24 dev near"),
            format!("ip -n {far} addr add {}/24 dev far", Self::FAR),
            format!("ip -n {near} link set near up"),
            format!("ip -n {far} link set far up"),
            format!("ip -n {far} link set lo up"),
            format!("tc -n {far} qdisc add dev far root handle 1: htb default 1"),
            format!("tc -n {far} class add dev far parent 1: classid 1:1 htb rate {rate}"),
        ] {
            run(&command)?;
        }
        Ok(link)
    }

    /// What starts a program on the far host.
    pub(crate) fn on_far_host(&self) -> [&str; 4] {
        ["ip", "netns", "exec", &self.far]
    }

    /// Makes something on the near host: a socket, for one, which may then be used anywhere.
    pub(crate) fn near<T: Send>(&self, make: impl FnOnce() -> T + Send) -> T {
        inside(&self.near, make)
    }

    /// The same on the far host.
    pub(crate) fn far<T: Send>(&self, make: impl FnOnce() -> T + Send) -> T {
        inside(&self.far, make)
    }
}

impl Drop for Link {
    fn drop(&mut self) {
        for name in [&self.near, &self.far] {
            // It may never have been made.
            let _ = run(&format!("ip netns del {name}"));
        }
    }
}

fn run(command: &str) -> Result<(), String> {
    let mut words = command.split(' ');
    let program = words.next().unwrap_or_default();
    let output = Command::new(program).args(words).output();
    let output = output.map_err(|error| format!("`{command}` cannot be run: {error}"))?;
    let why = String::from_utf8_lossy(&output.stderr);
    if output.status.success() { Ok(()) } else { Err(format!("`{command}`: {}", why.trim())) }
}

fn inside<T: Send>(name: &str, make: impl FnOnce() -> T + Send) -> T {
    let namespace = File::open(format!("/run/netns/{name}")).expect("it was made");
    thread::scope(|scope| {
        let thread = scope.spawn(|| {
            move_into_link_name_space(namespace.as_fd(), Some(LinkNameSpaceType::Network))
                .expect("whoever made it may enter it");
            make()
        });
        thread.join().expect("it is made")
    })
}
