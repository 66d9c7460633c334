//! The operations: one table of code, name, and what a client may do with a call whose reply it never saw.

/// An operation.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash)]
#[repr(u8)]
pub enum Opcode {
    /// Introduces a client; optional.
    Hello = 1,
    /// Asks for a sign of life.
    Ping = 2,
    /// Plans a definitions file and makes it so.
    Apply = 3,
    /// Describes what is defined.
    Describe = 4,
    /// Turns names into a handle and a schema.
    Prepare = 5,
    /// Reads feature vectors.
    Read = 6,
    /// Puts rows into a row group.
    Put = 7,
    /// Pushes events into a stream.
    Push = 8,
    /// Deletes entities from a group.
    Delete = 9,
    /// Pages through a group.
    Scan = 10,
    /// Asks for the server's figures.
    Stats = 11,
    /// Takes events of a stream back.
    Retract = 12,
    /// Writes a snapshot, and a backup if asked.
    Checkpoint = 13,
    /// Writes every group to files of the server's machine.
    Export = 14,
}

/// What can be known of an operation without its body.
struct Row {
    opcode: Opcode,
    name: &'static str,
    /// May be sent again when its reply was lost, as it is. Writes of rows and events are, because they carry producer and
    /// sequence.
    repeatable: bool,
    /// Changes the database.
    writes: bool,
}

const fn row(opcode: Opcode, name: &'static str, repeatable: bool, writes: bool) -> Row {
    Row { opcode, name, repeatable, writes }
}

const TABLE: [Row; 14] = [
    row(Opcode::Hello, "hello", true, false),
    row(Opcode::Ping, "ping", true, false),
    row(Opcode::Apply, "apply", false, true),
    row(Opcode::Describe, "describe", true, false),
    row(Opcode::Prepare, "prepare", true, false),
    row(Opcode::Read, "read", true, false),
    row(Opcode::Put, "put", true, true),
    row(Opcode::Push, "push", true, true),
    row(Opcode::Delete, "delete", true, true),
    row(Opcode::Scan, "scan", true, false),
    row(Opcode::Stats, "stats", true, false),
    row(Opcode::Retract, "retract", true, true),
    // Repeating it would do no harm, but the work again; and a backup of that name is there then.
    row(Opcode::Checkpoint, "checkpoint", false, false),
    // An export of that name is there then.
    row(Opcode::Export, "export", false, false),
];

impl Opcode {
    /// All of them, by code.
    pub fn all() -> impl Iterator<Item = Self> {
        TABLE.iter().map(|row| row.opcode)
    }

    /// The operation of wire byte `code`.
    #[must_use]
    pub fn from_code(code: u8) -> Option<Self> {
        let index = usize::from(code).checked_sub(1)?;
        TABLE.get(index).map(|row| row.opcode)
    }

    /// Its wire byte.
    #[must_use]
    pub fn code(self) -> u8 {
        self as u8
    }

    fn row(self) -> &'static Row {
        // The codes are 1 to 14 and the table has a row for each, in order: a test holds both together.
        &TABLE[usize::from(self.code()) - 1]
    }

    /// Its name, for people.
    #[must_use]
    pub fn name(self) -> &'static str {
        self.row().name
    }

    /// True when a call whose reply was lost may be sent again as it is.
    #[must_use]
    pub fn is_repeatable(self) -> bool {
        self.row().repeatable
    }

    /// True when it changes the database.
    #[must_use]
    pub fn writes(self) -> bool {
        self.row().writes
    }
}

impl std::fmt::Display for Opcode {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.write_str(self.name())
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_table_is_in_the_order_of_the_codes() {
        for (code, opcode) in (1..).zip(Opcode::all()) {
            assert_eq!((opcode.code(), Opcode::from_code(code)), (code, Some(opcode)));
        }
        assert_eq!((Opcode::from_code(0), Opcode::from_code(15)), (None, None));
    }

    #[test]
    fn only_apply_checkpoint_and_export_may_not_be_repeated() {
        let not: Vec<_> = Opcode::all().filter(|opcode| !opcode.is_repeatable()).collect();
        assert_eq!(not, [Opcode::Apply, Opcode::Checkpoint, Opcode::Export]);
    }
}
