//! Who a connection is, and what was decided for it: asked with every request, decided once for each handle.

use std::collections::{HashMap, HashSet};
use std::sync::Arc;

use model::{
    definition::Definitions,
    limits::{DECISIONS_MAX, TOKEN_BYTES_MIN},
};
use protocol::{CallStatus, Failure, HelloRequest, Opcode, Target};
use stdx::clock::Clock;

use super::{
    decide::{Asker, Denied, Granted},
    policy::{Credential, Subject, Unknown},
    producer::of_subject,
    rule::{Resource, Right},
    state::Access,
    token::Digest,
    witness::Decided,
};
use crate::{
    audit::{Tally, acts},
    dispatch::failure,
    prepared::Prepared,
    shared::Shared,
};

/// See the module.
#[derive(Default)]
pub(crate) struct Caller {
    /// As it was given: resolved anew in each generation of the policy.
    credential: Option<Credential>,
    subject: Option<Arc<Subject>>,
    /// What hello said; empty when it said nothing.
    purpose: Box<str>,
    /// Of the policy under which everything below was decided; 0 before.
    generation: u64,
    /// The handle that was asked about last, and what may be done with it.
    last: (u64, Rights),
    /// The same of other handles.
    decided: HashMap<u64, Rights>,
    /// The producer that it wrote as last, and what the engine calls it: most connections have one.
    producer: (u128, u128),
    /// The connection is to be closed.
    is_over: bool,
    /// Where the audit log hears of its connection.
    pub(crate) audit: Option<Arc<Tally>>,
}

/// What may be done with a handle, as far as it was decided.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq)]
struct Rights(u8);

impl Rights {
    fn has(self, right: Right) -> bool {
        self.0 & Self::bit(right) != 0
    }

    fn with(self, right: Right) -> Self {
        Self(self.0 | Self::bit(right))
    }

    fn bit(right: Right) -> u8 {
        match right {
            Right::Read => 1,
            Right::Write => 2,
            Right::Define => 4,
        }
    }
}

impl Caller {
    /// Who asks; `None` when that is not known.
    pub(crate) fn subject(&self) -> Option<&Arc<Subject>> {
        self.subject.as_ref()
    }

    /// What hello said that it is for; empty when it said nothing.
    pub(crate) fn purpose(&self) -> &str {
        &self.purpose
    }

    /// Of a request that another thread works on: who asks was found out here.
    pub(crate) fn elsewhere(&self) -> Self {
        let (subject, purpose) = (self.subject.clone(), self.purpose.clone());
        Self { subject, purpose, audit: self.audit.clone(), ..Self::default() }
    }

    /// What the engine calls its producer `given`; 0 is nobody.
    pub(crate) fn producer(&mut self, given: u128) -> u128 {
        let Some(subject) = self.subject.as_ref().filter(|_| given != 0) else { return given };
        if self.producer.0 != given {
            self.producer = (given, of_subject(subject.name(), given));
        }
        self.producer.1
    }

    /// The connection is to be closed: it said who it is, and that is not, or no longer, anybody.
    pub(crate) fn is_over(&self) -> bool {
        self.is_over
    }

    /// Whether a request may be looked at: is it known who asks, or asked at all? What it asks for is decided further on.
    ///
    /// # Errors
    /// `UNAUTHENTICATED`.
    #[inline]
    pub(crate) fn admit(&mut self, shared: &Shared, opcode: Opcode) -> Result<(), Failure> {
        let Some(access) = &shared.access else { return Ok(()) };
        if self.generation == access.generation() || matches!(opcode, Opcode::Hello | Opcode::Ping)
        {
            return Ok(());
        }
        self.identify(shared, access, opcode)
    }

    /// A certificate that was verified says who the peer is.
    pub(crate) fn certified(certificate: &str) -> Self {
        let credential = Some(Credential::Certificate(certificate.into()));
        Self { credential, ..Self::default() }
    }

    /// Whether a certificate says already who it is.
    pub(crate) fn is_known_by_certificate(&mut self, shared: &Shared) -> bool {
        let Some(access) = shared.access.as_ref().filter(|_| self.credential.is_some()) else {
            return false;
        };
        self.identify(shared, access, Opcode::Hello).is_ok()
    }

    /// Whoever asks has said hello. A hello without a token leaves who asks as it was.
    ///
    /// # Errors
    /// `UNAUTHENTICATED`; the connection is over then, unless no token was given.
    pub(crate) fn hello(
        &mut self,
        shared: &Shared,
        hello: &HelloRequest<'_>,
    ) -> Result<(), Failure> {
        let Some(access) = &shared.access else {
            // Nothing is decided; what it is for is told all the same.
            if !hello.purpose.is_empty() {
                self.purpose = hello.purpose.into();
                self.audit.iter().for_each(|audit| audit.set_purpose(hello.purpose));
            }
            return Ok(());
        };
        if !hello.token.is_empty() {
            self.forget();
            self.credential = Digest::of(hello.token).map(Credential::Token);
            if self.credential.is_none() {
                self.is_over = true;
                let message = format!(
                    "the token is too short or too long to be one: it has at least {TOKEN_BYTES_MIN} characters"
                );
                return Err(self.stranger(shared, Opcode::Hello, message));
            }
        }
        if !hello.purpose.is_empty() {
            self.forget();
            self.purpose = hello.purpose.into();
        }
        self.identify(shared, access, Opcode::Hello)
    }

    fn forget(&mut self) {
        self.generation = 0;
        self.subject = None;
        self.producer = (0, 0);
    }

    /// There may be another policy: whoever is not in it is nobody from now on. That is told with the next request.
    pub(crate) fn look_again(&mut self, shared: &Shared) {
        let Some(access) = shared.access.as_ref().filter(|_| self.subject.is_some()) else {
            return;
        };
        if self.generation != access.generation() {
            let _told_later = self.renew(shared, access);
        }
    }

    /// Who it is under the policy of now; `None` when it gave nothing that says so.
    #[cold]
    fn renew(&mut self, shared: &Shared, access: &Access) -> Option<Result<(), Unknown>> {
        self.forget();
        self.last = (0, Rights::default());
        self.decided.clear();
        let credential = self.credential.as_ref()?;
        let (generation, policy) = access.policy();
        let found = policy.resolve(credential, shared.clock.wall_ms());
        Some(found.map(|subject| {
            self.subject = Some(subject);
            self.generation = generation;
        }))
    }

    /// As [`Caller::renew`], for a request.
    fn identify(
        &mut self,
        shared: &Shared,
        access: &Access,
        opcode: Opcode,
    ) -> Result<(), Failure> {
        match self.renew(shared, access) {
            None => {
                let message =
                    "this server wants to know who asks: give a token (--token or LARDER_TOKEN)";
                return Err(self.stranger(shared, opcode, message.to_owned()));
            }
            Some(Err(unknown)) => {
                // A certificate may still be followed by a token.
                self.is_over = matches!(self.credential, Some(Credential::Token(_)));
                return Err(self.stranger(shared, opcode, unknown.to_string()));
            }
            Some(Ok(())) => {}
        }
        if opcode == Opcode::Hello {
            self.tell(shared, opcode, &[], None);
        }
        Ok(())
    }

    fn stranger(&self, shared: &Shared, opcode: Opcode, message: String) -> Failure {
        self.tell(shared, opcode, &[], Some(&message));
        failure(CallStatus::Unauthenticated, message)
    }

    fn witnessed(&self, shared: &Shared, decided: &Decided<'_>) {
        shared.witness.decided(decided);
        acts::decided(shared, &self.audit, decided);
    }

    fn tell(&self, shared: &Shared, opcode: Opcode, resources: &[String], missing: Option<&str>) {
        let subject = self.subject.as_ref().map(|subject| subject.name());
        let purpose = &self.purpose;
        self.witnessed(shared, &Decided { subject, purpose, opcode, resources, missing });
    }

    /// Whether `prepared`, which is what `handle` stands for, may be read or written.
    ///
    /// # Errors
    /// `DENIED`.
    #[inline]
    pub(crate) fn may_use(
        &mut self,
        shared: &Shared,
        (handle, prepared): (u64, &Prepared),
        (opcode, right): (Opcode, Right),
    ) -> Result<(), Failure> {
        if shared.access.is_none() || (self.last.0 == handle && self.last.1.has(right)) {
            return Ok(());
        }
        self.decide_use(shared, (handle, prepared), (opcode, right))
    }

    #[cold]
    fn decide_use(
        &mut self,
        shared: &Shared,
        (handle, prepared): (u64, &Prepared),
        (opcode, right): (Opcode, Right),
    ) -> Result<(), Failure> {
        let mut rights = self.decided.get(&handle).copied().unwrap_or_default();
        if !rights.has(right) {
            let (version, definitions) = shared.database.definitions();
            if prepared.plan().is_some_and(|plan| plan.version() != version) && right == Right::Read
            {
                let message = "definitions changed since it was prepared: prepare again";
                return Err(failure(CallStatus::StaleHandle, message));
            }
            let resources = prepared.resources(&definitions);
            self.decide(shared, opcode, (&resources, prepared.purpose()), |asker| {
                of_prepared(asker, &definitions, prepared, right)
            })?;
            rights = rights.with(right);
            if self.decided.len() >= DECISIONS_MAX {
                self.decided.clear();
            }
            self.decided.insert(handle, rights);
        }
        self.last = (handle, rights);
        Ok(())
    }

    /// Decides about what has no handle: `ask` is called when there is a policy.
    ///
    /// # Errors
    /// `DENIED`, `UNAUTHENTICATED`.
    pub(crate) fn decide(
        &self,
        shared: &Shared,
        opcode: Opcode,
        (resources, purpose): (&[String], Option<&str>),
        ask: impl FnOnce(Asker<'_>) -> Result<Granted<'_>, Denied>,
    ) -> Result<(), Failure> {
        let Some(asker) = self.asker(shared, opcode, purpose)? else { return Ok(()) };
        let denied = ask(asker).err();
        let missing = denied.as_ref().map(|denied| denied.missing.as_str());
        let (subject, purpose) = (Some(asker.subject.name()), asker.purpose);
        self.witnessed(shared, &Decided { subject, purpose, opcode, resources, missing });
        match denied {
            None => Ok(()),
            Some(denied) => Err(failure(CallStatus::Denied, denied.message)),
        }
    }

    /// Who asks, and for `purpose` or what hello said; `None` without a policy.
    ///
    /// # Errors
    /// `UNAUTHENTICATED`.
    pub(crate) fn asker<'a>(
        &'a self,
        shared: &Shared,
        opcode: Opcode,
        purpose: Option<&'a str>,
    ) -> Result<Option<Asker<'a>>, Failure> {
        if shared.access.is_none() {
            return Ok(None);
        }
        let Some(subject) = &self.subject else {
            return Err(self.stranger(shared, opcode, "it is not known who asks".to_owned()));
        };
        Ok(Some(Asker { subject, purpose: purpose.unwrap_or(&self.purpose) }))
    }
}

/// Whether what a handle stands for may be read or written.
fn of_prepared<'a>(
    asker: Asker<'a>,
    definitions: &Definitions,
    prepared: &Prepared,
    right: Right,
) -> Result<Granted<'a>, Denied> {
    let group = |index: usize| definitions.groups.get(index).map_or("", |it| it.name.as_str());
    match (prepared, right) {
        (Prepared::Vectors { service: Some(service), .. }, _) => {
            asker.read_service(definitions, service)
        }
        (Prepared::Vectors { plan, .. }, _) => {
            asker.read_features(definitions, plan.features().iter().map(|it| it.feature))
        }
        (Prepared::Group { group: index, .. }, Right::Read) => {
            asker.read_group(definitions, group(*index))
        }
        (Prepared::Group { group: index, .. }, _) => {
            asker.have(Right::Write, Resource::Group(group(*index)))
        }
        (Prepared::Stream(index), _) => {
            let name = definitions.streams.get(*index).map_or("", |it| it.name.as_str());
            asker.have(Right::Write, Resource::Stream(name))
        }
    }
}

/// Whether `target` may be prepared: read, or for groups and streams written.
pub(crate) fn of_target<'a>(
    asker: Asker<'a>,
    definitions: &Definitions,
    target: &Target,
) -> Result<Granted<'a>, Denied> {
    match target {
        Target::Service(name) => asker.read_service(definitions, name),
        Target::Features(references) => {
            let (mut granted, mut seen) = (Granted::default(), HashSet::new());
            // Each once: a thousand times `GROUP:*` is no list that can be prepared, and would take long to decide.
            for reference in references.iter().filter(|reference| seen.insert(reference.as_str())) {
                granted = asker.read_reference(definitions, reference)?;
            }
            Ok(granted)
        }
        Target::Group(name) => {
            let written = asker.have(Right::Write, Resource::Group(name));
            written.or_else(|_| asker.read_group(definitions, name))
        }
        Target::Stream(name) => {
            let written = asker.have(Right::Write, Resource::Stream(name));
            written.or_else(|denied| {
                asker.have(Right::Read, Resource::Stream(name)).map_err(|_| denied)
            })
        }
    }
}
