//! Who asks, and what for: of every command that talks to a server.

use std::fmt;
use std::sync::Arc;

use clap::Args;

/// Proves who asks. Not shown, whatever is printed.
#[derive(Clone)]
pub(crate) struct Token(Arc<str>);

impl fmt::Debug for Token {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("Token")
    }
}

/// See the module.
#[derive(Debug, Clone, Args)]
pub(crate) struct Identity {
    /// Token for a server that wants to know who asks; others on this machine may see it on a command line.
    #[arg(long, env = "LARDER_TOKEN", hide_env_values = true, value_name = "TOKEN", value_parser = given)]
    token: Option<Token>,
    /// File whose first line is the token, instead.
    #[arg(long, env = "LARDER_TOKEN_FILE", value_name = "FILE", value_parser = from_file)]
    token_file: Option<Token>,
    /// What reads are for: personal features are given away only for purposes that a role lists.
    #[arg(long, env = "LARDER_PURPOSE", value_name = "PURPOSE")]
    pub(crate) purpose: Option<String>,
}

impl Identity {
    /// The token, if there is one; a file's rather than another.
    pub(crate) fn token(&self) -> Option<&str> {
        self.token_file.as_ref().or(self.token.as_ref()).map(|token| &*token.0)
    }
}

#[expect(clippy::unnecessary_wraps, reason = "the shape of an argument's parser")]
fn given(text: &str) -> Result<Token, String> {
    Ok(Token(text.into()))
}

fn from_file(path: &str) -> Result<Token, String> {
    let text = std::fs::read_to_string(path).map_err(|error| error.to_string())?;
    let token = text.lines().next().unwrap_or_default().trim();
    if token.is_empty() { Err("its first line is empty".to_owned()) } else { given(token) }
}
