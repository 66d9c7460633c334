//! `larder ready`: asks the HTTP port for operators whether the server answers reads, for probes that have no other program.

use crate::{admin::AdminPort, args, error::CliError, output};

/// See the module.
pub(crate) fn run(args: &args::Ready) -> Result<(), CliError> {
    let path = if args.writes { "/ready?writes=true" } else { &args.path };
    let port = AdminPort::of(&args.admin, args.timeout)?;
    let answer = port.get(path)?;
    let (text, status) = (answer.text(), answer.status);
    if status == 200 {
        return output::line(text.trim_end());
    }
    let addr = port.addr();
    Err(CliError::failed(format!("{addr}{path}: {status}: {}", text.trim_end())))
}
