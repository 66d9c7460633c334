//! What exports cost: the cut, then each format, by rows and bytes of values, on the wall and on the CPU.

use std::path::Path;

use engine::SyncPolicy;
use export::file::FileFormat;
use export::group::{Options, export};
use stdx::clock::{Clock, SystemClock};

use crate::{
    kernel,
    report::{megabytes, ms, say},
    workload,
};

/// Fills a database below `directory` with `rows` rows of 50 f64, and exports it in each format.
///
/// # Panics
/// When something does not work: measurements have nobody to tell.
pub fn run(directory: &Path, rows: u64) {
    let clock = SystemClock::new();
    let database = workload::open(&directory.join("data"), SyncPolicy::Os);
    database.apply("bench.toml", &workload::definitions(), false).expect("they are valid");
    for start in (0..rows).step_by(1000) {
        workload::put_wide(&database, start..(start + 1000).min(rows));
    }
    database.checkpoint(&mut |_| {}).expect("the disk has room");
    let (wall_ns, cpu_ns) = (clock.mono_ns(), kernel::thread_ns());
    drop(database.cut(&mut |_| {}).expect("it has a log"));
    let (wall_ns, cpu_ns) = (clock.mono_ns() - wall_ns, kernel::thread_ns() - cpu_ns);
    say(&format!("a cut after a checkpoint: {:.1} ms, CPU {:.1} ms", ms(wall_ns), ms(cpu_ns)));
    let values = rows * workload::WIDE as u64 * 8;
    for format in [FileFormat::Arrow, FileFormat::Parquet] {
        let target = directory.join(format.extension());
        let options = Options { format, groups: Some(vec!["wide".into()]), ..Options::default() };
        let (wall_ns, cpu_ns) = (clock.mono_ns(), kernel::process_ns());
        let done = export(&database, &target, &options, &mut |_| Ok(())).expect("there is room");
        let (wall_ns, cpu_ns) = (clock.mono_ns() - wall_ns, kernel::process_ns() - cpu_ns);
        assert_eq!(done.rows(), rows);
        say(&format!(
            "{format}: {rows} rows of {:.0} MB of values to {:.0} MB in {:.0} ms, CPU {:.0} ms; a second of CPU: {:.0} rows, {:.3} GB",
            megabytes(values),
            megabytes(done.bytes()),
            ms(wall_ns),
            ms(cpu_ns),
            rows as f64 * 1e9 / cpu_ns as f64,
            values as f64 / cpu_ns as f64,
        ));
    }
}
