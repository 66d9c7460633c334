//! Exports: the server writes files on its machine.

use std::time::Duration;

use protocol::{ExportReply, ExportRequest, Opcode};
use stdx::cursor::Writer;

use crate::{Client, Error};

/// How long an export may take at least: its server reads and writes all of its memory.
const EXPORT_TIMEOUT: Duration = Duration::from_secs(4 * 3600);

impl Client {
    /// Has the server write its groups, all as of one record of its log, to files in a directory of its machine, while it goes on;
    /// returns when they are on the disk, four hours at most (or the request timeout, if that is longer). The directory is called
    /// `request.name` and lies where the server was started to put exports. Never sent twice: after [`Error::Lost`] the export may
    /// go on; [`Client::stats`] tells.
    ///
    /// # Errors
    /// [`Error::Fix`] for a name that is none or taken, groups that are not and an as-of that is too old, [`Error::Retry`] when
    /// others wait for exports already, [`Error::Operator`] when the server has no directory for exports or its disk is full or
    /// fails; others see [`Error`].
    pub async fn export(&self, request: &ExportRequest<'_>) -> Result<ExportReply, Error> {
        let mut body = Vec::new();
        request.encode(&mut Writer::new(&mut body));
        let timeout = self.inner.config.request_timeout.max(EXPORT_TIMEOUT);
        let reply = self.inner.call_within(timeout, Opcode::Export, body).await?;
        self.inner.decoded(ExportReply::decode(reply.body()))
    }
}
