//! The file with what was typed in earlier sessions: `$XDG_STATE_HOME/hubbub/history`, one line
//! each, only for its owner to read. Several clients write to it at once; nothing that concerns it
//! keeps a session from starting.

use std::env;
use std::fs::{self, DirBuilder, File, OpenOptions, TryLockError};
use std::io::{self, Read, Seek, SeekFrom, Write};
use std::os::unix::fs::{DirBuilderExt, MetadataExt, OpenOptionsExt, PermissionsExt};
use std::path::{Path, PathBuf};
use std::thread;
use std::time::Duration;

/// How many lines one can go back to.
pub(super) const MAX_LINES: usize = 500;

/// How much of the end of the file is read, in bytes.
const MAX_READ: u64 = 256 * 1024;

/// The file is cut to the last [`MAX_LINES`] lines when it is larger than this, in bytes.
const MAX_FILE: u64 = 512 * 1024;

/// How often a file is opened that another client replaces meanwhile.
const MAX_OPENS: usize = 8;

/// How often, and after how long, the lock of another client is tried again.
const LOCK_TRIES: usize = 20;
const LOCK_INTERVAL: Duration = Duration::from_millis(10);

/// Where lines are kept.
#[derive(Debug)]
pub(super) struct History {
    path: PathBuf,
}

impl History {
    /// The file of this user; `None` where the environment names no place for it.
    pub(super) fn of_user() -> Option<Self> {
        let absolute =
            |name| env::var_os(name).map(PathBuf::from).filter(|path| path.is_absolute());
        let state =
            absolute("XDG_STATE_HOME").or_else(|| Some(absolute("HOME")?.join(".local/state")))?;
        Some(Self { path: state.join("hubbub/history") })
    }

    #[cfg(test)]
    fn at(path: PathBuf) -> Self {
        Self { path }
    }

    pub(super) fn path(&self) -> &Path {
        &self.path
    }

    /// The last lines that were kept, the oldest first. Cuts a file that has grown too large.
    ///
    /// # Errors
    ///
    /// What the system says when there is a file that cannot be read.
    pub(super) fn load(&self) -> io::Result<Vec<String>> {
        let file = match self.open(OpenOptions::new().read(true)) {
            Err(error) if error.kind() == io::ErrorKind::NotFound => return Ok(Vec::new()),
            file => file?,
        };
        let size = file.metadata()?.len();
        let lines = read_end(&file, size)?;
        if size > MAX_FILE {
            self.replace(&lines)?;
        }
        Ok(lines)
    }

    /// Keeps a line, which holds no line break.
    ///
    /// # Errors
    ///
    /// What the system says when it cannot be written.
    pub(super) fn add(&self, line: &str) -> io::Result<()> {
        if let Some(folder) = self.path.parent() {
            // Only the last folder is ours; others are made as the XDG specification says.
            DirBuilder::new().recursive(true).mode(0o700).create(folder)?;
        }
        let mut file = self.open(OpenOptions::new().append(true).create(true))?;
        file.write_all(format!("{line}\n").as_bytes())
    }

    /// Opens the file and locks it against other clients. A pipe or a device is not opened: it
    /// could block, or never end.
    fn open(&self, options: &mut OpenOptions) -> io::Result<File> {
        options.mode(0o600).custom_flags(rustix::fs::OFlags::NONBLOCK.bits().cast_signed());
        for _ in 0..MAX_OPENS {
            let file = options.open(&self.path)?;
            let opened = file.metadata()?;
            if !opened.is_file() {
                return Err(io::Error::new(io::ErrorKind::InvalidInput, "it is no regular file"));
            }
            lock(&file);
            // Another client may have put a new file in its place.
            if fs::metadata(&self.path).is_ok_and(|now| now.ino() == opened.ino()) {
                if opened.mode() & 0o077 != 0 {
                    // A file of somebody else stays as it is.
                    let _ = file.set_permissions(fs::Permissions::from_mode(0o600));
                }
                return Ok(file);
            }
        }
        Err(io::Error::other("it is replaced all the time"))
    }

    /// Puts a file with these lines in the place of the one there is, which is locked. The file is
    /// whole at any moment.
    fn replace(&self, lines: &[String]) -> io::Result<()> {
        let new = self.path.with_extension(format!("{}", std::process::id()));
        let mut file = OpenOptions::new().write(true).create_new(true).mode(0o600).open(&new)?;
        let text: String = lines.iter().flat_map(|line| [line.as_str(), "\n"]).collect();
        let written = file.write_all(text.as_bytes()).and_then(|()| fs::rename(&new, &self.path));
        written.inspect_err(|_| {
            // What is half written is of no use to anyone.
            let _ = fs::remove_file(&new);
        })
    }
}

/// Locks a file, if it can be had in time: another client holds the lock for a moment only, and
/// without it at most a line is lost. A filesystem may have no locks.
fn lock(file: &File) {
    for _ in 0..LOCK_TRIES {
        match file.try_lock() {
            Err(TryLockError::WouldBlock) => thread::sleep(LOCK_INTERVAL),
            Ok(()) | Err(TryLockError::Error(_)) => return,
        }
    }
}

/// The last lines of a file of this size.
fn read_end(mut file: &File, size: u64) -> io::Result<Vec<String>> {
    let start = size.saturating_sub(MAX_READ);
    file.seek(SeekFrom::Start(start))?;
    let mut bytes = Vec::new();
    file.take(MAX_READ).read_to_end(&mut bytes)?;
    let text = String::from_utf8_lossy(&bytes);
    // The first line may be the end of one.
    let lines = text.lines().skip(usize::from(start > 0));
    let fits = |line: &&str| !line.is_empty() && !line.contains(char::is_control);
    let lines: Vec<String> = lines.filter(fits).map(str::to_owned).collect();
    Ok(lines[lines.len().saturating_sub(MAX_LINES)..].to_vec())
}

#[cfg(test)]
mod tests {
    use super::*;

    fn history() -> (tempfile::TempDir, History) {
        let folder = tempfile::tempdir().unwrap();
        let history = History::at(folder.path().join("state/hubbub/history"));
        (folder, history)
    }

    fn mode(path: &Path) -> u32 {
        fs::metadata(path).unwrap().permissions().mode() & 0o777
    }

    #[test]
    fn lines_are_kept_for_the_owner_alone() {
        let (_folder, history) = history();
        assert!(history.load().unwrap().is_empty(), "there is no file");
        history.add("hello").unwrap();
        history.add("שלום").unwrap();
        assert_eq!(history.load().unwrap(), ["hello", "שלום"]);
        assert_eq!(mode(history.path()), 0o600);
        assert_eq!(mode(history.path().parent().unwrap()), 0o700);
        fs::set_permissions(history.path(), fs::Permissions::from_mode(0o644)).unwrap();
        history.add("again").unwrap();
        assert_eq!(mode(history.path()), 0o600);
    }

    #[test]
    fn several_clients_at_once_lose_nothing() {
        let (_folder, history) = history();
        let path = history.path().to_owned();
        let writers: Vec<_> = (0..4)
            .map(|writer| {
                let history = History::at(path.clone());
                thread::spawn(move || {
                    (0..50).for_each(|line| history.add(&format!("{writer} {line}")).unwrap());
                })
            })
            .collect();
        for writer in writers {
            writer.join().unwrap();
        }
        let lines = history.load().unwrap();
        assert_eq!(lines.len(), 200);
        for writer in 0..4 {
            let of_one = lines.iter().filter(|line| line.starts_with(&format!("{writer} ")));
            assert!(
                of_one
                    .eq((0..50).map(|line| format!("{writer} {line}")).collect::<Vec<_>>().iter())
            );
        }
    }

    #[test]
    fn a_huge_file_is_read_from_its_end_and_cut() {
        let (_folder, history) = history();
        history.add("first").unwrap();
        fs::write(history.path(), format!("{}\n", "x".repeat(99)).repeat(20_000)).unwrap();
        history.add("last").unwrap();
        let lines = history.load().unwrap();
        assert_eq!((lines.len(), lines[MAX_LINES - 1].as_str()), (MAX_LINES, "last"));
        assert!(fs::metadata(history.path()).unwrap().len() < MAX_FILE);
        assert_eq!(mode(history.path()), 0o600);
        assert_eq!(history.load().unwrap(), lines);
    }

    #[test]
    fn what_is_no_text_is_left_out() {
        let (_folder, history) = history();
        history.add("good").unwrap();
        fs::write(history.path(), b"\x1b[2J\n\xff\xfe\n\n\0\ngood\nhalf").unwrap();
        assert_eq!(history.load().unwrap(), ["\u{fffd}\u{fffd}", "good", "half"]);
    }

    #[test]
    fn what_cannot_be_read_is_an_error_and_never_waits() {
        let (folder, _) = history();
        let place = folder.path().join("pipe");
        let made = std::process::Command::new("mkfifo").arg(&place).status();
        let places = if made.is_ok_and(|made| made.success()) {
            vec![folder.path().to_owned(), place]
        } else {
            vec![folder.path().to_owned()]
        };
        for place in places {
            let history = History::at(place.clone());
            assert!(history.load().is_err() && history.add("x").is_err(), "{place:?}");
        }
        assert!(History::at("/proc/no/such/history".into()).add("x").is_err());
    }
}
