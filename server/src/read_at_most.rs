//! Files that operators give by name, read up to a bound: whatever it is that has the name, it takes no more memory than that.
//!
//! What a file's length is said to be is no bound: pipes and devices have none, and a file may grow while it is read.
#![expect(
    clippy::disallowed_methods,
    reason = "policies, certificates and keys are none of the database's files: they go through storage::fs"
)]

use std::fs::File;
use std::io::{self, Read};
use std::path::Path;

/// All of a file that is no larger than so many bytes.
///
/// # Errors
/// What the system said, or that the file is larger.
pub(crate) fn read_at_most(path: &Path, bytes_max: usize) -> io::Result<Vec<u8>> {
    let mut bytes = Vec::new();
    File::open(path)?.take((bytes_max as u64).saturating_add(1)).read_to_end(&mut bytes)?;
    if bytes.len() > bytes_max {
        let message = format!("it is larger than {bytes_max} bytes, the most that is read");
        return Err(io::Error::other(message));
    }
    Ok(bytes)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_file_is_read_up_to_its_bound_and_one_that_never_ends_is_refused() {
        let directory = tempfile::tempdir().expect("a directory");
        let path = directory.path().join("f");
        std::fs::write(&path, b"12345").expect("it is written");
        assert_eq!(read_at_most(&path, 5).expect("it fits"), b"12345");
        for (path, bytes_max) in [(path.as_path(), 4), (Path::new("/dev/zero"), 1 << 20)] {
            let error = read_at_most(path, bytes_max).expect_err("it is larger").to_string();
            assert!(error.contains(&bytes_max.to_string()), "{error}");
        }
    }
}
