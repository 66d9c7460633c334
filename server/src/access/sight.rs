//! What of the definitions somebody may see: what they may read (for whatever purpose), write or define, and no word of anything else.

use model::definition::{Definitions, Group, Section};

use super::{
    columns::Columns,
    decide::Asker,
    rule::{Resource, Right},
};

impl Asker<'_> {
    /// What of `sections` may be seen: what may be read (for whatever purpose), written or defined.
    pub(crate) fn visible(self, definitions: &Definitions, sections: Vec<Section>) -> Vec<Section> {
        sections.into_iter().filter_map(|section| self.seen(definitions, section)).collect()
    }

    fn seen(self, definitions: &Definitions, mut section: Section) -> Option<Section> {
        let name = section.name.clone();
        let name = name.as_str();
        let any = |resource: Resource<'_>| {
            [Right::Read, Right::Write, Right::Define].iter().any(|it| self.may(*it, resource))
        };
        let is_seen = match section.kind.as_str() {
            "entity" => {
                let entity = definitions.entity(name).map(|(index, _)| index);
                let mut groups = definitions.groups.iter().filter(|it| Some(it.entity) == entity);
                any(Resource::Entity(name)) || groups.any(|group| self.sees_group(group))
            }
            "stream" => any(Resource::Stream(name)),
            "service" => {
                any(Resource::Service(name)) || self.sees_all_of_service(definitions, name)
            }
            _ => {
                if !any(Resource::Group(name)) {
                    section.columns.retain(|(column, ..)| any(Resource::Feature(name, column)));
                }
                !section.columns.is_empty()
            }
        };
        is_seen.then_some(section)
    }

    /// Whether anything of `group` may be seen.
    pub(crate) fn sees_group(self, group: &Group) -> bool {
        let resource = Resource::Group(group.name.as_str());
        let may = |right| self.may(right, resource);
        may(Right::Write) || may(Right::Define) || self.may_read_some(group.name.as_str())
    }

    fn sees_all_of_service(self, definitions: &Definitions, name: &str) -> bool {
        let Some((_, service)) = definitions.service(name) else { return false };
        !service.features.is_empty()
            && service.features.iter().all(|feature| {
                let group = definitions.groups.get(feature.feature.group);
                group.is_some_and(|group| {
                    let columns = Columns::of(definitions, group);
                    let column = columns.name(feature.feature.column).unwrap_or_default();
                    self.may(Right::Read, Resource::Feature(group.name.as_str(), column))
                })
            })
    }
}
