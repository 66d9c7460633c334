//! The server's process is stopped for a second in the middle of its work, as by a debugger or a machine that moves: clients
//! wait, nothing is lost, nothing is applied twice.

use system_tests::{load::Load, seed::Seed, server::Start};

use crate::setting::Setting;

/// How long it is stopped, in ms.
const PAUSE_MS: u64 = 1_000;

#[test]
fn a_paused_server_goes_on_where_it_was() {
    let seed = Seed::take();
    let setting = Setting::new();
    let start = Start::on(&setting.make());
    let mut server = start.must_start();
    let addr = server.addr().to_owned();
    let mut load = Load::new(seed.value(), 4, 8, 64);
    load.run(&addr, |running| {
        running.run_for(50);
        server.pause();
        // Replies that were on their way still arrive; those of the pause do not.
        running.run_for(PAUSE_MS);
        let before = running.acks();
        server.resume();
        assert!(running.wait_until(5_000, || running.acks() > before + 10), "it did not go on");
    });
    load.must_have_everything(&server);
    server.kill();
    load.must_have_everything(&start.must_start());
}
