//! A scrape of a live server is read by Prometheus' own parser.

use system_tests::python;
use system_tests::server::Start;

#[test]
fn prometheus_reads_what_is_scraped() {
    let directory = tempfile::tempdir().expect("a temporary directory");
    let server = Start::on(&directory.path().join("data")).must_start();
    for _ in 0..3 {
        assert!(server.run(&["describe"]).status.success(), "{}", server.errors());
    }
    let scraped = server.scrape();
    assert!(
        scraped.contains("larder_requests_total{operation=\"describe\",status=\"ok\"} 3\n"),
        "{scraped}"
    );
    let file = directory.path().join("scrape.txt");
    write(&file, &scraped);
    // Skipped aloud where there is no Python or registry.
    let _was_run = python::run("scraped.py", &[file.to_str().expect("a plain path")]);
}

#[expect(clippy::disallowed_methods, reason = "it is no file of a database")]
fn write(path: &std::path::Path, text: &str) {
    std::fs::write(path, text).expect("the temporary directory can be written to");
}
