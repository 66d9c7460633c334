//! A seed decides everything: two processes that run the same simulations do the same, operation by operation.

use std::process::Command;

fn trace() -> String {
    let mut command = Command::new(env!("CARGO_BIN_EXE_larder-sim"));
    command.args(["--seed", "1", "--crashes", "300", "--threads", "1"]);
    let output = command.env_remove("LARDER_SEED").output().expect("the binary runs");
    let text = String::from_utf8(output.stdout).expect("text");
    let (_, trace) = text.rsplit_once("trace ").expect("the last line tells it");
    trace.trim().to_owned()
}

#[test]
fn two_processes_give_one_trace() {
    assert_eq!(trace(), trace());
}
