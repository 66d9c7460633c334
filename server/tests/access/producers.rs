//! Producers: what one subject writes under a name and number is no repetition of what another wrote under the same.

use crate::setting::Setting;

/// Rows of one request that threads for long writes apply.
const MANY: usize = 300;

#[tokio::test]
async fn nobody_takes_the_sequences_of_anothers_producer() {
    let setting = Setting::start();
    for rows in [1, MANY] {
        let mut written = Vec::new();
        for subject in ["writer", "everything"] {
            let name = format!("loader-{rows}");
            let client = setting.builder().token(setting.token(subject)).producer(&name, 7).build();
            let group = client.group("profile").await.expect("it may");
            let row = |row| {
                let key = format!("{rows}-{row}");
                group.row().key(key.as_str()).set("country", "NL")
            };
            let first = group.put((0..rows).map(row)).await.expect("taken");
            written.push(first.receipt.repeated);
        }
        assert_eq!(written, [false, false], "{rows} rows: taken for a repetition");
    }
}

#[tokio::test]
async fn what_a_subject_sends_again_is_a_repetition_however_it_connects() {
    let setting = Setting::start();
    for rows in [1, MANY] {
        let mut written = Vec::new();
        for _ in 0..2 {
            let name = format!("loader-{rows}");
            let client =
                setting.builder().token(setting.token("writer")).producer(&name, 7).build();
            let group = client.group("profile").await.expect("it may");
            let row = |row| {
                let key = format!("{rows}-{row}");
                group.row().key(key.as_str()).set("country", "NL")
            };
            let put = group.put((0..rows).map(row)).await.expect("taken");
            written.push(put.receipt.repeated);
        }
        assert_eq!(written, [false, true], "{rows} rows");
    }
}
