//! Waits for a command, but not for ever: a test that hangs is named and ended, with everything it started.

use std::collections::BTreeSet;
use std::fs;
use std::io;
use std::path::Path;
use std::process::{Child, Command, ExitStatus, Stdio};
use std::thread;
use std::time::{Duration, Instant};

/// How often is looked.
const PAUSE: Duration = Duration::from_millis(50);

/// How a command ended.
#[derive(Debug)]
pub(crate) enum Ended {
    /// By itself.
    Exited(ExitStatus),
    /// It took longer than it may: what ran then, the command itself first.
    Hung(Vec<String>),
}

/// Waits for `child`, at most `limit`; then ends it and every process below it.
///
/// # Errors
/// What the operating system says of a process that cannot be waited for.
pub(crate) fn wait(child: &mut Child, limit: Duration) -> io::Result<Ended> {
    let began = now();
    loop {
        if let Some(status) = child.try_wait()? {
            return Ok(Ended::Exited(status));
        }
        if began.elapsed() > limit {
            let ids = family(child.id());
            let lines = ids.iter().map(|id| command_line(*id)).collect();
            end(&ids);
            child.kill()?;
            child.wait()?;
            return Ok(Ended::Hung(lines));
        }
        pause();
    }
}

/// `id` and every process below it, parents first. Where there is no `/proc`, `id` alone.
fn family(id: u32) -> Vec<u32> {
    let parents: Vec<(u32, u32)> = fs::read_dir("/proc")
        .into_iter()
        .flatten()
        .filter_map(|entry| entry.ok()?.file_name().to_str()?.parse().ok())
        .filter_map(|id| Some((parent(id)?, id)))
        .collect();
    let (mut found, mut at) = (vec![id], 0);
    let mut known = BTreeSet::from([id]);
    while let Some(parent) = found.get(at).copied() {
        at += 1;
        let of_it = parents.iter().filter(|(of, _)| *of == parent).map(|(_, id)| *id);
        found.extend(of_it.filter(|id| known.insert(*id)));
    }
    found
}

/// The parent of process `id`.
fn parent(id: u32) -> Option<u32> {
    let status = fs::read_to_string(Path::new("/proc").join(id.to_string()).join("status")).ok()?;
    let line = status.lines().find_map(|line| line.strip_prefix("PPid:"))?;
    line.trim().parse().ok()
}

/// What process `id` was started with.
fn command_line(id: u32) -> String {
    let path = Path::new("/proc").join(id.to_string()).join("cmdline");
    let line = fs::read(path).unwrap_or_default();
    let words = line.split(|byte| *byte == 0).map(String::from_utf8_lossy);
    format!("{id} {}", words.collect::<Vec<_>>().join(" ").trim_end())
}

/// Ends processes; those that ended meanwhile are none of our business.
fn end(ids: &[u32]) {
    // The shell's own `kill` is there where no program of that name is.
    let mut kill = Command::new("sh");
    kill.args(["-c", "kill -KILL \"$@\"", "sh"]).args(ids.iter().map(u32::to_string));
    let _ = kill.stdout(Stdio::null()).stderr(Stdio::null()).status();
}

#[expect(clippy::disallowed_methods, reason = "nobody tells that a process ended")]
fn pause() {
    thread::sleep(PAUSE);
}

#[expect(clippy::disallowed_methods, reason = "a limit of real time")]
fn now() -> Instant {
    Instant::now()
}

#[cfg(test)]
mod tests {
    use super::*;

    fn shell(script: &str) -> Child {
        Command::new("sh").args(["-c", script]).spawn().expect("there is a shell")
    }

    #[test]
    fn what_ends_in_time_has_its_own_status() {
        let ended = wait(&mut shell("exit 3"), Duration::from_secs(600)).expect("it ends");
        assert!(matches!(ended, Ended::Exited(status) if status.code() == Some(3)), "{ended:?}");
    }

    #[test]
    #[cfg(target_os = "linux")]
    fn what_hangs_is_named_and_ended_with_what_it_started() {
        // The shell waits for a second one, which waits for what hangs.
        let mut child = shell("sh -c 'sleep 3600; true'; true");
        let hangs = |id: &u32| command_line(*id).ends_with(" sleep 3600");
        while !family(child.id()).last().is_some_and(hangs) {
            pause();
        }
        let ids = family(child.id());
        let Ended::Hung(lines) = wait(&mut child, Duration::ZERO).expect("it ends") else {
            panic!("it does not end by itself");
        };
        assert!(lines.last().is_some_and(|line| line.ends_with(" sleep 3600")), "{lines:?}");
        // Whoever adopts them buries them soon.
        let is_there = |id: &u32| parent(*id).is_some() && !command_line(*id).ends_with(' ');
        while ids.iter().any(is_there) {
            pause();
        }
    }
}
