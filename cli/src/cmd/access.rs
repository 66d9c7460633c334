//! `larder access`: tokens for a policy, and what it allows.

use model::{definition::Definitions, nearest::hint};
use server::access::{NewToken, Policy, Question, explain};
use stdx::clock::{Clock, SystemClock};

use super::{read_text, shown_name};
use crate::{
    args::{self, AccessCommand},
    error::CliError,
    output,
};

/// See the module.
pub(crate) fn run(args: &args::Access) -> Result<(), CliError> {
    match &args.command {
        AccessCommand::Token(args) => token(args),
        AccessCommand::Check(args) => check(args),
    }
}

/// The token to standard output, and nothing else: it may be piped to where secrets are kept.
fn token(args: &args::AccessToken) -> Result<(), CliError> {
    let token = NewToken::generate().map_err(CliError::failed)?;
    let mut lines =
        format!("[[subject.{:?}.token]]\nsha256 = \"{}\"\n", args.subject, token.sha256());
    if let Some(expires) = &args.expires {
        let expires = model::time::parse_timestamp(expires)?;
        let expires = model::time::format_timestamp(expires);
        lines.push_str(&format!("expires = \"{expires}\"\n"));
    }
    // What would be wrong in the file is told before anybody has the token.
    Policy::parse("--subject", &lines).map_err(CliError::usage)?;
    output::note("shown this once: keep it where secrets are kept");
    output::line(token.as_str())?;
    output::note(&format!("to be added to the policy, then send SIGHUP to the server:\n\n{lines}"));
    Ok(())
}

fn check(args: &args::AccessCheck) -> Result<(), CliError> {
    let policy = Policy::load(&args.access).map_err(CliError::failed)?;
    let subject = match (&args.as_token, &args.subject) {
        (Some(token), _) => {
            let subject = policy.subject_of_token(token, SystemClock::new().wall_ms());
            subject.map_err(CliError::failed)?
        }
        (None, name) => {
            let name = name.as_deref().unwrap_or_default();
            let Some(subject) = policy.subject(name) else {
                let known: Vec<_> = policy.subjects().map(|subject| subject.name()).collect();
                let message =
                    format!("no subject is called {name:?}; there are: {}", known.join(", "));
                return Err(CliError::failed(message));
            };
            subject.clone()
        }
    };
    let definitions = match &args.definitions {
        None => None,
        Some(path) => {
            let text = read_text(path)?;
            Some(Definitions::parse(&shown_name(path), &text, &Definitions::default())?)
        }
    };
    let question = match (&args.read, &args.write, &args.define) {
        (Some(what), ..) => Question::Read(what),
        (_, Some(what), _) => Question::Write(what),
        (.., Some(what)) if what.is_empty() => Question::DefineSomething,
        (.., Some(what)) => Question::Define(what),
        _ => Question::Administrate,
    };
    let purpose = args.purpose.as_deref().unwrap_or_default();
    let answer = explain(&subject, purpose, question, definitions.as_ref());
    let answer = answer.map_err(CliError::usage)?;
    if args.definitions.is_none() && args.read.is_some() {
        output::note(
            "without --definitions: whether something is tagged pii, and what a service reads, is not looked at",
        );
    }
    let asked = [&args.read, &args.write, &args.define].into_iter().flatten().next();
    if let Some(note) = asked.zip(definitions.as_ref()).and_then(|(asked, of)| unknown(asked, of)) {
        output::note(&note);
    }
    for line in &answer.lines {
        output::line(line)?;
    }
    if answer.is_allowed { Ok(()) } else { Err(CliError::failed("denied")) }
}

/// What is told when the definitions have nothing called so: whoever may read all services may read one that is not there.
fn unknown(asked: &str, definitions: &Definitions) -> Option<String> {
    let (kind, name) = asked.split_once(':')?;
    let Definitions { entities, streams, groups, services } = definitions;
    let (kind, name, known): (_, _, Vec<&str>) = match kind {
        "entity" => ("entity", name, entities.iter().map(|it| it.name.as_str()).collect()),
        "stream" => ("stream", name, streams.iter().map(|it| it.name.as_str()).collect()),
        "service" => ("service", name, services.iter().map(|it| it.name.as_str()).collect()),
        "group" => ("group", name, groups.iter().map(|it| it.name.as_str()).collect()),
        // GROUP:FEATURE.
        group => ("group", group, groups.iter().map(|it| it.name.as_str()).collect()),
    };
    (!known.contains(&name)).then(|| {
        let hint = hint(name, known);
        format!("the definitions have no {kind} called {name}{hint}: names alone are looked at")
    })
}
