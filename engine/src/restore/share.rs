//! Work shared out among a few threads that live as long as it takes.

use std::sync::atomic::{AtomicUsize, Ordering};

use stdx::sync::Mutex;

/// Does tasks 0 to `tasks`, on `workers` threads, this one among them; what they gave, in order. Whoever is done takes the next
/// task, so that one that takes long, or a thread that must wait for a processor, holds up nobody else. One worker is this thread.
pub(super) fn share_out<T: Send>(
    workers: usize,
    tasks: usize,
    task: impl Fn(usize) -> T + Sync,
) -> Vec<T> {
    if workers.min(tasks) <= 1 {
        return (0..tasks).map(task).collect();
    }
    let next = AtomicUsize::new(0);
    let done = Mutex::new(Vec::with_capacity(tasks));
    let work = || {
        loop {
            let index = next.fetch_add(1, Ordering::Relaxed);
            if index >= tasks {
                break;
            }
            let result = task(index);
            done.lock().push((index, result));
        }
    };
    std::thread::scope(|scope| {
        for worker in 1..workers.min(tasks) {
            let builder = std::thread::Builder::new().name(format!("larder-replay-{worker}"));
            // The others do what a thread that cannot be started would have done.
            let _started = builder.spawn_scoped(scope, work);
        }
        work();
    });
    let mut done = std::mem::take(&mut *done.lock());
    done.sort_unstable_by_key(|(index, _)| *index);
    done.into_iter().map(|(_, result)| result).collect()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn every_task_is_done_once_and_answers_come_in_order() {
        for workers in [1, 2, 3, 8] {
            for tasks in [0, 1, 2, 64] {
                let expected: Vec<_> = (0..tasks).map(|index| index * index).collect();
                assert_eq!(share_out(workers, tasks, |index| index * index), expected);
            }
        }
    }
}
