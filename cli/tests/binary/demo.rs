//! `larder demo`, smaller than its users start it: everything happens for real, and it says so.

use crate::harness::larder;

#[test]
fn the_demo_pushes_reads_is_killed_and_comes_back_with_the_same_vector() {
    let output = larder("127.0.0.1:1", &["demo", "--events", "20000"]);
    let said = String::from_utf8_lossy(&output.stdout);
    assert!(output.status.success(), "{said}{}", String::from_utf8_lossy(&output.stderr));
    for what in [
        "pushed 20000 payments in ",
        " vectors of fraud_v3 meanwhile: p50 ",
        "killed and reopened: ",
        "the same vector came back, value for value",
    ] {
        assert!(said.contains(what), "{what} is missing in:\n{said}");
    }
    let accepted = said.split(" a second: ").nth(1).and_then(|rest| rest.split(' ').next());
    assert!(
        accepted.is_some_and(|count| count.parse::<u64>().is_ok_and(|count| count > 19_000)),
        "{said}"
    );
}
