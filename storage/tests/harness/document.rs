//! Documents of formats and golden files as tests read them.

/// Offset, bytes and name of the fields that the table under `title` of `document` draws; bytes are `None` in the last line.
pub(crate) fn table<'a>(document: &'a str, title: &str) -> Vec<(usize, Option<usize>, &'a str)> {
    let (_, section) = document.split_once(title).expect("the section is there");
    let section = section.split("\n## ").next().unwrap_or_default();
    let field = |line: &'a str| {
        let mut cells = line.trim_matches('|').split('|').map(str::trim);
        let at = cells.next()?.parse().ok()?;
        Some((at, cells.next()?.parse().ok(), cells.next()?))
    };
    section.lines().filter_map(field).collect()
}

/// Asserts that the table under `title` has no gaps and that its fields stand in `bytes` where it says, with these values.
pub(crate) fn assert_drawn(document: &str, title: &str, bytes: &[u8], values: &[(&str, u64)]) {
    let fields = table(document, title);
    for ((at, length, field), next) in fields.iter().zip(fields.iter().skip(1)) {
        assert_eq!(at + length.expect("a length"), next.0, "{title}: {field}");
    }
    for (name, value) in values {
        let field = fields.iter().find(|(.., field)| field.starts_with(name));
        let (at, length, _) = *field.unwrap_or_else(|| panic!("{title} draws no {name}"));
        let found = &bytes[at..at + length.expect("a length")];
        assert_eq!(found, &value.to_le_bytes()[..found.len()], "{title}: {name}");
    }
}

/// `bytes` in lines of 16; lines of zeros are left out.
pub(crate) fn hex(bytes: &[u8]) -> String {
    let line = |(at, chunk): (usize, &[u8])| {
        let digits: Vec<_> = chunk.iter().map(|byte| format!("{byte:02x}")).collect();
        format!("{:04}: {}\n", at * 16, digits.join(" "))
    };
    let lines = bytes.chunks(16).enumerate();
    lines.filter(|(_, chunk)| chunk.iter().any(|byte| *byte != 0)).map(line).collect()
}

/// What [`hex`] made, in a file of `length` bytes.
pub(crate) fn from_hex(text: &str, length: usize) -> Vec<u8> {
    let mut bytes = vec![0; length];
    for line in text.lines() {
        let (at, digits) = line.split_once(": ").expect("an offset and bytes");
        let at: usize = at.parse().expect("an offset");
        for (index, digits) in digits.split(' ').enumerate() {
            bytes[at + index] = u8::from_str_radix(digits, 16).expect("hex");
        }
    }
    bytes
}
