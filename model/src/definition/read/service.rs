//! `[service.X]`: what one model version reads, in order.

use std::collections::BTreeSet;

use super::{
    Kind, Reader,
    document::{Item, Section},
    fields, metadata, put,
};
use crate::{
    definition::{
        Derived, Field, Service, ServiceFeature,
        select::{REFERENCE, Selection},
    },
    expr::{Expr, Scope},
    limits::FEATURES_PER_SERVICE_MAX,
    name::Name,
};

/// The prefix of request values in expressions.
const REQUEST: &str = "request";

impl Reader<'_> {
    pub(super) fn service(&mut self, name: Name, section: &Section<'_>) {
        let keys = metadata::with(&["features", REQUEST, "derived", "log_reads"]);
        section.check_keys(&mut self.problems, &keys, &[]);
        let metadata = metadata::read(section, &mut self.problems);
        let read_log = self.read_log(section);
        let request_items = section.table(&mut self.problems, REQUEST);
        let derived_items = section.table(&mut self.problems, "derived");
        for item in &derived_items {
            if request_items.iter().any(|request| request.key == item.key) {
                item.refuse(&mut self.problems, "a request value has the same name; rename one");
            }
        }
        let request = fields::read(&request_items, &[], &mut self.problems, |_| Ok(()));
        let Some(selection) = self.selection(section) else { return };
        let taken: BTreeSet<&str> =
            request_items.iter().chain(&derived_items).map(|item| item.key).collect();
        let (entities, features) = selection.resolve(&self.definitions, &taken);
        let count = features.len() + derived_items.len();
        if count == 0 || count > FEATURES_PER_SERVICE_MAX {
            let message = format!("{count} values; a service has 1 to {FEATURES_PER_SERVICE_MAX}");
            section.refuse(&mut self.problems, message);
            return;
        }
        let derived = self.derived(&features, &request, &derived_items);
        let service = Service { name, entities, features, request, derived, read_log, metadata };
        let name = service.name.clone();
        put(&mut self.definitions.services, service, |existing| existing.name == name);
    }

    /// The stored features; `None` when one of them is not known or belongs to a group that was refused.
    fn selection(&mut self, section: &Section<'_>) -> Option<Selection> {
        let wanted = format!("an array of {REFERENCE}");
        let item = section.require(&mut self.problems, "features", &wanted)?;
        let references = item.texts(&mut self.problems, &wanted, false)?;
        let mut selection = Selection::default();
        let mut is_complete = true;
        for reference in references {
            let group = reference.as_text().split(':').next().unwrap_or_default();
            if self.failed.contains(&(Kind::Group, group.to_owned())) {
                is_complete = false;
            } else if let Err(why) = selection.add(&self.definitions, reference.as_text()) {
                reference.refuse(&mut self.problems, why);
                is_complete = false;
            }
        }
        is_complete.then_some(selection)
    }

    fn derived(
        &mut self,
        features: &[ServiceFeature],
        request: &[Field],
        items: &[Item<'_>],
    ) -> Vec<Derived> {
        let mut scope = self.stored_scope(features);
        for field in request {
            let bare = field.name.as_str();
            scope.declare(&[bare, &format!("{REQUEST}.{bare}")], field.data_type);
        }
        let mut derived = Vec::with_capacity(items.len());
        for item in items {
            let name = item.name(&mut self.problems);
            let Some(text) =
                item.text(&mut self.problems, "an expression such as \"a / nullif(b, 0)\"")
            else {
                continue;
            };
            let expr =
                Expr::compile(text, &scope).map_err(|error| item.refuse(&mut self.problems, error));
            if let (Some(name), Ok(expr)) = (name, expr) {
                let data_type = expr.data_type;
                scope.declare(&[name.as_str()], data_type);
                derived.push(Derived { name, expr, data_type, text: text.to_owned() });
            }
        }
        derived
    }

    /// Stored features, bare and as `group.column`.
    fn stored_scope(&self, features: &[ServiceFeature]) -> Scope {
        let mut scope = Scope::new();
        for feature in features {
            let group = self.definitions.groups.get(feature.feature.group);
            let group = group.map_or("", |group| group.name.as_str());
            let bare = feature.name.rsplit(':').next().unwrap_or_default();
            scope.declare(&[bare, &format!("{group}.{bare}")], feature.data_type);
        }
        scope
    }
}
