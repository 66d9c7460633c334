//! Starts that cannot be: the message names the directory and what to do.

use system_tests::{
    seed::skip,
    server::{Refused, Start},
    small_disk::SmallDisk,
};

use crate::setting::Setting;

#[track_caller]
fn says(refused: &Refused, parts: &[&str]) {
    assert_eq!(refused.status.code(), Some(1), "{}", refused.message);
    for part in parts {
        assert!(refused.message.contains(part), "{part:?} is missing in: {}", refused.message);
    }
}

#[test]
fn a_second_server_on_one_directory_is_told_who_has_it() {
    let setting = Setting::new();
    let start = Start::on(&setting.make());
    let mut first = start.must_start();
    let refused = start.start().expect_err("the directory is in use");
    let process = format!("(process {})", first.id());
    says(
        &refused,
        &[&*setting.data().to_string_lossy(), "in use by another larder process", &process],
    );
    let answer = first.run(&["stats"]);
    assert!(answer.status.success(), "the first one is not disturbed");
    // The lock goes with its process, however that ends.
    first.kill();
    start.must_start().kill();
}

#[test]
fn a_directory_that_cannot_be_written_is_named() {
    let disk = match SmallDisk::new(80 << 20) {
        Ok(disk) => disk,
        Err(reason) => return skip("a read-only directory", &reason),
    };
    let data = disk.path().join("data");
    let start = Start::on(&Setting::new().make_in(&data));
    disk.make_read_only();
    let refused = start.start().expect_err("nothing can be written");
    says(&refused, &[&*data.to_string_lossy(), "Read-only file system"]);
    let new = disk.path().join("new");
    let refused = Start::on(&new).start().expect_err("nothing can be made");
    says(&refused, &[&*new.to_string_lossy(), "make the data directory", "Read-only file system"]);
}

#[test]
fn a_disk_without_room_for_a_segment_is_named() {
    let disk = match SmallDisk::new(16 << 20) {
        Ok(disk) => disk,
        Err(reason) => return skip("a disk that is too small", &reason),
    };
    let data = disk.path().join("data");
    let refused = Start::on(&data).start().expect_err("there is no room");
    says(&refused, &[&*data.to_string_lossy(), "needs 67108864 bytes", "are free", "disk is full"]);
}
